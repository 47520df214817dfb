"""A systemd of its own as process 1, for tests: in a container over this machine's files.

What it changes stays in memory and goes with it. framegate stands in it where the unit names it: interpreter,
packages and source of this test run are mounted there, for the unit sees nothing below /root, /home or /tmp.
"""

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import framegate
from disks import ToolError, mounted, need_root, skipping
from running import wait_until

REPOSITORY = Path(__file__).resolve().parents[1]
CLONE = "/opt/clone"
"""Where the repository's files stand inside."""

_HOME = Path("/opt/framegate")
_PYTHON, _PACKAGES, _SOURCE = (Path(f"{_HOME}-{part}") for part in ("python", "packages", "source"))
_BOOT_S, _COMMAND_S, _END_S = 30.0, 60.0, 15.0

_COMMAND = f"""\
#!{_HOME}/bin/python
from framegate.cli import main

raise SystemExit(main())
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted system."""

    init: int
    """The number, out here, of its process 1."""

    def run(
        self, *command: str, user: str = "", check: bool = True, stdin: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, as root or as another user."""
        become = ("runuser", "-u", user, "--") if user else ()
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--all", *become, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def path(self, inside: str) -> Path:
        """Return the way from out here to a file inside."""
        return Path(f"/proc/{self.init}/root{inside}")

    def version(self) -> int:
        """Return the version of systemd."""
        return int(self.run("systemctl", "--version").stdout.split()[1])


@contextmanager
def booted(home: Path) -> Iterator[Machine]:
    """Boot a system that has framegate in /opt/framegate; skip where that cannot be done."""
    need_root("systemd-nspawn", "nsenter", "runuser", "ldconfig")
    with ExitStack() as stack:
        with skipping():
            memory = stack.enter_context(mounted("none", home / "memory", "mode=0755", kind="tmpfs"))
            upper, work = memory / "upper", memory / "work"
            upper.mkdir()
            work.mkdir()
            options = ("lowerdir=/", f"upperdir={upper}", f"workdir={work}")
            root = stack.enter_context(mounted("overlay", home / "root", *options, kind="overlay"))
        binds = _install(root)
        with skipping():
            machine = stack.enter_context(_running(root, home / "boot.log", binds))
        machine.run("ldconfig")
        yield machine


def _install(root: Path) -> dict[Path, Path]:
    """Put framegate into a root; return the folders to mount, by where they stand inside."""
    home = root / _HOME.relative_to("/")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site_packages = home / "lib" / version / "site-packages"
    site_packages.mkdir(parents=True)
    (home / "bin").mkdir()

    base = Path(sys.base_prefix)
    python, binds = _PYTHON, {_PYTHON: base}
    if base == Path("/usr"):  # readable as it is
        python, binds = base, {}
    (home / "bin" / "python").symlink_to(python / "bin" / version)
    (home / "pyvenv.cfg").write_text(f"home = {python}/bin\n", "utf-8")
    libraries = root / "etc" / "ld.so.conf.d" / "00-framegate.conf"  # where its own libpython is
    libraries.write_text(f"{python}/lib\n" if binds else "", "utf-8")

    (site_packages / "here.pth").write_text(f"{_SOURCE}\n{_PACKAGES}\n", "utf-8")
    command = home / "bin" / "framegate"
    command.write_text(_COMMAND, "utf-8")
    command.chmod(0o755)
    source = Path(framegate.__file__).parents[1]
    return binds | {_PACKAGES: Path(sysconfig.get_path("purelib")), _SOURCE: source, Path(CLONE): REPOSITORY}


@contextmanager
def _running(root: Path, log: Path, binds: dict[Path, Path]) -> Iterator[Machine]:
    """Boot a root; it is off when this ends."""
    command = [
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--private-network"),
        # A file system like a real disk's, with leases; an overlay's are its own.
        *("--directory", os.fspath(root), "--tmpfs=/srv"),
        *(f"--bind-ro={outside}:{inside}" for inside, outside in binds.items()),
        # Services of this machine's are none of ours.
        *("--boot", "--", "--unit=basic.target"),
    ]
    with log.open("wb") as output:
        nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    init = 0
    try:
        init = _booted_init(nspawn, log)
        yield Machine(init)
    finally:
        if init and nspawn.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(init, signal.SIGKILL)  # of a process 1: all that is inside ends with it
        try:
            nspawn.wait(_END_S if init else 0)
        except subprocess.TimeoutExpired:
            nspawn.terminate()
            nspawn.wait(_END_S)


def _booted_init(nspawn: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait until a container is up; return the number of its process 1.

    Raises:
        ToolError: it does not come up.
    """
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")

    def is_up() -> bool:
        if nspawn.poll() is not None:
            raise ToolError(f"systemd-nspawn: {log.read_text('utf-8', 'replace').strip()[-300:]}")
        if not (inside := children.read_text("ascii").split()):
            return False
        asked = ("nsenter", "--target", inside[0], "--all", "systemctl", "is-system-running")
        state = subprocess.run(asked, capture_output=True, text=True, timeout=_COMMAND_S).stdout.strip()
        return state in {"running", "degraded"}

    try:
        wait_until(is_up, _BOOT_S)
    except AssertionError:
        raise ToolError(f"systemd-nspawn: not up: {log.read_text('utf-8', 'replace')[-300:]}") from None
    return int(children.read_text("ascii").split()[0])

"""The Containerfile: built upon this machine's own Python, and run as an operator runs it."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import REPOSITORY
from disks import need_root
from distribution.images import make_root
from distribution.wheels import download_requirements
from oracle import DETECTION, expected, shot, upload
from readme import commands
from running import contents, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("distribution")]

BASE, IMAGE = "localhost/framegate-test-base", "localhost/framegate-test"
UID = 54_321
"""Nobody's number, here or in the image."""

PIP = "[install]\nno-index = true\nfind-links = /wheels\n"
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
"""podman asks for more by itself than this machine may allow."""


RUNTIMES = ((), ("--runtime", "runc"), ("--runtime", "crun"))
"""podman's own choice first; crun refuses a machine with control groups of both versions, runc takes it."""


@dataclass(frozen=True)
class Podman:
    """podman with a store of its own, beside what this machine's user has, and a runtime that works here."""

    store: Path
    runtime: tuple[str, ...] = ()

    def command(self, *words: str | Path) -> list[str]:
        """Return a command of podman's, as a shell has it."""
        places = (f"--root={self.store / 'images'}", f"--runroot={self.store / 'running'}")
        return ["podman", *places, *self.runtime, *map(str, words)]

    def __call__(
        self, *words: str | Path, within_s: float = 120, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=within_s)
        assert not check or done.returncode == 0, done.stderr
        return done

    def log(self, name: str) -> str:
        """Return what a container has said; its standard error is the standard error of this, too."""
        done = self("logs", name)
        return done.stdout + done.stderr

    def trial(self) -> str:
        """Return why no container runs; nothing if one does."""
        words = ("--rm", *LIMITS, "--network=none", BASE, "/bin/sh", "-c", "exit 0")
        done = self("run", *words, check=False)
        return done.stderr.strip() if done.returncode else ""


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    """A folder of a short name, as podman wants it."""
    with TemporaryDirectory(prefix="framegate-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def podman(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """podman, and the image as the README's command builds it."""
    need_root("podman", "tar", "ldd")
    home = tmp_path_factory.mktemp("image")
    make_root(home / "root")
    packed = ["tar", "--create", f"--directory={home / 'root'}", "."]
    with subprocess.Popen(packed, stdout=subprocess.PIPE) as packing:
        importing = Podman(store).command("import", "-", BASE)
        done = subprocess.run(importing, stdin=packing.stdout, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"podman cannot import an image here: {done.stderr.strip()}")
    reasons = {runtime: Podman(store, runtime).trial() for runtime in RUNTIMES}
    podman = next((Podman(store, runtime) for runtime, reason in reasons.items() if not reason), None)
    if podman is None:
        pytest.skip(f"podman cannot run a container here: {reasons[()]}")
    download_requirements(home / "wheels")
    (home / "pip.conf").write_text(PIP, "ascii")
    (build,) = (line.split() for line in commands("build-image"))
    assert build[:2] == ["podman", "build"]
    offline = [
        f"--build-arg=BASE={BASE}", "--isolation=chroot", "--layers=false", f"--tag={IMAGE}",
        f"--volume={home}/wheels:/wheels:ro", f"--volume={home}/pip.conf:/etc/pip.conf:ro",
    ]  # fmt: skip
    options = [word for word in build[2:-1] if word not in {"-t", "framegate"}]
    podman("build", *options, *offline, REPOSITORY, within_s=1000)
    yield podman
    podman("rmi", "--force", IMAGE, BASE)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The four folders that are mounted; only the container's user may write results and state."""
    for name in ("drop", "results", "state", "config"):
        (tmp_path / name).mkdir()
    for name in ("results", "state"):
        os.chown(tmp_path / name, UID, UID)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o111)
    (tmp_path / "config" / "lot1.toml").write_text(
        "version = 1\n[drop]\nfolder = '/drop'\nsettle_s = 0.2\n[results]\nfolder = '/results'\n"
        f"min_free = '1MB'\n[detection]\n{DETECTION}\n",
        "utf-8",
    )
    return tmp_path


def as_the_readme_runs_it(folders: Path, name: str) -> list[str]:
    """Return the words of the README's command, for these folders."""
    text = " ".join(line.rstrip("\\") for line in commands("run-image"))
    for place in ("drop", "results"):
        text = text.replace(f"/srv/cameras/lot1/{place}", str(folders / place))
    text = text.replace("/var/lib/framegate/lot1", str(folders / "state"))
    text = text.replace("/etc/framegate:", f"{folders / 'config'}:")
    text = re.sub(r'--user ".*?"', f"--user {UID}:{UID}", text)
    text = re.sub(r'--group-add ".*?"', f"--group-add {UID}", text)
    text = text.replace("--name lot1", f"--name {name}").replace("--restart always", "")
    words = text.split()
    assert words[:2] == ["podman", "run"]
    assert words[-1] == "framegate"
    return [*words[1:-1], *LIMITS, IMAGE]


@contextmanager
def contained(podman: Podman, folders: Path, name: str) -> Iterator[str]:
    podman(*as_the_readme_runs_it(folders, name))
    try:
        yield name
    finally:
        podman("rm", "--force", "--time=0", name)


def replace_from_outside(config: Path, old: str, new: str) -> None:
    """Edit a file as an editor does that puts another in its place: the folder is mounted, so it is seen."""
    saved = config.with_name(f".{config.name}.swp")
    saved.write_text(config.read_text("utf-8").replace(old, new), "utf-8")
    saved.replace(config)


def test_it_serves_read_only_as_a_user_of_no_name(podman: Podman, folders: Path) -> None:
    """A user of any number keeps frames, on a root that nobody can write; it hears of edits and ends well."""
    shots = [shot(number, number // 2 % 3) for number in range(8)]
    with contained(podman, folders, "framegate-test") as name:
        for taken in shots:
            upload(taken, folders / "drop")
        kept = {taken.name: taken.data for taken in expected(shots)}
        wait_until(lambda: contents(folders / "results") == kept, 60)
        assert all((folders / "results" / each).stat().st_uid == UID for each in kept)
        assert "kept" in podman("exec", name, "framegate", "status").stdout
        podman("healthcheck", "run", name)
        refused = podman("exec", name, "/bin/sh", "-c", "echo > /opt/framegate/x", check=False)
        assert "Read-only file system" in refused.stderr
        replace_from_outside(folders / "config" / "lot1.toml", "settle_s = 0.2", "settle_s = 0.3")
        wait_until(lambda: "config.reloaded" in podman.log(name), 60)
        podman("stop", "--time=30", name)
        assert podman("inspect", "--format={{.State.ExitCode}}", name).stdout.strip() == "0"
    assert (folders / "state" / "ledger.sqlite3").stat().st_uid == UID


def test_it_holds_framegate_and_no_tool(podman: Podman) -> None:
    """The image has no tests, no pip and no source, and says which signal and which check are its own."""
    listed = podman(
        "run",
        "--rm",
        *LIMITS,
        "--network=none",
        "--entrypoint=/bin/sh",
        IMAGE,
        "-c",
        "cd /opt/framegate; echo bin/*; echo *",
    ).stdout.split()
    assert "bin/framegate" in listed
    assert not {"bin/pip", "tests", "source"} & set(listed)
    (inspected,) = json.loads(podman("inspect", IMAGE).stdout)
    config = inspected["Config"]
    assert (config["User"], config["StopSignal"]) == ("1000:1000", "SIGTERM")
    (health,) = (value for key, value in inspected.items() if key.lower() == "healthcheck")
    assert health["Test"] == ["CMD", "framegate", "status"]

"""How frames are uploaded: each writer sends every frame of a folder to a server, or puts it there itself."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from running import WITHIN_S, Site, wait_until
from writers.servers import (
    hiding_proftpd,
    proftpd,
    program,
    pure_ftpd,
    rsyncd,
    running_group,
    samba,
    sshd,
    syncthing,
    syncthing_command,
    vsftpd,
)

SHARE = "//127.0.0.1/drop"

Server = Callable[[Site], AbstractContextManager[str]]
"""Runs a server over a site's drop folder; yields what its clients reach it by."""

Send = Callable[[Path, str], None]
"""Sends all frames of a folder to a server, given by what it yielded; those that are there are sent again."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A program that puts frames into the drop folder, and the server it goes through."""

    name: str
    server: Server
    send: Send
    keeps_order: bool = True
    """Frames arrive in the order of their names; else in whatever order the program lists or fetches them."""

    def __str__(self) -> str:
        return self.name


@contextmanager
def nothing_between(site: Site) -> Iterator[str]:
    """Yield the drop folder itself."""
    yield str(site.drop)


def writers() -> list[Writer]:
    """Return every way to send frames."""
    through_ftp = [
        Writer(f"{server.__name__}-{name}", server, send)
        for server in (vsftpd, proftpd, hiding_proftpd, pure_ftpd)
        for name, send in {
            "curl": curl,
            "curl-time-set-later": curl_mdtm if server is vsftpd else curl_mfmt,
            "lftp-put": lftp_put,
            "lftp-mput-continue": lftp_mput_continue,
            "lftp-mirror": lftp_mirror,
        }.items()
    ]
    through_rsync = [
        Writer(f"rsync{''.join(options)}", rsyncd, rsync(*options))
        for options in ((), ("--times",), ("--inplace",), ("--delay-updates",), ("--partial-dir=.part",))
    ]
    return [
        *through_ftp,
        *through_rsync,
        Writer("smbclient-put", samba, smbclient_put),
        Writer("smbclient-mput", samba, smbclient_mput, keeps_order=False),
        Writer("scp", sshd, scp, keeps_order=False),
        Writer("sftp", sshd, sftp, keeps_order=False),
        Writer("syncthing", syncthing, sync, keeps_order=False),
        Writer("cp", nothing_between, cp),
        Writer("mv", nothing_between, mv),
        Writer("tar", nothing_between, tar, keeps_order=False),
        Writer("unzip", nothing_between, unzip, keeps_order=False),
    ]


def curl(outbox: Path, url: str) -> None:
    """Send frame after frame over one connection."""
    _curl(outbox, url, lambda _name: [])


def curl_mfmt(outbox: Path, url: str) -> None:
    """Set each frame's time after it was sent, by MFMT."""
    _curl(outbox, url, lambda name: ["--quote", f"-MFMT {_digits(name)} {os.path.basename(name)}"])


def curl_mdtm(outbox: Path, url: str) -> None:
    """Set each frame's time after it was sent, by MDTM, as vsftpd has it."""
    _curl(outbox, url, lambda name: ["--quote", f"-MDTM {_digits(name)} {os.path.basename(name)}"])


def _curl(outbox: Path, url: str, options: Callable[[str], list[str]]) -> None:
    # A login for each frame would do the same, but ProFTPD takes 0.4 s for it.
    arguments: list[str] = []
    for name in names_in(outbox):
        arguments += ["--next", "-sS", "--ftp-create-dirs", *options(name), "-T", name, f"{url}/{name}"]
    run_in(outbox, "curl", *arguments[1:])


def _digits(name: str) -> str:
    """Return a frame's capture time as FTP writes times."""
    return "".join(filter(str.isdigit, os.path.basename(name)))


def lftp_put(outbox: Path, url: str) -> None:
    """Send frame after frame over one connection."""
    puts = [f"put -O {os.path.dirname(name)} {name}" for name in names_in(outbox)]
    _lftp(outbox, url, *(f"mkdir -pf {folder}" for folder in _folders_in(outbox)), *puts)


def lftp_mput_continue(outbox: Path, url: str) -> None:
    """Send what the server does not have whole."""
    _lftp(outbox, url, *(f"mkdir -pf {folder}" for folder in _folders_in(outbox)), "mput -c -d */*")


def lftp_mirror(outbox: Path, url: str) -> None:
    """Send the folder."""
    _lftp(outbox, url, "mirror -R . .")


def _lftp(outbox: Path, url: str, *commands: str) -> None:
    run_in(outbox, "lftp", "-c", "; ".join(["set cmd:fail-exit yes", f"open {url}", *commands]))


def rsync(*options: str) -> Send:
    """Return how rsync with these options sends the folder; it compares the bytes of what is there."""

    def send(outbox: Path, url: str) -> None:
        run_in(outbox, "rsync", "--recursive", "--ignore-times", *options, ".", url)

    return send


def smbclient_put(outbox: Path, port: str) -> None:
    """Send frame after frame."""
    makes = [f"mkdir {folder}" for folder in _folders_in(outbox)]
    _smbclient(outbox, port, *makes, *(f"put {name} {name}" for name in names_in(outbox)))


def smbclient_mput(outbox: Path, port: str) -> None:
    """Send the folder."""
    _smbclient(outbox, port, "prompt", "recurse", "mput *")


def _smbclient(outbox: Path, port: str, *commands: str) -> None:
    run_in(outbox, "smbclient", SHARE, "-p", port, "-N", "-c", "; ".join(commands))


def scp(outbox: Path, config: str) -> None:
    """Send the folder."""
    run_in(outbox, "scp", "-F", config, "-r", *_folders_in(outbox), "site:")


def sftp(outbox: Path, config: str) -> None:
    """Send the folder."""
    puts = "\n".join(f"put -r {folder}" for folder in _folders_in(outbox))
    run_in(outbox, "sftp", "-q", "-F", config, "-b", "-", "site", stdin=puts)


def sync(outbox: Path, home: str) -> None:
    """Let Syncthing run until the other side has every frame."""
    drop = outbox.parent / "drop"
    with running_group(syncthing_command(Path(home)), Path(home) / "printed"):
        wait_until(lambda: all((drop / name).exists() for name in names_in(outbox)))


def cp(outbox: Path, drop: str) -> None:
    """Copy frame after frame, and give each its time."""
    for folder in _folders_in(outbox):
        os.makedirs(os.path.join(drop, folder), exist_ok=True)
        names = [name for name in names_in(outbox) if os.path.dirname(name) == folder]
        run_in(outbox, "cp", "-p", *names, os.path.join(drop, folder))


def mv(outbox: Path, drop: str) -> None:
    """Move frame after frame in, from a folder beside."""
    spool = outbox.parent / "spool"
    run_in(outbox, "cp", "-pr", ".", str(spool))
    for folder in _folders_in(outbox):
        os.makedirs(os.path.join(drop, folder), exist_ok=True)
        names = [name for name in names_in(outbox) if os.path.dirname(name) == folder]
        run_in(spool, "mv", *names, os.path.join(drop, folder))


def tar(outbox: Path, drop: str) -> None:
    """Unpack an archive that has the frames in the order of the folder's listing."""
    run_in(outbox, "sh", "-c", f"tar -cf - . | tar -xf - -C '{drop}'")


def unzip(outbox: Path, drop: str) -> None:
    """Unpack an archive of the same order; unzip sets times after the close."""
    archive = str(outbox.parent / "frames.zip")
    run_in(outbox, "zip", "-qr", archive, ".")
    run_in(outbox, "unzip", "-qo", archive, "-d", drop)


def names_in(folder: Path) -> list[str]:
    """Return the files below a folder, by relative name, in the order of names."""
    return sorted(os.fspath(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _folders_in(outbox: Path) -> list[str]:
    return sorted({os.path.dirname(name) for name in names_in(outbox)})


def run_in(folder: Path, name: str, *arguments: str, stdin: str = "") -> None:
    """Run a program in a folder; it has to succeed."""
    done = subprocess.run(
        [program(name), *arguments],
        cwd=folder, input=stdin, capture_output=True, text=True, timeout=WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 0, f"{name} {arguments}: {done.stdout}{done.stderr}"

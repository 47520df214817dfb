"""Uploads that are cut in the middle of a frame, and resumed."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from running import WITHIN_S, Site, wait_until
from writers.clients import SHARE, Server, names_in, run_in
from writers.servers import hiding_proftpd, proftpd, program, pure_ftpd, rsyncd, samba, sshd, vsftpd

Command = Callable[[str, str], list[str]]
"""Returns the command that sends one frame, by relative name, to a server, given by what it yielded."""


@dataclass(frozen=True, slots=True)
class Resuming:
    """A program that is cut in the middle of a frame, and then sends the rest."""

    name: str
    server: Server
    begin: Command
    """Sends slowly."""

    resume: Command

    def __str__(self) -> str:
        return self.name

    def cut(self, site: Site, name: str, server: str) -> None:
        """Begin to send a frame, and be killed when some of it has arrived."""
        binary, *options = self.begin(name, server)
        command = [program(binary), *options]
        process = subprocess.Popen(
            command, cwd=site.home / "outbox", stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            wait_until(lambda: has_arrived_in_part(site))
            assert process.poll() is None, f"{command} was not slow enough"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(WITHIN_S)

    def finish(self, site: Site, name: str, server: str) -> None:
        """Send the rest."""
        run_in(site.home / "outbox", *self.resume(name, server))


def resuming() -> list[Resuming]:
    """Return every way to resume an upload.

    smbclient sends the whole again: its ``reput`` (4.17) writes the rest at the start of the file.
    """
    return [
        Resuming("vsftpd-curl", vsftpd, curl_one("--limit-rate", "300K"), curl_one("--continue-at", "-")),
        Resuming("vsftpd-lftp", vsftpd, lftp_one(SLOWLY), lftp_one("", "-c")),
        Resuming("proftpd-lftp", proftpd, lftp_one(SLOWLY), lftp_one("", "-c")),
        Resuming("hiding_proftpd-lftp", hiding_proftpd, lftp_one(SLOWLY), lftp_one("", "-c")),
        Resuming("pure_ftpd-lftp", pure_ftpd, lftp_one(SLOWLY), lftp_one("", "-c")),
        Resuming("sftp", sshd, sftp_one("put", "-l", "2400"), sftp_one("reput")),
        Resuming("smbclient", samba, smbclient_stalling, smbclient_one),
        Resuming("rsync--partial", rsyncd, rsync_one("--partial", "--bwlimit=300"), rsync_one("--partial")),
        Resuming("rsync--inplace", rsyncd, rsync_one("--inplace", "--bwlimit=300"), rsync_one("--inplace")),
    ]


SLOWLY = "set net:limit-rate 0:300000"


def curl_one(*options: str) -> Command:
    """Send one frame by curl."""
    return lambda name, url: ["curl", "-sS", "--ftp-create-dirs", *options, "-T", name, f"{url}/{name}"]


def lftp_one(setting: str, *options: str) -> Command:
    """Send one frame by lftp's put."""

    def command(name: str, url: str) -> list[str]:
        folder = os.path.dirname(name)
        put = " ".join(["put", *options, "-O", folder, name])
        return ["lftp", "-c", "; ".join([setting, f"open {url}", f"mkdir -pf {folder}", put])]

    return command


def sftp_one(verb: str, *options: str) -> Command:
    """Send one frame by a verb of sftp."""

    def command(name: str, config: str) -> list[str]:
        batch = f"-mkdir {os.path.dirname(name)}\n{verb} {name} {name}"
        return ["sh", "-c", 'echo "$0" | sftp -q -b - -F "$@" site', batch, config, *options]

    return command


def smbclient_one(name: str, port: str) -> list[str]:
    """Send one frame by smbclient."""
    commands = f"mkdir {os.path.dirname(name)}; put {name} {name}"
    return ["smbclient", SHARE, "-p", port, "-N", "-c", commands]


def smbclient_stalling(name: str, port: str) -> list[str]:
    """Send some of a frame by smbclient, which knows no rate."""
    commands = f"mkdir {os.path.dirname(name)}; put pipe {name}"
    script = f'(head -c 400000 "$0"; exec sleep 60) > pipe & exec smbclient {SHARE} -p "$1" -N -c "$2"'
    return ["sh", "-c", f"mkfifo pipe; {script}", name, port, commands]


def rsync_one(*options: str) -> Command:
    """Send one frame by rsync."""
    return lambda name, url: ["rsync", "--relative", *options, name, url]


def has_arrived_in_part(site: Site) -> bool:
    """Tell whether a file in the drop folder has some bytes, under whatever name."""
    with suppress(FileNotFoundError):  # its server has just renamed it
        return any((site.drop / name).stat().st_size for name in names_in(site.drop))
    return False

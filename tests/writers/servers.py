"""The servers that cameras upload to, each run over one drop folder on a free port of loopback.

Each is a context manager that yields what its clients reach it by, and ends its server when it ends.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from running import WITHIN_S, Site, wait_until

USER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name
LOOPBACK = "127.0.0.1"
PASSWORD = "lot1"
PASSWORD_HASH = "$1$lot1lot1$XlmCXb/4lb5q/KCNTIkbu."
"""MD5 is fast: what Pure-FTPd makes of a password by itself takes two seconds at each login."""


def program(name: str, *, as_root: bool = False) -> str:
    """Return the path of a program; skip the test where it is missing or cannot run."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        pytest.skip(f"no {name}: .ci/run installs it")
    if as_root and os.geteuid() != 0:
        pytest.skip(f"{name} serves only as root")
    return path


@contextmanager
def vsftpd(site: Site) -> Iterator[str]:
    """Yield the URL of a vsftpd."""
    binary, port, home = program("vsftpd", as_root=True), _free_port(), _home(site)
    config = _written(
        home / "vsftpd.conf",
        f"""
        listen=YES
        listen_address={LOOPBACK}
        listen_port={port}
        background=NO
        run_as_launching_user=YES
        seccomp_sandbox=NO
        secure_chroot_dir={home}
        anonymous_enable=YES
        no_anon_password=YES
        ftp_username={USER}
        anon_root={site.drop}
        write_enable=YES
        anon_upload_enable=YES
        anon_mkdir_write_enable=YES
        anon_other_write_enable=YES
        mdtm_write=YES
        """,
    )
    with _serving(site, [binary, str(config)], port):
        yield f"ftp://anonymous:@{LOOPBACK}:{port}"


@contextmanager
def proftpd(site: Site, *, hidden_stores: bool = False) -> Iterator[str]:
    """Yield the URL of a ProFTPD; with HiddenStores it uploads to ``.in.NAME.`` and renames."""
    binary, port, home = program("proftpd"), _free_port(), _home(site)
    config = _written(
        home / "proftpd.conf",
        f"""
        ServerType standalone
        DefaultAddress {LOOPBACK}
        Port {port}
        UseIPv6 off
        User {USER}
        Group {GROUP}
        PidFile {home}/pid
        ScoreboardFile none
        DelayEngine off
        WtmpLog off
        TransferLog none
        SystemLog {home}/log
        <Anonymous {site.drop}>
          User {USER}
          Group {GROUP}
          UserAlias anonymous {USER}
          RequireValidShell off
          UseFtpUsers off
          RootLogin on
          AnonRequirePassword off
          AllowOverwrite on
          AllowStoreRestart {"off" if hidden_stores else "on"}
          HiddenStores {"on" if hidden_stores else "off"}
        </Anonymous>
        """,
    )
    with _serving(site, [binary, "--nodaemon", "--config", str(config)], port):
        yield f"ftp://anonymous:@{LOOPBACK}:{port}"


@contextmanager
def hiding_proftpd(site: Site) -> Iterator[str]:
    """Yield the URL of a ProFTPD that has HiddenStores on."""
    with proftpd(site, hidden_stores=True) as url:
        yield url


@contextmanager
def pure_ftpd(site: Site) -> Iterator[str]:
    """Yield the URL of a Pure-FTPd; its users may not be root."""
    binary, port, home = program("pure-ftpd", as_root=True), _free_port(), _home(site)
    nobody = pwd.getpwnam("nobody")
    os.chown(site.drop, nobody.pw_uid, nobody.pw_gid)
    database = home / "users.pdb"
    user = f"camera:{PASSWORD_HASH}:{nobody.pw_uid}:{nobody.pw_gid}::{site.drop}/./::::::::::::"
    subprocess.run(
        [program("pure-pw"), "mkdb", database, "-f", _written(home / "users", user)],
        check=True, timeout=WITHIN_S,
    )  # fmt: skip
    command = [binary, "--bind", f"{LOOPBACK},{port}", "--login", f"puredb:{database}", "--chrooteveryone"]
    with _serving(site, [*command, "--pidfile", str(home / "pid")], port):
        yield f"ftp://camera:{PASSWORD}@{LOOPBACK}:{port}"


@contextmanager
def samba(site: Site) -> Iterator[str]:
    """Yield the port of a Samba whose share ``drop`` takes guests.

    It takes 64 kB at a time: by itself it takes megabytes, and no upload would be seen in the middle.
    """
    binary, port, home = program("smbd"), _free_port(), _home(site)
    config = _written(
        home / "smb.conf",
        f"""
        [global]
        interfaces = {LOOPBACK}
        bind interfaces only = yes
        smb ports = {port}
        disable netbios = yes
        map to guest = bad user
        guest account = {USER}
        private dir = {home}
        lock directory = {home}
        state directory = {home}
        cache directory = {home}
        pid directory = {home}
        ncalrpc dir = {home}/rpc
        log file = {home}/log
        smb2 max write = 65536
        load printers = no
        printcap name = /dev/null
        [drop]
        path = {site.drop}
        guest ok = yes
        read only = no
        force user = {USER}
        """,
    )
    with _serving(site, [binary, "--foreground", "--no-process-group", f"--configfile={config}"], port):
        yield str(port)


@contextmanager
def sshd(site: Site) -> Iterator[str]:
    """Yield the path of a client's config, in which the host ``site`` is an OpenSSH server.

    Its sessions begin in the drop folder.
    """
    binary, port, home = program("sshd", as_root=True), _free_port(), _home(site)
    for key in ("host", "camera"):
        subprocess.run(
            [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", home / key],
            check=True, timeout=WITHIN_S,
        )  # fmt: skip
    config = _written(
        home / "sshd_config",
        f"""
        ListenAddress {LOOPBACK}
        Port {port}
        HostKey {home}/host
        AuthorizedKeysFile {home}/camera.pub
        PermitRootLogin yes
        StrictModes no
        UsePAM no
        PidFile none
        Subsystem sftp internal-sftp -d {site.drop}
        """,
    )
    client = _written(
        home / "ssh_config",
        f"""
        Host site
        HostName {LOOPBACK}
        Port {port}
        User {USER}
        IdentityFile {home}/camera
        StrictHostKeyChecking no
        UserKnownHostsFile /dev/null
        LogLevel ERROR
        """,
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it; else the package's service makes it
    with _serving(site, [binary, "-D", "-e", "-f", str(config)], port):
        yield str(client)


@contextmanager
def rsyncd(site: Site) -> Iterator[str]:
    """Yield the URL of an rsync daemon's module over the folder."""
    binary, port, home = program("rsync"), _free_port(), _home(site)
    config = _written(
        home / "rsyncd.conf",
        f"""
        use chroot = no
        uid = {USER}
        gid = {GROUP}
        [drop]
        path = {site.drop}
        read only = no
        """,
    )
    command = [binary, "--daemon", "--no-detach", f"--config={config}", f"--port={port}"]
    with _serving(site, [*command, f"--address={LOOPBACK}"], port):
        yield f"rsync://{LOOPBACK}:{port}/drop"


@contextmanager
def syncthing(site: Site) -> Iterator[str]:
    """Yield the config folder of a Syncthing that has yet to be started: the sender's, over ``outbox``.

    The receiver, over the drop folder, runs.
    """
    binary, home = program("syncthing"), _home(site)
    folders = {"sender": site.home / "outbox", "receiver": site.drop}
    ports = {name: _free_port() for name in folders}
    ids = {name: _syncthing_id(binary, home / name) for name in folders}
    for name, folder in folders.items():
        _configure_syncthing(home / name, folder, ports[name], {ids[each]: ports[each] for each in folders})
    with _serving(site, syncthing_command(home / "receiver"), ports["receiver"]):
        yield str(home / "sender")


def syncthing_command(home: Path) -> list[str]:
    """Return the command that runs the Syncthing of a config folder."""
    return [program("syncthing"), "serve", f"--home={home}", "--no-browser", "--no-restart", "--no-upgrade"]


def _syncthing_id(binary: str, home: Path) -> str:
    """Make the keys and the config of a device; return its id."""
    subprocess.run(
        [binary, "generate", f"--home={home}", "--skip-port-probing", "--no-default-folder"],
        check=True, capture_output=True, timeout=WITHIN_S,
    )  # fmt: skip
    done = subprocess.run(
        [binary, "--device-id", f"--home={home}"],
        check=True, capture_output=True, text=True, timeout=WITHIN_S,
    )  # fmt: skip
    return done.stdout.strip()


def _configure_syncthing(home: Path, folder: Path, port: int, devices: Mapping[str, int]) -> None:
    """Share one folder between devices, given by id and port, without a word to the outside."""
    options = {
        "listenAddress": f"tcp://{LOOPBACK}:{port}",
        "globalAnnounceEnabled": "false",
        "localAnnounceEnabled": "false",
        "relaysEnabled": "false",
        "natEnabled": "false",
        "crashReportingEnabled": "false",
        "urAccepted": "-1",
        "reconnectionIntervalS": "1",
    }
    root = ET.Element("configuration", version="35")
    shared = ET.SubElement(root, "folder", id="drop", path=str(folder), type="sendreceive")
    for device, its_port in devices.items():
        ET.SubElement(shared, "device", id=device)
        known = ET.SubElement(root, "device", id=device, name=device[:7])
        ET.SubElement(known, "address").text = f"tcp://{LOOPBACK}:{its_port}"
    gui = ET.SubElement(root, "gui", enabled="false")
    ET.SubElement(gui, "address").text = f"{LOOPBACK}:0"
    elements = ET.SubElement(root, "options")
    for name, value in options.items():
        ET.SubElement(elements, name).text = value
    ET.ElementTree(root).write(home / "config.xml")


@contextmanager
def _serving(site: Site, command: list[str], port: int) -> Iterator[None]:
    """Run a server that answers on its port when this yields; end it, and what it has started."""
    with running_group(command, site.home / "server" / "printed") as process:
        wait_until(lambda: _answers(port) or process.poll() is not None)
        yield


@contextmanager
def running_group(command: list[str], printed: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that has to last until this ends; then end it, and all that it has started."""
    with printed.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        has_lasted = process.poll() is None
        if has_lasted:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(WITHIN_S)
    assert has_lasted, f"{command} ended with {process.returncode}: {printed.read_text('utf-8', 'replace')}"


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


def _free_port() -> int:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        port: int = server.getsockname()[1]
        return port


def _home(site: Site) -> Path:
    """Return the folder that a server has its config and its own files in."""
    home = site.home / "server"
    home.mkdir(exist_ok=True)
    return home


def _written(path: Path, text: str) -> Path:
    """Write a config, each line without its indentation: vsftpd takes none."""
    path.write_text("".join(f"{line.strip()}\n" for line in text.splitlines() if line.strip()), "utf-8")
    return path

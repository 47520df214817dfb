"""The service as it is shipped: installed by the README's commands, under a systemd of its own, hardened.

Each test has a site of its own, ``framegate@SITE``; the frames come from the user ``camera``.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from booted import CLONE, REPOSITORY, Machine, booted
from framegate.daemon.loop import IN_FLIGHT_NAME
from oracle import DETECTION, Shot, expected, in_capture_order, shot
from readme import commands
from running import VERDICTS, WITHIN_S, Line, contents, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.xdist_group("container")]

SUDO = """\
set -e
sudo() { if [ "$1" = -u ]; then shift; as=$1; shift; runuser -u "$as" -- env "$@"; else "$@"; fi; }
"""
"""Inside, everything is done as root, and there may be no sudo."""

UPLOAD = """\
umask 027
for name; do
  cp --preserve=timestamps "outbox/$name" "drop/$name.part" && mv "drop/$name.part" "drop/$name"
done
"""

QUICKLY = "RestartSec=300ms"
SETTLE = "settle_s = 0.4\ngive_up_s = 0.8"
TAKEN = 75


def run_readme(machine: Machine, *lines: str, site: str = "lot1") -> str:
    """Run commands of the README, for a site of that name; return what they print."""
    text = "\n".join(lines).replace("lot1", site)
    return machine.run("bash", "-c", f"{SUDO}cd {CLONE}\n{text}").stdout


def trials(machine: Machine) -> list[str]:
    """Return the processes that try a frame, as they are numbered inside."""
    return machine.run("pgrep", "--full", "framegate.daemon.trial", check=False).stdout.split()


def suggested(key: str) -> list[str]:
    """Return the lines for a drop-in that the unit's comments suggest."""
    unit = (REPOSITORY / "systemd" / "framegate@.service").read_text("utf-8")
    return re.findall(rf"^#   ({key}=.*)$", unit, re.MULTILINE)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One boot for all tests, with framegate installed as the README says."""
    with booted(tmp_path_factory.mktemp("machine")) as up:
        up.run("useradd", "--no-create-home", "camera")
        _venv_and_pip, *install = commands("service")
        run_readme(up, *install)
        yield up


@dataclass
class Service:
    """One site, and its service."""

    machine: Machine
    site: str

    def __post_init__(self) -> None:
        self.shots: list[Shot] = []

    @property
    def unit(self) -> str:
        return f"framegate@{self.site}"

    def folder(self, name: str = "") -> str:
        """Return a folder of the site, as it is called inside."""
        return f"/srv/cameras/{self.site}/{name}"

    def configure(self, *, drop: str = SETTLE, detection: str = DETECTION, folder: str = "") -> None:
        """Write the config, as an editor does that writes in place."""
        config = self.machine.path(f"/etc/framegate/{self.site}.toml")
        config.write_text(
            f"version = 1\n[drop]\nfolder = '{folder or self.folder('drop')}'\n{drop}\n"
            f"[results]\nfolder = '{self.folder('results')}'\nmin_free = '1MB'\n[detection]\n{detection}\n",
            "utf-8",
        )

    def drop_in(self, *lines: str) -> None:
        """Change the unit for this site."""
        folder = self.machine.path(f"/run/systemd/system/{self.unit}.service.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.conf").write_text("\n".join(["[Service]", *lines, ""]), "utf-8")
        self.machine.run("systemctl", "daemon-reload")

    def systemctl(self, verb: str, *words: str) -> float:
        """Let systemctl do something that has to succeed; return how many seconds it took."""
        begin_s = time.monotonic()
        self.machine.run("systemctl", verb, self.unit, *words)
        return time.monotonic() - begin_s

    def shown(self, property_name: str) -> str:
        """Return a property of the unit."""
        return self.machine.run(
            "systemctl", "show", self.unit, "--value", "--property", property_name
        ).stdout.strip()

    def is_active(self) -> bool:
        return self.shown("ActiveState") == "active"

    @property
    def main_pid(self) -> str:
        """The number of the daemon's process, inside."""
        return self.shown("MainPID")

    def journal(self) -> list[Line]:
        """Return the lines that framegate has written, in order."""
        query = ("-u", self.unit, "-o", "json", "--output-fields=MESSAGE,_TRANSPORT")
        entries = map(json.loads, self.machine.run("journalctl", *query).stdout.splitlines())
        return [json.loads(entry["MESSAGE"]) for entry in entries if entry["_TRANSPORT"] == "stdout"]

    def said(self, event: str, **fields: object) -> list[Line]:
        """Return the lines of an event, with these fields."""
        return [
            line
            for line in self.journal()
            if line["event"] == event and all(line.get(key) == value for key, value in fields.items())
        ]

    def wait_for(
        self, event: str, count: int = 1, within_s: float = WITHIN_S, **fields: object
    ) -> list[Line]:
        """Wait until so many lines of an event have come; return them."""
        wait_until(lambda: len(self.said(event, **fields)) >= count, within_s)
        return self.said(event, **fields)

    def outbox(self, *shots: Shot) -> list[str]:
        """Put frames where the camera has them; return their names."""
        outbox = self.machine.path(self.folder("outbox"))
        outbox.mkdir(exist_ok=True)
        for taken in shots:
            path = outbox / taken.name
            path.write_bytes(taken.data)
            os.utime(path, ns=(taken.mtime_ns, taken.mtime_ns))
        return [taken.name for taken in shots]

    def take(self, *scenes: int) -> None:
        """Let the camera take and upload the next frames."""
        shots = [shot(len(self.shots) + number, scene) for number, scene in enumerate(scenes)]
        names = self.outbox(*shots)
        self.machine.run("sh", "-c", f"cd {self.folder()}\n{UPLOAD}", "sh", *names, user="camera")
        self.shots += shots

    def results(self) -> dict[str, bytes]:
        """Return what stands in the results, by name."""
        return contents(self.machine.path(self.folder("results")))

    def check(self) -> None:
        """Wait until all frames are judged, and insist that each was judged once, and well."""
        kept = {taken.name: taken.data for taken in expected(self.shots)}
        wait_until(lambda: len(self.verdicts()) >= len(self.shots))
        wait_until(lambda: self.results() == kept)
        verdicts = self.verdicts()
        assert [name for name, _ in verdicts] == [taken.name for taken in in_capture_order(self.shots)]
        assert {name for name, event in verdicts if event == "frame.kept"} == kept.keys()

    def verdicts(self) -> list[tuple[str, str]]:
        """Return names and verdicts as the journal has them; a line may come a second time after a crash."""
        lines = [line for line in self.journal() if line["event"] in VERDICTS]
        return list(dict.fromkeys((line["frame"], line["event"]) for line in lines))


NewService = Callable[[str], Service]


@pytest.fixture
def new_service(machine: Machine) -> Iterator[NewService]:
    """Sites that are stopped at the end."""
    made: list[Service] = []

    def make(site: str) -> Service:
        service = Service(machine, site)
        made.append(service)
        *prepare, _install_config, _enable = commands("site")
        run_readme(machine, *prepare, site=site)
        service.configure()
        return service

    yield make
    for service in made:
        machine.run("systemctl", "kill", "--signal=SIGCONT", service.unit, check=False)
        machine.run("systemctl", "stop", service.unit, check=False)


@pytest.fixture
def service(new_service: NewService, request: pytest.FixtureRequest) -> Service:
    """A site of this test's own, not started."""
    return new_service(re.sub(r"^test_|\W", "", request.node.name))


def test_the_commands_of_the_readme_lead_to_a_service_that_keeps_frames(machine: Machine) -> None:
    """The README's commands, one after the other, install, serve, show, manage and remove a site."""
    service = Service(machine, "lot1")
    run_readme(machine, *commands("site"))
    try:
        service.take(1, 1, 2)
        service.wait_for("frame.kept")
        looked = run_readme(machine, *commands("look"))
        assert "active (running)" in looked
        assert '"event": "frame.kept"' in looked
        assert "running for" in looked
        assert machine.run("framegate", "--version").stdout.startswith("framegate ")
        run_readme(machine, *commands("manage"))
        assert service.is_active()
        kept = service.results()
        assert kept
    finally:
        remove, *uninstall = commands("remove")
        run_readme(machine, remove)
    assert not service.is_active()
    assert service.results() == kept
    assert not machine.path("/var/lib/framegate/lot1").exists()
    always_made = [line for line in uninstall[:-1] if "rm -rf" not in line]
    named = re.findall(r"/\S+", " ".join(always_made))
    assert "/usr/local/share/man/man1/framegate.1" in named
    assert [path for path in named if not os.path.lexists(machine.path(path))] == []


def test_started_means_that_it_watches(service: Service) -> None:
    """When ``systemctl start`` returns, the daemon has said that it watches, by inotify."""
    service.systemctl("start")
    assert (service.shown("ActiveState"), service.shown("SubState")) == ("active", "running")
    (started,) = service.wait_for("daemon.started")
    assert started["watch"] == "inotify"
    assert started["pid"] == int(service.main_pid)


def test_a_start_that_cannot_succeed_is_said_and_tried_again(service: Service) -> None:
    """With a file in the place of its drop folder a start fails and says why, until that is mended."""
    drop = service.folder("drop")
    service.machine.run("mv", drop, drop + ".away")
    service.machine.run("touch", drop)
    assert service.machine.run("systemctl", "start", service.unit, check=False).returncode
    log = service.machine.run("journalctl", "-u", service.unit, "-o", "cat").stdout
    assert f"{drop} is not a folder" in log
    service.machine.run("rm", drop)
    service.machine.run("mv", drop + ".away", drop)
    wait_until(service.is_active)


def test_a_drop_folder_that_is_missing_at_the_start_is_waited_for(service: Service) -> None:
    """A start without the drop folder succeeds, and the folder is served when it comes."""
    drop = service.folder("drop")
    service.machine.run("mv", drop, drop + ".away")
    service.systemctl("start")
    service.wait_for("drop.absent")
    service.machine.run("mv", drop + ".away", drop)
    service.wait_for("drop.back")


def test_the_uploaders_frames_are_kept(service: Service) -> None:
    """Frames of another user are kept byte for byte, for framegate's group to read, and told of in JSON."""
    service.systemctl("start")
    service.take(1, 1, 2, 2, 3)
    service.check()
    kept = service.wait_for("frame.kept", 3)
    assert [line["reason"] for line in kept] == ["first", "changed", "changed"]
    results = service.folder("results")
    listed = service.machine.run("find", results, "-type", "f", "-printf", "%u %g %m\n").stdout
    assert set(listed.splitlines()) == {"framegate framegate 640"}
    assert service.machine.run("ls", results, user="camera", check=False).returncode


def test_the_hardening_is_in_force(service: Service) -> None:
    """The daemon may write in results and state alone, and has one capability and no network."""
    service.systemctl("start")
    inside = ("nsenter", "-t", service.main_pid, "-m", "-n", "--")
    for folder in ("/etc", "/opt", service.folder("drop")):
        done = service.machine.run(*inside, "touch", f"{folder}/x", check=False)
        assert "Read-only file system" in done.stderr
    for folder in (service.folder("results"), f"/var/lib/framegate/{service.site}"):
        service.machine.run(*inside, "test", "-w", folder)
    status = service.machine.path(f"/proc/{service.main_pid}/status").read_text("ascii")
    assert re.search(r"^CapEff:\t0+10000000$", status, re.MULTILINE)  # 1 << CAP_LEASE
    assert re.search(r"^CapBnd:\t0+10000000$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)


def test_somebody_is_told_from_inside_the_sandbox(service: Service) -> None:
    """A command runs in the service's sandbox, a web address needs the drop-in that the README installs."""
    told = f"/var/lib/framegate/{service.site}/told"
    service.configure(
        detection=f"""{DETECTION}
[[notify]]
name = "list"
on = ["kept"]
command = ["sh", "-c", 'test -z "$NOTIFY_SOCKET" && printf "%s\\n" "$FRAMEGATE_FRAME" >> {told}']
[[notify]]
name = "web"
on = ["kept"]
webhook = "http://127.0.0.1:9/"
"""
    )
    service.systemctl("start")
    service.take(1, 2)
    wait_until(lambda: service.machine.path(told).exists())
    wait_until(
        lambda: service.machine.path(told).read_text().split() == [each.name for each in service.shots]
    )
    (failed,) = service.wait_for("notify.failed")
    assert failed["error"] == "Address family not supported by protocol"
    install, restart = commands("notify-network")
    run_readme(service.machine, install, restart)
    failed = service.wait_for("notify.failed", 2)[-1]
    assert failed["error"] == "Connection refused"
    drop_ins = "/etc/systemd/system/framegate@.service.d"
    service.machine.run("rm", f"{drop_ins}/notify-network.conf")
    service.machine.run("systemctl", "daemon-reload")


def test_the_kernel_tells_it_who_still_writes(service: Service) -> None:
    """By CAP_LEASE another user's frame that is linked in is judged at once, with no ``settle_s``."""
    service.configure(drop="settle_s = 60\ngive_up_s = 60")
    service.systemctl("start")
    (name,) = service.outbox(shot(0, 1))
    folder = service.folder()
    service.machine.run("chown", "-R", "camera:cameras", f"{folder}/outbox")
    service.machine.run("ln", f"{folder}/outbox/{name}", f"{folder}/drop/{name}", user="camera")
    service.wait_for("frame.kept", frame=name)


def test_an_edit_comes_into_force_by_itself(service: Service) -> None:
    """A saved edit is in force within some seconds, and the journal says what is new."""
    service.systemctl("start")
    service.take(1, 2)
    service.check()
    service.configure(detection=DETECTION.replace("50%", "99.9%"))
    begin_s = time.monotonic()
    (line,) = service.wait_for("config.reloaded")
    print(f"an edit is in force after {time.monotonic() - begin_s:.2f} s")
    assert line["changed"]["detection.score_threshold"]["new"] == "99.9%"


def test_a_reload_is_done_and_said(service: Service) -> None:
    """``systemctl reload`` succeeds, and the journal says what came of it, also when nothing is new."""
    service.systemctl("start")
    pid = service.main_pid
    service.systemctl("reload")
    service.wait_for("config.unchanged")
    service.configure(detection=DETECTION.replace("50%", "99.9%"))
    service.systemctl("reload")
    service.wait_for("config.reloaded")
    assert (service.is_active(), service.main_pid) == (True, pid)


def test_a_bad_edit_changes_nothing(service: Service) -> None:
    """A mistake is refused with its line, the service goes on judging, and a mended file is taken."""
    service.systemctl("start")
    service.take(1)
    service.check()
    service.configure(detection=DETECTION + "blurr = 5\n")
    service.systemctl("reload")
    refused = service.wait_for("config.refused")
    assert re.search(r"line \d+.*blurr", " ".join(refused[0]["errors"]))
    assert service.is_active()
    service.take(1, 2)
    service.check()
    service.configure()
    service.systemctl("reload")
    service.wait_for("config.mended")


def test_a_killed_daemon_is_started_again_and_loses_nothing(service: Service) -> None:
    """After ``kill -9`` systemd starts it again, and no frame is lost or kept twice."""
    service.systemctl("start")
    service.take(1, 2, 2)
    service.wait_for("frame.kept")
    pid = service.main_pid
    service.machine.run("kill", "-9", pid)
    service.take(3, 3, 0)
    wait_until(lambda: service.is_active() and service.main_pid != pid)
    service.take(0, 1)
    service.check()
    assert service.shown("NRestarts") == "1"


def test_a_hanging_daemon_is_ended_and_started_again(service: Service) -> None:
    """A daemon that gives no sign of life is ended by the watchdog, and its successor loses nothing."""
    service.drop_in("WatchdogSec=3s", QUICKLY)
    service.systemctl("start")
    service.take(1, 2)
    service.check()
    pid = service.main_pid
    service.machine.run("kill", "-STOP", pid)
    service.take(2, 3)
    wait_until(lambda: service.is_active() and service.main_pid != pid)
    service.check()
    log = service.machine.run("journalctl", "-u", service.unit, "-o", "cat").stdout
    assert "Watchdog timeout" in log


def test_an_idle_daemon_lives_longer_than_its_watchdog(service: Service) -> None:
    """A daemon that has nothing to do is not taken for dead."""
    service.drop_in("WatchdogSec=1s", QUICKLY)
    service.systemctl("start")
    begin_s = time.monotonic()
    wait_until(lambda: not service.is_active() or time.monotonic() > begin_s + 3.5)
    assert (service.is_active(), service.shown("NRestarts")) == (True, "0")


def test_a_stop_is_quick_and_loses_nothing(service: Service) -> None:
    """``systemctl stop`` in the middle of the work ends well, and the rest waits."""
    service.take(*(number % 3 for number in range(500)))
    service.systemctl("start")
    service.wait_for("frame.kept")
    took_s = service.systemctl("stop")
    judged = len(service.verdicts())
    print(f"stopped in {took_s:.2f} s, after {judged} of {len(service.shots)} frames")
    assert 0 < judged < len(service.shots)
    assert (service.shown("ActiveState"), service.shown("Result")) == ("inactive", "success")
    service.take(2, 0)
    service.systemctl("start")
    service.check()


def test_a_second_daemon_is_refused(service: Service, new_service: NewService) -> None:
    """A second daemon, by hand or as a service, ends with 75 and names the first."""
    service.systemctl("start")
    second = new_service(service.site + "-2")
    second.configure(folder=service.folder("drop"))
    words = f"already served by process {service.main_pid}"

    config = f"/etc/framegate/{second.site}.toml"
    by_hand = ("env", "STATE_DIRECTORY=/tmp/state", "/opt/framegate/bin/framegate", "run", "-c", config)
    done = service.machine.run(*by_hand, user="framegate", check=False)
    assert (done.returncode, words in done.stderr) == (TAKEN, True)

    assert service.machine.run("systemctl", "start", second.unit, check=False).returncode
    assert second.shown("ExecMainStatus") == str(TAKEN)
    assert words in service.machine.run("journalctl", "-u", second.unit, "-o", "cat").stdout
    assert service.is_active()


def test_a_stop_while_a_frame_is_tried_does_not_convict_it(service: Service) -> None:
    """A frame on trial in a child process, after two crashes, is tried again when a stop came in between."""
    service.drop_in("TimeoutStopSec=1s")
    service.systemctl("start")
    service.systemctl("stop")
    suspect = shot(0, 1)
    service.take(1)
    status = (service.machine.path(service.folder("drop")) / suspect.name).stat()
    crashed_once = json.dumps([[*suspect.version, status.st_ctime_ns, 1]])
    state = service.machine.path(f"/var/lib/framegate/{service.site}")
    (state / IN_FLIGHT_NAME).write_text(crashed_once + "\n", "ascii")

    service.systemctl("start", "--no-block")
    wait_until(lambda: bool(trials(service.machine)))
    (trial,) = trials(service.machine)
    service.machine.run("kill", "-STOP", trial)
    service.machine.run("systemctl", "stop", service.unit)
    assert service.verdicts() == []
    service.systemctl("start")
    service.check()


def test_a_disk_that_is_mounted_later_is_seen(service: Service) -> None:
    """Frames on a disk that is mounted over the drop folder, outside the unit, are kept."""
    service.systemctl("start")
    service.take(1)
    service.check()
    drop = service.folder("drop")
    service.machine.run("mount", "-t", "tmpfs", "-o", "mode=2770,gid=cameras", "camera-disk", drop)
    service.take(2, 2, 3)
    service.check()


def test_frames_are_deleted_where_the_unit_allows_it(service: Service) -> None:
    """With ``after_kept = "delete"`` and the line that the unit names, kept frames leave the drop folder."""
    service.configure(drop=SETTLE + '\nafter_kept = "delete"')
    service.drop_in(suggested("ReadWritePaths")[-1].replace("lot1", service.site))
    service.systemctl("start")
    service.take(1, 1, 2)
    service.check()
    drop = service.machine.path(service.folder("drop"))
    wait_until(lambda: set(contents(drop)) == {service.shots[1].name})


def test_metrics_are_served_where_the_unit_allows_it(service: Service) -> None:
    """With the lines that the unit names, metrics can be asked for from this machine."""
    service.configure(detection=f'{DETECTION}\n[metrics]\nlisten = "127.0.0.1:9188"')
    network = ("PrivateNetwork", "RestrictAddressFamilies", "IPAddressAllow")
    service.drop_in(*(line for key in network for line in suggested(key)))
    service.systemctl("start")
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9188/metrics').read().decode())"
    assert "framegate_" in service.machine.run("python3", "-c", fetch).stdout


def test_the_page_is_served_by_a_user_that_can_write_nothing(service: Service) -> None:
    """It shows a running daemon and its pictures, from state and results that only its group may read."""
    service.systemctl("start")
    service.take(1, 2)
    service.check()
    page = f"framegate-web@{service.site}"
    service.machine.run("systemctl", "start", page)
    try:
        wait_until(lambda: _sites(service.machine)[0]["cameras"])  # written once a second
        (site,) = _sites(service.machine)
        assert (site["name"], site["state"], site["problems"]) == (service.site, "serving", [])
        (camera,) = site["cameras"]
        picture = _asked(service.machine, f"/picture/{camera['kept'][0]['picture']}/320")
        assert picture.stdout.startswith("RIFF"), picture.stderr
        pid = service.machine.run("systemctl", "show", page, "--value", "--property=MainPID").stdout.strip()
        for folder in (service.folder("results"), f"/var/lib/framegate/{service.site}", "/etc", "/opt"):
            done = service.machine.run("nsenter", "-t", pid, "-m", "--", "touch", f"{folder}/x", check=False)
            assert "Read-only file system" in done.stderr
        status = service.machine.path(f"/proc/{pid}/status").read_text("ascii")
        assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE)
        owner = service.machine.path(f"/proc/{service.main_pid}").stat().st_uid
        assert service.machine.path(f"/proc/{pid}").stat().st_uid not in {0, owner}
        service.systemctl("stop")
        wait_until(lambda: _sites(service.machine)[0]["state"] == "stopped")
    finally:
        service.machine.run("systemctl", "stop", page, check=False)


def _sites(machine: Machine) -> list[dict[str, Any]]:
    """Return what the page is drawn from; as long as nobody answers, one site without a camera."""
    answer = _asked(machine, "/now.json")
    return json.loads(answer.stdout)["sites"] if answer.returncode == 0 else [{"cameras": [], "state": None}]


def _asked(machine: Machine, path: str) -> "subprocess.CompletedProcess[str]":
    """Ask the page's server, from inside."""
    ask = (
        "import sys, urllib.request as r;"
        "sys.stdout.buffer.write(r.urlopen('http://127.0.0.1:8470' + sys.argv[1], timeout=10).read()[:99999]"
        ".decode('latin-1').encode())"
    )
    return machine.run("/opt/framegate/bin/python", "-c", ask, path, check=False)


def test_a_reload_waits_until_the_config_is_read(service: Service) -> None:
    """With the drop-in for newer systemd, ``systemctl reload`` returns when the edit is in force."""
    if service.machine.version() < 254:
        pytest.skip(f"systemd here is {service.machine.version()}; Type=notify-reload came with 253")
    shipped = service.machine.path(f"{CLONE}/systemd/notify-reload.conf").read_text("utf-8")
    service.drop_in(*shipped.splitlines())
    service.systemctl("start")
    service.configure(detection=DETECTION.replace("50%", "99.9%"))
    service.systemctl("reload")
    assert service.said("config.reloaded")


def test_systemctl_status_says_how_it_goes(service: Service) -> None:
    """``systemctl status`` has a line of the daemon's own, which counts, and says what is wrong."""
    service.systemctl("start")
    service.take(1, 1, 2)
    service.check()
    wait_until(lambda: "2 kept, 1 dropped" in service.shown("StatusText"))
    service.configure(detection="blurr = 5")
    wait_until(lambda: "CONFIG REFUSED" in service.shown("StatusText"))

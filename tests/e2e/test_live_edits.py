import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count, pairwise
from pathlib import Path

import pytest

from cameras import FlatCamera, LiveCamera
from disks import folder_elsewhere
from framegate.config.load import parse
from framegate.errors import ConfigError
from invariants import check, descriptors, rss_bytes
from oracle import CAMERAS, DETECTION, shot, upload
from running import Line, RunningDaemon, Site, running, started, wait_until

STRANGER = 12_345
NO_LEASES = ("setpriv", "--bounding-set", "-lease")
"""Root without this may ask who writes a file of its own, and of nobody else's."""

WITHIN_S = 10.0
"""From save to log line, on a machine that has other work; a quiet one takes 0.5 s, and half a second more
when nothing but a look tells. That it is no more than a second, tests/reload says by a clock of its own."""

WRITER = """
import sys
file = open(sys.argv[1], sys.argv[2], buffering=0)
while size := sys.stdin.buffer.readline():
    file.write(sys.stdin.buffer.read(int(size)))
    print("written", flush=True)
"""


def config_lines(daemon: RunningDaemon) -> list[Line]:
    daemon.drain()
    return [line for line in daemon.lines if line["event"].startswith("config.")]


def threshold(times: float) -> str:
    return f'score_threshold = "{times:g}x"'


class Edited:
    """A daemon and the config that is edited under it, over and over: each edit changes one threshold."""

    def __init__(self, site: Site, daemon: RunningDaemon) -> None:
        self.site, self.daemon = site, daemon
        self.times = 1.0
        self.revision = 1
        self.latencies_s: dict[str, float] = {}

    def text_of_next(self) -> bytes:
        text = self.site.config.read_text("utf-8")
        assert threshold(self.times) in text
        return text.replace(threshold(self.times), threshold(self.times + 1)).encode()

    def edit(self, style: str, save: Callable[[Path, bytes], None]) -> None:
        """Save the next version; expect it in force once, in time, with the right words."""
        data = self.text_of_next()
        save(self.site.config, data)
        saved_at_s = time.time()
        assert self.site.config.read_bytes() == data
        old, self.times = self.times, self.times + 1
        self.revision += 1
        reloaded = self.daemon.wait_for("config.reloaded", self.revision - 1)[-1]
        assert reloaded["revision"] == self.revision
        assert reloaded["changed"] == {
            "detection.score_threshold": {"old": f"{old:g}x", "new": f"{self.times:g}x"}
        }
        latency_s = datetime.fromisoformat(reloaded["timestamp"]).timestamp() - saved_at_s
        print(f"{style}: in force {latency_s:.2f} s after the save")
        assert latency_s < WITHIN_S
        self.once()

    def once(self) -> None:
        """Expect no line about the config but one for each edit."""
        assert [line["event"] for line in config_lines(self.daemon)] == ["config.reloaded"] * (
            self.revision - 1
        )


@contextmanager
def edited(site: Site, through: tuple[str, ...] = ()) -> Iterator[Edited]:
    """Serve a site whose config will be edited; in the end each edit has been taken once."""
    with running(site, through=through) as daemon:
        edited = Edited(site, daemon)
        yield edited
        daemon.process.send_signal(
            signal.SIGHUP
        )  # whatever was still to come of the last edit is said before
        daemon.wait_for("config.unchanged")
        daemon.lines = [line for line in daemon.lines if line["event"] != "config.unchanged"]
        edited.once()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edited]:
    """One daemon whose config is edited by every test that asks for it."""
    site = Site(tmp_path_factory.mktemp("live"))
    site.configure(detection=threshold(1))
    with edited(site) as live:
        yield live


def shell(words: str) -> Callable[[Path, bytes], None]:
    """Save by a command line: $1 is the config, $2 a file with the new text."""

    def save(path: Path, data: bytes) -> None:
        new = path.parent / "elsewhere" / "new"
        new.parent.mkdir(exist_ok=True)
        new.write_bytes(data)
        subprocess.run(["sh", "-ec", words, "sh", path, new], check=True, stdout=subprocess.DEVNULL)

    return save


def substituted(words: str) -> Callable[[Path, bytes], None]:
    """Save by a program that replaces one line: $p is the new one."""
    return shell(f'p=$(grep -o "score_threshold = .*" "$2"); {words}')


def vim(backup_copy: str) -> Callable[[Path, bytes], None]:
    options = f'-u NONE -es --cmd "set backupcopy={backup_copy} writebackup"'
    return substituted(f'vim {options} -c "%s/score_threshold = .*/$p/" -c wq "$1"')


def truncating(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def backup_and_new(path: Path, data: bytes) -> None:
    backup = path.with_name(path.name + "~")
    path.rename(backup)
    path.write_bytes(data)
    backup.unlink()


def unlink_and_create(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def in_pieces(path: Path, data: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(data), 7):
            file.write(data[at : at + 7])
            os.fsync(file.fileno())


def over_the_old(path: Path, data: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        file.write(data)
        file.truncate()


def temp_and_rename(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.swp")
    new.write_bytes(data)
    os.replace(new, path)


def from_another_file_system(path: Path, data: bytes) -> None:
    with folder_elsewhere(path) as folder:
        (folder / "saved").write_bytes(data)
        shutil.move(folder / "saved", path)


def ansible(path: Path, data: bytes) -> None:
    folder = path.parent / ".ansible_tmp"
    folder.mkdir(exist_ok=True)
    (folder / "source").write_bytes(data)
    os.rename(folder / "source", path)
    path.chmod(0o640)
    os.chown(path, os.getuid(), os.getgid())
    os.utime(path)


def copy2(path: Path, data: bytes) -> None:
    new = path.parent / "original"
    new.write_bytes(data)
    os.utime(new, (1_600_000_000, 1_600_000_000))
    shutil.copy2(new, path)


def linked(path: Path, data: bytes) -> None:
    new = path.parent / "linked"
    new.unlink(missing_ok=True)
    new.write_bytes(data)
    path.unlink()
    os.link(new, path)


STYLES: dict[str, Callable[[Path, bytes], None]] = {
    "vim, renaming": vim("no"),
    "vim, in place": vim("yes"),
    "ed": substituted('printf "%s\\n" ",s/score_threshold = .*/$p/" w q | ed -s "$1"'),
    "nano: truncate and write": truncating,
    "backup and new": backup_and_new,
    "delete and create": unlink_and_create,
    "in pieces, each synced": in_pieces,
    "over the old bytes": over_the_old,
    "temp and rename": temp_and_rename,
    "sed -i": substituted('sed -i "s/score_threshold = .*/$p/" "$1"'),
    "perl -i": shell(
        'p=$(grep -o "score_threshold = .*" "$2"); perl -i -pe "s/score_threshold = .*/$p/" "$1"'
    ),
    "shell >": shell('cat "$2" > "$1"'),
    "shell > and >>": shell('head -n 3 "$2" > "$1"; tail -n +4 "$2" >> "$1"'),
    "mv in the folder": shell('cp "$2" "$1.new"; mv "$1.new" "$1"'),
    "mv from another folder": shell('mv "$2" "$1"'),
    "move from another file system": from_another_file_system,
    "cp": shell('cp "$2" "$1"'),
    "cp -p": shell('touch -d 2001-01-01 "$2"; cp -p "$2" "$1"'),
    "cp --remove-destination": shell('cp --remove-destination "$2" "$1"'),
    "install": shell('install -m 0644 "$2" "$1"'),
    "ln -f": shell('rm -f "$1.l"; cp "$2" "$1.l"; ln -f "$1.l" "$1"'),
    "dd": shell('dd if="$2" of="$1" bs=10 2>&1'),
    "Ansible": ansible,
    "shutil.copy2": copy2,
    "link": linked,
}


@pytest.mark.parametrize("style", STYLES)
def test_an_edit_comes_into_force_once_however_it_is_saved(live: Edited, style: str) -> None:
    """Whatever editor, tool or shell saves the config, it is in force in a moment, and once."""
    tool = style.partition(" ")[0].rstrip(",")
    if tool in {"vim", "ed", "perl"} and not shutil.which(tool):
        pytest.skip(f"no {tool} here")
    live.edit(style, STYLES[style])


def test_a_swap_of_the_link_above_it_is_an_edit(site: Site) -> None:
    """A config that Kubernetes mounts, whose ..data is turned to another folder, is in force in a moment."""
    site.configure(detection=threshold(1))
    mount = site.home / "mount"
    numbers = count()

    def turn(_path: Path, data: bytes) -> None:
        dated = mount / f"..2026_{next(numbers)}"
        dated.mkdir(parents=True)
        (dated / "site.toml").write_bytes(data)
        (mount / "..data_tmp").symlink_to(dated.name)
        (mount / "..data_tmp").rename(mount / "..data")
        for old in mount.glob("..2026_*"):
            if old != dated:
                shutil.rmtree(old)

    turn(site.config, site.config.read_bytes())
    (mount / "site.toml").symlink_to("..data/site.toml")
    site.config = mount / "site.toml"
    with edited(site) as live:
        for _ in range(3):
            live.edit("..data", turn)


def test_what_a_link_leads_to_is_edited_in_another_folder(site: Site) -> None:
    """A config that is a link is followed: an edit of its target, in place or by rename, is an edit of it."""
    site.configure(detection=threshold(1))
    real = site.home / "repository" / "lot.toml"
    real.parent.mkdir()
    site.config.rename(real)
    site.config.symlink_to(real)
    with edited(site) as live:
        live.edit("link, in place", lambda _path, data: truncating(real, data))
        live.edit("link, renamed", lambda _path, data: temp_and_rename(real, data))
        live.edit("link, in place again", lambda _path, data: truncating(real, data))


# --- half-written files -----------------------------------------------------------------------------------


@dataclass
class SlowWriter:
    """A program of its own that writes a file when it is told, and holds it open until it ends."""

    process: "subprocess.Popen[bytes]"

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"%d\n" % len(data) + data)
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"written\n"


@contextmanager
def slow_writer(path: Path, mode: str) -> Iterator[SlowWriter]:
    command = [sys.executable, "-S", "-c", WRITER, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield SlowWriter(process)


def valid_cuts(data: bytes) -> list[int]:
    """Return where a config can be cut so that what stands before is a config too, and another one."""
    cuts, seen = [], {parse(None, data).settings.model_dump_json()}
    for cut in range(len(data)):
        try:
            settings = parse(None, data[:cut]).settings.model_dump_json()
        except ConfigError:
            continue
        if settings not in seen:
            seen.add(settings)
            cuts.append(cut)
    return cuts


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", ["wb", "r+b"], ids=["truncating", "over-the-old"])
@pytest.mark.parametrize("may_ask", [True, False], ids=["may-ask", "may-not-ask"])
def test_a_config_that_is_written_over_seconds_is_one_edit(site: Site, mode: str, *, may_ask: bool) -> None:
    """Whoever writes it slowly, and wherever the writer stops, what is there meanwhile is never taken."""
    if not may_ask and (os.getuid() or not shutil.which("setpriv")):
        pytest.skip("only root may own as another")
    detection = f"max_kept_per_hour = 12345\n{threshold(1)}\nkeep_every = '10.5h'"
    site.configure(drop="sweep_s = 60", detection=detection)
    cuts = valid_cuts(site.config.read_bytes())
    assert len(cuts) >= 4
    with edited(site, () if may_ask else NO_LEASES) as live:

        def save(path: Path, data: bytes) -> None:
            with slow_writer(path, mode) as writer:
                for start, end in pairwise([0, *cuts, len(data)]):
                    writer.write(data[start:end])
                    if start != 0:
                        quiet(live.daemon, 0.7)
                live.daemon.process.send_signal(signal.SIGHUP)  # nor is it when somebody asks
                quiet(live.daemon, 1.2)

        if not may_ask:
            os.chown(site.config, STRANGER, STRANGER)
        live.edit("slow writer", save)


def quiet(daemon: RunningDaemon, for_s: float) -> None:
    """Expect nothing to be said about the config for a while."""
    before = len(config_lines(daemon))
    with pytest.raises(AssertionError, match="no 1 x nothing"):
        daemon.wait_for("nothing", within_s=for_s)
    assert config_lines(daemon)[before:] == []


def test_a_writer_that_dies_leaves_what_is_judged_as_it_is(site: Site) -> None:
    """When a writer is killed half way, what it left is refused, and a whole one mends it."""
    site.configure(detection=threshold(1))
    whole = site.config.read_bytes()
    with running(site) as daemon:
        with slow_writer(site.config, "wb") as writer:
            writer.write(whole[: len(whole) // 2])
            writer.process.kill()
        (refused,) = daemon.wait_for("config.refused")
        assert refused["revision"] == 1
        site.config.write_bytes(whole)
        daemon.wait_for("config.mended", revision=1)
    assert [line["event"] for line in config_lines(daemon)] == ["config.refused", "config.mended"]


# --- what is refused --------------------------------------------------------------------------------------


def test_a_bad_edit_stops_nothing_and_is_said_once(site: Site) -> None:
    """Under a bad config frames are judged as before; it is said once, and again at SIGHUP."""
    site.configure(detection=DETECTION)
    good = site.config.read_bytes()
    bad = good.replace(b"score_threshold", b"score_treshold") + b'[log]\nlevel = "loud"\n'
    with running(site) as daemon:
        for _ in range(3):
            site.config.write_bytes(bad)
            (refused,) = daemon.wait_for("config.refused")
            quiet(daemon, 0.7)
        assert refused["level"] == "error"
        number = bad.split(b"\n").index(b'score_treshold = "50%"') + 1
        assert refused["errors"][0].startswith(f"line {number - 3}: detection.score_threshold: is required")
        assert refused["errors"][1].startswith(f"line {number}: detection.score_treshold: unknown key")
        upload(shot(1, 0), site.drop)
        assert daemon.wait_for("frame.kept")[0]["config_revision"] == 1
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.wait_for("config.refused", 2)[1]["errors"] == refused["errors"]
        site.config.unlink()
        assert daemon.wait_for("config.refused", 3)[2]["errors"] == [
            "cannot be read: No such file or directory"
        ]
        site.config.write_bytes(good)
        daemon.wait_for("config.mended", revision=1)
        site.config.write_bytes(good.replace(b"/drop", b"/other"))
        (error,) = daemon.wait_for("config.refused", 4)[3]["errors"]
        assert error == "line 3: drop.folder: a running daemon cannot change this: restart it"
        site.config.write_bytes(good.replace(b"50%", b"40%"))
        daemon.wait_for("config.reloaded", revision=2)
        upload(shot(2, 0), site.drop)
        (dropped,) = daemon.wait_for("frame.dropped")
        assert (dropped["threshold"], dropped["config_revision"]) == (40.0, 2)


# --- what changes while frames come -----------------------------------------------------------------------


def test_each_frame_is_judged_wholly_by_one_config(site: Site) -> None:
    """While the threshold is edited, every verdict has the threshold of the revision that it names."""
    site.configure(detection=DETECTION)
    camera = FlatCamera(site, 1)
    with running(site) as daemon:
        percents = {1: 50.0}
        with LiveCamera(camera, 2, most_shots=10_000, longest_pause_s=0.01):
            for revision in range(2, 8):
                percents[revision] = 40.0 + revision
                text = DETECTION.replace("50%", f"{percents[revision]:g}%")
                site.configure(detection=text, min_free="0B" if revision % 2 else "1MB")
                daemon.wait_for("config.reloaded", revision - 1)
                daemon.wait_for_verdicts(len(daemon.verdicts()) + 3)
        daemon.wait_for_verdicts(len(camera.shots))
    judged = [line for line in daemon.verdicts() if "threshold" in line]
    assert {line["config_revision"] for line in judged} >= set(range(2, 8))
    assert [line for line in judged if line["threshold"] != percents[line["config_revision"]]] == []
    check(site, camera.shots, acknowledged=daemon.lines)


def test_an_edit_of_how_frames_are_seen_keeps_the_reference(site: Site) -> None:
    """After an edit of working height or blur frames are compared with the reference from before."""
    site.configure(detection=DETECTION)
    with running(site) as daemon:
        upload(shot(1, 0), site.drop)
        daemon.wait_for("frame.kept", reason="first")
        edits = (DETECTION + "working_height = 24", DETECTION, DETECTION + "blur = 9")
        for number, detection in enumerate(edits):
            site.configure(detection=detection)
            daemon.wait_for("config.reloaded", number + 1)
            upload(shot(10 * number + 10, number % 2), site.drop)
            assert daemon.wait_for("frame.dropped", number + 1)[-1]["reason"] == "unchanged"
            upload(shot(10 * number + 11, (number + 1) % 2), site.drop)
            assert daemon.wait_for("frame.kept", number + 2)[-1]["reason"] == "changed"
        heights = {line["working_size"][1] for line in daemon.verdicts() if "working_size" in line}
    assert heights == {24, 48}


def test_names_and_cameras_are_what_the_config_says_now(site: Site) -> None:
    """An edit of include takes in what lay there unseen; one of camera_pattern counts for what comes."""
    site.configure(drop='include = ["*.png"]', detection=DETECTION)
    taken = [shot(number, 0) for number in range(3)]
    with running(site) as daemon:
        for each in taken[:2]:
            upload(each, site.drop)
        quiet(daemon, 1.0)
        assert daemon.verdicts() == []
        site.configure(drop='include = ["*.jpg"]', detection=DETECTION)
        daemon.wait_for_verdicts(2)
        site.configure(drop='include = ["*.png"]', detection=DETECTION)
        daemon.wait_for("config.reloaded", 2)
        upload(taken[2], site.drop)
        quiet(daemon, 1.0)
        assert len(daemon.verdicts()) == 2
        site.configure(drop=CAMERAS, detection=DETECTION)
        daemon.wait_for_verdicts(3)
        upload(mine := shot(4, 0, camera="c7"), site.drop)
        assert daemon.wait_for("frame.kept", 2)[-1]["camera"] == "c7"
    check(site, [*taken, mine], acknowledged=daemon.lines)


def test_a_file_that_settles_does_so_by_the_new_times(site: Site) -> None:
    """An edit of give_up_s counts for a file that waits for its end already."""
    site.configure(
        drop="settle_s = 0.2\ngive_up_s = 3600", rest='[log]\nlevel = "debug"', detection=DETECTION
    )
    with running(site) as daemon:
        (site.drop / "a.jpg").write_bytes(shot(1, 0).data[:-100])
        daemon.wait_for("frame.postponed", frame="a.jpg", reason="unfinished")
        site.configure(drop="settle_s = 0.2\ngive_up_s = 0.5", detection=DETECTION)
        daemon.wait_for("frame.rejected", frame="a.jpg", reason="truncated")


def test_a_pause_ends_with_the_setting_that_made_it(site: Site) -> None:
    """When min_free is lowered the paused intake goes on at once, not at its next try."""
    free_gb = shutil.disk_usage(site.results).free // 10**9
    site.configure(detection=DETECTION, min_free=f"{free_gb + 1000}GB")
    taken = [shot(number, number % 2) for number in range(4)]
    with running(site) as daemon:
        for each in taken:
            upload(each, site.drop)
        daemon.wait_for("intake.paused")
        quiet(daemon, 8.0)  # tries after 1, 2 and 4 s more: the next is 8 s later
        site.configure(detection=DETECTION, min_free="1MB")
        (reloaded,) = daemon.wait_for("config.reloaded")
        (resumed,) = daemon.wait_for("intake.resumed")
        daemon.wait_for_verdicts(len(taken))
    delay_s = datetime.fromisoformat(resumed["timestamp"]) - datetime.fromisoformat(reloaded["timestamp"])
    assert delay_s.total_seconds() < 4
    check(site, taken, acknowledged=daemon.lines)


def test_the_log_is_as_the_config_says_now(site: Site) -> None:
    """An edit of log.level and log.format counts from the next line on."""
    drop = "settle_s = 0.2\ngive_up_s = 60"
    site.configure(drop=drop, detection=DETECTION)
    with started(site) as daemon:
        site.configure(drop=drop, detection=DETECTION, rest='[log]\nlevel = "debug"')
        daemon.wait_for("config.reloaded", changed={"log.level": {"old": "info", "new": "debug"}})
        (site.drop / "a.jpg").write_bytes(shot(1, 0).data[:-100])
        daemon.wait_for("frame.postponed", frame="a.jpg", level="debug")
        site.configure(drop=drop, detection=DETECTION, rest='[log]\nformat = "console"')
        daemon.wait_for("config.reloaded", 2)
        upload(shot(2, 0), site.drop)
        wait_until(lambda: any("frame.kept" in text for text in daemon.noise))
        assert daemon.stop() == 0
    assert daemon.verdicts() == []


# --- endurance --------------------------------------------------------------------------------------------

MANY = int(os.environ.get("FRAMEGATE_EDITS", "200"))
WARMING = 50
"""After so many edits all that an edit needs has been loaded and allocated."""
MOST_GROWTH_BYTES = 15_000_000
"""Frames leave up to 10 MB, which later ones do not; 100 kB of each of 150 edits would be as much again."""
SEEN = ("", "blur = 3", "working_height = 24", "dilate = 1", "ignore = []", "max_kept_per_hour = 90000")


@pytest.mark.slow
@pytest.mark.timeout(240 + MANY)
def test_many_hangups_and_many_edits_cost_nothing(site: Site) -> None:
    """While frames come, every edit counts once, every frame is judged once, and nothing grows."""
    site.configure(detection=DETECTION, min_free="0B")
    camera = FlatCamera(site, 3)
    with running(site) as daemon:

        def save(number: int) -> None:
            site.configure(
                drop=f"settle_s = {0.2 + number % 3}",
                detection=DETECTION.replace("50%", f"{40 + number % 19}%") + SEEN[number % len(SEEN)],
                min_free=f"{number % 2}B",
                rest=f"[camera.c{number % 5}.detection]\nmin_contour_area = '{number}px'",
            )
            daemon.process.send_signal(signal.SIGHUP)  # else it would wait until it is quiet
            daemon.wait_for("config.reloaded", number)

        camera.take()
        daemon.wait_for_verdicts(1)
        idle = descriptors(daemon.process.pid)
        with LiveCamera(camera, 4, most_shots=10 * MANY, longest_pause_s=0.01):
            for number in range(1, WARMING + 1):
                save(number)
            rss_before = rss_bytes(daemon.process.pid)
            for number in range(WARMING + 1, MANY + 1):
                save(number)
            for _ in range(MANY):
                daemon.process.send_signal(signal.SIGHUP)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("config.unchanged")
        daemon.wait_for_verdicts(len(camera.shots), within_s=120)
        grown = rss_bytes(daemon.process.pid) - rss_before
        print(f"{len(camera.shots)} frames; {grown / 1e6:+.1f} MB; {idle} descriptors")
        assert grown < MOST_GROWTH_BYTES
        wait_until(lambda: descriptors(daemon.process.pid) == idle)
    reloaded = [line["revision"] for line in daemon.lines if line["event"] == "config.reloaded"]
    assert reloaded == list(range(2, MANY + 2))
    revisions = [line["config_revision"] for line in daemon.verdicts()]
    assert revisions == sorted(revisions)
    check(site, camera.shots, acknowledged=daemon.lines)

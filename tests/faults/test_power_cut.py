"""The power is cut at random moments while the real daemon runs on a real file system.

FRAMEGATE_POWER_CUTS says how many cuts each file system has to survive, FRAMEGATE_POWER_SEED which ones.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from cameras import FlatCamera, LiveCamera, configure
from disks import after_the_cut, cut_power, loop_disk, make_image, need_root, reflink_store, skipping, tracing
from invariants import (
    acknowledged_are_there,
    check,
    has_ledger,
    ledger_is_sound,
    ledger_rows,
    visible,
    whole_and_ours,
)
from oracle import expected
from running import Line, RunningDaemon, Site, contents, started, wait_until

CUTS = int(os.environ.get("FRAMEGATE_POWER_CUTS", "5"))
SEED = int(os.environ.get("FRAMEGATE_POWER_SEED", "0")) or random.SystemRandom().getrandbits(32)

DISK_BYTES = 512 * 2**20
SHOTS_A_LIFE = 40
LONGEST_PAUSE_S = 0.012
LONGEST_MOMENT_S = 0.02

RENAME_WITHOUT_SYNC = """
import os, sys
folder = sys.argv[1]
for number in range(100_000):
    with open(f"{folder}/.{number}.tmp", "wb") as file:
        file.write(b"%d" % number * 8192)
    os.rename(f"{folder}/.{number}.tmp", f"{folder}/{number}")
    print(number, flush=True)
"""


IN_GROUPS = """
import json, sys
from pathlib import Path
from framegate.ingest.sweeping import candidates_of
from framegate.config.load import load
from framegate.keep.delivery import ResultsFolder
from framegate.keep.ledger import Ledger
from framegate.pipeline import Pipeline

def tell(event):
    print(json.dumps({"event": event.event, **event.fields}), flush=True)

settings = load(Path(sys.argv[1])).settings
for folder in (settings.results.folder, settings.state.folder):
    Path(folder).mkdir(exist_ok=True)
ledger = Ledger(Path(settings.state.folder, "ledger.sqlite3"))
pipeline = Pipeline(settings, ResultsFolder(Path(settings.results.folder)), ledger, tell)
pipeline.recover()
for number, candidate in enumerate(candidates_of(settings), 1):
    if not ledger.knows(candidate.key):
        pipeline.decide(pipeline.examine(candidate))
    if number % int(sys.argv[2]) == 0:
        pipeline.make_durable()
"""
"""Judges what lies in the drop folder, in groups of so many frames."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which images are copied at one moment."""
    with reflink_store(tmp_path_factory.mktemp("power")) as folder:
        yield folder


class Machine:
    """A daemon's machine, its power supply, and its disk, which is all that outlives a cut."""

    def __init__(self, home: Path, store: Path, kind: str, chance: random.Random) -> None:
        self._site = Site(home / "site")
        self._store, self._kind, self._chance = store, kind, chance
        self._platter = home / "platter"
        self._image, self._cut = store / f"{kind}.img", store / f"{kind}-cut.img"
        self.camera = FlatCamera(self._site, chance.getrandbits(32))
        self.acknowledged: list[Line] = []
        with skipping():
            make_image(self._image, kind, size_bytes=DISK_BYTES)

    def start_until_a_cut(self) -> None:
        """Start, and let the power go while the ledger is being made."""
        with self._powered(self._image) as site:
            ledger, moment_s = site.state / "ledger.sqlite3", self._moment_s()

            def cut_soon() -> None:
                wait_until(ledger.exists)
                Event().wait(moment_s)
                cut_power(self._image, self._cut)

            cutter = Thread(target=cut_soon)
            cutter.start()
            with started(site) as daemon:
                cutter.join()
                kill(daemon)
        self._cut.replace(self._image)

    def live_until_a_cut(self, verdicts: int | None = None, through: tuple[str, ...] = ()) -> None:
        """Run, under a camera that does not stop, until the power goes; the disk is what is left then."""
        if verdicts is None:
            verdicts = self._chance.randrange(SHOTS_A_LIFE)
        with self._powered(self._image) as site, started(site, through) as daemon:
            with LiveCamera(self.camera, self._chance.getrandbits(32), SHOTS_A_LIFE, LONGEST_PAUSE_S):
                daemon.wait_for_verdicts(verdicts)
                Event().wait(self._moment_s())
                self.acknowledged += heard(daemon)
                cut_power(self._image, self._cut)
            kill(daemon)
        self._cut.replace(self._image)

    def judge_until_a_cut(self, frames: int, at_once: int) -> None:
        """Judge a backlog in groups until the power goes."""
        self.camera.take(frames)
        told = self._store / "told"
        with self._powered(self._image) as site, told.open("w") as out:
            command = [sys.executable, "-c", IN_GROUPS, os.fspath(site.config), str(at_once)]
            with subprocess.Popen(command, stdout=out) as judging:
                wait_until(lambda: bool(told.stat().st_size))
                Event().wait(self._moment_s() * frames / at_once)
                self.acknowledged += [json.loads(line) for line in told.read_text().split("\n")[:-1]]
                cut_power(self._image, self._cut)
                judging.kill()
        self._cut.replace(self._image)

    def check_what_is_left(self, hint: str) -> None:
        """Look at the disk without changing it, and let a daemon bring its copy to the end."""
        copy = self._store / f"{self._kind}-check.img"
        cut_power(self._image, copy)
        with self._powered(copy) as site:
            assert not [*self._broken_promises(site)], hint
            self._live_to_the_end(site)
            check(site, self.camera.shots, acknowledged=self.acknowledged)
        copy.unlink()

    def _broken_promises(self, site: Site) -> Iterator[str]:
        results = visible(site.results)
        yield from whole_and_ours(results, self.camera.shots, {})
        yield from acknowledged_are_there(results, self.acknowledged, self.camera.shots)
        rows = []
        if has_ledger(site):
            yield from ledger_is_sound(site)
            rows = ledger_rows(site)
        kept = {taken.name for taken in expected(self.camera.shots)}
        verdicts = [(s.name, "kept" if s.name in kept else "dropped") for s in self.camera.shots]
        if [(row.name, row.verdict) for row in rows] != verdicts[: len(rows)]:
            yield "the ledger is not the beginning of what had to be decided"
        known = {row.name for row in rows if row.verdict == "kept"}
        yield from (
            f"{frame} was acknowledged and is not known" for frame in kept_by(self.acknowledged) - known
        )
        promised = {row.result for row in rows if row.result is not None}
        yield from (f"{name} is said to be delivered and is not there" for name in promised - results.keys())

    def _live_to_the_end(self, site: Site) -> None:
        (last,) = self.camera.take()
        with started(site) as daemon:
            is_kept = last.name in self.camera.expected()
            daemon.wait_for("frame.kept" if is_kept else "frame.dropped", frame=last.name)
            assert daemon.stop() == 0

    def _moment_s(self) -> float:
        return self._chance.uniform(0, LONGEST_MOMENT_S)

    @contextmanager
    def _powered(self, image: Path) -> Iterator[Site]:
        with after_the_cut(image, self._platter, self._kind) as disk:
            self._site.results, self._site.state = disk / "results", disk / "state"
            configure(self._site)
            yield self._site


def heard(daemon: RunningDaemon) -> list[Line]:
    """Return every line that the daemon's log has by now."""
    daemon.drain()
    return daemon.lines


def kill(daemon: RunningDaemon) -> None:
    """End a machine's processes, so that its disk can be taken out."""
    daemon.process.kill()
    daemon.process.wait()


def kept_by(lines: list[Line]) -> set[str]:
    return {line["frame"] for line in lines if line["event"] == "frame.kept"}


@pytest.mark.slow
@pytest.mark.timeout(60 + 30 * CUTS)
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_power_cut_loses_nothing_that_was_reported(kind: str, store: Path, tmp_path: Path) -> None:
    """Cut and cut again: what was logged as kept is there, nothing is half there, and the end is the same."""
    need_root(f"mkfs.{kind}")
    machine = Machine(tmp_path, store, kind, random.Random(f"{SEED} {kind}"))
    machine.start_until_a_cut()
    machine.check_what_is_left(f"{kind}, cut 0 of FRAMEGATE_POWER_SEED={SEED}")
    for number in range(1, CUTS + 1):
        machine.live_until_a_cut()
        machine.check_what_is_left(f"{kind}, cut {number} of FRAMEGATE_POWER_SEED={SEED}")
    assert kept_by(machine.acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(60 + 30 * CUTS)
def test_a_power_cut_loses_nothing_of_a_group(store: Path, tmp_path: Path) -> None:
    """Frames that wait for the disk together are told when all of them are safe, and found again if not."""
    need_root("mkfs.ext4")
    machine = Machine(tmp_path, store, "ext4", random.Random(SEED))
    for number in range(1, CUTS + 1):
        at_once = 5 if number % 2 else 2
        machine.judge_until_a_cut(SHOTS_A_LIFE, at_once)
        machine.check_what_is_left(f"groups of {at_once}, cut {number} of FRAMEGATE_POWER_SEED={SEED}")
    assert kept_by(machine.acknowledged)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_a_daemon_that_does_not_sync_is_caught(call: str, store: Path, tmp_path: Path) -> None:
    """The test of the test: with fsync, or the ledger's fdatasync, doing nothing, loss is found."""
    need_root("mkfs.ext4", "strace")
    machine = Machine(tmp_path, store, "ext4", random.Random(SEED))
    machine.live_until_a_cut(SHOTS_A_LIFE // 2, through=tracing(call, f"{call}:retval=0"))
    with pytest.raises(AssertionError, match="not synced"):
        machine.check_what_is_left("not synced")


@pytest.mark.slow
def test_the_power_cut_can_be_felt(store: Path, tmp_path: Path) -> None:
    """The test of the test: a publisher that renames without fsync loses at the cut what it reported."""
    image, copy = store / "careless.img", store / "careless-cut.img"
    with loop_disk(tmp_path / "platter", image, "ext4") as disk:
        command = [sys.executable, "-c", RENAME_WITHOUT_SYNC, os.fspath(disk)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as careless:
            assert careless.stdout is not None
            reported = [int(careless.stdout.readline()) for _ in range(200)]
            cut_power(image, copy)
            careless.kill()
    with after_the_cut(copy, tmp_path / "platter", "ext4") as disk:
        left = contents(disk)
    assert [n for n in reported if left.get(str(n)) != b"%d" % n * 8192]

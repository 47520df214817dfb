"""``kill -9`` on the daemon, at random moments and at every step of a delivery: it must not matter."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any

import pytest

from framegate.keep.disk import Step
from invariants import bounded, check, ledger_rows
from oracle import CAMERAS, DETECTION, GREYS, Shot, shot, upload
from running import VERDICTS, WITHIN_S, Line, Site, wait_until

SERVER = Path(__file__).with_name("kill_server.py")

KILLS = int(os.environ.get("FRAMEGATE_KILLS", "160"))
"""Set it higher for a longer run; there are about five in a second."""

KILLS_A_WAY = -(-KILLS // 2)
KILL_SEED = os.environ.get("FRAMEGATE_KILL_SEED")
"""A seed that a run has printed: the same frames and moments, though not the same interleaving."""

LONGEST_LIFE_S = 0.3
SETTLED_LIVES = 0.7
"""Share of the lives that are killed after they have begun; the others may end before."""

MOST_FRUITLESS_LIVES = 2
SLOW_STEP_S, SLOW_LIVES = 0.002, 0.9
"""How long each step of a delivery takes beside its work, and in what share of the lives."""

SETTLE_S = 0.05

UNDECIDED = 24
"""Frames that the camera lets lie in the folder: more than one life can judge."""

UPLOAD_INTERVAL_S = (0.001, 0.02)
SIZES_BYTES = (600, 60_000)
NO_PICTURES = 0.03
"""Share of files that are no pictures."""

PORTRAITS = 0.3
"""Share of frames of another picture size: each size of a camera has a reference of its own."""

MOST_DESCRIPTORS = 40
MOST_RSS_BYTES = 400_000_000

WAYS = pytest.mark.parametrize("is_named", [False, True], ids=["unnamed", "named"])
"""A file system either has O_TMPFILE, or new files have a temporary name."""


class Life:
    """One life of the daemon: from a fork to its end."""

    def __init__(self, answers: "Queue[str]", log: Path) -> None:
        self.pid = int(answers.get(timeout=WITHIN_S))
        self.log = log
        self._answers = answers
        self._code: int | None = None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        with suppress(ProcessLookupError):  # it has died by itself
            os.kill(self.pid, signal.SIGTERM)

    def has_ended(self) -> bool:
        if self._code is None:
            try:
                self._code = int(self._answers.get_nowait())
            except Empty:
                return False
        return True

    def end(self) -> int:
        """Wait for the end; return the code, or minus the number of the signal."""
        if self._code is None:
            self._code = int(self._answers.get(timeout=WITHIN_S))
        return self._code

    def lines(self) -> list[Line]:
        """Return the lines that are whole; a kill may tear the last one."""
        text = self.log.read_text("utf-8") if self.log.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def has_begun(self) -> bool:
        return bool(self.lines())

    def verdicts(self) -> list[Line]:
        return [line for line in self.lines() if line["event"] in VERDICTS]


class Nursery:
    """Starts one daemon after another over a site, in a process that has everything loaded."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._answers: Queue[str] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._lives = 0
        self.life: Life | None = None

    def bear(self, site: Site, **hurdles: object) -> Life:
        """Start the daemon; see ``kill_server.Hurdles``."""
        self.clear()
        self._lives += 1
        log = site.home / f"life_{self._lives:04d}.log"
        order = {"config": os.fspath(site.config), "log": os.fspath(log), **hurdles}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self.life = Life(self._answers, log)
        return self.life

    def clear(self) -> None:
        """End the life that a failed test has left, if one has."""
        if self.life is not None and not self.life.has_ended():
            self.life.kill()
            self.life.end()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for answer in self._process.stdout:
            self._answers.put(answer)


@contextmanager
def opened_nursery() -> Iterator[Nursery]:
    """Open a nursery; when this ends, nothing of it runs any more."""
    command = [sys.executable, os.fspath(SERVER)]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # else numpy starts threads, before the fork
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone) as p:
        nursery = Nursery(p)
        try:
            yield nursery
        finally:
            nursery.clear()
            p.kill()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with opened_nursery() as nursery:
        yield nursery


@dataclass
class Toll:
    """What the killed lives have said and left."""

    lines: list[Line] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)
    fruitful: int = 0
    """Lives that brought a verdict on a frame that had none."""

    recovered: int = 0
    """Kept frames that were intended in one life and announced by a later one."""

    again: int = 0
    """Verdicts that were given in an earlier life already."""

    def is_fruitful(self, life: Life) -> bool:
        return any(line["frame"] not in self.decided for line in life.verdicts())

    def add(self, life: Life) -> None:
        """Take in the log of a life that has ended."""
        self.fruitful += self.is_fruitful(life)
        names = {line["frame"] for line in life.verdicts()}
        self.again += len(names & self.decided)
        self.recovered += sum(was_recovered(line) for line in life.verdicts())
        self.lines += life.lines()
        self.decided |= names


def was_recovered(line: Line) -> bool:
    """Tell whether a frame was compared in one life and announced in another: its regions are not known."""
    return line["reason"] == "changed" and "regions" not in line


class Cameras(Thread):
    """Two cameras that go on uploading, whatever becomes of the daemon."""

    def __init__(self, site: Site, chance: random.Random, toll: Toll) -> None:
        super().__init__(daemon=True)
        self._site = site
        self._chance = chance
        self._toll = toll
        self._off = Event()
        self.shots: list[Shot] = []

    def run(self) -> None:
        while not self._off.wait(self._chance.uniform(*UPLOAD_INTERVAL_S)):
            if len(self.shots) - len(self._toll.decided) < UNDECIDED:
                self.upload_one()

    def upload_one(self) -> None:
        camera = self._chance.choice(["c1", "c2"])
        scene = None if self._chance.random() < NO_PICTURES else self._chance.randrange(len(GREYS))
        size_bytes = self._chance.randint(*SIZES_BYTES)
        portrait = self._chance.random() < PORTRAITS
        taken = shot(
            len(self.shots), scene, camera=camera, folder=camera, size_bytes=size_bytes, is_portrait=portrait
        )
        self.shots.append(taken)
        upload(taken, self._site.drop)

    def turn_off(self) -> None:
        self._off.set()
        self.join(WITHIN_S)
        assert not self.is_alive()


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS)
@WAYS
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(
    site: Site, nursery: Nursery, *, is_named: bool
) -> None:
    """Hundreds of kills at random moments change no result, lose nothing acknowledged, and leave no trace."""
    seed = int(KILL_SEED) if KILL_SEED else random.SystemRandom().randrange(10**6)
    print(f"FRAMEGATE_KILL_SEED={seed}")
    chance, toll = random.Random(seed), Toll()
    site.configure(drop=f"settle_s = {SETTLE_S}\n{CAMERAS}", detection=DETECTION)
    cameras = Cameras(site, random.Random(seed + 1), toll)
    for _ in range(UNDECIDED):
        cameras.upload_one()
    cameras.start()
    kill_again_and_again(site, nursery, chance, toll, is_named=is_named)
    cameras.turn_off()
    print(
        f"{KILLS_A_WAY} kills, {len(cameras.shots)} frames; {toll.fruitful} lives brought verdicts,"
        f" {toll.recovered} frames were recovered, {toll.again} verdicts given again"
    )
    assert toll.fruitful >= KILLS_A_WAY / 4
    assert toll.recovered >= KILLS_A_WAY / 8

    check_in_the_end(site, nursery, cameras.shots, toll, is_named=is_named)


def kill_again_and_again(
    site: Site, nursery: Nursery, chance: random.Random, toll: Toll, *, is_named: bool
) -> None:
    """Kill at a random time after the fork, or after the first line of the log.

    On a busy machine, while a group waits for its verdicts, or a frame is under suspicion, a life of a third
    of a second may come to nothing. After some such lives one is let live until it has decided something, so
    that kills hit something new.
    """
    fruitless = 0
    for _ in range(KILLS_A_WAY):
        pause_s = SLOW_STEP_S if chance.random() < SLOW_LIVES else 0
        life = nursery.bear(site, is_named=is_named, pause_s=pause_s)
        if fruitless >= MOST_FRUITLESS_LIVES:
            wait_until(partial(toll.is_fruitful, life))
        elif chance.random() < SETTLED_LIVES:
            wait_until(life.has_begun)
        Event().wait(chance.uniform(0, LONGEST_LIFE_S))
        life.kill()
        assert life.end() == -signal.SIGKILL, life.log.read_text("utf-8")
        fruitless = 0 if toll.is_fruitful(life) else fruitless + 1
        toll.add(life)


def wait_for_all(site: Site, life: Life, shots: list[Shot]) -> None:
    """Wait until a life has decided all that is left, or has ended."""
    try:
        wait_until(lambda: life.has_ended() or not undecided(site, life, shots))
    except AssertionError:
        left, last = undecided(site, life, shots), life.lines()[-3:]
        raise AssertionError(f"it does not decide {left}; the log ends {last}") from None


def undecided(site: Site, life: Life, shots: list[Shot]) -> list[str]:
    """Return the frames that are neither at rest in the ledger nor have their verdict in this life."""
    decided = {line["frame"] for line in life.verdicts()}
    left = [taken.name for taken in shots if taken.name not in decided]
    if not left or not life.lines():
        return left
    at_rest = {row.name for row in ledger_rows(site) if row.verdict != "kept" or row.result is not None}
    return [name for name in left if name not in at_rest]


def check_in_the_end(site: Site, nursery: Nursery, shots: list[Shot], toll: Toll, **told: Any) -> None:
    """Let a last life, that nothing disturbs, decide all that is left; then check everything."""
    life = nursery.bear(site, is_named=told.pop("is_named"))
    wait_for_all(site, life, shots)
    assert not list(bounded(life.pid, MOST_DESCRIPTORS, MOST_RSS_BYTES))
    life.stop()
    assert life.end() == 0
    toll.add(life)
    check(site, shots, acknowledged=toll.lines, **told)


BACKLOG = [
    shot(number, scene, camera=camera, folder=camera)
    for number, (camera, scene) in enumerate(
        [
            ("c1", 0), ("c2", 3), ("c3", 1), ("c1", 0), ("c3", 2), ("c2", 1), ("c1", 1), ("c3", None),
            ("c2", 1), ("c4", 3), ("c4", 0), ("c1", 1), ("c2", 2), ("c3", 2), ("c4", 0), ("c1", 3),
            ("c2", 0), ("c4", None), ("c3", 3), ("c1", 3), ("c4", 1), ("c2", 0), ("c3", 0), ("c1", 2),
        ]
    )
]  # fmt: skip
DELIVERED, OCCUPIED = (BACKLOG[2], BACKLOG[9]), BACKLOG[4]
FOREIGN = {taken.name: taken.data for taken in DELIVERED} | {OCCUPIED.name: b"was here before it"}
"""What stands in the results before: two frames as they are, and something else at the name of a third."""

FAILING_SYNCS = range(3, 40, 2)
"""Which syncs of a folder fail: two are about folders that were there, and every other one lets a folder be
made whose copies are synced next. A busy machine may end the first group after its first frame."""

DEATHS = (1, 2, 1)
"""At which reach of the step the lives end: the first, a later one, and again the first."""


WHILE_NAMED = [
    Step.OPEN_TEMP, Step.WRITE, Step.STAMP, Step.SYNC_FILE, Step.PUBLISH, Step.REMOVE_TEMP,
    Step.SYNC_FOLDER, Step.TAKE_BACK,
]  # fmt: skip
"""Where a temporary name may stand, or has just gone; at the other steps nothing shows which way it is."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "is_named"),
    [*((step, False) for step in Step), *((step, True) for step in WHILE_NAMED)],
    ids=lambda value: value if isinstance(value, Step) else ("named" if value else "unnamed"),
)
def test_killed_at_a_step_it_ends_as_if_it_had_not_been(
    site: Site, nursery: Nursery, step: Step, *, is_named: bool
) -> None:
    """A kill exactly at a step, and again at that step of the recovery, changes no result."""
    site.configure(drop=f"settle_s = {SETTLE_S}\n{CAMERAS}", detection=DETECTION)
    for name, data in FOREIGN.items():
        (site.results / name).parent.mkdir(exist_ok=True)
        (site.results / name).write_bytes(data)
    for taken in BACKLOG:
        upload(taken, site.drop)

    hurdles: dict[str, Any] = {"is_named": is_named, "die_at": step}
    deaths: tuple[int, ...] = DEATHS
    toll = Toll()
    if step is Step.TAKE_BACK:  # nothing leads to it but a failure, of which the second is hard to come by
        hurdles |= {"fail_at": Step.SYNC_FOLDER, "failures": [*FAILING_SYNCS]}
        deaths = (1,)
    for nth in deaths:
        life = nursery.bear(site, nth=nth, **hurdles)
        wait_for_all(site, life, BACKLOG)
        life.stop()  # unless it has died by now; FLUSH comes with the end
        assert life.end() == -signal.SIGKILL, f"no life comes to {step}, {nth} times"
        toll.add(life)
    check_in_the_end(site, nursery, BACKLOG, toll, foreign=FOREIGN, is_named=is_named)

"""The checker is checked: what a real daemon left is broken in every way, and each time it must say so."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framegate.events.watch import DropBack
from invariants import check, every_version_has_its_row, judged, ledger_rows, lines_of
from oracle import CAMERAS, DETECTION, GREYS, Shot, expected, scene_jpeg, shot, upload
from running import Line, Site, running, wait_until

SHOTS = [
    shot(number, scene, camera=camera, folder=camera)
    for number, (camera, scene) in enumerate(
        [("c1", 0), ("c2", 3), ("c1", 0), ("c1", 1), ("c2", None), ("c2", 3), ("c1", 0), ("c2", 2)]
    )
]
FIRST, SECOND, DROPPED, THIRD = SHOTS[0], SHOTS[3], SHOTS[2], SHOTS[6]
"""Of camera c1, in this order: kept, kept, and between them dropped; then kept."""

OCCUPIED = SHOTS[1]
FOREIGN = {OCCUPIED.name: b"was here before"}
"""The test itself has put a file at the name of a frame that will be kept."""


@dataclass
class Case:
    """A site that a daemon has left, and what the test says about it."""

    site: Site
    lines: list[Line]
    shots: list[Shot] = field(default_factory=lambda: list(SHOTS))
    told: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        check(self.site, self.shots, **{"foreign": dict(FOREIGN), "acknowledged": self.lines} | self.told)

    @property
    def first(self) -> Path:
        """Where the first kept frame stands."""
        return self.site.results / FIRST.name

    def change(self, statement: str, *values: object) -> None:
        """Change the ledger."""
        with closing(sqlite3.connect(self.site.state / "ledger.sqlite3")) as ledger, ledger:
            assert ledger.execute(statement, values).rowcount

    def line_of(self, taken: Shot) -> Line:
        """Return the line that acknowledged a frame."""
        (line,) = (line for line in self.lines if line.get("frame") == taken.name)
        return line


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """What a real daemon has left of ``SHOTS``."""
    site = Site(tmp_path_factory.mktemp("left") / "site")
    site.configure(drop=f"settle_s = 0.05\n{CAMERAS}", detection=DETECTION)
    for name, data in FOREIGN.items():
        (site.results / name).parent.mkdir()
        (site.results / name).write_bytes(data)
    for taken in SHOTS:
        upload(taken, site.drop)
    with running(site) as daemon:
        daemon.wait_for_verdicts(len(SHOTS))
    return Case(site, daemon.lines)


@pytest.fixture
def case(left_behind: Case, tmp_path: Path) -> Case:
    """The same, to be broken."""
    shutil.copytree(left_behind.site.home, tmp_path / "site")
    return Case(Site(tmp_path / "site"), [dict(line) for line in left_behind.lines])


def test_a_daemon_that_nothing_disturbed_passes(case: Case) -> None:
    """What an undisturbed daemon leaves contradicts no invariant."""
    case.check()


def moved(case: Case) -> None:
    case.first.rename(case.first.with_name("other.jpg"))


def swapped(case: Case) -> None:
    (one,) = (row.id for row in ledger_rows(case.site) if row.name == FIRST.name)
    (two,) = (row.id for row in ledger_rows(case.site) if row.name == SECOND.name)
    for before, after in ((one, -1), (two, one), (-1, two)):
        case.change("UPDATE frame SET id = ? WHERE id = ?", after, before)


def overwritten(case: Case) -> None:
    path = case.site.drop / FIRST.name
    path.write_bytes(DROPPED.data)
    os.utime(path, ns=(FIRST.mtime_ns, FIRST.mtime_ns))


def acknowledged_unknown(case: Case) -> None:
    case.lines.append(case.line_of(FIRST) | {"frame": "c1/never.jpg"})


def acknowledged_elsewhere(case: Case) -> None:
    case.line_of(FIRST)["result"] = SECOND.name


def acknowledged_twice(case: Case) -> None:
    case.lines.append(case.line_of(FIRST) | {"result": SECOND.name})


def dropped_then_kept(case: Case) -> None:
    case.lines.append(case.line_of(DROPPED) | {"event": "frame.kept", "result": FIRST.name})


def never_taken(case: Case) -> None:
    case.shots.remove(DROPPED)
    (case.site.drop / DROPPED.name).unlink()


def unjudged(case: Case) -> None:
    late = shot(99, FIRST.scene, camera="c1", folder="c1")
    upload(late, case.site.drop)
    case.told["inputs"] = [*SHOTS, late]


def damaged(case: Case) -> None:
    with (case.site.state / "ledger.sqlite3").open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(4096))


def no_database(case: Case) -> None:
    (case.site.state / "ledger.sqlite3").write_bytes(b"no database at all " * 400)


def set_row(assignment: str, taken: Shot, *values: object) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        case.change(f"UPDATE frame SET {assignment} WHERE name = ?", *values, os.fsencode(taken.name))

    return change


def copied_to(name: str, data: bytes) -> Callable[[Case], None]:
    def put(case: Case) -> None:
        (case.site.results / name).write_bytes(data)

    return put


BREAKS: dict[str, tuple[str, Callable[[Case], Any]]] = {
    "lost": ("I1: c1/c1_000000.jpg is not in the results", lambda case: case.first.unlink()),
    "twice": ("I1: .* stands in the results 1 times too often", copied_to("c1/again.jpg", FIRST.data)),
    "too much": ("I1: .* stands in the results 1 times too often", copied_to("c1/more.jpg", DROPPED.data)),
    "misnamed": ("I1: at the name c1/c1_000000.jpg is not that frame", moved),
    "out of order": ("I1: camera c1, kept frame 1 should be c1/c1_000000.jpg", swapped),
    "not kept": (
        "I1: camera c1, 3 frames should be kept, but 2 are",
        set_row("verdict = 'dropped', reason = 'unchanged'", THIRD),
    ),
    "other sum": (
        "I1: camera c1, kept frame 1 .* with other bytes",
        set_row("sha256 = ?", FIRST, sha256(b"").digest()),
    ),
    "partial": ("I2: c1/c1_000000.jpg has only the first bytes", lambda case: os.truncate(case.first, 1000)),
    "empty": ("I2: c1/c1_000000.jpg has the bytes of no frame", lambda case: os.truncate(case.first, 0)),
    "foreign": ("I2: c1/new.jpg has the bytes of no frame", copied_to("c1/new.jpg", b"whatever")),
    "over it": ("I2: c2/.*, which was there before, was changed", copied_to(OCCUPIED.name, OCCUPIED.data)),
    "gone": (
        "I2: c2/.*, which was there before, is gone",
        lambda case: (case.site.results / OCCUPIED.name).unlink(),
    ),
    "acknowledged and lost": ("I3: c1/c1_000000.jpg was acknowledged as .*not there", moved),
    "acknowledged, unknown": ("I3: c1/never.jpg was acknowledged, but nobody took", acknowledged_unknown),
    "acknowledged as another": ("I3: c1/c1_000000.jpg .* which has other bytes", acknowledged_elsewhere),
    "acknowledged twice": ("I3: c1/c1_000000.jpg was .*, and later", acknowledged_twice),
    "changed its mind": ("I3: c1/c1_000002.jpg was .*frame.dropped.*, and later", dropped_then_kept),
    "input deleted": (
        "I4: c1/c1_000002.jpg is gone from the drop folder",
        lambda case: (case.site.drop / DROPPED.name).unlink(),
    ),
    "input added": (
        "I4: c1/.more has come into the drop folder",
        lambda case: (case.site.drop / "c1/.more").touch(),
    ),
    "input overwritten": ("I4: c1/c1_000000.jpg in the drop folder has other bytes", overwritten),
    "input touched": (
        "I4: c1/c1_000000.jpg in the drop folder has another mtime",
        lambda case: os.utime(case.site.drop / FIRST.name),
    ),
    "unjudged": ("I5: .*c1_000099.* has no verdict", unjudged),
    "row lost": (
        "I5: .*c1_000002.* has no verdict",
        lambda case: case.change("DELETE FROM frame WHERE name = ?", os.fsencode(DROPPED.name)),
    ),
    "row too much": ("I5: .*c1_000002.* has a verdict, but nobody took", never_taken),
    "no reason": (
        "I5: .*000002.jpg is 'dropped' for the reason 'first'",
        set_row("reason = 'first'", DROPPED),
    ),
    "wrong verdict": (
        "I5: .*000004.jpg is dropped .unchanged., but should be rejected",
        set_row("verdict = 'dropped', reason = 'unchanged'", SHOTS[4]),
    ),
    "still intended": ("I5: .*000000.jpg was to be kept, and is not noted", set_row("result = NULL", FIRST)),
    "noted elsewhere": (
        "I5: .*000000.jpg is noted as delivered to .*, which is not there",
        set_row("result = ?", FIRST, b"c1/elsewhere.jpg"),
    ),
    "noted as another": (
        "I5: .*000000.jpg is noted as delivered to .*, which has other bytes",
        set_row("result = ?", FIRST, os.fsencode(SECOND.name)),
    ),
    "damaged": ("I5: the ledger is damaged", damaged),
    "no ledger": ("I5: the ledger is damaged", no_database),
    "temporary": (
        r"I6: .*\.framegate-1f\.tmp is left",
        lambda case: (case.site.results / "c1" / ".framegate-1f.tmp").touch(),
    ),
    "temporary state": (
        r"I6: .*\.framegate-1f\.tmp is left",
        lambda case: (case.site.state / ".framegate-1f.tmp").touch(),
    ),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_whatever_is_broken_is_found(case: Case, broken: str) -> None:
    """Each way to break a site makes the checker fail, with the sentence that names it."""
    sentence, break_it = BREAKS[broken]
    break_it(case)
    with pytest.raises(AssertionError, match=sentence):
        case.check()


def test_a_version_with_two_verdicts_is_found(case: Case) -> None:
    """Were the ledger's own constraint not there, two rows of one version would be found."""
    rows = ledger_rows(case.site)
    found = list(every_version_has_its_row([*rows, rows[2]], SHOTS, SHOTS))
    assert len(found) == 1
    assert "has 2 verdicts" in found[0]


@pytest.mark.parametrize("broken", ["row lost", "still intended"])
def test_a_running_daemon_may_owe_rows(case: Case, broken: str) -> None:
    """Rows that are written lazily may be missing, as long as the daemon is not said to be at rest."""
    BREAKS[broken][1](case)
    case.told["at_rest"] = False
    case.check()


@contextmanager
def process(code: str) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        yield child


WAITS = "import sys; sys.stdin.read(); sys.exit(3)"


def test_a_process_that_lives_within_its_bounds_passes(case: Case) -> None:
    """A living process with few files and little memory contradicts nothing; nor one that ended as told."""
    with process(WAITS) as child:
        case.told = {"process": child, "most_descriptors": 50, "most_rss_bytes": 10**9}
        case.check()
        case.told["process"] = child.pid
        case.check()
        assert child.stdin is not None
        child.stdin.close()
        case.told = {"process": child, "ended_with": 3}
        case.check()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"most_descriptors": 1}, "I8: the daemon has .* files open, more than 1"),
        ({"most_rss_bytes": 10**6}, "I8: the daemon has .* MB resident, more than 1 MB"),
    ],
)
def test_a_process_beyond_its_bounds_is_found(case: Case, told: dict[str, int], sentence: str) -> None:
    """Too many open files, or too much memory, makes the checker fail."""
    case.told = {"process": os.getpid(), **told}
    with pytest.raises(AssertionError, match=sentence):
        case.check()


def test_a_process_that_has_ended_is_found(case: Case) -> None:
    """A process that has ended, waited for or not, is not alive; and its code has to be the one told."""
    with process("import sys; sys.exit(3)") as child:
        wait_until(lambda: "State:\tZ" in Path(f"/proc/{child.pid}/status").read_text("ascii"))
        for told, sentence in (
            ({"process": child.pid}, "I7: the daemon has ended"),
            ({"process": child, "ended_with": 0}, "I7: the daemon has ended with 3, not with 0"),
            ({"process": child}, "I7: the daemon has ended .code 3"),
        ):
            case.told = told
            with pytest.raises(AssertionError, match=sentence):
                case.check()


def test_a_thread_that_has_ended_is_found(case: Case) -> None:
    """A daemon in a thread is alive as long as the thread is."""
    off = threading.Event()
    thread = threading.Thread(target=off.wait)
    thread.start()
    case.told = {"process": thread}
    case.check()
    off.set()
    thread.join()
    with pytest.raises(AssertionError, match="I7"):
        case.check()


def test_the_caller_may_know_better(case: Case) -> None:
    """A test that overwrites or deletes frames says itself what was kept, and what stands there now."""
    gone = SHOTS[0]
    (case.site.drop / gone.name).unlink()
    case.told = {"inputs": SHOTS[1:], "kept": expected(SHOTS)}
    case.check()
    later = replace(gone, mtime_ns=gone.mtime_ns + 1)
    assert judged(case.site, [gone, later]) == [gone]


def test_events_are_read_as_lines() -> None:
    """The events of a daemon in the same process count as its log lines."""
    assert lines_of([DropBack("x", "poll")]) == [{"event": "drop.back", "folder": "x", "watch": "poll"}]


def test_the_oracle_keeps_the_first_and_what_differs() -> None:
    """By hand: camera for camera, the first picture and each of another scene, in order of time then name."""
    shots = [
        shot(5, 1, camera="c1"),  # the same scene as 3: dropped
        shot(1, 0, camera="c1"),
        shot(2, 0, camera="c2"),
        shot(3, 1, camera="c1"),
        shot(4, None, camera="c1"),
        shot(6, 0, camera="c1"),  # a scene that was there before, but not last
        shot(7, 0, camera="c2"),
    ]
    assert [taken.name for taken in expected(shots)] == [
        "c1_000001.jpg",
        "c2_000002.jpg",
        "c1_000003.jpg",
        "c1_000006.jpg",
    ]
    twins = [replace(shot(1, scene), name=name, mtime_ns=7) for scene, name in ((1, "b"), (0, "a"), (1, "c"))]
    assert [taken.name for taken in expected(twins)] == ["a", "b"]


@pytest.mark.parametrize("size_bytes", [600, 4_000, 65_536, 66_000, 200_000])
def test_a_scene_has_its_size_and_bytes_of_its_own(size_bytes: int) -> None:
    """A drawn frame is as long as asked for, unlike every other, and decodes to its one grey."""
    one, other = scene_jpeg(1, 1, size_bytes), scene_jpeg(1, 2, size_bytes)
    assert len(one) == len(other) == size_bytes
    assert one != other
    picture = cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert abs(picture.astype(int) - GREYS[1]).max() <= 1


def test_scenes_are_far_apart() -> None:
    """Any two scenes differ by much more than the threshold of a pixel."""
    assert min(b - a for a, b in pairwise(GREYS)) >= 60

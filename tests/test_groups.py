"""Frames that become durable together: what they become is what they become one by one."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest

from bench import Bench, lay
from framegate import keeping
from framegate.cameras import cameras
from framegate.config.load import load
from framegate.errors import SinkError
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk, Step, TidyStep
from framegate.keep.ledger import Ledger
from framegate.keeping import Judgement, Keeping
from framegate.model import Decision, EncodedFrame, Entry, FileKey, Reason
from invariants import ledger_rows
from running import Site, contents, wait_until
from stepping import FaultyDisk

CAMERAS = "camera_pattern = '^(?P<camera>c[0-9]+)'"
AREAS = 'min_contour_area = "20px"\nscore_threshold = "1%"'
EDITED_AT = 9

SIZES = [2, 5, 100]
"""Frames of a group; the last is more than there are."""


def everything(site: Site, box: Bench) -> tuple[object, ...]:
    """Return all that was told, recorded and delivered, in its order, but for the times of day."""
    told = [(event.event, event.fields.get("frame")) for event in box.events]
    rows = [(row.id, row.name, row.verdict, row.reason, row.sha256, row.result) for row in ledger_rows(site)]
    memories = [box.ledger.memory_of(f"c{number}") for number in range(2)]
    return told, box.numbers(), rows, site.kept_bytes(), memories


def begin_anew(site: Site) -> None:
    """Forget all that was delivered and recorded."""
    for folder in (site.state, site.results):
        for file in folder.iterdir():
            file.unlink()


@pytest.mark.parametrize("budget_bytes", [10**9, 1], ids=["in-memory", "put-away"])
@pytest.mark.parametrize("size", SIZES)
def test_frames_in_groups_become_what_they_become_one_by_one(
    site: Site,
    bench: Callable[..., Bench],
    morning: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    budget_bytes: int,
) -> None:
    """Groups of any size: the same verdicts, lines, rows, results and memories, in the same order."""
    monkeypatch.setattr(cameras, "budget_bytes", lambda: budget_bytes)
    lay(site, morning, cameras=2)
    one_by_one = bench()
    one_by_one.judge_all()
    expected = everything(site, one_by_one)
    begin_anew(site)
    in_groups = bench()
    in_groups.judge_all(at_once=size)
    assert everything(site, in_groups) == expected


@pytest.mark.parametrize(
    "edit", ["max_kept_per_hour = 2", f'preset = "classic"\n{AREAS}', 'keep_every = "1m"']
)
def test_an_edit_while_frames_are_held_changes_no_verdict(
    site: Site, bench: Callable[..., Bench], morning: list[bytes], edit: str
) -> None:
    """What is held counts for the settings that come next as if it were recorded already."""
    lay(site, morning, cameras=2)
    outcomes = []
    for at_once in (1, 100):
        site.configure(drop=CAMERAS)
        box = bench()
        for number, candidate in enumerate(box.candidates(), 1):
            if number == EDITED_AT:
                site.configure(drop=CAMERAS, detection=edit)
                box.pipeline.retune(load(site.config).settings)
            box.decide(candidate)
            if number % at_once == 0:
                box.pipeline.make_durable()
        box.pipeline.make_durable()
        box.pipeline.flush()
        outcomes.append(everything(site, box))
        box.ledger.close()
        begin_anew(site)
    assert outcomes[0] == outcomes[1]


def test_nothing_of_a_group_is_told_or_delivered_before_all_of_it_is_to_be(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """While a kept frame is held, those decided after it wait with it: verdicts are told in order."""
    lay(site, morning[:4])
    box = bench()
    for candidate in box.candidates():
        assert isinstance(box.decide(candidate), Decision)
    assert not box.events
    assert not site.kept_bytes()
    assert not ledger_rows(site)
    box.pipeline.make_durable()
    box.pipeline.flush()
    assert [e.entry.reason for e in box.decided] == [
        Reason.FIRST, Reason.UNCHANGED, Reason.UNCHANGED, Reason.CHANGED,
    ]  # fmt: skip


def test_what_is_dropped_is_told_at_once_where_nothing_is_held(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """A frame that needs no copy waits for no group."""
    lay(site, morning[:2])
    box = bench()
    first, second = box.candidates()
    box.judge(first)
    box.decide(second)
    assert [e.entry.reason for e in box.decided] == [Reason.FIRST, Reason.UNCHANGED]


def touch(path: Path) -> Path:
    os.utime(path, ns=(1, 1))
    return path


def move(path: Path) -> Path:
    return path.rename(path.with_name("c0_9999.jpg"))


@pytest.mark.parametrize("change", [touch, move])
def test_a_file_that_changes_while_its_frame_is_held_is_recognised(
    site: Site, bench: Callable[..., Bench], morning: list[bytes], change: Callable[[Path], Path]
) -> None:
    """Touched or moved before its frame is durable, a file is no new frame, and its row says where it is."""
    lay(site, morning[:1])
    box = bench()
    (candidate,) = box.candidates()
    box.decide(candidate)
    path = change(site.drop / candidate.key.name)
    (again,) = box.candidates()
    assert box.decide(again) is None
    box.pipeline.flush()
    assert [(row.name, row.result) for row in ledger_rows(site)] == [(path.name, candidate.key.name)]
    assert contents(site.results) == {candidate.key.name: morning[0]}


def test_a_want_of_memory_in_a_thread_is_a_pause(
    site: Site, bench: Callable[..., Bench], morning: list[bytes], disk: FaultyDisk
) -> None:
    """A copy for which there is no memory holds its group, and nothing is decided anew."""
    lay(site, morning[:4])
    disk.fail(Step.WRITE, MemoryError)
    box = bench(disk)
    for candidate in box.candidates():
        box.decide(candidate)
    with pytest.raises(SinkError, match="out of memory"):
        box.pipeline.make_durable()
    assert not box.events
    box.pipeline.make_durable()
    assert len(box.decided) == 4
    assert len(site.kept_bytes()) == 2


def test_what_is_rejected_is_told_once_though_its_group_had_to_wait(
    site: Site, bench: Callable[..., Bench], morning: list[bytes], disk: FaultyDisk
) -> None:
    """A caller that offers all of a group again after an error gets no second verdict on any of it."""
    lay(site, [morning[0], b"", morning[0][:99], b"no picture"])
    disk.fail(Step.INTEND, lambda: OSError(errno.EIO, os.strerror(errno.EIO)))
    box = bench(disk)
    candidates = box.candidates()
    for candidate in candidates:
        box.decide(candidate)
    with pytest.raises(SinkError):
        box.pipeline.make_durable()
    box.pipeline.make_durable()
    assert [box.decide(candidate) for candidate in candidates] == [None] * 4
    assert len(box.decided) == 4


def judgement(number: int, reason: Reason = Reason.CHANGED, size_bytes: int = 4) -> Judgement:
    entry = Entry(FileKey(f"{number:05d}.jpg", size_bytes, 5), "c", number, reason, 40, 1, sha256=b"x")
    encoded = EncodedFrame(entry.key.name, number.to_bytes(size_bytes, "big"), 5) if reason.is_kept else None
    return Judgement(entry, Decision(reason), encoded, 0.0)


@pytest.fixture
def keeping_over(site: Site) -> Iterator[Callable[..., Keeping]]:
    """Make what keeps, over the site and its ledger."""
    with ExitStack() as at_the_end:

        def make(disk: Disk | None = None) -> Keeping:
            ledger = Ledger(site.state / "ledger.sqlite3", disk)
            at_the_end.callback(ledger.close)
            return Keeping(load(site.config).settings, ResultsFolder(site.results, disk=disk), ledger)

        yield make


def test_a_group_is_due_when_it_has_enough_frames_or_bytes_or_is_old_enough(
    keeping_over: Callable[..., Keeping], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen kept frames, 64 MB or 50 ms: then it should grow no more, however many were dropped."""
    monkeypatch.setattr(keeping, "LONGEST_S", 1e9)
    monkeypatch.setattr(keeping, "MOST_BYTES", 1000)
    group = keeping_over()
    due = [group.is_due]
    for number in range(16):
        group.hold(judgement(2 * number))
        group.hold(judgement(2 * number + 1, Reason.UNCHANGED))
        due.append(group.is_due)
    assert due == [False] * 16 + [True]
    group.make_durable()
    due = [group.is_due]
    for number, size_bytes in ((32, 999), (33, 1)):
        group.hold(judgement(number, size_bytes=size_bytes))
        due.append(group.is_due)
    assert due == [False, False, True]
    group.make_durable()
    monkeypatch.setattr(keeping, "LONGEST_S", 0.05)
    group.hold(judgement(34))
    wait_until(lambda: group.is_due)


class SlowCard(Disk):
    """A card on which each fsync takes 50 ms, and any number of them as long.

    At 12 ms a machine that ran four tests at a time took more time for frames than for fsyncs (3.9 times).
    """

    def reach(self, step: Step | TidyStep) -> None:
        if step in {Step.INTEND, Step.SYNC_FILE, Step.SYNC_FOLDER}:
            Event().wait(0.05)


def test_a_slow_card_keeps_four_times_as_many_frames_in_groups(
    site: Site, keeping_over: Callable[..., Keeping]
) -> None:
    """Where fsyncs take the time, groups of sixteen keep at least four times as many frames a second."""
    seconds = {}
    for at_once in (1, 16):
        group = keeping_over(SlowCard())
        started_s = time.perf_counter()
        for number in range(16):
            group.hold(judgement(100 * at_once + number))
            if number % at_once == at_once - 1:
                group.make_durable()
        seconds[at_once] = time.perf_counter() - started_s
    assert len(site.kept_bytes()) == 32
    assert seconds[1] > 4 * seconds[16]

"""Frames that become durable together: what they become is what they become one by one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import Bench, lay
from framegate import cameras
from framegate.model import Decision, Reason
from invariants import ledger_rows
from running import Site, contents

SIZES = [2, 5, 100]
"""Frames of a group; the last is more than there are."""


def everything(site: Site, box: Bench) -> tuple[object, ...]:
    """Return all that was told, recorded and delivered, in its order, but for the times of day."""
    told = [(event.event, event.entry.key.name) for event in box.decided], box.said, box.numbers()
    rows = [(row.id, row.name, row.verdict, row.reason, row.sha256, row.result) for row in ledger_rows(site)]
    return *told, rows, site.kept_bytes(), [box.ledger.memory_of(f"c{n}") for n in range(2)]


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

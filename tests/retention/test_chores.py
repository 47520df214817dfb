import errno
import os
import shutil
from collections.abc import Iterator

import pytest

from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.keep.disk import TidyStep
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason
from framegate.retention.chores import Chore, deletion_chores
from running import Site
from stepping import FaultyDisk

NOW_S, NOW_NS = 1000.0, 1_800_000_000 * 10**9
DELETES = 'after_kept = "delete"\nafter_dropped = "delete"\nafter_rejected = "delete"'


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def ledger(site: Site, disk: FaultyDisk) -> Iterator[Ledger]:
    """A ledger that remembers one frame of each verdict, whose results and inputs may all go."""
    ledger = Ledger(site.state / "ledger.sqlite3", disk)
    for number, reason in enumerate([Reason.FIRST, Reason.CHANGED, Reason.UNCHANGED, Reason.EMPTY]):
        key = FileKey(f"{number}.jpg", 4, NOW_NS)
        entry = Entry(key, "c", 0, reason, NOW_NS, 1, sha256=b"x" if reason.is_kept else None)
        if reason.is_kept:
            ledger.intend(entry)
            ledger.finish(key, key.name)
        else:
            ledger.note(entry)
    ledger.flush()
    yield ledger
    ledger.close()


def chores(site: Site, ledger: Ledger, disk: FaultyDisk, events: list[LogEvent]) -> list[Chore]:
    return deletion_chores(
        load(site.config).settings,
        ledger,
        events.append,
        disk,
        clock=lambda: NOW_S,
        wall_ns=lambda: NOW_NS + 10**9,
        is_absent=lambda: False,
        is_paused=lambda: False,
    )


def configure(site: Site) -> None:
    site.configure(drop=DELETES)
    text = site.config.read_text("utf-8")
    site.config.write_text(text.replace("[state]", 'max_size = "1B"\nmax_age = "1d"\n[state]'), "utf-8")


def test_what_may_be_deleted_is_all_that_is_due(site: Site, ledger: Ledger, disk: FaultyDisk) -> None:
    """Without a setting that deletes, only the ledger's own round is ever due."""
    events: list[LogEvent] = []
    inputs, archive, results, ledger_rows = chores(site, ledger, disk, events)
    assert inputs.deadline_s() == archive.deadline_s() == results.deadline_s() == float("inf")
    assert ledger_rows.deadline_s() < NOW_S + 60
    configure(site)
    for chore in (inputs, results):
        chore.retune(load(site.config).settings)
        assert chore.deadline_s() <= NOW_S
    assert archive.deadline_s() == float("inf")


@pytest.mark.parametrize("what", ["drop", "results", *TidyStep])
def test_no_trouble_leaves_a_chore(site: Site, ledger: Ledger, disk: FaultyDisk, what: str) -> None:
    """Whatever is away or fails, a chore raises nothing, and waits before it tries again."""
    configure(site)
    if what in {"drop", "results"}:
        shutil.rmtree(site.home / what)
    else:
        disk.fail(TidyStep(what), lambda: OSError(errno.EIO, os.strerror(errno.EIO)), lasts=True)
    for chore in chores(site, ledger, disk, []):
        for late_s in (0, 20, 4000):
            now_s = NOW_S + late_s
            chore.run_due(now_s)
            assert chore.deadline_s() > now_s

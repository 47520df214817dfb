import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from framegate.ingest import judged as module
from framegate.ingest.judged import SHARE, JudgedFiles
from framegate.ingest.names import NameRules
from framegate.ingest.reading import key_of
from framegate.ingest.sweeping import Sweep, entries_of
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason


def key(number: int, size: int = 1) -> FileKey:
    return FileKey(f"{number}.jpg", size, number)


def swept(judged: JudgedFiles, keys: Iterable[FileKey], *, looks_at_all: bool = False) -> list[FileKey]:
    """Let a sweep find files that the ledger knows; return those that it had to be asked for."""
    keys = list(keys)
    judged.begin_sweep(looks_at_all=looks_at_all)
    looks = judged.to_look_at([key.name for key in keys])
    seen = [(key.name, status_of(key)) for key, look in zip(keys, looks, strict=True) if look]
    asked = [key_of(*each) for each in judged.take_out(seen)]
    judged.note(asked)
    judged.end_sweep()
    return asked


def status_of(key: FileKey) -> os.stat_result:
    """Return the status of a file of this version."""
    numbers = [0] * 6 + [key.size_bytes, 0, 0, 0]
    times = {"st_mtime_ns": key.mtime_ns, "st_ctime_ns": key.ctime_ns}
    return os.stat_result(numbers, times)


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small folder be one that is too large to look at every file."""
    monkeypatch.setattr(module, "LOOKED_AT_LEAST", 10)


@pytest.fixture
def judged() -> JudgedFiles:
    return JudgedFiles()


def test_a_judged_file_is_asked_for_once(judged: JudgedFiles) -> None:
    """The ledger is asked for every file at the first sweep, and for none that it knows after that."""
    keys = [key(number) for number in range(500)]
    assert swept(judged, keys) == keys
    assert swept(judged, keys, looks_at_all=True) == []
    assert len(judged) == 500


def test_a_tenth_of_a_large_folder_is_looked_at(judged: JudgedFiles) -> None:
    """Each sweep looks at another tenth: ten of them have looked at every file."""
    keys = [key(number) for number in range(500)]
    swept(judged, keys)
    looked_at: list[str] = []
    for _ in range(SHARE):
        judged.begin_sweep(looks_at_all=False)
        looks = judged.to_look_at([key.name for key in keys])
        assert sum(looks) < 100
        looked_at += [key.name for key, look in zip(keys, looks, strict=True) if look]
        judged.take_out([(key.name, status_of(key)) for key, look in zip(keys, looks, strict=True) if look])
        judged.end_sweep()
    assert sorted(looked_at) == sorted(key.name for key in keys)


def test_a_file_that_was_written_over_without_a_word_is_found_within_ten_sweeps(judged: JudgedFiles) -> None:
    """Another version of a judged file is asked for as soon as it is looked at, by an ordinary sweep too."""
    keys = [key(number) for number in range(100)]
    swept(judged, keys)
    keys[7] = key(7, size=2)
    assert [asked for _ in range(SHARE) for asked in swept(judged, keys)] == [keys[7]]


def test_every_file_is_looked_at_when_events_may_be_lost(judged: JudgedFiles) -> None:
    """After an overflow, and where there are no events, one sweep finds every change."""
    keys = [key(number) for number in range(100)]
    swept(judged, keys)
    keys[7:9] = key(7, size=2), key(8, size=2)
    assert swept(judged, keys, looks_at_all=True) == keys[7:9]


def test_what_is_gone_is_forgotten(judged: JudgedFiles) -> None:
    """A file that a sweep did not see takes no room, and is asked for when it comes back."""
    swept(judged, [key(number) for number in range(20)])
    swept(judged, [key(1)])
    assert len(judged) == 1
    assert swept(judged, [key(1), key(2)], looks_at_all=True) == [key(2)]


def test_an_empty_folder_is_nothing_special(judged: JudgedFiles) -> None:
    """The first sweep and the last may find nothing."""
    assert swept(judged, []) == []
    swept(judged, [key(1)])
    assert swept(judged, []) == []
    assert len(judged) == 0


def test_a_sweep_that_is_given_up_forgets_nothing(judged: JudgedFiles) -> None:
    """What was known stays known when a sweep ends half way, as when the folder goes."""
    keys = [key(number) for number in range(100)]
    swept(judged, keys)
    judged.begin_sweep(looks_at_all=True)
    judged.to_look_at([key.name for key in keys[:10]])
    assert swept(judged, keys, looks_at_all=True) == []


def test_a_sweep_returns_what_has_no_verdict(drop: Path, rules: NameRules) -> None:
    """Piece by piece a sweep returns the new frames of a folder, and no judged one, now and later."""
    for number in range(2500):
        (drop / f"{number:04}.jpg").touch()
    (drop / "readme.txt").touch()
    ledger, judged = Ledger(None), JudgedFiles()

    def sweep() -> list[str]:
        judged.begin_sweep(looks_at_all=False)
        entries = entries_of(drop, rules, recursive=True)
        under_way = Sweep(entries, rules, judged, ledger, lambda name, _: pytest.fail(name))
        found: list[str] = []
        while (new := under_way.advance()) is not None:
            assert len(new) <= 1000
            found += [key.name for key in new]
            for key in new:
                ledger.note(Entry(key, "default", 0, Reason.EMPTY, 0, 1))
        return sorted(found)

    assert sweep() == [f"{number:04}.jpg" for number in range(2500)]
    assert sweep() == []
    (drop / "new.jpg").touch()
    assert sweep() == ["new.jpg"]
    ledger.close()

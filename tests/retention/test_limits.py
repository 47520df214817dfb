import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.config.quantities import Duration, Size
from framegate.config.settings import ResultsSettings
from framegate.keep.disk import Disk, TidyStep
from framegate.model import Entry, FileKey, Reason
from framegate.retention.limits import Limits, Removal, Rule, remove_result, result_exists
from stepping import FaultyDisk

MTIME_NS = 1_700_000_000_123_456_789
DATA = b"the bytes of a frame"


def delivered(results: Path, result: str = "gate/a.jpg") -> Entry:
    """Put a result, and return the frame that it is of."""
    path = results / result
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(DATA)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    key = FileKey("in/the/drop.jpg", len(DATA), MTIME_NS)
    sha256 = hashlib.sha256(DATA).digest()
    return Entry(key, "c", MTIME_NS, Reason.FIRST, 1, 1, sha256=sha256, result=result)


def test_by_default_nothing_has_to_go() -> None:
    """Without a limit no age and no size is too much."""
    limits = Limits.of(ResultsSettings(folder="/results"))
    assert limits.rule_for(-(2**63), 2**60, 2**63 - 1) is None


@pytest.mark.parametrize(
    ("captured_at_ns", "total_bytes", "now_ns", "rule"),
    [
        (0, 1000, 60 * 10**9, None),
        (0, 1000, 60 * 10**9 + 1, Rule.MAX_AGE),
        (0, 1001, 60 * 10**9, Rule.MAX_SIZE),
        (0, 1001, 60 * 10**9 + 1, Rule.MAX_AGE),
        (0, 1000, None, None),
        (0, 1001, None, Rule.MAX_SIZE),
        (10**15, 1000, 0, None),
    ],
)
def test_the_oldest_goes_when_it_is_too_old_or_all_are_too_much(
    captured_at_ns: int, total_bytes: int, now_ns: int | None, rule: Rule | None
) -> None:
    """Exactly at the limit a result stays; by a clock in doubt none is too old."""
    limits = Limits.of(
        ResultsSettings(folder="/results", max_age=Duration.parse("60s"), max_size=Size.parse("1000B"))
    )
    assert limits.rule_for(captured_at_ns, total_bytes, now_ns) is rule


times = st.integers(-(2**63), 2**63 - 1)


@given(times, times, times, st.integers(0, 2**40), st.integers(1, 2**62))
def test_what_is_younger_stays_where_the_oldest_stays(
    older_ns: int, younger_ns: int, now_ns: int, total_bytes: int, max_age_ns: int
) -> None:
    """Oldest first is enough: when one stays, no younger one has to go."""
    older_ns, younger_ns = sorted((older_ns, younger_ns))
    limits = Limits(max_age_ns, 1000)
    if limits.rule_for(older_ns, total_bytes, now_ns) is None:
        assert limits.rule_for(younger_ns, total_bytes, now_ns) is None


def test_a_result_that_is_as_it_was_is_removed(results: Path) -> None:
    """The file goes, and its folder stays."""
    entry = delivered(results)
    assert result_exists(results, entry)
    assert remove_result(results, entry, Disk()) is Removal.REMOVED
    assert not result_exists(results, entry)
    assert (results / "gate").is_dir()
    assert remove_result(results, entry, Disk()) is Removal.MISSING


@pytest.mark.parametrize("change", ["content", "link", "folder", "linked folder"])
def test_what_is_not_as_it_was_is_left(results: Path, tmp_path: Path, change: str) -> None:
    """What somebody replaced or linked is not framegate's to delete."""
    entry = delivered(results)
    path = results / "gate/a.jpg"
    if change == "content":
        path.write_bytes(DATA + b"!")
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
    elif change == "linked folder":
        (results / "gate").rename(tmp_path / "elsewhere")
        (results / "gate").symlink_to(tmp_path / "elsewhere")
    else:
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere") if change == "link" else path.mkdir()
    assert remove_result(results, entry, Disk()) is Removal.FOREIGN
    assert path.exists()


def test_a_link_of_the_right_size_and_time_is_left(results: Path) -> None:
    """A link is no result of ours, though all else about it fits."""
    entry = delivered(results)
    path = results / "gate/a.jpg"
    path.unlink()
    path.symlink_to("x" * len(DATA))
    os.utime(path, ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)
    assert remove_result(results, entry, Disk()) is Removal.FOREIGN
    assert path.is_symlink()


@pytest.mark.parametrize(("data", "removal"), [(DATA, Removal.REMOVED), (DATA[::-1], Removal.FOREIGN)])
def test_where_times_differ_the_content_decides(results: Path, data: bytes, removal: Removal) -> None:
    """On a card that keeps times to two seconds, or when it was touched, a result is known by its bytes."""
    entry = delivered(results)
    (results / "gate/a.jpg").write_bytes(data)
    os.utime(results / "gate/a.jpg", ns=(MTIME_NS, MTIME_NS // 10**9 * 10**9))
    assert remove_result(results, entry, Disk()) is removal


def test_a_folder_that_is_gone_has_nothing_to_remove(results: Path) -> None:
    """When the whole folder is missing, so is what was in it."""
    entry = delivered(results)
    (results / "gate").rename(results / "other")
    assert remove_result(results, entry, Disk()) is Removal.MISSING
    assert not result_exists(results, entry)


def test_a_refusal_is_passed_on_and_leaves_no_descriptor(results: Path) -> None:
    """The disk's error is the caller's to tell, and costs nothing."""
    entry = delivered(results)
    disk = FaultyDisk()
    disk.fail(TidyStep.REMOVE_RESULT, lambda: OSError(errno.EROFS, os.strerror(errno.EROFS)), lasts=True)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
            remove_result(results, entry, disk)
    assert len(os.listdir("/proc/self/fd")) == before
    assert (results / "gate/a.jpg").read_bytes() == DATA

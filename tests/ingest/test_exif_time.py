import os
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exifs import CHANGED, DIGITIZED, FRACTION, OFFSET, ORIGINAL, exif, jpeg_with, png_with, webp_with
from framegate.config.settings import DropSettings
from framegate.formats.exif.times import read_times
from framegate.ingest.names import NameRules
from framegate.ingest.reading import look_at
from framegate.model import FileKey
from running import Site, running, scanned
from stepping import Stepped

UTC_ZERO = {OFFSET: "+00:00"}
TAKEN = "2026:03:05 06:07:08"
TAKEN_NS = int(datetime(2026, 3, 5, 6, 7, 8, tzinfo=UTC).timestamp()) * 10**9
JPEG, PNG = (cv2.imencode(ending, np.zeros((40, 60), np.uint8))[1].tobytes() for ending in (".jpg", ".png"))
IN_UTC = exif({ORIGINAL: TAKEN, **UTC_ZERO})


def taken_ns(folder: Path, data: bytes, *times: str) -> int:
    """Return the capture time of a file with these bytes; its mtime is 7 ns after 1970."""
    (folder / "a.jpg").write_bytes(data)
    os.utime(folder / "a.jpg", ns=(7, 7))
    return rules_of(folder, *times).captured_at_ns(key_of(folder, "a.jpg"))


def rules_of(folder: Path, *times: str) -> NameRules:
    return NameRules(DropSettings(folder=str(folder), capture_time=times or ("exif",)))


def key_of(folder: Path, name: str) -> FileKey:
    key = look_at(folder, name)
    assert key is not None
    return key


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_time_that_a_camera_wrote_is_read(drop: Path, order: str) -> None:
    """Both byte orders are read, with the fraction of the second and the offset from UTC."""
    data = exif({ORIGINAL: "2026:03:05 07:07:08", FRACTION: "25", OFFSET: "+01:00"}, order)
    assert taken_ns(drop, jpeg_with(data, JPEG)) == TAKEN_NS + 250_000_000


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(IN_UTC, JPEG),
        png_with(IN_UTC, PNG),
        webp_with(IN_UTC),
        webp_with(b"Exif\0\0" + IN_UTC),
        IN_UTC,
    ],
)
def test_each_format_has_its_place_for_it(drop: Path, data: bytes) -> None:
    """JPEG, PNG, WebP and TIFF are read, whatever the name says."""
    assert taken_ns(drop, data) == TAKEN_NS


def test_other_segments_may_stand_before_it(drop: Path) -> None:
    """A JPEG's EXIF data are found behind its JFIF segment, too."""
    assert JPEG[2:4] == b"\xff\xe0"
    assert taken_ns(drop, JPEG[:20] + jpeg_with(IN_UTC, JPEG)[2 : -len(JPEG) + 2] + JPEG[20:]) == TAKEN_NS


def test_without_an_offset_it_is_local_time(drop: Path) -> None:
    """A camera that names no offset writes the time of its place, which is this machine's."""
    local_ns = int(datetime(2026, 3, 5, 6, 7, 8).timestamp()) * 10**9  # noqa: DTZ001 - local time is meant
    assert taken_ns(drop, jpeg_with(exif({ORIGINAL: TAKEN}), JPEG)) == local_ns
    assert taken_ns(drop, jpeg_with(exif({ORIGINAL: TAKEN, OFFSET: "   :  "}), JPEG)) == local_ns


@pytest.mark.parametrize("other", [DIGITIZED, CHANGED])
@pytest.mark.parametrize(
    "garbage", ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "2026:02:30 01:00:00", "x"]
)
def test_a_time_that_is_none_leaves_it_to_the_next(drop: Path, other: int, garbage: str) -> None:
    """The next best time in the file counts, then the next source of the list, then the mtime."""
    offsets = {OFFSET: "+00:00", 0x9012: "+00:00", 0x9010: "+00:00"}
    assert taken_ns(drop, jpeg_with(exif({ORIGINAL: garbage, other: TAKEN, **offsets}), JPEG)) == TAKEN_NS
    assert taken_ns(drop, jpeg_with(exif({ORIGINAL: garbage}), JPEG)) == 7


def test_the_list_is_tried_in_its_order(drop: Path) -> None:
    """A name counts before the camera's own time where the list says so."""
    (drop / "1772691000.jpg").write_bytes(jpeg_with(IN_UTC, JPEG))
    key = key_of(drop, "1772691000.jpg")
    assert rules_of(drop, "epoch_s", "exif").captured_at_ns(key) == 1_772_691_000 * 10**9
    assert rules_of(drop, "exif", "epoch_s").captured_at_ns(key) == TAKEN_NS


def test_numbers_in_place_of_a_text_are_no_time(drop: Path) -> None:
    """An entry of another type is not read."""
    assert taken_ns(drop, jpeg_with(exif({ORIGINAL: TAKEN}, kind=7), JPEG)) == 7


def test_what_may_not_be_opened_has_no_time(drop: Path) -> None:
    """Neither a link nor a FIFO nor a missing file is followed, waited for, or an error."""
    (drop.parent / "outside.jpg").write_bytes(jpeg_with(IN_UTC, JPEG))
    (drop / "link.jpg").symlink_to(drop.parent / "outside.jpg")
    os.mkfifo(drop / "fifo.jpg")
    for name in ("link.jpg", "fifo.jpg", "gone.jpg"):
        assert rules_of(drop).captured_at_ns(FileKey(name, 1, 7)) == 7


def test_a_file_that_has_grown_is_read_again(drop: Path) -> None:
    """Of an upload that has only begun the mtime counts, and the camera's time when it is there."""
    rules, path, data = rules_of(drop), drop / "a.jpg", jpeg_with(IN_UTC, JPEG)
    path.write_bytes(data[:20])
    begun = key_of(drop, "a.jpg")
    assert rules.captured_at_ns(begun) == begun.mtime_ns
    path.write_bytes(data)
    assert rules.captured_at_ns(key_of(drop, "a.jpg")) == TAKEN_NS


@given(st.binary(max_size=300), st.integers(0, 200), st.sampled_from([0, 1, 2, 3]))
@example(b"", 0, 0)
def test_hostile_data_raise_nothing(noise: bytes, at: int, form: int) -> None:
    """Whatever stands in EXIF data, reading them ends, with few times or none."""
    data = exif({ORIGINAL: TAKEN, DIGITIZED: TAKEN, CHANGED: TAKEN})
    data = data[:at] + noise + data[at + len(noise) :]
    head = [data, jpeg_with(data, JPEG), png_with(data, PNG), webp_with(data)][form]
    assert len(read_times(head)) <= 3
    assert len(read_times(head[:at])) <= 3


def test_a_directory_that_names_itself_ends(drop: Path) -> None:
    """A directory of 65,535 entries that all point to itself is read once more, and not for ever."""
    entry = b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0"
    assert taken_ns(drop, b"II*\0\x08\0\0\0\xff\xff" + entry * 5000) == 7


def dated(number: int, picture: bytes) -> bytes:
    return jpeg_with(exif({ORIGINAL: f"2026:03:05 06:07:{number:02d}", **UTC_ZERO}), picture)


def fill_backwards(site: Site, pictures: list[bytes]) -> list[str]:
    """Put pictures into the drop folder; names and mtimes go backwards. Return the names as taken."""
    names = [f"{99 - number}.jpg" for number in range(len(pictures))]
    for number, (name, picture) in enumerate(zip(names, pictures, strict=True)):
        (site.drop / name).write_bytes(dated(number, picture))
        os.utime(site.drop / name, (1_700_000_000 - number,) * 2)
    return names


def test_a_backlog_is_judged_in_the_order_of_the_cameras_own_times(
    daemon: Stepped, site: Site, morning: list[bytes]
) -> None:
    """Where names and mtimes say otherwise, the first frame taken is the first judged."""
    names = fill_backwards(site, morning)
    site.configure(drop='capture_time = ["exif", "mtime"]')
    daemon.start()
    daemon.go(5)
    daemon.stop()
    entries = [verdict.entry for verdict in daemon.verdicts()]
    assert [entry.key.name for entry in entries] == names
    assert [entry.captured_at_ns - TAKEN_NS for entry in entries] == [
        (number - 8) * 10**9 for number in range(len(names))
    ]


def test_a_scan_and_the_daemon_keep_the_same_frames(site: Site, tmp_path: Path, morning: list[bytes]) -> None:
    """Both go by the times that the camera wrote."""
    names = fill_backwards(site, morning)
    site.configure(drop='capture_time = "exif"')
    with running(site) as process:
        process.wait_for_verdicts(len(names))
    kept = site.kept_bytes()
    assert names[0] in kept
    assert 1 < len(kept) < len(names)
    assert kept == scanned(site, tmp_path / "scan")

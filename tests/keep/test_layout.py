import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.config.layout import Layout
from framegate.keep.delivery import ResultsFolder
from framegate.keep.disk import Disk
from framegate.keep.names import laid_out
from framegate.model import EncodedFrame

LAYOUTS = [
    Layout.parse(text)
    for text in (
        "{path}",
        "{name}",
        "{camera}/{captured:%Y-%m-%d}/{name}",
        "{captured_utc:%Y/%j/%H%M%S.%f%z}/{camera}-{stem}{suffix}",
        "{suffix}/{folder}/{captured:.%a %b}/kept {stem}",
        "{stem}/{camera}",
    )
]
BYTES_OF_A_NAME = st.binary(min_size=1, max_size=255).map(
    lambda data: data.replace(b"/", b"-").replace(b"\0", b"-")
)
NAMES = (
    st.lists(
        BYTES_OF_A_NAME.filter(lambda data: data not in {b".", b".."}).map(os.fsdecode),
        min_size=1,
        max_size=3,
    )
    .map("/".join)
    .filter(lambda name: len(os.fsencode(name)) < 600)
)
CAMERAS = st.sampled_from(["c21", "..", ".", "", "/", "../..", "a/b", "\0", "é" * 300]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=300
)
TIMES_NS = st.integers(-(2**63), 2**63 - 1)
"""The years 1677 to 2262: what an mtime on any disk becomes."""


@contextmanager
def in_zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@given(st.sampled_from(LAYOUTS), NAMES, CAMERAS, TIMES_NS)
def test_whatever_a_frame_is_called_its_result_is_below_the_folder(
    layout: Layout, name: str, camera: str, captured_at_ns: int
) -> None:
    """Any name, camera and time gives a path of plain, visible names, and the same at every try."""
    path = laid_out(layout, name, camera, captured_at_ns)
    parts = path.split("/")
    assert all(part and not part.startswith(".") and "\0" not in part for part in parts)
    assert all(len(os.fsencode(part)) <= 255 for part in parts)
    assert PurePosixPath("/results", path).is_relative_to("/results")
    assert len(parts) >= len([part for part in layout.parts if str(part[0]) != "folder"]) - 1
    assert laid_out(layout, name, camera, captured_at_ns) == path


@given(
    st.sampled_from(LAYOUTS),
    st.lists(
        st.tuples(
            st.sampled_from(["a.jpg", "x/a.jpg", "x/b.jpg", "y/a.jpg", "a", "x.jpg/a"]),
            st.sampled_from(["c1", "c2", "x"]),
            st.sampled_from([0, 1, 10**18, 10**18 + 1]),
        ),
        min_size=2,
        max_size=5,
    ),
    st.booleans(),
)
def test_different_frames_never_share_a_file(
    layout: Layout, frames: list[tuple[str, str, int]], is_group: bool
) -> None:
    """However many frames a layout gives one name, each has a file of its own, and finds it again."""

    class Memory(Disk):
        """The real disk, without the waits for it."""

        def sync_file(self, fd: int) -> None: ...
        def sync_folder(self, fd: int) -> None: ...
        def sync_existing(self, name: str, folder_fd: int) -> None: ...

    named = [
        (EncodedFrame(laid_out(layout, name, camera, at_ns), b"frame %d" % number, at_ns), at_ns)
        for number, (name, camera, at_ns) in enumerate(frames)
    ]
    with tempfile.TemporaryDirectory() as folder:
        results = ResultsFolder(Path(folder), disk=Memory())
        for again in (False, True):
            done = results.deliver_all(named) if is_group else [results.deliver(*each) for each in named]
            there = [Path(folder, delivery.name).read_bytes() for delivery in done]
            assert there == [frame.data for frame, _ in named]
            assert {delivery.already_there for delivery in done} == {again}


HOUR_NS = 3600 * 10**9
SUMMER_ENDS_NS = 1_761_438_600 * 10**9
"""2:30 in Berlin on 26 October 2025, for the first time; an hour later it is 2:30 again."""

SUMMER_BEGINS_NS = 1_743_294_600 * 10**9
"""1:30 in Berlin on 30 March 2025; an hour later it is 3:30."""


@pytest.mark.parametrize(
    ("captured_at_ns", "path"),
    [
        (SUMMER_ENDS_NS, "2025-10-26 02.30 +0200/00.30"),
        (SUMMER_ENDS_NS + HOUR_NS, "2025-10-26 02.30 +0100/01.30"),
        (SUMMER_BEGINS_NS, "2025-03-30 01.30 +0100/00.30"),
        (SUMMER_BEGINS_NS + HOUR_NS, "2025-03-30 03.30 +0200/01.30"),
        (-(2**63), "1677-09-21 01.06 +0053/00.12"),
        (2**63 - 1, "2262-04-12 01.47 +0200/23.47"),
        (10**30, "9999-12-31 00.59 +0100/23.59"),
    ],
)
def test_a_time_is_written_as_the_clock_on_the_wall_showed_it(captured_at_ns: int, path: str) -> None:
    """Also in the hour that comes twice, beside the one that never comes, and in years that cannot be."""
    layout = Layout.parse("{captured:%Y-%m-%d %H.%M %z}/{captured_utc:%H.%M}/{name}")
    with in_zone("Europe/Berlin"):
        got = laid_out(layout, "a.jpg", "c", captured_at_ns)
    assert got.replace("+005328", "+0053") == f"{path}/a.jpg"

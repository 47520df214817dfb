"""Whatever comes from outside, framegate says what is wrong with it, in the way that it promises.

FRAMEGATE_FUZZ=20000 tries that many of each instead of the usual hundred or so.
"""

import json
import os
import random
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stills
from framegate import DetectionSettings, decode
from framegate.config.docs import example_file
from framegate.config.load import Config, load
from framegate.config.settings import DropSettings
from framegate.detect.decoding import Undecodable
from framegate.detect.judging.capture_clock import CaptureClock
from framegate.errors import ConfigError
from framegate.formats.header import Header
from framegate.formats.sniffing import read_header
from framegate.ingest.names import NameRules
from framegate.model import FileKey, Moment, Picture

TRIES = settings(
    max_examples=int(os.environ.get("FRAMEGATE_FUZZ", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ANY_NS = st.integers(-(2**63), 2**63 - 1)
ADAPTIVE = DetectionSettings.preset("adaptive")

MAGICS = (
    b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xc0", b"\x89PNG\r\n\x1a\n", b"BM", b"%PDF", b"GIF89a", b"<html",
    b"RIFF\x40\0\0\0WEBPVP8 ", b"RIFF\x40\0\0\0WEBPVP8L", b"RIFF\x40\0\0\0WEBPVP8X",
    b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0",
    b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"--b\r\nContent-Type: image/jpeg\r\n\r\n",
)  # fmt: skip


@cache
def some_files() -> list[bytes]:
    rng = random.Random("fuzz")
    return [stills.whole(kind, rng, stills.SIZES) for kind in stills.ENCODERS for _ in range(3)]


@TRIES
@given(st.sampled_from(MAGICS), st.binary(max_size=600))
def test_any_bytes_behind_any_beginning_have_a_header_or_none(magic: bytes, rest: bytes) -> None:
    """No content makes a header reader raise, and no size is negative."""
    header = read_header(magic + rest)
    assert header is None or (isinstance(header, Header) and header.width >= 0 <= header.height)


@TRIES
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6)), max_size=8),
    st.floats(0, 1),
)
def test_any_change_to_a_picture_gives_a_picture_or_a_reason(
    number: int, changes: list[tuple[float, bytes]], cut: float
) -> None:
    """Real files with wrong bytes, most of them in the header, are decoded or refused within their limits."""
    files = some_files()
    data = bytearray(files[number % len(files)])
    for place, value in changes:
        at = int(place**3 * len(data))  # headers are at the beginning
        data[at : at + len(value)] = value
    if cut < 0.3:
        del data[int(len(data) * cut / 0.3) :]
    said = decode(bytes(data), ADAPTIVE, max_pixels=4e6, is_final=number % 2 == 0)
    assert isinstance(said, (Picture, Undecodable))
    assert not isinstance(said, Picture) or said.size[0] * said.size[1] <= 4e6


NAMES = st.one_of(
    st.text(st.characters(blacklist_characters="\0"), min_size=1, max_size=80),
    st.from_regex(r"(?:[a-z]{0,6}[/_-]?){0,3}[0-9]{0,20}[-_T/][0-9]{0,14}(?: [AP]M)?\.jpg", fullmatch=True),
)


@TRIES
@given(NAMES, ANY_NS)
def test_any_name_has_a_time_and_a_camera(name: str, mtime_ns: int) -> None:
    """No file name breaks the readers of times and cameras; a time can be stored, a camera can be logged."""
    rules = NameRules(
        DropSettings.model_validate(
            {
                "folder": "/drop",
                "camera_pattern": r"(?P<camera>[^/]*)[/_]",
                "capture_time": [
                    "%Y-%m-%d_%I-%M-%S_%p",
                    "%y%j%H%M%S",
                    "%d%b%Y %z",
                    "epoch_us",
                    "epoch_ms",
                    "epoch_s",
                ],
            }
        )
    )
    candidate = rules.candidate(FileKey(name, 1, mtime_ns))
    assert -(2**63) <= candidate.captured_at_ns < 2**63
    assert candidate.camera.encode()
    assert isinstance(rules.is_frame(name), bool)


@TRIES
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.text(max_size=12)), min_size=1, max_size=5
    )
)
def test_any_edit_of_a_config_is_read_or_refused(tmp_path: Path, edits: list[tuple[int, int, str]]) -> None:
    """A config with anything in it gives settings, or a list of what is wrong; nothing else."""
    text = example_file().replace("# ", "", 400)
    for place, length, new in edits:
        at = place % len(text)
        text = text[:at] + new + text[at + length :]
    path = tmp_path / "site.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said: Config | str
    try:
        said = load(path)
    except ConfigError as error:
        said = str(error)
    assert said


@TRIES
@given(st.lists(st.tuples(ANY_NS, st.none() | ANY_NS), max_size=30))
def test_any_times_are_followed_by_a_clock_that_can_be_saved(times: list[tuple[int, int | None]]) -> None:
    """No sequence of captures and arrivals breaks the clock, and a restart at any frame changes nothing."""
    clock = CaptureClock()
    for captured_at_ns, arrived_at_ns in times:
        clock = clock.after(Moment(captured_at_ns, arrived_at_ns))
        assert CaptureClock.restored(json.loads(json.dumps(clock.saved()))) == clock

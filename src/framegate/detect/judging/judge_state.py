"""A judge as bytes: a short head, a description in JSON, then pictures and what was learnt, uncompressed.

The bytes may come from a damaged disk, or from somebody who wants to use up the reader's memory. So every
length is compared with the number of bytes that are there before it is used, and a checksum finds damage.
"""

import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framegate.config.detection import DetectionSettings
from framegate.detect.detector import DETECTOR_VERSION, reduction_of
from framegate.detect.judging.capture_clock import CaptureClock
from framegate.detect.judging.lane import MOST_LANES
from framegate.detect.tear import TornAlike
from framegate.model import FileKey, Moment

_TAG, _FORMAT = b"FGJUDGE\n", 4
_HEAD, _LENGTH = struct.Struct("<8sHHI"), struct.Struct("<I")
"""The tag, the versions of this format and of the detector, the checksum of what follows; the length of the
description."""

_MOST_DESCRIPTION_BYTES = 1_000_000
"""JSON takes some thirty times its length when it is read; two names and some numbers are much shorter."""

_MOST_TIMES = 100_000
_MOST_IN_A_STORM = 2**53
_MOST_NS = 2**63 - 1
_NO_ARRIVAL = -(2**63)
_MOST_SIDE = 2**31
_GRAY, _CHANNELS = 2, 3


@dataclass(frozen=True, slots=True)
class SavedFrame:
    """A prepared frame: which one it is, and the picture from which it can be prepared again."""

    key: FileKey | str
    moment: Moment
    source_size: tuple[int, int]
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SavedLane:
    """All that a judge knows of one picture size."""

    reference: SavedFrame
    previous: SavedFrame | None
    """The very same object when the last frame was kept."""

    learnt: bytes | None
    torn: TornAlike | None


@dataclass(frozen=True, slots=True)
class SavedJudge:
    """All that a judge knows."""

    lanes: Sequence[SavedLane]
    """The longest unused first, each of another picture size."""

    kept: Sequence[Moment]
    storm: tuple[int, int] | None
    clock: CaptureClock


def packed(judge: SavedJudge, settings: DetectionSettings) -> bytes:
    """Return a judge as bytes; equal judges give equal bytes."""
    description = {
        "reduction": reduction_of(settings),
        "lanes": [_described_lane(lane) for lane in judge.lanes],
        "times": len(judge.kept),
        "storm": judge.storm,
        "clock": judge.clock.saved(),
    }
    text = json.dumps(description, separators=(",", ":")).encode("ascii")
    captured = np.array([moment.captured_at_ns for moment in judge.kept], "<i8").tobytes()
    arrivals = (moment.arrived_at_ns for moment in judge.kept)
    arrived = np.array([_NO_ARRIVAL if each is None else each for each in arrivals], "<i8").tobytes()
    lanes = (
        part
        for lane in judge.lanes
        for part in (*(frame.image.tobytes() for frame in _frames_of(lane)), lane.learnt or b"")
    )
    rest = b"".join((_LENGTH.pack(len(text)), text, captured, arrived, *lanes))
    version = DETECTOR_VERSION[settings.preset_name]
    return _HEAD.pack(_TAG, _FORMAT, version, zlib.crc32(rest)) + rest


def unpacked(data: bytes, settings: DetectionSettings) -> SavedJudge:
    """Return the judge in the bytes that ``packed`` returned.

    Raises:
        ValueError: they are no such bytes, are damaged, or are of another version or reduction.
    """
    try:
        return _unpacked(memoryview(data), settings)
    except (struct.error, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"these bytes are no state for these settings: {error}") from error


def _unpacked(data: memoryview, settings: DetectionSettings) -> SavedJudge:
    tag, form, version, checksum = _HEAD.unpack_from(data)
    rest = data[_HEAD.size :]
    _require(tag == _TAG, "they begin otherwise")
    _require(form == _FORMAT, f"they are of version {form}, not {_FORMAT}")
    _require(zlib.crc32(rest) == checksum, "they are damaged")
    (length,) = _LENGTH.unpack_from(rest)
    _require(length <= _MOST_DESCRIPTION_BYTES, "their description is too long")
    rest = rest[_LENGTH.size :]
    description = json.loads(bytes(rest[:length]))
    _require_same_reduction(description["reduction"], version, settings)
    return _judge_of(description, rest[length:])


def _require(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise ValueError(otherwise)


def _require_same_reduction(reduction: object, version: int, settings: DetectionSettings) -> None:
    wanted, wanted_version = list(reduction_of(settings)), DETECTOR_VERSION[settings.preset_name]
    if reduction != wanted or version != wanted_version:
        prepared = f"its pictures were reduced by {reduction!r:.100}, version {version}"
        raise ValueError(f"{prepared}, not by {wanted}, version {wanted_version}")


def _judge_of(description: dict[str, Any], payload: memoryview) -> SavedJudge:
    times = _number(description["times"], _MOST_TIMES)
    captured, arrived = (np.frombuffer(payload[at:], "<i8", times).tolist() for at in (0, 8 * times))
    moments = [Moment(c, None if a == _NO_ARRIVAL else a) for c, a in zip(captured, arrived, strict=True)]
    payload, lanes = payload[16 * times :], []
    _require(len(description["lanes"]) <= MOST_LANES, "of too many picture sizes")
    for described in description["lanes"]:
        lane, payload = _lane_of(described, payload)
        lanes.append(lane)
    _require(not payload, "of another length")
    sizes = {lane.reference.source_size for lane in lanes}
    _require(len(sizes) == len(lanes), "of one picture size twice")
    storm = description["storm"]
    if storm is not None:
        kept, dropped = (_number(count, _MOST_IN_A_STORM) for count in storm)
        storm = kept, dropped
    return SavedJudge(lanes, moments, storm, CaptureClock.restored(description["clock"]))


def _lane_of(described: dict[str, Any], payload: memoryview) -> tuple[SavedLane, memoryview]:
    """Return a lane at the begin of the payload, and the rest of that."""
    frames = []
    for each in described["frames"][:2]:
        frame = _frame_of(each, payload)
        frames.append(frame)
        payload = payload[frame.image.nbytes :]
    place, length = described["previous"], described["learnt"]
    previous = None if place is None else frames[_number(place, len(frames) - 1)]
    learnt = None if length is None else bytes(payload[: _number(length, len(payload))])
    torn = None if described["torn"] is None else TornAlike.restored(described["torn"])
    return SavedLane(frames[0], previous, learnt, torn), payload[len(learnt or b"") :]


def _described_lane(lane: SavedLane) -> dict[str, object]:
    frames = _frames_of(lane)
    return {
        "frames": [_described(frame) for frame in frames],
        "previous": None if lane.previous is None else len(frames) - 1,
        "learnt": None if lane.learnt is None else len(lane.learnt),
        "torn": None if lane.torn is None else lane.torn.saved(),
    }


def _frames_of(lane: SavedLane) -> list[SavedFrame]:
    """Return the frames to be saved: the reference, and the previous one if it is another."""
    if lane.previous is None or lane.previous is lane.reference:
        return [lane.reference]
    return [lane.reference, lane.previous]


def _described(frame: SavedFrame) -> tuple[object, ...]:
    key = frame.key
    name = key if isinstance(key, str) else (key.name, key.size_bytes, key.mtime_ns, key.ctime_ns)
    moment = frame.moment.captured_at_ns, frame.moment.arrived_at_ns
    return name, moment, frame.source_size, frame.image.shape


def _frame_of(described: Any, payload: memoryview) -> SavedFrame:
    name, (captured_at_ns, arrived_at_ns), source_size, shape = described
    width, height = (_number(side, _MOST_SIDE, 1) for side in source_size)
    shape = tuple(_number(side, _MOST_SIDE, 1) for side in shape)
    _require(len(shape) == _GRAY or shape[2:] == (_CHANNELS,), "of no picture")
    size_bytes = math.prod(shape)
    _require(size_bytes <= len(payload), "cut off")
    image = np.frombuffer(payload[:size_bytes], np.uint8).reshape(shape).copy()
    image.flags.writeable = False
    arrived_at_ns = None if arrived_at_ns is None else _number_of_ns(arrived_at_ns)
    moment = Moment(_number_of_ns(captured_at_ns), arrived_at_ns)
    return SavedFrame(_key_of(name), moment, (width, height), image)


def _key_of(name: Any) -> FileKey | str:
    if isinstance(name, str):
        return name
    file, size_bytes, mtime_ns, ctime_ns = name
    _require(isinstance(file, str), "of no file")
    return FileKey(file, _number(size_bytes, _MOST_NS), _number_of_ns(mtime_ns), _number_of_ns(ctime_ns))


def _number_of_ns(number: object) -> int:
    return _number(number, _MOST_NS, -_MOST_NS - 1)


def _number(number: object, most: int, least: int = 0) -> int:
    if type(number) is not int or not least <= number <= most:
        raise ValueError(f"{number!r:.40} is not from {least} to {most}")
    return number

"""The decision as a library: frames in, decisions and bytes out."""

import doctest
import json
import struct
import subprocess
import sys
import tracemalloc
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from framegate import Decision, DetectionSettings, FileKey, Judge, Picture, Reason, decode
from framegate.detect.detector import DETECTOR_VERSION
from framegate.detect.judging import judge as room
from pictures import decoded, picture_for, png

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
CLASSIC = DetectionSettings.preset("classic", min_contour_area="20px", score_threshold="1%")
ADAPTIVE = DetectionSettings.preset("adaptive")
PRESETS = pytest.mark.parametrize("settings", [CLASSIC, ADAPTIVE], ids=["classic", "adaptive"])


def yard(number: int, shape: tuple[int, int] = (90, 160)) -> np.ndarray:
    """Return a frame of a yard in colour: noise, leaves that move, and a car in some frames."""
    chance = np.random.default_rng(number)
    rows, columns = shape
    ground = np.random.default_rng(1).integers(70, 120, (rows // 5 + 1, columns // 5 + 1, 3), np.uint8)
    picture = cv2.resize(ground, (columns, rows), interpolation=cv2.INTER_NEAREST).astype(np.int16)
    picture += chance.integers(-4, 5, picture.shape, np.int16)
    picture[: rows // 4, : columns // 4] += chance.integers(-8, 9, (rows // 4, columns // 4, 1), np.int16)
    if number % 7 in {3, 4}:
        picture[rows // 2 : rows // 2 + rows // 4, columns // 2 : columns * 3 // 4] = (190, 210, 240)
    return np.clip(picture, 0, 255).astype(np.uint8)


def files(count: int) -> list[bytes]:
    return [cv2.imencode(".jpg", yard(number, (270, 480)))[1].tobytes() for number in range(count)]


def walk(judge: Judge, frames: list[bytes], begin: int = 0) -> list[Decision]:
    """Judge files in order, one every ten minutes."""
    return [
        judge.judge(FileKey(f"{n}.jpg", len(data), n), n * HOUR_NS // 6, decoded(data, judge.settings))
        for n, data in enumerate(frames[begin:], begin)
    ]


def test_the_example_in_the_documentation_is_true() -> None:
    """What the class's docstring shows is what it does."""
    result = doctest.testmod(room)
    assert (result.failed, result.attempted > 5) == (0, True)


# --- decisions --------------------------------------------------------------------------------------------


@PRESETS
def test_what_changed_is_kept_and_becomes_the_reference(settings: DetectionSettings) -> None:
    """The first frame is kept, a car is, the same car again is not, and its leaving is."""
    judge = Judge(settings)
    decisions = walk(judge, [png(yard(n % 7)) for n in (0, 1, 3, 4, 5)])
    reasons = [str(decision.reason) for decision in decisions]
    assert reasons == ["first", "unchanged", "changed", "unchanged", "changed"]
    assert [decision.reference for decision in decisions] == [None, "0.jpg", "0.jpg", "2.jpg", "2.jpg"]


@PRESETS
@pytest.mark.parametrize(
    ("one", "other"),
    [((720, 1280), (1080, 1920)), ((362, 640), (360, 640)), ((90, 160), (91, 160)), ((1, 1), (2, 2))],
    ids=str,
)
def test_pictures_of_unlike_size_never_meet(
    settings: DetectionSettings, one: tuple[int, int], other: tuple[int, int]
) -> None:
    """Another size is kept unscored and teaches nothing, also when both are prepared to equal sizes."""
    judge = Judge(settings)
    judge.judge("a", 0, picture_for(settings, yard(0, one)))
    decision = judge.judge("b", 1, picture_for(settings, yard(0, other)))
    assert (decision.reason, decision.score) == (Reason.SIZE_CHANGED, None)
    assert decision.detail == f"{one[1]}x{one[0]} -> {other[1]}x{other[0]}"
    assert [lane.detector.learnt() for lane in judge.lanes.values()] == [None, None]


@pytest.mark.parametrize("size", [(1366, 768), (1282, 722), (720, 1281)], ids=str)
def test_one_size_in_two_formats_has_a_verdict(size: tuple[int, int]) -> None:
    """A reduced JPEG may be prepared to a column more than a PNG of its size: that is no exception."""
    judge = Judge(ADAPTIVE)
    colour = yard(0, (size[1], size[0]))
    for number, ending in enumerate((".png", ".jpg", ".jpg", ".png")):
        picture = decoded(cv2.imencode(ending, colour)[1].tobytes(), ADAPTIVE)
        assert picture.size == size
        assert judge.judge(f"{number}", number, picture).verdict in {"kept", "dropped"}


SMALL = [*((side, side) for side in range(1, 9)), (1, 8), (8, 1), (93, 154), (60, 180), (180, 60), (200, 600)]


@PRESETS
@pytest.mark.parametrize("shape", SMALL, ids=str)
@pytest.mark.parametrize(
    "kind", ["gray", "alpha", "16-bit gray", "16-bit", "16-bit alpha", "jpeg", "gray jpeg"]
)
def test_whatever_is_a_picture_has_a_verdict(
    settings: DetectionSettings, kind: str, shape: tuple[int, int]
) -> None:
    """From one pixel to a panorama, in each kind of file: kept or dropped, without an exception."""
    judge = Judge(settings)
    for number in (0, 1, 3, 4):
        picture = decode(encoded(kind, yard(number, shape)), settings)
        assert isinstance(picture, Picture)
        assert picture.size == (shape[1], shape[0])
        decision = judge.judge(f"{number}", number, picture)
        assert decision.verdict in {"kept", "dropped"}
    assert Judge.restored(settings, judge.state()).state() == judge.state()


def encoded(kind: str, colour: np.ndarray) -> bytes:
    pixels: Any = colour[..., 1] if "gray" in kind else colour
    if "alpha" in kind:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 128, np.uint8)])
    if "16" in kind:
        pixels = pixels.astype(np.uint16) * 257
    return cv2.imencode(".jpg" if "jpeg" in kind else ".png", pixels)[1].tobytes()


def test_a_heartbeat_and_a_storm_need_no_clock() -> None:
    """With only the times of the frames, an unchanged one is kept each hour, and a storm is bounded."""
    settings = CLASSIC.model_copy(update={"keep_every": 3600.0, "max_kept_per_hour": 2})
    judge = Judge(settings)
    still, car = (picture_for(settings, yard(n)) for n in (0, 3))
    times_s = [(0, still), (3599, still), (3600, still), (3610, car), (3620, still), (3680, still)]
    reasons = [str(judge.judge(f"{at_s}", at_s * SECOND_NS, each).reason) for at_s, each in times_s]
    assert reasons == ["first", "unchanged", "heartbeat", "changed", "storm_dropped", "storm"]


def test_a_repeat_is_dropped_and_teaches_nothing() -> None:
    """What repeats a frame byte for byte is identical, unless a heartbeat is due; the state stays."""
    settings = ADAPTIVE.model_copy(update={"keep_every": 3600.0})
    judge = Judge(settings)
    assert judge.judge_repeat(0, size=(160, 90)) is None
    judge.judge("0", 0, picture_for(settings, yard(0)))
    before = judge.state()
    assert judge.judge_repeat(1, size=(160, 90)) == Decision(Reason.IDENTICAL, reference="0")
    assert judge.judge_repeat(1, size=(90, 160)) is None
    assert judge.state() == before
    assert judge.judge_repeat(HOUR_NS, size=(160, 90)) is None


def test_a_picture_of_another_preset_is_refused() -> None:
    """Classic compares what its own decode gives; colour is a TypeError that says so, and changes nothing."""
    judge = Judge(CLASSIC)
    judge.judge("0", 0, picture_for(CLASSIC, yard(0)))
    before = judge.state()
    with pytest.raises(TypeError, match=r"decode\(\)"):
        judge.judge("1", 1, picture_for(ADAPTIVE, yard(1)))
    assert judge.state() == before


@PRESETS
def test_other_thresholds_and_masks_hold_from_the_next_frame_on(settings: DetectionSettings) -> None:
    """A judge that is retuned compares the reference by the new masks, as one that was so from the start."""
    masked = settings.model_copy(update={"border_mask": (30.0, 0.0, 0.0, 0.0)})
    frames = [png(yard(n)) for n in (0, 1)]
    late, early = Judge(settings), Judge(masked)
    walk(late, frames[:1])
    walk(early, frames[:1])
    assert late.retune(masked)
    assert walk(late, frames, 1) == walk(early, frames, 1)
    assert late.state() == early.state()
    assert not late.retune(CLASSIC if settings is ADAPTIVE else ADAPTIVE)
    assert late.settings is masked


def test_another_blur_holds_from_the_next_frame_on() -> None:
    """The reference of classic is kept unblurred, and compared as if the blur had always been so."""
    blurred = CLASSIC.model_copy(update={"blur": 21})
    frames = [png(yard(n)) for n in (0, 3)]
    late, early = Judge(CLASSIC), Judge(blurred)
    walk(late, frames[:1])
    assert late.retune(blurred)
    (decision,) = walk(late, frames, 1)
    assert decision == walk(early, frames)[1]
    assert decision != walk(Judge(CLASSIC), frames)[1]


# --- zones ------------------------------------------------------------------------------------------------


LEFT = {"name": "left", "polygon": [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]}
RIGHT = {"name": "right", "polygon": [(0.5, 0), (1, 0), (1, 1), (0.5, 1)]}


@pytest.mark.parametrize(("of_zone", "kept_as"), [("90%", "unchanged"), ("1%", "changed")])
def test_a_zone_goes_by_its_own_threshold(of_zone: str, kept_as: str) -> None:
    """A car in a zone is judged by the zone's numbers, whatever the general ones are."""
    other = {"90%": "1%", "1%": "90%"}[of_zone]
    settings = DetectionSettings.preset(
        "classic", min_contour_area="0px", score_threshold=other, zone=[RIGHT | {"score_threshold": of_zone}]
    )
    judge = Judge(settings)
    plain = np.full((100, 200, 3), 60, np.uint8)
    car = plain.copy()
    car[30:60, 130:170] = 220
    judge.judge("0", 0, picture_for(settings, plain))
    decision = judge.judge("1", 1, picture_for(settings, car))
    assert decision.reason == kept_as
    assert decision.score is not None
    assert decision.score.threshold == float(of_zone[:-1])
    assert decision.score.zone == "right"


def test_a_zone_has_its_own_least_area_and_the_first_of_two_counts() -> None:
    """What is too small for its zone does not count there; where zones overlap, it is the first one's."""
    areas = {"min_contour_area": "0px", "score_threshold": "0.1%"}
    zones = [LEFT | {"min_contour_area": "5000px"}, RIGHT, LEFT | {"name": "again"}]
    settings = DetectionSettings.preset("classic", **areas, zone=zones)
    plain = np.full((100, 200, 3), 60, np.uint8)
    for columns, expected in ((slice(20, 60), None), (slice(130, 170), "right")):
        judge = Judge(settings)
        car = plain.copy()
        car[30:60, columns] = 220
        judge.judge("0", 0, picture_for(settings, plain))
        score = judge.judge("1", 1, picture_for(settings, car)).score
        assert score is not None
        assert (score.zone if score.regions else None) == expected


# --- state ------------------------------------------------------------------------------------------------


@PRESETS
def test_a_restored_judge_goes_on_as_if_nothing_had_been(settings: DetectionSettings) -> None:
    """Restored after any frame it decides the same and has the same bytes, to the end."""
    frames = files(16)
    plain = Judge(settings)
    expected, states = [], []
    for number in range(len(frames)):
        expected += walk(plain, frames[: number + 1], number)
        states.append(plain.state())
    assert {decision.verdict for decision in expected} == {"kept", "dropped"}
    for cut in (1, 2, 4, 9):
        judge = Judge.restored(settings, states[cut - 1])
        assert judge.state() == states[cut - 1]
        assert walk(judge, frames, cut) == expected[cut:]
        assert judge.state() == states[-1]


IN_ANOTHER_PROCESS = """
from detect.test_judge import ADAPTIVE, CLASSIC, Judge, files, walk
from hashlib import sha256
for settings in (CLASSIC, ADAPTIVE):
    judge = Judge(settings)
    reasons = [str(decision.reason) for decision in walk(judge, files(8))]
    print(reasons, sha256(judge.state()).hexdigest())
"""


def test_an_empty_judge_and_names_of_every_kind_come_back() -> None:
    """Before its first frame, and with names that are no UTF-8, a judge is restored."""
    assert Judge.restored(CLASSIC, Judge(CLASSIC).state()).lanes == {}
    for key in ("\udcff\ud800", FileKey("a\udce4.jpg", 2**60, -(2**63))):
        judge = Judge(CLASSIC)
        judge.judge(key, -(2**70), picture_for(CLASSIC, yard(0)))
        again = Judge.restored(CLASSIC, judge.state())
        (lane,) = again.lanes.values()
        assert (lane.reference.key, lane.reference.moment.captured_at_ns) == (key, -(2**63))


def full_state(settings: DetectionSettings = ADAPTIVE) -> bytes:
    settings = settings.model_copy(update={"max_kept_per_hour": 1})
    judge = Judge(settings)
    walk(judge, [png(yard(n)) for n in (0, 3, 1)])
    assert judge.pacing.storm is not None
    return judge.state()


@PRESETS
def test_times_and_storms_are_part_of_the_state(settings: DetectionSettings) -> None:
    """A judge that is restored in a storm is in it, and still knows when it kept what."""
    settings = settings.model_copy(update={"max_kept_per_hour": 1})
    plain = Judge(settings)
    walk(plain, [png(yard(n)) for n in (0, 3, 1)])
    judge = Judge.restored(settings, full_state(settings))
    assert plain.pacing.storm is not None
    assert (judge.pacing.storm, judge.pacing.kept) == (plain.pacing.storm, plain.pacing.kept)
    assert len(judge.pacing.kept) == 1


@PRESETS
def test_the_state_of_other_pictures_is_refused(settings: DetectionSettings) -> None:
    """Bytes of another preset, another working height, or another version are a ValueError that says so."""
    data = full_state(settings)
    other = CLASSIC if settings is ADAPTIVE else ADAPTIVE
    with pytest.raises(ValueError, match="reduced by"):
        Judge.restored(other, data)
    if settings is CLASSIC:
        with pytest.raises(ValueError, match="reduced by"):
            Judge.restored(settings.model_copy(update={"working_height": 60}), data)
    with pytest.raises(ValueError, match="reduced by"):
        Judge.restored(settings, data[:10] + struct.pack("<H", 99) + data[12:])
    with pytest.raises(ValueError, match="of version 9"):
        Judge.restored(settings, data[:8] + struct.pack("<H", 9) + data[10:])


def test_every_cut_and_every_flipped_byte_is_found() -> None:
    """A state that is cut, has a byte more, or one changed anywhere is a ValueError, never another judge."""
    data = full_state()
    places = {*range(200), *range(200, len(data), 997), len(data) - 1}
    for at in places:
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]):
            with pytest.raises(ValueError, match=r"state|prepared|usual"):
                Judge.restored(ADAPTIVE, damaged)
    with pytest.raises(ValueError, match="damaged"):
        Judge.restored(ADAPTIVE, data + b"\0")


def forged(change: dict[str, Any], payload: bytes | None = None) -> bytes:
    """Return a state whose description says something else, of its one lane or all, and has its checksum."""
    data = full_state()
    tag, form, version, _, length = struct.unpack_from("<8sHHII", data)  # the length counts as content
    description = json.loads(data[20 : 20 + length])
    (lane,) = description["lanes"]
    description["lanes"] = [lane | {key: change[key] for key in lane.keys() & change.keys()}]
    description |= {key: change[key] for key in change.keys() - lane.keys()}
    text = json.dumps(description).encode()
    return sealed(tag, form, version, text, data[20 + length :] if payload is None else payload)


def sealed(tag: bytes, form: int, version: int, text: bytes, payload: bytes) -> bytes:
    rest = struct.pack("<I", len(text)) + text + payload
    return struct.pack("<8sHHI", tag, form, version, zlib.crc32(rest)) + rest


EMPTY_LANE: dict[str, Any] = {"frames": [], "previous": None, "learnt": None}
FORGERIES: dict[str, dict[str, Any]] = {
    "a billion times": {"times": 10**9},
    "a negative number of times": {"times": -1},
    "a huge picture": {"frames": [["a", [0, None], [9, 9], [2**30, 2**30, 3]]]},
    "an empty picture": {"frames": [["a", [0, None], [9, 9], [0, 5, 3]]]},
    "a picture of many dimensions": {"frames": [["a", [0, None], [9, 9], [1] * 60]]},
    "a picture of two channels": {"frames": [["a", [0, None], [9, 9], [2, 2, 2]]]},
    "no whole blocks": {"frames": [["a", [0, None], [9, 9], [2, 2, 3]]], "previous": 0},
    "a gray picture": {"frames": [["a", [0, None], [9, 9], [2, 2]]], "previous": 0},
    "no frames": {"frames": []},
    "frames of nothing": {"frames": [None]},
    "a number as frames": {"frames": 5},
    "a previous frame that is not there": {"previous": 7},
    "a negative previous frame": {"previous": -1},
    "a true previous frame": {"previous": True},
    "lanes of nothing": {"lanes": [None]},
    "a number as lanes": {"lanes": 5},
    "lanes by name": {"lanes": {"frames": []}},
    "more lanes than there can be": {"lanes": [EMPTY_LANE] * 5},
    "many lanes": {"lanes": [EMPTY_LANE] * 10_000},
    "a name that is a list": {"frames": [[["a"], [0, None], [9, 9], [1, 1, 3]]]},
    "more learnt than there is": {"learnt": 10**15},
    "learnt of text": {"learnt": "many"},
    "half a storm": {"storm": [1]},
    "a storm of words": {"storm": ["a", "b"]},
    "an endless storm": {"storm": [10**30, 0]},
    "no clock": {"clock": None},
    "a clock of another fault": {"clock": ["late", 0, None, None, None, None, None]},
    "a clock that lacks a part": {"clock": [None, 0, None, None, None, None]},
    "a clock of words": {"clock": [None, "now", None, None, None, None, None]},
    "a clock of half a stretch": {"clock": [None, 0, None, None, [1, 2], None, None]},
    "a clock beyond all times": {"clock": [None, 2**70, None, None, None, None, None]},
    "an arrival of words": {"frames": [["a", [0, "now"], [9, 9], [4, 4, 3]]], "previous": 0},
}


@pytest.mark.parametrize("change", FORGERIES.values(), ids=FORGERIES)
def test_hostile_bytes_are_refused_and_cost_no_memory(change: dict[str, Any]) -> None:
    """A description that was forged to claim anything is a ValueError, before memory is taken for it."""
    data = forged(change)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"state|adaptive"):
        Judge.restored(ADAPTIVE, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_deeply_nested_description_is_refused() -> None:
    """JSON that would exhaust the stack, or that is very long, is a ValueError as well."""
    for text in (b"[" * 100_000, b"[]" * 600_000, b"5", b"null", b"{}"):
        data = sealed(b"FGJUDGE\n", 4, DETECTOR_VERSION["adaptive"], text, bytes(10))
        with pytest.raises(ValueError, match="state"):
            Judge.restored(ADAPTIVE, data)


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_judge_or_a_value_error(data: bytes) -> None:
    """No bytes end in another exception."""
    for begin in (b"", b"FGJUDGE\n\x04\0\x02\0"):
        with pytest.raises(ValueError, match=r"state|prepared"):
            Judge.restored(ADAPTIVE, begin + data)


def test_frames_that_a_state_holds_need_not_fit_each_other() -> None:
    """A forged reference, or frame before, of another size than its frame's is no exception."""
    small, picture = ["a", [0, None], [160, 90], [4, 4, 3]], picture_for(ADAPTIVE, yard(0))
    rest = {"times": 0, "learnt": None, "storm": None}
    judge = Judge.restored(ADAPTIVE, forged({"frames": [small], "previous": 0} | rest, bytes(48)))
    assert judge.judge("b", 1, picture).reason is Reason.SIZE_CHANGED
    for previous in (small, ["a", [0, None], [9, 9], [4, 4, 3]]):
        frames = [["a", [0, None], [160, 90], [92, 160, 3]], previous]
        data = forged({"frames": frames, "previous": 1} | rest, bytes(92 * 160 * 3 + 48))
        assert Judge.restored(ADAPTIVE, data).judge("b", 1, picture).reference == "a"


def test_a_state_with_one_size_twice_is_refused() -> None:
    """Two references of one picture size are no state of a judge."""
    lane = {"frames": [["a", [0, None], [160, 90], [4, 4, 3]]], "previous": 0, "learnt": None, "torn": None}
    with pytest.raises(ValueError, match="size twice"):
        Judge.restored(ADAPTIVE, forged({"lanes": [lane] * 2, "times": 0, "storm": None}, bytes(96)))


def test_another_process_comes_to_the_same_bytes() -> None:
    """The same frames give the same decisions and the same state in a process with another hash seed."""
    tests = Path(__file__).resolve().parents[1]
    said = [
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(tests)},
            capture_output=True,
            text=True,
        )
        for seed in ("1", "2")
    ]
    assert [each.stderr for each in said] == ["", ""]
    expected = ""
    for settings in (CLASSIC, ADAPTIVE):
        judge = Judge(settings)
        reasons = [str(decision.reason) for decision in walk(judge, files(8))]
        expected += f"{reasons} {sha256(judge.state()).hexdigest()}\n"
    assert [each.stdout for each in said] == [expected, expected]

"""Whatever other lines a replay has, and however often it is done: each line decides as a camera alone."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framegate.cameras.camera import Camera
from framegate.config.detection import DetectionSettings, Preset
from framegate.config.quantities import Area, Times
from framegate.config.settings import Settings
from framegate.detect.decoding import Undecodable, decode
from framegate.detect.detector import reduced
from framegate.ingest.reading import key_of
from framegate.model import Candidate, Decision, Moment
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import NONE, Frame, Line, Replay, Start

CAMERA, START_NS, SECOND_NS = "default", 1_780_000_000 * 10**9, 10**9
SIZES = (64, 48), (48, 48)

Values = tuple[Any, ...]
"""Reason, score, threshold, zone, reference and detail."""


@cache
def palette() -> tuple[bytes, ...]:
    """Return small files: a wall with and without things on it, each twice with other noise, in two sizes."""
    chance, files = np.random.default_rng(3), []
    for width, height in SIZES:
        wall = chance.integers(60, 140, (height, width, 3)).astype(np.int16)
        for left, side, level in ((0, 0, 0), (4, 8, 230), (20, 12, 20), (8, 24, 200)):
            thing = wall.copy()
            thing[4 : 4 + side, left : left + side] = level
            for light in (1.0, 1.0, 0.6):
                noisy = thing * light + chance.normal(0, 2, thing.shape)
                files.append(cv2.imencode(".png", np.clip(noisy, 0, 255).astype(np.uint8))[1].tobytes())
    return *files, files[0][:200], b"", b"no picture"


POLYGON = [[0.0, 0.0], [0.5, 0.0], [0.5, 0.6], [0.0, 0.6]]
PARTS: tuple[dict[str, Any], ...] = (
    {},
    {"zone": [{"name": "gate", "polygon": POLYGON}]},
    {"border_mask": [0, 20, 0, 0]},
)


@st.composite
def detections(draw: st.DrawFn) -> DetectionSettings:
    """Any settings of either preset that decide: thresholds, parts, heartbeat and storm."""
    preset: Preset = draw(st.sampled_from(["adaptive", "adaptive", "classic"]))
    thresholds = {"adaptive": ("0.5x", "1x", "2.3x", "8x"), "classic": ("0%", "0.5%", "4%", "30%")}
    least = {"min_contour_area": draw(st.sampled_from(["0px", "20px"]))} if preset == "classic" else {}
    return DetectionSettings.preset(
        preset,
        score_threshold=draw(st.sampled_from(thresholds[preset])),
        keep_every=draw(st.sampled_from([None, None, "20s", "5m"])),
        max_kept_per_hour=draw(st.sampled_from([None, None, 1, 2, 4])),
        **least,
        **draw(st.sampled_from(PARTS)),
    )


SHOTS = st.lists(
    st.tuples(
        st.integers(0, len(palette()) - 1),
        st.sampled_from([1, 10, 10, 10, 30, 90, 400, 4000, 0, -5]),  # seconds since the shot before
        st.booleans(),  # whether its arrival is known
    ),
    min_size=2,
    max_size=14,
)


def settings_with(detection: DetectionSettings, folder: Path) -> Settings:
    tables = {"version": 1, "drop": {"folder": folder}, "results": {"folder": Path("/nowhere")}}
    return Settings.model_validate(tables).model_copy(update={"detection": detection})


def laid(folder: Path, shots: Sequence[tuple[int, int, bool]]) -> list[Frame]:
    """Write the shots; return their frames, in the order in which they are judged."""
    frames, at_ns = [], START_NS
    for number, (which, after_s, is_arrival_known) in enumerate(shots):
        at_ns += after_s * SECOND_NS
        file = folder / f"{number:02d}.png"
        file.write_bytes(palette()[which])
        arrived_ns = START_NS + number * 10 * SECOND_NS if is_arrival_known else None
        frames.append(Frame(Candidate(key_of(file.name, file.stat()), CAMERA, at_ns, arrived_ns)))
    return frames


def one_by_one(detection: DetectionSettings, frames: Sequence[Frame], folder: Path) -> list[Values]:
    """Return what a camera decides, with detectors of its own."""
    camera = Camera(CAMERA, detection, None)
    return [
        values(_decided(camera, detection, frame, (folder / frame.name).read_bytes())) for frame in frames
    ]


def _decided(camera: Camera, detection: DetectionSettings, frame: Frame, data: bytes) -> Decision:
    sha256, moment = (
        hashlib.sha256(data).digest(),
        Moment(frame.candidate.captured_at_ns, frame.candidate.arrived_at_ns),
    )
    picture = decode(data, detection)
    if isinstance(picture, Undecodable):
        return Decision(picture.reason, detail=picture.detail)
    repeat = camera.decide_repeat(sha256, moment)
    return repeat or camera.decide(frame.name, moment, reduced(picture, detection), sha256)


def values(decision: Decision) -> Values:
    score = decision.score
    numbers = (None, None, None) if score is None else (score.score, score.threshold, score.zone)
    return decision.reason, *numbers, decision.reference, decision.detail


def values_of(result: Replay, line: int) -> list[Values]:
    outcome = result.outcomes[line]
    found: list[Values] = []
    for number in range(len(result.frames)):
        reference, score = int(outcome.references[number]), float(outcome.scores[number])
        is_scored = not np.isnan(score)
        found.append((
            outcome.reason_of(number),
            score if is_scored else None,
            float(outcome.thresholds[number]) if is_scored else None,
            outcome.zones.get(number),
            outcome.earlier.get(number) if reference == NONE else result.frames[reference].name,
            outcome.details.get(number, ""),
        ))  # fmt: skip
    return found


def at_its_scores(detection: DetectionSettings, decided: Sequence[Values]) -> list[DetectionSettings]:
    """Return the settings with thresholds that are exactly scores which a line has found."""
    scores = sorted({score for _, score, *_ in decided if score})[:3]
    make = Times if detection.preset_name == "adaptive" else lambda score: Area(score, "%")
    return [detection.model_copy(update={"score_threshold": make(score)}) for score in scores]


@given(SHOTS, st.lists(detections(), min_size=1, max_size=4), st.booleans())
def test_lines_in_one_pass_decide_as_cameras_one_by_one(
    shots: list[tuple[int, int, bool]], lines: list[DetectionSettings], is_reversed: bool
) -> None:
    """Reasons, scores to the bit, zones and references are the same, also from the cache, and at a score."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = laid(folder, shots)
        first = one_by_one(lines[0], frames, folder)
        others = [*lines[1:], *at_its_scores(lines[0], first)]
        lines = [lines[0], *others, lines[0]]
        alone = [first, *(one_by_one(detection, frames, folder) for detection in others), first]
        if is_reversed:
            lines, alone = lines[::-1], alone[::-1]
        store = FactStore(folder / "replay.sqlite")
        for of in (slice(0, 2), slice(None), slice(None)):
            some = [Line("", settings_with(detection, folder)) for detection in lines[of]]
            result = replay(frames, some, store=store)
            assert [values_of(result, line) for line in range(len(some))] == alone[of]
        store.close()


SCHEDULED: dict[Preset, tuple[dict[str, Any], ...]] = {
    "adaptive": ({"score_threshold": "0.5x"}, {"score_threshold": "8x"}),
    "classic": ({"score_threshold": "4%"}, {"score_threshold": "0%", "blur": 0}),
}
OTHERS: tuple[dict[str, Any], ...] = (
    {"keep_every": "20s"},
    {"max_kept_per_hour": 1},
    {"max_kept_per_hour": 3},
    *PARTS[1:],
    {"ignore": []},
)


def at(after_min: int) -> str:
    """Return the local time so many minutes after the first shot."""
    return f"{datetime.fromtimestamp(START_NS // SECOND_NS + 60 * after_min).astimezone():%H:%M}"


@st.composite
def by_the_hour(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Any settings, alone and with other schedules, all by two thresholds; tables as in a config file."""
    detection = draw(detections())
    table = detection.model_dump(mode="json", by_alias=True)
    some: list[dict[str, Any]] = [*SCHEDULED[detection.preset_name], *OTHERS]
    plans: list[dict[str, Any]] = [{"detection": table, "schedule": []}]
    for names in (("early", "late"), ("other",)):
        schedules = []
        for name in names:
            begins = draw(st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True))
            hours = [f"{at(begin)}-{at(begin + draw(st.sampled_from([1, 1, 2, 1400])))}" for begin in begins]
            chosen = draw(st.sampled_from(some)) | draw(st.sampled_from(some))
            schedules.append({"name": name, "hours": hours, "detection": chosen})
        plans.append({"detection": table, "schedule": schedules})
    threshold = SCHEDULED[detection.preset_name][0]["score_threshold"]
    return [*plans, plans[1] | {"detection": table | {"score_threshold": threshold}}]


def by_hand(
    tables: dict[str, Any], frames: Sequence[Frame], folder: Path, middle: int
) -> tuple[list[tuple[Values, str | None]], Start]:
    """Return what a camera decides whose settings are edited at each hour, and what it knew in the middle."""
    everything = DetectionSettings.model_validate(tables["detection"])
    camera, kept, state = Camera(CAMERA, everything, None), list[Moment](), b""
    decided: list[tuple[Values, str | None]] = []
    before: str | None = None
    kept_by_then: tuple[Moment, ...] = ()
    for number, frame in enumerate(frames):
        if number == middle:
            state, kept_by_then = camera.state(), tuple(kept)
        moment = Moment(frame.candidate.captured_at_ns, frame.candidate.arrived_at_ns)
        data = (folder / frame.name).read_bytes()
        if isinstance(decode(data, camera.judge.settings), Undecodable):
            decided.append((values(_decided(camera, camera.judge.settings, frame, data)), None))
            continue
        name, table = hour_of(camera, moment, tables)
        if name != before:
            before, now = name, DetectionSettings.model_validate(table)
            camera.retune(now, None, name)
            pacing, most = camera.judge.pacing, now.max_kept_per_hour or 0
            pacing.restore(kept[-most:] if most else [], pacing.storm, pacing.clock)
        decision = _decided(camera, camera.judge.settings, frame, data)
        kept += [moment] if decision.reason.is_kept else []
        decided.append((values(decision), name))
    return decided, Start(state, 1, kept_by_then, middle)


def hour_of(camera: Camera, moment: Moment, tables: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the schedule and the settings for a frame, by the clock on the wall."""
    fault = camera.judge.pacing.clock.after(moment).fault
    time_ns = moment.captured_at_ns if fault is None else moment.arrived_at_ns or moment.captured_at_ns
    now = f"{datetime.fromtimestamp(time_ns // SECOND_NS).astimezone():%H:%M}"
    for schedule in tables["schedule"]:
        for begin, end in (hours.split("-") for hours in schedule["hours"]):
            if begin <= now < end or (end < begin and not end <= now < begin):
                return schedule["name"], {**tables["detection"], **schedule["detection"]}
    return None, tables["detection"]


HALF_MINUTES = st.lists(
    st.tuples(
        st.integers(0, len(palette()) - 1), st.sampled_from([30, 30, 30, 45, 60, 1000, 0, -35]), st.booleans()
    ),
    min_size=8,
    max_size=20,
)


@pytest.mark.timeout(200)
@settings(max_examples=10)
@given(HALF_MINUTES, by_the_hour(), st.data())
def test_a_schedule_decides_as_edits_at_its_hours(
    shots: list[tuple[int, int, bool]], plans: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Verdicts, scores to the bit and references: in one pass, from the cache, and on from a checkpoint."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = laid(folder, shots)
        middle = data.draw(st.integers(1, len(frames) - 1))
        places = {"version": 1, "drop": {"folder": folder}, "results": {"folder": Path("/nowhere")}}
        lines = [Line("", Settings.model_validate({**places, **tables})) for tables in plans]
        store = FactStore(folder / "replay.sqlite")
        alone = [by_hand(tables, frames, folder, middle) for tables in plans]
        for _ in ("from the pictures", "from the cache"):
            result = replay(frames, lines, store=store)
            for line, (decided, _) in enumerate(alone):
                assert values_of(result, line) == [each for each, _ in decided]
                schedules = [result.outcomes[line].schedules.get(number) for number in range(len(frames))]
                assert schedules == [schedule for _, schedule in decided]
        for own, (decided, start) in zip(lines, alone, strict=True):
            rest = [replace(frames[middle], start=start), *frames[middle + 1 :]]
            assert values_of(replay(rest, [own], store=store), 0) == [each for each, _ in decided][middle:]
        store.close()


WALL, NOISY, THING = 0, 1, 6
"""In the palette: a picture, the same with other noise, and one that shows something large."""

HOUR_S = 3600
"""A first shot that is so far ahead of its arrival is of a clock that lies."""

BY_AREA = {"preset": "classic", "score_threshold": "0%", "min_contour_area": "0px"}
BY_NOISE = {"preset": "adaptive"}


def late(begin: int = 2, **detection: Any) -> list[dict[str, Any]]:
    """Return a schedule of the second minute from the first shot, or another."""
    return [{"name": "late", "hours": [f"{at(begin)}-{at(begin + 1)}"], "detection": detection}]


@pytest.mark.parametrize(
    ("shots", "plans"),
    [
        pytest.param(
            [(WALL, 30), (NOISY, 30), (NOISY, 30)],
            [
                {"detection": BY_AREA, "schedule": late(score_threshold="4%")},
                {"detection": BY_AREA | {"score_threshold": "4%"}, "schedule": late(score_threshold="4%")},
            ],
            id="a line whose threshold stays the same knows a frame that is repeated",
        ),
        pytest.param(
            [(WALL, 30), (NOISY, 30), (THING, 30)],
            [{"detection": BY_AREA, "schedule": late(score_threshold=each)} for each in ("1%", "90%")],
            id="lines part by the threshold of the hour",
        ),
        pytest.param(
            [(WALL, 30), (NOISY, 30), (THING, 30)],
            [{"detection": BY_AREA, "schedule": late(begin, score_threshold="90%")} for begin in (2, 3)],
            id="lines of other hours are not judged together",
        ),
        pytest.param(
            [(WALL, HOUR_S), (THING, 10), (NOISY, 10)],
            [{"detection": BY_AREA, "schedule": late(0, score_threshold="90%")}],
            id="where capture times lie, the hour is that of arrival",
        ),
        pytest.param(
            [(WALL, 60), (NOISY, 30), (NOISY, 10)],
            [{"detection": BY_AREA, "schedule": late(score_threshold="4%")}],
            id="a checkpoint of an hour is gone on from by its settings",
        ),
        pytest.param(
            [(WALL, 10), (NOISY, 10), (WALL, 10), (NOISY, 10), (THING, 50)],
            [
                {"detection": BY_NOISE | {"border_mask": [0, 0, 40, 0]}},
                {"detection": BY_NOISE, "schedule": late(border_mask=[0, 0, 40, 0])},
            ],
            id="what was learnt by other areas is told apart",
        ),
    ],
)
def test_hours_that_random_ones_seldom_meet(
    tmp_path: Path, shots: list[tuple[int, int]], plans: list[dict[str, Any]]
) -> None:
    """In one pass, and on from a checkpoint before the last frame: as cameras that are edited."""
    tables = [{"schedule": [], **plan} for plan in plans]
    frames = laid(tmp_path, [(which, after_s, shots[0][1] == HOUR_S) for which, after_s in shots])
    places = {"version": 1, "drop": {"folder": tmp_path}, "results": {"folder": Path("/nowhere")}}
    lines = [Line("", Settings.model_validate({**places, **each})) for each in tables]
    store = FactStore(tmp_path / "replay.sqlite")
    last = len(frames) - 1
    result = replay(frames, lines, store=store)
    for number, each in enumerate(tables):
        decided, start = by_hand(each, frames, tmp_path, last)
        expected = [one for one, _ in decided]
        assert values_of(result, number) == expected
        on = replay([replace(frames[last], start=start)], [lines[number]], store=store)
        assert values_of(on, 0) == expected[last:]
    store.close()

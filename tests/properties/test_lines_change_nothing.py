"""Whatever other lines a replay has, and however often it is done: each line decides as a camera alone."""

import hashlib
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hypothesis import given
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
from framegate.tune.replay.outcomes import NONE, Frame, Line, Replay

CAMERA, START_NS, SECOND_NS = "default", 1_700_000_000 * 10**9, 10**9
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
            None if reference == NONE else result.frames[reference].name,
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
        lines = [*lines, *at_its_scores(lines[0], one_by_one(lines[0], frames, folder)), lines[0]]
        lines = lines[::-1] if is_reversed else lines
        alone = [one_by_one(detection, frames, folder) for detection in lines]
        store = FactStore(folder / "replay.sqlite")
        for of in (slice(0, 2), slice(None), slice(None)):
            some = [Line("", settings_with(detection, folder)) for detection in lines[of]]
            result = replay(frames, some, store=store)
            assert [values_of(result, line) for line in range(len(some))] == alone[of]
        store.close()

"""What the page is told: every camera's outcomes, packed, as one JSON document.

Frames are named by their place among their camera's frames, thresholds by their position on its slider.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framegate import __version__
from framegate.config.detection import DetectionSettings, Zone, classic_only
from framegate.config.docs import toml_value
from framegate.config.quantities import Area
from framegate.config.settings import Settings
from framegate.model import YEAR_1_S, YEAR_9999_S, Candidate, Size, Verdict, iso_utc
from framegate.tune.labels import Label
from framegate.tune.ladder import by_own_threshold, schedules_with_own
from framegate.tune.pasting import detection_table, own_table
from framegate.tune.recorded_time import recorded_time
from framegate.tune.replay.outcomes import NONE, REASONS, Frame, Outcome, Replay
from framegate.tune.report.packing import kept_since, packed, packed_json, packed_steps, score_table
from framegate.tune.report.pictures import SmallImage
from framegate.tune.report.positions import Slider
from framegate.tune.report.regions import Box

SCHEMA = 1

CLOSE_NS = 10 * 10**9
"""If all frames of a camera were taken within this time, they were copied: their times mean nothing."""


def document(
    title: str,
    replay: Replay,
    sliders: Sequence[Slider],
    settings: Settings,
    *,
    against: str | None,
    labels: Sequence[Label],
    boxes: Mapping[str, Mapping[str, list[Box]]],
    images: Mapping[int, SmallImage],
) -> dict[str, Any]:
    """Return all that the page shows but the bytes of the pictures.

    Args:
        title: of the page.
        replay, sliders: what was replayed.
        settings: in force.
        against: the name of the older config, if there is one.
        labels: what a person has said about frames.
        boxes: by camera; where frames have changed, by position and place: ``"3:17"``.
        images: by number of the frame; their bytes follow each other in this order.
    """
    offsets = _offsets(images)
    return {
        "schema": SCHEMA,
        "title": title,
        "made": iso_utc(time.time_ns()),
        "version": __version__,
        "against": against,
        "reasons": [{"name": str(reason), "verdict": str(reason.verdict)} for reason in REASONS],
        "cameras": [
            _camera(replay, slider, settings, labels, boxes.get(slider.camera, {}))
            | {"table": detection_table(own_table(slider.camera, settings))}
            | _pictures(replay.frames, slider.numbers, images, offsets)
            for slider in sliders
        ],
    }


def as_text(contents: Mapping[str, Any]) -> str:
    """Return the document as JSON that can stand inside a script element."""
    return json.dumps(contents, separators=(",", ":")).replace("<", "\\u003c")


def shown_name(name: str) -> str:
    """Return a file's name as text; bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _camera(
    replay: Replay,
    slider: Slider,
    settings: Settings,
    labels: Sequence[Label],
    boxes: Mapping[str, list[Box]],
) -> dict[str, Any]:
    numbers, positions = slider.numbers, slider.positions
    candidates = [replay.frames[number].candidate for number in numbers]
    outcomes = [position.outcome for position in positions]
    detection = settings.detection_of(slider.camera)
    schedules = schedules_with_own("score_threshold", settings, slider.camera)
    zones = _zones_of(settings, slider.camera)
    decided_by = _deciding(outcomes, numbers, zones)
    has_own = np.array([False, *(zone.score_threshold is not None for zone in zones.values())])
    scheduled = _scheduled(outcomes, numbers, schedules)
    thresholds = _table(outcomes, numbers, lambda outcome: outcome.thresholds)
    values, scores = score_table(_table(outcomes, numbers, lambda outcome: outcome.scores))
    label_of = {label.frame: label for label in labels}
    return {
        "name": slider.camera,
        "unit": slider.unit,
        "frames": len(numbers),
        "thresholds": [position.threshold for position in positions],
        "toml": [position.toml for position in positions],
        "spans": [[position.span.least, _finite(position.span.below)] for position in positions],
        "in_force": slider.in_force,
        "settings": _settings(detection) + _schedules(settings, slider.camera),
        "inexact": replay.inexact.get(slider.camera, []),
        "are_timed": _are_timed(candidates),
        "days": recorded_time([each.captured_at_ns for each in candidates]).days,
        "times": packed(np.array([each.captured_at_ns / 1e6 for each in candidates], "<f8")),
        "utc_offsets": packed(np.array([_utc_offset_min(each) for each in candidates], "<i2")),
        "sizes": packed(np.array([each.key.size_bytes for each in candidates], "<f8")),
        "names": packed("\0".join(shown_name(replay.frames[number].name) for number in numbers).encode()),
        "scores": packed_steps(scores),
        "score_values": packed(values.astype("<f8")),
        "verdicts": packed_steps(_table(outcomes, numbers, lambda outcome: outcome.reasons)),
        "references": packed_steps(np.stack([_kept_since(each, numbers) for each in outcomes], axis=1)),
        "kept_now": packed(np.packbits(slider.now.is_kept[numbers], bitorder="little")),
        "zones": [zone.name for zone in zones.values()],
        "zone_thresholds": [
            _in_unit(zone.score_threshold, thresholds[decided_by == place])
            for place, zone in enumerate(zones.values(), start=1)
        ],
        "schedules": [
            {
                "name": name,
                "threshold": _in_unit(
                    settings.detection_of(slider.camera, name).score_threshold,
                    thresholds[(scheduled == place) & ~has_own[decided_by]],
                ),
            }
            for place, name in enumerate(schedules, start=1)
        ],
        "scheduled": packed_steps(scheduled),
        "decided_by": packed_steps(decided_by),
        "labels": [
            [place, label.expected is Verdict.KEPT, label.within_s]
            for place, number in enumerate(numbers)
            if (label := label_of.get(replay.frames[number].name)) is not None
        ],
        "boxes": packed_json(boxes),
    }


def _table(outcomes: Sequence[Outcome], numbers: Sequence[int], column: Any) -> NDArray[Any]:
    """Return one column of outcomes as a table (frames, positions)."""
    return np.stack([column(outcome)[numbers] for outcome in outcomes], axis=1)


def _zones_of(settings: Settings, camera: str) -> dict[tuple[str | None, str], Zone]:
    """Return the zones by which frames may be judged, by their names and the schedule that sets them."""
    setting = (None, *schedules_with_own("zone", settings, camera))
    return {(by, zone.name): zone for by in setting for zone in settings.detection_of(camera, by).zone}


def _deciding(
    outcomes: Sequence[Outcome], numbers: Sequence[int], zones: Mapping[tuple[str | None, str], Zone]
) -> NDArray[np.uint16]:
    """Return which zone decided, from 1 on; 0 for the rest of the picture: (frames, positions)."""
    table = np.zeros((len(numbers), len(outcomes)), np.uint16)
    place_of = {key: place for place, key in enumerate(zones, start=1)}
    place_of_number = {number: place for place, number in enumerate(numbers)}
    for position, outcome in enumerate(outcomes):
        for number, zone in outcome.zones.items():
            if number in place_of_number:
                by = outcome.schedules.get(number), zone
                table[place_of_number[number], position] = place_of.get(by) or place_of.get((None, zone), 0)
    return table


def _scheduled(
    outcomes: Sequence[Outcome], numbers: Sequence[int], schedules: Sequence[str]
) -> NDArray[np.uint16]:
    """Return which schedule's own threshold counted, from 1 on; 0 for the one tried: (frames, positions)."""
    table = np.zeros((len(numbers), len(outcomes)), np.uint16)
    place_of = {name: place for place, name in enumerate(schedules, start=1)}
    for position, outcome in enumerate(outcomes if schedules else ()):
        by = by_own_threshold(outcome)
        table[:, position] = [place_of.get(by.get(number, ""), 0) for number in numbers]
    return table


def _in_unit(own: Area | float | None, counted: NDArray[np.float64]) -> float | None:
    """Return a threshold of its own in the camera's unit; None if there is none.

    Args:
        own: of a zone or a schedule.
        counted: what frames were held against by it: pixels are the share of the picture that most of them
            say. None of them: then pixels have no share.
    """
    if isinstance(own, Area) and own.unit == "px":
        counted = counted[np.isfinite(counted)]
        return float(np.median(counted)) if counted.size else None
    return own.value if isinstance(own, Area) else own


def _kept_since(outcome: Outcome, numbers: Sequence[int]) -> NDArray[np.uint16]:
    place_of = np.full(len(outcome.references) + 1, NONE, np.int32)
    place_of[numbers] = np.arange(len(numbers))  # the last one, at NONE, stays
    return kept_since(place_of[outcome.references[numbers]], outcome.is_kept[numbers])


def _offsets(images: Mapping[int, SmallImage]) -> dict[int, int]:
    """Return where each picture begins among the bytes of all."""
    offsets, end = {}, 0
    for number, image in images.items():
        offsets[number] = end
        end += len(image.webp)
    return offsets


def _pictures(
    frames: Sequence[Frame],
    numbers: Sequence[int],
    images: Mapping[int, SmallImage],
    offsets: Mapping[int, int],
) -> dict[str, Any]:
    """Return where the pictures of one camera's frames begin and end, and the sizes of the frames."""
    assert frames
    places = [(offsets[n], len(images[n].webp)) if n in images else (0, 0) for n in numbers]
    sizes = {images[number].source_size for number in numbers if number in images}
    kinds: list[Size] = sorted(sizes)
    kind_of = [kinds.index(images[number].source_size) if number in images else 0 for number in numbers]
    return {
        "picture_sizes": kinds,
        "picture_size_of": packed(np.array(kind_of, "<u2")),
        "pictures": packed(np.array(places, "<u4").reshape(-1, 2)),
    }


def _settings(detection: DetectionSettings) -> list[list[str]]:
    """Return the settings of a camera as they stand in a config file, but those it does not use."""
    unused = classic_only() if detection.preset_name == "adaptive" else frozenset()
    values = detection.model_dump(by_alias=True, exclude={*unused, "ignore", "zone"})
    listed = [[key, toml_value(value)] for key, value in values.items() if value is not None]
    areas = {
        "ignore": [area.name for area in detection.ignore],
        "zone": [zone.name for zone in detection.zone],
    }
    return listed + [[key, toml_value(names)] for key, names in areas.items() if names]


def _schedules(settings: Settings, camera: str) -> list[list[str]]:
    """Return when other settings count for a camera; the slider leaves those as they are."""
    return [
        [f"schedule.{each.name}", f"{each.in_words}: {toml_value(each.detection.model_dump(mode='json'))}"]
        for each in settings.schedules_of(camera)
    ]


def _are_timed(candidates: Sequence[Candidate]) -> bool:
    times = [candidate.captured_at_ns for candidate in candidates]
    return max(times) - min(times) > CLOSE_NS


def _utc_offset_min(candidate: Candidate) -> int:
    """Return what this machine's clocks show more than UTC at a frame's time, in minutes."""
    second = min(max(candidate.captured_at_ns // 10**9, YEAR_1_S), YEAR_9999_S)
    try:
        return time.localtime(second).tm_gmtoff // 60
    except (OverflowError, ValueError, OSError):
        return 0


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None

"""Makes the page: what is on the line at each threshold, its regions, the pictures, the file."""

import base64
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from framegate.config.settings import Settings
from framegate.model import Reason
from framegate.pages.assembling import page_in, sha256_of
from framegate.tune.labels import Label
from framegate.tune.ladder import by_own_threshold
from framegate.tune.replay.outcomes import NONE, REASONS, Replay
from framegate.tune.report.contents import as_text, document
from framegate.tune.report.pictures import SmallImage, small_images
from framegate.tune.report.positions import Position, Slider, sliders_of
from framegate.tune.report.regions import Box, Comparison, regions_of

ON_THE_LINE = 3
"""Frames shown on each side of a threshold: the weakest that are kept, the strongest that are dropped."""

SCRIPTS = (
    "dates", "camera", "scheduled", "state", "bench", "axis", "marks", "timeline", "pictures", "sheet",
    "days", "labels", "viewer", "looks", "page",
)  # fmt: skip
"""Files of the page's script, in their order; before them stands what all pages share."""

Progress = Callable[[int], None]
"""Called with the number of frames that are done since the last call; it may be negative."""


def boxes_of(
    replay: Replay, settings: Settings, progress: Progress = lambda _frames: None
) -> dict[str, dict[str, list[Box]]]:
    """Return where the frames on the line have changed: by camera, then by position and place, as ``"3:17"``.

    Args:
        replay, settings, progress: as for ``page_of``.

    Raises:
        OSError: a mask cannot be read.
        ValueError: a mask is not a picture.
        MemoryError: there is too little memory.
    """
    return {slider.camera: _boxes(replay, slider, settings, progress) for slider in sliders_of(replay)}


def page_of(
    title: str,
    replay: Replay,
    settings: Settings,
    *,
    most_bytes: int,
    boxes: Mapping[str, Mapping[str, list[Box]]],
    against: str | None = None,
    labels: Sequence[Label] = (),
    progress: Progress = lambda _frames: None,
) -> str:
    """Return the page as HTML.

    Args:
        title: of the page.
        replay: of the lines that ``positions.lines_of`` gives for these settings; at least one frame.
        settings: in force. The frames' files are read once more, for their pictures.
        boxes: where frames have changed, as ``boxes_of`` finds it.
        most_bytes: of the page. If that is too small for any picture, it has none, and may be larger.
        against: the name of the older config among the lines, if there is one.
        labels: what a person has said about frames.
        progress: see ``Progress``.

    Raises:
        MemoryError: there is too little memory.
    """
    sliders = sliders_of(replay)

    def page(images: Mapping[int, SmallImage]) -> str:
        contents = document(
            title, replay, sliders, settings,
            against=against, labels=labels, boxes=boxes, images=images,
        )  # fmt: skip
        return filled(title, contents, b"".join(image.webp for image in images.values()))

    order = list(_in_order_of_use(replay, sliders))
    frames = [replay.frames[number] for number in order]
    longest = {number: SmallImage(b"", (0, 0)) for number in order}
    room = max(0, most_bytes - len(page(longest)) - 6 * len(order)) * 3 // 4  # of base64; 6 a picture's place
    images = small_images(frames, settings.drop, room, progress)
    return page({order[place]: image for place, image in images.items()})


def filled(title: str, contents: Mapping[str, Any], pictures: bytes) -> str:
    """Return the page's template with all that belongs into it."""
    page = page_in(files("framegate.tune.report") / "page", SCRIPTS)
    return page.filled(
        {
            "title": html.escape(title),
            "script_hash": sha256_of(page.script),
            "data": as_text(contents),
            "pictures": base64.b64encode(pictures).decode(),
        }
    )


def on_the_line(slider: Slider, position: Position) -> list[int]:
    """Return the frames next to a threshold: the weakest that are kept, then the strongest that are dropped.

    They are those that the page shows: of equal scores the first, and none whose score did not decide, or was
    held against a schedule's own threshold.
    """
    outcome, scheduled = position.outcome, by_own_threshold(position.outcome)
    numbers = np.array([number for number in slider.numbers if number not in scheduled], int)
    weakest = numbers[outcome.reasons[numbers] == REASONS.index(Reason.CHANGED)]
    strongest = numbers[outcome.reasons[numbers] == REASONS.index(Reason.UNCHANGED)]
    strongest = strongest[outcome.scores[strongest] > 0]
    weakest = weakest[np.argsort(outcome.scores[weakest], kind="stable")]
    strongest = strongest[np.argsort(-outcome.scores[strongest], kind="stable")]
    return [*weakest[:ON_THE_LINE].tolist(), *strongest[:ON_THE_LINE].tolist()]


def _boxes(replay: Replay, slider: Slider, settings: Settings, progress: Progress) -> dict[str, list[Box]]:
    """Return where the frames on the line have changed, by position and place."""
    place_of = {number: place for place, number in enumerate(slider.numbers)}
    wanted = {
        f"{at}:{place_of[number]}": Comparison(number, position.outcome)
        for at, position in enumerate(slider.positions)
        for number in on_the_line(slider, position)
        if position.outcome.references[number] != NONE
    }
    found = regions_of(
        slider.camera,
        replay.frames,
        slider.numbers,
        list(wanted.values()),
        settings=settings,
        progress=progress,
    )
    keys = list(wanted)
    return {keys[place]: boxes for place, boxes in found.items()}


def _in_order_of_use(replay: Replay, sliders: Sequence[Slider]) -> Iterator[int]:
    """Yield all frames, those first whose pictures matter most.

    They are those on the line at some threshold, and what they are compared with; then all others, by the
    highest threshold that keeps them.
    """
    order: dict[int, None] = {}
    for slider in sliders:
        for position in slider.positions:
            for number in on_the_line(slider, position):
                order[number] = None
                if (reference := int(position.outcome.references[number])) != NONE:
                    order[reference] = None
    highest = np.full(len(replay.frames), -1.0)
    for slider in sliders:
        for at, position in enumerate(slider.positions):
            kept = np.array(slider.numbers)[position.outcome.is_kept[slider.numbers]]
            highest[kept] = at / len(slider.positions)
    order.update(dict.fromkeys(np.argsort(-highest, kind="stable").tolist()))
    yield from order

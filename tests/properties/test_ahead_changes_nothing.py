"""Whatever is examined ahead, in whatever order it is ready: the same verdicts, rows, results and state."""

import os
import random
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import Bench
from framegate.ahead import Ahead
from framegate.commands.demo.scene import Lot
from framegate.config.settings import Settings
from framegate.examining import Examined
from invariants import ledger_rows
from pools import Lazy
from running import Site

CAMERAS = ("a", "b")
EDITS: tuple[dict[str, object], ...] = (
    {"preset": "classic", "min_contour_area": "50px", "score_threshold": "0.5%"},
    {"preset": "classic", "min_contour_area": "50px", "score_threshold": "0.5%", "working_height": 60},
    {"preset": "classic", "min_contour_area": "50px", "score_threshold": "3%", "blur": 0},
    {"preset": "adaptive"},
    {"preset": "adaptive", "border_mask": [0, 30, 0, 0]},
    {"preset": "adaptive", "score_threshold": "1.5x", "max_kept_per_hour": 2},
)


@cache
def palette() -> tuple[bytes, ...]:
    """Return files of all kinds: quiet, changed, dark, of another size, gray, damaged, cut, no picture."""
    chance, lot = np.random.default_rng(7), Lot(width=320, height=180)
    quiet = [lot.jpeg() for _ in range(2)]
    lot.parked = {1: 2, 3: 1}
    changed = lot.jpeg()
    pixels = cv2.imdecode(np.frombuffer(changed, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    others = (pixels // 3, pixels[:90], cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), pixels[:, ::-1])
    noise = chance.integers(0, 255, (40, 60, 3), np.uint8)
    encoded = [cv2.imencode(".png", each)[1].tobytes() for each in (*others, noise)]
    return (
        *quiet,
        changed,
        *encoded,
        changed[:2000],
        changed[:6000] + bytes(400) + changed[6400:],
        b"no picture",
    )


def laid(site: Site, files: Sequence[int]) -> None:
    """Lay files into the drop folder, of two cameras by turns."""
    site.configure(drop="camera_pattern = '^(?P<camera>[ab])'", min_free="0B")
    for number, which in enumerate(files):
        path = site.drop / f"{CAMERAS[which % 3 == 1]}_{number:03}.jpg"
        path.write_bytes(palette()[which])
        os.utime(path, ns=(10**9 * (1_700_000_000 + 60 * number),) * 2)


def edited(before: Settings, which: int) -> Settings:
    """Return settings with another table of detection settings."""
    return Settings.model_validate(before.model_dump(by_alias=True) | {"detection": EDITS[which]})


def judged(
    files: Sequence[int], edits: Mapping[int, int], choose: Callable[[int], int] | None, most_frames: int
) -> tuple[object, ...]:
    """Judge files with a pool; return all that came of it.

    Args:
        files: which of the palette.
        edits: before which file the settings are edited, and to which.
        choose: which of the waiting frames is examined next; None for real threads.
        most_frames: examined ahead.
    """
    with tempfile.TemporaryDirectory() as home:
        site = Site(Path(home))
        laid(site, files)
        box = Bench(site)
        pool = None if choose is None else Lazy(choose)
        with (
            closing(box.ledger),
            closing(Ahead(box.pipeline.examine, box.settings, pool=pool, most_frames=most_frames)) as ahead,
        ):
            candidates = box.candidates()
            for number, candidate in enumerate(candidates):
                if number in edits:
                    box.pipeline.make_durable()
                    box.pipeline.retune(edited(box.settings, edits[number]))
                    ahead.retune(edited(box.settings, edits[number]))
                examined = ahead.take(candidate, candidates[number + 1 :])
                assert isinstance(examined, Examined)
                box.pipeline.decide(examined)
                if box.pipeline.is_group_due:
                    box.pipeline.make_durable()
            box.pipeline.make_durable()
            box.pipeline.flush()
            learnt = repr([box.ledger.memory_of(camera) for camera in CAMERAS])
            details = [event.entry.detail for event in box.decided]
        rows = [(row.name, row.reason, row.sha256, row.result) for row in ledger_rows(site)]
        return box.numbers(), box.said, details, rows, re.sub(r"ctime_ns=\d+", "", learnt), site.kept_bytes()


FILES = st.lists(st.integers(0, 10), min_size=2, max_size=12)
PLACED = st.dictionaries(st.integers(0, 11), st.integers(0, len(EDITS) - 1), max_size=3)


@given(FILES, PLACED, st.integers(1, 8), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_frames_that_are_ready_in_any_order_become_what_they_become_one_by_one(
    files: list[int], edits: dict[int, int], most_frames: int, chance: random.Random
) -> None:
    """Pools of 1 to 8 frames, any order of finishing, live edits between: nothing differs."""
    one_by_one = judged(files, edits, None, 0)
    assert judged(files, edits, chance.randrange, most_frames) == one_by_one


@pytest.mark.parametrize("most_frames", range(1, 9))
def test_real_threads_change_nothing(most_frames: int) -> None:
    """The same of frames that threads examine: all kinds, several times, with edits between."""
    chance = random.Random(most_frames)
    files = [chance.randrange(11) for _ in range(40)]
    edits = {number: chance.randrange(len(EDITS)) for number in range(3, 40, 7)}
    assert judged(files, edits, None, most_frames) == judged(files, edits, None, 0)

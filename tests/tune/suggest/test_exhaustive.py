"""Real frames, and every threshold that can decide otherwise: none comes nearer than the suggested one."""

import os
from pathlib import Path

import pytest

from framegate.config.settings import DropSettings, ResultsSettings, Settings
from framegate.detect.adaptive.places import as_times
from framegate.ingest.sweeping import candidates_of
from framegate.tune.ladder import RUNGS, with_threshold
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import Frame, Line
from framegate.tune.suggest.choosing import choose
from framegate.tune.suggest.goals import Amount
from framegate.tune.suggest.listing import Listing
from framegate.tune.suggest.trial import Trial
from framegate.tune.suggest.tried import LEAST, MOST

TIMES = ("%Y-%m-%d_%H_%M_%S", "%Y-%m-%dT%H_%M_%S", "mtime")

CODES = range(-8 * 64, 10 * 64)
"""Scores are such codes: 64 steps an octave, from a 256th of the usual to a thousand times as much. Between
two of them no threshold decides otherwise."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


SETS = ["lot_empty", "highway/input"]
if os.environ.get("FRAMEGATE_EXHAUSTIVE"):
    SETS += ["webcam_day", "office/input"]


@pytest.mark.parametrize("name", SETS)
def test_the_nearest_outcome_that_exists_is_suggested(shared_data: Path, tmp_path: Path, name: str) -> None:
    """Of real frames, for every number of them: no threshold at all comes nearer than the suggestion."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, file in enumerate(sorted((shared_data / name).glob("*.jpg"))):
        copy = folder / file.name
        copy.write_bytes(file.read_bytes())
        os.utime(copy, (1_700_000_000 + 300 * number,) * 2)
    drop, results = DropSettings(folder=str(folder), capture_time=TIMES), ResultsSettings(folder="/results")
    settings = Settings(version=1, drop=drop, results=results)
    frames = [Frame(candidate) for candidate in candidates_of(settings)]
    store = FactStore(tmp_path / "facts.sqlite")
    trial = Trial("default", settings, frames, lambda each, lines: replay(each, lines, store=store))
    everything = [as_times(code) for code in CODES]
    kept: set[int] = set()
    for start in range(0, len(everything), 64):
        lines = [Line("each", with_threshold(settings, each)) for each in everything[start : start + 64]]
        kept |= {int(outcome.is_kept.sum()) for outcome in replay(frames, lines, store=store).outcomes}

    for wanted in range(1, len(frames) + 1):
        listing = Listing(trial.tried)
        listing.add([LEAST["x"], *RUNGS["x"], MOST["x"]])
        choice = choose(listing, Amount("frames", wanted, 0.5), "x", 10_000)
        assert abs(choice.tried.kept - wanted) == min(abs(each - wanted) for each in kept), wanted
        assert choice.is_nearest
    (again,) = trial.tried([choice.threshold])
    assert again.outcome.reasons.tolist() == choice.tried.outcome.reasons.tolist()
    store.close()

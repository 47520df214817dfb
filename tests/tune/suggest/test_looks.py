from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Judged, Outcome, figures
from benchmarks.sets import FrameSet, all_sets
from framegate.config.settings import DropSettings, ResultsSettings, Settings
from framegate.ingest.sweeping import candidates_of
from framegate.tune.ladder import RUNGS, ladder
from framegate.tune.replay.engine import replay
from framegate.tune.replay.outcomes import NONE, Frame, Replay
from framegate.tune.suggest.looks import (
    LOOKS,
    MOST_ASKED,
    Answer,
    contradictions,
    found,
    possible,
    question,
)

RUNGS_X = RUNGS["x"]
FRAMES = 300
SCORES = np.tile(np.geomspace(0.5, 120, FRAMES), (len(RUNGS_X), 1))
"""As if all rungs compared alike, with a frame at every score."""


def asked(wanted_above: float, wrong: tuple[int, ...] = (), unsaid: tuple[int, ...] = ()) -> list[Answer]:
    """Answer until nothing is asked any more: wanted are scores above a number, but for some lies."""
    answers: list[Answer] = []
    while (next_one := question(SCORES, RUNGS_X, answers)) is not None:
        score = float(SCORES[next_one.rung, next_one.frame])
        truth = (score > wanted_above) != (len(answers) in wrong)
        answers.append(Answer(next_one.frame, score, None if len(answers) in unsaid else truth))
    return answers


@given(st.floats(1.05, 95))
def test_six_looks_find_any_threshold(wanted_above: float) -> None:
    """Whatever somebody wants, after six answers the found rung is at most one from the nearest one."""
    answers = asked(wanted_above)
    assert len(answers) == LOOKS
    nearest = int(np.argmin(np.abs(np.log(np.array(RUNGS_X) / wanted_above))))
    assert abs(found(RUNGS_X, answers) - nearest) <= 1


@given(st.floats(1.05, 95), st.sets(st.integers(0, 8)))
def test_who_cannot_say_is_asked_about_another_frame(wanted_above: float, unsaid: set[int]) -> None:
    """No frame is asked about twice, and there is an end also for somebody who cannot say."""
    answers = asked(wanted_above, unsaid=tuple(unsaid))
    assert len({answer.frame for answer in answers}) == len(answers) <= MOST_ASKED
    said = [answer for answer in answers if answer.is_wanted is not None]
    assert contradictions(possible(RUNGS_X, answers).least, said) == 0


def test_answers_that_contradict_each_other_leave_what_contradicts_fewest() -> None:
    """One wrong answer among agreeing ones moves nothing: the range is where fewest disagree."""
    answers = [Answer(0, 3.0, True), Answer(1, 5.0, True), Answer(2, 2.0, False), Answer(3, 2.2, False)]
    right = possible(RUNGS_X, answers)
    assert possible(RUNGS_X, [*answers, Answer(4, 20.0, False)]) == right
    assert possible(RUNGS_X, [*answers, Answer(5, 10.0, None)]) == right
    assert (right.least, right.below) == (2.2, 3.0)


def test_nothing_is_asked_where_nothing_was_compared() -> None:
    """Frames that were compared with nothing, and pictures that are equal, are no questions."""
    scores = np.full((len(RUNGS_X), 5), np.nan)
    scores[:, 3] = 0.0
    assert question(scores, RUNGS_X, []) is None


def at(folder: Path) -> Settings:
    drop, results = DropSettings(folder=str(folder)), ResultsSettings(folder="/results")
    return Settings(version=1, drop=drop, results=results)


def looked_at(frames: FrameSet, replayed: Replay) -> tuple[list[Answer], int]:
    """Answer by the truth; return the answers, and the rung that was found."""
    names = [frame.name for frame in replayed.frames]
    scores = np.array([outcome.scores for outcome in replayed.outcomes])
    answers: list[Answer] = []
    while (next_one := question(scores, RUNGS_X, answers)) is not None:
        reference = names[replayed.outcomes[next_one.rung].references[next_one.frame]]
        truth = frames.changed(reference, names[next_one.frame])
        answers.append(Answer(next_one.frame, float(scores[next_one.rung, next_one.frame]), truth))
    return answers, found(RUNGS_X, answers)


def judged(frames: FrameSet, replayed: Replay, rung: int) -> tuple[float, float]:
    """Return recall and false keeps of a rung."""
    outcome, names = replayed.outcomes[rung], [frame.name for frame in replayed.frames]
    references = [None if number == NONE else names[number] for number in outcome.references.tolist()]
    kept, scores = outcome.is_kept.tolist(), outcome.scores.tolist()
    of_frames = [Judged(*each) for each in zip(names, references, scores, kept, strict=True)]
    got = figures([Outcome(frames, of_frames)])
    assert got.recall is not None
    assert got.false_keeps is not None
    return got.recall, got.false_keeps


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "recall", "false_keeps"), [("office", 0.95, 0.05), ("highway", 0.95, 0.5)])
def test_six_looks_with_a_human_s_truth(
    shared_data: Path, tmp_path: Path, name: str, recall: float, false_keeps: float
) -> None:
    """Asked about real frames, with masks drawn by people as answers, it finds what changed.

    Of the highway only two frames show no change from the one before them that was kept.
    """
    frames = next(each for each in all_sets(shared_data, tmp_path) if each.name == name)
    replayed = replay([Frame(each) for each in candidates_of(at(frames.folder))], ladder(at(frames.folder)))
    answers, rung = looked_at(frames, replayed)
    assert sum(answer.is_wanted is not None for answer in answers) <= LOOKS
    got = judged(frames, replayed, rung)
    assert got[0] >= recall
    assert got[1] <= false_keeps

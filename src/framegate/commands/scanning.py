"""Judges all frames of a folder once, in the order of their capture times, as the daemon would."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from framegate.ahead import Ahead
from framegate.config.settings import Settings
from framegate.events.base import Listener, LogEvent, emitter
from framegate.events.frames import FrameDecided
from framegate.examining import Examined
from framegate.keep.delivery import NoDelivery, ResultsFolder
from framegate.keep.run_ledger import RunLedger
from framegate.model import Candidate, Decision, NotYet, Reason, Unsettled, Verdict
from framegate.pipeline import Pipeline

TRIES = 3
"""How often a file that changes during the scan is read before it is rejected."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a scan; ``seen`` is the sum of the other three."""

    seen: int
    kept: int
    dropped: int
    rejected: int
    seconds: float


def scan(
    settings: Settings, candidates: Iterable[Candidate], listener: Listener, *, dry_run: bool = False
) -> Summary:
    """Judge candidates in their order and copy those that differ; delete and overwrite nothing.

    Args:
        settings: the settings to judge by. The state folder is not used: nothing is remembered, so a second
            scan makes the same decisions and finds its results already there.
        candidates: as ``candidates_of`` returns them.
        listener: gets every event.
        dry_run: copy nothing.

    Raises:
        SinkError: a result cannot be written; earlier ones stay.
    """
    started_s = time.perf_counter()
    tally: Counter[Verdict] = Counter()

    def count(event: LogEvent) -> None:
        if isinstance(event, FrameDecided):
            tally[event.entry.reason.verdict] += 1

    results = ResultsFolder(Path(settings.results.folder), settings.results.min_free)
    deliverer = NoDelivery() if dry_run else results
    pipeline = Pipeline(settings, deliverer, RunLedger(settings), emitter([count, listener]))
    with closing(Ahead(pipeline.examine, settings)) as ahead:
        judge_all(candidates, pipeline, ahead)
    seconds = time.perf_counter() - started_s
    return Summary(
        tally.total(), tally[Verdict.KEPT], tally[Verdict.DROPPED], tally[Verdict.REJECTED], seconds
    )


def judge_all(candidates: Iterable[Candidate], pipeline: Pipeline, ahead: Ahead) -> None:
    """Judge candidates in their order, each to its verdict, and make all of them durable.

    Raises:
        SinkError: a result cannot be written; earlier ones stay.
    """
    for candidate, following in _with_following(candidates, ahead.most_frames):
        outcome = pipeline.decide(_settled(ahead.take(candidate, following), pipeline))
        if isinstance(outcome, Unsettled):
            pipeline.decide(_settled(outcome, pipeline))
        if pipeline.is_group_due:
            pipeline.make_durable()
    pipeline.make_durable()


def _with_following(
    candidates: Iterable[Candidate], most: int
) -> Iterator[tuple[Candidate, Sequence[Candidate]]]:
    """Yield each candidate with those that follow it, ``most`` at most."""
    window: deque[Candidate] = deque()
    for candidate in candidates:
        window.append(candidate)
        if len(window) > most:
            yield window.popleft(), window
    while window:
        yield window.popleft(), window


def _settled(examined: Examined | Unsettled, pipeline: Pipeline) -> Examined:
    """Examine a file that is not settled again, a few times; then reject it, as a scan has no later try."""
    for _ in range(TRIES):
        if isinstance(examined, Examined):
            return examined
        if examined.why is not NotYet.CHANGED:
            break
        examined = pipeline.examine(replace(examined.candidate, key=examined.key))
    assert isinstance(examined, Unsettled)
    is_ours = examined.why is NotYet.UNREADABLE
    reason = Reason.UNREADABLE if is_ours else Reason.TRUNCATED
    detail = examined.detail or "it changed each time while it was read"
    return Examined(examined.candidate, time.perf_counter(), rejection=Decision(reason, detail=detail))

"""The daemon's pipeline over a folder of frames that does not change: each is judged once, in order."""

import csv
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from framegate.config.settings import Settings
from framegate.events.base import Listener, LogEvent, emitter
from framegate.events.frames import FrameDecided
from framegate.ingest.names import NameRules
from framegate.ingest.sweeping import frames_of
from framegate.keep.delivery import NoDelivery, ResultsFolder
from framegate.keep.ledger import Ledger
from framegate.model import Candidate, Decision, NotYet, Reason, Unsettled, Verdict, iso_utc
from framegate.pipeline import Examined, Pipeline

AHEAD = 8
"""Frames read and decoded ahead of the one that is judged; 8 of 1080p are 16 MB."""

TRIES = 3
"""How often a file that changes during the scan is read before it is rejected."""

STATS_COLUMNS = (
    "frame", "camera", "captured_at", "reference", "score_percent", "threshold_percent", "verdict", "reason",
    "score_px", "region_count", "result", "detail",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a scan; ``seen`` is the sum of the other three."""

    seen: int
    kept: int
    dropped: int
    rejected: int
    seconds: float


def candidates_of(
    settings: Settings, skipped: Callable[[str, OSError], None] = lambda _name, _error: None
) -> list[Candidate]:
    """List the drop folder's frames in the order in which they will be judged.

    Args:
        settings: the folder, and what counts as a frame.
        skipped: called for each folder inside that may not be listed.
    """
    rules = NameRules(settings.drop)
    drop = Path(settings.drop.folder)
    recursive = settings.drop.recursive
    found = (rules.candidate(key) for key in frames_of(drop, rules, recursive=recursive, skipped=skipped))
    return sorted(found, key=lambda candidate: (candidate.order, candidate.key))


def scan(
    settings: Settings, candidates: Iterable[Candidate], listener: Listener, *, dry_run: bool = False
) -> Summary:
    """Judge candidates in their order and deliver the unique ones; delete and overwrite nothing.

    Args:
        settings: the snapshot to judge by. Its state folder is not used: a scan remembers nothing, so a
            second one decides the same and finds its results already there.
        candidates: see ``candidates_of``.
        listener: gets every verdict.
        dry_run: deliver nothing.

    Raises:
        SinkError: a result cannot be written; those before it stay.
    """
    started_s = time.perf_counter()
    tally: Counter[Verdict] = Counter()

    def count(event: LogEvent) -> None:
        if isinstance(event, FrameDecided):
            tally[event.entry.reason.verdict] += 1

    results = ResultsFolder(Path(settings.results.folder), settings.results.min_free)
    deliverer = NoDelivery() if dry_run else results
    with closing(Ledger(None)) as ledger:
        pipeline = Pipeline(settings, deliverer, ledger, emitter([count, listener]))
        for examined in _ahead(candidates, pipeline.examine):
            outcome = pipeline.conclude(_settled(examined, pipeline))
            if isinstance(outcome, Unsettled):
                pipeline.conclude(_settled(outcome, pipeline))
    seconds = time.perf_counter() - started_s
    return Summary(
        tally.total(), tally[Verdict.KEPT], tally[Verdict.DROPPED], tally[Verdict.REJECTED], seconds
    )


def stats_listener(file: IO[str]) -> Listener:
    """Return a listener that writes a CSV row for every frame, kept or not, for choosing thresholds."""
    writer = csv.writer(file)
    writer.writerow(STATS_COLUMNS)

    def listen(event: LogEvent) -> None:
        if isinstance(event, FrameDecided):
            writer.writerow(_stats_row(event))

    return listen


def _stats_row(event: FrameDecided) -> tuple[object, ...]:
    entry, score = event.entry, event.score
    return (
        entry.key.name,
        entry.camera,
        iso_utc(entry.captured_at_ns),
        entry.reference,
        _number(entry.score_percent),
        _number(entry.threshold_percent),
        entry.reason.verdict,
        entry.reason,
        None if score is None else score.score_px,
        None if score is None else len(score.regions),
        entry.result,
        entry.detail,
    )


def _number(value: float | None) -> float | None:
    """Round to a fiftieth of a pixel of a 4K picture: exact for comparison, short for the eye."""
    return None if value is None else round(value, 9)


def _ahead(
    candidates: Iterable[Candidate], examine: Callable[[Candidate], Examined | Unsettled]
) -> Iterator[Examined | Unsettled]:
    """Examine candidates in threads, a bounded number ahead; yield the outcomes in the candidates' order."""
    workers = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="examine") as pool:
        ahead: deque[Future[Examined | Unsettled]] = deque()
        for candidate in candidates:
            ahead.append(pool.submit(examine, candidate))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _settled(examined: Examined | Unsettled, pipeline: Pipeline) -> Examined:
    """Try again a few times, then reject: a scan has no later time at which the file could be read."""
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

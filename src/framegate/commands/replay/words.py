"""What ``framegate replay`` prints for people."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from framegate.commands.replay.found import Check, Found, Wanted, counts_of_side
from framegate.commands.scan import printable
from framegate.commands.source import beginnings
from framegate.config.quantities import comparison
from framegate.tune.counts import Counts
from framegate.tune.differences import Difference, Judged
from framegate.tune.labels import Failure
from framegate.tune.replay.outcomes import Replay, begun_of

SHOWN = 10
"""Frames, and days, that are shown without ``--list``."""


def in_words(found: Found, wanted: Wanted) -> Iterator[str]:
    """Yield the lines."""
    after, before = counts_of_side(found.after), {} if found.before is None else counts_of_side(found.before)
    yield from _table(_camera_rows(before, after, found))
    days = [*_day_rows(before, after, has_before=found.before is not None)]
    if len(days) - 1 > len(after):  # else the table above says it all
        yield ""
        yield from _table(days if wanted.is_list else days[: SHOWN + 1])
        yield from _left_out(len(days) - 1, "days", wanted)
    yield ""
    yield from beginnings(found.after.replay.frames)
    yield from _exactness(found.after.replay)
    yield from (_change_in_words(change) for change in found.changes[: None if wanted.is_list else SHOWN])
    yield from _left_out(len(found.changes), "gained and lost frames", wanted)
    if found.check is not None:
        yield from _check_in_words(found.check, wanted)


def _camera_rows(
    before: Mapping[str, Counts], after: Mapping[str, Counts], found: Found
) -> Iterator[Sequence[str]]:
    has_before = found.before is not None
    gained = Counter(change.camera for change in found.changes if change.is_gained)
    lost = Counter(change.camera for change in found.changes if not change.is_gained)
    yield (
        "camera",
        "frames",
        "days",
        "kept",
        *(("gained", "lost") if has_before else ()),
        "a day",
        "MB a day",
    )
    for camera in sorted({*before, *after}):
        sides = [side.get(camera, Counts()) for side in ((before, after) if has_before else (after,))]
        changes = (str(gained[camera]), str(lost[camera])) if has_before else ()
        yield (
            printable(camera),
            str(sides[-1].frames),
            f"{sides[-1].days:.1f}",
            _was_now(str(side.kept) for side in sides),
            *changes,
            _was_now(f"{side.kept_a_day:.1f}" for side in sides),
            _was_now(f"{side.kept_mb_a_day:.1f}" for side in sides),
        )


def _day_rows(
    before: Mapping[str, Counts], after: Mapping[str, Counts], *, has_before: bool
) -> Iterator[Sequence[str]]:
    yield "camera", "day", "frames", "kept"
    for camera, counts in after.items():
        for day, each in sorted(counts.by_day.items()):
            was = before[camera].by_day.get(day) if camera in before else None
            kept = [str(0 if was is None else was.kept)] if has_before else []
            yield printable(camera), day, str(each.frames), _was_now([*kept, str(each.kept)])


def _was_now(values: Iterable[str]) -> str:
    return " → ".join(values)


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines: the first column to the left, the others to the right."""
    rows = [*rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells))


def _left_out(count: int, what: str, wanted: Wanted) -> Iterator[str]:
    if count > SHOWN and not wanted.is_list:
        yield f"...    --list shows all {count} {what}"


def _exactness(replay: Replay) -> Iterator[str]:
    for camera, reasons in replay.inexact.items():
        yield from (f"not exact for {printable(camera)}: {why}" for why in reasons)
    if not replay.is_exact:
        return
    if any(frame.recorded is None for frame in replay.frames):
        yield "exact: as a scan of these frames would decide"
    else:
        since = "from there on" if any(begun_of(replay.frames)) else "from each camera's first on"
        yield f"exact: {since}, every frame that the daemon has judged is there"


def _change_in_words(change: Difference) -> str:
    how = "gained" if change.is_gained else "lost"
    return f"{how} {printable(change.frame)}: {_judged(change.after)}; was {_judged(change.before)}"


def _judged(side: Judged | None) -> str:
    """Return a decision in words: ``changed, 3.1x > 2.3x, after c1_0431.jpg``."""
    if side is None:
        return "not among the frames"
    after = "" if side.reference is None else f"after {printable(side.reference)}"
    return ", ".join(filter(None, (side.reason, compared_in_words(side), after)))


def compared_in_words(side: Judged | Failure) -> str:
    """Return the score, the threshold and whose it is: ``3.1x > 2.3x of zone gate``; empty without."""
    if side.score is None or side.threshold is None:
        return ""
    zone = "" if side.zone is None else f" of zone {printable(side.zone)}"
    schedule = "" if side.schedule is None else f" of schedule {printable(side.schedule)}"
    return " ".join(comparison(side.score, side.threshold, side.unit)) + zone + schedule


def _check_in_words(check: Check, wanted: Wanted) -> Iterator[str]:
    for failure in check.failed if wanted.is_list else check.failed[:SHOWN]:
        compared = f", {words}" if (words := compared_in_words(failure)) else ""
        after = "" if failure.reference is None else f", after {printable(failure.reference)}"
        yield f"wrong: {printable(failure.frame)} is {failure.got}, not {failure.expected}{compared}{after}"
    yield from _left_out(len(check.failed), "wrong frames", wanted)
    of = check.passed + len(check.failed)
    yield f"check: {check.passed} of {of} labelled frames come out as {printable(str(check.labels))} says"
    if names := [printable(label.frame) for label in check.unknown]:
        yield f"not here: {', '.join(names if wanted.is_list else names[:SHOWN])}"
        yield from _left_out(len(names), "labelled frames that are not here", wanted)

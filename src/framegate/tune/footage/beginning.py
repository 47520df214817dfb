"""Where the replay of a ledger begins: with a camera's first frame, or with what the camera knew on a day.

Inputs are deleted by age, and their rows are forgotten. A replay goes on from the first checkpoint after what
is gone, and from there it is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from framegate.keep.history.checkpoints import Checkpoint
from framegate.keep.history.view import History
from framegate.keeping import GONE
from framegate.model import Entry, Moment, Reason
from framegate.tune.replay.outcomes import Frame, Start


@dataclass(frozen=True, slots=True)
class Row:
    """A frame, and the id of its row in the ledger: ids ascend in the order of the decisions."""

    id: int
    frame: Frame


def begin(history: History, camera: str, rows: list[Row], *, is_late: bool) -> tuple[list[Row], list[str]]:
    """Return the rows to be replayed, the first with what the camera knew, and why they need not be exact.

    Args:
        history: of the ledger.
        camera: its name.
        rows: all that the ledger has of it, or its first ones; at least one.
        is_late: begin at the latest checkpoint; else at the earliest one from which on nothing is gone.

    Raises:
        SinkError: the ledger cannot be read.
    """
    is_whole = history.whole_since_ns(camera) is not None
    doubtful = [row.id for row in rows if is_gone(row.frame) or _broke_off(row.frame) is not None]
    if is_whole and not doubtful and not is_late:
        return rows, []
    usable = [each for each in history.checkpoints(camera) if each.frame < rows[-1].id]
    exact = [each for each in usable if each.frame >= max(doubtful, default=0)]
    for checkpoint in reversed(exact) if is_late else exact or (usable if not is_whole else []):
        if (start := _start(history, checkpoint, rows)) is not None:
            first, *later = [row for row in rows if row.id > checkpoint.frame]
            begun = [replace(first, frame=replace(first.frame, start=start)), *later]
            return begun, _doubts(begun)
    lost = [] if is_whole else ["the ledger has lost its first frames, and what was learnt from them"]
    return rows, lost + _doubts(rows)


def is_gone(frame: Frame) -> bool:
    """Return whether a frame cannot be judged again because its bytes are gone, which once were there."""
    is_settled = frame.settled is not None and frame.settled.reason is Reason.VANISHED
    return is_settled and (frame.recorded is None or frame.recorded.reason is not Reason.VANISHED)


def entry_of(frame: Frame) -> Entry:
    """Return what the ledger has of one of its frames."""
    assert frame.recorded is not None, "it is a ledger's"
    return frame.recorded


def _broke_off(frame: Frame) -> str | None:
    """Return in words where a daemon did what no replay can do again; None almost always."""
    entry = entry_of(frame)
    if entry.reason is Reason.INTERNAL_ERROR:
        return f"at {entry.key.name} the daemon began the camera anew"
    if entry.detail == GONE:
        return f"{entry.key.name} was {GONE}, and others depend on it"
    return None


def _doubts(rows: Sequence[Row]) -> list[str]:
    gone = sum(is_gone(row.frame) for row in rows)
    doubts = [f"{gone} {'frame is' if gone == 1 else 'frames are'} gone, input and result"] if gone else []
    return doubts + [words for row in rows if (words := _broke_off(row.frame)) is not None]


def _start(history: History, checkpoint: Checkpoint, rows: Sequence[Row]) -> Start | None:
    """Return what a camera knew at a checkpoint; None if that cannot be read."""
    try:
        state = history.state_at(checkpoint)
    except ValueError:
        return None
    if state is None:
        return None
    before = [entry_of(row.frame) for row in rows if row.id <= checkpoint.frame]
    kept = tuple(Moment(each.captured_at_ns, each.arrived_at_ns) for each in before if each.reason.is_kept)
    return Start(state, checkpoint.config_revision, kept, len(before))

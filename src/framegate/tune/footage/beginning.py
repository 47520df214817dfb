"""Where the replay of a ledger begins: with a camera's first frame, or with what the camera knew on a day.

Inputs are deleted by age, and their rows are forgotten. A replay goes on from the first checkpoint after what
is gone, and from there it is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from framegate.keep.history.checkpoints import Checkpoint
from framegate.keep.history.view import History
from framegate.keeping import GONE
from framegate.model import Entry, Reason
from framegate.tune.replay.outcomes import Frame, Start


@dataclass(frozen=True, slots=True)
class Row:
    """A frame, and the id of its row in the ledger: ids ascend in the order of the decisions."""

    id: int
    frame: Frame


def begin(history: History, camera: str, rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Begin as early as a replay can be exact.

    Args:
        history: of the ledger.
        camera: its name.
        rows: all that the ledger has of it, or its first ones; at least one.

    Returns:
        The rows to be replayed, the first with what the camera knew; and why they need not be exact.

    Raises:
        SinkError: the ledger cannot be read.
    """
    is_whole = history.whole_since_ns(camera) is not None
    doubtful = [row.id for row in rows if _is_doubtful(row.frame)]
    if is_whole and not doubtful:
        return rows, []
    usable = [each for each in history.checkpoints(camera) if each.frame < rows[-1].id]
    exact = [each for each in usable if each.frame >= max(doubtful, default=0)]
    for checkpoint in exact or (usable if not is_whole else []):
        later = [row for row in rows if row.id > checkpoint.frame]
        if begun := _begun(history, checkpoint, later, len(rows) - len(later)):
            return begun, _doubts(begun)
    lost = [] if is_whole else ["the ledger has lost its first frames, and what was learnt from them"]
    return rows, lost + _doubts(rows)


def begin_late(
    history: History, camera: str, last_id: int, frame_of: Callable[[Entry], Frame]
) -> tuple[list[Row], list[str]]:
    """Begin as late as it can be for one frame to come out exactly: a month need not be judged again.

    Args:
        history, camera: as for ``begin``.
        last_id: of the frame's row.
        frame_of: returns the frame of a row.

    Returns:
        As ``begin``; the frame is that of the last row.

    Raises:
        SinkError: the ledger cannot be read.
    """

    def rows_after(after_id: int) -> list[Row]:
        rows = history.frames(after_id, camera=camera, last_id=last_id)
        return [Row(row.id, frame_of(row.entry)) for row in rows]

    for checkpoint in reversed(history.checkpoints(camera)):
        if checkpoint.frame < last_id:
            rows = rows_after(checkpoint.frame)
            if any(_is_doubtful(row.frame) for row in rows):
                break
            if begun := _begun(history, checkpoint, rows):
                return begun, []
    return begin(history, camera, rows_after(0))


def is_gone(frame: Frame) -> bool:
    """Return whether a frame cannot be judged again because its bytes are gone, which once were there."""
    is_settled = frame.settled is not None and frame.settled.reason is Reason.VANISHED
    return is_settled and (frame.recorded is None or frame.recorded.reason is not Reason.VANISHED)


def entry_of(frame: Frame) -> Entry:
    """Return what the ledger has of one of its frames."""
    assert frame.recorded is not None, "it is a ledger's"
    return frame.recorded


def _is_doubtful(frame: Frame) -> bool:
    return is_gone(frame) or _broke_off(frame) is not None


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


def _begun(history: History, checkpoint: Checkpoint, rows: list[Row], left_out: int = 0) -> list[Row]:
    """Return rows, the first with what the camera knew at a checkpoint; none if that cannot be read."""
    try:
        state = history.state_at(checkpoint)
    except ValueError:
        return []
    if state is None:
        return []
    kept = history.kept_until(checkpoint)
    start = Start(state, checkpoint.config_revision, kept, left_out)
    return [replace(rows[0], frame=replace(rows[0].frame, start=start)), *rows[1:]]

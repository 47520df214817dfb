"""The status as text for a terminal: problems, then cameras, then the rest."""

import time
from bisect import bisect
from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from framegate.daemon.troubles import (
    age,
    camera_troubles,
    daemon_hangs,
    local_time,
    notify_troubles,
    troubles_of,
)
from framegate.deadlines import NEVER_S
from framegate.model import Verdict
from framegate.notify.books import Book
from framegate.telemetry.control_chars import escape_control_chars
from framegate.telemetry.status import CameraStatus, FrameStatus, Status

BELOW, ABOVE = "▁▂▃▄", "▅▆▇█"
"""Bars for scores up to the threshold, in equal steps, and above it."""

HEIGHTS = (1.5, 3.0, 6.0)
"""Multiples of the threshold at which the next higher bar begins."""

SHOWN_SCORES = 20
ROOM_FOR_COUNTS, ROOM_FOR_SCORES = 60, 78
"""Terminal widths, in columns, from which these are shown."""

LEAST_ROOM_FOR_WORDS = 40
"""On a narrower terminal a line is as long as this, and broken."""


def drawn(status: Status, width: int = 80) -> RenderableType:
    """Return the status as text for a terminal: problems, then cameras, then the rest.

    Args:
        status: what to show.
        width: of the terminal, in columns; less is shown on a narrow one.
    """
    return Group(
        _headline(status),
        *(Text(line, style="bold red") for line in troubles_of(status)),
        *(Text(_in_one_line(line, width), style="bold red") for line in notify_troubles(status)),
        _cameras(status.cameras, width),
        *(Text(line, style="yellow") for line in _remarks(status.cameras)),
        *(Text(line, style="yellow") for line in _odd_names(status)),
        *(Text(_told(name, book), style="dim") for name, book in status.notify.items()),
        *(Text(line, style="dim") for line in _footer(status, width)),
    )


def _headline(status: Status) -> Text:
    if status.last_heard_at_s is not None:
        heard = local_time(status.last_heard_at_s)
        return Text(f"not running: ended without a stop, last heard of at {heard}", style="bold red")
    if not status.running:
        return Text("not running", style="bold yellow")
    if status.hung:
        return Text(daemon_hangs(status), style="bold red")
    return Text(f"running for {age(status.uptime_s)}, process {status.pid}", style="bold green")


def _cameras(cameras: Mapping[str, CameraStatus], width: int) -> RenderableType:
    if not cameras:
        return Text("no frame so far")
    has_room, has_much_room = width >= ROOM_FOR_COUNTS, width >= ROOM_FOR_SCORES
    counts = ("seen", "kept", "dropped", "rejected") if has_room else ("kept",)
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("camera", overflow="fold", min_width=6)
    for name in (*counts, "pending", "last", *(("last kept",) if has_room else ())):
        table.add_column(name, justify="right", no_wrap=True)
    if has_much_room:
        table.add_column("scores", no_wrap=True)
    for name, camera in cameras.items():
        row: list[RenderableType] = [
            Text(escape_control_chars(name)),
            *(str(getattr(camera, key)) for key in counts),
            _pending(camera),
        ]
        row += [_ago(camera.last_frame), *([_ago(camera.last_kept)] if has_room else [])]
        row += [sparkline(camera)] if has_much_room else []
        table.add_row(*row)
    return table


def _remarks(cameras: Mapping[str, CameraStatus]) -> list[str]:
    lines = []
    for name, camera in cameras.items():
        shown = escape_control_chars(name)
        lines += camera_troubles(name, camera)
        if camera.late:
            lines.append(f"late: {camera.late} of {shown} came after a frame that was taken later")
        rejected = [(r, count) for r, count in camera.reasons.items() if r.verdict is Verdict.REJECTED]
        if rejected:
            lines.append(f"rejected of {shown}: {', '.join(f'{count} {r}' for r, count in rejected)}")
    return lines


def _odd_names(status: Status) -> Iterator[str]:
    for count, example, words in (
        (status.unmatched_files, status.unmatched_example, "no pattern of drop.include takes"),
        (status.unread_times, status.unread_times_example, "drop.capture_time did not read"),
        (status.unread_cameras, status.unread_cameras_example, "drop.camera_pattern did not read"),
    ):
        if count:
            names = "1 name" if count == 1 else f"{count} names"
            yield f"{words} {names}, for example {escape_control_chars(example or '')}"


def _told(name: str, book: Book) -> str:
    words = f"notify {escape_control_chars(name)}: {book.told} of {book.queued} told"
    left = {
        "waiting": book.waiting,
        "not told (most_per_hour)": book.limited,
        "dropped (most_waiting)": book.dropped,
        "given up": book.given_up,
    }
    return words + "".join(f", {count} {what}" for what, count in left.items() if count)


def _in_one_line(words: str, width: int) -> str:
    """Return words that are too long with the middle left out: what went wrong is often said last."""
    room = max(width, LEAST_ROOM_FOR_WORDS)
    return words if len(words) <= room else f"{words[: room // 2]}…{words[-(room - room // 2 - 1) :]}"


def _pending(camera: CameraStatus) -> str:
    age_s = camera.oldest_pending_s
    return "0" if age_s is None else f"{camera.pending} ({age(age_s)})"


def _ago(frame: FrameStatus | None) -> str:
    return "-" if frame is None else age(time.time() - frame.decided_at_s)


def _footer(status: Status, width: int) -> list[str]:
    free = status.results_free_bytes
    watch = f"watch: {status.watch}; " if status.watch else ""
    room = f"{free / 1e9:.1f}GB free for results; " if free is not None else ""
    room = room or ("the results folder is absent; " if status.running else "")
    revision = f", revision {status.config_revision}" if status.config_revision else ""
    config = [f"config: {status.config_file}{revision}"] if status.config_file else []
    has_scores = width >= ROOM_FOR_SCORES and any(camera.scores for camera in status.cameras.values())
    legend = [f"scores, oldest first: {BELOW} up to the threshold, {ABOVE} above it"] if has_scores else []
    return [*legend, f"{watch}{room}as of {local_time(status.at_s)}", *config]


def sparkline(camera: CameraStatus) -> Text:
    """Return the last scores as bars; for every camera the threshold is at half height."""
    bars = Text()
    pairs = list(zip(camera.scores, camera.thresholds, strict=True))
    for score, threshold in pairs[-SHOWN_SCORES:]:
        if threshold is None or score <= threshold:
            share = score / threshold if threshold else 0.0
            bars.append(BELOW[min(3, int(4 * share))])
        else:
            bars.append(ABOVE[bisect(HEIGHTS, score / threshold if threshold else NEVER_S)], style="green")
    return bars

"""``framegate status``: how a running daemon is doing, or what one has left; for people and for scripts."""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from framegate.config import Config, state_folders_in_spite_of
from framegate.errors import ConfigError, FramegateError
from framegate.ingest.naming import NameRules
from framegate.ingest.sweeping import frames_of
from framegate.keep.ledger import LEDGER_NAME, Ledger
from framegate.model import Pending, Reason, Verdict
from framegate.service.lock import is_served
from framegate.service.logs import harmless
from framegate.service.reporting import books_of, free_bytes
from framegate.service.status import FILE_NAME, Vitals, document
from framegate.settings import Settings

BARS = "▁▂▃▄▅▆▇█"
SHOWN_SCORES = 20
ROOM_FOR_COUNTS, ROOM_FOR_SCORES = 60, 78
"""Columns of a terminal."""

KEYS_AT_ONCE = 2_000
"""Files of the drop folder that the ledger is asked about in one call."""

REFRESH_S = 1.0


class NoStatusError(FramegateError):
    """There is nothing to show."""


Load = Callable[[], Config]
"""Reads the config; raises ConfigError while it is refused."""


def run_status(path: Path | None, load: Load, *, as_json: bool, watch: bool) -> None:
    """Print the status; with ``watch``, again every second until interrupted."""
    if as_json:
        print(json.dumps(status_of(path, load), indent=2))
        return
    console = Console()
    if not watch:
        console.print(drawn(status_of(path, load), console.width))
        return
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                live.update(_drawn_or_why_not(path, load, console.width), refresh=True)
                time.sleep(REFRESH_S)
        except KeyboardInterrupt:
            return


def _drawn_or_why_not(path: Path | None, load: Load, width: int) -> RenderableType:
    try:
        return drawn(status_of(path, load), width)
    except FramegateError as error:
        return Text(str(error), style="bold red")


def status_of(path: Path | None, load: Load) -> dict[str, Any]:
    """Return the document of the daemon that uses the config's state folder, or of what it has left.

    Raises:
        ConfigError: the config is wrong, and no daemon goes on by an older version of it.
        NoStatusError: no daemon has run there, or it may not be read.
    """
    try:
        config = load()
    except ConfigError:  # a daemon keeps the last good one: its status is wanted most just then
        wanted = None if path is None else os.path.abspath(path)
        for state in state_folders_in_spite_of(path):
            if is_served(state) and (status := _of_a_running_daemon(state))["config_file"] == wanted:
                return status
        raise
    state = Path(config.settings.state.folder or "")
    if is_served(state):
        return _of_a_running_daemon(state)
    return _left_by_a_daemon(config, state)


def _of_a_running_daemon(state: Path) -> dict[str, Any]:
    try:
        status = dict(json.loads((state / FILE_NAME).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise NoStatusError(f"cannot read {state / FILE_NAME}: {error}") from error
    _grow_older(status, max(0.0, time.time() - status["at_s"]))
    return status


def _grow_older(status: dict[str, Any], seconds: float) -> None:
    """Bring the ages to now: a daemon to which nothing happens writes only now and then."""
    status["uptime_s"] = round(status["uptime_s"] + seconds, 1)
    ages = [page for page in status["cameras"].values() if page["pending"]]
    for page in [*ages, *([status] if ages else [])]:
        page["oldest_pending_s"] = round(page["oldest_pending_s"] + seconds, 1)


def _left_by_a_daemon(config: Config, state: Path) -> dict[str, Any]:
    if not (state / LEDGER_NAME).exists():
        raise NoStatusError(f"no daemon has run with the state folder {state}, or it may not be read")
    with closing(Ledger(state / LEDGER_NAME, is_read_only=True)) as ledger:
        vitals = Vitals(
            config_file=None if config.path is None else str(config.path.absolute()),
            results_free_bytes=free_bytes(Path(config.settings.results.folder)),
            min_free_bytes=config.settings.results.min_free,
            pending=_waiting_in_the_folder(config.settings, ledger),
        )
        return document(books_of(ledger), vitals, time.time())


def _waiting_in_the_folder(settings: Settings, ledger: Ledger) -> dict[str, Pending]:
    """Find the frames that nobody has judged; since when they wait, only their times can tell."""
    pending: dict[str, Pending] = {}
    rules = NameRules(settings.drop)
    try:
        keys = frames_of(Path(settings.drop.folder), rules, recursive=settings.drop.recursive)
        while batch := list(islice(keys, KEYS_AT_ONCE)):
            for key in ledger.unknown(batch):
                camera = rules.candidate(key).camera
                before = pending.get(camera, Pending())
                since_s = min(before.since_s, key.mtime_ns / 1e9, time.time())
                pending[camera] = Pending(before.count + 1, since_s)
    except OSError:  # the folder is away
        return {}
    return pending


def drawn(status: Mapping[str, Any], width: int = 80) -> RenderableType:
    """Return the status as a person reads it: what is wrong, then the cameras, then the rest.

    Args:
        status: the document.
        width: of the terminal; a narrow one is shown less.
    """
    return Group(
        _headline(status),
        *(Text(line, style="bold red") for line in _troubles(status)),
        _cameras(status["cameras"], width),
        *(Text(line, style="yellow") for line in _rejected(status["cameras"])),
        *(Text(line, style="dim") for line in _footer(status)),
    )


def _headline(status: Mapping[str, Any]) -> Text:
    if not status["running"]:
        return Text("not running", style="bold yellow")
    return Text(f"running for {age(status['uptime_s'])}, process {status['pid']}", style="bold green")


def _troubles(status: Mapping[str, Any]) -> list[str]:
    troubles = [f"intake paused: {status['paused']}"] if status["paused"] else []
    troubles += ["the drop folder is absent"] if status["is_absent"] else []
    return troubles + [f"config refused: {error}" for error in status["config_refused"]]


def _cameras(cameras: Mapping[str, Any], width: int) -> RenderableType:
    if not cameras:
        return Text("no frame so far")
    has_room, has_much_room = width >= ROOM_FOR_COUNTS, width >= ROOM_FOR_SCORES
    counts = ("seen", *_COUNTED) if has_room else ("kept",)
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("camera", overflow="fold", min_width=6)
    for name in (*counts, "pending", "last", *(("last kept",) if has_room else ())):
        table.add_column(name, justify="right", no_wrap=True)
    if has_much_room:
        table.add_column("scores", no_wrap=True)
    for name, page in cameras.items():
        row: list[RenderableType] = [
            Text(harmless(name)),
            *(str(page[key]) for key in counts),
            _pending(page),
        ]
        row += [_ago(page["last_frame"]), *([_ago(page["last_kept"])] if has_room else [])]
        row += [Text(sparkline(page["scores"][-SHOWN_SCORES:]))] if has_much_room else []
        table.add_row(*row)
    return table


_COUNTED = ("kept", "dropped", "rejected")
_PRINTED = {str(reason) for reason in Reason if reason.verdict is Verdict.REJECTED}


def _rejected(cameras: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, page in cameras.items():
        reasons = [f"{count} {reason}" for reason, count in page["reasons"].items() if reason in _PRINTED]
        lines += [f"rejected of {harmless(name)}: {', '.join(reasons)}"] if reasons else []
    return lines


def _pending(page: Mapping[str, Any]) -> str:
    return f"{page['pending']} ({age(page['oldest_pending_s'])})" if page["pending"] else "0"


def _ago(frame: Mapping[str, Any] | None) -> str:
    return "-" if frame is None else age(time.time() - frame["decided_at_s"])


def _footer(status: Mapping[str, Any]) -> list[str]:
    free = status["results_free_bytes"]
    watch = f"watch: {status['watch']}; " if status["watch"] else ""
    room = "the results folder is absent" if free is None else f"{free / 1e9:.1f}GB free for results"
    revision = f", revision {status['config_revision']}" if status["config_revision"] else ""
    config = [f"config: {status['config_file']}{revision}"] if status["config_file"] else []
    return [f"{watch}{room}; as of {status['at']}", *config]


def age(seconds: float) -> str:
    """Write a span as a person says it: ``8s``, ``5m``, ``3h``, ``2d``."""
    for unit_s, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def sparkline(scores: list[float]) -> str:
    """Draw scores as bars, the largest as the tallest."""
    top = max(scores, default=0.0)
    return "".join(BARS[min(7, int(8 * score / top))] if top else BARS[0] for score in scores)

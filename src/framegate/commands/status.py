"""``framegate status``: the status of a running daemon, or the counts that the last one left."""

import json
import os
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from framegate.config.load import Config, default_state_folder
from framegate.config.settings import Settings
from framegate.daemon.lock import folders_held_open, is_served
from framegate.daemon.standing import NoStatusError, StatusReader, who_may_read
from framegate.errors import ConfigError
from framegate.ingest.names import NameRules
from framegate.ingest.pending import Pending
from framegate.ingest.sweeping import frames_of
from framegate.keep.ledger import LEDGER_NAME, Ledger
from framegate.telemetry.counters import counters_of
from framegate.telemetry.current_status import current_status
from framegate.telemetry.status import FILE_NAME, Status, Vitals, free_bytes

KEYS_AT_ONCE = 2_000
"""Files looked up in the ledger in one call."""

Load = Callable[[], Config]
"""Reads the config; raises ConfigError if it has errors."""


def run_status(path: Path | None, load: Load, *, as_json: bool, watch: bool) -> bool:
    """Print the status; with ``watch``, again every second until interrupted.

    Returns:
        False if a daemon runs but hangs, or cannot write its state.
    """
    if as_json:
        status = status_of(path, load)
        print(json.dumps(asdict(status), indent=2))
        return _is_healthy(status)
    from framegate.commands import status_screen  # noqa: PLC0415 - 30 ms of rich, which JSON does not need

    if watch:
        status_screen.watch(lambda: status_of(path, load))
        return True
    status = status_of(path, load)
    status_screen.show(status)
    return _is_healthy(status)


def _is_healthy(status: Status) -> bool:
    return not (status.hung or status.state_unwritable)


def status_of(path: Path | None, load: Load) -> Status:
    """Return the status of the daemon that uses the config's state folder, or the counts it left there.

    Raises:
        ConfigError: the config has errors, and no daemon runs with an older version of it.
        NoStatusError: no daemon has run there, or its files cannot be read, or it writes them elsewhere.
    """
    try:
        config = load()
    except ConfigError:  # a daemon continues with the last good one, and its status is wanted most now
        if (status := _of_the_daemon_with_config(path)) is None:
            raise
        return status
    state = Path(config.settings.state.folder or "")
    try:
        drop = Path(config.settings.drop.folder)
        if is_served(state) or is_served(drop):
            return _brought_to_now(StatusReader(state, drop).read())
        return _left_by_a_daemon(config, state)
    except PermissionError as error:
        raise NoStatusError(who_may_read(Path(error.filename or state))) from error


def _of_the_daemon_with_config(path: Path | None) -> Status | None:
    """Return the status of a running daemon that was started with this config file, whatever is in it now."""
    wanted = None if path is None else os.path.abspath(path)
    for state in (Path(default_state_folder("", path)[0]), *folders_held_open()):
        if is_served(state):
            with suppress(NoStatusError, OSError):
                status = _brought_to_now(StatusReader(state).read())
                if status.config_file == wanted:
                    return status
    return None


def _brought_to_now(status: Status) -> Status:
    """Add the time since the status was written to its ages: an idle daemon writes only every 10 s."""
    seconds = max(0.0, time.time() - status.at_s)
    cameras = {
        name: camera
        if camera.oldest_pending_s is None
        else replace(camera, oldest_pending_s=round(camera.oldest_pending_s + seconds, 1))
        for name, camera in status.cameras.items()
    }
    return replace(
        status,
        uptime_s=round(status.uptime_s + seconds, 1),
        oldest_pending_s=max((camera.oldest_pending_s or 0.0 for camera in cameras.values()), default=0.0),
        cameras=cameras,
    )


def _left_by_a_daemon(config: Config, state: Path) -> Status:
    if not (state / LEDGER_NAME).exists():
        raise NoStatusError(_why_no_counts(state))
    with closing(Ledger(state / LEDGER_NAME, is_read_only=True)) as ledger:
        vitals = Vitals(
            drop_folder=config.settings.drop.folder,
            config_file=None if config.path is None else str(config.path.absolute()),
            results_free_bytes=free_bytes(Path(config.settings.results.folder)),
        )
        pending = _waiting_in_the_folder(config.settings, ledger)
        left = current_status(counters_of(ledger, config.settings), vitals, pending, time.time())
    with suppress(NoStatusError, OSError):
        last = StatusReader(state).read()
        return replace(left, notify=last.notify, last_heard_at_s=last.last_heard_at_s)
    return left


def _why_no_counts(state: Path) -> str:
    if not (state / FILE_NAME).exists():
        return f"no daemon has run with the state folder {state}"
    return (
        f"a daemon has run with the state folder {state}, but its ledger {LEDGER_NAME} is gone, with the"
        " counts: put it back, or the next start judges what is in the drop folder again"
    )


def _waiting_in_the_folder(settings: Settings, ledger: Ledger) -> dict[str, Pending]:
    """Return the frames without a verdict, by camera; they wait since their mtimes, in seconds."""
    pending: dict[str, Pending] = {}
    rules = NameRules(settings.drop)
    try:
        keys = frames_of(Path(settings.drop.folder), rules, recursive=settings.drop.recursive)
        while batch := list(islice(keys, KEYS_AT_ONCE)):
            for key in ledger.unknown(batch):
                camera = rules.camera_of(key.name)
                before = pending.get(camera, Pending())
                since_s = min(before.since_s, key.mtime_ns / 1e9, time.time())
                pending[camera] = Pending(before.count + 1, since_s)
    except OSError:  # the folder is missing
        return {}
    return pending

"""The daemon about itself: the event of its start, and its status without the counts."""

import os
from collections.abc import Iterable
from pathlib import Path

from framegate.config.docs import settings_that_differ
from framegate.config.load import Config
from framegate.events.daemon import DaemonStarted
from framegate.ingest.intake import Intake
from framegate.keep.ledger import Ledger
from framegate.notify.notifications import Notifications
from framegate.reload.reloader import Reloader
from framegate.retention.chores import Chore, archive_refused
from framegate.telemetry.status import Vitals, free_bytes


def start_line(config: Config, ledger: Ledger, watch: str) -> DaemonStarted:
    """Return the event of a start: the folders, and the settings that differ from their defaults."""
    settings = config.settings
    return DaemonStarted(
        drop=settings.drop.folder,
        results=settings.results.folder,
        state=settings.state.folder,
        watch=watch,
        preset=settings.detection.preset_name,
        config=None if config.path is None else os.path.abspath(config.path),
        settings=settings_that_differ(config),
        revision=ledger.config_revision,
        remembered={str(verdict): count for verdict, count in ledger.counts().items()},
        pid=os.getpid(),
    )


def vitals_of(
    intake: Intake, reloader: Reloader, telling: Notifications, chores: Iterable[Chore], log_lines_lost: int
) -> Vitals:
    """Return the state of a running daemon's parts."""
    config, watch = reloader.config, intake.watch
    return Vitals(
        pid=os.getpid(),
        drop_folder=config.settings.drop.folder,
        is_absent=watch.is_absent,
        watch=watch.mode,
        watch_rebuilds=watch.rebuilds,
        watch_overflows=watch.overflows,
        found_by_sweep=watch.found_by_sweep,
        config_file=None if config.path is None else os.path.abspath(config.path),
        config_revision=reloader.revision,
        config_refused=reloader.refused,
        results_free_bytes=free_bytes(Path(config.settings.results.folder)),
        archive_refused=archive_refused(chores),
        log_lines_lost=log_lines_lost,
        unmatched_files=intake.unmatched.count,
        unmatched_example=intake.unmatched.example,
        notify=dict(telling.books),
        notify_lost=telling.lost,
    )

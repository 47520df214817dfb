"""The daemon as a process: log, signals, start and end."""

import os
import signal
import threading
from types import FrameType

from framegate.allocator import give_large_pictures_back
from framegate.config.load import Config
from framegate.daemon.loop import Daemon
from framegate.daemon.systemd import Notifier
from framegate.events.daemon import ThreadFailed
from framegate.keep.disk import Disk
from framegate.preflight.preflight import prepare_to_serve
from framegate.telemetry.log import Log
from framegate.telemetry.log_stream import own_stderr


def serve(config: Config, *, disk: Disk | None = None) -> None:
    """Run the daemon until SIGTERM or SIGINT; a second SIGINT ends it at once.

    Args:
        config: the settings.
        disk: the file operations; a test passes one that fails.

    Raises:
        AlreadyServed: another process serves the drop folder, or uses the state folder.
        ConfigError: the folders do not allow a start.
        SinkError: the ledger cannot be opened.
    """
    give_large_pictures_back()
    prepare_to_serve(config)
    is_terminal = os.isatty(2)
    log = Log(own_stderr(), config.settings.log, is_terminal=is_terminal)
    try:
        _run(config, log, disk)
    finally:
        log.close()


def _run(config: Config, log: Log, disk: Disk | None) -> None:
    daemon = Daemon(
        config,
        log,
        disk=disk,
        notifier=Notifier(os.environ),
        chores=[log],
        log_lines_lost=lambda: log.lines_lost,
    )

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
        daemon.stop()

    def log_failure(failed: threading.ExceptHookArgs) -> None:
        name = "unknown" if failed.thread is None else failed.thread.name
        daemon.telling.say(ThreadFailed(name, repr(failed.exc_value)))

    log.tell = daemon.telling
    threading.excepthook = log_failure  # watchdog's threads: no traceback between the log's lines
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
    daemon.run()

"""The daemon as a process: its log, its signals, its start and end."""

import os
import signal
from types import FrameType

from framegate.config import Config
from framegate.service.checkup import prepare_to_start
from framegate.service.logs import log_listener, own_stderr
from framegate.service.loop import Daemon


def serve(config: Config) -> None:
    """Run the daemon until SIGTERM or SIGINT; a second SIGINT ends it at once.

    Raises:
        ConfigError: the folders do not allow a start.
        SinkError: the ledger cannot be opened.
    """
    prepare_to_start(config)
    is_terminal = os.isatty(2)
    log = config.settings.log
    stream = own_stderr()
    daemon = Daemon(
        config, log_listener(stream, level=log.level, output_format=log.format, is_terminal=is_terminal)
    )

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        daemon.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    daemon.run()

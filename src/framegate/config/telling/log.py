"""The settings of ``[log]``."""

from typing import Literal

from framegate.config.tables import Table


class LogSettings(Table):
    """Which lines are logged, and in which format."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important level that is logged."""

    format: Literal["auto", "json", "console"] = "auto"
    """`json`: one object on each line. `console`: for people. `auto`: console on a terminal, otherwise
    json."""

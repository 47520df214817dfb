"""Shows the status on a terminal: once, or again every second."""

import time
from collections.abc import Callable
from contextlib import suppress

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from framegate.commands.status_text import drawn
from framegate.errors import FramegateError
from framegate.telemetry.status import Status

REFRESH_S = 1.0


def show(status: Status) -> None:
    """Print a status, as wide as the terminal."""
    console = Console()
    console.print(drawn(status, console.width), soft_wrap=not console.is_terminal)


def watch(latest: Callable[[], Status]) -> None:
    """Show the latest status again every second until interrupted; where there is none, why."""
    console = Console()
    with Live(console=console, auto_refresh=False) as live, suppress(KeyboardInterrupt):
        while True:
            live.update(_drawn_or_why_not(latest, console.width), refresh=True)
            time.sleep(REFRESH_S)


def _drawn_or_why_not(latest: Callable[[], Status], width: int) -> RenderableType:
    try:
        return drawn(latest(), width)
    except FramegateError as error:
        return Text(str(error), style="bold red")

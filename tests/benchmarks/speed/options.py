"""What the command line says to every part of the bench."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        quick: with fewer frames and rounds: to see that it works, not to publish.
        rounds: how often each program runs.
        cache: a folder for drawn frames, of any content.
        say: tells on standard error how far it is.
    """

    quick: bool
    rounds: int
    cache: Path
    say: Callable[[str], None]

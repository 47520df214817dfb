"""What has come of one try to tell a message."""

from dataclasses import dataclass

MOST_OUTPUT = 300
"""Characters of what a program or a server has said that are logged: its last ones."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a try."""

    is_told: bool
    words: str
    """What came back, for people: ``exit code 1: no such host``."""

    retry_after_s: float = 0.0
    """How long the other side wants to be left alone, in seconds."""

    is_broken_off: bool = False
    """The daemon ends, or the settings have gone: nobody is to blame."""


def tail_of(output: bytes) -> str:
    """Return the end of an output on one line, without control characters; with a colon before it if any."""
    text = " ".join(output.decode("utf-8", "replace").split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)[-MOST_OUTPUT:]
    return f": {shown}" if shown else ""

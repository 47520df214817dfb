"""What has come of one try to tell a message."""

import re
from dataclasses import dataclass

MOST_OUTPUT = 300
"""Characters of what a program or a server has said that are logged: its last ones."""

_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, and moves of the cursor
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # the title of a window, and other texts
    r"|\x1b[ -/]*[0-~]"
)


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
    """Return the end of an output on one line, as people read it; with a colon before it if any."""
    return _after_colon(" ".join(_lines_of(output)))


def last_line_of(output: bytes) -> str:
    """Return the last line of an output that is not empty, in the same way."""
    return _after_colon(next(reversed(_lines_of(output)), ""))


def _lines_of(output: bytes) -> list[str]:
    """Return the lines that are not empty, without colours and the like, and one space for several."""
    lines = _ESCAPE_SEQUENCE.sub("", output.decode("utf-8", "replace")).splitlines()
    readable = ("".join(c for c in line if c.isprintable() or c.isspace()) for line in lines)
    shown = (" ".join(line.split()) for line in readable)
    return [line for line in shown if line]


def _after_colon(text: str) -> str:
    end = text if len(text) <= MOST_OUTPUT else f"...{text[3 - MOST_OUTPUT :]}"
    return f": {end}" if end else ""

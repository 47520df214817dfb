"""The errors that framegate raises, and exit codes.

A frame that cannot be used is no error: it gets a verdict with a reason (see ``model.Reason``). The errors
are about config, folders and disk.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

EXIT_FAILED = 1
EXIT_USAGE = 2  # as typer exits
EXIT_TAKEN = 75  # EX_TEMPFAIL of sysexits.h: try again later
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h; systemd prints it by name


class FramegateError(Exception):
    """Base of all errors that framegate raises on purpose; the text is one sentence for the operator."""

    exit_code = EXIT_FAILED


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a config: where it is, and what to do about it."""

    key: str
    """Dotted key, as ``camera.c21.detection.blur``; empty for the whole file."""

    message: str
    line: int | None = None
    """Line in the file, from 1; None if it is not in the file."""

    def __str__(self) -> str:
        words = f"{self.key}: {self.message}" if self.key else self.message
        return words if self.line is None else f"line {self.line}: {words}"


class ConfigError(FramegateError):
    """The config cannot be used; has every problem found, not only the first."""

    exit_code = EXIT_CONFIG

    def __init__(self, problems: tuple[Problem, ...], path: str = "") -> None:
        self.problems = problems
        self.path = path
        super().__init__("; ".join(str(problem) for problem in problems))


class AlreadyServed(FramegateError):  # noqa: N818 - a state, not a mistake
    """Another process serves the folder."""

    exit_code = EXIT_TAKEN


class MissingPackage(FramegateError):  # noqa: N818 - a state, not a mistake
    """A Python package is not installed that only some commands need."""


def how_to_install(extra: str, pip: str = "") -> str:
    """Return how an extra of framegate gets installed, by whoever has the clone or the wheel.

    Args:
        extra: such as ``web``.
        pip: the command; by default that of this environment.
    """
    pip = pip or f"{sys.prefix}/bin/pip"
    return f"{pip} install '.[{extra}]' in the clone, or the same with 'THE_WHEEL.whl[{extra}]'"


class SinkError(FramegateError):
    """Results or ledger cannot be written now (disk full, read-only, I/O error).

    The frame is not to blame: it stays pending, the intake pauses, and the same frame is tried again.
    """


class Exhausted(SinkError):  # noqa: N818 - a state, not a mistake
    """The process has too many open files: every frame would fail, so none is to blame."""


@contextmanager
def out_of_memory_as_sink_error() -> Iterator[None]:
    """Raise MemoryError as SinkError where something has to be written: like a full disk it is temporary."""
    try:
        yield
    except MemoryError as error:
        raise SinkError("out of memory") from error

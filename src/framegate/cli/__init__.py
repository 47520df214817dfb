"""The command line: one function for each command. Slow imports are inside, so that --help is fast."""

import errno
import gc
import os
import sys
from typing import Annotated

import typer

from framegate.cli import judging, serving, tuning  # noqa: F401 - each makes its commands
from framegate.cli.app import app
from framegate.errors import EXIT_FAILED, ConfigError, FramegateError

# Read when OpenCV, numpy and pydantic are imported. The choices of our process, and not of a library's.
_ENVIRONMENT = {
    # What libtiff says of a damaged file would stand between our own lines; the verdict says it.
    "OPENCV_LOG_LEVEL": "SILENT",
    # Frames are judged in threads of our own; OpenCV's yielded the core 100,000 times in 240 frames.
    "OPENCV_FOR_THREADS_NUM": "1",
    # The network's products are too small for threads; starting them takes 26 ms and 180 MB of addresses.
    "OPENBLAS_NUM_THREADS": "1",
    # To look for plugins, pydantic reads what every installed package says of itself.
    "PYDANTIC_DISABLE_PLUGINS": "1",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)


_OF_AN_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE}
"""Errors of writing what is printed: a full disk behind it, or nobody who reads on."""


def main() -> None:
    """Run the command line, and exit with a code of the README's table."""
    # What is imported stays until the end: looking through it for garbage, then and at the end, takes 70 ms.
    gc.disable()
    try:
        try:
            app()
        finally:
            if sys.stdout:  # None where it was closed
                sys.stdout.flush()
    except ConfigError as error:
        for problem in error.problems:
            _print_error(f"{error.path or 'framegate'}: {problem}")
        sys.exit(error.exit_code)
    except FramegateError as error:
        _print_error(f"framegate: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _OF_AN_OUTPUT or error.filename is not None:
            raise  # all that is written to a file is reported where it is written
        if not isinstance(error, BrokenPipeError):  # as of "| head", which has seen enough
            _print_error(f"framegate: standard output: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in it goes nowhere
        sys.exit(EXIT_FAILED)
    finally:
        gc.freeze()


@app.callback(invoke_without_command=True)
def _root(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False
) -> None:
    if version:
        from framegate import __version__  # noqa: PLC0415

        typer.echo(f"framegate {__version__}")
        raise typer.Exit


def _print_error(words: str) -> None:
    typer.echo(words, err=True)

"""The command line: one function for each command. Slow imports are inside, so that --help is fast."""

import gc
import os
import sys
from typing import Annotated

import typer

from framegate.cli import judging, serving, tuning  # noqa: F401 - each makes its commands
from framegate.cli.app import app
from framegate.errors import ConfigError, FramegateError

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


def main() -> None:
    """Run the command line, and exit with a code of the README's table."""
    # What is imported stays until the end: looking through it for garbage, then and at the end, takes 70 ms.
    gc.disable()
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            _print_error(f"{error.path or 'framegate'}: {problem}")
        sys.exit(error.exit_code)
    except FramegateError as error:
        _print_error(f"framegate: {error}")
        sys.exit(error.exit_code)
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

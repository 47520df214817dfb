"""Files that commands write where they are told to: never over what they read, nor among the frames."""

import os
from contextlib import suppress
from pathlib import Path

from framegate.errors import EXIT_USAGE, FramegateError


class OutputError(FramegateError):
    """A file must not be written there."""

    exit_code = EXIT_USAGE


def require_output(path: Path, *read: Path | None, drop_folder: str = "", suffix: str = "") -> None:
    """Require that a file may be written; what is there already will be replaced.

    Args:
        path: of the file.
        read: the files that the command reads, such as its config.
        drop_folder: of a config; empty for none.
        suffix: with which the name has to end; empty for any.

    Raises:
        OutputError: it must not.
    """
    if not path.name.lower().endswith(suffix):
        raise OutputError(f"{path}: the name has to end with {suffix}")
    if any(_is_same(path, other) for other in read if other is not None):
        raise OutputError(f"{path}: this is what the command reads")
    drop = os.path.realpath(drop_folder)
    if drop_folder and os.path.commonpath((drop, os.path.realpath(path))) == drop:
        raise OutputError(f"{path}: it lies in the drop folder, among the frames")


def written_whole(path: Path, data: bytes) -> None:
    """Write a file whole, or leave what was there; a link stays one, and a device is written to.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = path.resolve()
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False

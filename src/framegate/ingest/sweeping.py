"""A sweep: the whole drop folder, listed. Events are hints; this is the truth."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from framegate.ingest.naming import NameRules
from framegate.ingest.reading import key_of
from framegate.model import FileKey


def sweep(
    folder: Path,
    rules: NameRules,
    *,
    recursive: bool,
    skipped: Callable[[str, OSError], None] = lambda _name, _error: None,
) -> Iterator[FileKey]:
    """Yield every version of a file whose name is a frame's, in no order.

    Links to folders are not followed. What vanishes under the sweep is passed over, and what may not be
    listed is ``skipped``. What is no regular file is yielded all the same: reading it gives the reason for
    its rejection.

    Raises:
        OSError: when the drop folder itself cannot be listed.
    """
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            entries = os.scandir(folder / below)
        except FileNotFoundError:
            if not below:
                raise
            continue
        except OSError as error:
            if not below:
                raise
            skipped(below.rstrip("/"), error)
            continue
        with entries:
            for entry in entries:
                name = below + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if recursive and not rules.is_hidden(entry.name):
                        pending.append(name + "/")
                elif rules.is_frame(name) and (key := _key(name, entry)):
                    yield key


def _key(name: str, entry: os.DirEntry[str]) -> FileKey | None:
    try:
        return key_of(name, entry.stat(follow_symlinks=False))
    except OSError:  # gone since it was listed
        return None

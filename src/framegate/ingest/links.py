"""Symbolic links in the drop folder: none is ever read, and most are no news to anybody.

Motion and libcamera renew a link to the newest frame with each frame (``lastsnap.jpg``): the frame has its
own name, so such a link gets no verdict. A link that leads elsewhere is rejected, once for a name. Neither
has to settle, so that no frame ever waits for a link.
"""

import os
from collections.abc import Callable
from pathlib import Path

from framegate.model import Entry, Reason


class Links:
    """The symbolic links of one drop folder.

    Args:
        folder: the drop folder.
        last_of: returns the latest decision about a name.
    """

    def __init__(self, folder: Path, last_of: Callable[[str], Entry | None]) -> None:
        self._folder = folder
        self._last_of = last_of

    def is_one(self, name: str) -> bool:
        """Return whether there is a symbolic link at a name."""
        return os.path.islink(self._folder / name)

    def is_passed_over(self, name: str) -> bool:
        """Return whether there is a link at a name that gets no verdict.

        Raises:
            SinkError: the ledger cannot be read now.
        """
        return self.is_one(name) and (is_inner(self._folder, name) or self._is_rejected(name))

    def _is_rejected(self, name: str) -> bool:
        last = self._last_of(name)
        return last is not None and last.reason is Reason.NOT_A_REGULAR_FILE


def is_inner(folder: Path, name: str) -> bool:
    """Return whether a link leads to a place inside the drop folder, over other links or not.

    Whether anything is there does not count: while a link is renewed, its target may be a moment away.
    """
    try:
        target, inside = os.path.realpath(folder / name), os.path.realpath(folder)
    except OSError:
        return False
    return target.startswith(inside.rstrip("/") + "/")

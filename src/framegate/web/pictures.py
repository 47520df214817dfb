"""Pictures of results, made small: opened without following a link, and never sent as they were uploaded."""

import errno
import hashlib
import os
import stat
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from framegate.folders import opened_below
from framegate.tune.report.pictures import small_image
from framegate.web.overview import Result

QUALITIES = {320: 60, 960: 70}
"""Of the WebP, by its width in pixels: small ones in a strip may be coarser than one that fills a screen."""

MOST_BYTES = 16_000_000
"""Of the pictures kept in memory: some 300 of both widths."""

Version = tuple[int, ...]
"""What is another when a file has other bytes: device, inode, size and time."""


class PictureGone(Exception):  # noqa: N818 - results are deleted by and by; it is no fault
    """The result is no longer there."""


class PictureReplaced(Exception):  # noqa: N818 - as above
    """Another program has put other bytes in the place of the result."""


class Pictures:
    """Makes small pictures of results and keeps the last ones; may be used by several threads.

    One is decoded at a time: the largest that a config allows may take hundreds of megabytes.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[Version, int], _Made] = OrderedDict()
        self._size_bytes = 0
        self._decoding = Lock()

    def small(self, result: Result, width: int) -> bytes | None:
        """Return a result as WebP; None if it is too large, or no picture.

        Args:
            result: a name that a daemon has given.
            width: one of ``QUALITIES``.

        Raises:
            PictureGone: there is no file of that name, or a link is in its way.
            PictureReplaced: it has other bytes than were kept.
            OSError: it cannot be read.
        """
        fd = _opened(result)
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise PictureGone
            if found.st_size > result.site.max_size_bytes:
                return None
            key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns), width
            with self._decoding:
                if key not in self._made:
                    data = file.read(result.site.max_size_bytes)
                    made = _Made(hashlib.sha256(data).hexdigest(), b"")
                    _check(made, result)
                    image = small_image(
                        data, width, max_pixels=result.site.max_pixels, quality=QUALITIES[width]
                    )
                    if image is None:
                        return None
                    self._keep(key, made._replace(webp=image.webp))
                self._made.move_to_end(key)
                _check(self._made[key], result)
                return self._made[key].webp

    def _keep(self, key: tuple[Version, int], made: "_Made") -> None:
        self._made[key] = made
        self._size_bytes += len(made.webp)
        while self._size_bytes > MOST_BYTES and len(self._made) > 1:
            _, dropped = self._made.popitem(last=False)
            self._size_bytes -= len(dropped.webp)


class _Made(NamedTuple):
    """A small picture."""

    sha256: str
    """Of the file that it was made from."""

    webp: bytes


def _check(made: _Made, result: Result) -> None:
    if result.sha256 not in {None, made.sha256}:
        raise PictureReplaced


def _opened(result: Result) -> int:
    """Open a result: folder by folder, so that no link below the results folder is followed."""
    *folders, name = result.name.split("/")
    if not {"", ".", ".."}.isdisjoint([*folders, name]):
        raise PictureGone
    # Not to wait: what stands there now may be a FIFO.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        with opened_below(Path(result.site.results), folders) as folder_fd:
            return os.open(name, flags, dir_fd=folder_fd)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PictureGone from error
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link has its name
            raise PictureGone from error
        raise

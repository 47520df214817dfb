"""The kernel's own events of a few folders, read without a thread.

For the drop folder watchdog does this. For the config its events are not enough: it reports a change of mode
or time as "modified", like a write, and a file moved in as "created", like one that is about to be written.
So they do not show whether a writer has finished. The kernel's events do.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator

IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE = 0x2, 0x4, 0x8
IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x40, 0x80, 0x100, 0x200
IN_DELETE_SELF, IN_MOVE_SELF, IN_IGNORED = 0x400, 0x800, 0x8000
_CONTENT = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE
_NAMES = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE
_MASK = _CONTENT | _NAMES | IN_DELETE_SELF | IN_MOVE_SELF
_HEADER = struct.Struct("iIII")
_BUFFER_BYTES = 65_536
_LIBC = ctypes.CDLL(None, use_errno=True)


class FolderEvents:
    """The events of folders; ``fd`` becomes readable when there are any.

    Args:
        folders: what to watch; folders inside them are not watched.

    Raises:
        OSError: one of them is gone, or inotify's instances or watches are used up.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self.fd: int = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        _insist(self.fd)
        self._folders: dict[int, str] = {}
        try:
            for folder in folders:
                watch = _LIBC.inotify_add_watch(self.fd, os.fsencode(folder), _MASK)
                self._folders[_insist(watch)] = folder
        except OSError:
            self.close()
            raise

    def read(self) -> Iterator[tuple[str, int]]:
        """Yield the path and the mask (``IN_...``) of each event so far; never waits."""
        while True:
            try:
                buffer = os.read(self.fd, _BUFFER_BYTES)
            except BlockingIOError:
                return
            at = 0
            while at < len(buffer):
                watch, mask, _cookie, length = _HEADER.unpack_from(buffer, at)
                at += _HEADER.size + length
                name = os.fsdecode(buffer[at - length : at].rstrip(b"\0"))
                yield os.path.join(self._folders.get(watch, ""), name), mask

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)


def _insist(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno() or errno.EIO
        raise OSError(code, os.strerror(code))
    return result

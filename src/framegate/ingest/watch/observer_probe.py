"""Finds out whether a running watchdog still works, from its threads and the kernel's watches.

watchdog's own ``is_alive`` stays true in six of the seven ways in which it was seen to go deaf, and its
attributes changed names from 6.0 to 7.0. Threads and descriptors are what they are in every version.
"""

import os
import re
import threading
import time
from contextlib import suppress

from watchdog.observers.api import BaseObserver
from watchdog.utils import BaseThread

INOTIFY = "anon_inode:inotify"
_DESCRIPTORS = "/proc/self/fd"
_MARK = re.compile(rb"^inotify wd:([0-9a-f]+) ino:([0-9a-f]+) sdev:([0-9a-f]+)", re.MULTILINE)

CHEAP_S = 0.01
"""Reading the kernel's list takes 0.1 ms for one folder and 35 ms for 10,000; what takes longer than this is
done so rarely that it uses a hundredth of a core."""

Mark = tuple[bytes, bytes]
"""The inode and the device of a watched folder, as the kernel prints them."""


class ObserverProbe:
    """The threads and descriptors that watchdog has created since this object was made."""

    def __init__(self) -> None:
        self._threads_before = set(threading.enumerate())
        self._links_before = _links()
        self._threads: list[BaseThread] = []
        self._links: dict[int, str] = {}
        self._root: Mark | None = None
        self._next_look_s = -float("inf")

    def measure(self) -> None:
        """Record what watchdog has created: it has just started, or failed to start."""
        self._threads = [
            thread
            for thread in threading.enumerate()
            if thread not in self._threads_before and isinstance(thread, BaseThread)
        ]
        self._links = {
            fd: link
            for fd, link in _links().items()
            if self._links_before.get(fd) != link and link.startswith((INOTIFY, "pipe:"))
        }
        self._root = self._first_mark()

    @property
    def is_watching_nothing(self) -> bool:
        """Whether it is certain that the kernel holds no watch: watchdog swallows a refusal (EACCES)."""
        return any(link == INOTIFY for link in self._links.values()) and self._root is None

    def fault(self) -> str | None:
        """Return in words what is missing of what ``measure`` recorded; None while all is there."""
        ended = sum(not thread.is_alive() for thread in self._threads)
        if ended:
            return f"{ended} of watchdog's {len(self._threads)} threads ended"
        if self._root is not None and not self._is_root_watched(self._root):
            return "the kernel no longer watches the folder"
        return None

    def end_threads(self, within_s: float) -> None:
        """Stop the threads that the observer's own ``stop`` left running, and wait at most ``within_s``."""
        for thread in self._threads:
            if thread.is_alive() and not isinstance(thread, BaseObserver):
                with suppress(Exception):  # it is being given up
                    thread.stop()
        deadline_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def close_leftovers(self) -> None:
        """Close the descriptors that watchdog left open when its threads have ended.

        6.0 leaves three at each start that fails because no watches are left (ENOSPC): a retry every 30 s
        would use up the user's 128 instances in an hour. A pipe is closed only with its inotify descriptor.
        """
        if any(thread.is_alive() for thread in self._threads):
            return
        now = _links()
        left = {fd: link for fd, link in self._links.items() if now.get(fd) == link}
        if INOTIFY in left.values():
            for fd in left:
                os.close(fd)

    def _is_root_watched(self, root: Mark) -> bool:
        if time.monotonic() < self._next_look_s:
            return True
        begun_s = time.thread_time()
        is_watched = any((ino, sdev) == root for _, ino, sdev in self._watches())
        took_s = time.thread_time() - begun_s
        if took_s > CHEAP_S:
            self._next_look_s = time.monotonic() + 100 * took_s
        return is_watched

    def _first_mark(self) -> Mark | None:
        """Return the mark of the folder itself: it is watched before those inside it.

        The kernel's numbers are compared with the kernel's, later: ``st_ino`` and ``st_dev`` are others on
        btrfs and on some overlays. The watch's number will not do: 7.1 renews all watches after an overflow.
        """
        watches = self._watches()
        return min(watches)[1:] if watches else None

    def _watches(self) -> list[tuple[int, bytes, bytes]]:
        found: list[tuple[int, bytes, bytes]] = []
        for fd in [fd for fd, link in self._links.items() if link == INOTIFY]:
            with suppress(OSError), open(f"/proc/self/fdinfo/{fd}", "rb", buffering=0) as info:
                found += [(int(wd, 16), ino, sdev) for wd, ino, sdev in _MARK.findall(info.read())]
        return found


def _links() -> dict[int, str]:
    """Return what each open descriptor is; nothing where /proc cannot be read."""
    links: dict[int, str] = {}
    with suppress(OSError):
        for name in os.listdir(_DESCRIPTORS):
            with suppress(OSError):  # the listing's own, closed by now
                links[int(name)] = os.readlink(f"{_DESCRIPTORS}/{name}")
    return links

"""Standard error without blocking writes, whatever its reader does."""

import atexit
import io
import os
import select
import socket
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

MOST_WAITING = 500
"""Lines kept in memory while nobody reads, some 400 kB; more are lost."""

LAST_WORDS_S, DRAIN_PAUSE_S = 0.2, 0.01
"""How long the process waits for a slow reader at its end, and the pause between two tries."""

FITS_AT_ONCE = 512
"""Bytes that a pipe or terminal takes without blocking when poll says that it is writable."""


class LogStream:
    """Writes lines to a file descriptor; no call blocks or raises, whatever the reader does.

    A pipe or a terminal that is not read (a stopped pager, a hung log shipper, Ctrl-S) takes some 64 kB and
    then nothing more; a disk may be full; journald may be stopped. Lines that cannot be written wait in
    memory, at most ``MOST_WAITING`` of them. Later ones are lost, and counted in ``lost``, until all that
    wait are written: so the lost ones are from one stretch of time. A line is whole before the next begins.

    Args:
        fd: where to. Its flags are not changed: the shell that started us shares them.

    Safe to use from several threads.
    """

    def __init__(self, fd: int) -> None:
        self.lost = 0
        self.has_gap = False
        """Whether lines have been lost since those that waited were last all written."""

        self._held = ExitStack()
        self._write = _non_blocking_writer(fd, self._held)
        self._waiting: deque[bytes] = deque()
        self._is_blocked = False
        self._writing = threading.Lock()

    @property
    def has_waiting(self) -> bool:
        """Whether lines wait to be written."""
        return bool(self._waiting)

    def msg(self, line: str) -> None:
        """Write one line, now or later, or count it as lost."""
        self.write((line + "\n").encode("utf-8", "backslashreplace"))

    def write(self, data: bytes) -> None:
        """Write bytes as one piece, now or later, or count them as one lost line."""
        if self._waiting:
            self.flush()
        if len(self._waiting) >= MOST_WAITING or (self._waiting and self.has_gap):
            self.has_gap = True
            self.lost += 1
        else:
            self._waiting.append(data)
            self.flush()

    def flush(self) -> None:
        """Write as much as possible without blocking."""
        if not self._writing.acquire(blocking=False):
            return  # another thread, or a warning printed within this very call: its holder writes ours too
        try:
            self._is_blocked = False
            while self._waiting:
                self._write_some()
        except BrokenPipeError:  # the reader is gone; a later one must not start in the middle of a line
            self.has_gap = True
            self.lost += len(self._waiting)
            self._waiting.clear()
        except OSError as error:
            self._is_blocked = isinstance(error, BlockingIOError)
        finally:
            self._writing.release()

    def _write_some(self) -> None:
        data = self._waiting[0]
        written = self._write(data)
        if written < len(data):
            self._waiting[0] = data[written:]
        else:
            self._waiting.popleft()
            self.has_gap = self.has_gap and bool(self._waiting)

    def drain(self, most_wait_s: float) -> None:
        """Write the lines that wait, with at most ``most_wait_s`` seconds for a slow reader."""
        end_s = time.monotonic() + most_wait_s
        self.flush()
        while self._is_blocked and time.monotonic() < end_s:
            time.sleep(DRAIN_PAUSE_S)
            self.flush()

    def close(self) -> None:
        """Close what was opened here; ``fd`` stays open."""
        self._held.close()


class _RawLogStream(io.RawIOBase):
    """``sys.stderr`` for everything else in the process: tracebacks must not block either."""

    def __init__(self, stream: LogStream) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(bytes(data))
        return len(data)


def own_stderr() -> LogStream:
    """Return a stream to standard error; ``sys.stderr`` uses it too, C libraries print nowhere any more.

    libjpeg and libpng write "Corrupt JPEG data" and the like straight to descriptor 2, between JSON lines.
    The verdict says what is wrong with the picture.
    """
    try:
        ours = os.dup(2)
    except OSError:  # started without one
        ours = os.open(os.devnull, os.O_WRONLY)
    os.set_inheritable(ours, False)
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    stream = LogStream(ours)
    raw = io.BufferedWriter(_RawLogStream(stream))
    atexit.register(stream.drain, LAST_WORDS_S)
    sys.stderr = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    return stream


def _non_blocking_writer(fd: int, held: ExitStack) -> Callable[[bytes], int]:
    """Return a function that writes what it can and returns how many bytes; BlockingIOError when none.

    O_NONBLOCK on an inherited descriptor would apply to all who share it, the operator's shell among them. So
    a pipe or a terminal is opened once more. Where that is not permitted (it is another user's), poll shows
    whether there is room, and only ``FITS_AT_ONCE`` bytes are written at a time.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        connection = held.enter_context(socket.socket(fileno=os.dup(fd)))
        return lambda data: connection.send(data, socket.MSG_DONTWAIT)
    if not stat.S_ISFIFO(mode) and not os.isatty(fd):
        return lambda data: os.write(fd, data)
    try:
        ours = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return lambda data: _write_if_there_is_room(fd, data)
    held.callback(os.close, ours)
    return lambda data: os.write(ours, data)


def _write_if_there_is_room(fd: int, data: bytes) -> int:
    room = select.poll()
    room.register(fd, select.POLLOUT)
    if not room.poll(0):
        raise BlockingIOError
    return os.write(fd, data[:FITS_AT_ONCE])

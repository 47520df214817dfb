"""Standard error as a stream of lines that keeps nobody waiting, whatever becomes of its reader."""

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
"""Lines in memory while nobody reads, some 400 kB: a reader may be slow for that long and miss nothing."""

LAST_WORDS_S, DRAIN_PAUSE_S = 0.2, 0.01
"""How long the end of the process waits for a slow reader, and the pause between two tries."""

FITS_AT_ONCE = 512
"""Bytes that a pipe or terminal takes without waiting when poll says that it takes any."""


class LogStream:
    """Writes lines to a file descriptor; whatever becomes of its reader, no call waits or raises.

    A pipe or a terminal that is not read (a stopped pager, a hung log shipper, Ctrl-S) takes some 64 kB and
    then nothing more; a disk may be full; journald may be stopped. Lines that cannot be written wait in
    memory, at most ``MOST_WAITING`` of them; later ones are counted in ``lost`` until all that wait are
    written, so that what is missing was one stretch of time. A line is written whole before the next begins.

    Args:
        fd: where to. Its flags stay as they are: the shell that started us shares them.

    Threads may share it.
    """

    def __init__(self, fd: int) -> None:
        self.lost = 0
        self.has_gap = False
        """Whether lines have been lost and none been written since."""

        self._held = ExitStack()
        self._write = _writer_that_never_waits(fd, self._held)
        self._waiting: deque[bytes] = deque()
        self._is_blocked = False
        self._writing = threading.Lock()

    @property
    def has_waiting(self) -> bool:
        """Whether something has not been written yet."""
        return bool(self._waiting)

    def msg(self, line: str) -> None:
        """Write one line, now or later, or count it as lost."""
        self.write((line + "\n").encode("utf-8", "backslashreplace"))

    debug = info = warning = error = log = msg

    def write(self, data: bytes) -> None:
        """Write some bytes as one piece, now or later, or count them as lost."""
        if self._waiting:
            self.flush()
        if len(self._waiting) >= MOST_WAITING or (self._waiting and self.has_gap):
            self.has_gap = True
            self.lost += 1
        else:
            self._waiting.append(data)
            self.flush()

    def flush(self) -> None:
        """Write what can be written without waiting."""
        if not self._writing.acquire(blocking=False):
            return  # another thread, or a warning printed within this very call: its holder writes ours too
        try:
            self._is_blocked = False
            while self._waiting:
                self._write_some()
        except BrokenPipeError:  # its reader is gone; another one must not begin within a line
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
        """Give a slow reader time to take what waits, at most ``most_wait_s`` seconds."""
        end_s = time.monotonic() + most_wait_s
        self.flush()
        while self._is_blocked and time.monotonic() < end_s:
            time.sleep(DRAIN_PAUSE_S)
            self.flush()

    def close(self) -> None:
        """Give back what was opened for it; ``fd`` stays open."""
        self._held.close()


class _RawLogStream(io.RawIOBase):
    """``sys.stderr`` for everybody else in the process: tracebacks and last words wait for nobody either."""

    def __init__(self, stream: LogStream) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(bytes(data))
        return len(data)


def own_stderr() -> LogStream:
    """Keep standard error for our lines: what C libraries print to it beside us goes nowhere.

    libjpeg and libpng write "Corrupt JPEG data" and the like straight to descriptor 2, between JSON lines;
    what they mean stands in the verdict. Python's own errors go the way of our lines.
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


def _writer_that_never_waits(fd: int, held: ExitStack) -> Callable[[bytes], int]:
    """Return a function that writes what goes without waiting; it raises BlockingIOError where nothing does.

    O_NONBLOCK on an inherited descriptor would hold for all who share it, the operator's shell among them.
    So a pipe and a terminal are opened once more. Where that is not permitted (they are another user's), poll
    tells whether there is room, and little is written at a time.
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

"""Which frame is being examined, so that one that takes the process down with it is known by its third try.

The mark is written in place and never synced: it has to outlive the process, not the machine. A mark that is
found at the start says only that the process ended just then; a ``kill -9`` leaves it as well as a crash in a
decoder. So a frame that was in flight twice is tried in a process of its own, and rejected only if that one
does not survive either.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from framegate.model import FileKey
from framegate.settings import DetectionSettings

DEATHS_BEFORE_TRIAL = 2
TRIAL_TIMEOUT_S = 60.0
"""The largest PNG that is allowed (100 megapixels) decodes in some 2 s here."""

_ASKED_TO_END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""As when the whole service is stopped during a trial."""

_MOST_RECORD_BYTES = 32_768
"""A path has at most 4096 bytes; JSON may write one of them as six."""


class InFlight:
    """The mark in the state folder.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._fd: int | None = None  # a frame is not held up by its mark, nor is the start
        with contextlib.suppress(OSError):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        self._suspect, self._deaths = self._read()
        self._is_marked = self._suspect is not None

    def deaths_of(self, key: FileKey) -> int:
        """Return how often the process ended while this frame was examined, in a row."""
        return self._deaths if key == self._suspect else 0

    def mark(self, key: FileKey) -> None:
        """Say that a frame is about to be examined."""
        record = [key.name, key.size_bytes, key.mtime_ns, self.deaths_of(key)]
        self._write(json.dumps(record))
        self._is_marked = True

    def clear(self) -> None:
        """Say that no frame is being examined."""
        if self._is_marked:
            self._write("")
            self._is_marked = False

    def close(self) -> None:
        """Give the file back."""
        self.clear()
        if self._fd is not None:
            os.close(self._fd)

    def _write(self, record: str) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):  # a disk that fails has other ways to be heard
                os.pwrite(self._fd, record.encode("ascii") + b"\n", 0)

    def _read(self) -> tuple[FileKey | None, int]:
        if self._fd is None:
            return None, 0
        try:
            record, _, _ = os.pread(self._fd, _MOST_RECORD_BYTES, 0).partition(b"\n")
            name, size_bytes, mtime_ns, deaths = json.loads(record)
            return FileKey(str(name), int(size_bytes), int(mtime_ns)), int(deaths) + 1
        except (OSError, ValueError, TypeError, RecursionError):  # empty: it ended well
            return None, 0


def survives_trial(path: Path, most_bytes: int, most_pixels: float, detection: DetectionSettings) -> bool:
    """Judge a file in a process of its own; tell whether that process came through."""
    numbers = (f"{int(most_bytes)}", f"{most_pixels}")
    command = (sys.executable, "-m", "framegate.service.trial", os.fspath(path), *numbers)
    try:
        done = subprocess.run(  # noqa: S603 - ourselves
            command,
            input=detection.model_dump_json(by_alias=True).encode(),
            capture_output=True,
            timeout=TRIAL_TIMEOUT_S,
            process_group=0,  # Ctrl-C is for us
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    except OSError:  # no process to be had now: it proves nothing
        return True
    return done.returncode >= 0 or -done.returncode in _ASKED_TO_END  # else a fault of the file's ended it

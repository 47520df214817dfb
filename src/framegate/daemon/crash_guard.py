"""The crash guard: a frame that crashes the process is rejected at the third attempt.

A file, the mark, says which frame is being judged. It is written in place and never synced: it has to
survive the process, not the machine. A mark found at the start means only that the process ended at that
frame: ``kill -9`` leaves it as well as a crash in a decoder. So a frame that was marked at two starts is
first judged in a separate process, and rejected only if that one crashes too.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.model import Candidate, Decision, FileKey, Reason

DEATHS_BEFORE_TRIAL = 2
TRIAL_TIMEOUT_S = 60.0
"""The largest PNG allowed (100 megapixels) decodes in some 2 s here."""

_REQUESTS_TO_END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that end a trial without blaming the frame: the whole service may be stopped."""

_MOST_RECORD_BYTES = 32_768
"""A path has at most 4096 bytes; JSON may write one of them as six."""


class CrashGuard:
    """Marks the frame that is being judged, and rejects one that crashes the process.

    Args:
        path: the file of the mark, in the state folder.
    """

    def __init__(self, path: Path) -> None:
        self._fd: int | None = None  # without the file frames are judged unguarded
        with contextlib.suppress(OSError):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        self._suspect, self._deaths = self._read()
        self._is_marked = self._suspect is not None

    def admit(self, candidate: Candidate, settings: Settings) -> Decision | None:
        """Mark a frame as being judged; return its rejection if it is a crasher.

        Args:
            candidate: the frame.
            settings: the settings in force.
        """
        self.mark(candidate.key)
        deaths = self.deaths_of(candidate.key)
        if deaths < DEATHS_BEFORE_TRIAL or _survives(candidate, settings):
            return None
        detail = f"framegate ended {deaths} times while judging it, and a separate process crashed at it"
        return Decision(Reason.CRASHER, detail=detail)

    def deaths_of(self, key: FileKey) -> int:
        """Return how many times in a row the process ended while this frame was judged."""
        return self._deaths if key == self._suspect else 0

    def mark(self, key: FileKey) -> None:
        """Record that a frame is about to be judged."""
        record = [key.name, key.size_bytes, key.mtime_ns, key.ctime_ns, self.deaths_of(key)]
        self._write(json.dumps(record))
        self._is_marked = True

    def clear(self) -> None:
        """Record that no frame is being judged."""
        if self._is_marked:
            self._write("")
            self._is_marked = False

    def close(self) -> None:
        """Clear the mark and close its file."""
        self.clear()
        if self._fd is not None:
            os.close(self._fd)

    def _write(self, record: str) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):  # the ledger is on the same disk and reports it
                os.pwrite(self._fd, record.encode("ascii") + b"\n", 0)

    def _read(self) -> tuple[FileKey | None, int]:
        if self._fd is None:
            return None, 0
        try:
            record, _, _ = os.pread(self._fd, _MOST_RECORD_BYTES, 0).partition(b"\n")
            name, *numbers, deaths = json.loads(record)
            size_bytes, mtime_ns, ctime_ns = map(int, numbers)
            return FileKey(str(name), size_bytes, mtime_ns, ctime_ns), int(deaths) + 1
        except (OSError, ValueError, TypeError, RecursionError):  # empty: the last run ended well
            return None, 0


def _survives(candidate: Candidate, settings: Settings) -> bool:
    file = Path(settings.drop.folder, candidate.key.name)
    most_pixels = settings.drop.max_megapixels * 1e6
    return survives_trial(file, settings.drop.max_size, most_pixels, settings.detection_of(candidate.camera))


def survives_trial(path: Path, most_bytes: int, most_pixels: float, detection: DetectionSettings) -> bool:
    """Judge a file in a separate process; return whether that process ended without a crash.

    Args:
        path: the file.
        most_bytes, most_pixels: limits above which the daemon rejects a file unread.
        detection: its camera's settings.
    """
    numbers = (f"{int(most_bytes)}", f"{most_pixels}")
    command = (sys.executable, "-m", "framegate.daemon.trial", os.fspath(path), *numbers)
    try:
        done = subprocess.run(  # noqa: S603 - ourselves
            command,
            input=detection.model_dump_json(by_alias=True).encode(),
            capture_output=True,
            timeout=TRIAL_TIMEOUT_S,
            process_group=0,  # Ctrl-C must not reach it
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    except OSError:  # no process can be started now: that proves nothing
        return True
    return done.returncode >= 0 or -done.returncode in _REQUESTS_TO_END  # any other signal was a crash

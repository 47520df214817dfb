"""The crash guard: a frame that crashes the process is rejected at the third attempt.

A file, the mark, says which frames are being judged. It is written in place and never synced: it has to
survive the process, not the machine. A mark found at the start means only that the process ended while it
had these frames in hand: ``kill -9`` leaves it as well as a crash in a decoder. So each of them is a suspect,
and judged with no other frame in hand: if the process ends once more, it is known at which. A frame that was
marked at two starts is first judged in a separate process, and rejected only if that one crashes too.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.model import Candidate, Decision, FileKey, Reason

DEATHS_BEFORE_TRIAL = 2
TRIAL_TIMEOUT_S = 60.0
"""The largest PNG allowed (100 megapixels) decodes in some 2 s here."""

_REQUESTS_TO_END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that end a trial without blaming the frame: the whole service may be stopped."""

_MOST_RECORD_BYTES = 2_000_000
"""A path has at most 4096 bytes; JSON may write one of them as six: there is room for 80 of the longest."""


class CrashGuard:
    """Marks the frames that are being judged, and rejects one that crashes the process.

    Args:
        path: the file of the mark, in the state folder.
    """

    def __init__(self, path: Path) -> None:
        self._fd: int | None = None  # without the file frames are judged unguarded
        with contextlib.suppress(OSError):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        self._deaths = self._read()
        """Of each suspect: how many times in a row the process has ended while it was marked."""

        self._is_marked = bool(self._deaths)

    def mark(self, keys: Collection[FileKey]) -> None:
        """Record that these frames are being judged, and no others."""
        if keys:
            records = [
                [key.name, key.size_bytes, key.mtime_ns, key.ctime_ns, self.deaths_of(key)] for key in keys
            ]
            self._write(json.dumps(records))
            self._is_marked = True
        elif self._is_marked:
            self._write("")
            self._is_marked = False

    def deaths_of(self, key: FileKey) -> int:
        """Return how many times in a row the process ended while this frame was judged."""
        return self._deaths.get(key, 0)

    def refusal(self, candidate: Candidate, settings: Settings) -> Decision | None:
        """Return the rejection of a frame that crashes the process; None of any other.

        Args:
            candidate: the frame, marked by now.
            settings: what it is judged by.
        """
        deaths = self.deaths_of(candidate.key)
        if deaths < DEATHS_BEFORE_TRIAL or _survives(candidate, settings):
            return None
        detail = f"framegate ended {deaths} times while judging it, and a separate process crashed at it"
        return Decision(Reason.CRASHER, detail=detail)

    def close(self) -> None:
        """Clear the mark and close its file."""
        self.mark(())
        if self._fd is not None:
            os.close(self._fd)

    def _write(self, record: str) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):  # the ledger is on the same disk and reports it
                os.pwrite(self._fd, record.encode("ascii") + b"\n", 0)

    def _read(self) -> dict[FileKey, int]:
        if self._fd is None:
            return {}
        try:
            records, _, _ = os.pread(self._fd, _MOST_RECORD_BYTES, 0).partition(b"\n")
            return dict(map(_suspect, json.loads(records)))
        except (OSError, ValueError, TypeError, RecursionError):  # empty: the last run ended well
            return {}


def _suspect(record: list[str | int]) -> tuple[FileKey, int]:
    name, *numbers, deaths = record
    size_bytes, mtime_ns, ctime_ns = map(int, numbers)
    return FileKey(str(name), size_bytes, mtime_ns, ctime_ns), int(deaths) + 1


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

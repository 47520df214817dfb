"""The folder of a scan by many workers: what is done, so that a scan that was broken off goes on from there.

For each month that is done it has the rows of its verdicts, and what the camera knew at its end; a replay has
such a folder as well, with what all its lines have decided in place of rows. Both files are named by the
month's id, so what was done by other settings, or of other frames, is found by nobody.
"""

import csv
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Protocol

from framegate.errors import AlreadyServed, FramegateError, SinkError

RUN_FILE = "run"
_ROWS, _STATE, _MARKS = ".rows", ".state", ".marks"


class NotSharedError(FramegateError):
    """A worker does not see the folder of the scan."""


@dataclass(frozen=True)
class DoneParts:
    """The folder, which every worker sees at the same path."""

    folder: Path

    @contextmanager
    def opened(self) -> Iterator[str]:
        """Make the folder, and yield a word by which workers know it; remove it after a whole run.

        Raises:
            AlreadyServed: another process scans the same frames into the same folder.
            SinkError: the folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / RUN_FILE).open("a+")
        except OSError as error:
            raise SinkError(f"{self.folder}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyServed(f"{self.folder}: these frames are scanned or replayed already") from error
            except OSError:
                pass  # a file system without locks
            word = secrets.token_hex(8)
            (self.folder / RUN_FILE).write_text(word, "ascii")
            yield word
        shutil.rmtree(self.folder, ignore_errors=True)  # a worker that was cut off may write in it still

    def require_shared(self, word: str, worker: str) -> None:
        """Require, in a worker, that this is the folder that the scan has made.

        Raises:
            NotSharedError: it is not.
        """
        with suppress(OSError):
            if (self.folder / RUN_FILE).read_text("ascii") == word:
                return
        raise NotSharedError(
            f"the worker {worker} does not see {self.folder}: workers need the same folder at the same path"
        )

    def begun(self) -> set[str]:
        """Return the parts of which anything is noted, also those of other settings and frames."""
        endings = {_ROWS, _STATE, _MARKS}
        return {file.stem for file in self.folder.iterdir() if file.suffix in endings}

    def has(self, part: str) -> bool:
        """Return whether a part is done, and the next can go on from it."""
        return self.rows_file(part).exists() and self._state_file(part).exists()

    def done_of(self, parts: Sequence[str]) -> int:
        """Return how many parts of a camera, from its first, need not be done again.

        Only the last of them has what the camera knew; if that is gone, those before it are done again.
        """
        done = sum(1 for _ in takewhile(lambda part: self.rows_file(part).exists(), parts))
        while 0 < done < len(parts) and not self.has(parts[done - 1]):
            done -= 1
        return done

    def forget_state(self, part: str) -> None:
        """Remove what a camera knew at the end of a part: the part after it is done."""
        with suppress(OSError):
            self._state_file(part).unlink()

    def _state_file(self, part: str) -> Path:
        return self.folder / f"{part}{_STATE}"

    def rows_file(self, part: str) -> Path:
        """Return the file with the rows of a part: the capture time in nanoseconds, then the columns."""
        return self.folder / f"{part}{_ROWS}"

    def marks_file(self, part: str) -> Path:
        """Return the file that says which frames of a part are in hand."""
        return self.folder / f"{part}{_MARKS}"

    def state_of(self, part: str) -> bytes | None:
        """Return what a camera knew at the end of a part; None where it knew nothing.

        Raises:
            SinkError: it cannot be read.
        """
        try:
            return self._state_file(part).read_bytes() or None
        except OSError as error:
            raise SinkError(f"{self.folder}: what a camera knew cannot be read: {error.strerror}") from error

    def record(self, part: str, rows: bytes, state: bytes) -> None:
        """Note a part as done, by what became of its frames, and what the camera knew at its end.

        Raises:
            SinkError: it cannot be written.
        """
        try:
            _write_durably(self._state_file(part), state)
            _write_durably(self.rows_file(part), rows)  # last: it says that the part is done
        except OSError as error:
            raise SinkError(f"{self.folder}: {error.strerror or error}") from error

    @contextmanager
    def writing(self, part: str) -> Iterator["Writing"]:
        """Yield where the rows and the state of a part go; at the end of the block the part is done.

        Raises:
            SinkError: it cannot be written.
        """
        # Of its own: a worker that was taken for dead may be at the same part still.
        beside = self.folder / f"{part}.{secrets.token_hex(8)}"
        try:
            with open_rows(beside, "w") as file:
                writing = Writing(csv.writer(file))
                yield writing
                file.flush()
                os.fsync(file.fileno())
            _write_durably(self._state_file(part), writing.state or b"")
            beside.replace(self.rows_file(part))  # last: it says that the part is done
        except OSError as error:
            raise SinkError(f"{self.folder}: {error.strerror or error}") from error
        finally:
            with suppress(OSError):
                beside.unlink()


class Writer(Protocol):
    """Such as ``csv.writer`` returns."""

    def writerow(self, row: Iterable[Any], /) -> object:
        """Write a row."""


@dataclass
class Writing:
    """A part that is being judged."""

    rows: Writer
    state: bytes | None = None


def open_rows(path: Path, mode: str) -> IO[str]:
    """Open a file with rows: names may have bytes that are not UTF-8, and line feeds."""
    return open(path, mode, encoding="utf-8", errors="surrogateescape", newline="")


def _write_durably(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink()

"""Frames that are in no folder of this machine, but below a URL that fsspec can read, such as ``s3://``.

An object store has no links, no FIFOs and nothing half written: an object is there whole, or not at all.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from framegate.config.settings import Settings
from framegate.errors import EXIT_USAGE, FramegateError, MissingPackage, SinkError, how_to_install
from framegate.ingest.names import NameRules
from framegate.ingest.reading import Changed, ReadOutcome, Unreadable
from framegate.ingest.sweeping import Skipped
from framegate.model import Candidate, EncodedFrame, FileKey, Reason, storable_ns

_TIMES = "LastModified", "mtime", "last_modified", "updated", "modified", "created"
"""What fsspec's file systems call the time at which a file was written; they do not agree."""


class SourceError(FramegateError):
    """A URL cannot be read."""

    exit_code = EXIT_USAGE


class SourceAway(SinkError):  # noqa: N818 - a state, not a mistake
    """What is behind a URL does not answer now: every frame would fail, so none is to blame."""


class RemoteFolder:
    """The frames below a URL; may be used in several threads.

    Args:
        url: such as ``s3://bucket/prefix``. What it needs to be opened, fsspec takes from its configuration
            files and from the environment, as boto does.

    Raises:
        MissingPackage: fsspec is not installed.
        SourceError: it is no URL that fsspec knows, or the package for it is missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            open_url = import_module("fsspec.core").url_to_fs
        except ImportError as error:
            words = f"{url} needs the Python package fsspec: {how_to_install('cluster')}"
            raise MissingPackage(words) from error
        try:
            # Listings are read once, and a million of them are not to be remembered.
            self._files, path = open_url(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise SourceError(f"{url}: {error}") from error
        self._path = str(path).rstrip("/")

    def candidates(self, settings: Settings, skipped: Skipped) -> Iterator[Candidate]:
        """Yield the frames, in no order; keys that are no path below a folder, as ``a//b``, are passed over.

        Args:
            settings: which names are frames, and when they were taken.
            skipped: called for what cannot be listed, with its path and the error.

        Raises:
            SourceError: the URL cannot be listed.
        """
        rules = NameRules(settings.drop, self.read_head)
        pending = [""]
        while pending:
            below = pending.pop()
            for entry in self._entries(below, skipped):
                name = str(entry["name"]).rstrip("/")[len(self._path) + 1 :]
                if os.path.dirname(name) != below or not _is_path(name):
                    continue  # the key a//b would list a/ below a/, for ever
                if entry["type"] == "directory":
                    if settings.drop.recursive and not rules.is_passed_over(name):
                        pending.append(name)
                elif rules.is_frame(name):
                    yield rules.candidate(_key_of(name, entry))

    def _entries(self, below: str, skipped: Skipped) -> list[dict[str, Any]]:
        try:
            entries: list[dict[str, Any]] = self._files.ls(self._at(below), detail=True)
        except Exception as error:  # each file system raises its own
            if not below or not isinstance(error, OSError):
                raise SourceError(f"{self.url}/{below}: cannot be listed: {_words(error)}") from error
            skipped(below, error)
            return []
        return entries

    def read_frame(self, _folder: Path, key: FileKey, most_bytes: int) -> ReadOutcome:
        """Read a file, as ``ingest.reading.read_frame`` does.

        Raises:
            SourceAway: the other side does not answer.
        """
        if key.size_bytes > most_bytes:
            return Unreadable(Reason.TOO_LARGE, f"{key.size_bytes} bytes; drop.max_size is {most_bytes}")
        try:
            data = self._files.cat_file(self._at(key.name))
            if len(data) != key.size_bytes:
                return Changed(_key_of(key.name, self._files.info(self._at(key.name))))
        except FileNotFoundError:
            return Unreadable(Reason.VANISHED, "no longer there")
        except PermissionError as error:
            return Unreadable(Reason.UNREADABLE, _words(error))
        except Exception as error:  # what is tried again by the library, and fails still
            raise SourceAway(f"{self.url}: cannot be read now: {_words(error)}") from error
        return EncodedFrame(key.name, data, key.mtime_ns)

    def read_head(self, _folder: Path, name: str, most_bytes: int) -> bytes:
        """Return the first bytes of a file, at most ``most_bytes``; none where it cannot be read now."""
        try:
            return bytes(self._files.cat_file(self._at(name), start=0, end=most_bytes))
        except Exception:  # noqa: BLE001 - as where a file of a folder cannot be read
            return b""

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path


def _is_path(name: str) -> bool:
    """Return whether a key could be a path below a folder: ``a//b`` and ``../a`` are keys as well."""
    return all(part not in {"", ".", ".."} for part in name.split("/")) and "\0" not in name


def _key_of(name: str, entry: dict[str, Any]) -> FileKey:
    written = next((entry[each] for each in _TIMES if entry.get(each) is not None), 0)
    return FileKey(name, int(entry["size"] or 0), storable_ns(_nanoseconds(written)))


def _nanoseconds(written: Any) -> int:
    """Return a time as nanoseconds since the epoch, exactly where it is a date."""
    if isinstance(written, str):
        written = datetime.fromisoformat(written)
    if isinstance(written, datetime):
        moment = written if written.tzinfo else written.replace(tzinfo=UTC)
        whole_s = int(moment.replace(microsecond=0).timestamp())
        return whole_s * 10**9 + moment.microsecond * 1000
    return int(float(written) * 1e9)


def _words(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def is_url(text: str | os.PathLike[str]) -> bool:
    """Return whether what was given as a folder is a URL."""
    return "://" in os.fspath(text)

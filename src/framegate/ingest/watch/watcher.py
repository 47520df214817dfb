"""watchdog's events as hints: they shorten the wait, and no frame is lost when an event is.

Only what watchdog 6.0 and 7.1 do alike is used, as measured on both: ``Observer()``, one ``schedule`` before
``start``, ``on_any_event``, six event classes, ``stop``. It gives no error when events stop coming;
``Watcher.fault`` finds out what the system shows. Sweeps find the rest: folders that are moved in (6.0 never
watches them) or made when all watches were in use, and what overflows hid (6.0 reports none).
"""

import errno
import logging
import os
import threading
import warnings
from contextlib import suppress
from pathlib import Path

from watchdog import events
from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from framegate.ingest.names import NameRules
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.observer_probe import ObserverProbe
from framegate.model import Arrival, Origin

_TOUCHED: type[FileSystemEvent] = getattr(events, "FileAttribEvent", FileModifiedEvent)
"""A change of mode or times. 6.0 has no class for it: there the first write of an upload looks the same."""

_ORIGINS: dict[type[FileSystemEvent], Origin] = {
    FileCreatedEvent: Origin.CREATED,
    _TOUCHED: Origin.TOUCHED,
    FileClosedEvent: Origin.CLOSED,
    FileMovedEvent: Origin.MOVED,
}
_FOLDERS = (DirCreatedEvent, DirMovedEvent)
_MOST_OPEN = 10_000
"""Files that are being written at the same time; beyond them ``settle_s`` decides when one is complete."""

_LOG = logging.getLogger("watchdog")
_END_S = 1.5
"""watchdog's threads end at once, or within the 0.5 s for which it holds back half of a move."""

Identity = tuple[int, int]
"""Which folder it is: ``st_dev`` and ``st_ino``."""


def identity_of(folder: Path) -> Identity:
    """Return which folder is at a path, links followed.

    Raises:
        OSError: there is none, or it may not be listed or searched.
    """
    with os.scandir(folder):  # needs the right to list it, and triggers an automount
        pass
    status = os.stat(os.path.join(folder, "."))  # with the dot it needs the right to search it
    return status.st_dev, status.st_ino


class Watcher:
    """Hints about the drop folder, put into an inbox by watchdog's thread.

    Args:
        folder: the drop folder.
        rules: which names are frames; may be replaced at any time.
        inbox: where hints go.
        recursive: also hint about folders inside.
    """

    def __init__(self, folder: Path, rules: NameRules, inbox: Inbox, *, recursive: bool) -> None:
        self.rules = rules
        self.overflows = 0
        """How often the kernel's queue overflowed, as far as watchdog reports it: 6.0 never does."""

        self._folder = folder
        self._inbox = inbox
        self._recursive = recursive
        self._identity: Identity | None = None
        self._observer: BaseObserver | None = None
        self._probe: ObserverProbe | None = None
        self._hinter: _Hinter | None = None
        self._log_tap = _LogTap(self)
        self._last_error: str | None = None

    def start(self) -> None:
        """Begin to watch the folder that is at the path now.

        Raises:
            OSError: it is gone or may not be watched, or the kernel's inotify instances or watches, or the
                process's descriptors or threads, are used up.
        """
        # 7.1 warns with a dump of every watch when folders are made quickly (3.4 MB seen at once).
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")
        self._identity = identity_of(self._folder)  # first: if it is replaced from now on, ``fault`` shows it
        self._last_error = None
        self._probe = probe = ObserverProbe()
        self._log_tap.attach()
        try:
            self._observe()
            probe.measure()
            if probe.is_watching_nothing:
                raise PermissionError(errno.EACCES, "the kernel does not let us watch it", str(self._folder))
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            probe.measure()
            self.stop()
            if isinstance(error, OSError):
                raise
            raise OSError(errno.EAGAIN, str(error)) from error

    def fault(self, there: Identity) -> str | None:
        """Return in words why events may no longer be coming; None while no fault is known.

        Args:
            there: which folder is at the path now.
        """
        if self._probe is None:
            return "nothing is being watched"
        if there != self._identity:
            return "another folder stands at the path"
        return self._probe.fault() or self._last_error

    def was_written_to(self, name: str) -> bool:
        """Return whether events show that a file was written to and not closed since.

        A change of mode or time gives the same event: check ``reading.was_last_written`` as well.
        """
        return self._hinter is not None and name in self._hinter.unclosed

    def note_closed(self, name: str) -> None:
        """Count a file as closed: its last event was a change of its mode or times."""
        if self._hinter is not None:
            self._hinter.unclosed.pop(name, None)

    def stop(self) -> None:
        """Stop watching: hints end at once, and descriptors are closed and threads ended."""
        self._log_tap.detach()
        if self._hinter is not None:
            self._hinter.is_muted = True
        observer, self._observer = self._observer, None
        probe, self._probe = self._probe, None
        if probe is None:
            return
        # In a thread of its own, since it may hang: on a lock that a thread of watchdog's held when it died.
        ending = threading.Thread(target=_end, args=(observer, probe), daemon=True)
        try:
            ending.start()
        except RuntimeError:  # no more threads
            _end(observer, probe)
        else:
            ending.join(2 * _END_S)

    def note_log_record(self, record: logging.LogRecord) -> None:
        """Request a sweep because of a warning of watchdog's: it may have lost an event."""
        message = record.getMessage()
        # One overflow has two warnings: that it came, and that the watches are being renewed.
        if "overflow" in message and "reconciling" not in message:
            self.overflows += 1
        if record.levelno >= logging.ERROR:
            self._last_error = f"watchdog logged: {message}"
        self._inbox.request_sweep()

    def _observe(self) -> None:
        # watchdog does not follow a link to the folder: no event would come (IN_DONT_FOLLOW).
        folder = os.path.realpath(self._folder)
        self._hinter = _Hinter(folder, self, self._inbox)
        self._observer = Observer()
        self._observer.schedule(
            self._hinter,
            folder,
            recursive=self._recursive,
            event_filter=[*_ORIGINS, FileModifiedEvent, *_FOLDERS],
        )
        self._observer.start()


def _end(observer: BaseObserver | None, probe: ObserverProbe) -> None:
    if observer is not None:
        with suppress(Exception):  # 7.1 was seen to raise KeyError, and then leaves its reader running
            observer.stop()
    probe.end_threads(_END_S)
    probe.close_leftovers()


class _Hinter(FileSystemEventHandler):
    """Puts hints into the inbox, and nothing else: an exception here would end watchdog's thread silently."""

    def __init__(self, folder: str, watcher: Watcher, inbox: Inbox) -> None:
        self.is_muted = False
        self.unclosed: dict[str, None] = {}
        self._prefix = folder.rstrip("/") + "/"
        self._watcher = watcher
        self._inbox = inbox

    def on_any_event(self, event: FileSystemEvent) -> None:
        if self.is_muted:  # the inbox may be closed by now
            return
        try:
            self._hint(event)
        except Exception:  # noqa: BLE001 - whatever it was, a sweep finds what was lost
            self._inbox.request_sweep()

    def _hint(self, event: FileSystemEvent) -> None:
        path = os.fsdecode(event.dest_path or event.src_path)
        name = path.removeprefix(self._prefix)
        if isinstance(event, _FOLDERS):  # it may have come with files that no event will name
            if not self._watcher.rules.is_passed_over(name):
                self._inbox.request_sweep()
            return
        if not self._watcher.rules.is_frame(name):
            return
        if isinstance(event, FileModifiedEvent):
            is_first = name not in self.unclosed and len(self.unclosed) < _MOST_OPEN
            if is_first:
                self.unclosed[name] = None
            if not (is_first and _TOUCHED is FileModifiedEvent):
                return
        elif isinstance(event, (FileClosedEvent, FileMovedEvent)):
            self.unclosed.pop(name, None)
        self._inbox.hint(Arrival(name, _ORIGINS[type(event)]))


class _LogTap(logging.Handler):
    """Receives watchdog's log records, so that they do not appear as plain text between our own lines."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(logging.WARNING)
        self._watcher = watcher

    def attach(self) -> None:
        """Begin to receive. What watchdog logs after ``detach`` is discarded."""
        if not any(isinstance(handler, logging.NullHandler) for handler in _LOG.handlers):
            _LOG.addHandler(logging.NullHandler())
        _LOG.propagate = False
        _LOG.addHandler(self)

    def detach(self) -> None:
        """Stop receiving."""
        _LOG.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on; an error here would reach the thread that logged it, and end it."""
        with suppress(Exception):
            self._watcher.note_log_record(record)

"""watchdog's events as hints: they shorten the wait, and nothing is lost when they are.

Only what watchdog 6.0 and 7.1 do alike is used, as measured on both: ``Observer()``, one ``schedule`` before
``start``, ``on_any_event``, five event classes, ``is_alive``. What they differ in, or get wrong alike, is the
sweep's business: sub-folders that are moved in (6.0 never watches them), overflow (6.0 says nothing), the
reader thread that dies while ``is_alive`` stays true.
"""

import os
import warnings
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from framegate.ingest.inbox import Inbox
from framegate.ingest.naming import NameRules
from framegate.model import Arrival, Origin

_ORIGINS: dict[type[FileSystemEvent], Origin] = {
    FileCreatedEvent: Origin.CREATED,
    FileClosedEvent: Origin.CLOSED,
    FileMovedEvent: Origin.MOVED,
}
_FOLDERS = (DirCreatedEvent, DirMovedEvent)
_JOIN_S = 5.0


class Watcher:
    """Hints about the drop folder, put into an inbox by watchdog's thread.

    Args:
        folder: the drop folder; it exists.
        rules: which names are frames.
        inbox: where hints go.
        recursive: also hint about folders inside.
    """

    def __init__(self, folder: Path, rules: NameRules, inbox: Inbox, *, recursive: bool) -> None:
        # watchdog does not follow a link to the folder: it would hear nothing (IN_DONT_FOLLOW).
        self._folder = os.path.realpath(folder)
        self._rules = rules
        self._inbox = inbox
        self._recursive = recursive
        self._observer: BaseObserver | None = None

    def start(self) -> None:
        """Begin to watch.

        Raises:
            OSError: the folder is gone, or the kernel's inotify instances or watches are used up.
        """
        # 7.1 warns with a dump of every watch when folders are made quickly (3.4 MB seen at once).
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")
        observer = Observer()
        observer.daemon = True
        observer.schedule(
            _Hinter(self._folder, self._rules, self._inbox),
            self._folder,
            recursive=self._recursive,
            event_filter=[*_ORIGINS, *_FOLDERS],
        )
        observer.start()
        self._observer = observer

    @property
    def is_alive(self) -> bool:
        """Whether watchdog's threads run; true is no proof that it hears."""
        return self._observer is not None and self._observer.is_alive()

    def stop(self) -> None:
        """Stop watching; watchdog 7.1 may raise KeyError here, which then is no one's concern."""
        observer, self._observer = self._observer, None
        if observer is None:
            return
        try:
            observer.stop()
        except KeyError:
            return
        observer.join(_JOIN_S)


class _Hinter(FileSystemEventHandler):
    """Puts a hint, and does nothing else: an exception here would end watchdog's thread without a word."""

    def __init__(self, folder: str, rules: NameRules, inbox: Inbox) -> None:
        self._prefix = folder.rstrip("/") + "/"
        self._rules = rules
        self._inbox = inbox

    def on_any_event(self, event: FileSystemEvent) -> None:
        try:
            self._hint(event)
        except Exception:  # noqa: BLE001 - whatever it was, the sweep will see
            self._inbox.ask_for_sweep()

    def _hint(self, event: FileSystemEvent) -> None:
        if isinstance(event, _FOLDERS):  # it may have come with files that no event will name
            self._inbox.ask_for_sweep()
            return
        path = os.fsdecode(event.dest_path or event.src_path)
        name = path.removeprefix(self._prefix)
        if self._rules.is_frame(name):
            self._inbox.hint(Arrival(name, _ORIGINS[type(event)]))

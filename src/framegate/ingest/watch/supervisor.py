"""Watching the drop folder: inotify or polling, and whether the events can still be trusted.

watchdog stops delivering events in seven known ways without an error, and drop folders come and go: disks are
unmounted, shares are mounted late, folders are renamed. So folder and observer are checked once a second;
after any change the folder is watched again and swept. Sweeps show what no check does: a frame that only a
sweep found was missed by the observer.
"""

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from framegate.config.settings import DropSettings
from framegate.deadlines import next_look_s
from framegate.events.base import Listener
from framegate.events.watch import (
    DropAbsent,
    DropBack,
    WatchDeaf,
    WatchFailed,
    WatchMissed,
    WatchOverflow,
    WatchPolling,
    WatchRebuilt,
    WatchRestored,
)
from framegate.ingest.names import NameRules
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.mounts import Mount, mount_of, sees_all_writers
from framegate.ingest.watch.watcher import Identity, Watcher, identity_of

CHECK_S = 1.0
"""Seconds between two checks of the folder and its watcher, at most."""

LATE_S = 3.0
"""How late a hint may be. watchdog holds back half of a move for 0.5 s, and all events after it."""

QUIET_S = 60.0
"""What fails again within a minute counts as the same fault."""

MOST_REBUILDS = 5
"""After more failures than this without a quiet minute the folder is polled until the next retry."""

ADVICE = {
    errno.EMFILE: "raise the sysctl fs.inotify.max_user_instances, or LimitNOFILE=",
    errno.ENOSPC: "raise the sysctl fs.inotify.max_user_watches",
}

OUR_OWN_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors that have nothing to do with the folder: this process has no descriptors or memory left."""

DEAF_SWEEPS = 3
"""After this many sweeps in a row that found missed frames, setting up the watch again does not help."""


class Watch:
    """Supervises the watcher of one drop folder; used by the loop's thread alone.

    Args:
        settings: of the drop folder, whose path is absolute.
        rules: which names are frames.
        inbox: where hints and requests for sweeps go.
        emit: receives the events of the watch.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, settings: DropSettings, rules: NameRules, inbox: Inbox, emit: Listener) -> None:
        self._settings = settings
        self._folder = Path(settings.folder)
        self._inbox = inbox
        self._emit = emit
        self._watcher = Watcher(self._folder, rules, inbox, recursive=settings.recursive)

        self.is_absent = False
        """Whether the folder is missing, or may not be listed."""

        self.next_check_s = -float("inf")
        """When ``check`` is due."""

        self.rebuilds = 0
        """How often a watcher that could no longer be trusted was replaced."""

        self.found_by_sweep = 0
        """Frames that inotify should have announced and did not."""

        self.identity: Identity | None = None
        """Which folder stood at the path when it was last checked."""

        self._is_armed = False
        self._has_failed = False
        self._retry_at_s = float("inf")
        self._polled: Mount | None = None
        self._troubles = 0
        self._troubled_at_s = -float("inf")

        self._suspects: set[str] = set()
        self._judge_at_s = float("inf")
        self._sweeps_that_found = 0

        self._overflows_seen = 0
        self._overflowed_at_s = -float("inf")

    @property
    def mode(self) -> Literal["inotify", "poll"]:
        """How arrivals are noticed at present."""
        return "inotify" if self._is_armed and not self._is_deaf else "poll"

    @property
    def overflows(self) -> int:
        """How often the kernel's queue of events overflowed; watchdog 6.0 does not report it."""
        return self._watcher.overflows

    def was_written_to(self, name: str) -> bool:
        """Return whether events show that a file was written to and not closed since."""
        return self.mode == "inotify" and self._watcher.was_written_to(name)

    def sweep_interval_s(self, last_sweep_s: float) -> float:
        """Return the seconds from one sweep to the next, when the last one took ``last_sweep_s``.

        Sweeps use at most a tenth of a core: one of 50,000 files takes 0.1 s, and more on a small box.
        """
        interval_s = self._settings.sweep_s
        if self.mode == "poll":
            interval_s = min(self._settings.poll_s, interval_s)
        return max(interval_s, 10 * last_sweep_s)

    def start(self, now_s: float) -> None:
        """Start watching, if the folder is there; the caller begins the first sweep."""
        self.next_check_s = next_look_s(now_s, CHECK_S)
        try:
            identity = identity_of(self._folder)
        except OSError as error:
            self._folder_lost(error)
        else:
            self._arm(identity, now_s)

    def stop(self) -> None:
        """Stop watching; no more hints are added to the inbox."""
        self._watcher.stop()
        self._is_armed = False
        self._forget_suspects()

    def retune(self, settings: DropSettings, rules: NameRules) -> None:
        """Use new settings, except those that need a restart: folder, recursive, watch."""
        self._settings = settings
        self._watcher.rules = rules

    def check(self, now_s: float) -> None:
        """Check the folder and its watcher, and repair what is wrong."""
        self.next_check_s = next_look_s(now_s, CHECK_S)
        try:
            identity = identity_of(self._folder)
        except OSError as error:
            if error.errno not in OUR_OWN_SHORTAGE:
                self._folder_lost(error)
            return
        if self.is_absent:
            self._folder_found(identity, now_s)
        elif why := self._fault(identity):
            self._repair(why, identity, now_s)
        elif now_s >= self._retry_at_s:
            self._retry(identity, now_s)
        self._note_overflows(now_s)
        self._judge_suspects(identity, now_s)

    def renew(self, why: str, now_s: float) -> None:
        """Set up the watch again: a folder that could not be watched before can be now."""
        if self.mode == "inotify" and self.identity is not None:
            self._repair(why, self.identity, now_s)

    def note_closed(self, name: str) -> None:
        """Count a file as closed: its last event was a change of its mode or times."""
        self._watcher.note_closed(name)

    def note_hint(self, name: str) -> None:
        """Record that a hint named a file: the watch has not missed it."""
        self._suspects.discard(name)

    def note_unannounced(self, news: Iterable[str], now_s: float) -> None:
        """Record names that a regular sweep found before any hint named them.

        Their hints may still be on the way, so they count as missed only ``LATE_S`` later. A requested sweep
        proves nothing about the watch: the request itself announced what it finds.
        """
        if self.mode == "poll":
            return
        was_clear = not self._suspects
        self._suspects.update(news)
        if not self._suspects:
            self._sweeps_that_found = 0
        elif was_clear:
            self._judge_at_s = now_s + LATE_S

    @property
    def _is_deaf(self) -> bool:
        return self._sweeps_that_found >= DEAF_SWEEPS

    def _arm(self, identity: Identity, now_s: float) -> None:
        """Begin to watch, or to poll: because of the settings or the file system, or without inotify."""
        self.identity = identity
        self._retry_at_s = float("inf")
        if self._has_to_poll():
            return
        try:
            self._watcher.start()
        except FileNotFoundError:
            # The folder was removed meanwhile, or one inside it (6.0): inotify is not to blame.
            self._retry_at_s = now_s
        except OSError as error:
            self._fail(error.strerror or str(error), now_s, ADVICE.get(error.errno or 0))
        else:
            self._is_armed = True

    def _has_to_poll(self) -> bool:
        if self._settings.watch != "auto":
            return self._settings.watch == "poll"
        mount = mount_of(self._folder)
        if mount is None or sees_all_writers(mount.kind):
            return False
        if mount != self._polled:
            self._emit(
                WatchPolling(
                    reason="the kernel does not see all who write here",
                    file_system=mount.kind,
                    mount_point=mount.point,
                    poll_s=self._settings.poll_s,
                )
            )
            self._polled = mount
        return True

    def _fail(self, why: str, now_s: float, advice: str | None = None) -> None:
        """Poll until inotify works again; emit one event."""
        self._retry_at_s = now_s + self._settings.sweep_s
        if not self._has_failed:
            self._emit(WatchFailed(why, self._settings.poll_s, advice))
        self._has_failed = True

    def _retry(self, identity: Identity, now_s: float) -> None:
        self._arm(identity, now_s)
        if self._is_armed:
            if self._has_failed:
                self._emit(WatchRestored())
            self._has_failed = False
            self._inbox.request_sweep()

    def _folder_lost(self, error: OSError) -> None:
        if self.is_absent:
            return
        self.is_absent = True
        self.stop()
        self._emit(DropAbsent(str(self._folder), error.strerror or str(error)))

    def _folder_found(self, identity: Identity, now_s: float) -> None:
        self.is_absent = False
        self._sweeps_that_found = 0  # events may come from the folder that is there now
        self._arm(identity, now_s)
        self._emit(DropBack(str(self._folder), self.mode))
        self._inbox.request_sweep()

    def _fault(self, identity: Identity) -> str | None:
        if self._is_armed:
            return self._watcher.fault(identity)
        return None if identity == self.identity else "another folder stands at the path"

    def _repair(self, why: str, identity: Identity, now_s: float) -> None:
        self.stop()
        self._inbox.request_sweep()
        if now_s - self._troubled_at_s >= QUIET_S:
            self._troubles = 0
        self._troubled_at_s = now_s
        self._troubles += 1
        self._sweeps_that_found = 0
        if self._troubles > MOST_REBUILDS:
            self.identity = identity
            self._fail(why, now_s)
            return
        self._rebuild(identity, now_s)
        self._emit(WatchRebuilt(why, self.mode))

    def _rebuild(self, identity: Identity, now_s: float) -> None:
        self.rebuilds += 1
        self._arm(identity, now_s)

    def _note_overflows(self, now_s: float) -> None:
        """Emit an event for the first overflow after a quiet minute; each has requested its sweep already."""
        if self.overflows == self._overflows_seen:
            return
        self._overflows_seen = self.overflows
        if now_s - self._overflowed_at_s >= QUIET_S:
            self._emit(WatchOverflow(self.overflows))
        self._overflowed_at_s = now_s

    def _judge_suspects(self, identity: Identity, now_s: float) -> None:
        """Set up the watch again if a sweep found what no hint named, or poll if that did not help."""
        if now_s < self._judge_at_s:
            return
        missed = sorted(self._suspects)
        self._forget_suspects()
        if not missed:
            self._sweeps_that_found = 0
            return
        self.found_by_sweep += len(missed)
        self._sweeps_that_found += 1
        if self._sweeps_that_found == 1:
            self._emit(WatchMissed(len(missed), missed[0]))
        if self._is_deaf:
            self._emit(WatchDeaf(self._settings.poll_s))
            return
        self.stop()
        self._rebuild(identity, now_s)
        self._inbox.request_sweep()

    def _forget_suspects(self) -> None:
        self._suspects.clear()
        self._judge_at_s = float("inf")

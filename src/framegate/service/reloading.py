"""Live edits: each new version of the config file is validated as a whole, and taken or refused as a whole.

A refused version changes nothing: the last good one stays in force, and every error is said once.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from framegate.config import Config, parse, read
from framegate.errors import ConfigError, Problem
from framegate.events import Listener, happening
from framegate.ingest.inbox import Inbox
from framegate.reference import changes_between, restart_only_keys
from framegate.service.checkup import Grade, examine_extras, examine_masks
from framegate.service.config_watch import ConfigWatch
from framegate.service.retrying import NEVER_S


class Reloader:
    """Watches the config file, and knows which version of it is in force.

    Args:
        config: the version in force at the start.
        inbox: woken when something happens near the file.
        announce: hears of each version that is taken or refused.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(self, config: Config, inbox: Inbox, announce: Listener) -> None:
        self.config = config
        """What is in force."""

        self.revision = 1
        """Counts the versions that were in force."""

        self.refused: tuple[str, ...] = ()
        """What is wrong with the file as it is now; empty when it is in force."""

        self._inbox = inbox
        self._announce = announce
        path = config.path
        self._watch = None if path is None or _is_stream(path) else ConfigWatch(path, inbox)
        self._examined = config.text.encode()
        self._asks = self._asks_taken = 0
        self._owes_answer = False

    def start(self, now_s: float) -> None:
        """Begin to watch the file."""
        if self._watch is not None:
            self._watch.start(now_s)

    def stop(self) -> None:
        """End the watching."""
        if self._watch is not None:
            self._watch.stop()

    def ask(self) -> None:
        """Let the file be read even if it is as it was; may be called from a signal handler."""
        self._asks += 1
        self._inbox.wake()

    def take_ask(self) -> bool:
        """Return whether somebody has asked since the last call; an ask that comes meanwhile is not lost."""
        taken, self._asks_taken = self._asks_taken, self._asks
        return taken != self._asks_taken

    def deadline_s(self) -> float:
        """Return when ``poll`` has something to do, if nothing happens before."""
        return NEVER_S if self._watch is None else self._watch.deadline_s()

    def poll(self, now_s: float, *, is_asked: bool = False) -> Config | None:
        """Return the settings to swap in now, if there are any; a half-written file is read when it is whole.

        Args:
            now_s: the time.
            is_asked: read the file even if it is as it was.
        """
        if self._watch is None:
            return None
        self._owes_answer |= is_asked
        if is_asked:
            self._watch.take_in(now_s)
            if self._watch.is_half_written:
                self._watch.expect(now_s)
                return None
        elif not self._watch.is_saved(now_s):
            return None
        owed, self._owes_answer = self._owes_answer, False
        return self._examine(is_asked=owed)

    def _examine(self, *, is_asked: bool) -> Config | None:
        """Read the file and take it or refuse it; a version that was examined before only when asked."""
        path = self.config.path
        assert path is not None
        data = b""
        try:
            data = read(path)
            if data == self._examined and not is_asked and not self.refused:
                return None  # refused: what it names may be there now
            config = parse(path, data, self.config.flags)
            _insist_on(tuple(self._obstacles(config)), str(path))
        except ConfigError as error:
            self._refuse(error, data, is_asked=is_asked)
            return None
        self._examined = data
        return self._take(config, is_asked=is_asked)

    def _obstacles(self, config: Config) -> Iterator[Problem]:
        for key in changes_between(self.config, config):
            if key in restart_only_keys():
                yield Problem(key, "a running daemon cannot change this: restart it", config.line_of(key))
        for finding in (*examine_masks(config.settings), *examine_extras(config.settings)):
            if finding.grade is Grade.ERROR:
                yield Problem(finding.key, finding.message, config.line_of(finding.key))

    def _refuse(self, error: ConfigError, data: bytes, *, is_asked: bool) -> None:
        refused = tuple(map(str, error.problems))
        if refused != self.refused or data != self._examined or is_asked:
            self._announce(
                happening("config.refused", "error", file=error.path, errors=refused, revision=self.revision)
            )
        self.refused, self._examined = refused, data

    def _take(self, config: Config, *, is_asked: bool) -> Config | None:
        changed = changes_between(self.config, config)
        was_refused, self.refused = bool(self.refused), ()
        if changed:
            self.config = config
            self.revision += 1
            said = {key: {"old": old, "new": new} for key, (old, new) in changed.items()}
            self._announce(happening("config.reloaded", revision=self.revision, changed=said))
        elif was_refused:
            self._announce(happening("config.mended", revision=self.revision))
        elif is_asked:
            self._announce(happening("config.unchanged", revision=self.revision))
        return config if changed or is_asked else None  # asked: a mask's picture may be another


def _is_stream(path: Path) -> bool:
    """Tell whether a config came through a pipe (``-c <(make-config)``): it can be read only once."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _insist_on(obstacles: tuple[Problem, ...], path: str) -> None:
    if obstacles:
        raise ConfigError(obstacles, path)

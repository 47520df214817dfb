"""Live edits: each new version of the config file is checked as a whole, and used or refused as a whole.

After a refusal the last good version stays in force, and every error is logged once.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from framegate.config.docs import changes_between, restart_only_keys
from framegate.config.load import Config, parse, read
from framegate.config.settings import Settings
from framegate.deadlines import NEVER_S
from framegate.errors import ConfigError, Problem
from framegate.events.base import Listener
from framegate.events.daemon import ConfigMended, ConfigRefused, ConfigReloaded, ConfigUnchanged
from framegate.ingest.watch.inbox import Inbox
from framegate.preflight.archive_checks import check_archive
from framegate.preflight.folder_checks import Grade
from framegate.preflight.preflight import check_extras, check_masks
from framegate.reload.config_watch import ConfigWatch

Retune = Callable[[Settings], None]
"""Gives new settings to one part of the daemon."""


class Supervisor(Protocol):
    """The service manager, which asks for a reload and waits for its end."""

    def reloading(self) -> None:
        """Report that the config is being read; ``ready`` follows."""

    def ready(self) -> None:
        """Report that the config is in force, or refused, or still being written."""


class Numbering(Protocol):
    """Numbers the settings in force, once they have been handed on: the ledger."""

    @property
    def config_revision(self) -> int:
        """Number of the settings in force."""


class Reloader:
    """Watches the config file, and hands each good version to all parts of the daemon.

    Args:
        config: the version in force at the start.
        inbox: wakes the loop when something happens in the file's folders.
        emit: gets an event for each version that is used or refused.
        supervisor: gets the start and end of each reload on request.
        numbering: has the number of the settings in force.

    Times are seconds of one monotonic clock, given by the caller.
    """

    def __init__(
        self,
        config: Config,
        inbox: Inbox,
        emit: Listener,
        supervisor: Supervisor,
        numbering: Numbering,
    ) -> None:
        self.config = config
        """The version in force."""

        self.retunes: tuple[Retune, ...] = ()
        """One function for each part of the daemon, called in this order with new settings."""

        self.retunes_after: tuple[Retune, ...] = ()
        """The same, called after the event: the log writes its line with the old level and format."""

        self.refused: tuple[str, ...] = ()
        """The errors of the file as it is now; empty when the file is in force."""

        self._inbox = inbox
        self._emit = emit
        self._supervisor = supervisor
        self._numbering = numbering
        path = config.path
        self._watch = None if path is None or _is_stream(path) else ConfigWatch(path, inbox)
        self._examined = config.text.encode()
        self._is_requested = False
        self._must_answer = False
        """Whether the next reading was requested: it is logged even if nothing has changed."""

    @property
    def revision(self) -> int:
        """Number of the settings in force."""
        return self._numbering.config_revision

    def start(self, now_s: float) -> None:
        """Start to watch the file."""
        if self._watch is not None:
            self._watch.start(now_s)

    def stop(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.stop()

    def request(self) -> None:
        """Have the file read even if it has not changed; may be called from a signal handler."""
        self._is_requested = True
        self._inbox.wake()

    def deadline_s(self) -> float:
        """Return when ``poll`` has something to do, if there is no event before."""
        return NEVER_S if self._watch is None else self._watch.deadline_s()

    def poll(self, now_s: float) -> None:
        """Read the file if it was saved, or on request, and hand its settings on; never half a file."""
        if not self._is_requested:
            self._read_if_saved(now_s)
            return
        self._is_requested = False  # first: a request from now on causes another reading
        self._must_answer = True
        self._supervisor.reloading()
        if self._watch is not None:
            self._watch.report_anyway(now_s)
        self._read_if_saved(now_s)
        self._supervisor.ready()  # even after a refusal: else systemctl reload would wait for ever

    def _read_if_saved(self, now_s: float) -> None:
        if self._watch is None or not self._watch.poll_change(now_s):
            return
        config = self._examined_config()
        must_answer, self._must_answer = self._must_answer, False
        if config is not None:
            self._put_in_force(config, must_answer=must_answer)

    def _examined_config(self) -> Config | None:
        """Read the file and return it if it is good; log a refusal."""
        path = self.config.path
        assert path is not None
        data = b""
        try:
            data = read(path)
            if data == self._examined and not self._must_answer and not self.refused:
                return None  # after a refusal it is checked again: a missing mask may be there now
            config = parse(path, data, self.config.flags)
            problems = tuple(self._problems_of(config))
        except ConfigError as error:
            self._refuse(error.problems, data)
            return None
        if problems:
            self._refuse(problems, data)
            return None
        self._examined = data
        return config

    def _problems_of(self, config: Config) -> Iterator[Problem]:
        findings = [*check_masks(config.settings), *check_extras(config.settings)]
        if config.settings.drop.exclude != self.config.settings.drop.exclude:
            findings += check_archive(config.settings)  # only then: its disk may hang
        wrong = {finding.key: finding.message for finding in findings if finding.grade is Grade.ERROR}
        for key in changes_between(self.config, config):
            if key in restart_only_keys() and key not in wrong:  # else a restart would fail too
                yield Problem(key, "a running daemon cannot change this: restart it", config.line_of(key))
        for key, message in wrong.items():
            yield Problem(key, message, config.line_of(key))

    def _refuse(self, problems: tuple[Problem, ...], data: bytes) -> None:
        refused = tuple(map(str, problems))
        if refused != self.refused or data != self._examined or self._must_answer:
            self._emit(ConfigRefused(str(self.config.path), refused, self.revision))
        self.refused, self._examined = refused, data

    def _put_in_force(self, config: Config, *, must_answer: bool) -> None:
        """Hand a version to all parts, then log it: frames after that line are judged by it."""
        changed = changes_between(self.config, config)
        was_refused, self.refused = bool(self.refused), ()
        if changed:
            self.config = config
        is_handed_on = bool(changed) or must_answer  # on request: a mask's picture may have changed
        for retune in self.retunes if is_handed_on else ():
            retune(config.settings)
        if changed:
            fields = {key: {"old": old, "new": new} for key, (old, new) in changed.items()}
            self._emit(ConfigReloaded(self.revision, fields))
        elif was_refused:
            self._emit(ConfigMended(self.revision))
        elif must_answer:
            self._emit(ConfigUnchanged(self.revision))
        for retune in self.retunes_after if is_handed_on else ():
            retune(config.settings)


def _is_stream(path: Path) -> bool:
    """Return whether a config comes through a pipe (``-c <(make-config)``), which can be read only once."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)

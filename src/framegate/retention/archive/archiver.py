"""Archives judged frames, as ``after_kept = "archive"`` and the settings like it say.

As with deletion, the ledger says what has to go: a decision is made durable, then its input is moved, then
the move is recorded. Files are moved in a thread: an archive may be a network share that hangs, and judging
must not wait for it.
"""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

from framegate.config.settings import Settings
from framegate.events.base import Listener
from framegate.events.deleting import InputArchivable, InputArchived, InputUnarchivable
from framegate.folders import opened_below
from framegate.keep.disk import Disk
from framegate.keep.ledger import Ledger
from framegate.keep.presence import Recorded
from framegate.retention.archive.moving import Archive
from framegate.retention.inputs import PAUSE_S, InputCleaner
from framegate.retention.wall_clock import WallClock

WAIT_S = 0.0
"""How long the loop waits for a portion that has been begun: it comes back after ``PAUSE_S`` in any case."""

NO_USE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN})
"""The errors after which no other file of a portion is tried: the next would fail as well."""


class Portion:
    """Some inputs that are moved in a thread; read its fields when ``is_done``.

    Args:
        archive: takes them.
        drop: the drop folder.
        rows: what has to be moved, in this order.
        rules: the setting because of which each is moved, by row number.
    """

    def __init__(
        self, archive: Archive, drop: Path, rows: Sequence[Recorded], rules: Mapping[int, str]
    ) -> None:
        self.rows, self.rules = rows, rules
        self.handled: list[Recorded] = []
        """Those that were tried; the others were not, because the archive is of no use now."""

        self.archived: dict[int, str] = {}
        """Names in the archive by row number."""

        self.gone: list[int] = []
        """Rows of inputs that are neither in the drop folder nor in the archive."""

        self.refused: list[tuple[Recorded, OSError]] = []
        self.failure: BaseException | None = None
        """Why nothing could be done at all: the drop folder is away."""

        self._archive, self._drop = archive, drop
        self._thread = Thread(target=self._run, name="archive", daemon=True)
        self._thread.start()

    def is_done(self, within_s: float) -> bool:
        """Return whether the thread has ended, waiting for it at most so long."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    @property
    def is_cut_off(self) -> bool:
        """Whether the archive is of no use now."""
        return len(self.handled) < len(self.rows)

    def _run(self) -> None:
        try:
            with opened_below(self._drop) as root_fd:
                self._move_all(root_fd)
        except BaseException as error:  # noqa: BLE001 - raised where the portion is taken in
            self.failure = error

    def _move_all(self, root_fd: int) -> None:
        try:
            self._archive.require()
            for row in self.rows:
                self._move(root_fd, row)
                if self.refused and self.refused[-1][1].errno in NO_USE:
                    break
            self._archive.sync(root_fd)
        except OSError as error:
            self.archived, self.gone, self.handled = {}, [], []
            self.refused.append((self.rows[0], error))

    def _move(self, root_fd: int, row: Recorded) -> None:
        try:
            name = self._archive.take(root_fd, row.entry)
        except OSError as error:
            self.refused.append((row, error))
            if error.errno in NO_USE:
                return
        except MemoryError:
            self.refused.append((row, OSError(errno.ENOMEM, "out of memory")))
        else:
            if name is None:
                self.gone.append(row.id)
            else:
                self.archived[row.id] = name
        self.handled.append(row)


class InputArchiver(InputCleaner):
    """Moves the judged frames of one drop folder to the archive; see ``InputCleaner``."""

    ARCHIVES = True
    REFUSED = InputUnarchivable

    def __init__(
        self, settings: Settings, ledger: Ledger, emit: Listener, clock: WallClock, disk: Disk
    ) -> None:
        folder = settings.drop.archive
        self._archive = None if folder is None else Archive(Path(folder), settings.results.min_free, disk)
        self._portion: Portion | None = None
        self._was_cut_off = False
        super().__init__(settings, ledger, emit, clock, disk)

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on; what has been begun is finished by those before."""
        super().retune(settings)
        if self._archive is not None:
            self._archive.min_free_bytes = settings.results.min_free

    @property
    def refused(self) -> str | None:
        """Why inputs cannot be archived, as the last tries have shown; None if they can, or all stay."""
        return self._refusals.last_error if self._rules else None

    def deadline_s(self) -> float:
        """Return when ``run_due`` has something to do; infinity while there is nothing to archive."""
        return super().deadline_s() if self._portion is None else self._next_s

    def _delete_some(self, now_s: float) -> float:
        if self._portion is None:
            self._portion = self._begun(now_s)
        if self._portion is None or not self._portion.is_done(WAIT_S):
            return PAUSE_S
        portion, self._portion = self._portion, None
        if portion.failure is not None:
            raise portion.failure
        self._take_in(portion, now_s)
        return PAUSE_S

    def _begun(self, now_s: float) -> Portion | None:
        batch = self._next_batch(now_s)
        if not batch or self._archive is None:
            return None
        rules = {row.id: self._rules[row.entry.reason.verdict].name for row in batch}
        try:
            return Portion(self._archive, self._folder, batch, rules)
        except RuntimeError as error:  # the process may start no more threads
            raise BlockingIOError(errno.EAGAIN, str(error)) from error

    def _take_in(self, portion: Portion, now_s: float) -> None:
        """Record and tell what a portion has done."""
        for row in portion.handled:
            if (name := portion.archived.get(row.id)) is not None:
                entry = row.entry
                self._emit(InputArchived(entry.camera, entry.key.name, portion.rules[row.id], name))
        for row, error in portion.refused:
            self._refusals.note(row.entry.key.name, error)
        gone = dict.fromkeys(portion.gone, self._clock.now_ns())
        self._ledger.presence.mark(inputs=gone, archived=portion.archived)
        self._after |= {row.entry.reason.verdict: row.id for row in portion.handled}
        if portion.is_cut_off:
            self._end(now_s)
        elif self._was_cut_off:  # it works again: try all that waits now, not when its retry is due
            self._full_pass_at_s = now_s
        self._was_cut_off = portion.is_cut_off

    def _end(self, now_s: float) -> None:
        before = self._refusals.last_error
        super()._end(now_s)
        if before is not None and self._refusals.last_error is None:
            self._emit(InputArchivable())

"""The ledger of a single run, such as a scan: what its cameras need, in memory, and gone at its end."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from framegate.config.settings import Settings
from framegate.keep.history.revisions import Snapshot
from framegate.keep.memories import Memory
from framegate.model import Entry, FileKey, Moment, Reason

MOST_KEPT = 32
"""Kept frames of a camera that are remembered before those that are no reference any more are forgotten: to
find out which those are takes as long as to save what the camera has learnt, some 0.3 ms."""


class JudgingLedger(Protocol):
    """What judging needs of a ledger, be it the daemon's or that of a single run.

    Each method may raise SinkError: it cannot be read or written now.
    """

    @property
    def config_revision(self) -> int:
        """Number of the settings in force."""

    @property
    def set_aside(self) -> int:
        """How many ledgers were lost before this one: their frames are to be judged again."""

    def put_in_force(self, snapshot: Snapshot) -> None:
        """Number what frames are judged by from now on; raise nothing."""

    def last_of(self, name: str) -> Entry | None:
        """Return the decision about the latest version of the file at a name; None if there is none."""

    def of_content(self, mtime_ns: int, sha256: bytes) -> list[Entry]:
        """Return the latest decisions about files of a time and content, newest first."""

    def note(self, entry: Entry) -> None:
        """Record a dropped or rejected frame."""

    def renew(self, old: Entry, new: Entry) -> None:
        """Record that a judged file has another version, time, name or result now."""

    def learn(self, camera: str, memory: Callable[[], Memory]) -> None:
        """Record what a camera has learnt: ``memory`` is called when it is saved."""

    def intend(self, *entries: Entry) -> None:
        """Record which frames are to be kept, before they are delivered, and the others between them."""

    def finish(self, key: FileKey, result: str) -> None:
        """Record that an intended frame is in the results folder under this name."""

    def abandon(self, key: FileKey, reason: Reason, detail: str) -> None:
        """Turn an intent whose bytes are gone into a rejected frame."""

    def flush(self) -> None:
        """Save what waits, what the cameras have learnt among it."""

    def unfinished(self) -> list[Entry]:
        """Return the kept frames whose delivery an earlier run did not finish, and what came after them."""

    def kept(self, key: FileKey) -> Entry | None:
        """Return the decision to keep a version of a file; None if it was not kept or is forgotten."""

    def kept_lately(self, camera: str, most: int) -> list[Moment]:
        """Return when a camera's latest kept frames were taken and arrived: ``most``, oldest first."""

    def memory_of(self, camera: str) -> Memory:
        """Return what was saved last of what a camera has learnt."""


class RunLedger:
    """Remembers of each camera what brings it back when it was put away to make room for others.

    Its size depends on the number of cameras, not of frames. It recognises no frame: a run judges files that
    it has listed, and each of them once.

    Args:
        settings: of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self._most_lately = max(each.max_kept_per_hour or 0 for each in settings.detections())
        self._lately: defaultdict[str, deque[Moment]] = defaultdict(lambda: deque(maxlen=self._most_lately))
        self._kept: dict[FileKey, Entry] = {}
        self._kept_of: defaultdict[str, list[FileKey]] = defaultdict(list)
        """By camera: its references, and some that were kept before them."""

        self._learnt: dict[str, Callable[[], Memory]] = {}
        self._saved: dict[str, Memory] = {}

    @property
    def config_revision(self) -> int:
        """Return 1: the settings of a run do not change."""
        return 1

    @property
    def set_aside(self) -> int:
        """Return 0: it cannot be lost."""
        return 0

    def put_in_force(self, _snapshot: Snapshot) -> None:
        """Remember nothing of the settings."""

    def last_of(self, _name: str) -> Entry | None:
        """Return None: no name comes twice."""
        return None

    def of_content(self, _mtime_ns: int, _sha256: bytes) -> list[Entry]:
        """Return nothing: another file of the same content is a copy, and a frame of its own."""
        return []

    def note(self, entry: Entry) -> None:
        """Remember nothing of a frame that is not kept."""

    def renew(self, old: Entry, new: Entry) -> None:
        """Know a kept frame by its present version."""
        if self._kept.pop(old.key, None) is not None:
            self._remember(new)

    def learn(self, camera: str, memory: Callable[[], Memory]) -> None:
        """Remember where to ask what a camera has learnt."""
        self._learnt[camera] = memory

    def intend(self, *entries: Entry) -> None:
        """Remember those of some frames that are to be kept."""
        kept = [entry for entry in entries if entry.reason.is_kept]
        for camera in {entry.camera for entry in kept}:
            if len(self._kept_of[camera]) >= MOST_KEPT:
                self._forget_all_but_references(camera)
        for entry in kept:
            self._remember(entry)
            if self._most_lately:
                self._lately[entry.camera].append(Moment(entry.captured_at_ns, entry.arrived_at_ns))

    def finish(self, key: FileKey, result: str) -> None:
        """Remember where a kept frame is."""
        if key in self._kept:
            self._kept[key] = replace(self._kept[key], result=result)

    def abandon(self, key: FileKey, _reason: Reason, _detail: str) -> None:
        """Forget a kept frame."""
        self._kept.pop(key, None)

    def flush(self) -> None:
        """Ask what the cameras have learnt, and remember that instead of the cameras."""
        self._saved |= {camera: memory() for camera, memory in self._learnt.items()}
        self._learnt = {}

    def unfinished(self) -> list[Entry]:
        """Return nothing: there was no run before."""
        return []

    def kept(self, key: FileKey) -> Entry | None:
        """Return the decision to keep a frame that is, or was lately, a reference; None for others."""
        return self._kept.get(key)

    def kept_lately(self, camera: str, most: int) -> list[Moment]:
        """Return when a camera's latest kept frames were taken and arrived: ``most``, oldest first."""
        return list(self._lately[camera])[-most:]

    def lately(self, camera: str) -> list[Moment]:
        """Return when a camera's latest kept frames were taken: as many as any settings count."""
        return list(self._lately[camera])

    def restore_lately(self, camera: str, moments: Iterable[Moment]) -> None:
        """Go on from what ``lately`` has returned in an earlier run."""
        self._lately[camera].extend(moments)

    def memory_of(self, camera: str) -> Memory:
        """Return what a camera had learnt at the last ``flush``."""
        return self._saved.get(camera, Memory())

    def _remember(self, entry: Entry) -> None:
        self._kept[entry.key] = entry
        self._kept_of[entry.camera].append(entry.key)

    def _forget_all_but_references(self, camera: str) -> None:
        memory = self._learnt[camera]() if camera in self._learnt else self.memory_of(camera)
        references = {lane.reference for lane in memory.lanes}
        for key in self._kept_of[camera]:
            if key not in references:
                self._kept.pop(key, None)
        self._kept_of[camera] = [key for key in self._kept_of[camera] if key in self._kept]

"""One pass over some frames, judged by any number of lines.

Each camera's frames are independent of the others', so camera after camera is replayed: from what an earlier
replay has remembered, or, if that does not suffice, from the pictures.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from framegate.model import Decision, GrayImage, Moment
from framegate.tune.replay.facts import Computed, FactStore, Reading, Seen
from framegate.tune.replay.group import CarriedGroup
from framegate.tune.replay.judging import Decided, Lines
from framegate.tune.replay.known import Known, digests_of
from framegate.tune.replay.outcomes import Frame, Line, Outcome, Replay
from framegate.tune.replay.reader import Reader, is_too_large
from framegate.tune.replay.remembered import Remembered
from framegate.tune.replay.shown import DIGITS, NotKnownError, content_of

BATCH = 256
"""Frames whose facts are read from the cache, and written to it, together."""

Progress = Callable[[int], None]
"""Called with the number of frames that were replayed since the last call; it may be negative."""


def replay(
    frames: Sequence[Frame],
    lines: Sequence[Line],
    *,
    store: FactStore | None = None,
    masks: Mapping[str, GrayImage] | None = None,
    progress: Progress = lambda _frames: None,
) -> Replay:
    """Judge frames by several lines at once, each as if it alone had been in force from the first frame on.

    Args:
        frames: each camera's in the order in which they have to be judged. Those of no folder of their own
            are below the drop folder of the first line.
        lines: at least one.
        store: remembers what was computed; by default nothing.
        masks: pictures that stand for mask files, by their paths; other files are read.
        progress: see ``Progress``.

    Raises:
        OSError: a mask cannot be read.
        ValueError: a mask is not a picture.
        MemoryError: there is too little memory.
    """
    result = Replay(frames, [Outcome.empty(line, len(frames)) for line in lines])
    known_masks = dict(masks or {})
    store = store or FactStore(None)
    for camera, numbers in result.of_cameras().items():
        run = _CameraRun(camera, numbers, result, known_masks, store)
        if not run.recall():
            progress(len(numbers))
            continue
        try:
            run.go(with_pictures=False, progress=progress)
        except NotKnownError:
            progress(-run.done)
            run.go(with_pictures=True, progress=progress)
        doubt_unlike(result, camera, run.unlike)
    return result


@dataclass(frozen=True, slots=True)
class Before:
    """What goes before a part of a camera's frames: they are replayed one part after another."""

    frames: int = 0
    """How many of the camera's frames."""

    last: Frame | None = None
    """The last of them; None before the first part."""

    groups: Sequence[CarriedGroup] = ()
    """What the lines knew after it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of one camera's frames, replayed."""

    outcomes: Sequence[Outcome]
    """By the numbers of the frames in the part; references by their numbers among all of the camera."""

    groups: Sequence[CarriedGroup]
    """What the lines know after it."""

    inexact: Sequence[str]
    unlike: Mapping[str, int]
    """How many frames have not the bytes that the daemon has judged, by what is wrong with them."""


def replay_part(
    frames: Sequence[Frame], lines: Sequence[Line], masks: Mapping[str, GrayImage], before: Before
) -> Part:
    """Judge some of one camera's frames, as ``replay`` judges them among all.

    Raises:
        OSError, ValueError, MemoryError: as ``replay``. ValueError also: the groups before are damaged.
    """
    result = Replay(frames, [Outcome.empty(line, len(frames)) for line in lines])
    camera = frames[0].candidate.camera
    run = _CameraRun(camera, range(len(frames)), result, dict(masks), FactStore(None), before=before)
    run.go(with_pictures=True, progress=lambda _frames: None)
    return Part(result.outcomes, run.carried(), result.inexact.get(camera, ()), dict(run.unlike))


def doubt_unlike(result: Replay, camera: str, unlike: Mapping[str, int]) -> None:
    """Note how many frames of a camera have not the bytes that the daemon has judged."""
    for what, count in unlike.items():
        result.doubt(camera, f"{count} of the frames that the daemon has judged {what}")


class _CameraRun:
    """The replay of one camera, or of a part of its frames."""

    def __init__(
        self,
        camera: str,
        numbers: Sequence[int],
        result: Replay,
        masks: dict[str, GrayImage],
        store: FactStore,
        *,
        before: Before = Before(),
    ) -> None:
        self._before = before
        self._camera = camera
        self._numbers = numbers
        self._frames = [result.frames[number] for number in numbers]
        self._result = result
        self._masks = masks
        self._store = store
        self._outcomes = result.outcomes
        self._begin()
        if self._lines.are_cold:  # here, since an outcome that is remembered is as inexact as it was
            result.doubt(camera, "the daemon knew other things: its preset or working size was another one")

    def _begin(self) -> None:
        first, last = self._frames[0], self._before.last
        lines = [outcome.line for outcome in self._outcomes]
        self._settings = [
            line.settings_before(first) if last is None else line.settings_for(last) for line in lines
        ]
        self._lines = Lines(self._camera, self._settings, self._masks, first.start, self._before.groups)
        self._digests: list[bytes] = []
        self.unlike: Counter[str] = Counter()
        """Frames that have not the bytes that the daemon has judged, by what is wrong with them."""

        self.done = 0
        """Frames that were replayed."""

    def recall(self) -> bool:
        """Fill in what lines have decided about the same frames before; return whether any are left."""
        digests: list[bytes | None] = []
        for start in range(0, len(self._frames), BATCH):
            digests += digests_of(self._frames[start : start + BATCH], self._store, self._drop_folder)
        if None not in digests:
            remembered = Remembered.of(self._store, self._numbers, self._frames, [d for d in digests if d])
            self._outcomes = [
                outcome
                for outcome in self._outcomes
                if not remembered.recall(outcome, self._key_of(outcome.line))
            ]
            self._begin()
        return bool(self._outcomes)

    def go(self, *, with_pictures: bool, progress: Progress) -> None:
        """Replay all frames, from the first.

        Raises:
            NotKnownError: a frame has to be read, and ``with_pictures`` is False.
        """
        self._begin()
        keys = [self._key_of(outcome.line) for outcome in self._outcomes]
        with ExitStack() as stack:
            reader = stack.enter_context(closing(Reader(self._frames))) if with_pictures else None
            for start in range(0, len(self._frames), BATCH):
                batch = self._frames[start : start + BATCH]
                self._replay(start, batch, reader, progress)
        if all(self._digests):
            remembered = Remembered.of(self._store, self._numbers, self._frames, self._digests)
            for outcome, key in zip(self._outcomes, keys, strict=True):
                remembered.remember(outcome, key)

    def carried(self) -> list[CarriedGroup]:
        """Return what the lines know after the frames that were replayed, to go on from."""
        return self._lines.carried()

    def _key_of(self, line: Line) -> str:
        """Return what tells apart by which settings a line judges the frames."""
        first = line.settings_before(self._frames[0])
        if line.revisions is None and not first.schedule:
            return self._lines.key_of(first)
        keys: dict[int, str] = {}
        digest = hashlib.blake2b(digest_size=DIGITS // 2)
        for settings in (first, *map(line.settings_for, self._frames)):
            if id(settings) not in keys:
                keys[id(settings)] = self._lines.key_of(settings)
            digest.update(keys[id(settings)].encode())
        for frame in self._frames:
            digest.update(self._hours_of(line, frame).encode())
        return digest.hexdigest()

    def _hours_of(self, line: Line, frame: Frame) -> str:
        """Return which schedules may count for a frame: where the clocks go otherwise, there are others."""
        settings, candidate = line.settings_for(frame), frame.candidate
        if not settings.schedule:
            return ""
        times_ns = candidate.captured_at_ns, candidate.arrived_at_ns
        return str([each and settings.schedule_at(self._camera, each) for each in times_ns])

    def _replay(self, start: int, batch: Sequence[Frame], reader: Reader | None, progress: Progress) -> None:
        known = Known.of(batch, self._store, self._drop_folder, [*self._lines.readings], [*self._lines.works])
        new = Computed()
        for place, frame in enumerate(batch):
            if reader is not None:
                progress(1)  # it takes some 20 ms; what is remembered, some 50 us
            self._retune(self._numbers[start + place], frame)
            if frame.settled is not None:
                self._settle(start + place, frame.settled)
                continue
            if reader is None:
                sha256, seen = known.digest_of(place), known.seen_at(place, self._lines.readings)
            else:
                sha256, seen = reader.take(start + place, self._lines.readings)
                self._compare(frame, sha256, seen)
                new.add_read(frame.folder or self._drop_folder, frame.candidate.key, sha256, seen)
            self._digests.append(sha256)
            content = content_of(sha256)
            counts = known.lend(content, self._lines.works)
            moment = Moment(frame.candidate.captured_at_ns, frame.candidate.arrived_at_ns)
            number = self._numbers[start + place]
            for decided in self._lines.judge(self._before.frames + number, moment, sha256, seen):
                self._note(number, decided)
            new.add_facts(content, self._lines.works, counts)
        self._store.add(new)
        self.done += len(batch)
        if reader is None:
            progress(len(batch))

    def _compare(self, frame: Frame, sha256: bytes, seen: Mapping[Reading, Seen]) -> None:
        """Count a frame that has not the bytes that the daemon has judged: it went, or may not be read."""
        then = None if frame.recorded is None else frame.recorded.sha256
        if then not in {None, sha256} and not all(is_too_large(each) for each in seen.values()):
            self.unlike["have other bytes now" if sha256 else "could not be read"] += 1

    def _settle(self, place: int, decision: Decision) -> None:
        self._digests.append(str(decision.reason).encode())
        for outcome in self._outcomes:
            outcome.note(self._numbers[place], decision, None)

    @property
    def _drop_folder(self) -> str:
        return self._settings[0].drop.folder

    def _retune(self, number: int, frame: Frame) -> None:
        for line, outcome in enumerate(self._outcomes):
            settings = outcome.line.settings_for(frame)
            if settings is not self._settings[line]:
                self._settings[line] = settings
                if not self._lines.retune(line, settings):
                    outcome.anew.append(number)

    def _note(self, number: int, decided: Decided) -> None:
        for line in decided.lines:
            score = decided.scores.get(line, decided.decision.score)
            self._outcomes[line].note(number, decided.decision, score)

"""One pass over some frames, judged by any number of lines.

Each camera's frames are independent of the others', so camera after camera is replayed: from what an earlier
replay has remembered, or, if that does not suffice, from the pictures.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from framegate.ahead import Ahead
from framegate.config.settings import Settings
from framegate.examining import Examined, decoded, read
from framegate.model import Candidate, Decision, GrayImage, Moment, NotYet, Reason
from framegate.tune.replay.facts import FactStore, Seen
from framegate.tune.replay.judging import Decided, Lines, Reading
from framegate.tune.replay.outcomes import Frame, Line, Outcome, Replay
from framegate.tune.replay.sharing import Facts, NotKnownError, content_of, shown_of

BATCH = 256
"""Frames whose facts are read from the cache, and written to it, together."""

Progress = Callable[[int], None]
"""Called with the number of frames that were replayed since the last call; it may be negative."""


def replay(
    frames: Sequence[Frame],
    lines: Sequence[Line],
    *,
    store: FactStore | None = None,
    progress: Progress = lambda _frames: None,
) -> Replay:
    """Judge frames by several lines at once, each as if it alone had been in force from the first frame on.

    Args:
        frames: each camera's in the order in which they have to be judged; their files below the drop folder
            of the first line, unless what they show is remembered.
        lines: at least one.
        store: remembers what was computed; by default nothing.
        progress: see ``Progress``.

    Raises:
        OSError: a mask cannot be read.
        ValueError: a mask is not a picture.
        MemoryError: there is too little memory.
    """
    result = Replay(frames, [Outcome.empty(line, len(frames)) for line in lines])
    masks: dict[str, GrayImage] = {}
    store = store or FactStore(None)
    for camera, numbers in result.of_cameras().items():
        for with_pictures in (False, True):
            run = _CameraRun(camera, numbers, result, masks, store)
            try:
                run.go(with_pictures=with_pictures, progress=progress)
                break
            except NotKnownError:
                progress(-run.done)
    return result


@dataclass(slots=True)
class _Known:
    """What the cache has of some frames."""

    digests: dict[str, bytes]
    seen: dict[Reading, dict[str, Seen]]
    facts: dict[str, dict[str, Facts]]


class _CameraRun:
    """The replay of one camera."""

    def __init__(
        self,
        camera: str,
        numbers: Sequence[int],
        result: Replay,
        masks: dict[str, GrayImage],
        store: FactStore,
    ) -> None:
        self._numbers = numbers
        self._frames, self._outcomes = result.frames, result.outcomes
        self._store = store
        self._lines = Lines(camera, [outcome.line.settings for outcome in result.outcomes], masks)
        self._settings = result.outcomes[0].line.settings
        self.done = 0
        """Frames that were replayed."""

    def go(self, *, with_pictures: bool, progress: Progress) -> None:
        """Replay all frames.

        Raises:
            NotKnownError: a frame has to be read, and ``with_pictures`` is False.
        """
        with ExitStack() as stack:
            reader = stack.enter_context(closing(_Reader(self._lines.readings))) if with_pictures else None
            numbers = iter(self._numbers)
            ahead = [self._frames[number].candidate for number in self._numbers]
            while batch := list(islice(numbers, BATCH)):
                known = self._known(batch)
                self._replay(batch, known, reader, ahead)
                self.done += len(batch)
                progress(len(batch))

    def _known(self, batch: Sequence[int]) -> _Known:
        keys = [self._frames[number].candidate.key for number in batch]
        digests = self._store.digests(self._settings.drop.folder, keys)
        contents = [content_of(sha256) for sha256 in digests.values()]
        seen = {reading: self._store.pictures(reading, contents) for reading in self._lines.readings}
        facts = {work: self._store.facts(work, contents) for work in self._lines.works}
        return _Known(digests, seen, facts)

    def _replay(
        self, batch: Sequence[int], known: _Known, reader: "_Reader | None", ahead: Sequence[Candidate]
    ) -> None:
        files, pictures, facts = [], [], []
        for place, number in enumerate(batch, start=self.done):
            candidate = self._frames[number].candidate
            sha256, seen = _remembered(candidate, known) if reader is None else reader.take(ahead, place)
            content = content_of(sha256)
            counts = self._use(known, content)
            moment = Moment(candidate.captured_at_ns, candidate.arrived_at_ns)
            for decided in self._lines.judge(number, moment, sha256, seen):
                self._note(number, decided)
            if reader is not None and sha256:
                files.append((self._settings.drop.folder, candidate.key, sha256))
                pictures += [(reading, content, shown) for reading, shown in seen.items()]
            facts += [
                (work, content, shared.facts)
                for work, shared in self._lines.works.items()
                if len(shared.facts) > counts.get(work, 0)
            ]
        self._store.add(files, pictures, facts)

    def _use(self, known: _Known, content: str) -> dict[str, int]:
        """Let the lines use what is known of a frame; return how many facts that are, by work."""
        counts = {}
        for work, shared in self._lines.works.items():
            shared.facts = known.facts.setdefault(work, {}).setdefault(content, {})
            counts[work] = len(shared.facts)
        return counts

    def _note(self, number: int, decided: Decided) -> None:
        for line in decided.lines:
            self._outcomes[line].note(number, decided.decision, decided.scores.get(line))


def _remembered(candidate: Candidate, known: _Known) -> tuple[bytes, dict[Reading, Seen]]:
    sha256 = known.digests.get(candidate.key.name)
    if sha256 is None:
        raise NotKnownError
    content = content_of(sha256)
    try:
        return sha256, {reading: seen[content] for reading, seen in known.seen.items()}
    except KeyError:
        raise NotKnownError from None


class _Reader:
    """Reads frames ahead, in each of the ways in which lines need them."""

    def __init__(self, readings: dict[Reading, Settings]) -> None:
        self._readings = readings
        self._ahead = {
            reading: Ahead(partial(_examined, settings), settings) for reading, settings in readings.items()
        }

    def take(self, candidates: Sequence[Candidate], place: int) -> tuple[bytes, dict[Reading, Seen]]:
        """Return a frame's digest, empty if it could not be read, and what it shows."""
        seen: dict[Reading, Seen] = {}
        sha256 = b""
        for reading, ahead in self._ahead.items():
            following = candidates[place + 1 : place + 1 + ahead.most_frames]
            examined = ahead.take(candidates[place], following)
            assert isinstance(examined, Examined)
            sha256 = examined.sha256 or b""
            if examined.picture is None:
                assert examined.rejection is not None
                seen[reading] = examined.rejection
            else:
                seen[reading] = shown_of(examined.picture, sha256)
        return sha256, seen

    def close(self) -> None:
        """Stop reading."""
        for ahead in self._ahead.values():
            ahead.close()


def _examined(settings: Settings, candidate: Candidate) -> Examined:
    """Read and decode a frame; one that cannot be read is rejected, as by a scan."""
    examined = read(candidate, settings)
    if isinstance(examined, Examined):
        examined = decoded(examined, settings)
    if isinstance(examined, Examined):
        return replace(examined, encoded=None)
    reason = Reason.UNREADABLE if examined.why is NotYet.UNREADABLE else Reason.TRUNCATED
    return Examined(examined.candidate, 0.0, rejection=Decision(reason, detail=examined.detail))

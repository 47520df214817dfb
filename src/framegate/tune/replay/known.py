"""What is known of some frames before they are replayed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from framegate.tune.replay.facts import FactStore, Reading, Seen
from framegate.tune.replay.outcomes import Frame
from framegate.tune.replay.sharing import Facts, SharedWork
from framegate.tune.replay.shown import NotKnownError, content_of


@dataclass(slots=True)
class Known:
    """What the cache has of some frames."""

    digests: list[bytes | None]
    """Of their bytes; None where that is not known."""

    seen: dict[Reading, dict[str, Seen]]
    facts: dict[str, dict[str, Facts]]

    @classmethod
    def of(
        cls,
        frames: Sequence[Frame],
        store: FactStore,
        drop_folder: str,
        readings: Collection[Reading],
        works: Collection[str],
    ) -> "Known":
        """Return what a cache has of frames that are read and compared in these ways."""
        digests = digests_of(frames, store, drop_folder)
        contents = [content_of(sha256) for sha256 in digests if sha256 is not None]
        return cls(
            digests,
            {reading: store.pictures(reading, contents) for reading in readings},
            {work: store.facts(work, contents) for work in works},
        )

    def digest_of(self, place: int) -> bytes:
        """Return the digest of a frame's bytes; NotKnownError if it has to be read."""
        sha256 = self.digests[place]
        if sha256 is None:
            raise NotKnownError
        return sha256

    def seen_at(self, place: int, readings: Collection[Reading]) -> dict[Reading, Seen]:
        """Return what a frame shows, by reading; NotKnownError if it has to be read."""
        content = content_of(self.digest_of(place))
        try:
            return {reading: self.seen[reading][content] for reading in readings}
        except KeyError:
            raise NotKnownError from None

    def lend(self, content: str, works: Mapping[str, SharedWork]) -> dict[str, int]:
        """Let shared work use what is known of a frame; return how many facts that are, by work."""
        counts = {}
        for work, shared in works.items():
            shared.facts = self.facts.setdefault(work, {}).setdefault(content, {})
            counts[work] = len(shared.facts)
        return counts


def digests_of(frames: Sequence[Frame], store: FactStore, drop_folder: str) -> list[bytes | None]:
    """Return the SHA-256 of each frame's bytes, as far as it is known; of one that is settled, how."""
    digests = [_digest_of(frame) for frame in frames]
    for folder in {frame.folder for frame in frames}:
        there = [place for place, frame in enumerate(frames) if frame.folder == folder]
        keys = [frames[place].candidate.key for place in there if digests[place] is None]
        found = store.digests(folder or drop_folder, keys)
        for place in there:
            digests[place] = digests[place] or found.get(frames[place].candidate.key.name)
    return digests


def _digest_of(frame: Frame) -> bytes | None:
    if frame.settled is not None:
        return str(frame.settled.reason).encode()
    return None if frame.recorded is None else frame.recorded.sha256

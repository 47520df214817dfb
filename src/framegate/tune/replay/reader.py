"""Reads the frames of a replay ahead, in each of the ways in which lines need them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from framegate.ahead import Ahead
from framegate.config.settings import Settings
from framegate.examining import Examined, decoded, read
from framegate.model import Candidate, Decision, NotYet, Reason
from framegate.tune.replay.facts import Reading, Seen
from framegate.tune.replay.outcomes import Frame
from framegate.tune.replay.shown import shown_of


class Reader:
    """Reads frames, each as it is taken, and some that follow.

    Args:
        frames: of one camera, in their order.
    """

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames
        self._candidates = [frame.candidate for frame in frames]
        self._folders = {frame.candidate: frame.folder for frame in frames if frame.folder is not None}
        self._ahead: dict[Reading, Ahead] = {}

    def take(self, place: int, readings: Mapping[Reading, Settings]) -> tuple[bytes, dict[Reading, Seen]]:
        """Return a frame's digest, empty if it could not be read, and what it shows.

        A file that is too large to be read is told by its size: else each replay would read all others.

        Args:
            place: of the frame among all.
            readings: how it has to be read, each with settings that say so.

        Raises:
            SinkError: the process may open no more files.
        """
        seen: dict[Reading, Seen] = {}
        sha256 = b""
        for reading, ahead in self._readers(readings).items():
            following = self._candidates[place + 1 : place + 1 + ahead.most_frames]
            examined = ahead.take(self._candidates[place], following)
            assert isinstance(examined, Examined)
            sha256 = examined.sha256 or sha256
            if examined.picture is None:
                assert examined.rejection is not None
                seen[reading] = examined.rejection
            else:
                seen[reading] = shown_of(examined.picture, sha256)
        if not sha256 and all(is_too_large(each) for each in seen.values()):
            recorded, size_bytes = self._frames[place].recorded, self._candidates[place].key.size_bytes
            known = None if recorded is None else recorded.sha256
            sha256 = known or hashlib.sha256(f"not read, {size_bytes}".encode()).digest()
        return sha256, seen

    def close(self) -> None:
        """Stop reading."""
        for ahead in self._ahead.values():
            ahead.close()
        self._ahead = {}

    def _readers(self, readings: Mapping[Reading, Settings]) -> Mapping[Reading, Ahead]:
        for reading in self._ahead.keys() - readings.keys():
            self._ahead.pop(reading).close()
        for reading, settings in readings.items():
            if reading not in self._ahead:
                self._ahead[reading] = Ahead(partial(self._examined, settings), settings)
        return self._ahead

    def _examined(self, settings: Settings, candidate: Candidate) -> Examined:
        """Read and decode a frame; one that cannot be read is rejected, as by a scan."""
        folder = self._folders.get(candidate)
        if folder is not None:
            drop = settings.drop.model_copy(update={"folder": folder})
            settings = settings.model_copy(update={"drop": drop})
        examined = read(candidate, settings)
        if isinstance(examined, Examined):
            examined = decoded(examined, settings)
        if isinstance(examined, Examined):
            return replace(examined, encoded=None)
        reason = Reason.UNREADABLE if examined.why is NotYet.UNREADABLE else Reason.TRUNCATED
        return Examined(examined.candidate, 0.0, rejection=Decision(reason, detail=examined.detail))


def is_too_large(seen: Seen) -> bool:
    """Return whether a file was not read because of its size."""
    return isinstance(seen, Decision) and seen.reason is Reason.TOO_LARGE

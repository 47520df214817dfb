"""Whole outcomes of earlier replays: the same frames, judged by the same line, need not be judged again."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import NONE, Frame, Outcome
from framegate.tune.replay.shown import DIGITS


@dataclass(slots=True)
class Remembered:
    """The outcomes that a cache has of one camera's frames.

    Args:
        store: the cache.
        numbers: of the frames, ascending.
        sequence: tells apart what the frames are, and when they were taken.
    """

    store: FactStore
    numbers: Sequence[int]
    sequence: str

    @classmethod
    def of(
        cls, store: FactStore, numbers: Sequence[int], frames: Iterable[Frame], digests: Iterable[bytes]
    ) -> "Remembered":
        """Return those of frames whose bytes have these digests."""
        digest = hashlib.blake2b(digest_size=DIGITS // 2)
        for frame, sha256 in zip(frames, digests, strict=True):
            candidate, start = frame.candidate, frame.start
            if start is not None:
                digest.update(start.state + f"{start.kept};".encode())
            digest.update(sha256 + f"{candidate.captured_at_ns} {candidate.arrived_at_ns};".encode())
        return cls(store, numbers, digest.hexdigest())

    def recall(self, outcome: Outcome, line: str) -> bool:
        """Fill in what a line has decided, if that is remembered; return whether it is.

        Args:
            outcome: to be filled.
            line: tells apart all that may change what it decides.
        """
        data = self.store.outcome(self.sequence + line)
        return data is not None and _unpack(data, outcome, np.asarray(self.numbers))

    def remember(self, outcome: Outcome, line: str) -> None:
        """Remember what a line has decided."""
        self.store.add_outcome(self.sequence + line, _packed(outcome, np.asarray(self.numbers)))


def _packed(outcome: Outcome, numbers: NDArray[np.int64]) -> bytes:
    """Return the outcome of some frames; references as their places among these."""
    references = outcome.references[numbers]
    places = np.where(references == NONE, NONE, np.searchsorted(numbers, references)).astype("<i4")
    place_of = {int(number): place for place, number in enumerate(numbers)}
    words = [
        {place_of[number]: each for number, each in of.items() if number in place_of}
        for of in (
            outcome.zones,
            outcome.schedules,
            outcome.details,
            outcome.earlier,
            dict.fromkeys(outcome.anew, ""),
        )
    ]
    text = json.dumps(words).encode()
    return zlib.compress(
        b"".join(
            (
                len(numbers).to_bytes(4, "little"),
                outcome.reasons[numbers].tobytes(),
                outcome.scores[numbers].astype("<f8").tobytes(),
                outcome.thresholds[numbers].astype("<f8").tobytes(),
                places.tobytes(),
                text,
            )
        ),
        level=1,
    )


def _unpack(data: bytes, outcome: Outcome, numbers: NDArray[np.int64]) -> bool:
    """Fill in the outcome of some frames; return False, and fill in nothing, if the bytes are damaged."""
    count = len(numbers)
    try:
        rest = zlib.decompress(data)
        if int.from_bytes(rest[:4], "little") != count:
            return False
        ends = np.cumsum([4, count, 8 * count, 8 * count, 4 * count]).tolist()
        reasons, scores, thresholds, places = (
            np.frombuffer(rest[start:end], kind)
            for start, end, kind in zip(ends, ends[1:], ("u1", "<f8", "<f8", "<i4"), strict=False)
        )
        zones, schedules, details, earlier, anew = json.loads(rest[ends[-1] :])
    except (ValueError, zlib.error):
        return False
    outcome.reasons[numbers], outcome.scores[numbers] = reasons, scores
    outcome.thresholds[numbers] = thresholds
    outcome.references[numbers] = np.where(places == NONE, NONE, numbers[places])
    columns = outcome.zones, outcome.schedules, outcome.details, outcome.earlier
    for of, words in zip(columns, (zones, schedules, details, earlier), strict=True):
        of |= {int(numbers[int(place)]): word for place, word in words.items()}
    outcome.anew += [int(numbers[int(place)]) for place in anew]
    return True

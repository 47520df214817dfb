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
        return data is not None and unpack(data, outcome, np.asarray(self.numbers))

    def remember(self, outcome: Outcome, line: str) -> None:
        """Remember what a line has decided."""
        self.store.add_outcome(self.sequence + line, packed(outcome, np.asarray(self.numbers)))


def packed(outcome: Outcome, numbers: NDArray[np.int64], of: NDArray[np.int64] | None = None) -> bytes:
    """Return the outcome of some frames.

    Args:
        outcome: of them and others.
        numbers: of the frames, ascending.
        of: those among which their references are, ascending: default, the same.
    """
    of, references = numbers if of is None else of, outcome.references[numbers]
    places = np.where(references == NONE, NONE, np.searchsorted(of, references)).astype("<i4")
    place_of = {int(number): place for place, number in enumerate(numbers)}
    all_words = [
        {place_of[number]: each for number, each in words.items() if number in place_of}
        for words in (
            outcome.zones,
            outcome.schedules,
            outcome.details,
            outcome.earlier,
            dict.fromkeys(outcome.anew, ""),
        )
    ]
    text = json.dumps(all_words).encode()
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


def unpack(
    data: bytes, outcome: Outcome, numbers: NDArray[np.int64], of: NDArray[np.int64] | None = None
) -> bool:
    """Fill in the outcome of some frames; return False, and fill in nothing, if the bytes are damaged.

    Args:
        data: as ``packed`` has returned it.
        outcome: to be filled.
        numbers, of: as for ``packed``, by the numbers that the frames have here.
    """
    of, count = numbers if of is None else of, len(numbers)
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
    outcome.references[numbers] = np.where(places == NONE, NONE, of[places])
    columns = outcome.zones, outcome.schedules, outcome.details, outcome.earlier
    for column, words in zip(columns, (zones, schedules, details, earlier), strict=True):
        column |= {int(numbers[int(place)]): word for place, word in words.items()}
    outcome.anew += [int(numbers[int(place)]) for place in anew]
    return True

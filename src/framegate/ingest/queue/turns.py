"""In which order queued files are judged: each camera's by capture time, the cameras in turn."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from framegate.model import Candidate, FileKey

_Turn = tuple[tuple[int, str], FileKey]
"""Capture time and name of a file, by which it is ordered, and its version."""


class Turns:
    """A heap of queued files for each camera. What is no longer queued is passed over, not searched for."""

    def __init__(self) -> None:
        self._by_camera: dict[str, list[_Turn]] = {}
        """The camera whose turn it is comes first."""

    def add(self, candidate: Candidate) -> None:
        """Queue a file among those of its camera."""
        heapq.heappush(self._by_camera.setdefault(candidate.camera, []), (candidate.order, candidate.key))

    def upcoming(self, queued_as: Callable[[FileKey], Candidate | None]) -> Iterator[Candidate]:
        """Yield the queued files in the order in which they are judged if each is done before the next.

        That is the oldest of the camera whose turn it is, then of the next camera. No file may be queued and
        no camera be passed on while this is iterated over.

        Args:
            queued_as: returns the candidate of a version; None if it is no longer queued.
        """
        line: deque[Iterator[FileKey]] = deque()
        for camera, heap in list(self._by_camera.items()):
            while heap and queued_as(heap[0][1]) is None:
                heapq.heappop(heap)
            if not heap:
                del self._by_camera[camera]
                continue
            line.append(_oldest_first(heap))
            yield from _first_of(line[-1], queued_as)
        while line:
            turns = line.popleft()
            for candidate in _first_of(turns, queued_as):
                yield candidate
                line.append(turns)

    def pass_on(self, camera: str) -> None:
        """Let the other cameras have their turns first."""
        if camera in self._by_camera:
            self._by_camera[camera] = self._by_camera.pop(camera)


def _first_of(
    keys: Iterator[FileKey], queued_as: Callable[[FileKey], Candidate | None]
) -> Iterator[Candidate]:
    """Yield the first file that is still queued, if there is one."""
    return islice(filter(None, map(queued_as, keys)), 1)


def _oldest_first(heap: list[_Turn]) -> Iterator[FileKey]:
    """Yield a heap's files in their order, and leave it as it is: only the first of thousands are needed.

    One that was put back and queued again stands in it twice, and is yielded once.
    """
    places, last = [(heap[0], 0)], None
    while places:
        turn, place = heapq.heappop(places)
        if turn != last:
            yield turn[1]
        last = turn
        for below in (2 * place + 1, 2 * place + 2):
            if below < len(heap):
                heapq.heappush(places, (heap[below], below))

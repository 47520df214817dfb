"""In which order queued files are judged: each camera's by capture time, the cameras in turn."""

import heapq
from collections.abc import Callable

from framegate.model import Candidate, FileKey


class Turns:
    """A heap of queued files for each camera. What is no longer queued is passed over, not searched for."""

    def __init__(self) -> None:
        self._by_camera: dict[str, list[tuple[tuple[int, str], FileKey]]] = {}
        """The camera whose turn it is comes first."""

    def add(self, candidate: Candidate) -> None:
        """Queue a file among those of its camera."""
        heapq.heappush(self._by_camera.setdefault(candidate.camera, []), (candidate.order, candidate.key))

    def next(self, queued_as: Callable[[FileKey], Candidate | None]) -> Candidate | None:
        """Return the oldest file of the camera whose turn it is; None if none is queued.

        Args:
            queued_as: returns the candidate of a version; None if it is no longer queued.
        """
        while self._by_camera:
            camera, turn = next(iter(self._by_camera.items()))
            while turn:
                if (candidate := queued_as(turn[0][1])) is not None:
                    return candidate
                heapq.heappop(turn)
            del self._by_camera[camera]
        return None

    def pass_on(self, camera: str) -> None:
        """Let the other cameras have their turns first."""
        if camera in self._by_camera:
            self._by_camera[camera] = self._by_camera.pop(camera)

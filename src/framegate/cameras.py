"""The cameras in memory: as many as there is room for. The others come back as the ledger knows them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from framegate.camera import Camera, Seen, detector_of
from framegate.detect.decoding import decode
from framegate.events import Listener, happening
from framegate.ingest.reading import read_frame
from framegate.keep.ledger import Ledger
from framegate.keep.rows import Memory
from framegate.model import EncodedFrame, Entry, FileKey, Frame
from framegate.settings import Settings

MOST_CAMERAS_IN_MEMORY = 64
"""A camera holds its reference, the frame before and its noise map: some 1 MB at 360 rows, 6 MB natively at
1080p. Names make cameras, and names come from outside: the one that was quiet longest is put away first."""


class Cameras:
    """Finds a camera by its name, set up as the frames before left it.

    Args:
        settings: the snapshot to judge by.
        ledger: knows what a camera kept last, and what it has learnt.
        announce: hears when a reference comes back, or does not.
        bytes_of: finds the bytes of a kept frame again.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        announce: Listener,
        bytes_of: Callable[[Entry], bytes | None],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._announce = announce
        self._bytes_of = bytes_of
        self._cameras: dict[str, Camera] = {}
        self._is_retuned = False

    def __len__(self) -> int:
        """Return how many are in memory."""
        return len(self._cameras)

    def __iter__(self) -> Iterator[str]:
        """Yield their names, the one that was quiet longest first."""
        return iter(self._cameras)

    def retune(self, settings: Settings) -> None:
        """Set each camera up anew, by other settings, when it is next asked for."""
        self._settings = settings
        self._is_retuned = True

    def get(self, name: str) -> Camera:
        """Return a camera, from memory or restored; put away the one that was quiet longest.

        Raises:
            SinkError: the ledger can neither save nor tell what a camera knows now.
        """
        if self._is_retuned:
            self._ledger.flush()  # what they have learnt is committed, and comes back with them
            self._cameras.clear()
            self._is_retuned = False
        if name not in self._cameras and len(self._cameras) >= MOST_CAMERAS_IN_MEMORY:
            self._ledger.flush()
            del self._cameras[next(iter(self._cameras))]
        camera = self._cameras.pop(name, None) or self._restored(name)
        self._cameras[name] = camera
        return camera

    def _restored(self, name: str) -> Camera:
        camera = Camera(name, detector_of(self._settings.detection_of(name)))
        if (last := self._ledger.last_kept(name)) is None:
            return camera
        data = self._bytes_of(last)
        frame = None if data is None else decode(data)
        if not isinstance(frame, Frame):
            self._announce(happening("reference.lost", "warning", camera=name, frame=last.key.name))
            return camera
        camera.reference = Seen(last.key, last.captured_at_ns, camera.detector.prepare(frame.gray))
        if (most := camera.detector.settings.max_kept_per_hour) is not None:
            camera.kept_at_ns.extend(self._ledger.kept_at_ns(name, most))
        self._restore_memory(camera, self._ledger.memory_of(name))
        self._announce(happening("reference.restored", camera=name, frame=last.key.name))
        return camera

    def _restore_memory(self, camera: Camera, memory: Memory) -> None:
        if memory.noise is not None:
            try:
                camera.detector.noise.restore(memory.noise)
            except ValueError as error:
                self._announce(happening("noise.lost", "warning", camera=camera.name, error=str(error)))
        camera.previous = self._seen_again(memory.previous, camera)

    def _seen_again(self, key: FileKey | None, camera: Camera) -> Seen | None:
        """Find the frame before again, in the drop folder; without it one difference is not learnt."""
        if key is None or (camera.reference is not None and camera.reference.key == key):
            return camera.reference
        drop = self._settings.drop
        read = read_frame(Path(drop.folder), key, drop.max_size)
        frame = decode(read.data) if isinstance(read, EncodedFrame) else None
        if not isinstance(frame, Frame):
            return None
        return Seen(key, 0, camera.detector.prepare(frame.gray))  # nothing is decided by its time

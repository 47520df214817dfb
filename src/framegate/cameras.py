"""The cameras in memory: as many as there is room for. The others come back as the ledger knows them."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from framegate.camera import Camera, Seen, Storm, read_mask
from framegate.detect.decoding import decode
from framegate.detect.detector import ChangeDetector
from framegate.errors import SinkError
from framegate.events import Listener, happening
from framegate.ingest.reading import read_frame
from framegate.keep.ledger import Ledger
from framegate.keep.rows import Memory
from framegate.model import EncodedFrame, Entry, FileKey, Frame, GrayImage
from framegate.settings import DetectionSettings, Settings

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
        self._stale: set[str] = set()
        """Those in memory that are still set up by other settings."""

        self._masks: dict[str, GrayImage] = {}
        self._read_masks()

    def __len__(self) -> int:
        """Return how many are in memory."""
        return len(self._cameras)

    def __iter__(self) -> Iterator[str]:
        """Yield their names, the one that was quiet longest first."""
        return iter(self._cameras)

    def retune(self, settings: Settings) -> None:
        """Set each camera up anew, by other settings, when it is next asked for."""
        self._settings = settings
        self._stale = set(self._cameras)
        self._masks = {}
        self._read_masks()

    def get(self, name: str) -> Camera:
        """Return a camera, from memory or restored; put away the one that was quiet longest.

        Raises:
            SinkError: the ledger can neither save nor tell what a camera knows now, or its mask is gone.
        """
        if name in self._stale:
            self._set_up_anew(name)
            self._stale.discard(name)
        if name not in self._cameras and len(self._cameras) >= MOST_CAMERAS_IN_MEMORY:
            self._put_away(next(iter(self._cameras)))
        camera = self._cameras.pop(name, None) or self._restored(name)
        self._cameras[name] = camera
        return camera

    def _put_away(self, name: str) -> None:
        self._ledger.flush()  # what it has learnt is committed, and comes back with it
        del self._cameras[name]
        self._stale.discard(name)

    def _set_up_anew(self, name: str) -> None:
        """Give a camera its new settings; its reference stays in memory, if it can be compared by them.

        Else it comes back from the ledger, and the reference from its file: which may be gone by now.
        """
        camera, settings = self._cameras[name], self._settings.detection_of(name)
        if not camera.detector.prepares_like(settings):
            self._put_away(name)
            return
        camera.retune(self._detector_of(settings))
        camera.kept_at_ns = self._kept_lately(name, settings)

    def _kept_lately(self, name: str, settings: DetectionSettings) -> deque[int]:
        most = settings.max_kept_per_hour
        return deque() if most is None else deque(self._ledger.kept_at_ns(name, most))

    def _detector_of(self, settings: DetectionSettings) -> ChangeDetector:
        mask = None if settings.mask_file is None else self._mask_at(settings.mask_file)
        return ChangeDetector(settings, mask_picture=mask)

    def _mask_at(self, path: str) -> GrayImage:
        """Return a mask as it was when the settings came into force: a camera may come back much later."""
        if path not in self._masks:
            try:
                self._masks[path] = read_mask(path)
            except (OSError, ValueError) as error:  # no frame is to blame
                raise SinkError(f"cannot read the mask: {error}") from error
        return self._masks[path]

    def _read_masks(self) -> None:
        """Read all masks now; one that cannot be read is tried again when it is needed."""
        everyone = (self._settings.detection, *(each.detection for each in self._settings.camera.values()))
        for path in {settings.mask_file for settings in everyone} - {None}:
            with suppress(SinkError):
                self._mask_at(str(path))

    def _restored(self, name: str) -> Camera:
        camera = Camera(name, self._detector_of(self._settings.detection_of(name)))
        if (last := self._ledger.last_kept(name)) is None:
            return camera
        data = self._bytes_of(last)
        frame = None if data is None else decode(data)
        if not isinstance(frame, Frame):
            self._announce(happening("reference.lost", "warning", camera=name, frame=last.key.name))
            return camera
        camera.reference = Seen(last.key, last.captured_at_ns, camera.detector.prepare(frame.gray))
        camera.kept_at_ns = self._kept_lately(name, camera.detector.settings)
        self._restore_memory(camera, self._ledger.memory_of(name))
        self._announce(happening("reference.restored", camera=name, frame=last.key.name))
        return camera

    def _restore_memory(self, camera: Camera, memory: Memory) -> None:
        if memory.noise is not None:
            try:
                camera.detector.noise.restore(memory.noise)
            except ValueError as error:
                self._announce(happening("noise.lost", "warning", camera=camera.name, error=str(error)))
        camera.storm = None if memory.storm is None else Storm(*memory.storm)
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

"""The masks in force: their pictures as they were when the settings took effect, and their files."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from framegate.cameras.camera import mask_in
from framegate.config.detection import DetectionSettings
from framegate.errors import SinkError
from framegate.model import GrayImage


class Masks:
    """Reads each mask once: a camera may be restored much later, and has to be judged by the same."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        """The files' bytes, by path; replaced as a whole."""

        self._pictures: dict[str, GrayImage] = {}

    def put_in_force(self, everyone: Iterable[DetectionSettings]) -> None:
        """Read all masks now; one that cannot be read is tried again when it is needed."""
        self.files, self._pictures = {}, {}
        for path in {settings.mask_file for settings in everyone} - {None}:
            with suppress(SinkError):
                self.read(str(path))

    def has(self, path: str) -> bool:
        """Return whether a mask was read."""
        return path in self._pictures

    def read(self, path: str) -> None:
        """Read a mask.

        Raises:
            SinkError: it cannot be read. It is not a frame's fault: the intake pauses.
        """
        try:
            data = Path(path).read_bytes()
            self._pictures[path] = mask_in(data, path)
        except (OSError, ValueError) as error:
            raise SinkError(f"cannot read the mask: {error}") from error
        self.files[path] = data

    def picture(self, path: str) -> GrayImage:
        """Return a mask that was read."""
        return self._pictures[path]

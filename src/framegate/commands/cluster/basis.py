"""What verdicts depend on besides the frames: the settings of a camera, and the libraries that decide."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from framegate.config.capture_time import MTIME
from framegate.config.settings import Settings
from framegate.detect.detector import DETECTOR_VERSION
from framegate.errors import FramegateError

PACKAGES = ("framegate", "opencv-python-headless", "numpy", "simplejpeg", "pillow-heif")


class UnlikeWorkerError(FramegateError):
    """A worker would decide otherwise than this process."""


@dataclass(frozen=True)
class Surroundings:
    """Which libraries and masks a process judges with."""

    versions: dict[str, str]
    masks: dict[str, str]
    """SHA-256 of the mask files, by path."""

    @classmethod
    def here(cls, settings: Settings) -> "Surroundings":
        """Return those of this process."""
        versions = {package: _version_of(package) for package in PACKAGES}
        versions |= {f"detector {name}": str(each) for name, each in DETECTOR_VERSION.items()}
        if _uses_local_time(settings):
            versions["the local time of"] = _local_time()
        paths = {each.mask_file for each in settings.detections()} - {None}
        return cls(
            versions,
            {str(path): _sha256_of(str(path)) for path in sorted(map(str, paths))},
        )

    def require_like(self, wanted: "Surroundings", worker: str) -> None:
        """Require that this process decides as another one.

        Raises:
            UnlikeWorkerError: it would not; the words name the worker.
        """
        other = ", ".join(self._unlike(wanted))
        if other:
            raise UnlikeWorkerError(f"the worker {worker} may decide otherwise than this process: {other}")

    def _unlike(self, wanted: "Surroundings") -> Iterator[str]:
        for name, there in wanted.versions.items():
            here = self.versions.get(name, "none")
            if here != there:
                yield f"it has {name} {here}, not {there}"
        for path, there in wanted.masks.items():
            if self.masks.get(path) != there:
                yield f"its {path} is another file"


def basis_of(
    settings: Settings, camera: str, surroundings: Surroundings, *, source: str, is_dry_run: bool
) -> str:
    """Return all that a camera's verdicts and results depend on besides its frames, as text."""
    drop, detection = settings.drop, settings.detection_of(camera)
    schedules = [each.model_dump_json(by_alias=True) for each in settings.schedules_of(camera)]
    return json.dumps(
        {
            "surroundings": asdict(surroundings),
            "detection": detection.model_dump_json(by_alias=True),
            "schedules": schedules,
            "layout": str(settings.results.layout),
            "limits": (drop.max_size, drop.max_megapixels),
            "folders": (source, settings.results.folder, is_dry_run),
        },
        sort_keys=True,
    )


def _uses_local_time(settings: Settings) -> bool:
    reads_times = settings.drop.capture_time != (MTIME,)
    return bool(settings.schedule) or reads_times or "captured" in settings.results.layout.fields


def _local_time() -> str:
    """Return a name of this machine's time zone that is another where any hour of these decades is."""
    moments = (datetime(year, month, 1).astimezone() for year in range(1990, 2040) for month in range(1, 13))
    offsets = repr([moment.utcoffset() for moment in moments])
    return f"{'/'.join(time.tzname)} ({hashlib.sha256(offsets.encode()).hexdigest()[:6]})"


@cache
def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _sha256_of(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"

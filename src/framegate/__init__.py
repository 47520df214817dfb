"""framegate keeps the camera frames that differ.

The change detector is a library of its own::

    from framegate import ChangeDetector, DetectionSettings

Everything else is behind the command ``framegate``; see the README.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framegate.config.detection import DetectionSettings
    from framegate.detect.detector import ChangeDetector
    from framegate.model import ChangeScore, Prepared, Region

__all__ = ["ChangeDetector", "ChangeScore", "DetectionSettings", "Prepared", "Region"]

_HOME = {
    "ChangeDetector": "framegate.detect.detector",
    "DetectionSettings": "framegate.config.detection",
    "ChangeScore": "framegate.model",
    "Prepared": "framegate.model",
    "Region": "framegate.model",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are used: cv2 takes 129 ms, and ``--help`` needs none of it."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("framegate")
    if name not in _HOME:
        raise AttributeError(f"module 'framegate' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOME[name]), name)

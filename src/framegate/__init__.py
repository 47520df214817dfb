"""framegate keeps the camera frames that differ.

The decision is a library of its own::

    from framegate import DetectionSettings, Judge, decode

Everything else is behind the command ``framegate``; see the README.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framegate.config.detection import DetectionSettings
    from framegate.detect.decoding import Undecodable, decode
    from framegate.detect.judging.judge import Judge
    from framegate.model import ChangeScore, Decision, FileKey, Picture, Reason, Region, Verdict

__all__ = [
    "ChangeScore",
    "Decision",
    "DetectionSettings",
    "FileKey",
    "Judge",
    "Picture",
    "Reason",
    "Region",
    "Undecodable",
    "Verdict",
    "decode",
]

_HOME = {
    "DetectionSettings": "framegate.config.detection",
    "Judge": "framegate.detect.judging.judge",
    "Undecodable": "framegate.detect.decoding",
    "decode": "framegate.detect.decoding",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are used: cv2 takes 129 ms, and ``--help`` needs none of it."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("framegate")
    if name not in __all__:
        raise AttributeError(f"module 'framegate' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOME.get(name, "framegate.model")), name)

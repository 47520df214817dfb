"""Settings with something changed in the detection of every camera."""

from collections.abc import Callable

from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings


def with_detection(settings: Settings, change: Callable[[DetectionSettings], DetectionSettings]) -> Settings:
    """Return settings in which the general detection and that of each camera are changed."""
    cameras = {
        name: each.model_copy(update={"detection": change(each.detection)})
        for name, each in settings.camera.items()
    }
    return settings.model_copy(update={"detection": change(settings.detection), "camera": cameras})

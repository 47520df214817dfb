"""Settings with something changed in the detection of every camera."""

from collections.abc import Callable

from framegate.config.detection import DetectionSettings
from framegate.config.schedule import ScheduledDetection
from framegate.config.settings import Settings


def with_detection(
    settings: Settings,
    change: Callable[[DetectionSettings], DetectionSettings],
    scheduled: Callable[[ScheduledDetection], ScheduledDetection] = lambda detection: detection,
) -> Settings:
    """Return settings in which the general detection and that of each camera are changed.

    Args:
        settings: to begin with.
        change: what is changed.
        scheduled: what is changed in that which a schedule sets, and what comes before the others. Default:
            nothing.
    """
    cameras = {
        name: each.model_copy(update={"detection": change(each.detection)})
        for name, each in settings.camera.items()
    }
    schedules = tuple(
        each.model_copy(update={"detection": scheduled(each.detection)}) for each in settings.schedule
    )
    update = {"detection": change(settings.detection), "camera": cameras, "schedule": schedules}
    return settings.model_copy(update=update)

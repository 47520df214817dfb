"""Checks of the cameras that a config names: a name that is no camera's has no effect, and no other sign."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from framegate.config.settings import DEFAULT_CAMERA, Settings
from framegate.errors import SinkError
from framegate.keep.history.view import History
from framegate.keep.ledger import LEDGER_NAME
from framegate.keep.schema import THE_OTHERS
from framegate.preflight.folder_checks import Contents, Finding, Grade


def check_cameras(settings: Settings, contents: Contents) -> Iterator[Finding]:
    """Check whether each camera that is named can have frames, and whether it has some already."""
    if settings.drop.camera_pattern is None:
        words = "has no effect: without drop.camera_pattern every frame belongs to the camera default"
        for key, names in _named_in(settings):
            if DEFAULT_CAMERA not in names:
                yield Finding(Grade.WARNING, key, words)
        return
    if contents.are_all_read and contents.cameras:
        known = contents.cameras | _remembered(settings)
        for key, names in _named_in(settings):
            if THE_OTHERS not in known and (strange := [name for name in names if name not in known]):
                words = "no frame in the drop folder is of this camera, and none that was ever judged"
                yield Finding(Grade.WARNING, key, f"{', '.join(map(repr, strange))}: {words}")


def _named_in(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each setting that names cameras, and their names."""
    for name in settings.camera:
        yield f"camera.{name}", (name,)
    for schedule in settings.schedule:
        if schedule.cameras is not None:
            yield f"schedule.{schedule.name}.cameras", schedule.cameras
    for notify in settings.notify:
        if notify.cameras is not None:
            yield f"notify.{notify.name}.cameras", notify.cameras


def _remembered(settings: Settings) -> frozenset[str]:
    """Return the cameras whose frames a daemon has judged; none if its ledger cannot be read now."""
    ledger = Path(settings.state.folder or "") / LEDGER_NAME
    if ledger.exists():
        with suppress(SinkError), History(ledger) as history:
            return history.cameras()
    return frozenset()

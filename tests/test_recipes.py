"""The README's settings for the cameras people have, tried on names as those cameras write them."""

import re
import time
import tomllib
from collections.abc import Iterator
from datetime import datetime

import pytest

from framegate.config.settings import DropSettings
from framegate.ingest.names import NameRules
from framegate.model import FileKey
from readme import README

MORNING, EVENING = datetime(2026, 11, 26, 9, 30, 11), datetime(2026, 11, 26, 21, 5, 7)  # noqa: DTZ001 - local times
LATER = datetime(2027, 2, 1, 0, 0, 59)  # noqa: DTZ001 - as these

NAMES = {
    "Reolink": [
        ("2026/11/26/Lot_00_20261126093011.jpg", MORNING, "Lot"),
        ("2026/11/26/Front Door_01_20261126210507.jpg", EVENING, "Front Door"),
        ("RLC-810A_00_20270201000059.jpg", LATER, "RLC-810A"),
    ],
    "Hikvision": [
        ("192.168.1.64_01_20261126093011123_MOTION_DETECTION.jpg", MORNING, "192.168.1.64_01"),
        ("10.0.0.7_02_20261126210507004_TIMING.jpg", EVENING, "10.0.0.7_02"),
        ("4_192.168.0.64_01_20261126093011711_MOTION_DETECTION.jpg", MORNING, "4_192.168.0.64_01"),
        ("gate/192.168.1.65_01_20270201000059999_VEHICLE_DETECTION.jpg", LATER, "192.168.1.65_01"),
    ],
    "Dahua": [
        ("AMC1/2026-11-26/001/jpg/09/30/11[M][0@0][0].jpg", MORNING, "AMC1"),
        ("4K0123PAZ/2026-11-26/001/jpg/21/05/07[R][0@0][1].jpg", EVENING, "4K0123PAZ"),
        ("yard/2027-02-01/001/jpg/00/00/59[M][0@0][0].jpg", LATER, "yard"),
        ("ftp/b1/AMC002/2026-11-26/001/jpg/09/30/11[M][0@0][0].jpg", MORNING, "AMC002"),
        ("lot3/2026-11-26/001/jpg/21/05.07[M][0@0][0].jpg", EVENING, "lot3"),
        ("IPC-HD/4D02/2027-02-01/pic_001/00/00/59[M][0@0][1].jpg", LATER, "4D02"),
        ("IPC-HF/4H05/4H05/2026-11-26/pic_001/09.30.11[R][0@0][0].jpg", MORNING, "4H05"),
    ],
    "Axis": [
        ("image26-11-26_09-30-11-12.jpg", MORNING, "default"),
        ("snapshots/image26-11-26_21-05-07-00.jpg", EVENING, "default"),
        ("image27-02-01_00-00-59-99.jpg", LATER, "default"),
    ],
    "Foscam": [
        ("snap/MDAlarm_20261126-093011.jpg", MORNING, "default"),
        ("FI9900P_00626E/snap/Schedule_20261126-210507.jpg", EVENING, "default"),
        ("snap/HMDAlarm_20270201-000059.jpg", LATER, "default"),
    ],
    "Motion": [
        ("01-20261126093011-00.jpg", MORNING, "default"),
        ("2-20261126210507-14.jpg", EVENING, "default"),
        ("cam1/20270201000059-snapshot.jpg", LATER, "default"),
    ],
    "motionEye": [
        ("Camera1/2026-11-26/09-30-11.jpg", MORNING, "Camera1"),
        ("Back Yard/2026-11-26/21-05-07.jpg", EVENING, "Back Yard"),
        ("Camera2/2027-02-01/00-00-59.jpg", LATER, "Camera2"),
    ],
    "Trail cameras that write the time": [
        ("11-26-2026 09.30.11 AM.JPG", MORNING, "default"),
        ("100MEDIA/TC1 11-26-2026 09.05.07 PM.JPG", EVENING, "default"),
        ("02-01-2027 12.00.59 AM.JPG", LATER, "default"),
    ],
    "Allsky": [
        ("20261126/image-20261126093011.jpg", MORNING, "default"),
        ("image-20261126210507.jpg", EVENING, "default"),
        ("20270201/image-20270201000059.jpg", LATER, "default"),
    ],
}
"""By camera: a name, the time in it, and the camera that it is of."""


def recipes() -> Iterator[tuple[str, str, DropSettings]]:
    """Yield the camera, the cell with its names, and the settings of each row of the README's table."""
    _, _, rest = README.read_text("utf-8").partition("<!-- recipes -->\n")
    for row in rest.partition("\n\n")[0].splitlines()[2:]:
        _, files, settings, _ = row.split("|")
        camera = re.split("[:,]", files.strip())[0]
        values = tomllib.loads("\n".join(re.findall("`([^`]+)`", settings)))
        yield camera, files, DropSettings.model_validate({"folder": "/drop", **values})


RECIPES = {camera: (files, settings) for camera, files, settings in recipes()}


@pytest.fixture(autouse=True, params=["Europe/Berlin", "America/Denver", "UTC"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("camera", "name", "moment", "its_camera"),
    [(camera, *each) for camera, names in NAMES.items() for each in names],
)
def test_a_cameras_names_are_read(camera: str, name: str, moment: datetime, its_camera: str) -> None:
    """With the README's settings a name is a frame's, and its time and camera are read from it."""
    rules = NameRules(RECIPES[camera][1])
    candidate = rules.candidate(FileKey(name, 1, 0))
    assert rules.is_frame(name)
    assert candidate.captured_at_ns // 10**9 == int(moment.timestamp())
    assert candidate.camera == its_camera


def test_the_table_has_every_camera_that_is_tried() -> None:
    """No row of the table goes untried, but that of cameras whose names have no time."""
    assert set(RECIPES) - set(NAMES) == {"Trail cameras"}


@pytest.mark.parametrize("camera", NAMES)
def test_the_name_in_the_table_is_the_first_that_is_tried(camera: str) -> None:
    """The example in the README is read as the test says."""
    assert f"`{NAMES[camera][0][0]}`" in RECIPES[camera][0] or camera.startswith("Trail")


@pytest.mark.parametrize(
    ("camera", "name"), [("Allsky", "20261126/thumbnails/image-20261126093011.jpg"), ("Allsky", "image.jpg")]
)
def test_what_stands_beside_frames_is_none(camera: str, name: str) -> None:
    """Thumbnails and the newest picture under a fixed name are no frames."""
    assert not NameRules(RECIPES[camera][1]).is_frame(name)

import cv2
import numpy as np
import pytest

from oracle import DETECTION
from running import Site, running, scanned


def wide(width: int, height: int) -> bytes:
    """Return a PNG of a few kilobytes that is far wider than any camera's picture."""
    return cv2.imencode(".png", np.full((height, width), 90, np.uint8))[1].tobytes()


@pytest.mark.parametrize("detection", ["", DETECTION], ids=["default", "native"])
def test_pictures_of_absurd_width_end_no_daemon(site: Site, morning: list[bytes], detection: str) -> None:
    """They and the good frames beside them have verdicts; what was learnt is saved, and a restart goes on."""
    site.configure(detection=detection)
    for number in range(2):
        (site.drop / f"a{number}.png").write_bytes(wide(70_000, 100))
        (site.drop / f"b{number}.jpg").write_bytes(morning[number])
    with running(site) as daemon:
        daemon.wait_for_verdicts(4)
    assert daemon.tally()["rejected"] == 0
    (site.drop / "a2.png").write_bytes(wide(70_000, 100))
    with running(site) as daemon:
        daemon.wait_for_verdicts(1)
    assert {line["event"] for line in daemon.verdicts()} <= {"frame.kept", "frame.dropped"}
    assert not {"noise.lost", "camera.reset", "reference.lost"} & {line["event"] for line in daemon.lines}
    assert site.kept_bytes() == scanned(site, site.home / "scan")

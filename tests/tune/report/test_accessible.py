from pathlib import Path

import pytest

import forked
import lot_days
from chromium import axe_script, opened, require_chromium

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("report"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_script()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_chromium()
    days = lot_days.drawn(tmp_path_factory.mktemp("lots"))
    output = days.home / "report.html"
    done = forked.framegate("report", "-c", days.config_file, "-o", output)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_everybody_can_use_it(report: Path, axe: str, width: int, dark: bool) -> None:
    """By axe, WCAG 2.2 AA and good practice are met: page, viewer, six looks and each camera."""
    with opened(report, width=width, dark=dark) as page:
        for place in range(3):
            page.choose_camera(place)
            page.run("for (const each of document.querySelectorAll('details')) each.open = true")
            assert page.violations(axe) == []
        page.run("openViewer(allFrames().find((frame) => reference(frame) >= 0), allFrames())")
        assert page.violations(axe) == []
        page.run("document.getElementById('viewer').close(); startLooks()")
        assert page.violations(axe) == []

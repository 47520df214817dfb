import os
from pathlib import Path

import pytest

import forked
import lot_days
from chromium import Browser, opened, require_chromium

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chromium"), pytest.mark.timeout(300)]

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core."""
    path = os.environ.get("FRAMEGATE_AXE", "")
    if not path or not Path(path).is_file():
        pytest.skip("FRAMEGATE_AXE does not name axe.min.js (npm: axe-core)")
    return Path(path).read_text("utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_chromium()
    days = lot_days.drawn(tmp_path_factory.mktemp("lots"))
    output = days.home / "report.html"
    done = forked.framegate("report", "-c", days.config_file, "-o", output)
    assert done.returncode == 0, done.stderr
    return output


def violations(page: Browser, axe: str) -> list[str]:
    page.devtools("Runtime.evaluate", expression=axe)
    found = page.driver.execute_async_script(
        "const done = arguments[1];"
        "axe.run(document, {runOnly: arguments[0]}).then((result) => done(result.violations), done)",
        STANDARDS,
    )
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for each in found
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_everybody_can_use_it(report: Path, axe: str, width: int, dark: bool) -> None:
    """By axe, WCAG 2.2 AA and good practice are met: page, viewer, six looks and each camera."""
    with opened(report, width=width, dark=dark) as page:
        for place in range(3):
            page.choose_camera(place)
            page.run("for (const each of document.querySelectorAll('details')) each.open = true")
            assert violations(page, axe) == []
        page.run("openViewer(allFrames().find((frame) => reference(frame) >= 0), allFrames())")
        assert violations(page, axe) == []
        page.run("document.getElementById('viewer').close(); startLooks()")
        assert violations(page, axe) == []

import os
from pathlib import Path

import pytest

import forked
from chromium import opened, require_chromium

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("report"), pytest.mark.timeout(120)]

NAMES = (
    "a<script>alert(1)<!--.jpg",
    'b"><img src=x onerror=alert(2)>.jpg',
    "{{script}}.jpg",
    "l" * 196 + ".jpg",
    "line\nbreak.jpg",
    "=cmd|' 'A0.jpg",
)


@pytest.mark.parametrize(
    ("camera", "area"),
    [
        ("<!--<script>", "clock"),
        ("cam", "</script><script>alert(3)</script>"),
    ],  # together they would cancel out
)
def test_names_are_only_text(tmp_path: Path, morning: list[bytes], camera: str, area: str) -> None:
    """Names with markup, of 200 characters or of bytes that are no text are shown, and start nothing."""
    require_chromium()
    drop = tmp_path / "<b>lot"
    for number, each in enumerate((camera, "other")):
        folder = drop / each
        folder.mkdir(parents=True)
        for place, name in enumerate([*NAMES, os.fsdecode(b"\xff\xfe.jpg")]):
            (folder / name).write_bytes(morning[place])
            os.utime(folder / name, (1_700_000_000 + 60 * (place + number),) * 2)
    config = tmp_path / "config.toml"
    config.write_text(
        f"version = 1\n[drop]\nfolder = '{drop}'\ncamera_pattern = '^(?P<camera>[^/]+)/'\n"
        f"[results]\nfolder = '{tmp_path}/results'\n[[detection.ignore]]\n"
        f"name = '{area}'\npolygon = [[0, 0], [0.1, 0], [0.1, 0.1]]\n",
        "utf-8",
    )
    report = tmp_path / "report.html"
    done = forked.framegate("report", drop, "-c", config, "-o", report)
    assert done.returncode == 0, done.stderr
    for width in (1280, 390):
        with opened(report, width=width) as page:
            for place in range(2):
                page.choose_camera(place)
                names = page.run("return state.camera.names")
                assert {name.partition("/")[2] for name in names} == {*NAMES, "\\xff\\xfe.jpg"}
                page.run("state.filter = 'dropped'; showSheet(); openViewer(0, allFrames())")
                assert page.text("#viewerTitle") == names[0]
                page.run("walkViewer(3); document.getElementById('viewer').close(); pointAt(2)")
            assert page.run("return document.querySelectorAll('script').length") == 2
            assert page.run("return document.querySelectorAll('img[src=x]').length") == 0
            assert page.run("return document.documentElement.scrollWidth") <= width
            assert page.complaints() == []
            assert page.requests() == []

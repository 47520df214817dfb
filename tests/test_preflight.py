import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from disks import memory_disk
from framegate.config.load import load
from framegate.config.schedule import WEEKDAYS
from framegate.errors import ConfigError
from framegate.preflight import folder_checks, preflight
from framegate.preflight.folder_checks import Finding, Grade
from framegate.preflight.preflight import check_surroundings, prepare_to_scan, prepare_to_serve
from oracle import CAMERAS, shot, upload
from running import Site
from stepping import Stepped


def found(site: Site, key: str, grade: Grade) -> list[str]:
    """Return the messages about a setting, of one grade."""
    return [f.message for f in check_surroundings(load(site.config)) if (f.key, f.grade) == (key, grade)]


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's limits for inotify, which a test may set."""
    folder = tmp_path / "limits"
    folder.mkdir()
    monkeypatch.setattr(preflight, "INOTIFY_LIMITS", folder)
    return folder


def test_a_full_disk_of_the_state_is_told(site: Site) -> None:
    """No frame can be judged then: the state folder is not in order, whether it is there or not."""
    site.configure()
    with memory_disk(site.state, "1m"):
        assert found(site, "state.folder", Grade.OK) == [str(site.state)]
        with suppress(OSError):
            (site.state / "filling").write_bytes(b"x" * 2_000_000)
        full = "is full: no frame is judged until framegate can write there"
        assert found(site, "state.folder", Grade.ERROR) == [f"the disk of {site.state} {full}"]
        assert found(site, "state.folder", Grade.OK) == []
        disk, site.state = site.state, site.state / "lot1"
        site.configure()
        assert found(site, "state.folder", Grade.ERROR) == [f"the disk of {disk} {full}"]


@pytest.mark.parametrize(("watches", "grade"), [(3, Grade.WARNING), (4, Grade.OK)])
def test_too_few_inotify_watches_are_a_warning(site: Site, limits: Path, watches: int, grade: Grade) -> None:
    """Every folder needs a watch; with one too few, check says how many there are and how many are needed."""
    site.configure()
    for name in ("a", "b", "b/c"):
        (site.drop / name).mkdir()
    (limits / "max_user_watches").write_text(f"{watches}\n")
    (message,) = found(site, "drop.watch", grade)
    assert "4" in message
    assert str(watches) in message
    assert ("max_user_watches" in message) == (grade is Grade.WARNING)


def test_files_that_no_pattern_takes_are_counted_with_an_example(site: Site) -> None:
    """What `include` does not match is counted, with an example; what is never a frame is not."""
    site.configure()
    assert found(site, "drop.include", Grade.WARNING) == []
    for name in ("a.jpg", "half.jpg.part", ".hidden", "x.tmp"):
        (site.drop / name).write_bytes(b"")
    assert found(site, "drop.include", Grade.WARNING) == []
    (site.drop / "day").mkdir()
    (site.drop / "day" / "b.gif").write_bytes(b"")
    (message,) = found(site, "drop.include", Grade.WARNING)
    assert message.startswith("1 file matches no pattern of drop.include")
    assert "'day/b.gif'" in message
    (site.drop / "a").write_bytes(b"")
    (message,) = found(site, "drop.include", Grade.WARNING)
    assert message.startswith("2 files match no pattern")


def test_what_is_excluded_is_neither_counted_nor_complained_of(site: Site) -> None:
    """Files of a NAS system or of Windows are no surprise to anybody: check does not mention them."""
    site.configure(drop='exclude = ["index.*", "@eaDir"]')
    (site.drop / "@eaDir").mkdir()
    for name in ("index.html", "@eaDir/SYNOINDEX_MEDIA_INFO"):
        (site.drop / name).write_bytes(b"")
    assert found(site, "drop.include", Grade.WARNING) == []


def test_names_that_are_not_read_are_counted_with_an_example(site: Site) -> None:
    """Check tells of frames whose time or camera their names do not show, each with an example."""
    site.configure(drop="capture_time = '%Y-%m-%d'\ncamera_pattern = '(?P<camera>c[0-9]+)'")
    for name in ("c1_2021-03-06.jpg", "c2_2021-3-6.jpg", "x_2021-03-06.jpg", "x_2021-3-6.jpg", "c3.txt"):
        (site.drop / name).write_bytes(b"")
    (time,) = found(site, "drop.capture_time", Grade.WARNING)
    assert time.startswith("drop.capture_time does not read 2 names, for example 'c2_2021-3-6.jpg'")
    (camera,) = found(site, "drop.camera_pattern", Grade.WARNING)
    assert camera.startswith("drop.camera_pattern does not read 2 names, for example 'x_2021-03-06.jpg'")


def test_a_huge_folder_is_counted_up_to_a_bound(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check ends soon however many files there are."""
    site.configure()
    monkeypatch.setattr(folder_checks, "MOST_COUNTED", 5)
    for number in range(9):
        (site.drop / f"{number}.gif").write_bytes(b"")
    (message,) = found(site, "drop.include", Grade.WARNING)
    assert message.startswith("5 files match")


def test_one_folder_for_both_is_one_error(site: Site) -> None:
    """The same folder for frames and results is said once, and not called ok beside it."""
    site.configure()
    text = site.config.read_text("utf-8")
    site.config.write_text(text.replace(str(site.results), str(site.drop)), "utf-8")
    findings = [f for f in check_surroundings(load(site.config)) if f.key == "results.folder"]
    message = f"{site.drop} is the same folder as drop.folder: each needs its own"
    assert findings == [Finding(Grade.ERROR, "results.folder", message)]


def test_a_textfile_that_cannot_be_written_is_a_warning(site: Site) -> None:
    """Where the metrics cannot be written, check says so; the daemon would run without them."""
    site.configure(rest='[metrics]\ntextfile = "nowhere/lot1.prom"')
    (message,) = found(site, "metrics.textfile", Grade.WARNING)
    assert message == f"{site.home}/nowhere is not a folder"
    (site.home / "nowhere").mkdir()
    assert found(site, "metrics.textfile", Grade.OK) == [f"{site.home}/nowhere/lot1.prom"]


def test_a_missing_drop_folder_stops_a_scan_and_not_the_daemon(site: Site) -> None:
    """The daemon waits for a drop folder that is mounted later; a scan has nothing to wait for."""
    site.configure()
    site.drop.rmdir()
    (message,) = found(site, "drop.folder", Grade.WARNING)
    assert message == f"{site.drop} does not exist: the daemon waits until it does"
    prepare_to_serve(load(site.config))
    with pytest.raises(ConfigError, match=r"drop\.folder: .* does not exist$"):
        prepare_to_scan(load(site.config), needs_results=True)


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo], ids=["file", "fifo"])
def test_a_drop_folder_that_is_no_folder_stops_both(site: Site, make: object) -> None:
    """A file at the place of the drop folder is a mistake that no waiting mends."""
    site.configure()
    site.drop.rmdir()
    assert callable(make)
    make(site.drop)
    assert found(site, "drop.folder", Grade.ERROR) == [f"{site.drop} is not a folder"]
    with pytest.raises(ConfigError, match="is not a folder"):
        prepare_to_serve(load(site.config))


def test_a_layout_is_shown_by_an_example(site: Site) -> None:
    """Check says what becomes of the first frame that is there; of a made-up one, if there is none."""
    layout = "{camera}/{captured_utc:%Y-%m-%d}/{name}"
    site.configure(drop="camera_pattern = '^(?P<camera>c[0-9]+)'", results=f'layout = "{layout}"')
    (made_up,) = found(site, "results.layout", Grade.OK)
    assert made_up.startswith("'gate/picture.jpg' becomes 'default/20")
    (site.drop / "c7_1.jpg").touch()
    os.utime(site.drop / "c7_1.jpg", ns=(10**18, 10**18))
    (real,) = found(site, "results.layout", Grade.OK)
    assert real == f"'c7_1.jpg' becomes 'c7/2001-09-09/c7_1.jpg', by {layout}"


@pytest.mark.parametrize(
    ("layout", "names", "told"),
    [
        ("{name}", ("a/1.jpg", "b/1.jpg", "b/2.jpg"), "{camera} in the layout tells them apart"),
        ("{camera}/{name}", ("a/1.jpg", "a/x/1.jpg"), "{path} in the layout tells them apart"),
        ("{camera}/{name}", ("c-a/1.jpg", "c-a_/1.jpg"), "in a name the cameras 'a/' and 'a_' are one"),
        ("{camera}/{name}", ("a/1.jpg", "b/1.jpg"), None),
        ("{captured_utc:%Y}/{folder}/{name}", ("a/1.jpg", "b/1.jpg"), None),
    ],
)
def test_frames_whose_results_would_have_one_name_are_told(
    site: Site, layout: str, names: tuple[str, ...], told: str | None
) -> None:
    """With an example, and what tells them apart: nothing is lost, but a name gets a time that surprises."""
    pattern = "^(c-)?(?P<camera>(?<=-)a/|(?<=-)a_|[ab])"
    site.configure(drop=f"camera_pattern = '{pattern}'", results=f'layout = "{layout}"')
    for name in names:
        (site.drop / name).parent.mkdir(exist_ok=True, parents=True)
        (site.drop / name).touch()
    warned = found(site, "results.layout", Grade.WARNING)
    assert len(warned) == (told is not None)
    if told is not None:
        example = f"for example {names[0]!r} and {names[1]!r}: where both are kept, one is "
        assert warned[0].startswith(f"1 frame has the same result name as another, {example}")
        assert warned[0].endswith(f"; {told}")


@pytest.mark.parametrize("layout", ["{stem}", "{camera}/{suffix}/x_{stem}", "{stem}.jpg", "{stem}{suffix}"])
def test_a_layout_without_suffix_is_told(site: Site, layout: str) -> None:
    """Results that no viewer knows for pictures are rarely meant; a suffix of one's own is."""
    site.configure(results=f'layout = "{layout}"')
    warned = found(site, "results.layout", Grade.WARNING)
    assert bool(warned) == (layout.endswith("{stem}"))
    assert all("have no suffix" in words for words in warned)


ARCHIVES = 'after_dropped = "archive"'


@pytest.mark.parametrize(
    ("place", "more", "grade", "words"),
    [
        ("archive", "", Grade.OK, "archive"),
        ("away", "", Grade.WARNING, "is no folder yet: make it; until then inputs stay"),
        ("file", "", Grade.WARNING, "file is not a folder: inputs stay in the drop folder"),
        ("drop", "", Grade.ERROR, "is the same folder as drop.folder"),
        ("drop/old", "", Grade.ERROR, "is inside drop.folder"),
        ("drop/away", "", Grade.ERROR, "is inside drop.folder"),
        ("drop/old", 'exclude = ["old"]', Grade.OK, "drop/old"),
        ("drop/.old", "", Grade.OK, "drop/.old"),
        ("drop/old", "recursive = false", Grade.OK, "drop/old"),
        ("results/old", "", Grade.ERROR, "is inside results.folder"),
        ("state/old", "", Grade.ERROR, "is inside state.folder"),
    ],
)
def test_an_archive_is_where_no_frame_is_found_again(
    site: Site, place: str, more: str, grade: Grade, words: str
) -> None:
    """Not among frames, results or state; a folder of the drop folder will do if no frame is sought in it."""
    folder = site.home / place
    if place == "file":
        folder.touch()
    elif not place.endswith("away"):
        folder.mkdir(exist_ok=True)
    site.configure(drop=f'archive = "{folder}"\n{ARCHIVES}\n{more}')
    ((found_grade, message),) = [
        (each.grade, each.message)
        for each in check_surroundings(load(site.config))
        if each.key == "drop.archive"
    ]
    assert found_grade is grade
    assert words in message
    if grade is Grade.ERROR:
        with pytest.raises(ConfigError, match=r"drop\.archive"):
            prepare_to_serve(load(site.config))
    else:
        prepare_to_serve(load(site.config))
    assert folder.exists() == (not place.endswith("away"))


def test_an_archive_that_no_rule_uses_is_told(site: Site) -> None:
    """A folder alone archives nothing."""
    site.configure(drop=f'archive = "{site.home}/archive"\nafter_kept = "7d"')
    (message,) = found(site, "drop.archive", Grade.WARNING)
    assert message.startswith("nothing is archived: ")


def test_a_folder_above_the_others_is_no_archive(site: Site) -> None:
    """An input could land among the frames or the results again."""
    site.configure(drop=f'archive = "{site.home}"\n{ARCHIVES}')
    keys = {f.key for f in check_surroundings(load(site.config)) if f.grade is Grade.ERROR}
    assert keys == {"drop.folder", "results.folder", "state.folder"}


NOCAM = """
[camera.{name}.detection]
keep_every = "1h"
[[schedule]]
name = "night"
hours = "20:00-06:00"
cameras = ["c1", "{name}"]
[schedule.detection]
keep_every = "1h"
[[notify]]
name = "phone"
on = "kept"
command = ["true"]
cameras = ["{name}"]
"""


def test_a_camera_that_no_frame_is_of_is_a_warning(site: Site) -> None:
    """A typo has no other sign. The ledger knows cameras that are gone; an empty folder proves nothing."""
    site.configure(drop=CAMERAS, rest=NOCAM.format(name="c2"))
    keys = "camera.c2", "schedule.night.cameras", "notify.phone.cameras"
    assert [found(site, key, Grade.WARNING) for key in keys] == [[], [], []]
    daemon = Stepped(site)
    daemon.start()
    for number in (1, 2):
        upload(shot(number, 0, camera=f"c{number}"), site.drop)
    daemon.go(9)
    daemon.stop()
    for frame in site.drop.glob("c2_*"):
        frame.unlink()
    assert [found(site, key, Grade.WARNING) for key in keys] == [[], [], []]
    site.configure(drop=CAMERAS, rest=NOCAM.format(name="c7"))
    for key in ("camera.c7", *keys[1:]):
        (message,) = found(site, key, Grade.WARNING)
        assert message.startswith("'c7': no frame in the drop folder is of this camera")


@pytest.mark.parametrize(
    ("earlier", "later", "is_told"),
    [
        ('hours = "20:00-06:00"', 'hours = ["22:00-23:00", "05:00-06:00"]', True),
        ('hours = "20:00-06:00"', 'hours = ["22:00-23:00", "05:00-06:01"]', False),
        ('hours = "20:00-06:00"', 'hours = "22:00-23:00"\nweekdays = "sat"', True),
        ('hours = "20:00-06:00"\nweekdays = "sat"', 'hours = "01:00-02:00"\nweekdays = "sun"', True),
        ('hours = "20:00-06:00"\nweekdays = "sat"', 'hours = "01:00-02:00"\nweekdays = "sat"', False),
        ('hours = "20:00-06:00"\ncameras = "c1"', 'hours = "22:00-23:00"', False),
        ('hours = "20:00-06:00"\ncameras = "c1"', 'hours = "22:00-23:00"\ncameras = ["c1"]', True),
    ],
)
def test_a_schedule_that_never_counts_is_told(site: Site, earlier: str, later: str, is_told: bool) -> None:
    """All its hours are an earlier one's, for all its cameras: it has no effect, and no other sign."""
    detection = '[schedule.detection]\nkeep_every = "1h"\n'
    tables = [
        f'[[schedule]]\nname = "{name}"\n{hours}\n{detection}'
        for name, hours in (("a", earlier), ("b", later))
    ]
    site.configure(drop="camera_pattern = '^(?P<camera>c.)'", rest="".join(tables))
    warned = found(site, "schedule.b", Grade.WARNING)
    assert len(warned) == is_told
    assert all(
        each.endswith("never counts, since at all its hours an earlier one does: a") for each in warned
    )
    assert not found(site, "schedule.a", Grade.WARNING)


def test_which_schedule_counts_now_is_said(site: Site) -> None:
    """Of two that fit the first does, and the other is said to wait for it; one of other cameras has none."""
    hours = 'hours = ["00:00-12:00", "12:00-24:00"]\n'
    detection = '[schedule.detection]\nkeep_every = "1h"\n'
    today = time.localtime().tm_wday
    near = f"weekdays = {[WEEKDAYS[today], WEEKDAYS[(today + 1) % 7]]}\n"  # midnight may come
    site.configure(
        rest="".join(
            f'[[schedule]]\nname = "{name}"\n{hours}{cameras}{detection}'
            for name, cameras in (("a", near), ("b", ""), ("c", 'cameras = "c21"\n'))
        )
    )
    (first,), (second,) = (found(site, f"schedule.{name}", Grade.OK) for name in "ab")
    assert first.endswith("counts now")
    assert second.endswith("does not count now, since an earlier one does: a")
    (warning,) = found(site, "schedule.c.cameras", Grade.WARNING)
    assert "has no effect" in warning

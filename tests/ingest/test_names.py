import os
from collections.abc import Callable

import pytest

from framegate.ingest.names import NameRules
from framegate.model import FileKey

MTIME_NS = 1_700_000_000_000_000_000
PUBLISHED = {
    "c21_2021_03_26__16_44_04.png": "c21",
    "c23-1616694872510.png": "c23",
    "c10-1623871098865.png": "c10",
}

MakeRules = Callable[..., NameRules]


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "A.JPG",
        "a.JpEg",
        "a.png",
        "a.b.c.webp",
        "cam/a.jpg",
        "Cam.1/North/a.TIFF",
        "a b.bmp",
        "ü\n.jpg",
    ],
)
def test_pictures_are_frames_whatever_their_case_and_folder(rules: NameRules, name: str) -> None:
    """The usual endings are included, in any case, in any folder."""
    assert rules.is_frame(name)


@pytest.mark.parametrize(
    "name",
    ["a.txt", "a.jpg.txt", "jpg", "a.jpg/readme", "ajpg", ""],
)
def test_what_is_not_included_is_no_frame(rules: NameRules, name: str) -> None:
    """Only the file's own name counts, to its end."""
    assert not rules.is_frame(name)


@pytest.mark.parametrize(
    "name", [".a.jpg", "cam/.a.jpg", ".cam/a.jpg", "cam/.thumbs/a.jpg", ".a.jpg.Xy12Zq", ".jpg"]
)
def test_what_begins_with_a_dot_is_no_frame(make_rules: MakeRules, name: str) -> None:
    """Hidden files, and files in hidden folders, are no frames even where everything is included."""
    assert not make_rules(include="*").is_frame(name)


@pytest.mark.parametrize("ending", [".part", ".PART", ".tmp", ".filepart", "~", ".jpg.part", ".jpg~"])
def test_what_is_still_being_uploaded_is_no_frame(make_rules: MakeRules, ending: str) -> None:
    """Names under which clients write before they rename are no frames, even where all is included."""
    rules = make_rules(include="*")
    assert not rules.is_frame("cam/a" + ending)
    assert rules.is_frame("cam/a" + ending + ".jpg")


@pytest.mark.parametrize(
    ("pattern", "frames", "others"),
    [
        pytest.param("north/*.jpg", {"north/a.jpg", "North/A.JPG"}, {"a.jpg", "south/a.jpg"}, id="slash"),
        pytest.param("*/c?.jpg", {"x/c1.jpg", "x/y/c2.JPG"}, {"c1.jpg", "x/c10.jpg"}, id="any-folder"),
        pytest.param("Lot_[0-9].JPG", {"lot_1.jpg", "x/LOT_2.jpg"}, {"lot_a.jpg"}, id="pattern-in-capitals"),
        pytest.param(["*.raw", "b*"], {"a.RAW", "x/b"}, {"a.jpg"}, id="several"),
    ],
)  # fmt: skip
def test_a_pattern_says_what_is_included(
    make_rules: MakeRules, pattern: object, frames: set[str], others: set[str]
) -> None:
    """A pattern with a slash is matched with the path, another with the name; both without regard to case."""
    rules = make_rules(include=pattern)
    assert {name for name in frames | others if rules.is_frame(name)} == frames


@pytest.mark.parametrize(("name", "camera"), PUBLISHED.items(), ids=PUBLISHED)
def test_a_pattern_finds_the_camera(make_rules: MakeRules, name: str, camera: str) -> None:
    """The published names of many cameras in one folder say their camera."""
    assert make_rules(camera_pattern=r"^(?P<camera>c\d+)").camera_of(name) == camera


def test_a_folder_can_be_the_camera(make_rules: MakeRules) -> None:
    """The pattern is searched in the path, so that a folder a camera works as well."""
    rules = make_rules(camera_pattern=r"^(?P<camera>[^/]+)/")
    assert rules.camera_of("gate/2021/a.jpg") == "gate"


@pytest.mark.parametrize(
    "pattern", [None, r"(?P<camera>x\d+)", r"(?P<camera>y?)lot", r"(?:(?P<camera>z)|lot)"]
)
def test_a_frame_without_a_camera_has_the_default_one(make_rules: MakeRules, pattern: str | None) -> None:
    """No pattern, no match, an empty match and a group that took no part all mean the default camera."""
    assert make_rules(camera_pattern=pattern).camera_of("lot.jpg") == "default"


def test_a_camera_that_is_no_utf8_is_escaped(make_rules: MakeRules) -> None:
    """A camera's name can be written to log and ledger whatever bytes the folder's name has."""
    rules = make_rules(camera_pattern=r"^(?P<camera>[^/]+)/")
    camera = rules.camera_of(os.fsdecode(b"caf\xe9/a.jpg"))
    assert camera == r"caf\xe9"
    assert camera.encode("utf-8")
    assert rules.camera_of("café/a.jpg") == "café"


def test_the_first_pattern_that_fits_says_the_capture_time(make_rules: MakeRules) -> None:
    """A list of patterns is tried in its order, name by name."""
    rules = make_rules(capture_time=["%Y_%m_%d__%H_%M_%S%z", "epoch_ms", "epoch_s"])
    assert (
        rules.captured_at_ns(FileKey("c21_2021_03_26__16_44_04Z.png", 1, MTIME_NS))
        == 1_616_777_044_000_000_000
    )
    assert rules.captured_at_ns(FileKey("c23-1616694872510.png", 1, MTIME_NS)) == 1_616_694_872_510_000_000
    assert rules.captured_at_ns(FileKey("c23-1616694872.png", 1, MTIME_NS)) == 1_616_694_872_000_000_000


def test_a_name_without_a_time_falls_back_to_mtime(make_rules: MakeRules) -> None:
    """What no pattern fits was taken when the file says it was written."""
    for times in ("mtime", "epoch_ms", ["mtime", "epoch_s"]):
        assert make_rules(capture_time=times).captured_at_ns(FileKey("lot.jpg", 1, MTIME_NS)) == MTIME_NS


def test_a_time_in_a_name_is_one_that_the_ledger_can_hold(make_rules: MakeRules) -> None:
    """A name that claims the year 9999 gets the latest time that can be stored."""
    rules = make_rules(capture_time="%Y-%m-%d")
    assert rules.captured_at_ns(FileKey("9999-12-30.jpg", 1, MTIME_NS)) == 2**63 - 1


def test_a_candidate_carries_what_its_name_says(make_rules: MakeRules) -> None:
    """Camera and capture time of a candidate are those of its name."""
    rules = make_rules(camera_pattern=r"^(?P<camera>c\d+)", capture_time="epoch_ms")
    key = FileKey("c23-1616694872510.png", 10, MTIME_NS)
    candidate = rules.candidate(key)
    assert (candidate.key, candidate.camera) == (key, "c23")
    assert candidate.captured_at_ns == 1_616_694_872_510_000_000


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "lot1/@eadir/a.jpg/SYNOFILE_THUMB_M.jpg",
        "#recycle/2026/a.jpg",
        "#snapshot/GMT+01-2026.11.26/a.jpg",
        "@Recycle/a.jpg",
        "@Recently-Snapshot/a.jpg",
        "$Recycle.Bin/S-1-5-21/$RABC.jpg",
        "System Volume Information/a.jpg",
        "lost+found/#1234.jpg",
        "~snapshot/hourly.0/a.jpg",
        "cam/__MACOSX/a.jpg",
        "~syncthing~a.jpg.tmp.jpg",
        "cam/~$a.jpg",
    ],
)
def test_what_nas_systems_and_sync_programs_make_is_no_frame(make_rules: MakeRules, name: str) -> None:
    """Thumbnails, recycle bins, snapshots and half-synced files are passed over at any depth."""
    rules = make_rules()
    assert not rules.is_frame(name)
    assert not rules.is_unmatched(name)
    assert make_rules(exclude=[]).is_frame(name)


@pytest.mark.parametrize(
    ("pattern", "excluded", "others"),
    [
        ("lastsnap.*", {"lastsnap.jpg", "cam/LastSnap.PNG"}, {"snap.jpg", "cam/a-lastsnap.jpg"}),
        ("thumbs/", {"thumbs/a.jpg", "Cam/Thumbs/b/c.jpg"}, {"thumbs2/a.jpg", "cam/thumbs.jpg"}),
        ("cam1/old", {"cam1/old/a.jpg", "CAM1/Old/b/c.jpg"}, {"cam2/old/a.jpg", "cam1/a.jpg", "old/a.jpg"}),
        ("cam?/*.png", {"cam1/a.png", "cam2/b/c.png"}, {"cam10/a.png", "a.png"}),
        ("/test", {"test/a.jpg", "Test/b/a.jpg"}, {"testing/a.jpg", "cam/test/a.jpg"}),
    ],
)
def test_excluded_is_a_name_a_folder_or_a_path(
    make_rules: MakeRules, pattern: str, excluded: set[str], others: set[str]
) -> None:
    """A pattern of exclude is for every part of a path; one with a slash inside is for the path itself."""
    rules = make_rules(exclude=pattern)
    assert {name for name in excluded | others if not rules.is_frame(name)} == excluded

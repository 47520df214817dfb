import json
import os
import re
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import cv2
import pytest

import forked
from framegate.commands.demo.scene import Lot
from framegate.tune.pasting import detection_table, text_in_toml
from running import Site, running

START_S = 1_717_236_000

HEAD = "version = 1\n[drop]\nfolder = {drop}\n{more}\n[results]\nfolder = {results}\nmin_free = '1MB'\n"

CAMERAS = r"camera_pattern = '^(?P<camera>[^_]+)_'"


def framegate(*arguments: object, code: int = 0) -> "subprocess.CompletedProcess[str]":
    uncached = ("--no-cache",) if arguments[0] == "suggest" else ()
    done = forked.framegate(*arguments, *uncached)
    assert done.returncode == code, done.stderr
    return done


def take(
    folder: Path, prefix: str = "", frames: int = 40, *, width: int = 480, has_clock: bool = False
) -> None:
    """Let a camera over the drawn lot take frames: cars come and go, somebody walks by."""
    folder.mkdir(exist_ok=True)
    lot = Lot(width=width, height=9 * width // 16, seed=len(prefix))
    for number in range(frames):
        lot.parked = {1: 0, 4: 1, 2: 5} if number % 8 >= 4 else {1: 0, 4: 1}
        lot.pedestrian = 0.1 + 0.02 * number if number % 5 == 2 else None
        lot.clock = f"{7919 * number:06d}" if has_clock else ""
        path = folder / f"{prefix}{number:04d}.jpg"
        path.write_bytes(lot.jpeg())
        os.utime(path, (START_S + 600 * number,) * 2)


def config_file(folder: Path, drop: Path, more: str = "", rest: str = "") -> Path:
    """Write a config for a drop folder; its results are beside it."""
    results = folder / "results"
    results.mkdir(exist_ok=True)
    path = folder / "lot.toml"
    head = HEAD.format(drop=json.dumps(str(drop)), results=json.dumps(str(results)), more=more)
    path.write_text(head + rest, "utf-8")
    return path


def pasted_into(config: Path, lines: str) -> Path:
    """Append lines to a config, as somebody pastes them, and let framegate check it."""
    whole = config.with_name("pasted.toml")
    whole.write_text(config.read_text("utf-8") + lines, "utf-8")
    framegate("check", "-c", whole)
    return whole


def kept_by(config: Path) -> dict[str, int]:
    done = framegate("scan", "-c", config, "--dry-run", "--json")
    return {camera: counts["kept"] for camera, counts in json.loads(done.stdout)["cameras"].items()}


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lot") / "frames"
    take(folder)
    return folder


def test_without_a_goal_consequences_are_shown_and_no_threshold_is_named(lot: Path) -> None:
    """Each row says what would be kept; the one in force is marked; nothing is there to paste."""
    lines = framegate("suggest", lot).stdout.splitlines()
    assert lines[0] == "40 frames of default, 6.7 hours"
    assert lines[1] == "Under a day and under 150 frames: what holds for them need not hold tomorrow"
    assert lines[2].split()[:3] == ["threshold", "kept", "a"]
    rows = [line.split() for line in lines[3:] if re.match(r" +[\d.]+x ", line)]
    assert [row[0] for row in rows if row[-2:] == ["in", "force"]] == ["2.3x"]
    document = json.loads(framegate("suggest", lot, "--json").stdout)["cameras"]["default"]
    ladder = {each["threshold"]: each for each in document["outcomes"]}
    for row in rows:
        one = ladder.get(float(row[0][:-1]), document["in_force"])
        assert int(row[1]) == one["kept"]
        assert one["from"] <= one["threshold"] < (one["below"] or 1e9)
    assert "score_threshold" not in "\n".join(lines)
    assert lines[-1].startswith("No number follows from this alone.")


@pytest.mark.parametrize("target", ["1.5/hour", "0.3MB/day"])
def test_what_a_target_gives_can_be_pasted_and_keeps_what_it_says(
    lot: Path, tmp_path: Path, target: str
) -> None:
    """The lines are accepted by check, and a scan by them keeps as many frames as announced."""
    config = config_file(tmp_path, lot)
    found = framegate("suggest", "-c", config, "--target", target)
    whole = pasted_into(config, found.stdout)
    (camera,) = json.loads(framegate("suggest", "-c", config, "--target", target, "--json").stdout)[
        "cameras"
    ].values()
    assert kept_by(whole) == {"default": camera["suggestion"]["kept"]}
    assert f"# {camera['suggestion']['kept']} of 40 frames kept" in found.stdout
    assert tomllib.loads(found.stdout) == {
        "detection": {"score_threshold": camera["suggestion"]["score_threshold"]}
    }
    assert camera["toml"] == found.stdout


def night(first: int, last: int, *detection: str) -> str:
    """Return a schedule of the hours in which the camera takes its frames from one number up to another."""
    begin, end = (time.strftime("%H:%M", time.localtime(START_S + 600 * number)) for number in (first, last))
    lines = "\n".join(detection)
    return f'[[schedule]]\nname = "night"\nhours = "{begin}-{end}"\n[schedule.detection]\n{lines}\n'


def test_a_threshold_that_a_schedule_sets_is_not_the_one_that_is_tried(lot: Path, tmp_path: Path) -> None:
    """It stays at its hours, whichever is tried; how many frames these are is said, and in what it pastes."""
    config = config_file(tmp_path, lot, rest=night(10, 22, 'score_threshold = "100x"'))
    words = "schedule night: 12 frames by a threshold of its own, whichever is tried here"
    assert words in framegate("suggest", "-c", config).stdout.splitlines()
    found = framegate("suggest", "-c", config, "--target", "2/hour").stdout
    assert f"# {words}" in found.splitlines()
    (camera,) = json.loads(framegate("suggest", "-c", config, "--target", "2/hour", "--json").stdout)[
        "cameras"
    ].values()
    assert camera["schedules_with_own_threshold"] == ["night"]
    assert camera["in_force"]["threshold"] == 2.3
    assert max(each["kept"] for each in camera["outcomes"]) <= 40 - 12
    assert kept_by(pasted_into(config, found)) == {"default": camera["suggestion"]["kept"]}


def test_a_label_against_a_schedules_threshold_names_the_schedule(lot: Path, tmp_path: Path) -> None:
    """No threshold of the camera changes that frame's verdict: who reads it knows where to look."""
    gate = '[[schedule.detection.zone]]\nname = "gate"\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]'
    for own, whose in (((), ""), ((gate, 'score_threshold = "90x"'), " of zone gate")):
        config = config_file(tmp_path, lot, rest=night(10, 22, 'score_threshold = "100x"', *own))
        limit = "90x" if own else "100x"
        (tmp_path / "labels.csv").write_text("frame,expected\n0012.jpg,kept\n", "utf-8")
        said = rf"0012\.jpg is dropped, not kept[:,] \S+ <= {limit}{whose} of schedule night, after 0\d+\.jpg"
        for done in (
            framegate("suggest", "-c", config, "--labels", tmp_path / "labels.csv"),
            framegate("replay", lot, "-c", config, "--check", tmp_path / "labels.csv", "--no-cache", code=1),
        ):
            assert re.search(said, done.stdout)


def test_the_threshold_in_force_is_the_cameras_also_if_a_schedule_always_counted(
    lot: Path, tmp_path: Path
) -> None:
    """In pixels it is a share of the picture, though no frame was held against it."""
    areas = '[detection]\npreset = "classic"\nmin_contour_area = "100px"\nscore_threshold = "2592px"\n'
    config = config_file(tmp_path, lot, rest=areas + night(-6, 60, 'score_threshold = "1%"'))
    (camera,) = json.loads(framegate("suggest", "-c", config, "--json").stdout)["cameras"].values()
    assert camera["in_force"]["threshold"] == pytest.approx(100 * 2592 / (480 * 270))


def test_what_a_schedule_sets_itself_is_not_pasted_for_its_hours(tmp_path: Path) -> None:
    """Where it has areas of its own, those of the camera do not count: that is said above the lines."""
    take(tmp_path / "frames", has_clock=True)
    config = config_file(
        tmp_path,
        tmp_path / "frames",
        rest=night(10, 22, "ignore = []", 'min_contour_area = "0.1%"'),
    )
    for setting, *arguments in (("ignore",), ("min_contour_area", "--object", "0.5,0.5,0.2,0.2")):
        lines = framegate("suggest", "-c", config, *arguments).stdout.splitlines()
        assert f"# schedule night sets {setting} itself: the lines below do not count at its hours" in lines


def test_what_no_threshold_keeps_is_said_and_nothing_is_there_to_paste(lot: Path) -> None:
    """More than there are frames, or fewer than are always kept, cannot be had; that is no failure."""
    for target, words in (("100000/day", "at most 40"), ("0.01/day", "at least 1 of 40")):
        done = framegate("suggest", lot, "--target", target)
        assert f"{target} cannot be had: {words}" in done.stdout
        assert tomllib.loads(done.stdout) == {}


def test_where_outcomes_jump_both_neighbours_are_named(tmp_path: Path) -> None:
    """Two pictures in turn: all are kept, or one; in between there is nothing, and it is said."""
    folder = tmp_path / "frames"
    folder.mkdir()
    scene = Lot(width=480, height=270)
    empty = scene.picture(noise=0)
    scene.parked = {1: 0, 4: 1, 2: 5, 3: 3}
    full = scene.picture(noise=0)
    for number in range(20):
        path = folder / f"{number:03d}.png"
        path.write_bytes(cv2.imencode(".png", full if number % 2 else empty)[1].tobytes())
        os.utime(path, (START_S + 4320 * number,) * 2)
    rest = "[detection]\npreset = 'classic'\nscore_threshold = '1%'\nmin_contour_area = '0.01%'\n"
    config = config_file(tmp_path, folder, rest=rest)
    words = framegate("suggest", "-c", config, "--target", "5/day").stdout
    assert re.search(
        r"5/day cannot be had: outcomes jump from 20 of 20 frames kept.* at [\d.]+% to 1 of", words
    )
    assert "score_threshold" in words


def test_each_camera_gets_a_table_of_its_own(tmp_path: Path) -> None:
    """Several cameras: a table for each, also where a name needs quotes, and one alone if it is asked for."""
    folder = tmp_path / "frames"
    for camera in ("north_", 'a "b"_'):
        take(folder, camera, frames=16)
    config = config_file(tmp_path, folder, CAMERAS)
    found = framegate("suggest", "-c", config, "--target", "6/day").stdout
    tables = tomllib.loads(found)
    assert set(tables["camera"]) == {"north", 'a "b"'}
    whole = pasted_into(config, found)
    document = json.loads(framegate("suggest", "-c", config, "--target", "6/day", "--json").stdout)
    wanted = {name: camera["suggestion"]["kept"] for name, camera in document["cameras"].items()}
    assert kept_by(whole) == wanted
    one = framegate("suggest", "-c", config, "--target", "6/day", "--camera", "north").stdout
    assert set(tomllib.loads(one)["camera"]) == {"north"}
    framegate("suggest", "-c", config, "--camera", "south", code=2)


def test_classic_speaks_in_percent(lot: Path, tmp_path: Path) -> None:
    """Thresholds are in the unit of the preset, also where the config has pixels."""
    rest = "[detection]\npreset = 'classic'\nscore_threshold = '2000px'\nmin_contour_area = '50px'\n"
    config = config_file(tmp_path, lot, rest=rest)
    (in_force,) = [
        line for line in framegate("suggest", "-c", config).stdout.splitlines() if line.endswith("in force")
    ]
    assert in_force.split()[0] == "1.54%"
    found = framegate("suggest", "-c", config, "--target", "8/day").stdout
    value = tomllib.loads(found)["detection"]["score_threshold"]
    assert value.endswith("%")
    whole = config.with_name("other.toml")
    whole.write_text(config.read_text("utf-8").replace("2000px", value), "utf-8")
    kept = int(re.findall(r"# (\d+) of 40 frames kept", found)[0])
    assert kept_by(whole) == {"default": kept}


def test_labels_are_met_by_what_is_printed(lot: Path, tmp_path: Path) -> None:
    """Labels made from a scan at one threshold are all met by the suggested one."""
    config = config_file(tmp_path, lot, rest="[detection]\nscore_threshold = '6x'\n")
    stats = tmp_path / "stats.csv"
    framegate("scan", "-c", config, "--dry-run", "--stats", stats)
    rows = [line.split(",") for line in stats.read_text("utf-8").splitlines()]
    verdict = rows[0].index("verdict")
    labels = tmp_path / "labels.csv"
    lines = ["# what matters", "frame,expected", *(f"{row[0]},{row[verdict]}" for row in rows[1:])]
    labels.write_text("\n".join([*lines, "gone.jpg,kept", ""]), "utf-8")
    done = framegate("suggest", lot, "--labels", labels)
    assert "gone.jpg is no frame there" in done.stderr
    assert "# as 40 labels would have it" in done.stdout
    value = float(tomllib.loads(done.stdout)["detection"]["score_threshold"][:-1])
    low, high = re.findall(r"# just as good: ([\d.]+)x to ([\d.]+)x", done.stdout)[0]
    assert float(low) <= value <= float(high)
    labels.write_text(labels.read_text("utf-8").replace("0000.jpg,kept", "0000.jpg,dropped"), "utf-8")
    done = framegate("suggest", lot, "--labels", labels)
    assert "# against 1 of 40 labels:\n#   0000.jpg is kept, not dropped\n" in done.stdout


def test_what_the_threshold_in_force_does_is_not_changed(lot: Path, tmp_path: Path) -> None:
    """Labels that agree with it keep it; what any threshold does, or none, gives nothing to paste."""
    config, labels = config_file(tmp_path, lot), tmp_path / "labels.csv"
    labels.write_text("frame,expected\n0004.jpg,kept\n")
    found = framegate("suggest", "-c", config, "--labels", labels).stdout
    assert tomllib.loads(found) == {"detection": {"score_threshold": "2.3x"}}
    assert "# by the threshold in force: none does better\n" in found
    for verdict, words in (("kept", "so would any threshold"), ("dropped", "no threshold changes that")):
        labels.write_text(f"frame,expected\n0000.jpg,{verdict}\n")
        found = framegate("suggest", "-c", config, "--labels", labels).stdout
        assert words in found
        assert tomllib.loads(found) == {}
    assert "inf" not in framegate("suggest", "-c", config, "--must-keep", "0000.jpg").stdout


def test_frames_that_must_be_kept_give_an_upper_bound(lot: Path, tmp_path: Path) -> None:
    """The highest threshold that keeps them, called a bound; a higher one drops one of them."""
    config = config_file(tmp_path, lot)
    found = framegate("suggest", "-c", config, "--must-keep", "0004.jpg", "--must-keep", "0012.jpg").stdout
    assert "# an upper bound, and no answer" in found
    whole = pasted_into(config, found)
    stats = tmp_path / "stats.csv"

    def kept(threshold: str) -> set[str]:
        whole.write_text(
            re.sub(r'score_threshold = ".*"', f'score_threshold = "{threshold}"', whole.read_text())
        )
        framegate("scan", "-c", whole, "--dry-run", "--stats", stats)
        return {line.split(",")[0] for line in stats.read_text("utf-8").splitlines() if ",kept," in line}

    value = tomllib.loads(found)["detection"]["score_threshold"]
    assert {"0004.jpg", "0012.jpg"} <= kept(value)
    bound = re.findall(r"a higher one than ([\d.]+)x", found)[0]
    assert not {"0004.jpg", "0012.jpg"} <= kept(f"{1.02 * float(bound):.4f}x")


def test_an_object_gives_the_smallest_area_and_says_why_no_threshold(lot: Path, tmp_path: Path) -> None:
    """Its size bears on min_contour_area alone; what is too small to be seen is told so."""
    config = config_file(tmp_path, lot)
    found = framegate("suggest", "-c", config, "--object", "80,60,100,60").stdout
    assert set(tomllib.loads(found)["detection"]) == {"min_contour_area"}
    pasted_into(config, found)
    small = framegate("suggest", "-c", config, "--object", "6,6").stdout
    assert "too small to be seen" in small
    assert tomllib.loads(small) == {}
    both = framegate("suggest", "-c", config, "--object", "100,60", "--target", "8/day").stdout
    assert set(tomllib.loads(both)["detection"]) == {"min_contour_area", "score_threshold"}
    framegate("suggest", "-c", config, "--object", "big", code=2)


def test_a_clock_is_proposed_to_be_ignored_and_drawn(tmp_path: Path) -> None:
    """The area can be pasted after what the config ignores already, and what it changes is told."""
    folder = tmp_path / "frames"
    take(folder, "c1_", width=960, has_clock=True)
    take(folder, "c2_", frames=12)
    rest = (
        "[[detection.ignore]]\nname = 'street'\npolygon = [[0.5, 0.9], [1.0, 0.9], [1.0, 1.0], [0.5, 1.0]]\n"
    )
    config = config_file(tmp_path, folder, CAMERAS, rest)
    drawing = tmp_path / "ignore.png"
    found = framegate("suggest", "-c", config, "--camera", "c1", "--overlay", drawing).stdout
    toml = found[found.index("# By the settings in force") : found.index("No number")]
    areas = tomllib.loads(toml)["camera"]["c1"]["detection"]["ignore"]
    assert areas[0]["name"] == "street"
    assert any(area["polygon"][0][1] < 0.03 for area in areas[1:])
    pasted_into(config, toml)
    picture = cv2.imread(str(drawing))
    assert picture is not None
    assert picture.shape == (540, 960, 3)


def test_without_a_folder_it_is_what_the_daemon_has_judged(site: Site, morning: list[bytes]) -> None:
    """The frames are the ledger's; by the settings in force as many are kept as the daemon has kept."""
    with running(site) as daemon:
        for number, data in enumerate(morning):
            part = site.drop / f".{number}.part"
            part.write_bytes(data)
            part.rename(site.drop / f"{number:04d}.jpg")
        verdicts = daemon.wait_for_verdicts(len(morning))
    (site.drop / "later.jpg").write_bytes(morning[0])
    (camera,) = json.loads(framegate("suggest", "-c", site.config, "--json").stdout)["cameras"].values()
    kept = sum(line["event"] == "frame.kept" for line in verdicts)
    assert (camera["frames"], camera["in_force"]["kept"]) == (len(morning), kept)


def test_wrong_use_is_one_sentence(lot: Path, tmp_path: Path) -> None:
    """A target and labels at once, a target that is none, an empty folder, labels that are not there."""
    (tmp_path / "empty").mkdir()
    framegate("suggest", lot, "--target", "5/day", "--must-keep", "0004.jpg", code=2)
    gone = framegate("suggest", lot, "--must-keep", "gone.jpg", code=2)
    assert gone.stderr.endswith("none of the named frames is there\n")
    assert "200/day" in framegate("suggest", lot, "--target", "5", code=2).stderr
    assert "there is no frame" in framegate("suggest", tmp_path / "empty", code=2).stderr
    framegate("suggest", lot, "--labels", tmp_path / "no.csv", code=2)
    framegate("suggest", tmp_path / "nowhere", code=78)


@pytest.mark.parametrize("name", ["c1", "a b", 'q"uote', "b\\s", "tab\t", "del\x7f", "\N{GRINNING FACE}", ""])
def test_a_camera_s_table_is_read_back_by_its_name(name: str) -> None:
    """Whatever a camera is called, the table's header names it."""
    table: dict[str, Any] = tomllib.loads(f"{detection_table(name)}\nx = {text_in_toml(name)}")
    assert table == {"camera": {name: {"detection": {"x": name}}}}

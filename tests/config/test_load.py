import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from framegate.config.detection import DetectionSettings
from framegate.config.docs import example_file, settings_that_differ
from framegate.config.load import Config, find_config, load
from framegate.config.settings import Settings
from framegate.errors import EXIT_CONFIG, ConfigError

LEAST = """\
version = 1
[drop]
folder = "drop"
[results]
folder = "results"
"""

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point everything that the environment says into a home of this test's own."""
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "FRAMEGATE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a config file, in a folder of its own."""
    folder = tmp_path / "etc"
    folder.mkdir()

    def to_file(text: str) -> Path:
        file = folder / "framegate.toml"
        file.write_text(text, "utf-8")
        return file

    return to_file


def _problems(path: Path | None, flags: dict[str, Any] | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as refusal:
        load(path, flags)
    keys = [problem.key for problem in refusal.value.problems]
    assert keys
    assert len(keys) == len(set(keys))
    return {problem.key: problem.message for problem in refusal.value.problems}


CLASSIC = 'preset = "classic"\nmin_contour_area = "5px"\nscore_threshold = "5px"\n'
"""What ``classic`` needs."""


def _in(table: str, line: str) -> str:
    """Put a line into a table of the least config."""
    if table.endswith("detection") and line.startswith(("blur", "pixel", "dilate", "working")):
        line = CLASSIC + line
    if f"[{table}]\n" in LEAST:
        return LEAST.replace(f"[{table}]\n", f"[{table}]\n{line}\n")
    return f"{LEAST}[{table}]\n{line}\n"


def test_the_least_config_is_version_and_two_folders(write: Write) -> None:
    """Only the version and the two folders are required."""
    config = load(write(LEAST))
    assert config.settings.version == 1
    assert config.settings.detection == DetectionSettings.preset("adaptive")


def test_every_problem_is_reported_at_once(write: Write) -> None:
    """A file with eight faults names all eight, each by its dotted key."""
    file = write(
        'version = 2\n[drop]\nsettle_s = -1\nfoldr = "x"\n[results]\nfolder = 5\n'
        '[detection]\nmax_kept_per_hour = 0\nscore_threshold = 5000\n[log]\nlevel = "loud"\n'
    )
    assert set(_problems(file)) == {
        "version",
        "drop.folder",
        "drop.settle_s",
        "drop.foldr",
        "results.folder",
        "detection.max_kept_per_hour",
        "detection.score_threshold",
        "log.level",
    }


def test_a_config_error_is_one_text_with_all_problems_and_its_exit_code(write: Write) -> None:
    """The error's own text holds each problem, its path is the file's, and the program ends with 78."""
    file = write(_in("detection", f"{CLASSIC}blur = 4\ndilate = -1"))
    with pytest.raises(ConfigError) as refusal:
        load(file)
    assert refusal.value.path == str(file)
    assert "detection.blur: " in str(refusal.value)
    assert "detection.dilate: " in str(refusal.value)
    assert refusal.value.exit_code == EXIT_CONFIG == 78


MISSPELT = [
    ("drop", "setle_s = 1", "drop.setle_s", "settle_s"),
    ("results", 'minfree = "1GB"', "results.minfree", "min_free"),
    ("state", 'foldr = "x"', "state.foldr", "folder"),
    ("detection", "pixel_treshold = 3", "detection.pixel_treshold", "pixel_threshold"),
    ("detection", 'presett = "classic"', "detection.presett", "preset"),
    ("log", 'levl = "info"', "log.levl", "level"),
    ("camera.c21", "detction = {}", "camera.c21.detction", "detection"),
    ("camera.c21.detection", "blor = 3", "camera.c21.detection.blor", "blur"),
    (
        "[detection.ignore]",
        'name = "clock"\npolygon = [[0, 0], [1, 0], [1, 1]]\npoligon = 1',
        "detection.ignore.clock.poligon",
        "polygon",
    ),
    (
        "[camera.c21.detection.ignore]",
        'name = "clock"\npolygon = [[0, 0], [1, 0], [1, 1]]\nnam = "x"',
        "camera.c21.detection.ignore.clock.nam",
        "name",
    ),
]


@pytest.mark.parametrize(("table", "line", "key", "meant"), MISSPELT, ids=[row[2] for row in MISSPELT])
def test_an_unknown_key_is_told_which_was_meant(
    write: Write, table: str, line: str, key: str, meant: str
) -> None:
    """A misspelt key is refused in every table, with the key that was probably meant."""
    assert _problems(write(_in(table, line))) == {key: f"unknown key (did you mean {meant}?)"}


def test_an_unknown_table_is_told_which_was_meant(write: Write) -> None:
    """A misspelt table is refused with the one that was probably meant."""
    problems = _problems(write(LEAST + "[detecton]\nblur = 3\n"))
    assert problems == {"detecton": "unknown key (did you mean detection?)"}


def test_a_key_like_no_other_is_told_what_there_is(write: Write) -> None:
    """A key that resembles none is refused with the list of the table's keys."""
    problems = _problems(write(_in("log", "zzz = 1")))
    assert problems == {"log.zzz": "unknown key; [log] has level, format"}


@pytest.mark.parametrize("key", ["min_contour_area", "score_threshold"])
def test_an_area_without_a_unit_is_told_both_spellings(write: Write, key: str) -> None:
    """A bare number for an area is refused with the percentage and the pixels that it may mean."""
    classic = "\n".join(line for line in CLASSIC.splitlines() if key not in line)
    problem = _problems(write(_in("detection", f"{classic}\n{key} = 5000")))[f"detection.{key}"]
    assert '"5000%"' in problem
    assert '"5000px"' in problem


def test_more_than_a_hundred_percent_is_told_what_was_meant(write: Write) -> None:
    """An area above 100% is refused with the pixels that were probably meant."""
    text = CLASSIC.replace('score_threshold = "5px"', 'score_threshold = "120%"')
    problem = _problems(write(_in("detection", text)))["detection.score_threshold"]
    assert "more than the whole picture" in problem
    assert 'did you mean "120px"' in problem


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("", {"min_contour_area", "score_threshold"}),
        ('min_contour_area = "500px"', {"score_threshold"}),
        ('score_threshold = "1%"', {"min_contour_area"}),
    ],
    ids=["neither", "one", "other"],
)
def test_classic_asks_for_the_areas_that_are_missing(write: Write, given: str, missing: set[str]) -> None:
    """The preset classic names each area that it needs and does not have."""
    problems = _problems(write(_in("detection", f'preset = "classic"\n{given}')))
    assert set(problems) == {f"detection.{key}" for key in missing}
    assert all("required" in problem and "classic" in problem for problem in problems.values())


def test_classic_for_one_camera_asks_for_its_areas(write: Write) -> None:
    """A camera that is set to classic without areas is told so under its own key."""
    problems = _problems(write(_in("camera.c21.detection", 'preset = "classic"')))
    assert set(problems) == {
        "camera.c21.detection.min_contour_area",
        "camera.c21.detection.score_threshold",
    }


@pytest.mark.parametrize("version", ["2", "0", "true", "1.0", '"1"'])
def test_only_version_1_is_read(write: Write, version: str) -> None:
    """Another version, or something that is no whole number, is refused."""
    assert set(_problems(write(LEAST.replace("version = 1", f"version = {version}")))) == {"version"}


def test_a_file_without_a_version_is_told_so(write: Write) -> None:
    """The version is required."""
    assert _problems(write(LEAST.replace("version = 1\n", ""))) == {"version": "is required"}


WRONG = [
    ("drop", "recursive = 1"),
    ("drop", 'recursive = "yes"'),
    ("drop", "include = []"),
    ("drop", 'include = [""]'),
    ("drop", "include = 5"),
    ("drop", 'settle_s = "2"'),
    ("drop", "settle_s = true"),
    ("drop", "settle_s = nan"),
    ("drop", "settle_s = -0.1"),
    ("drop", "settle_s = 3601"),
    ("drop", "sweep_s = 0"),
    ("drop", 'watch = "Poll"'),
    ("drop", "max_size = 64000000"),
    ("drop", "max_megapixels = 0"),
    ("drop", "max_megapixels = inf"),
    ("drop", 'camera_pattern = "(c[0-9]+)"'),
    ("drop", 'camera_pattern = "(?P<camera>c[0-9]+"'),
    ("drop", 'capture_time = "yesterday"'),
    ("drop", 'capture_time = ["mtime", "%Y-%Q"]'),
    ("drop", "capture_time = []"),
    ("results", 'min_free = "lots"'),
    ("state", 'folder = ""'),
    ("detection", 'preset = "modern"'),
    ("detection", "blur = 4"),
    ("detection", "blur = 5.0"),
    ("detection", "blur = 101"),
    ("detection", "blur = -1"),
    ("detection", "pixel_threshold = 255"),
    ("detection", "dilate = 51"),
    ("detection", "working_height = -1"),
    ("detection", "working_height = true"),
    ("detection", "lighting = 1"),
    ("detection", "noise_gain = 4.0"),
    ("detection", "border_mask = [0, 0, 0]"),
    ("detection", "border_mask = [0, 0, 0, 100]"),
    ("detection", "border_mask = [50, 0, 50, 0]"),
    ("detection", "border_mask = [0, 60, 0, 60]"),
    ("detection", "border_mask = 5"),
    ("detection", "ignore = 5"),
    ("log", 'level = "INFO"'),
    ("log", 'format = "xml"'),
]


@pytest.mark.parametrize(("table", "line"), WRONG, ids=[row[1] for row in WRONG])
def test_a_value_of_a_wrong_kind_or_out_of_bounds_is_refused(write: Write, table: str, line: str) -> None:
    """What a setting cannot be is a problem of that setting, and of no other."""
    (key,) = _problems(write(_in(table, line)))
    assert key.startswith(f"{table}.{line.partition(' = ')[0]}")


WORDS = [
    ("detection", "blur = 4", ["3", "5"]),
    ("detection", "border_mask = [50, 0, 50, 0]", ["whole picture", "50%"]),
    ("drop", 'camera_pattern = "(c[0-9]+)"', ["group named camera", "(?P<camera>"]),
    ("drop", 'camera_pattern = "(?P<camera>c"', ["not a regular expression"]),
    ("drop", 'capture_time = "%Y-%Q"', ["%Y-%Q", "epoch_ms"]),
    ("drop", 'watch = "pol"', ["inotify", "poll", "'pol'"]),
    ("drop", "max_size = 5", ["500MB"]),
    ("drop", "settle_s = true", ["a number", "not true"]),
    ("drop", "settle_s = -0.1", ["at least 0", "not -0.1"]),
    ("drop", "settle_s = 3601", ["at most 3600"]),
    ("drop", 'recursive = "yes"', ["true or false", "'yes'"]),
    ("drop", "include = []", ["must not be empty"]),
    ("drop", 'folder = ["a"]', ["a text in quotes", "not a list"]),
    ("drop", "rescan_s = 5", ["did you mean sweep_s?"]),
    ("drop", 'folder = "$HOME/r"', ["$HOME", "write the path itself"]),
    ("drop", 'folder = "${LOT}/r"', ["${LOT}"]),
    ("drop", 'folder = "~nobody-by-this-name/r"', ["~nobody-by-this-name"]),
    ("drop", 'after_kept = "keep"', ['"leave", "delete"', '"7d"', "'keep'"]),
    ("drop", 'after_kept = "archive after"', ['"archive after 7d"', "'archive after'"]),
    ("drop", 'after_dropped = "archive after 7d"', ['required by after_dropped = "archive after 7d"']),
    ("drop", "after_dropped = 7", ['"7d"', "not 7"]),
    ("drop", 'after_rejected = ["leave"]', ['"7d"', "not a list"]),
    ("detection", "border_mask = [0, 0, 0]", ["needs four numbers [left, top, right, bottom], not 3"]),
    ("detection", "border_mask = [0, 0, 0, 0, 0]", ["needs four numbers", "not 5"]),
    ("detection", 'preset = "modern"', ['"adaptive" or "classic"', "'modern'"]),
    ("detection", "ignore = [5]", ["[[detection.ignore]]", "not 5"]),
    ("metrics", 'listen = "9188"', ['":9188"']),
    ("metrics", 'textfile = "framegate.txt"', [".prom", "'framegate.txt'"]),
]


@pytest.mark.parametrize(("table", "line", "words"), WORDS, ids=[row[1] for row in WORDS])
def test_a_refusal_says_what_would_be_right(write: Write, table: str, line: str, words: list[str]) -> None:
    """The message of a fault holds what was wrong or what to write instead."""
    text = _in(table, line)
    if line.startswith("folder"):
        text = text.replace('folder = "drop"\n', "")
    (problem,) = _problems(write(text)).values()
    assert [word for word in words if word not in problem] == []


@pytest.mark.parametrize(
    "polygon", ["[[0, 0], [1, 1]]", "[[0, 0], [1, 0], [1, 2]]", "[[0, 0], [1, 0], [1]]", '"all"']
)
def test_a_polygon_has_three_corners_within_the_picture(write: Write, polygon: str) -> None:
    """An ignored area that is no polygon of fractions is refused by its name."""
    text = f'{LEAST}[[detection.ignore]]\nname = "clock"\npolygon = {polygon}\n'
    assert all(key.startswith("detection.ignore.clock.polygon") for key in _problems(write(text)))


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        ("[[0, 0], [1, 1]]", "needs at least 3 corners, has 2"),
        ("[[0, 0], [1, 0], [1]]", "needs two numbers [x, y], not 1"),
        ("[[0, 0], [1, 0], 5]", "needs two numbers [x, y], not 5"),
        ('"all"', "needs a list of corners [x, y], not 'all'"),
    ],
)
def test_a_polygon_that_is_none_is_told_what_is_missing(write: Write, polygon: str, words: str) -> None:
    """The words are about corners and numbers, as an operator thinks of a polygon."""
    text = f'{LEAST}[[detection.ignore]]\nname = "clock"\npolygon = {polygon}\n'
    assert list(_problems(write(text)).values()) == [words]


@pytest.mark.parametrize("name", ["drop", "results", "state", "detection", "camera", "log"])
def test_a_value_in_the_place_of_a_table_is_refused(write: Write, name: str) -> None:
    """Where a table belongs, a number is a problem, and the file is not taken for one without the table."""
    text = f'version = 1\n{name} = 5\n[drop]\nfolder = "a"\n[results]\nfolder = "b"\n'
    if f"[{name}]" in text:
        text = text.replace(f'[{name}]\nfolder = "a"\n', "").replace(f'[{name}]\nfolder = "b"\n', "")
    assert set(_problems(write(text))) == {name}


@pytest.mark.parametrize("line", ["camera = {c21 = 5}", "camera = {c21 = {detection = 5}}"])
def test_a_value_in_the_place_of_a_cameras_table_is_refused(write: Write, line: str) -> None:
    """A camera that is no table is a problem of that camera."""
    text = f"{line}\n{LEAST}[detection]\nmax_kept_per_hour = 3\n"
    (key,) = _problems(write(text))
    assert key.startswith("camera.c21")


def test_a_camera_has_the_general_settings_but_for_its_own(write: Write) -> None:
    """What a camera does not set it takes from [detection], and from there alone."""
    general = '[detection]\nmax_kept_per_hour = 7\nscore_threshold = "3x"\n'
    settings = load(write(f'{LEAST}{general}[camera.c21.detection]\nscore_threshold = "4x"\n')).settings
    c21, c22 = settings.detection_of("c21"), settings.detection_of("c22")
    assert (c21.max_kept_per_hour, str(c21.score_threshold)) == (7, "4x")
    assert (c22.max_kept_per_hour, str(c22.score_threshold)) == (7, "3x")


def test_a_camera_may_have_settings_without_general_ones(write: Write) -> None:
    """A camera's own settings stand over the defaults where there is no [detection]."""
    settings = load(write(_in("camera.c21.detection", "max_kept_per_hour = 9"))).settings
    assert settings.detection_of("c21") == DetectionSettings.preset("adaptive", max_kept_per_hour=9)


def test_a_general_fault_is_not_repeated_for_each_camera(write: Write) -> None:
    """A fault of [detection] is reported once, there, however many cameras inherit it."""
    text = "[detection]\nmax_kept_per_hour = 0\nblur = 5\n"
    text += "".join(f"[camera.c{number}.detection]\nkeep_every = '1h'\n" for number in (21, 22))
    assert set(_problems(write(LEAST + text))) == {"detection.max_kept_per_hour", "detection.blur"}


def test_a_cameras_fault_is_reported_under_its_own_key(write: Write) -> None:
    """A fault that a camera adds is that camera's, beside those of the general table."""
    text = "[detection]\nmax_kept_per_hour = 0\n[camera.c21.detection]\nkeep_every = 1\nkeep_evry = 1\n"
    assert set(_problems(write(LEAST + text))) == {
        "detection.max_kept_per_hour",
        "camera.c21.detection.keep_every",
        "camera.c21.detection.keep_evry",
    }


def test_a_camera_that_mends_a_general_fault_is_not_blamed(write: Write) -> None:
    """A camera that sets right what is wrong in general has no fault."""
    text = "[detection]\nmax_kept_per_hour = 0\n[camera.c21.detection]\nmax_kept_per_hour = 5\n"
    assert set(_problems(write(LEAST + text))) == {"detection.max_kept_per_hour"}


def test_relative_paths_are_relative_to_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path of the file starts in the file's folder, wherever the program runs."""
    text = (
        'version = 1\n[drop]\nfolder = "drop"\n[results]\nfolder = "../results"\n'
        '[state]\nfolder = "./state"\n[metrics]\ntextfile = "lot1.prom"\n'
        '[detection]\nmask_file = "mask.png"\n[camera.c21.detection]\nmask_file = "c21.png"\n'
    )
    file = write(text)
    monkeypatch.chdir(tmp_path)
    for path in (file, Path("etc/framegate.toml")):
        settings = load(path).settings
        assert settings.drop.folder == str(tmp_path / "etc/drop")
        assert settings.results.folder == str(tmp_path / "results")
        assert settings.state.folder == str(tmp_path / "etc/state")
        assert settings.metrics.textfile == str(tmp_path / "etc/lot1.prom")
        assert settings.detection.mask_file == str(tmp_path / "etc/mask.png")
        assert settings.detection_of("c21").mask_file == str(tmp_path / "etc/c21.png")
        assert settings.detection_of("c22").mask_file == str(tmp_path / "etc/mask.png")


def test_a_camera_named_by_its_address_may_have_a_mask(write: Write) -> None:
    """A camera whose name has dots in it is a camera like any other."""
    file = write(_in('camera."192.168.1.10".detection', 'mask_file = "gate.png"'))
    assert load(file).settings.detection_of("192.168.1.10").mask_file == str(file.parent / "gate.png")


def test_absolute_paths_and_home_are_kept(write: Write, home: Path) -> None:
    """An absolute path stays as it is, and ~ is the home folder."""
    file = write('version = 1\n[drop]\nfolder = "/srv/drop"\n[results]\nfolder = "~/results"\n')
    settings = load(file).settings
    assert settings.drop.folder == "/srv/drop"
    assert settings.results.folder == str(home / "results")


@pytest.mark.parametrize(
    ("table", "key"),
    [("drop", "folder"), ("drop", "archive"), ("results", "folder"), ("state", "folder")],
)
@pytest.mark.parametrize("url", ["s3://bucket/lot1", "https://example.org/x", "file:///srv/x"])
def test_a_url_is_no_folder(write: Write, table: str, key: str, url: str) -> None:
    """It is refused with its line: it would be a folder named `s3:` beside the config file."""
    tables = {"drop": {"folder": "/srv/drop"}, "results": {"folder": "/srv/results"}, "state": {}}
    tables[table][key] = url
    lines = ["version = 1"]
    for name, settings in tables.items():
        lines += [f"[{name}]", *(f"{name} = {value!r}" for name, value in settings.items())]
    with pytest.raises(ConfigError) as refusal:
        load(write("\n".join(lines)))
    (problem,) = refusal.value.problems
    assert (problem.key, problem.message.partition(" is a URL: write the path")[0]) == (f"{table}.{key}", url)
    assert problem.line is not None


def test_a_folder_of_the_command_line_is_taken_as_it_is() -> None:
    """What the shell has expanded is not expanded again: a folder may be named `$RECYCLE.BIN`."""
    config = load(None, {"drop.folder": Path("/mnt/$RECYCLE.BIN"), "results.folder": Path("/srv/r")})
    assert config.settings.drop.folder == "/mnt/$RECYCLE.BIN"
    assert settings_that_differ(config) == {}


def test_a_path_that_was_read_once_is_not_read_again(tmp_path: Path) -> None:
    """A folder of the config may have a $ in its own name: settings that are passed on stay as they are."""
    folder = tmp_path / "$lot"
    folder.mkdir()
    (folder / "c.toml").write_text(_in("detection", 'mask_file = "mask.png"'))
    detection = load(folder / "c.toml").settings.detection
    assert detection.mask_file == str(folder / "mask.png")
    passed_on = DetectionSettings.model_validate_json(detection.model_dump_json(by_alias=True))
    assert passed_on == detection


def test_a_port_alone_is_every_address(write: Write) -> None:
    """`":9188"` is served at every IPv4 address, as exporters do, and `config` shows it so."""
    config = load(write(_in("metrics", 'listen = ":9188"')))
    assert config.settings.metrics.listen == "0.0.0.0:9188"


def test_a_flag_goes_over_the_file(write: Write) -> None:
    """A value of the command line wins, and what it does not say stays the file's."""
    config = load(write(_in("detection", f"{CLASSIC}blur = 7\ndilate = 1")), {"detection.blur": 9})
    assert (config.settings.detection.blur, config.settings.detection.dilate) == (9, 1)


def test_flags_alone_are_a_config() -> None:
    """Without a file two folders on the command line are enough."""
    config = load(None, {"drop.folder": "/srv/drop", "results.folder": "/srv/results"})
    assert (config.settings.drop.folder, config.path) == ("/srv/drop", None)
    assert config.origin_of("drop.folder") == "flag"


def test_without_file_and_flags_the_missing_folders_are_named() -> None:
    """No config at all is told what it lacks."""
    assert _problems(None) == {"drop": "is required", "results": "is required"}


def test_a_flag_is_checked_like_the_file(write: Write) -> None:
    """A wrong value of the command line is a problem with its dotted key."""
    assert set(_problems(write(LEAST), {"detection.score_threshold": "200%"})) == {
        "detection.score_threshold"
    }


def _origins(config: Config, *keys: str) -> list[str]:
    return [config.origin_of(key) for key in keys]


def test_each_value_knows_where_it_came_from(write: Write) -> None:
    """A value is from a flag, from the file, or the default."""
    config = load(write(_in("detection", f"{CLASSIC}blur = 7\ndilate = 1")), {"detection.blur": 9})
    keys = ("detection.blur", "detection.dilate", "detection.pixel_threshold", "log.level", "drop.folder")
    assert _origins(config, *keys) == ["flag", "file", "default", "default", "file"]


def test_a_cameras_value_has_the_origin_it_was_inherited_from(write: Write) -> None:
    """A camera's own value is from the file, and an inherited one has the origin of the general one."""
    text = f"[detection]\n{CLASSIC}blur = 7\n[camera.c21.detection]\ndilate = 1\n"
    config = load(write(LEAST + text), {"detection.working_height": 240})
    keys = [f"camera.c21.detection.{key}" for key in ("dilate", "blur", "working_height", "pixel_threshold")]
    assert _origins(config, *keys) == ["file", "file", "flag", "default"]


def test_the_state_folder_is_the_files_before_the_environments(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state folder in the file wins over systemd's."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/framegate")
    config = load(write(_in("state", 'folder = "/srv/state"')))
    assert (config.settings.state.folder, config.origin_of("state.folder")) == ("/srv/state", "file")


@pytest.mark.parametrize("value", ["/var/lib/framegate/lot1", "/var/lib/framegate/lot1:/var/lib/other"])
def test_the_state_folder_is_systemds_under_systemd(
    write: Write, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Without one in the file it is $STATE_DIRECTORY, or the first of several."""
    monkeypatch.setenv("STATE_DIRECTORY", value)
    monkeypatch.setenv("XDG_STATE_HOME", "/elsewhere")
    config = load(write(LEAST))
    assert config.settings.state.folder == "/var/lib/framegate/lot1"
    assert config.origin_of("state.folder") == "$STATE_DIRECTORY"


def test_the_state_folder_is_the_users_else(
    write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without systemd it lies below $XDG_STATE_HOME, or below ~/.local/state."""
    at_home = load(write(LEAST)).settings.state.folder
    assert at_home is not None
    assert Path(at_home).parent == home / ".local/state/framegate"
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    moved = load(write(LEAST))
    assert moved.settings.state.folder == f"/xdg/framegate/{Path(at_home).name}"
    assert moved.origin_of("state.folder") == "default"


def test_every_drop_folder_has_a_state_folder_of_its_own() -> None:
    """Two lots whose drop folders have one name do not share a ledger, and a lot finds its own again."""
    folders = [
        load(None, {"drop.folder": drop, "results.folder": "/r"}).settings.state.folder
        for drop in ("/srv/lot1/drop", "/srv/lot2/drop", "/srv/lot1/drop")
    ]
    assert folders[0] == folders[2] != folders[1]


@pytest.mark.parametrize(
    ("text", "line"),
    [("version = \n", 1), ('version = 1\n[drop]\nfolder = "drop\n', 3), (LEAST + "[drop]\n", 6)],
)
def test_a_file_that_is_no_toml_is_told_the_line(write: Write, text: str, line: int) -> None:
    """A slip of TOML is reported with the number of its line, once, and its column."""
    with pytest.raises(ConfigError, match=rf"^line {line}: is not TOML: .* \(column \d+\)$") as refusal:
        load(write(text))
    assert str(refusal.value).count("line") == 1


def test_a_file_that_is_not_utf_8_is_told_the_byte(write: Write) -> None:
    """A file in another encoding is reported with the place of the first strange byte."""
    file = write("")
    file.write_bytes(LEAST.encode() + b"# gr\xfcn\n")
    assert _problems(file) == {"": f"is not UTF-8 (byte {len(LEAST) + 4})"}


@pytest.mark.parametrize(
    "name", ["", "missing.toml", "framegate.toml/deeper.toml"], ids=["folder", "missing", "deeper"]
)
def test_a_file_that_cannot_be_read_is_a_problem(write: Write, name: str) -> None:
    """A folder, a missing file, and a file in the place of a folder are refused with the system's words."""
    (problem,) = _problems(write(LEAST).parent / name).values()
    assert problem.startswith("cannot be read: ")


def test_a_file_with_a_byte_order_mark_is_read(write: Write) -> None:
    """A file saved by an editor that marks UTF-8 is the same file."""
    file = write("")
    file.write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    assert load(file).settings == load(write(LEAST)).settings


def test_a_file_with_line_ends_of_windows_is_read(write: Write) -> None:
    """A file edited on Windows is the same file."""
    file = write("")
    file.write_bytes(LEAST.replace("\n", "\r\n").encode())
    assert load(file).settings == load(write(LEAST)).settings


def test_every_beginning_of_a_file_is_refused_or_read(write: Write) -> None:
    """An editor's half-written file is a ConfigError with problems, or a config, wherever it stops."""
    whole = example_file().encode()
    file = write("")
    refused = 0
    for n in range(len(whole)):
        last_line = whole[:n].rpartition(b"\n")[2]
        if len(last_line) > 2 and last_line.startswith(b"#"):  # wherever a comment stops is alike
            continue
        file.write_bytes(whole[:n])
        try:
            load(file)
        except ConfigError as refusal:
            assert refusal.problems  # noqa: PT017 - there are thousands of them
            refused += 1
    assert 0 < refused < len(whole)


SETTINGS_KEYS = [
    f"{table}.{field.alias or name}"
    for table, of_settings in Settings.model_fields.items()
    if isinstance(of_settings.annotation, type) and issubclass(of_settings.annotation, BaseModel)
    for name, field in of_settings.annotation.model_fields.items()
]


NOT_FOR_OPERATORS = re.compile(
    r"tuple|\bdict|instance|validat|Input should|\bitems?\b|Value error|pydantic|object at"
    r"|\bNone\b|True|False|another kind"
)
"""Words of Python and pydantic."""


@pytest.mark.parametrize("key", [*SETTINGS_KEYS, "camera", "camera.c21", "camera.c21.detection", "version"])
def test_no_value_of_any_setting_breaks_the_loading(write: Write, key: str) -> None:
    """Whatever kind of value stands at a key, the file is loaded, or refused in words for an operator."""
    table, _, name = key.rpartition(".")
    values = [
        "true",
        "0",
        "-1",
        "99999999999999999999",
        "0.5",
        "nan",
        "-inf",
        '""',
        '"x"',
        "[]",
        "[[]]",
        "{}",
    ]
    values += ["2026-11-23", "12:00:00", '["a", 1, [2]]', "{a = {b = 1}}", "[0, 0, 0, 0]", "[nan, 0, 0, 0]"]
    values += [r'"\u0000"', '"%"', '"["', "[{}]", '{detection = "x"}', "[[0, 0], [1, 0], [1]]", "[0, 0, 0]"]
    values += ["[0, 0, 0, 0, 0]", '[{name = "x", polygon = [[0, 0], [1, 0]]}]', '"~"', '"$HOME"', "1e999"]
    loaded = 0
    for value in values:
        tables = {"drop": 'folder = "a"\n', "results": 'folder = "b"\n'}
        if name == "folder":
            tables.pop(table, None)
        text = f"{name} = {value}\n" if not table else ""
        text += "version = 1\n" if key != "version" else ""
        if table not in tables and table:
            tables[table] = ""
        for title, lines in tables.items():
            text += f"[{title}]\n{lines}" + (f"{name} = {value}\n" if title == table else "")
        try:
            load(write(text))
        except ConfigError as refusal:
            assert refusal.problems  # noqa: PT017 - each of the values
            said = [problem.message for problem in refusal.problems]
            assert [words for words in said if NOT_FOR_OPERATORS.search(words)] == []
        else:
            loaded += 1
    assert loaded < len(values)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{LEAST}x = {'[' * 5000}\n", id="nested-deeply"),
        pytest.param(LEAST.replace("1", "9" * 5000), id="number-of-5000-digits"),
        pytest.param(
            _in("drop", 'camera_pattern = "(?P<camera>a){99999999999999999999}"'), id="repeated-endlessly"
        ),
        pytest.param(_in("drop", f'camera_pattern = "{"(" * 3000}"'), id="groups-nested-deeply"),
        pytest.param(_in("results", f'min_free = "{"9" * 400}B"'), id="size-of-400-digits"),
    ],
)
def test_a_monstrous_value_is_a_problem_like_any_other(write: Write, text: str) -> None:
    """A value that breaks a parser is a problem of the config, and no crash at a live edit."""
    assert _problems(write(text))


def test_settings_cannot_be_changed(write: Write) -> None:
    """A snapshot stays what it was: no table and no setting of it can be set."""
    settings = load(write(LEAST)).settings
    for table, name, value in [
        (settings, "version", 2),
        (settings, "drop", None),
        (settings.drop, "folder", "/"),
        (settings.detection, "blur", 3),
        (settings.log, "level", "debug"),
    ]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(table, name, value)
    assert isinstance(settings.drop.include, tuple)
    assert isinstance(settings.detection.ignore, tuple)


def test_the_cameras_of_settings_cannot_be_changed(write: Write) -> None:
    """No camera's settings can be put into a snapshot."""
    settings = load(write(_in("camera.c21.detection", "blur = 3"))).settings
    with pytest.raises(TypeError):
        settings.camera["c21"] = settings.camera["c21"]  # type: ignore[index]


def test_a_single_pattern_needs_no_list(write: Write) -> None:
    """One pattern may stand alone where a list of them is allowed."""
    drop = load(write(_in("drop", 'include = "*.jpg"\ncapture_time = "epoch_ms"'))).settings.drop
    assert (drop.include, drop.capture_time) == (("*.jpg",), ("epoch_ms",))


def test_presets_are_made_in_one_line_too() -> None:
    """The library's own way to a preset checks what the file's way checks."""
    classic = DetectionSettings.preset("classic", min_contour_area="500px", score_threshold="5000px")
    assert (classic.working_height, classic.blur, classic.pixel_threshold, classic.dilate) == (0, 5, 45, 2)
    adaptive = DetectionSettings.preset("adaptive")
    assert (str(adaptive.min_contour_area), str(adaptive.score_threshold)) == ("0%", "2.3x")
    with pytest.raises(ValidationError, match="required by preset"):
        DetectionSettings.preset("classic")
    with pytest.raises(ValidationError, match="not used by preset"):
        DetectionSettings.preset("adaptive", blur=5)


def test_the_config_file_is_looked_for_in_order(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag's file, then $FRAMEGATE_CONFIG, then the user's, in $XDG_CONFIG_HOME before ~/.config."""
    for folder in (home / ".config/framegate", tmp_path / "xdg/framegate"):
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(LEAST)
    assert find_config(None) == home / ".config/framegate/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert find_config(None) == tmp_path / "xdg/framegate/config.toml"
    monkeypatch.setenv("FRAMEGATE_CONFIG", "/named/by/environment.toml")
    assert find_config(None) == Path("/named/by/environment.toml")
    assert find_config(Path("/named/by/flag.toml")) == Path("/named/by/flag.toml")


@pytest.mark.skipif(
    os.path.exists("/etc/framegate/config.toml"), reason="this machine has a config of its own"
)
def test_without_any_config_file_there_is_none(home: Path) -> None:
    """Where nobody wrote a config file, none is found, and the home folder stays as it was."""
    assert find_config(None) is None
    assert list(home.iterdir()) == []


def test_a_polygon_in_pixels_is_one_mistake_a_corner(write: Write) -> None:
    """Corners in pixels are told what a corner is, and nothing else is said of them."""
    problems = _problems(
        write(f'{LEAST}[[detection.ignore]]\nname = "clock"\npolygon = [[0, 0], [640, 0], [1, 1]]\n')
    )
    assert list(problems.values()) == ["corners are fractions of the picture, from 0 to 1, not 640"]


def test_a_number_in_quotes_is_told_so(write: Write) -> None:
    """A number with a unit, where none is meant, is told how to write it."""
    problems = _problems(write(LEAST.replace("[drop]\n", '[drop]\nsettle_s = "5s"\n')))
    assert problems["drop.settle_s"] == "write a number, without quotes or unit, not '5s'"


def test_nothing_is_no_limit(write: Write) -> None:
    """max_size = "0MB" would delete every result: it is refused."""
    problems = _problems(write(LEAST.replace("[results]\n", '[results]\nmax_size = "0MB"\n')))
    assert "results.max_size" in problems

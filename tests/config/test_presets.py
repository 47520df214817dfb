"""What each preset of [detection] takes, what it refuses, and what a camera with another one inherits."""

from pathlib import Path
from typing import Any

import pytest

from framegate.config.detection import DetectionSettings, classic_only
from framegate.config.docs import effective_values
from framegate.config.load import Config, parse
from framegate.errors import ConfigError, Problem

HEAD = 'version = 1\n[drop]\nfolder = "/d"\n[results]\nfolder = "/r"\n'
ADAPTIVE = "[detection]\n"
CLASSIC = '[detection]\npreset = "classic"\nmin_contour_area = "500px"\nscore_threshold = "2%"\n'
ZONE = '[[detection.zone]]\nname = "{0}"\npolygon = [[0, 0], [1, 0], [1, 1]]\n'


def loaded(text: str) -> Config:
    return parse(Path("/etc/site.toml"), (HEAD + text).encode())


def refused(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as refusal:
        loaded(text)
    return refusal.value.problems


def line_of(text: str, beginning: str) -> int:
    """Return the line that begins so."""
    return next(n for n, line in enumerate((HEAD + text).split("\n"), 1) if line.startswith(beginning))


def test_a_file_without_a_preset_is_adaptive_at_its_usual_threshold() -> None:
    """The default is adaptive at 2.3 times the usual change, and nothing is too small."""
    detection = loaded("").settings.detection
    assert (detection.preset_name, str(detection.score_threshold)) == ("adaptive", "2.3x")
    assert str(detection.min_contour_area) == "0%"


@pytest.mark.parametrize(
    ("table", "value", "words"),
    [
        (ADAPTIVE, "5", ['"5x"', "times the usual change"]),
        (ADAPTIVE, "0.2", ['"0.2x"']),
        (ADAPTIVE, '"0.2%"', ['preset = "adaptive" takes "2.3x"', "not '0.2%'"]),
        (ADAPTIVE, '"5000px"', ['preset = "adaptive" takes "2.3x"']),
        (ADAPTIVE, '"two"', ['write "2.3x"']),
        (ADAPTIVE, '"0x"', ["more than 0x"]),
        (ADAPTIVE, '"1000.5x"', ["at most 1000x"]),
        (ADAPTIVE, "true", ['write "2.3x"', "not true"]),
        (CLASSIC, '"2x"', ['preset = "classic" takes "2%"', '"50000px"', "not '2x'"]),
        (CLASSIC, "5", ['"5%"', '"5px"']),
        (CLASSIC, '"two"', ['"0.2%"', '"5000px"']),
    ],
)
def test_a_threshold_in_the_others_units_says_what_this_preset_takes(
    table: str, value: str, words: list[str]
) -> None:
    """A bare number, a unit of the other preset and nonsense are refused with this preset's spellings."""
    text = table.replace('score_threshold = "2%"\n', "") + f"score_threshold = {value}\n"
    (problem,) = refused(text)
    assert (problem.key, problem.line) == ("detection.score_threshold", line_of(text, "score_threshold"))
    assert [word for word in words if word not in problem.message] == []


@pytest.mark.parametrize("key", sorted(classic_only()))
def test_what_only_classic_uses_is_refused_with_adaptive(key: str) -> None:
    """A setting without effect is an error, at its line; with classic it is read."""
    (problem,) = refused(f"{ADAPTIVE}keep_every = '1h'\n{key} = 3\n")
    assert (problem.key, problem.line) == (f"detection.{key}", 8)
    assert "not used by" in problem.message
    assert getattr(loaded(f"{CLASSIC}{key} = 3\n").settings.detection, key) == 3


def test_settings_that_are_not_used_are_all_reported_at_once() -> None:
    """All faults of a table are named together, whichever kind they are."""
    text = f"{ADAPTIVE}blur = 3\ndilate = 1\nscore_threshold = 2\nlighting = 'off'\nkeep_every = 1\n"
    assert [(problem.key, problem.line) for problem in refused(text)] == [
        ("detection.blur", 7),
        ("detection.dilate", 8),
        ("detection.score_threshold", 9),
        ("detection.lighting", 10),
        ("detection.keep_every", 11),
    ]


@pytest.mark.parametrize("line", ['lighting = "global"', "noise_gain = 4.0"])
@pytest.mark.parametrize("table", [ADAPTIVE, CLASSIC, "[camera.c1.detection]\n"])
def test_a_setting_that_is_gone_says_what_to_do(table: str, line: str) -> None:
    """A setting of an older version is told that it is gone, and that the line can be removed."""
    (problem,) = refused(f"{table}{line}\n")
    assert problem.key.endswith(line.partition(" ")[0])
    assert problem.message.startswith("is gone")
    assert problem.message.endswith("remove the line")


def test_a_camera_may_have_a_preset_of_its_own() -> None:
    """It takes over what means the same for both presets, and neither thresholds nor what it does not use."""
    general = '[detection]\nscore_threshold = "3x"\nmin_contour_area = "1%"\nmax_kept_per_hour = 9\n'
    own = '[camera.c1.detection]\npreset = "classic"\nmin_contour_area = "5px"\nscore_threshold = "6px"\n'
    camera = loaded(general + own).settings.detection_of("c1")
    assert (str(camera.score_threshold), str(camera.min_contour_area)) == ("6px", "5px")
    assert camera.max_kept_per_hour == 9
    (problem,) = refused(general + own.replace('score_threshold = "6px"\n', ""))
    assert problem.key == "camera.c1.detection.score_threshold"
    assert 'required by preset = "classic"' in problem.message


def test_an_adaptive_camera_under_classic_starts_from_the_defaults() -> None:
    """Nothing of classic reaches it: no threshold, no area, no blur, no zone."""
    general = f"{CLASSIC}blur = 7\nborder_mask = [1, 2, 3, 4]\n{ZONE.format('gate')}score_threshold = '1%'\n"
    config = loaded(general + '[camera.c1.detection]\npreset = "adaptive"\n')
    expected = DetectionSettings.preset("adaptive", border_mask=[1, 2, 3, 4])
    assert config.settings.detection_of("c1") == expected
    origins = {key: origin for key, _, origin in effective_values(config)}
    assert origins["camera.c1.detection.border_mask"] == "file"
    assert origins["camera.c1.detection.score_threshold"] == "default"


def test_a_camera_of_the_same_preset_inherits_everything() -> None:
    """A camera that names the preset that is in force anyway is no exception."""
    general = '[detection]\nscore_threshold = "3x"\n' + ZONE.format("gate")
    camera = loaded(general + '[camera.c1.detection]\npreset = "adaptive"\n').settings.detection_of("c1")
    assert (str(camera.score_threshold), [zone.name for zone in camera.zone]) == ("3x", ["gate"])


def test_a_camera_is_refused_what_its_own_preset_does_not_use() -> None:
    """The error is at the camera's line, whatever the general table says."""
    text = f"{CLASSIC}blur = 7\n[camera.c1.detection]\npreset = 'adaptive'\nblur = 9\n"
    (problem,) = refused(text)
    assert (problem.key, problem.line) == ("camera.c1.detection.blur", line_of(text, "blur = 9"))


def test_only_what_is_used_is_shown_and_passed_on() -> None:
    """Settings in force are those of the preset; what another process is given, it can read again."""
    adaptive, classic = loaded("").settings.detection, loaded(CLASSIC + "blur = 7\n").settings.detection
    for detection, is_shown in ((adaptive, False), (classic, True)):
        text = detection.model_dump_json(by_alias=True)
        assert all((f'"{key}"' in text) == is_shown for key in classic_only())
        assert DetectionSettings.model_validate_json(text) == detection


def test_a_zone_has_thresholds_of_its_own() -> None:
    """What a zone sets is read in its preset's units; what it does not set is None."""
    text = ZONE.format("gate") + 'score_threshold = "1.8x"\nmin_contour_area = "0.1%"\n' + ZONE.format("road")
    gate, road = loaded(text).settings.detection.zone
    assert (gate.name, str(gate.score_threshold), str(gate.min_contour_area)) == ("gate", "1.8x", "0.1%")
    assert (road.name, road.score_threshold, road.min_contour_area) == ("road", None, None)
    detection = loaded(text).settings.detection
    assert DetectionSettings.model_validate_json(detection.model_dump_json(by_alias=True)) == detection


ZONE_FAULTS: list[tuple[str, str, str, str]] = [
    ("", 'score_threshold = "1%"', "score_threshold", 'preset = "adaptive" takes "2.3x"'),
    ("", "score_threshold = 2", "score_threshold", '"2x"'),
    (CLASSIC, 'score_threshold = "2x"', "score_threshold", 'preset = "classic" takes "2%"'),
    ("", "min_contour_area = 5", "min_contour_area", '"5px"'),
    ("", "blur = 5", "blur", "unknown key"),
]


@pytest.mark.parametrize(("table", "line", "key", "words"), ZONE_FAULTS)
def test_a_fault_in_a_zone_is_told_at_its_line(table: str, line: str, key: str, words: str) -> None:
    """The second zone's fault is the second zone's, with the spellings of the preset."""
    text = f"{table}{ZONE.format('gate')}{ZONE.format('road')}{line}\n"
    (problem,) = refused(text)
    assert (problem.key, problem.line) == (f"detection.zone.road.{key}", len((HEAD + text).splitlines()))
    assert words in problem.message


def test_two_zones_of_one_name_are_refused() -> None:
    """A verdict names its zone, so each has a name of its own; so it is for a camera."""
    for table in ("detection", "camera.c1.detection"):
        text = (ZONE.format("gate") * 2).replace("[[detection.", f"[[{table}.")
        (problem,) = refused(text)
        assert problem.key == f"{table}.zone"
        assert "2 zones are named 'gate'" in problem.message
        assert problem.line is not None


@pytest.mark.parametrize("wrong", ["zone = 5", "zone = [5]", "zone = [{}]", "zone = {name = 'x'}"])
def test_what_is_no_zone_is_refused(wrong: str) -> None:
    """Whatever stands in the place of zones, the problem is told."""
    assert all(problem.key.startswith("detection.zone") for problem in refused(f"{ADAPTIVE}{wrong}\n"))


def test_a_preset_that_does_not_exist_hides_no_other_fault() -> None:
    """Without a known preset, values are judged as far as that is possible."""
    problems: dict[str, Any] = {
        p.key: p.message for p in refused('[detection]\npreset = "x"\nscore_threshold = 5\nblur = 4\n')
    }
    assert set(problems) == {"detection.preset", "detection.score_threshold", "detection.blur"}

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import forked
from conftest import REPOSITORY
from framegate.cli.app import app
from framegate.commands.demo.scene import Lot
from running import Site, running

MINIMAL = "version = 1\n[drop]\nfolder = 'd'\n[results]\nfolder = 'r'\n[state]\nfolder = 's'\n"


POWERLESS = """
from framegate.cli import main
from troubles import powerless

with powerless():
    main()
"""


def as_nobody_special(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a command that has no rights over other users' files, also as root."""
    done = forked.python(POWERLESS, *arguments)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "surrogateescape")
    )


def framegate(*arguments: object, code: int = 0, **env: str) -> "subprocess.CompletedProcess[str]":
    done = forked.framegate(*arguments, env=env)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two frames; between them a car has parked."""
    lot = Lot(width=480, height=270)
    (tmp_path / "a.jpg").write_bytes(lot.jpeg())
    lot.parked[2] = 5
    (tmp_path / "b.jpg").write_bytes(lot.jpeg())
    return tmp_path / "a.jpg", tmp_path / "b.jpg"


def test_every_command_is_in_the_readme_and_has_help() -> None:
    """No command exists that the README does not name, and each says what it does."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        assert f"`framegate {name}" in readme
        assert command.callback.__doc__


def test_the_version_is_printed() -> None:
    """--version prints the installed version, in an interpreter of its own."""
    command = [sys.executable, "-m", "framegate", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert re.fullmatch(r"framegate \d+\.\d+\.\d+\n", done.stdout)


def test_help_needs_no_heavy_import() -> None:
    """--help imports neither cv2 nor pydantic's models: it answers at once."""
    script = "import sys, framegate.cli; print([m for m in ('cv2', 'numpy', 'watchdog') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "[]"


def test_explain_says_which_numbers_were_compared(pair: tuple[Path, Path]) -> None:
    """Explain names the verdict, the score, the threshold, the place that decided, and each region."""
    words = framegate("explain", *pair).stdout
    assert words.startswith("kept: changed")
    assert re.search(r"score \d+(\.\d+)?x > threshold 2\.3x\n", words)
    assert re.search(r"where it changed most: at x \d+, y \d+, \d+ x \d+ of 480x270\n", words)
    assert re.search(r"px  at x \d+, y \d+, \d+ x \d+\n", words)


def test_explain_says_what_classic_adds_up(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """With classic the sum of the regions is shown beside the share of the picture, with the same sign."""
    config = tmp_path / "site.toml"
    config.write_text(
        f"version = 1\n[drop]\nfolder = '{tmp_path}'\n[results]\nfolder = '{tmp_path}'\n"
        "[detection]\npreset = 'classic'\nmin_contour_area = '20px'\nscore_threshold = '0.2%'\n"
    )
    words = framegate("explain", *pair, "-c", config).stdout
    assert re.search(r"score \d+\.\d+% > threshold 0\.2%\n", words)
    assert re.search(r"changed: \d+\.\dpx > 259\.2px of 129600px\n", words)
    words = framegate("explain", pair[0], pair[0], "-c", config).stdout
    assert "score 0% <= threshold 0.2%\n" in words
    assert "changed: 0.0px <= 259.2px of 129600px\n" in words


def test_explain_writes_the_sign_of_a_dropped_frame(pair: tuple[Path, Path]) -> None:
    """A frame is dropped because its score is not above the threshold: the sign says so."""
    words = framegate("explain", pair[0], pair[0]).stdout
    assert words.startswith("dropped: unchanged")
    assert "x <= threshold 2.3x\n" in words
    assert ">" not in words


def test_explain_takes_as_large_a_picture_as_the_daemon(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """``max_megapixels`` of the config is the limit of explain, too."""
    for limit, code in ((0.12, 1), (0.13, 0)):
        config = tmp_path / "site.toml"
        config.write_text(
            f"version = 1\n[drop]\nfolder = '{tmp_path}'\nmax_megapixels = {limit}\n"
            f"[results]\nfolder = '{tmp_path}'\n"
        )
        done = framegate("explain", *pair, "-c", config, code=code)
        assert ("too_large" in done.stderr) == bool(code)


def test_explain_prints_json_for_scripts(pair: tuple[Path, Path]) -> None:
    """Explain --json has the promised keys, and regions whose areas sum to the score."""
    found = json.loads(framegate("explain", *pair, "--json").stdout)
    assert next(iter(found)) == "schema"
    assert {"score", "changed_px", "threshold", "verdict", "regions"} <= set(found)
    assert found["changed_px"] == sum(region["area_px"] for region in found["regions"]) > 0
    assert found["verdict"] == "kept"


def test_explain_of_a_frame_with_itself_is_unchanged(pair: tuple[Path, Path]) -> None:
    """A frame does not differ from itself."""
    found = json.loads(framegate("explain", pair[0], pair[0], "--json").stdout)
    assert (found["verdict"], found["changed_px"], found["regions"]) == ("dropped", 0, [])


def test_explain_draws_an_overlay(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """--overlay writes a PNG, the frame beside the thresholded picture, outlined in the same places."""
    import cv2

    framegate("explain", *pair, "--overlay", tmp_path / "o.png")
    picture = cv2.imread(str(tmp_path / "o.png"))
    assert picture is not None
    height, width = picture.shape[:2]
    half = (width - 8) // 2
    is_red = (picture[..., 2] > 200) & (picture[..., 1] < 100)
    assert is_red[:, :half].sum() > 100
    assert (is_red[:, :half] == is_red[:, width - half :]).mean() > 0.99
    assert height >= 270


def test_explain_of_no_picture_is_one_sentence(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A file that is no frame is named with the reason, exit code 1, no traceback."""
    (tmp_path / "c.jpg").write_bytes(b"text")
    done = framegate("explain", pair[0], tmp_path / "c.jpg", code=1)
    assert "c.jpg: undecodable" in done.stderr
    assert "Traceback" not in done.stderr


def test_config_shows_values_and_their_origin(tmp_path: Path) -> None:
    """Config prints every setting in force with where it came from, and as JSON for scripts."""
    (tmp_path / "c.toml").write_text(
        "version = 1\n[drop]\nfolder = 'd'\n[results]\nfolder = 'r'\n[detection]\npreset = 'classic'\n"
        "min_contour_area = '500px'\nscore_threshold = '5000px'\n"
    )
    words = framegate("config", "-c", tmp_path / "c.toml").stdout
    assert re.search(rf'drop\.folder = "{re.escape(str(tmp_path))}/d" +# file', words)
    assert re.search(r"detection\.pixel_threshold = 45 +# default", words)
    assert re.search(r"drop\.settle_s = 2\.0 +# default", words)
    found = json.loads(framegate("config", "-c", tmp_path / "c.toml", "--json").stdout)
    assert found["settings"]["detection.score_threshold"] == {"value": "5000px", "origin": "file"}


def test_a_bad_config_shows_every_problem_and_exits_78(tmp_path: Path) -> None:
    """run, check and config refuse a bad file with all its problems, each on a line with its key."""
    (tmp_path / "c.toml").write_text(
        "version = 1\n[drop]\nfolder = 'd'\nsetle_s = 1\n[detection]\nscore_threshold = 5\n"
    )
    for command in ("run", "check", "config"):
        lines = framegate(command, "-c", tmp_path / "c.toml", code=78).stderr.splitlines()
        assert len(lines) == 3
        assert all(line.startswith(f"{tmp_path}/c.toml: ") for line in lines)
        assert any("drop.setle_s: unknown key (did you mean settle_s?)" in line for line in lines)
        assert any("results: is required" in line for line in lines)
        assert any('"5x"' in line for line in lines)


def test_a_url_is_no_folder_of_run(tmp_path: Path) -> None:
    """It is refused as a wrong option, in one sentence."""
    done = framegate("run", "--drop", tmp_path, "--results", "s3://bucket/lot1", code=2)
    assert done.stderr.splitlines()[-1].startswith("Error: Invalid value: s3://bucket/lot1: give a folder of")


def test_run_needs_no_config_file(tmp_path: Path) -> None:
    """--drop and --results are enough; without them, run says what is required."""
    nowhere = {"FRAMEGATE_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path)}
    if Path("/etc/framegate/config.toml").exists():
        pytest.skip("this machine has a framegate of its own")
    for command, instead in (
        ("run", "--drop DIR --results DIR"),
        ("status", "--drop DIR"),
        ("check", ""),
        ("config", ""),
    ):
        (line,) = framegate(command, code=78, **nowhere).stderr.splitlines()
        for words in ("no config found", str(tmp_path), "/etc/framegate/config.toml", "-c FILE", "--minimal"):
            assert words in line
        assert instead in line
        assert ("--drop" in line) == bool(instead)
    assert "--results DIR" in framegate("run", "--drop", tmp_path, code=78, **nowhere).stderr


def test_a_config_that_may_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    """A config without permission is a fault of the config, 78, not of the usage."""
    config = tmp_path / "c.toml"
    config.write_text(MINIMAL)
    config.chmod(0)
    for command in ("run", "check", "config", "status"):
        done = as_nobody_special(command, "-c", config)
        assert (done.returncode, done.stderr) == (78, f"{config}: cannot be read: Permission denied\n")


@pytest.mark.parametrize(
    "command", ["run", "scan", "explain", "replay", "suggest", "check", "config", "status", "demo"]
)
def test_help_begins_with_an_example_and_fits_a_terminal(command: str) -> None:
    """Help shows how the command is called, no types of flags, and where there is more, in 80 columns."""
    words = framegate(command, "--help", COLUMNS="80").stdout
    lines = words.splitlines()
    assert words.split("\n\n")[1].startswith(f"  $ framegate {command}")
    assert lines[-1] == "  More: https://github.com/framegate/framegate#readme"
    assert max(map(len, lines)) <= 80
    assert "bool" not in words


def test_the_usage_of_scan_shows_what_goes_together() -> None:
    """The two numbers are optional, together."""
    usage = framegate("scan", "--help").stdout.partition("\n\n")[0].split()
    assert " ".join(usage).endswith("framegate scan [IN OUT [MIN_CONTOUR_AREA SCORE_THRESHOLD]] [OPTIONS]")


def test_a_config_to_begin_with_can_be_written(tmp_path: Path) -> None:
    """--example --minimal is a config of a few lines, which the program reads."""
    words = framegate("config", "--example", "--minimal").stdout
    assert len(words.splitlines()) < 12
    (tmp_path / "c.toml").write_text(words)
    assert '"/srv/cameras/lot1/drop"' in framegate("config", "-c", tmp_path / "c.toml").stdout


def test_status_shows_the_results_of_the_config_whatever_the_drop_folder(site: Site) -> None:
    """--drop stands in for the drop folder alone: the free space is that of the config's results (B13)."""
    with running(site):
        pass
    site.results.rmdir()
    done = framegate("status", "-c", site.config, "--drop", site.drop, "--json")
    assert json.loads(done.stdout)["results_free_bytes"] is None


def test_scan_reads_the_config_that_the_others_read(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    """Without -c a scan judges by $FRAMEGATE_CONFIG, as the help says."""
    (tmp_path / "c.toml").write_text("version = 1\n[detection]\nscore_threshold = '90x'\n")
    out = tmp_path.with_name(f"{tmp_path.name}-out")
    for config, kept in (("", 2), (str(tmp_path / "c.toml"), 1)):
        done = framegate("scan", pair[0].parent, out, "-n", "--json", FRAMEGATE_CONFIG=config)
        assert json.loads(done.stdout)["kept"] == kept
    assert not out.exists()


def test_scan_says_which_folder_it_could_not_list(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    """A folder without permission is no empty folder: a scan and a check name it."""
    closed = tmp_path / "in" / "night"
    closed.mkdir(parents=True, mode=0o700)
    (tmp_path / "in" / "a.jpg").write_bytes(pair[0].read_bytes())
    closed.chmod(0)
    (tmp_path / "c.toml").write_text("version = 1\n[drop]\nfolder = 'in'\n[results]\nfolder = 'r'\n")
    scan = as_nobody_special("scan", tmp_path / "in", tmp_path / "out")
    assert "'night' may not be listed: Permission denied" in scan.stderr
    check = as_nobody_special("check", "-c", tmp_path / "c.toml")
    assert re.search(r"warning +drop.folder +\S*/night may not be listed", check.stdout)


def test_a_table_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """--stats into a folder that is not there is an error in words."""
    (tmp_path / "in").mkdir()
    done = framegate("scan", tmp_path / "in", tmp_path / "out", "--stats", tmp_path / "no" / "s.csv", code=1)
    assert done.stderr.strip().endswith("s.csv: No such file or directory")


def test_explain_waits_for_nobody(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    """A FIFO is no frame, and is not opened."""
    os.mkfifo(tmp_path / "f.jpg")
    assert "not a regular file" in framegate("explain", pair[0], tmp_path / "f.jpg", code=1).stderr


def test_explain_knows_the_cameras(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    """A camera that the config does not have is a wrong word, and the right ones are said."""
    (tmp_path / "c.toml").write_text("version = 1\n[camera.c21.detection]\nscore_threshold = '90x'\n")
    config = ("-c", tmp_path / "c.toml")
    assert "c21" in framegate("explain", *pair, *config, "--camera", "c211", code=2).stderr
    assert framegate("explain", *pair, *config, "--camera", "c21").stdout.startswith("dropped")


def test_check_tells_of_cameras_that_no_frame_has(tmp_path: Path) -> None:
    """A table for a camera that no pattern finds has no effect, and check says so."""
    (tmp_path / "d").mkdir()
    (tmp_path / "c.toml").write_text(
        "version = 1\n[drop]\nfolder = 'd'\n[results]\nfolder = 'r'\n[camera.c1.detection]\nignore = []\n"
    )
    assert "camera.c1" in framegate("check", "-c", tmp_path / "c.toml").stdout


def test_check_passes_on_sound_folders(tmp_path: Path) -> None:
    """Check finds nothing to object to where the daemon could start, and changes nothing."""
    (tmp_path / "d").mkdir()
    (tmp_path / "c.toml").write_text(
        "version = 1\n[drop]\nfolder = 'd'\n[results]\nfolder = 'r'\n[state]\nfolder = 's'\n"
    )
    found = json.loads(framegate("check", "-c", tmp_path / "c.toml", "--json").stdout)["findings"]
    assert {finding["grade"] for finding in found} <= {"ok", "warning"}
    assert {finding["key"] for finding in found} >= {
        "drop.folder",
        "results.folder",
        "state.folder",
        "drop.watch",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.toml", "d"]


OVERLAPS = {
    "results in drop": ("d", "d/r"),
    "drop in results": ("r/d", "r"),
    "through a link": ("d", "link/r"),
}


@pytest.mark.parametrize(("drop", "results"), OVERLAPS.values(), ids=OVERLAPS.keys())
def test_check_refuses_folders_that_overlap(tmp_path: Path, drop: str, results: str) -> None:
    """Drop and results may not be inside each other, under whatever name."""
    (tmp_path / drop).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "d")
    (tmp_path / "c.toml").write_text(
        f"version = 1\n[drop]\nfolder = '{drop}'\n[results]\nfolder = '{results}'\n[state]\nfolder = 's'\n"
    )
    assert "is inside" in framegate("check", "-c", tmp_path / "c.toml", code=78).stdout


def test_check_names_a_missing_drop_folder_and_mask(tmp_path: Path) -> None:
    """A mask has to be there; a drop folder may come later, and check says that it is waited for."""
    (tmp_path / "c.toml").write_text(
        "version = 1\n[drop]\nfolder = 'd'\n[results]\nfolder = 'r'\n[detection]\nmask_file = 'm.png'\n"
    )
    words = framegate("check", "-c", tmp_path / "c.toml", code=78).stdout
    assert re.search(r"warning +drop\.folder +.*/d does not exist: the daemon waits until it does", words)
    assert re.search(r"error +detection\.mask_file +.*/m\.png cannot be read", words)


@pytest.mark.slow
def test_the_demo_shows_every_verdict() -> None:
    """The demo ends by itself, prints plain lines off a terminal, and says where the kept frames are."""
    done = subprocess.run(
        [sys.executable, "-m", "framegate", "demo"], capture_output=True, text=True, timeout=120, check=True
    )
    assert "\x1b" not in done.stdout
    for verdict in ("kept: first", "kept: changed", "dropped: unchanged", "rejected: truncated"):
        assert verdict in done.stdout
    (home,) = re.findall(r"rm -r (\S+)", done.stdout)
    kept = sorted(path.name for path in Path(home, "results").iterdir())
    assert len(kept) == done.stdout.count("kept: ")
    subprocess.run(["rm", "-r", home], check=True)

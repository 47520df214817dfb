import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import forked
from framegate.commands.replay.found import time_ns_of
from framegate.errors import EXIT_CONFIG, EXIT_FAILED, EXIT_USAGE
from framegate.model import Reason
from replays import START_S, Decided, draw_frames, kept, name_of, scanned, settings_for

NEW = 'score_threshold = "12x"\nkeep_every = "3m"'
PATTERN = "camera_pattern = '^(?P<camera>c[0-9])'"


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay") / "frames"
    draw_frames(folder)
    return folder


def config(folder: Path, name: str, detection: str = "", drop: str = PATTERN) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(
        "version = 1\n[drop]\nfolder = '/nowhere/drop'\n"
        f"{drop}\n[results]\nfolder = '/nowhere/results'\n[detection]\n{detection}\n"
    )
    return path


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Run a replay with a cache of its own."""

    def framegate(*arguments: object, code: int = 0) -> "subprocess.CompletedProcess[str]":
        env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TZ": "UTC"}
        done = forked.framegate("replay", *arguments, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return framegate


@pytest.fixture(scope="module")
def scans(frames: Path) -> tuple[Decided, Decided]:
    return scanned(settings_for(frames)), scanned(settings_for(frames, NEW))


def test_json_has_both_sides_and_what_is_gained_and_lost(
    frames: Path, tmp_path: Path, run: Any, scans: tuple[Decided, Decided]
) -> None:
    """Counts, reasons, days and bytes are those of two scans, and each change names both references."""
    old, new = config(tmp_path, "old"), config(tmp_path, "new", NEW)
    for _ in ("computed", "remembered"):
        told = json.loads(run(frames, "-c", new, "--against", old, "--json").stdout)
        assert (told["schema"], told["exact"], told["why_not_exact"], told["frames"]) == (1, True, [], 72)
        assert (told["from"], told["to"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:28:54.000Z")
        for side, decided, path in zip(("old", "new"), scans, (old, new), strict=True):
            assert told[side]["config"] == str(path)
            for camera, counts in told[side]["cameras"].items():
                of = {name: values for name, values in decided.items() if name.startswith(camera)}
                assert counts["kept"] == len(kept(of))
                assert counts["kept_bytes"] == sum((frames / name).stat().st_size for name in kept(of))
                assert sum(counts["reasons"].values()) == counts["frames"] == len(of) == 24
                assert counts["by_day"] == {"2023-11-14": [24, counts["kept"]]}
        before, after = map(kept, scans)
        assert told["gained"]
        assert told["gained"] == sorted(after - before)
        assert told["lost"] == sorted(before - after)
        for change in told["changes"]:
            for side, decided in zip(("old", "new"), scans, strict=True):
                reason, score, threshold, unit, _, reference, _ = decided[change["frame"]]
                numbers = {"score": score, "threshold": threshold, "reference": reference}
                assert change[side]["verdict"] == Reason(reason).verdict
                assert change[side].items() >= {"reason": reason, **numbers}.items()
                assert change[side]["unit"] == (unit or "x")
    assert (tmp_path / "cache" / "framegate" / "replay.sqlite").exists()


def test_the_table_and_the_list_are_for_people(frames: Path, tmp_path: Path, run: Any) -> None:
    """A line for each camera, the first ten changes with the numbers of both sides, and all with --list."""
    old, new = config(tmp_path, "old"), config(tmp_path, "new", NEW)
    arguments = frames, "-c", new, "--against", old
    lines = run(*arguments).stdout.splitlines()
    assert lines[0].split("  ")[0] == "camera"
    assert [line.split()[0] for line in lines[1:4]] == ["c0", "c1", "c2"]
    assert "exact: as a scan of these frames would decide" in lines
    changes = [line for line in lines if line.startswith(("gained ", "lost "))]
    assert len(changes) == 10
    assert all("; was " in line and ", after c" in line for line in changes)
    assert lines[-1].startswith("...    --list shows all ")
    every = run(*arguments, "--list").stdout.splitlines()
    assert len([line for line in every if line.startswith(("gained ", "lost "))]) > 10
    assert "--list" not in every[-1]


def test_without_an_older_config_it_says_what_is_kept_now(frames: Path, tmp_path: Path, run: Any) -> None:
    """One side, nothing gained or lost, and no cache where none is wanted."""
    told = json.loads(run(frames, "-c", config(tmp_path, "new"), "--json", "--no-cache").stdout)
    assert (told["old"], told["gained"], told["lost"]) == (None, [], [])
    assert set(told["new"]["cameras"]) == {"c0", "c1", "c2"}
    assert not (tmp_path / "cache").exists()


def test_a_camera_and_a_time_choose_what_is_shown_and_change_nothing(
    frames: Path, tmp_path: Path, run: Any, scans: tuple[Decided, Decided]
) -> None:
    """What is kept from a time on is what the whole folder's scan keeps there."""
    path = config(tmp_path, "new")
    chosen = "--camera", "c1", "--from", "2023-11-14T22:20", "--to", "2023-11-14T22:25"
    told = json.loads(run(frames, "-c", path, *chosen, "--json").stdout)
    times = range(START_S + 400, START_S + 700)
    inside = {name_of(1, number) for number in range(24) if START_S + 40 * number + 7 in times}
    assert told["frames"] == len(inside) == told["new"]["cameras"]["c1"]["frames"]
    assert told["new"]["cameras"]["c1"]["kept"] == len(kept(scans[0]) & inside)
    assert json.loads(run(frames, "-c", path, "--to", "2023-11-14", "--json").stdout)["frames"] == 72
    assert "no frame of camera c7" in run(frames, "-c", path, "--camera", "c7", code=EXIT_USAGE).stderr
    assert "of that time" in run(frames, "-c", path, "--from", "2024-01-01", code=EXIT_USAGE).stderr
    assert "not 'noon'" in run(frames, "-c", path, "--from", "noon", code=EXIT_USAGE).stderr


def test_configs_that_read_names_otherwise_each_have_their_own_frames(
    frames: Path, tmp_path: Path, run: Any
) -> None:
    """Other cameras, times and names: the difference is still that of two scans."""
    include = 'include = ["c0_*", "c1_*"]'
    old, new = config(tmp_path, "old", drop=""), config(tmp_path, "new", drop=f"{PATTERN}\n{include}")
    told = json.loads(run(frames, "-c", new, "--against", old, "--json").stdout)
    before = kept(scanned(settings_for(frames).model_copy(update={"drop": _plain(frames)})))
    after = kept(scanned(settings_for(frames, drop=include)))
    assert set(told["gained"]) == after - before
    assert set(told["lost"]) == before - after
    gone = next(change for change in told["changes"] if change["frame"].startswith("c2"))
    assert gone["new"] is None
    assert "not among the frames; was " in run(frames, "-c", new, "--against", old, "--list").stdout


def _plain(frames: Path) -> Any:
    return settings_for(frames).drop.model_copy(update={"camera_pattern": None})


def labelled(folder: Path, decided: Decided, *, but: str = "") -> Path:
    """Write labels that are what a scan decides, but for one frame."""
    path = folder / "labels.csv"
    rows = ["frame,expected"]
    for name, (reason, *_) in decided.items():
        verdict = str(Reason(reason).verdict)
        if name == but:
            verdict = {"kept": "dropped", "dropped": "kept"}[verdict]
        if verdict != "rejected":
            rows.append(f"{name},{verdict}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_check_passes_when_all_is_as_labelled(
    frames: Path, tmp_path: Path, run: Any, scans: tuple[Decided, Decided]
) -> None:
    """Exit code 0, and the number of labels that were checked."""
    labels, path = labelled(tmp_path, scans[0]), config(tmp_path, "new")
    count = len(labels.read_text().splitlines()) - 1
    done = run(frames, "-c", path, "--check", labels)
    assert done.stdout.endswith(f"check: {count} of {count} labelled frames come out as {labels} says\n")
    check = json.loads(run(frames, "-c", path, "--check", labels, "--json").stdout)["check"]
    assert check == {"labels": str(labels), "passed": count, "failed": [], "unknown": []}


def test_a_check_that_fails_names_the_frame_and_exits_with_1(
    frames: Path, tmp_path: Path, run: Any, scans: tuple[Decided, Decided]
) -> None:
    """Both numbers and the reference are told; a label of no frame is named, and alone is a failure too."""
    name = name_of(0, 13)
    _, score, threshold, unit, _, reference, _ = scans[0][name]
    labels, path = labelled(tmp_path, scans[0], but=name), config(tmp_path, "new")
    with labels.open("a") as file:
        file.write("gone.jpg,kept\n")
    arguments = frames, "-c", path, "--check", labels
    check = json.loads(run(*arguments, "--json", code=EXIT_FAILED).stdout)["check"]
    numbers = {"score": score, "threshold": threshold, "unit": unit, "reference": reference}
    numbers |= {"zone": None, "schedule": None}
    assert check["failed"] == [{"frame": name, "expected": "dropped", "got": "kept", **numbers}]
    assert check["unknown"] == ["gone.jpg"]
    words = run(*arguments, code=EXIT_FAILED).stdout
    assert f"wrong: {name} is kept, not dropped, {score:g}x > 2.3x, after {reference}\n" in words
    assert "not here: gone.jpg\n" in words
    labels.write_text("frame,expected\ngone.jpg,kept\n")
    run(*arguments, code=EXIT_FAILED)


def test_a_cache_that_cannot_be_used_is_told_once(frames: Path, tmp_path: Path) -> None:
    """All is computed, and printed as ever; one line on standard error says that nothing is remembered."""
    (tmp_path / "cache").write_bytes(b"a file, and no folder")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = forked.framegate("replay", frames, "-c", config(tmp_path, "new"), env=env)
    without = forked.framegate("replay", frames, "-c", config(tmp_path, "new"), "--no-cache")
    assert (done.returncode, done.stdout) == (0, without.stdout)
    told = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(told) == 1
    assert told[0].endswith("; nothing more is remembered")


def test_what_cannot_be_used_is_one_sentence(frames: Path, tmp_path: Path, run: Any) -> None:
    """A missing folder or config is 78, as is the drop folder where no daemon ran; bad labels are 2."""
    path, labels = config(tmp_path, "new"), tmp_path / "labels.csv"
    labels.write_text("frame,expected\na.jpg,maybe\n")
    assert "does not exist" in run(tmp_path / "gone", "-c", path, code=EXIT_CONFIG).stderr
    run(frames, "-c", tmp_path / "gone.toml", code=EXIT_CONFIG)
    assert "line 2: expected is kept or dropped" in run(
        frames, "-c", path, "--check", labels, code=EXIT_USAGE
    ).stderr  # fmt: skip
    assert "drop.folder: /nowhere/drop does not exist" in run("-c", path, code=EXIT_CONFIG).stderr


@pytest.mark.parametrize(
    ("text", "is_end", "seconds"),
    [
        ("2026-11-19T06:30:00Z", False, 1_795_069_800.0),
        ("2026-11-19T07:30+01:00", True, 1_795_069_800.0),
        ("1969-12-31T23:59:59.25Z", False, -0.75),
    ],
)
def test_a_time_is_read_to_the_microsecond(text: str, is_end: bool, seconds: float) -> None:
    """An offset counts; fractions of a second do, before 1970 as well."""
    assert time_ns_of(text, is_end=is_end) == round(seconds * 1e9)


def test_a_day_ends_where_the_next_begins() -> None:
    """--from and --to of one date enclose that whole day, in the time zone of this machine."""
    day_ns = time_ns_of("2026-11-19", is_end=True) - time_ns_of("2026-11-19")
    assert day_ns == time_ns_of("2026-11-20") - time_ns_of("2026-11-19")

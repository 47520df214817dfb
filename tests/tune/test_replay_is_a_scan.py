import os
import shutil
import sqlite3
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from framegate.config.settings import Settings
from framegate.tune.footage.folder import folder_frames
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import Line
from replays import START_S, Decided, decided, draw_frames, kept, name_of, replayed, scanned, settings_for

CLASSIC = 'preset = "classic"\nscore_threshold = "0.5%"\nmin_contour_area = "20px"\n'
LEFT = "polygon = [[0.0, 0.4], [0.5, 0.4], [0.5, 1.0], [0.0, 1.0]]"

SOON, LATER = (time.strftime("%H:%M", time.localtime(START_S + after_s)) for after_s in (300, 600))
SCHEDULE = f'[[schedule]]\nname = "s"\nhours = "{SOON}-{LATER}"\n[schedule.detection]\n'

KEYS = {
    "threshold": 'score_threshold = "4x"',
    "keep_every": 'keep_every = "3m"',
    "max_kept_per_hour": "max_kept_per_hour = 3",
    "min_contour_area": 'min_contour_area = "1%"',
    "border_mask": "border_mask = [0, 0, 40, 0]",
    "ignore": f'ignore = [{{ name = "bays", {LEFT} }}]',
    "zone": f'zone = [{{ name = "gate", {LEFT}, score_threshold = "1.2x" }}]',
    "preset": CLASSIC,
    "classic threshold": CLASSIC.replace("0.5%", "3%"),
    "classic min_contour_area": CLASSIC.replace("20px", "400px"),
    "working_height": CLASSIC + "working_height = 90",
    "storm by 4x": 'max_kept_per_hour = 4\nscore_threshold = "4x"',
    "storm by 10x": 'max_kept_per_hour = 4\nscore_threshold = "10x"',
    "storm by 30x": 'max_kept_per_hour = 4\nscore_threshold = "30x"',
    "both by time": 'keep_every = "90s"\nmax_kept_per_hour = 4',
    "schedule": f'{SCHEDULE}score_threshold = "9x"',
    "schedule of one camera": SCHEDULE.replace("hours", 'cameras = "c1"\nhours') + 'keep_every = "1m"',
    "schedule of areas": f"{SCHEDULE}border_mask = [0, 0, 40, 0]\nmax_kept_per_hour = 2",
    "schedule with classic": f'{CLASSIC}{SCHEDULE}blur = 0\nscore_threshold = "3%"',
    "one camera": '[camera.c1.detection]\nscore_threshold = "9x"',
}
"""Configs that differ from the defaults in one key, or from ``preset = "classic"`` in one more."""


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay") / "frames"
    draw_frames(folder)
    return folder


Scans = Callable[[str], Decided]


@pytest.fixture(scope="module")
def scans(configs: dict[str, Settings]) -> Scans:
    """What a scan by the config of a key decides."""
    return cache(lambda key: scanned(configs[key]))


@pytest.fixture(scope="module")
def configs(frames: Path) -> dict[str, Settings]:
    return {key: settings_for(frames, lines) for key, lines in {"defaults": "", **KEYS}.items()}


def test_all_configs_in_one_pass_decide_as_scans(configs: dict[str, Settings], scans: Scans) -> None:
    """Reasons, scores to the bit, thresholds, zones and references are those of a scan by each config."""
    for key, found in zip(configs, replayed(*configs.values()), strict=True):
        assert found == scans(key), key


@pytest.mark.parametrize("key", KEYS)
def test_one_key_changes_what_two_scans_differ_in(
    configs: dict[str, Settings], scans: Scans, key: str
) -> None:
    """What is gained and lost is what one scan keeps and the other does not, also in a pass of two lines."""
    before, after = replayed(configs["defaults"], configs[key])
    scan_before, scan_after = scans("defaults"), scans(key)
    assert kept(after) - kept(before) == kept(scan_after) - kept(scan_before)
    assert kept(before) - kept(after) == kept(scan_before) - kept(scan_after)
    assert kept(before) != kept(after), "a key that changes nothing shows nothing"


def test_from_the_cache_all_is_decided_alike(
    configs: dict[str, Settings], scans: Scans, tmp_path: Path
) -> None:
    """A second replay, with other configs in another order as well, decides what a first one decides."""
    file = tmp_path / "cache" / "replay.sqlite"
    first = replayed(*list(configs.values())[:4], cache=file)
    assert first == [scans(key) for key in list(configs)[:4]]
    again = replayed(*reversed(configs.values()), cache=file)
    assert again == [scans(key) for key in reversed(configs)]


@pytest.fixture
def own_frames(frames: Path, tmp_path: Path) -> Path:
    """A copy of the frames that a test may change."""
    return shutil.copytree(frames, tmp_path / "frames")


def test_files_that_were_changed_or_removed_are_not_remembered(own_frames: Path, tmp_path: Path) -> None:
    """After a frame got other bytes of its size and time, and others were removed, it is as a scan again."""
    file, settings = tmp_path / "replay.sqlite", settings_for(own_frames)
    replayed(settings, cache=file)
    changed, other = own_frames / name_of(0, 11), own_frames / name_of(0, 4)
    there = changed.stat()
    data = other.read_bytes()[: there.st_size].ljust(there.st_size, b"\0")
    changed.write_bytes(data)
    os.utime(changed, ns=(there.st_atime_ns, there.st_mtime_ns))
    (own_frames / name_of(0, 10)).unlink()
    (own_frames / name_of(2, 0)).unlink()
    (own_frames / name_of(1, 2)).rename(own_frames / name_of(2, 99))
    (found,) = replayed(settings, cache=file)
    assert found == scanned(settings)


def test_a_second_replay_reads_no_file(own_frames: Path, tmp_path: Path) -> None:
    """Between two thresholds all comes from the cache, though files are empty, cut or too large."""
    for camera in range(3):
        (own_frames / name_of(camera, 50)).write_bytes(bytes(70_000))
    first, second, between = (
        settings_for(own_frames, f'score_threshold = "{threshold}x"', 'max_size = "60kB"')
        for threshold in (2, 3, 2.01)
    )
    file = tmp_path / "cache.sqlite"
    replayed(first, second, cache=file)
    wanted, listed = scanned(between), folder_frames(between)
    own_frames.rename(tmp_path / "away")
    with closing(FactStore(file)) as store:
        result = replay(listed, [Line("between", between)], store=store)
    assert decided(result, result.outcomes[0]) == wanted


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _overwrite(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def _flip(path: Path) -> None:
    """Change what is neither a digit nor a quotation mark in the second half: rows, pages and their lists."""
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data), 257):
        data[place] = data[place] ^ 0x80
    path.write_bytes(data)


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _garble(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE facts SET answers = substr(answers, 2)")
        db.execute("UPDATE picture SET shown = substr(shown, 2) WHERE content < '8'")
        db.commit()


@pytest.mark.parametrize("damage", [_cut, _overwrite, _flip, _garble, _make_folder])
def test_a_damaged_cache_costs_time_alone(
    configs: dict[str, Settings], scans: Scans, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Whatever the cache file has become, the replay goes on without it, and decides as a scan."""
    file, settings = tmp_path / "replay.sqlite", configs["defaults"]
    replayed(settings, cache=file)
    for beside in ("-wal", "-shm"):
        Path(f"{file}{beside}").unlink(missing_ok=True)
    damage(file)
    for _ in range(2):
        assert replayed(settings, cache=file) == [scans("defaults")]


def test_a_range_of_time_does_not_change_what_lies_in_it(frames: Path) -> None:
    """Frames up to a time are decided as in the whole folder: the replay begins at its first frame."""
    settings = settings_for(frames)
    whole = folder_frames(settings)
    until_ns = whole[len(whole) // 2].candidate.captured_at_ns
    part = folder_frames(settings, camera="c1", until_ns=until_ns)
    lines = [Line("now", settings)]
    found = replay(part, lines).outcomes[0]
    of_whole = replay(whole, lines)
    numbers = of_whole.of_cameras()["c1"][: len(part)]
    assert 5 < len(part) < 20
    assert [frame.name for frame in part] == [whole[number].name for number in numbers]
    assert found.scores.tolist() == pytest.approx(
        of_whole.outcomes[0].scores[numbers].tolist(), abs=0, nan_ok=True
    )
    assert found.reasons.tolist() == of_whole.outcomes[0].reasons[numbers].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lot_empty", "webcam_day", "lot_torn"])
def test_real_frames_are_decided_as_by_scans(shared_data: Path, name: str, tmp_path: Path) -> None:
    """On real days each of several configs decides as its scan, from pictures and from the cache."""
    times = 'capture_time = ["%Y-%m-%d_%H_%M_%S", "%Y-%m-%dT%H_%M_%S", "mtime"]'
    keys = "threshold", "keep_every", "max_kept_per_hour", "preset"
    configs = [settings_for(shared_data / name, KEYS[key], times) for key in keys]
    found = [scanned(settings) for settings in configs]
    assert len(found[0]) > 10
    for _ in range(2):
        assert replayed(*configs, cache=tmp_path / "replay.sqlite") == found


def test_memory_does_not_grow_with_the_number_of_frames(own_frames: Path) -> None:
    """Three times as many frames take no more memory than a fifth more: nothing but numbers stays."""

    def peak_bytes(settings: Settings) -> int:
        frames = folder_frames(settings, camera="c1")
        tracemalloc.start()
        replay(frames, [Line("now", settings)], store=FactStore(None))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    settings = settings_for(own_frames)
    for few in (True, False):
        for turn in range(2 if few else 8):
            for number in range(24):
                there = own_frames / name_of(1, number)
                copy = own_frames / f"c1_{turn}_{there.name}"
                copy.write_bytes(there.read_bytes() + bytes([turn]))
                os.utime(copy, (2_000_000_000 + 1000 * turn + number,) * 2)
        if few:
            least = peak_bytes(settings)
    assert peak_bytes(settings) < 1.2 * least

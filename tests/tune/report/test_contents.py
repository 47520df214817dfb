"""What the page is told, without a browser."""

import base64
import gzip
import re
from pathlib import Path

import numpy as np
import pytest

import lot_days
from framegate.ingest.sweeping import candidates_of
from framegate.model import Reason
from framegate.tune.replay.engine import replay
from framegate.tune.replay.outcomes import NONE, Frame, Replay
from framegate.tune.report.contents import document
from framegate.tune.report.packing import kept_since, packed_steps, score_table
from framegate.tune.report.pictures import WIDTHS, small_images
from framegate.tune.report.positions import FEWEST, lines_of, sliders_of
from framegate.tune.report.regions import Comparison, regions_of
from framegate.tune.report.report import on_the_line, page_of
from lot_days import LotDays


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> LotDays:
    return lot_days.drawn(tmp_path_factory.mktemp("lots"), frames=12)


@pytest.fixture(scope="module")
def replayed(days: LotDays) -> Replay:
    settings = days.config.settings
    return replay([Frame(each) for each in candidates_of(settings)], lines_of(settings))


def test_each_camera_has_its_own_thresholds(replayed: Replay) -> None:
    """Among the rungs stands the threshold in force, in the camera's unit, and as the config writes it."""
    c1, c2, c3 = sliders_of(replayed)
    assert [slider.unit for slider in (c1, c2, c3)] == ["x", "%", "x"]
    in_force = [slider.positions[slider.in_force] for slider in (c1, c2, c3)]
    assert [position.toml for position in in_force] == ["2.3x", "2000px", "2x"]
    assert in_force[1].threshold == pytest.approx(100 * 2000 / (480 * 270))
    for slider in (c1, c2, c3):
        thresholds = [position.threshold for position in slider.positions]
        assert thresholds == sorted(set(thresholds))


def test_no_end_of_the_slider_repeats_itself(replayed: Replay) -> None:
    """At both ends, moving the slider by one changes something, unless few positions are left."""
    for slider in sliders_of(replayed):
        kept = [position.outcome.reasons[slider.numbers].tolist() for position in slider.positions]
        for end, beside, at in ((0, 1, 0), (-1, -2, len(kept) - 1)):
            assert kept[end] != kept[beside] or len(kept) == FEWEST or slider.in_force == at


def test_below_the_least_area_there_is_one_position(replayed: Replay) -> None:
    """Of the thresholds below min_contour_area, which decide alike, only the largest is shown."""
    classic = sliders_of(replayed)[1]
    assert sum(position.threshold < 0.05 for position in classic.positions) <= 1


def test_frames_of_a_schedules_own_threshold_are_not_on_the_line(tmp_path: Path) -> None:
    """They are told apart at every position, with that threshold, and stand beside no other."""
    days = lot_days.drawn(tmp_path, frames=12)
    hours = 'hours = "07:20-08:00"\n[schedule.detection]\nscore_threshold ='
    text = days.config_file.read_text("utf-8")
    for number, threshold in ((1, '"30x"'), (2, '"5000px"')):
        text += f'[[schedule]]\nname = "late{number}"\ncameras = "c{number}"\n{hours} {threshold}\n'
    days.config_file.write_text(text, "utf-8")
    settings = days.config.settings
    of_all = replay([Frame(each) for each in candidates_of(settings)], lines_of(settings))
    contents = document(
        "lots", of_all, sliders_of(of_all), settings, against=None, labels=(), boxes={}, images={}
    )
    shown = {each["name"]: each["schedules"] for each in contents["cameras"]}
    share = pytest.approx(100 * 5000 / (480 * 270))
    assert shown["c1"] == [{"name": "late1", "threshold": 30.0}]
    assert shown["c2"] == [{"name": "late2", "threshold": share}]
    assert shown["c3"] == []
    for slider, packed in zip(sliders_of(of_all), contents["cameras"], strict=True):
        steps = np.frombuffer(gzip.decompress(base64.b64decode(packed["scheduled"])), "<i4")
        table = np.cumsum(steps.reshape(len(slider.numbers), len(slider.positions)), axis=1)
        for at, position in enumerate(slider.positions):
            scheduled = position.outcome.schedules.keys() & set(slider.numbers)
            assert [slider.numbers[place] for place in np.flatnonzero(table[:, at])] == sorted(scheduled)
            assert scheduled.isdisjoint(on_the_line(slider, position))
            assert bool(scheduled) == (slider.camera != "c3")


ZONES = """
[[schedule]]
name = "{name}"
cameras = "{camera}"
hours = "{hours}"
[schedule.detection]
{threshold}
[[schedule.detection.zone]]
name = "gate"
polygon = [[0.0, {top}], [1.0, {top}], [1.0, 1.0], [0.0, 1.0]]
{zone_threshold}
"""


def test_the_limit_that_is_told_is_the_one_by_which_a_frame_was_judged(tmp_path: Path) -> None:
    """At every position, whichever zone decided: the camera's, or one of its name that a schedule sets."""
    days = lot_days.drawn(tmp_path, frames=12)
    text = days.config_file.read_text("utf-8")
    early, late = "07:00-07:25", "07:25-08:30"
    for camera, hours, threshold, zone_threshold in (
        ("c1", early, '"3x"', '"1.2x"'),
        ("c1", late, '"30x"', None),
        ("c2", early, '"5000px"', '"900px"'),
        ("c2", late, None, '"1.2%"'),
        ("c3", late, None, '"4x"'),
    ):
        lines = ["" if each is None else f"score_threshold = {each}" for each in (threshold, zone_threshold)]
        named = {"name": f"{camera} {hours[:2]}{hours[3:5]}", "camera": camera, "hours": hours}
        named["top"] = "0.5" if zone_threshold else "0.0"
        text += ZONES.format(**named, threshold=lines[0], zone_threshold=lines[1])
    days.config_file.write_text(text, "utf-8")
    settings = days.config.settings
    of_all = replay([Frame(each) for each in candidates_of(settings)], lines_of(settings))
    contents = document(
        "lots", of_all, sliders_of(of_all), settings, against=None, labels=(), boxes={}, images={}
    )
    zones = 0
    for slider, packed in zip(sliders_of(of_all), contents["cameras"], strict=True):
        shape = len(slider.numbers), len(slider.positions)
        scheduled, decided_by = (
            np.cumsum(np.frombuffer(gzip.decompress(base64.b64decode(packed[key])), "<i4").reshape(shape), 1)
            for key in ("scheduled", "decided_by")
        )
        for (place, at), zone in np.ndenumerate(decided_by):
            outcome, number = slider.positions[at].outcome, slider.numbers[place]
            if not np.isfinite(outcome.thresholds[number]):
                continue
            assert (packed["zones"][zone - 1] if zone else None) == outcome.zones.get(number)
            limit = packed["zone_thresholds"][zone - 1] if zone else None
            if limit is None and (schedule := scheduled[place, at]):
                limit = packed["schedules"][schedule - 1]["threshold"]
            told = packed["thresholds"][at] if limit is None else limit
            assert told == pytest.approx(outcome.thresholds[number])
            zones += bool(zone)
    assert zones


def test_scores_are_exact() -> None:
    """Every score can be had back to the bit; none is 0."""
    scores = np.array([[0.1, np.nan, 0.1], [3.0000000000000004, 0.0, 3.0]])
    values, table = score_table(scores)
    back = np.concatenate(([np.nan], values))[table]
    assert np.array_equal(back, scores, equal_nan=True)
    steps = np.frombuffer(gzip.decompress(base64.b64decode(packed_steps(table))), "<i4").reshape(2, 3)
    assert np.array_equal(np.cumsum(steps, axis=1), table)


def test_a_reference_is_counted_among_the_kept() -> None:
    """1 is the last frame kept before, 2 the one before that, 0 none, or one that is not there."""
    is_kept = np.array([True, False, True, False, False, True])
    references = np.array([NONE, 0, 0, 2, 0, 1], np.int32)
    assert kept_since(references, is_kept).tolist() == [0, 1, 1, 1, 2, 0]


def test_what_changed_is_outlined(days: LotDays, replayed: Replay) -> None:
    """Each comparison on the line is found again, to the bit, and what changed lies in the picture."""
    slider = sliders_of(replayed)[0]
    found = 0
    for position in slider.positions:
        numbers = [n for n in on_the_line(slider, position) if position.outcome.references[n] != NONE]
        wanted = [Comparison(number, position.outcome) for number in numbers]
        boxes = regions_of("c1", replayed.frames, slider.numbers, wanted, settings=days.config.settings)
        assert boxes.keys() == set(range(len(wanted)))
        for place, comparison in enumerate(wanted):
            for left, top, width, height in boxes[place]:
                assert 0 <= left < left + width <= 1000
                assert 0 <= top < top + height <= 1000
                found += comparison.outcome.reason_of(comparison.number) is Reason.CHANGED
    assert found


def test_a_comparison_that_is_not_the_replayed_one_is_not_outlined(days: LotDays, replayed: Replay) -> None:
    """Where the score is another than the replay's, nothing is outlined: it is not known what it saw."""
    slider = sliders_of(replayed)[0]
    outcome = slider.positions[slider.in_force].outcome
    number = on_the_line(slider, slider.positions[slider.in_force])[0]
    before = outcome.scores[number]
    outcome.scores[number] += 0.01
    try:
        wanted = [Comparison(number, outcome)]
        assert not regions_of("c1", replayed.frames, slider.numbers, wanted, settings=days.config.settings)
    finally:
        outcome.scores[number] = before


def test_pictures_get_smaller_and_then_fewer(days: LotDays, replayed: Replay) -> None:
    """All pictures fit what is allowed: first their width gives way, then those at the end are left out."""
    drop = days.config.settings.drop
    frames = [frame for frame in replayed.frames if frame.name.startswith("c1/")]
    sizes = []
    for most_bytes in (10**7, 40_000, 5_000):
        images = small_images(frames, drop, most_bytes, lambda _frames: None)
        assert sum(len(image.webp) for image in images.values()) <= most_bytes
        sizes.append(len(images))
    assert sizes[0] >= sizes[1] > sizes[2]
    assert sizes[0] == len(frames) - 1  # one is cut off
    assert list(images) == sorted(images)
    assert len(WIDTHS) > 1


def test_a_page_is_no_larger_than_allowed(days: LotDays, replayed: Replay) -> None:
    """The page with its pictures has at most the bytes that it may have."""
    settings = days.config.settings
    for most_bytes in (160_000, 300_000):
        page = page_of("lot", replayed, settings, most_bytes=most_bytes, boxes={})
        assert len(page.encode()) <= most_bytes
        assert page.count("<script") == 3


def test_the_script_is_the_one_that_may_run(days: LotDays, replayed: Replay) -> None:
    """The policy allows the page's script by its hash, and nothing from anywhere."""
    import hashlib

    page = page_of("lot", replayed, days.config.settings, most_bytes=200_000, boxes={})
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_frames_copied_at_once_have_no_times(days: LotDays) -> None:
    """Where all times lie within ten seconds, the page goes by the order alone."""
    from framegate.tune.report.contents import _are_timed

    candidates = candidates_of(days.config.settings)
    assert _are_timed(candidates)
    assert not _are_timed(candidates[:1])

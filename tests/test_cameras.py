import shutil
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench import Bench, lay
from framegate.cameras import cameras
from framegate.cameras.camera import Camera
from framegate.config.detection import DetectionSettings
from framegate.detect.detector import reduced
from framegate.errors import SinkError
from framegate.events.base import LogEvent
from framegate.keep.delivery import NoDelivery
from framegate.keep.memories import Memory
from framegate.model import FileKey, Moment, Reason
from pictures import picture_for
from running import Site

CAMERAS = 5


def empty(*folders: Path) -> None:
    """Remove all files, as before the first start."""
    for folder in folders:
        shutil.rmtree(folder)
        folder.mkdir()


# --- the budget -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_delivered", [True, False], ids=["delivered", "dry-run"])
def test_cameras_that_are_put_away_come_back_exactly(
    site: Site,
    bench: Callable[..., Bench],
    morning: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_delivered: bool,
) -> None:
    """With memory for fewer cameras than there are, every score is to the last bit what it is with enough."""
    lay(site, morning, cameras=CAMERAS)
    deliverer = None if is_delivered else NoDelivery()
    plenty = bench(deliverer=deliverer)
    plenty.judge_all()
    assert "reference.restored" not in plenty.said
    expected, results = plenty.numbers(), site.kept_bytes()
    assert len(expected) == CAMERAS * len(morning)
    for folder in (site.state, site.results):
        for file in folder.iterdir():
            file.unlink()

    monkeypatch.setattr(cameras, "budget_bytes", lambda: 200_000)
    scarce = bench(deliverer=deliverer)
    for candidate in scarce.candidates():
        scarce.judge(candidate)
        assert len(scarce.pipeline._cameras._cameras) <= 2
    assert scarce.numbers() == expected
    assert site.kept_bytes() == results
    assert scarce.said.count("reference.restored") > CAMERAS


def test_the_camera_that_was_quiet_longest_is_put_away(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """A camera that sends all the time stays, whatever others come and go."""
    lay(site, morning[:1], cameras=4)
    for number in range(1, 4):
        (site.drop / f"c0_{number:04d}.jpg").write_bytes(morning[0])
    box = bench()
    by_name = {c.key.name: c for c in box.candidates()}
    box.judge(by_name["c0_0000.jpg"])
    camera = box.pipeline._cameras.get("c0")
    camera.judge.rest()
    box.pipeline._cameras.budget_bytes = int(2.5 * camera.size_bytes)
    for name in ("c1_0000", "c0_0001", "c2_0000", "c0_0002", "c3_0000", "c0_0003"):
        box.judge(by_name[f"{name}.jpg"])
    assert list(box.pipeline._cameras._cameras) == ["c3", "c0"]
    assert "reference.restored" not in box.said


def test_a_camera_whose_frames_are_gone_from_the_drop_folder_comes_back_from_the_results(
    site: Site, bench: Callable[..., Bench], morning: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The camera may clean up its drop folder: its reference stands in the results, and is found there."""
    monkeypatch.setattr(cameras, "budget_bytes", lambda: 1)
    lay(site, morning[:2], cameras=2)
    box = bench()
    for candidate in box.candidates():
        box.judge(candidate)
        (site.drop / candidate.key.name).unlink()
    assert "reference.lost" not in box.said
    again = [e.entry for e in box.decided if e.entry.key.name.endswith("_0001.jpg")]
    assert [entry.reference for entry in again] == ["c0_0000.jpg", "c1_0000.jpg"]


@pytest.mark.parametrize("is_masked", [False, True], ids=["plain", "masked"])
def test_a_camera_knows_what_memory_it_takes(*, is_masked: bool) -> None:
    """What is counted against the budget is what Python has allocated, within a tenth."""
    border = [5, 5, 5, 5] if is_masked else [0, 0, 0, 0]
    settings = DetectionSettings.preset("adaptive", border_mask=border, max_kept_per_hour=500)
    chance = np.random.default_rng(1)

    def judge(camera: Camera, moment: int) -> None:
        picture = picture_for(settings, chance.integers(0, 255, (480, 640, 3), np.uint8))
        key = FileKey(f"{moment}.jpg", moment, moment)
        camera.decide(key, Moment(moment), reduced(picture, settings), bytes(32))

    warm = Camera("warm", settings, None)
    for moment in range(2):  # what libraries allocate once, at their first use, is not a camera's
        judge(warm, moment)
    tracemalloc.start()
    box = []
    for number in range(10):
        camera = Camera(f"c{number}", settings, None)
        for moment in range(4):
            judge(camera, moment)
        box.append(camera)
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(camera.size_bytes for camera in box) == pytest.approx(allocated, rel=0.1)


def test_three_hundred_cameras_in_turn_are_read_once(site: Site, bench: Callable[..., Bench]) -> None:
    """With memory for a tenth of them awake and all at rest, no picture is ever read and decoded again."""
    chance = np.random.default_rng(2)
    coarse = [chance.integers(60, 190, (9, 16), np.uint8) for _ in range(3)]
    pictures = [cv2.resize(each, (160, 90), interpolation=cv2.INTER_CUBIC) for each in coarse]
    lay(site, [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures], cameras=300)
    box = bench(deliverer=NoDelivery())
    judged = box.pipeline._cameras
    first, *others = box.candidates()
    box.judge(first)
    judged.budget_bytes = 30 * judged.get("c0").size_bytes + 300 * RESTING_BYTES
    for candidate in others:
        box.judge(candidate)
    assert len(box.decided) == 900
    assert len(judged._cameras) == 300
    assert 30 <= len(judged._awake) < 150
    assert "reference.restored" not in box.said


RESTING_BYTES = 2 * 160 * 90 * 3 + 10_000
"""What a camera of 160 x 90 takes at rest."""


def test_cameras_that_rest_come_back_exactly(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """With memory for all cameras at rest but for one of them awake, everything is as with enough for all."""
    lay(site, morning, cameras=CAMERAS)
    plenty = bench(deliverer=NoDelivery())
    plenty.judge_all()
    empty(site.state)
    scarce = bench(deliverer=NoDelivery())
    scarce.pipeline._cameras.budget_bytes = CAMERAS * 400_000
    scarce.judge_all()
    assert len(scarce.pipeline._cameras._awake) == 1
    assert "reference.restored" not in scarce.said
    assert scarce.numbers() == plenty.numbers()
    states = [
        [box.pipeline._cameras.get(f"c{number}").judge.state() for number in range(CAMERAS)]
        for box in (plenty, scarce)
    ]
    assert states[0] == states[1]


def test_cameras_beyond_the_budget_are_put_away(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """All cameras together take no more than the budget and the one in hand, however many send."""
    lay(site, morning[:3], cameras=12)
    box = bench(deliverer=NoDelivery())
    judged = box.pipeline._cameras
    judged.budget_bytes = 2_000_000
    for candidate in box.candidates():
        box.judge(candidate)
        held = [camera.size_bytes for camera in judged._cameras.values()]
        assert sum(held) - held[-1] <= judged.budget_bytes
    assert 2 < len(judged._cameras) < 12


def test_a_classic_camera_comes_back_with_its_reference_alone(
    site: Site, bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which frame was its last is known throughout; that frame is not read again, so it may be gone."""
    monkeypatch.setattr(cameras, "budget_bytes", lambda: 1)
    pixels = np.full((90, 160), 90, np.uint8)
    frames = [cv2.imencode(".png", pixels + number)[1].tobytes() for number in range(3)]
    lay(site, frames, cameras=2)
    with site.config.open("a") as file:
        file.write(CLASSIC)
    box = bench()
    for candidate in box.candidates():
        box.judge(candidate)
        box.pipeline.flush()
        (lane,) = box.ledger.memory_of(candidate.camera).lanes
        assert (lane.reference.name[3:], lane.previous) == ("0000.jpg", candidate.key)
        (site.drop / candidate.key.name).unlink()
    reasons = [event.entry.reason for event in box.decided]
    assert reasons == [Reason.FIRST] * 2 + [Reason.UNCHANGED] * 4
    assert box.said == ["reference.restored"] * 4


CLASSIC = """
[camera.c0.detection]
preset = 'classic'
min_contour_area = '1px'
score_threshold = '1px'
[camera.c1.detection]
preset = 'classic'
min_contour_area = '1px'
score_threshold = '1px'
"""


# --- several sizes ----------------------------------------------------------------------------------------


def shrunk(data: bytes) -> bytes:
    """Return a picture as the camera's sub stream has it."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return cv2.imencode(".jpg", cv2.resize(picture, (240, 136), interpolation=cv2.INTER_AREA))[1].tobytes()


def test_cameras_of_several_sizes_come_back_exactly(
    site: Site, bench: Callable[..., Bench], morning: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put away after every frame, a camera has all references and all that it learnt, to the bit."""
    lay(site, [each for data in morning for each in (data, shrunk(data))], cameras=2)
    plenty = bench()
    plenty.judge_all()
    expected, results = plenty.numbers(), site.kept_bytes()
    reasons = [numbers[1] for numbers in expected]
    assert (reasons.count(Reason.FIRST), reasons.count(Reason.SIZE_CHANGED)) == (2, 2)
    assert reasons.count(Reason.CHANGED) >= 8
    empty(site.state, site.results)
    monkeypatch.setattr(cameras, "budget_bytes", lambda: 1)
    scarce = bench()
    scarce.judge_all()
    assert scarce.numbers() == expected
    assert site.kept_bytes() == results
    assert "reference.lost" not in scarce.said


def test_a_size_whose_reference_is_gone_loses_nothing_else(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """When the last kept frame of one size is gone from both folders, the other sizes go on as they were."""
    lay(site, [morning[0], shrunk(morning[0])])
    with closing((first := bench()).ledger):
        first.judge_all()
        first.pipeline.flush()
    for folder in (site.drop, site.results):
        (folder / "c0_0000.jpg").unlink()
    lay(site, [b"", b"", shrunk(morning[1]), morning[1], morning[2], shrunk(morning[2])])
    for name in ("c0_0000.jpg", "c0_0001.jpg"):
        (site.drop / name).unlink()
    second = bench()
    second.judge_all()
    assert [(e.entry.reason, e.entry.reference) for e in second.decided] == [
        (Reason.UNCHANGED, "c0_0001.jpg"),
        (Reason.SIZE_CHANGED, None),
        (Reason.UNCHANGED, "c0_0003.jpg"),
        (Reason.UNCHANGED, "c0_0001.jpg"),
    ]
    assert second.said == ["reference.lost", "reference.restored"]


def test_a_camera_from_before_sizes_were_told_apart_goes_on(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """An older ledger does not say of which size a reference is: the picture does, and nothing is lost."""
    lay(site, morning)
    plain = bench()
    plain.judge_all()
    expected = plain.numbers()
    empty(site.state, site.results)
    with closing((first := bench()).ledger):
        for candidate in first.candidates()[:7]:
            first.judge(candidate)
        first.pipeline.flush()
    damage(site, "width = 0, height = 0, used = 0")
    second = bench()
    second.judge_all()
    second.pipeline.flush()
    assert [*first.numbers(), *second.numbers()] == expected
    assert [lane.size for lane in second.ledger.memory_of("c0").lanes] == [(480, 270)]


# --- damage -----------------------------------------------------------------------------------------------


def damage(site: Site, change: str) -> None:
    """Change what the ledger has saved of camera c0, as a bad disk or a hand would."""
    table = "camera" if change.startswith("storm") else "lane"
    with closing(sqlite3.connect(site.state / "ledger.sqlite3")) as db:
        (count,) = db.execute(f"UPDATE {table} SET {change} WHERE camera = 'c0' RETURNING 1").fetchone()
        assert count
        db.commit()


def usual_of(box: Bench) -> Any:
    """Return what camera c0 has learnt."""
    return box.pipeline._cameras.get("c0").judge.lanes[480, 270].detector._usual  # type: ignore[attr-defined]


DAMAGES = {
    "truncated": "learnt = substr(learnt, 1, length(learnt) / 2)",
    "cut in the header": "learnt = x'46475531aa'",
    "wrong zlib": "learnt = CAST(substr(learnt, 1, 30) || x'ffffffff' || substr(learnt, 35) AS BLOB)",
    "huge claimed shape": "learnt = CAST(x'4647553101ffffffff' || substr(learnt, 10) AS BLOB)",
    "another shape": "learnt = CAST(x'464755310110001000' || substr(learnt, 10) AS BLOB)",
    "of another detector": "learnt = CAST(x'0500000010001000' || substr(learnt, 17) AS BLOB)",
    "no digest of the previous frame": "previous_sha256 = x'00'",
    "empty": "learnt = x''",
    "half a storm": "storm_kept = 3, storm_dropped = NULL",
    "a storm of less than nothing": "storm_kept = -5, storm_dropped = 1",
    "a storm beyond all counting": "storm_kept = 9223372036854775807, storm_dropped = 0",
    "no previous frame": "previous = NULL",
    "a previous frame that is in no row": "previous = 9223372036854775807",
    "the previous frame of another camera": "previous = (SELECT max(id) FROM frame WHERE camera = 'c1')",
    "another size": "width = -1, height = 0",
    "an order beyond all counting": "used = -9223372036854775808",
    "a reference that is in no row": "reference = 0",
    "a reference that was dropped": "reference = (SELECT max(id) FROM frame WHERE verdict = 'dropped')",
}


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_to_what_a_camera_has_learnt_costs_no_more_than_that(
    site: Site, bench: Callable[..., Bench], morning: list[bytes], change: str
) -> None:
    """However a saved camera is damaged, it goes on, at most one frame is lost; no other camera notices."""
    lay(site, morning, cameras=2)
    site.config.write_text(
        site.config.read_text().replace("[detection]", "[detection]\nmax_kept_per_hour = 3")
    )
    undisturbed = bench()
    undisturbed.judge_all()
    expected = [numbers for numbers in undisturbed.numbers() if numbers[0].startswith("c1")]
    empty(site.state, site.results)
    first = bench()
    for candidate in first.candidates()[:14]:
        first.judge(candidate)
    first.pipeline.flush()
    damage(site, change)
    second = bench()
    second.judge_all()
    decided = [*first.decided, *second.decided]
    assert len(decided) == 2 * len(morning)
    failed = [event.entry.camera for event in decided if event.entry.reason is Reason.INTERNAL_ERROR]
    assert failed in ([], ["c0"])
    assert [n for n in (*first.numbers(), *second.numbers()) if n[0].startswith("c1")] == expected
    third = bench()
    assert third.candidates() == []
    for number in range(2):
        (site.drop / f"c0_9{number}.jpg").write_bytes(morning[number])
    third.judge_all()
    assert {event.entry.reason.verdict for event in third.decided} <= {"kept", "dropped"}
    assert not {"noise.lost", "camera.reset"} & set(third.said)


def test_a_camera_whose_arithmetic_fails_costs_one_frame_and_starts_over(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """The frame is rejected as our fault, loudly; the camera's next is its first; no other camera notices."""
    lay(site, morning, cameras=2)
    undisturbed = bench(deliverer=NoDelivery())
    undisturbed.judge_all()
    empty(site.state)
    box = bench(deliverer=NoDelivery())
    candidates = box.candidates()
    for candidate in candidates[:12]:
        box.judge(candidate)
    usual_of(box)._levels = usual_of(box)._levels[:, 1:]  # a fault in memory: a row of levels is gone
    box.judge(candidates[12])
    box.pipeline.flush()
    assert box.ledger.memory_of("c0") == Memory()
    for candidate in candidates[13:]:
        box.judge(candidate)
    fault, after = [event for event in box.decided[12:] if event.entry.camera == "c0"][:2]
    assert (fault.entry.reason, fault.level) == (Reason.INTERNAL_ERROR, "error")
    assert "Traceback" in fault.entry.detail
    assert (after.entry.reason, after.level) == (Reason.FIRST, "info")
    (reset,) = [event for event in box.events if event.event == "camera.reset"]
    assert (reset.level, reset.fields["camera"]) == ("error", "c0")
    others = [numbers for numbers in undisturbed.numbers() if numbers[0].startswith("c1")]
    assert [numbers for numbers in box.numbers() if numbers[0].startswith("c1")] == others


@pytest.mark.parametrize("budget_bytes", [1, 10**9], ids=["put away", "flushed"])
def test_what_a_camera_cannot_save_is_given_up_alone(
    site: Site,
    bench: Callable[..., Bench],
    morning: list[bytes],
    budget_bytes: int,
) -> None:
    """A camera that cannot be turned into bytes starts over; the rows and the other cameras are committed."""
    lay(site, morning[:3], cameras=2)
    box = bench()
    candidates = box.candidates()
    for candidate in candidates[:4]:
        box.judge(candidate)
    usual_of(box)._steps = np.array(["damage"])  # a fault in memory
    box.pipeline._cameras.budget_bytes = budget_bytes
    box.pipeline._cameras.get("c1")
    box.pipeline.flush()
    (reset,) = [event for event in box.events if event.event == "camera.reset"]
    assert isinstance(reset, LogEvent)
    assert (reset.level, reset.fields["camera"]) == ("error", "c0")
    assert "Traceback" in reset.fields["error"]
    assert box.ledger.memory_of("c0") == Memory()
    assert box.ledger.memory_of("c1").lanes[0].learnt is not None
    assert sum(box.ledger.counts().values()) == 4
    for candidate in candidates[4:]:
        box.judge(candidate)
    box.pipeline.flush()
    assert box.said.count("camera.reset") == 1
    assert all(event.entry.reason.verdict != "rejected" for event in box.decided)


def test_without_memory_to_save_a_camera_the_intake_waits(
    site: Site, bench: Callable[..., Bench], morning: list[bytes]
) -> None:
    """That there is no memory now is like a full disk: nothing is given up, and the next try saves it."""
    lay(site, morning[:3])
    box = bench()
    for candidate in box.candidates():
        box.judge(candidate)
    usual = usual_of(box)
    learnt = usual._steps
    usual._steps = np.broadcast_to(np.int16(1), (2**20, 2**15, 2**15))  # no machine has so much
    with pytest.raises(SinkError, match="out of memory"):
        box.pipeline.flush()
    usual._steps = learnt
    box.pipeline.flush()
    assert "camera.reset" not in box.said
    assert box.ledger.memory_of("c0").lanes[0].learnt == usual.to_bytes()


def test_only_our_own_faults_are_logged_as_errors(site: Site, bench: Callable[..., Bench]) -> None:
    """A rejection that the file explains is an ordinary line; ``level = "warning"`` hides it."""
    lay(site, [b"", b"no picture at all"])
    box = bench()
    box.judge_all()
    assert [(e.event, e.level) for e in box.decided] == [("frame.rejected", "info")] * 2


# --- large pictures ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_reference_above_a_hundred_megapixels_survives_a_restart(
    site: Site, bench: Callable[..., Bench]
) -> None:
    """``max_megapixels`` holds wherever a picture is decoded: also for a reference that is read again."""
    picture = cv2.imencode(".png", np.full((10_001, 10_000), 90, np.uint8))[1].tobytes()
    other = cv2.imencode(".png", np.full((10_001, 10_000), 91, np.uint8))[1].tobytes()
    lay(site, [picture, other])
    site.configure(drop="camera_pattern = '^(?P<camera>c[0-9]+)'\nmax_megapixels = 101")
    first = bench()
    first.judge(first.candidates()[0])
    first.pipeline.flush()
    second = bench()
    second.judge_all()
    assert [event.entry.reason for event in second.decided] == [Reason.UNCHANGED]
    assert second.said == ["reference.restored"]


def test_a_reference_is_read_again_within_the_limit_of_now(site: Site, bench: Callable[..., Bench]) -> None:
    """A reference with more than ``max_megapixels``, which was lowered meanwhile, is not decoded again."""
    lay(site, [cv2.imencode(".png", np.full((1100, 1000), 90, np.uint8))[1].tobytes()])
    first = bench()
    first.judge_all()
    small = cv2.imencode(".png", np.full((100, 100), 90, np.uint8))[1].tobytes()
    (site.drop / "c0_0001.jpg").write_bytes(small)
    site.configure(drop="camera_pattern = '^(?P<camera>c[0-9]+)'\nmax_megapixels = 1")
    second = bench()
    second.judge_all()
    assert [event.entry.reason for event in second.decided] == [Reason.FIRST]
    assert second.said == ["reference.lost"]

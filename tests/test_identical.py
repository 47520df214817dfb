"""Frames whose bytes have just been judged: dropped without being decoded, whoever judges them."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from bench import Bench
from framegate import decode, examining
from framegate.commands.scanning import scan
from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.examining import Examined
from framegate.ingest.sweeping import candidates_of
from framegate.keep.delivery import NoDelivery
from framegate.model import Decision, Reason
from pictures import png
from places import below, place, rolled, seen
from running import Site

CLASSIC = 'preset = "classic"\nmin_contour_area = "20px"\nscore_threshold = "1%"\n'
ADAPTIVE = 'preset = "adaptive"\n'
FIRST_NS = 1_700_000_000 * 10**9


def encoded(level: int, seed: int = 0, car: int | None = None, size: tuple[int, int] = (160, 90)) -> bytes:
    """Return a photo of a wall with faint noise: another seed gives other bytes of the same scene."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 3, (height, width, 3), np.uint8)
    picture = (np.full((height, width, 3), level, np.uint8) + noise).astype(np.uint8)
    if car is not None:
        picture[30:60, car : car + 40] = (20, 200, 230)
    return cv2.imencode(".png", picture)[1].tobytes()


A, A2, A3, B, B2 = (encoded(100), encoded(100, 1), encoded(100, 2), encoded(100, car=20), encoded(100, 1, 20))
UP, UP2, UP3, UP_B = (
    encoded(100, seed, car, (90, 160)) for seed, car in ((0, None), (1, None), (2, None), (0, 20))
)
SIZES = [encoded(100, size=(100 + 4 * number, 80)) for number in range(5)]
FRAMES = {
    "the reference": ([A, A, A], ["first", "identical", "identical"]),
    "the last unchanged": ([A, A2, A2, A2], ["first", "unchanged", "identical", "identical"]),
    "one, then the other": (
        [A, A2, A, A2, A, B, A2, B, B],
        [
            "first",
            "unchanged",
            "identical",
            "identical",
            "identical",
            "changed",
            "changed",
            "changed",
            "identical",
        ],
    ),
    "an earlier one": ([A, A2, A3, A2], ["first", "unchanged", "unchanged", "unchanged"]),
    "after a change": ([A, A2, B, A2, A2], ["first", "unchanged", "changed", "changed", "identical"]),
    "with damage between": (
        [A, A2, b"", A2, b"no picture", A, A2[:-20], A2],
        ["first", "unchanged", "empty", "identical", "undecodable", "identical", "truncated", "identical"],
    ),
    "two sizes by turns": (
        [A, UP, A, UP, A2, UP2, A2, UP2, A, B, UP2, UP, B, UP3, UP_B, B2, UP_B, A],
        [
            "first",
            "size_changed",
            *["identical"] * 2,
            *["unchanged"] * 2,
            *["identical"] * 3,
            "changed",
            *["identical"] * 3,
            "unchanged",
            "changed",
            "unchanged",
            "identical",
            "changed",
        ],
    ),
    "four sizes, then a fifth": (
        [*SIZES[:4], *SIZES[:4], SIZES[4], *SIZES[1:], SIZES[0]],
        [
            "first",
            *["size_changed"] * 3,
            *["identical"] * 4,
            "size_changed",
            *["identical"] * 4,
            "size_changed",
        ],
    ),
    "damage twice": ([A, b"no picture", b"no picture"], ["first", "undecodable", "undecodable"]),
}
each = pytest.mark.parametrize(("frames", "expected"), FRAMES.values(), ids=FRAMES)
by_each_preset = pytest.mark.parametrize("preset", [CLASSIC, ADAPTIVE], ids=["classic", "adaptive"])


def lay(site: Site, frames: list[bytes], detection: str, *, step_s: int = 60, begin: int = 0) -> None:
    site.configure(detection=detection, min_free="0B")
    for number, data in enumerate(frames, begin):
        path = site.drop / f"{number:03d}.png"
        path.write_bytes(data)
        moment_ns = FIRST_NS + number * step_s * 10**9
        os.utime(path, ns=(moment_ns, moment_ns))


def reasons_of(box: Bench) -> list[str]:
    return [str(event.entry.reason) for event in box.decided]


def conclude_all(box: Bench, most: int | None = None) -> None:
    """Judge as the daemon does: read first, decode only what has to be."""
    for candidate in box.candidates()[:most]:
        outcome = box.pipeline.examine(candidate)
        assert isinstance(outcome, Examined)
        assert isinstance(box.pipeline.conclude(outcome), Decision)


def state_of(box: Bench) -> bytes:
    return box.pipeline._cameras.get("default").judge.state()


@each
@by_each_preset
def test_the_same_bytes_again_are_identical(
    site: Site, bench: Callable[..., Bench], preset: str, frames: list[bytes], expected: list[str]
) -> None:
    """What repeats the reference, or the last unchanged frame, is dropped; the verdict says as what."""
    lay(site, frames, preset)
    box = bench(deliverer=NoDelivery())
    conclude_all(box)
    assert reasons_of(box) == expected
    for event in box.decided:
        if event.entry.reason is Reason.IDENTICAL:
            assert event.entry.score is None
            assert event.entry.reference is not None
            assert event.entry.detail.startswith("the same bytes as the last ")


@each
@by_each_preset
def test_daemon_and_scan_and_every_restart_agree(
    site: Site, bench: Callable[..., Bench], preset: str, frames: list[bytes], expected: list[str]
) -> None:
    """Decoded ahead or not, restarted or killed after any frame: the same verdicts and the same state."""
    agree_after_every_restart(site, bench, preset, frames, expected)


def test_daemon_and_scan_and_every_restart_agree_about_torn_frames(
    site: Site, bench: Callable[..., Bench]
) -> None:
    """How often in a row a camera's frames were torn alike is known after a restart, also after a kill."""
    whole = place(1, 180, 320)
    torn = below(whole, 85, rolled(whole, 70))
    scenes = [whole, torn, torn, whole, torn, torn, torn, torn]
    frames = [png(seen(scene, seed)) for seed, scene in enumerate(scenes)]
    expected = ["first", "torn", "torn", "unchanged", "torn", "torn", "changed", "unchanged"]
    agree_after_every_restart(site, bench, ADAPTIVE, frames, expected)


def agree_after_every_restart(
    site: Site, bench: Callable[..., Bench], preset: str, frames: list[bytes], expected: list[str]
) -> None:
    lay(site, frames, preset)
    ahead = bench()
    ahead.judge_all()  # as a scan does: decoded before it is known whether that is needed
    assert reasons_of(ahead) == expected
    numbers, state = ahead.numbers(), state_of(ahead)
    events: list[LogEvent] = []
    scan(ahead.settings, candidates_of(ahead.settings), events.append, dry_run=True)
    scanned = [str(event.entry.reason) for event in events if isinstance(event, FrameDecided)]
    assert scanned == expected
    for cut in range(len(frames) + 1):
        for is_killed in (False, True):
            for folder in (site.state, site.results):
                shutil.rmtree(folder)
                folder.mkdir()
            first = bench()
            conclude_all(first, cut)
            if not is_killed:
                first.pipeline.flush()
            first.ledger.close()
            second = bench()
            second.pipeline.recover()
            conclude_all(second)
            by_name = {line[0]: line for line in (*first.numbers(), *second.numbers())}
            assert list(by_name.values()) == numbers, f"{cut} {is_killed}"
            assert state_of(second) == state


def test_what_is_identical_is_not_decoded(
    site: Site, bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of frames that repeat one another the daemon decodes only those that it has to judge."""
    decoded: list[bytes] = []

    def counting(data: bytes, *arguments: Any, **keywords: Any) -> Any:
        decoded.append(data)
        return decode(data, *arguments, **keywords)

    monkeypatch.setattr(examining, "decode", counting)
    lay(site, [A, A, A2, A2, A, A2, B, B], ADAPTIVE)
    box = bench(deliverer=NoDelivery())
    conclude_all(box)
    assert decoded == [A, A2, B]


@by_each_preset
def test_identical_frames_teach_nothing(site: Site, bench: Callable[..., Bench], preset: str) -> None:
    """Repeats in between leave no trace: the next frame is judged as if they had not come."""
    lay(site, [A, A2, B, A3], preset)
    plain = bench(deliverer=NoDelivery())
    conclude_all(plain)
    kept = [line[1:] for line in plain.numbers()]
    scores, learnt = (
        [line[1] for line in kept],
        plain.pipeline._cameras.get("default").judge.lanes[160, 90].detector.learnt(),
    )
    shutil.rmtree(site.state)
    site.state.mkdir()
    lay(site, [A, A, A2, A2, A, A2, B, B, A3], preset)
    repeating = bench(deliverer=NoDelivery())
    conclude_all(repeating)
    judged = [line for line in repeating.numbers() if line[1] is not Reason.IDENTICAL]
    assert [line[1:4] for line in judged] == [line[:3] for line in kept]
    assert len(scores) == len(judged)
    assert repeating.pipeline._cameras.get("default").judge.lanes[160, 90].detector.learnt() == learnt


@by_each_preset
def test_damaged_frames_teach_nothing(site: Site, bench: Callable[..., Bench], preset: str) -> None:
    """What is rejected never reaches the judge: broken frames in between leave its state as it was."""
    lay(site, [A, A2, B, A3], preset)
    whole = bench(deliverer=NoDelivery())
    conclude_all(whole)
    learnt = whole.pipeline._cameras.get("default").judge.lanes[160, 90].detector.learnt()
    broken = A2[: len(A2) // 2] + bytes(40) + A2[len(A2) // 2 + 40 :]
    shutil.rmtree(site.state)
    site.state.mkdir()
    lay(site, [A, broken, A2, B[:-9], b"", B, broken, b"no picture", A3], preset)
    torn = bench(deliverer=NoDelivery())
    conclude_all(torn)
    rejected = [event for event in torn.decided if event.entry.reason.verdict == "rejected"]
    assert len(rejected) == 5
    assert torn.pipeline._cameras.get("default").judge.lanes[160, 90].detector.learnt() == learnt
    judged = [line[1:4] for line in torn.numbers() if line[1].verdict != "rejected"]
    assert judged == [line[1:4] for line in whole.numbers()]


@by_each_preset
def test_a_heartbeat_keeps_an_identical_frame(site: Site, bench: Callable[..., Bench], preset: str) -> None:
    """When keep_every has passed, a frame that repeats the reference or the last unchanged one is kept."""
    lay(site, [A, A, A, A2, A2, A2, A2], preset + 'keep_every = "2m"\n')
    box = bench()
    conclude_all(box)
    assert reasons_of(box) == [
        "first", "identical", "heartbeat", "unchanged", "heartbeat", "identical", "heartbeat",
    ]  # fmt: skip
    assert sorted(site.kept_bytes()) == ["000.png", "002.png", "004.png", "006.png"]


def test_a_frame_that_waits_in_a_storm_is_no_repeat(site: Site, bench: Callable[..., Bench]) -> None:
    """What was dropped for a storm alone is judged again: it has its turn when the minute has passed."""
    lay(site, [A, B, A2, A2, A2], CLASSIC + "max_kept_per_hour = 2\n", step_s=20)
    box = bench(deliverer=NoDelivery())
    conclude_all(box)
    assert reasons_of(box) == ["first", "changed", "storm_dropped", "storm_dropped", "storm"]


def test_identical_frames_let_a_storm_end(site: Site, bench: Callable[..., Bench]) -> None:
    """A camera that repeats one picture is in no storm when the hour has passed, and that is said."""
    lay(site, [A, B, A2, A2, A2, A2], CLASSIC + "max_kept_per_hour = 2\n", step_s=1000)
    box = bench(deliverer=NoDelivery())
    conclude_all(box)
    assert reasons_of(box) == ["first", "changed", "storm", *["identical"] * 3]
    assert [name for name in box.said if name.startswith("camera.")] == ["camera.storm", "camera.calm"]


@pytest.mark.parametrize(
    ("edit", "after"),
    [
        ('score_threshold = "2%"', "unchanged"),
        ("border_mask = [9, 9, 9, 9]", "unchanged"),
        ("pixel_threshold = 9", "unchanged"),
        ("blur = 3", "unchanged"),
        ("", "identical"),
    ],
)
@pytest.mark.parametrize("is_restarted", [False, True], ids=["live", "restarted"])
def test_an_edit_judges_the_last_unchanged_frame_again(
    site: Site, bench: Callable[..., Bench], edit: str, after: str, *, is_restarted: bool
) -> None:
    """After an edit of its camera's detection it may differ; a repeat of the reference never does."""
    lay(site, [A, A2, A2], CLASSIC)
    box = bench()
    conclude_all(box)
    assert reasons_of(box) == ["first", "unchanged", "identical"]
    key = edit.partition(" ")[0]
    kept_lines = [line for line in CLASSIC.splitlines() if not key or not line.startswith(key)]
    lay(site, [A2, A2, A], "\n".join([*kept_lines, edit]), begin=3)
    if is_restarted:
        box.pipeline.flush()
        box.ledger.close()
        box = bench()
        conclude_all(box)
        assert reasons_of(box) == [after, "identical", "identical"]
        return
    box.pipeline.retune(load(site.config).settings)
    conclude_all(box)
    assert reasons_of(box)[3:] == [after, "identical", "identical"]


def test_an_edit_of_another_camera_judges_nothing_again(site: Site, bench: Callable[..., Bench]) -> None:
    """What a camera has just judged stays judged when the settings of another change, or the log's."""
    lay(site, [A, A2], CLASSIC)
    box = bench()
    conclude_all(box)
    lay(site, [A2], CLASSIC + "[camera.other.detection]\nblur = 9\n[log]\nlevel = 'debug'\n", begin=2)
    box.pipeline.retune(load(site.config).settings)
    conclude_all(box)
    assert reasons_of(box) == ["first", "unchanged", "identical"]


def test_another_mask_in_the_same_file_judges_again(site: Site, bench: Callable[..., Bench]) -> None:
    """A mask that was painted anew counts as an edit, also if the config says the same as before."""
    mask = site.home / "mask.png"
    cv2.imwrite(str(mask), np.full((4, 4), 255, np.uint8))
    lay(site, [A, A2, A2], CLASSIC + 'mask_file = "mask.png"\n')
    box = bench()
    conclude_all(box)
    cv2.imwrite(str(mask), np.eye(4, dtype=np.uint8))
    lay(site, [A2, A2], CLASSIC + 'mask_file = "mask.png"\n', begin=3)
    box.pipeline.retune(load(site.config).settings)
    conclude_all(box)
    assert reasons_of(box) == ["first", "unchanged", "identical", "unchanged", "identical"]


def test_without_its_reference_nothing_is_identical(site: Site, bench: Callable[..., Bench]) -> None:
    """When the last kept frame is gone for good, the next is a first one, whatever its bytes are."""
    lay(site, [A, A2], CLASSIC)
    box = bench()
    conclude_all(box)
    box.pipeline.flush()
    box.ledger.close()
    for folder in (site.drop, site.results):
        shutil.rmtree(folder)
        folder.mkdir()
    lay(site, [A2, A2], CLASSIC, begin=2)
    with closing((again := bench()).ledger):
        conclude_all(again)
        assert reasons_of(again) == ["first", "identical"]
        assert again.said == ["reference.lost"]


def test_a_candidate_that_was_only_read_may_still_be_unfinished(
    site: Site, bench: Callable[..., Bench]
) -> None:
    """What has no end is put back while more of it may come, also when it is decoded in its turn only."""
    lay(site, [A, A2[:-20]], CLASSIC)
    box = bench(deliverer=NoDelivery())
    conclude_all(box, 1)
    (candidate,) = box.candidates()
    unfinished = replace(candidate, is_final=False)
    final = box.pipeline.examine(candidate)
    assert isinstance(final, Examined)
    only_read = replace(final, candidate=unfinished, rejection=None)
    for outcome in (box.pipeline.examine(unfinished), box.pipeline.conclude(only_read)):
        assert str(getattr(outcome, "why", None)) == "unfinished"
    assert len(box.decided) == 1

import os
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from framegate.cameras import cameras
from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.events.frames import CameraClock, FrameDecided, ReferenceRestored
from framegate.examining import Examined
from framegate.ingest.sweeping import candidates_of
from framegate.keep.delivery import NoDelivery, ResultsFolder
from framegate.keep.ledger import Ledger
from framegate.keep.memories import LaneMemory, Memory
from framegate.keep.run_ledger import MOST_KEPT, JudgingLedger, RunLedger
from framegate.model import Candidate, Entry, FileKey, Moment, Reason
from framegate.pipeline import Pipeline
from running import Site

DAY_NS = 86_400 * 10**9
START_NS = 1_800_000_000 * 10**9
PACED = "max_kept_per_hour = 4\nkeep_every = '2m'"


def lay_three_cameras(site: Site, frames: list[bytes]) -> None:
    """Lay frames of three cameras in turn, each of them in two sizes, 20 s apart."""
    site.configure(drop="camera_pattern = '^(?P<camera>c[0-9]+)'", detection=PACED)
    for number, data in enumerate(frames * 2):
        for camera in range(3):
            encoded = data
            if (number + camera) % 5 == 0:
                picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
                assert picture is not None
                encoded = cv2.imencode(".png", cv2.resize(picture, (320, 240)))[1].tobytes()
            path = site.drop / f"c{camera}_{number:04d}.jpg"
            path.write_bytes(encoded)
            moment_ns = START_NS + 20 * 10**9 * number + camera
            os.utime(path, ns=(moment_ns, moment_ns))


def arriving(candidate: Candidate) -> Candidate:
    """Return a candidate with its arrival; one camera's clock is a day ahead, one stands still."""
    captured_at_ns = candidate.captured_at_ns
    clocks = {"c0": captured_at_ns, "c1": captured_at_ns + DAY_NS, "c2": START_NS}
    return replace(candidate, arrived_at_ns=captured_at_ns + 10**9, captured_at_ns=clocks[candidate.camera])


def decided(site: Site, ledger: JudgingLedger, *, dry_run: bool, has_arrivals: bool) -> list[object]:
    """Return all verdicts over a site, to the last bit, and what was said of its cameras."""
    settings, said = load(site.config).settings, list[LogEvent]()
    deliverer = NoDelivery() if dry_run else ResultsFolder(site.results)
    pipeline = Pipeline(settings, deliverer, ledger, said.append)
    for candidate in candidates_of(settings):
        examined = pipeline.examine(arriving(candidate) if has_arrivals else candidate)
        assert isinstance(examined, Examined)
        pipeline.conclude(examined)
    verdicts = [event.entry for event in said if isinstance(event, FrameDecided)]
    others = [event for event in said if not isinstance(event, FrameDecided | ReferenceRestored)]
    return [*(replace(entry, decided_at_ns=0) for entry in verdicts), *others]


@pytest.mark.parametrize("has_arrivals", [False, True], ids=["as-a-scan", "as-a-replay"])
@pytest.mark.parametrize("dry_run", [False, True], ids=["delivered", "dry-run"])
def test_a_single_run_decides_as_with_the_ledger_of_the_daemon(
    site: Site, morning: list[bytes], monkeypatch: pytest.MonkeyPatch, *, dry_run: bool, has_arrivals: bool
) -> None:
    """Cameras that do not fit into memory come back with their sizes, storms, heartbeats and clocks."""
    lay_three_cameras(site, morning)
    settings = load(site.config).settings
    with closing(Ledger(site.state / "ledger.sqlite3")) as ledger:
        expected = decided(site, ledger, dry_run=dry_run, has_arrivals=has_arrivals)
    reasons = {entry.reason for entry in expected if isinstance(entry, Entry)}
    assert reasons >= {Reason.CHANGED, Reason.SIZE_CHANGED, Reason.STORM, Reason.STORM_DROPPED}
    assert any(isinstance(event, CameraClock) for event in expected) == has_arrivals
    for budget in (10**9, 1):
        monkeypatch.setattr(cameras, "budget_bytes", partial(int, budget))
        assert decided(site, RunLedger(settings), dry_run=dry_run, has_arrivals=has_arrivals) == expected, (
            f"with {budget} bytes"
        )


def kept(number: int, camera: str = "c") -> Entry:
    return Entry(FileKey(f"{number:07}.jpg", 10, 20), camera, number, Reason.CHANGED, 40, 1)


@pytest.fixture
def ledger(site: Site) -> RunLedger:
    """The ledger of a run whose cameras may keep some frames an hour."""
    site.configure(detection=PACED)
    return RunLedger(load(site.config).settings)


@pytest.fixture
def keep(ledger: RunLedger) -> Callable[[Entry, Memory], None]:
    """Keep a frame, after which its camera has learnt so much."""

    def keep(entry: Entry, memory: Memory) -> None:
        ledger.learn(entry.camera, lambda: memory)
        ledger.intend(entry)
        ledger.finish(entry.key, entry.key.name)

    return keep


def test_the_reference_of_a_size_that_was_not_sent_for_long_is_remembered(
    ledger: RunLedger, keep: Callable[[Entry, Memory], None]
) -> None:
    """However many frames of another size are kept, what each size is compared with can be found again."""
    rare = kept(0)
    for number in range(10 * MOST_KEPT):
        entry = kept(number)
        keep(entry, Memory((LaneMemory((4, 3), rare.key), LaneMemory((8, 6), entry.key))))
        ledger.note(replace(entry, key=replace(entry.key, name="dropped"), reason=Reason.UNCHANGED))
        for reference in (rare, entry):
            assert ledger.kept(reference.key) == replace(reference, result=reference.key.name)
    ledger.flush()
    assert [lane.reference for lane in ledger.memory_of("c").lanes] == [rare.key, entry.key]
    assert ledger.kept_lately("c", 2) == [Moment(number - 1), Moment(number)]


def test_the_ledger_of_a_run_does_not_grow_with_its_frames(keep: Callable[[Entry, Memory], None]) -> None:
    """After 12,000 frames it takes no more memory than after 2,000."""

    def judge(first: int, last: int) -> int:
        for number in range(first, last):
            entry = kept(number)
            keep(entry, Memory((LaneMemory((8, 6), entry.key),)))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = judge(0, 2_000)
        assert judge(2_000, 12_000) - before < 40_000  # that of the frames that are not forgotten yet
    finally:
        tracemalloc.stop()

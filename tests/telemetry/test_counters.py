import json
import random
import time
from dataclasses import replace

import pytest

from framegate.config.settings import Settings
from framegate.events.base import LogEvent
from framegate.events.frames import CameraClock, FrameDecided
from framegate.ingest.pending import Pending
from framegate.keep.schema import THE_OTHERS
from framegate.model import Entry, FileKey, Reason, Verdict
from framegate.telemetry.counters import MOST_CAMERAS, RECENT_KEPT, SCORES, Counters
from framegate.telemetry.current_status import current_status
from framegate.telemetry.status import Status, Vitals, from_json


def entry(camera: str, reason: Reason, number: int = 0, score: float | None = None) -> Entry:
    key = FileKey(f"{camera}_{number}.jpg", 10, number)
    return Entry(key, camera, number, reason, number, 1, score=score)


def decided(
    camera: str, reason: Reason, number: int = 0, *, before: Reason | None = None, score: float | None = None
) -> FrameDecided:
    return FrameDecided(entry(camera, reason, number, score), 5.0, recovered_from=before)


def test_every_verdict_is_counted_once() -> None:
    """Counted are the ledger's totals and every verdict since, by camera and reason."""
    counters = Counters({("a", Reason.FIRST): 1, ("a", Reason.UNCHANGED): 5, ("b", Reason.EMPTY): 2})
    for event in (decided("a", Reason.CHANGED), decided("a", Reason.UNCHANGED), decided("c", Reason.FIRST)):
        counters(event)
    assert counters.cameras["a"].reasons == {Reason.FIRST: 1, Reason.UNCHANGED: 6, Reason.CHANGED: 1}
    assert [counters.count(verdict) for verdict in (Verdict.KEPT, Verdict.DROPPED, Verdict.REJECTED)] == [
        3,
        6,
        2,
    ]


def test_a_frame_that_is_recovered_is_not_counted_again() -> None:
    """A frame whose delivery a crash cut is in the totals; one whose bytes are gone changes its reason."""
    counters = Counters({("a", Reason.CHANGED): 2})
    counters(decided("a", Reason.CHANGED, before=Reason.CHANGED))
    counters(decided("a", Reason.VANISHED, before=Reason.CHANGED))
    assert +counters.cameras["a"].reasons == {Reason.CHANGED: 1, Reason.VANISHED: 1}


def test_late_frames_are_counted_once() -> None:
    """Counted are the late frames in the ledger and those since; one that is recovered was counted before."""
    counters = Counters(late={"a": 2})
    for before in (None, Reason.CHANGED):
        event = decided("a", Reason.CHANGED, before=before)
        counters(replace(event, entry=replace(event.entry, late=True)))
    assert counters.cameras["a"].late == 3


def test_the_last_frames_and_scores_are_remembered() -> None:
    """Known are the last frame, the last kept one, and so many scores of each camera."""
    counters = Counters(latest=[entry("a", Reason.FIRST, 0), entry("a", Reason.UNCHANGED, 1, 0.1)])
    for number in range(2, 2 + SCORES):
        counters(decided("a", Reason.UNCHANGED, number, score=number / 10))
    camera = counters.cameras["a"]
    assert camera.last is not None
    assert camera.last.key.name == f"a_{1 + SCORES}.jpg"
    assert [kept.key.name for kept in camera.recent_kept] == ["a_0.jpg"]
    assert [entry.score for entry in camera.compared] == [number / 10 for number in range(2, 2 + SCORES)]


def test_the_last_kept_frames_are_shown_newest_first() -> None:
    """So many of each camera, as pictures of the results folder; a status of before can still be read."""
    counters = Counters()
    for number in range(2 * RECENT_KEPT):
        counters(decided("a", Reason.CHANGED, 2 * number))
        counters(decided("a", Reason.UNCHANGED, 2 * number + 1))
    status = current_status(counters, Vitals(), {}, 0.0)
    camera = from_json(status.to_json()).cameras["a"]
    newest = [4 * RECENT_KEPT - 2 - 2 * number for number in range(RECENT_KEPT)]
    assert [round(kept.decided_at_s * 1e9) for kept in camera.recent_kept] == newest
    old = json.loads(status.to_json())
    for added in ("recent_kept", "threshold", "unit", "schedule", "silent_s"):
        del old["cameras"]["a"][added]
    before = from_json(json.dumps(old)).cameras["a"]
    assert (before.kept, before.recent_kept, before.threshold) == (camera.kept, (), None)


@pytest.mark.parametrize(
    ("preset", "threshold", "shown"),
    [("adaptive", "3x", (3.0, "x")), ("classic", "2%", (2.0, "%")), ("classic", "5000px", (None, "%"))],
)
def test_the_threshold_of_now_is_that_of_the_settings(
    preset: str, threshold: str, shown: tuple[float | None, str]
) -> None:
    """In the unit of scores; not known is how much of a picture some pixels are, and that of the others."""
    own = {"preset": preset, "score_threshold": threshold, "min_contour_area": "0%"}
    folders = {"drop": {"folder": "/drop"}, "results": {"folder": "/results"}}
    counters = Counters({("a", Reason.FIRST): 1, ("b", Reason.FIRST): 1, (THE_OTHERS, Reason.FIRST): 1})
    assert current_status(counters, Vitals(), {}, 0.0).cameras["a"].threshold is None
    settings = Settings.model_validate({"version": 1, **folders, "camera": {"a": {"detection": own}}})
    counters.retune(settings)
    cameras = current_status(counters, Vitals(), {}, 0.0).cameras
    assert (cameras["a"].threshold, cameras["a"].unit) == shown
    assert (cameras["b"].threshold, cameras["b"].unit) == (2.3, "x")
    assert (cameras[THE_OTHERS].threshold, cameras[THE_OTHERS].unit) == (None, None)


def test_the_threshold_of_now_is_that_of_the_schedule_that_counts_now() -> None:
    """A status is made anew when another schedule begins or ends, though no frame came."""
    night = {"score_threshold": "12x"}
    tables = {
        "drop": {"folder": "/drop"},
        "results": {"folder": "/results"},
        "schedule": [{"name": "night", "hours": "20:00-06:00", "cameras": "a", "detection": night}],
    }
    counters = Counters({("a", Reason.FIRST): 1, ("b", Reason.FIRST): 1, (THE_OTHERS, Reason.FIRST): 1})
    counters.retune(Settings.model_validate({"version": 1, **tables}))

    def shown_at(hour: int) -> dict[str, tuple[float | None, str | None]]:
        at_ns = int(time.mktime((2026, 11, 27, hour, 30, 0, 0, 0, -1))) * 10**9
        status = current_status(counters, Vitals(), {}, 0.0, at_ns=at_ns)
        cameras = from_json(status.to_json()).cameras
        return {name: (camera.threshold, camera.schedule) for name, camera in cameras.items()}

    by_day = {"a": (2.3, None), "b": (2.3, None), THE_OTHERS: (None, None)}
    assert shown_at(19) == by_day
    assert shown_at(20) == by_day | {"a": (12.0, "night")}
    assert shown_at(7) == by_day


def test_names_from_outside_do_not_make_the_counters_grow() -> None:
    """Cameras beyond the first 256 are counted together, and nothing is lost from the sums."""
    counters = Counters()
    for number in range(MOST_CAMERAS + 50):
        counters(decided(f"c{number}", Reason.FIRST))
    assert len(counters.cameras) == MOST_CAMERAS + 1
    assert counters.cameras[THE_OTHERS].reasons[Reason.FIRST] == 50
    assert counters.count(Verdict.KEPT) == MOST_CAMERAS + 50


def test_durations_are_counted_below_their_bounds() -> None:
    """The histogram says of each bound how many took at most so long."""
    counters, chance = Counters(), random.Random(1)
    milliseconds = [chance.uniform(0, 3000) for _ in range(500)]
    for value in milliseconds:
        counters(FrameDecided(entry("a", Reason.FIRST), value))
    for bound_s, count in counters.durations.cumulative():
        assert count == sum(value / 1000 <= bound_s for value in milliseconds)
    assert abs(counters.durations.sum_s - sum(milliseconds) / 1000) < 1e-6


def test_what_is_shown_of_a_camera_follows_every_change() -> None:
    """A status that is made after others is, to the byte, what it would be if it were the first."""
    counters, events = Counters(), list[LogEvent]()

    def after(event: LogEvent | None, waiting: dict[str, Pending], frozen: dict[str, float]) -> Status:
        if event is not None:
            events.append(event)
            counters(event)
        anew = Counters()
        for each in events:
            anew(each)
        now, first = (current_status(each, Vitals(), waiting, 10.0, frozen) for each in (counters, anew))
        assert json.loads(now.to_json())["cameras"] == json.loads(first.to_json())["cameras"]
        assert from_json(now.to_json()).to_json() == now.to_json()
        return now

    quiet = after(decided("a", Reason.FIRST), {}, {})
    assert after(None, {}, {}).cameras["a"] is quiet.cameras["a"]
    waits = after(decided("b", Reason.FIRST), {"b": Pending(2, 4.0, "why")}, {"a": 3.0}).cameras
    assert (waits["b"].seen, waits["b"].oldest_pending_s, waits["a"].frozen_s) == (3, 6.0, 7.0)
    later = after(decided("a", Reason.UNCHANGED, 1, score=1.5), {"a": Pending(1, 9.0)}, {}).cameras
    assert (later["a"].seen, later["a"].scores, later["a"].frozen_s, later["b"].seen) == (3, (1.5,), None, 1)
    wrong = after(CameraClock("b", "b.jpg", "ahead", "2036-01-01T00:00:00Z", 10**8), {}, {}).cameras
    assert (wrong["a"].seen, wrong["b"].clock_fault) == (2, "ahead")

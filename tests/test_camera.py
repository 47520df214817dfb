import os
import random
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from framegate.cameras import cameras
from framegate.commands.scanning import scan
from framegate.config.detection import DetectionSettings, IgnoredArea
from framegate.config.load import load
from framegate.config.quantities import Area, Times
from framegate.detect.detector import reduced, reduction_of
from framegate.errors import SinkError
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.examining import Examined
from framegate.ingest.sweeping import candidates_of
from framegate.keep.delivery import ResultsFolder
from framegate.keep.ledger import Ledger
from framegate.pipeline import Pipeline
from invariants import check, lines_of
from oracle import CAMERAS, DETECTION, FIRST_MTIME_NS, Shot, shot, upload
from pictures import picture_for
from running import Site

HOUR_S, MINUTE_S = 3600, 60
Moment = tuple[int, int]
"""Seconds of capture time, and the scene."""


class Run:
    """One life of a pipeline over a site, and what it has announced."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.settings = load(site.config).settings
        self.events: list[LogEvent] = []
        self.ledger = Ledger(site.state / "ledger.sqlite3")
        self.pipeline = Pipeline(self.settings, ResultsFolder(site.results), self.ledger, self.events.append)

    def judge(self, most: int | None = None) -> None:
        """Judge what has no verdict yet, at the most so many."""
        fresh = [c for c in candidates_of(self.settings) if not self.ledger.knows(c.key)]
        for candidate in fresh[:most]:
            examined = self.pipeline.examine(candidate)
            assert isinstance(examined, Examined)
            self.pipeline.conclude(examined)

    def retune(self) -> None:
        """Take the config that is there now."""
        self.settings = load(self.site.config).settings
        self.pipeline.retune(self.settings)

    @property
    def reasons(self) -> list[str]:
        return reasons_of(self.events)


@contextmanager
def running(site: Site) -> Iterator[Run]:
    run = Run(site)
    with closing(run.ledger):
        yield run


def reasons_of(events: list[LogEvent]) -> list[str]:
    return [str(event.entry.reason) for event in events if isinstance(event, FrameDecided)]


def storms_of(events: list[LogEvent]) -> list[tuple[str, dict[str, object]]]:
    return [(event.event, event.fields) for event in events if event.event in {"camera.storm", "camera.calm"}]


def lay(site: Site, moments: list[Moment]) -> list[Shot]:
    """Lay frames into the drop folder: their names give the order of those of one time."""
    shots = [
        replace(shot(number, scene), mtime_ns=FIRST_MTIME_NS + at_s * 10**9)
        for number, (at_s, scene) in enumerate(moments)
    ]
    for taken in shots:
        upload(taken, site.drop)
    return shots


class Model:
    """What the README says of heartbeats and storms, said again in a few straight lines."""

    def __init__(self, keep_every_s: int | None, most: int | None) -> None:
        self.keep_every_s, self.most = keep_every_s, most
        self.kept: list[Moment] = []
        self.storm: tuple[int, int] | None = None
        self.said: list[tuple[str, dict[str, object]]] = []

    def is_storm(self, at_s: int) -> bool:
        lately = self.kept[-self.most :] if self.most else []
        return bool(self.most) and sum(0 <= at_s - kept_s < HOUR_S for kept_s, _ in lately) >= (
            self.most or 0
        )

    def judge(self, at_s: int, scene: int) -> str:
        reason = self.reason(at_s, scene)
        if reason not in {"unchanged", "storm_dropped"}:
            self.kept.append((at_s, scene))
        kept, dropped = self.storm or (0, 0)
        if reason.startswith("storm"):
            if self.storm is None:
                self.said.append(("camera.storm", {"camera": "default", "max_kept_per_hour": self.most}))
            self.storm = (kept + (reason == "storm"), dropped + (reason == "storm_dropped"))
        elif self.storm and not self.is_storm(at_s):
            self.said.append(("camera.calm", {"camera": "default", "kept": kept, "dropped": dropped}))
            self.storm = None
        return reason

    def reason(self, at_s: int, scene: int) -> str:
        if not self.kept:
            return "first"
        since_s = abs(at_s - self.kept[-1][0])
        if scene == self.kept[-1][1]:
            return "heartbeat" if self.keep_every_s and since_s >= self.keep_every_s else "unchanged"
        if self.is_storm(at_s):
            return "storm" if since_s >= MINUTE_S else "storm_dropped"
        return "changed"


def configure(site: Site, *, keep_every: str | None = None, most: int | None = None, rest: str = "") -> None:
    lines = [DETECTION, rest]
    lines += [f'keep_every = "{keep_every}"'] if keep_every else []
    lines += [f"max_kept_per_hour = {most}"] if most else []
    site.configure(detection="\n".join(lines), min_free="0B")


def a_day(seed: int, frames: int = 60) -> list[Moment]:
    """Return a day of a camera: quiet hours, and hours in which all changes all the time."""
    chance = random.Random(seed)
    moments: list[Moment] = []
    at_s, scene = 0, 0
    while len(moments) < frames:
        is_wild = chance.random() < 0.6
        for _ in range(chance.randint(3, 20)):
            at_s += chance.choice((1, 20, 59, 60, 61, 200)) if is_wild else chance.choice((300, 1200, 1800))
            scene = (scene + chance.randint(1, 3)) % 4 if is_wild or chance.random() < 0.2 else scene
            moments.append((at_s, scene))
    return moments[:frames]


def test_a_quiet_camera_keeps_a_frame_every_so_often(site: Site) -> None:
    """With keep_every an unchanged frame that comes so long after the last kept one is kept."""
    configure(site, keep_every="1h")
    lay(
        site,
        [
            (0, 0),
            (1800, 0),
            (HOUR_S - 1, 0),
            (HOUR_S, 0),
            (HOUR_S + 10, 0),
            (HOUR_S + 20, 1),
            (2 * HOUR_S, 1),
        ],
    )
    with running(site) as run:
        run.judge()
    assert run.reasons == [
        "first",
        "unchanged",
        "unchanged",
        "heartbeat",
        "unchanged",
        "changed",
        "unchanged",
    ]
    references = [event.entry.reference for event in run.events if isinstance(event, FrameDecided)]
    assert references[4:6] == ["000003.jpg", "000003.jpg"]
    assert set(site.kept_bytes()) == {"000000.jpg", "000003.jpg", "000005.jpg"}


def test_in_a_storm_one_frame_a_minute_is_kept(site: Site) -> None:
    """Above max_kept_per_hour frames that differ are kept once a minute, until an hour has room again."""
    configure(site, most=3)
    moments = [(10 * number, number % 2) for number in range(3)]  # as many as an hour may have
    moments += [(30, 1), (79, 1), (80, 1), (90, 0), (90 + MINUTE_S, 0), (150, 0)]
    moments += [(HOUR_S + 100, 0), (HOUR_S + 110, 1)]
    lay(site, moments)
    with running(site) as run:
        run.judge()
    assert run.reasons == [
        "first", "changed", "changed", "storm_dropped", "storm_dropped", "storm", "storm_dropped",
        "storm", "unchanged", "unchanged", "changed",
    ]  # fmt: skip
    assert storms_of(run.events) == [
        ("camera.storm", {"camera": "default", "max_kept_per_hour": 3}),
        ("camera.calm", {"camera": "default", "kept": 2, "dropped": 3}),
    ]


SETTINGS = [("1h", None), (None, 4), ("30m", 6), ("2h", 1)]


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
@pytest.mark.parametrize(("keep_every", "most"), SETTINGS)
def test_heartbeats_and_storms_are_what_is_promised(
    site: Site, keep_every: str | None, most: int | None, seed: int
) -> None:
    """Over days of quiet and wild hours, by run and by scan, verdicts and storms are as the README says."""
    configure(site, keep_every=keep_every, most=most)
    shots = lay(site, moments := a_day(seed))
    model = Model(None if keep_every is None else {"1h": 3600, "30m": 1800, "2h": 7200}[keep_every], most)
    expected = [model.judge(*moment) for moment in moments]
    with running(site) as run:
        run.judge()
    assert run.reasons == expected
    assert storms_of(run.events) == model.said
    events: list[LogEvent] = []
    shutil.rmtree(site.results)
    site.results.mkdir()
    scan(run.settings, candidates_of(run.settings), events.append)
    assert (reasons_of(events), storms_of(events)) == (expected, model.said)
    assert len(shots) == len(expected)


@pytest.mark.parametrize("is_committed", [True, False], ids=["committed", "killed"])
def test_a_restart_in_a_storm_changes_nothing(site: Site, *, is_committed: bool) -> None:
    """Killed after any frame, the next life judges as one would have, and counts the storm to its end."""
    configure(site, keep_every="30m", most=4)
    moments = a_day(5, frames=50)
    lay(site, moments)
    model = Model(1800, 4)
    expected = [model.judge(*moment) for moment in moments]
    assert {"storm", "storm_dropped", "heartbeat"} < set(expected)
    for cut in range(1 + is_committed, len(moments), 3):
        with running(site) as first:
            first.judge(cut)
            if is_committed:
                first.pipeline.flush()
        with running(site) as second:
            second.judge()
        final = {
            e.entry.key.name: str(e.entry.reason)
            for e in (*first.events, *second.events)
            if isinstance(e, FrameDecided)
        }
        assert list(final.values()) == expected, f"killed after {cut}"
        said = storms_of([*first.events, *second.events])
        if is_committed:
            assert said == model.said, f"killed after {cut}"
        calms = [fields for event, fields in said if event == "camera.calm"]
        assert [fields for event, fields in model.said if event == "camera.calm"] == [
            fields for number, fields in enumerate(calms) if fields not in calms[:number] or is_committed
        ]
        for folder in (site.state, site.results):
            shutil.rmtree(folder)
            folder.mkdir()


@pytest.mark.parametrize("back_s", [10, 2 * HOUR_S, 365 * 24 * HOUR_S])
def test_a_camera_clock_that_is_set_back_stops_neither(site: Site, back_s: int) -> None:
    """After its clock is set back a camera has heartbeats and storms by its new time, and none for ever."""
    configure(site, keep_every="1h", most=3)
    before = [(20 * number, number % 2) for number in range(6)]
    after = [(100 - back_s + 1200 * number, 2 + number // 4 % 2) for number in range(12)]
    model = Model(HOUR_S, 3)
    expected = [model.judge(*moment) for moment in (*before, *after)]
    with running(site) as run:
        for number, (at_s, scene) in enumerate((*before, *after)):
            taken = replace(shot(number, scene), mtime_ns=FIRST_MTIME_NS + at_s * 10**9)
            upload(taken, site.drop)
            run.judge()
    assert run.reasons == expected
    assert "storm" in run.reasons[:6]
    assert "heartbeat" in run.reasons[6:]
    assert storms_of(run.events) == model.said
    assert model.storm is None


def test_a_clock_that_is_set_back_counts_from_the_last_kept_frame_at_once(site: Site) -> None:
    """However far back the clock jumps, a still scene has a heartbeat: it does not wait to catch up."""
    configure(site, keep_every="1h")
    moments = [(4 * HOUR_S, 0), (10, 0), (20, 0), (HOUR_S + 9, 0), (HOUR_S + 10, 0)]
    with running(site) as run:
        for number, (at_s, scene) in enumerate(moments):
            taken = replace(shot(number, scene), mtime_ns=FIRST_MTIME_NS + at_s * 10**9)
            upload(taken, site.drop)
            run.judge()
    assert run.reasons == ["first", "heartbeat", "unchanged", "unchanged", "heartbeat"]


# --- settings that change while it runs -------------------------------------------------------------------


def test_an_edit_does_not_end_a_storm_or_say_it_again(site: Site) -> None:
    """A setting that changes in a storm neither repeats its beginning nor loses its counts."""
    configure(site, most=3)
    moments = [(10 * number, number % 2) for number in range(30)] + [(2 * HOUR_S, 1), (2 * HOUR_S + 1, 0)]
    lay(site, moments)
    with running(site) as plain:
        plain.judge()
    for folder in (site.state, site.results):
        shutil.rmtree(folder)
        folder.mkdir()
    edits = ["dilate = 1", "blur = 3", "working_height = 20", "max_kept_per_hour = 3"]
    with running(site) as run:
        for edit in edits * 2:
            run.judge(3)
            configure(site, most=None if "max" in edit else 3, rest=edit)
            run.retune()
        run.judge()
    assert run.reasons == plain.reasons
    assert storms_of(run.events) == storms_of(plain.events)


def test_a_limit_that_is_raised_or_lowered_counts_what_was_kept_before(site: Site) -> None:
    """max_kept_per_hour looks back over the hour before the edit, whatever it was then."""
    moments = [(10 * number, number % 4) for number in range(40)]
    lay(site, moments)
    model, expected = Model(None, None), []
    configure(site)
    with running(site) as run:
        for number, most in enumerate((None, 5, 30, None, 3)):
            configure(site, most=most)
            run.retune()
            run.judge(8)
            model.most = most
            expected += [model.judge(*moment) for moment in moments[8 * number : 8 * number + 8]]
    assert run.reasons == expected
    assert run.reasons.count("storm_dropped") > 10
    assert storms_of(run.events) == model.said


@pytest.mark.parametrize(
    "edit", ["", "dilate = 3", "border_mask = [9, 9, 9, 9]", "pixel_threshold = 9", "blur = 9"]
)
def test_an_edit_needs_no_file_of_the_reference(site: Site, edit: str) -> None:
    """When results are fetched away and the drop folder is cleared, an edit still loses no reference."""
    configure(site)
    lay(site, [(0, 0)])
    with running(site) as run:
        run.judge()
        for folder in (site.drop, site.results):
            shutil.rmtree(folder)
            folder.mkdir()
        configure(site, rest=edit)
        run.retune()
        upload(shot(1, 0), site.drop)
        upload(shot(2, 1), site.drop)
        run.judge()
    assert run.reasons == ["first", "unchanged", "changed"]
    assert {event.event for event in run.events} == {"frame.kept", "frame.dropped"}


def test_an_edit_of_the_working_height_prepares_the_reference_anew(site: Site) -> None:
    """Another working height keeps the reference: it is read again, and compared at the new size."""
    configure(site)
    lay(site, [(0, 0), (10, 0)])
    with running(site) as run:
        run.judge()
        configure(site, rest="working_height = 24")
        run.retune()
        upload(shot(2, 0), site.drop)
        upload(shot(3, 1), site.drop)
        run.judge()
    assert run.reasons == ["first", "unchanged", "unchanged", "changed"]
    assert [event.event for event in run.events][2] == "reference.restored"


def test_edits_and_cameras_that_are_put_away_go_together(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With memory for two of five cameras, edits between frames change no verdict."""
    monkeypatch.setattr(cameras, "budget_bytes", lambda: 10_000)
    site.configure(drop=CAMERAS, detection=DETECTION, min_free="0B")
    shots = [shot(number, number // 7 % 4, camera=f"c{number * 3 % 5}") for number in range(60)]
    for taken in shots:
        upload(taken, site.drop)
    with running(site) as run:
        for edit in ("blur = 3", "dilate = 1", "working_height = 24", "", "keep_every = '1d'") * 5:
            run.judge(2)
            site.configure(drop=CAMERAS, detection=DETECTION + edit, min_free="0B")
            run.retune()
            run.judge(1)
        run.pipeline.flush()
    check(site, shots, acknowledged=lines_of(run.events))


ADAPTIVE = DetectionSettings()
CLASSIC = DetectionSettings.preset("classic", min_contour_area="1px", score_threshold="1px")
OTHERWISE: dict[str, object] = {
    "preset_name": "classic",
    "min_contour_area": Area(1, "px"),
    "score_threshold": Area(1, "px"),
    "border_mask": (1.0, 1.0, 1.0, 1.0),
    "mask_file": "mask.png",
    "working_height": 100,
    "blur": 9,
    "pixel_threshold": 7,
    "dilate": 7,
    "keep_every": 60.0,
    "max_kept_per_hour": 5,
    "zone": (),
    "ignore": (IgnoredArea(name="x", polygon=[[0, 0], [1, 0], [1, 1]]),),
}


@pytest.mark.parametrize("key", DetectionSettings.model_fields)
def test_it_is_known_whose_pictures_can_be_compared(key: str) -> None:
    """Whichever setting differs, pictures are prepared alike, or it is said that they are not."""
    picture = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    for usual in (CLASSIC, ADAPTIVE):
        otherwise = Times(5) if usual is ADAPTIVE and key == "score_threshold" else OTHERWISE[key]
        other = usual.model_copy(update={key: otherwise})
        one, another = (reduced(picture_for(each, picture), each) for each in (usual, other))
        assert (reduction_of(usual) == reduction_of(other)) == np.array_equal(one.image, another.image)


# --- masks ------------------------------------------------------------------------------------------------


def write_mask(path: Path, left: int, right: int) -> None:
    """Write a mask of two halves."""
    mask = np.full((4, 4), left, np.uint8)
    mask[:, 2:] = right
    assert cv2.imwrite(str(path), mask)


def test_a_mask_is_the_one_that_came_into_force(site: Site) -> None:
    """A mask that is changed, cut or removed later counts when the config is read again, and not before."""
    mask = site.home / "mask.png"
    write_mask(mask, 255, 255)
    settle = 'camera_pattern = "^(?P<camera>c.)"'
    site.configure(drop=settle, detection=f'{DETECTION}mask_file = "mask.png"', min_free="0B")
    with running(site) as run:
        for number, content in enumerate((None, b"", b"no picture")):
            mask.unlink(missing_ok=True)
            if content is not None:
                mask.write_bytes(content)
            upload(shot(number, 0, camera=f"c{number}"), site.drop)  # set up only now
            upload(shot(number + 10, 1, camera=f"c{number}"), site.drop)
            run.judge()
        assert run.reasons == ["first", "changed"] * 3
        write_mask(mask, 0, 0)
        run.retune()
        upload(shot(20, 0, camera="c1"), site.drop)
        run.judge()
    assert run.reasons[-1] == "unchanged"


def test_a_mask_that_is_gone_holds_frames_up_and_rejects_none(site: Site) -> None:
    """When the mask vanishes in the moment of the edit, frames wait for it as for a full disk."""
    mask = site.home / "mask.png"
    write_mask(mask, 255, 255)
    configure(site)
    lay(site, [(0, 0), (10, 1)])
    with running(site) as run:
        run.judge(1)
        configure(site, rest='mask_file = "mask.png"')
        mask.unlink()
        run.retune()
        with pytest.raises(SinkError, match=r"cannot read the mask: .*mask\.png"):
            run.judge()
        write_mask(mask, 255, 255)
        run.judge()
    assert run.reasons == ["first", "changed"]


def test_a_camera_that_changes_its_size_all_the_time_is_a_storm_too(site: Site) -> None:
    """Crops of motion, each of a size of its own, fill no disk: one frame a minute is kept as well."""
    site.configure(detection=f"{DETECTION}\nmax_kept_per_hour = 6")
    for number in range(40):
        size = (64 + number, 48)
        _, encoded = cv2.imencode(".jpg", np.full((size[1], size[0]), 90, np.uint8))
        path = site.drop / f"{number:04d}.jpg"
        path.write_bytes(encoded.tobytes())
        os.utime(path, ns=(FIRST_MTIME_NS + number * 20 * 10**9,) * 2)
    with running(site) as run:
        run.judge()
    assert run.reasons[:6] == ["first", *["size_changed"] * 5]
    assert run.reasons[6:] == ["storm_dropped", "storm_dropped", "storm"] * 11 + ["storm_dropped"]

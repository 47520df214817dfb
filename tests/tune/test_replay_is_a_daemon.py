"""A replay of what a daemon has judged gives the daemon's verdicts, whatever happened meanwhile."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from framegate.config.load import load
from framegate.config.settings import Settings
from framegate.keep.history.view import History
from framegate.keep.ledger import LEDGER_NAME
from framegate.model import Reason
from framegate.tune.footage.recorded import Recording, other_verdicts, recording
from framegate.tune.replay.engine import replay
from framegate.tune.replay.facts import FactStore
from framegate.tune.replay.outcomes import Line, Outcome, Replay
from living import NAMES, Day
from pictures import png
from running import Site
from stepping import Stepped

NIGHT = """
[[schedule]]
name = "night"
hours = ["00:06-00:15", "00:28-00:35", "00:50-01:10"]
[schedule.detection]
"""
"""A day of 96 frames, one a minute, begins at midnight: each life has some frames in it, some outside."""

EDITS = {
    "threshold": ["", 'score_threshold = "1.3x"', 'score_threshold = "9x"', ""],
    "by time": [
        "",
        'keep_every = "4m"',
        "max_kept_per_hour = 3",
        'keep_every = "90s"\nmax_kept_per_hour = 5',
    ],
    "areas": ["", "border_mask = [0, 0, 30, 0]", 'mask_file = "{mask}"', 'min_contour_area = "1%"'],
    "schedule": [
        f'{NIGHT}score_threshold = "1.3x"\nkeep_every = "2m"',
        f"{NIGHT}max_kept_per_hour = 3",
        f'max_kept_per_hour = 4{NIGHT}mask_file = "{{mask}}"\nscore_threshold = "9x"',
        f"{NIGHT.replace('00:28-00:35', '01:15-06:00')}border_mask = [0, 0, 30, 0]\nmax_kept_per_hour = 2",
    ],
    "classic": [
        'preset = "classic"\nscore_threshold = "0.5%"\nmin_contour_area = "20px"',
        'preset = "classic"\nscore_threshold = "3%"\nmin_contour_area = "400px"',
    ],
}


def live(site: Site, edits: list[str], seed: int) -> None:
    """Let a daemon live a day: edits while frames wait, and a restart before every other edit."""
    mask = site.home / "mask.png"
    day, daemon = Day(seed), Stepped(site)
    for number, edit in enumerate(edits):
        mask.write_bytes(png(np.pad(np.full((80, 120), 255, np.uint8), (10 + number, 0))))
        site.configure(drop=NAMES, detection=edit.format(mask=mask))
        if number % 2 == 0:
            daemon.start()
        else:
            assert daemon.daemon is not None
            daemon.daemon.reload()
        for _ in range(3):
            day.upload(site.drop, 8)
            daemon.go(70)
        if number % 2:
            daemon.stop()
    if daemon.daemon is not None:
        daemon.stop()


def recorded(site: Site) -> tuple[Recording, Settings]:
    settings = load(site.config).settings
    with History(site.state / LEDGER_NAME) as history:
        return recording(history, settings), settings


def replayed(found: Recording, settings: Settings, store: FactStore | None = None) -> Replay:
    line = Line("as then", settings, found.revisions)
    return replay(found.frames, [line], masks=found.masks, store=store)


def by_name(found: Recording, outcome: Outcome) -> dict[str, tuple[Reason, str]]:
    """Return reason and score of each frame: two daemons need not take the cameras in the same turn."""
    return {
        frame.name: (outcome.reason_of(number), str(outcome.scores[number]))
        for number, frame in enumerate(found.frames)
    }


@pytest.fixture(params=EDITS, ids=str)
def lived(request: pytest.FixtureRequest, site: Site) -> Site:
    live(site, EDITS[request.param], seed=len(request.param))
    return site


@pytest.mark.slow
def test_a_replay_by_the_settings_of_then_is_what_the_daemon_has_decided(lived: Site, tmp_path: Path) -> None:
    """Verdict, reason, score and reference: with edits, restarts, storms, several sizes and broken files."""
    found, settings = recorded(lived)
    assert found.doubts == {}
    assert len(set(found.was.reasons.tolist())) > 4, "the day is too dull to prove anything"
    store = FactStore(tmp_path / "cache.sqlite")
    for _ in ("from the pictures", "as it is remembered"):
        again = replayed(found, settings, store)
        different = other_verdicts(found.was, again.outcomes[0])
        assert [found.frames[number].name for number in different] == []
        assert again.is_exact
        scheduled = len(again.outcomes[0].schedules)
        assert (
            (20 < scheduled < 80)
            if any(each.schedule for each in found.revisions.values())
            else not scheduled
        )
    store.close()


@pytest.mark.slow
def test_kept_frames_are_replayed_from_the_results_when_their_inputs_are_gone(
    site: Site,
) -> None:
    """What was kept has its bytes twice; where a dropped frame is gone, a replay is said not to be exact."""
    live(site, EDITS["threshold"], seed=3)
    found, settings = recorded(site)
    for number in np.flatnonzero(found.was.is_kept):
        (site.drop / found.frames[number].name).unlink()
    without_inputs, _ = recorded(site)
    assert without_inputs.doubts == {}
    again = replayed(without_inputs, settings)
    assert other_verdicts(found.was, again.outcomes[0]) == []
    dropped = max(n for n in range(len(found.frames)) if found.was.reason_of(n) is Reason.UNCHANGED)
    (site.drop / found.frames[dropped].name).unlink()
    lacking, _ = recorded(site)
    assert lacking.doubts == {found.frames[dropped].candidate.camera: ["1 frame is gone, input and result"]}


@pytest.mark.slow
def test_another_threshold_is_replayed_as_if_it_had_been_in_force(site: Site, tmp_path: Path) -> None:
    """A daemon that lives the same day by the other settings decides what the replay has said."""
    live(site, [""], seed=4)
    other = Site(tmp_path / "other")
    live(other, ['score_threshold = "5x"'], seed=4)
    found, _ = recorded(site)
    was, _ = recorded(other)
    settings = load(other.config).settings.model_copy(update={"drop": load(site.config).settings.drop})
    store = FactStore(tmp_path / "cache.sqlite")
    for _ in ("from the pictures", "from the cache"):
        now = replay(found.frames, [Line("other", settings)], store=store).outcomes[0]
        assert by_name(found, now) == by_name(was, was.was)
    store.close()


@pytest.mark.slow
def test_the_settings_of_then_are_one_line_among_others(site: Site) -> None:
    """Lines that go together until the first edit part there as if each were alone."""
    live(site, ["", *EDITS["areas"], "max_kept_per_hour = 3"], seed=6)
    found, settings = recorded(site)
    then, now = Line("as then", settings, found.revisions), Line("now", settings)
    first = Line("as at first", found.revisions[1])
    for lines in ([first, then, now], [now, then], [then, first]):
        outcomes = replay(found.frames, lines, masks=found.masks).outcomes
        assert other_verdicts(found.was, outcomes[lines.index(then)]) == []


@pytest.mark.slow
def test_bytes_that_are_not_those_of_then_are_told(site: Site) -> None:
    """A file that goes while a replay runs, and a result that was overwritten, make it inexact."""
    live(site, EDITS["threshold"][:2], seed=3)
    found, settings = recorded(site)
    dropped = next(n for n in range(len(found.frames)) if found.was.reason_of(n) is Reason.UNCHANGED)
    (site.drop / found.frames[dropped].name).unlink()
    (why,) = replayed(found, settings).inexact.values()
    assert why == ["1 of the frames that the daemon has judged could not be read"]
    kept = found.frames[int(np.flatnonzero(found.was.is_kept)[1])]
    (site.drop / kept.name).unlink()
    assert kept.recorded is not None
    result = site.results / str(kept.recorded.result)
    result.write_bytes(bytes(result.stat().st_size))
    changed, _ = recorded(site)
    told = replayed(changed, settings).inexact[kept.candidate.camera]
    assert "1 of the frames that the daemon has judged have other bytes now" in told


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("preset", ["", EDITS["classic"][0]], ids=["adaptive", "classic"])
@pytest.mark.parametrize("of", ["lot_empty", "lot_torn", "webcam_nights", "office"])
def test_real_frames_are_replayed_as_the_daemon_has_judged_them(
    shared_data: Path, site: Site, of: str, preset: str
) -> None:
    """In two lives and by two configs: verdict, reason, score and reference of each real frame."""
    pictures = sorted(path for path in (shared_data / of).rglob("*.jpg") if "groundtruth" not in path.parts)
    half = len(pictures) // 2
    daemon = Stepped(site)
    for some, edit in ((pictures[:half], ""), (pictures[half:], "\nkeep_every = '6h'")):
        site.configure(drop="settle_s = 0.1\ngive_up_s = 0.2", detection=preset + edit)
        for picture in some:
            shutil.copy2(picture, site.drop)
        daemon.start()
        daemon.go(5)
        daemon.stop()
    found, settings = recorded(site)
    assert len(found.frames) == len({picture.name for picture in pictures})
    assert found.doubts == {}
    assert other_verdicts(found.was, replayed(found, settings).outcomes[0]) == []

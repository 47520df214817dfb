from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archives import DrawnArchive, at
from framegate.commands.cluster.done_parts import DoneParts
from framegate.commands.cluster.replaying import Collected, Pass, Replaying, chains_of, replayed
from framegate.commands.demo.scene import Lot
from framegate.config.load import load
from framegate.errors import SinkError
from framegate.ingest.sweeping import candidates_of
from framegate.model import Entry, Reason
from framegate.tune.ladder import at_rung
from framegate.tune.replay.changing import with_detection
from framegate.tune.replay.engine import replay
from framegate.tune.replay.outcomes import Frame, Line, Replay

RUNGS = range(3, 39, 6)


MIDNIGHT_S, HOUR_S = at(4, 1), 3600


def add_midnight(archive: DrawnArchive) -> None:
    """Let c1 take frames in the last and first minutes of two months, in which cars come and go.

    The last frame of the one month shows nothing new, and the first of the other has the same bytes. By then
    one line has not kept what the others have.
    """
    lot = Lot(width=320, height=180, seed=ord("1"))
    for place, parked in enumerate([{0}, {0, 1}, {0, 1}, {0, 1}, {0}, {0, 2}, {2}, {1, 2}]):
        lot.parked.clear()
        lot.parked |= dict.fromkeys(parked, 1)
        data, taken_s = lot.jpeg(), MIDNIGHT_S + 180 * (place - 4) + 90
        archive.add(f"c1_at_midnight_{place}.jpg", data, taken_s)
        if place == 3:
            archive.add("c1_again.jpg", data, MIDNIGHT_S + 30)


def frames_of(archive: DrawnArchive) -> list[Frame]:
    return [Frame(candidate) for candidate in candidates_of(archive.config.settings)]


def lines_of(archive: DrawnArchive) -> list[Line]:
    """Return the archive's own settings, and others that part from them and meet them again."""
    settings = archive.config.settings
    stormy = with_detection(settings, lambda each: each.model_copy(update={"max_kept_per_hour": 2}))
    others = (Line(f"rung {rung}", at_rung(settings, rung)) for rung in RUNGS)
    return [Line("own", settings), Line("stormy", stormy), *others]


def edited_while_recorded(archive: DrawnArchive) -> tuple[list[Frame], Line]:
    """Return frames as a daemon has judged them by three settings in turn, the last one of another preset.

    The second one, which allows c1 two kept frames an hour, is put in force at midnight.
    """
    text = archive.config_file.read_text("utf-8")
    second, third = archive.home / "second.toml", archive.home / "third.toml"
    second.write_text(text.replace('keep_every = "2d"', 'score_threshold = "4x"\nmax_kept_per_hour = 2'))
    third.write_text(text.replace("max_kept_per_hour = 3", 'preset = "classic"\nmin_contour_area = "0.1%"'))
    third.write_text(third.read_text().replace('score_threshold = "2x"', 'score_threshold = "0.2%"'))
    revisions = {n: load(each).settings for n, each in enumerate((archive.config_file, second, third))}

    def recorded(number: int, frame: Frame) -> Frame:
        candidate = frame.candidate
        since_midnight_s = candidate.captured_at_ns / 1e9 - MIDNIGHT_S
        revision = int(since_midnight_s > 0) if abs(since_midnight_s) < HOUR_S else number // 7 % 3
        entry = Entry(candidate.key, candidate.camera, candidate.captured_at_ns, Reason.CHANGED, 0, revision)
        return replace(frame, recorded=replace(entry, sha256=b"other" if number % 9 == 5 else None))

    frames = [recorded(number, frame) for number, frame in enumerate(frames_of(archive))]
    return frames, Line("as it was", revisions[0], revisions)


def by_months(passes: Sequence[Pass], parts: DoneParts, most: int = 10**9) -> tuple[list[Replay], int]:
    """Replay month by month, as workers do, at most so many; return also how many were replayed."""
    replaying, collected, count = Replaying.of(passes, {}), Collected(passes), 0
    for chain in chains_of(passes, replaying):
        collected.take_done(chain, parts, lambda _frames: None)
        while chain.done < len(chain.parts):
            if count == most:
                raise KeyboardInterrupt
            rows, groups = replayed(replaying, collected.task_of(chain, parts=parts))
            collected.put(chain, rows)
            parts.record(chain.next_part.id, rows, groups)
            chain.advance()
            count += 1
    return collected.replays(), count


def assert_equal(one: Replay, other: Replay) -> None:
    assert one.inexact == other.inexact
    for mine, its in zip(one.outcomes, other.outcomes, strict=True):
        for name in ("reasons", "scores", "thresholds", "references"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(its, name), f"{mine.line.name} {name}")
        for name in ("earlier", "zones", "schedules", "details", "anew"):
            assert getattr(mine, name) == getattr(its, name), f"{mine.line.name} {name}"


def test_months_equal_one_pass(own_archive: DrawnArchive, tmp_path: Path) -> None:
    """Of each line every decision, score, threshold, reference and schedule is that of one process."""
    add_midnight(own_archive)
    frames, lines = frames_of(own_archive), lines_of(own_archive)
    whole = replay(frames, lines)
    parts = DoneParts(tmp_path / "parts")
    with parts.opened():
        (monthly,), count = by_months([(frames, lines)], parts)
    assert count > len(whole.of_cameras())
    assert len({bytes(each.reasons) for each in whole.outcomes}) > 3, "the lines decide in unlike ways"
    assert_equal(whole, monthly)


def test_months_equal_one_pass_through_edits(own_archive: DrawnArchive, tmp_path: Path) -> None:
    """Recorded frames are judged by the settings of their time, also where these change within a month."""
    add_midnight(own_archive)
    frames, as_it_was = edited_while_recorded(own_archive)
    lines = [*lines_of(own_archive), as_it_was]
    whole = replay(frames, lines)
    parts = DoneParts(tmp_path / "parts")
    with parts.opened():
        (monthly,), _ = by_months([(frames, lines)], parts)
    assert whole.outcomes[-1].anew
    assert any("have other bytes now" in why for reasons in whole.inexact.values() for why in reasons)
    assert_equal(whole, monthly)


def test_a_replay_goes_on_where_it_was_broken_off(own_archive: DrawnArchive, tmp_path: Path) -> None:
    """What is done is taken as it is; that of other settings is not. Damage is told with a sentence."""
    frames, lines = frames_of(own_archive), lines_of(own_archive)[:3]
    parts = DoneParts(tmp_path / "parts")
    with suppress(KeyboardInterrupt), parts.opened():
        by_months([(frames, lines)], parts, most=3)
    with suppress(KeyboardInterrupt), parts.opened():
        (resumed,), count = by_months([(frames, lines)], parts)
        _, of_others = by_months([(frames, lines[:2])], parts)
        assert of_others == count + 3
        assert_equal(replay(frames, lines), resumed)
        for file in parts.folder.glob("*.rows"):
            file.write_bytes(b"{}")
        with pytest.raises(SinkError, match="cannot be read; delete it"):
            by_months([(frames, lines)], parts)
        raise KeyboardInterrupt

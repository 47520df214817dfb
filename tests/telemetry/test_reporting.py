import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.events.daemon import (
    ConfigMended,
    ConfigRefused,
    ConfigReloaded,
    ConfigUnchanged,
    IntakePaused,
    IntakeResumed,
)
from framegate.events.frames import FrameDecided
from framegate.ingest.pending import Pending
from framegate.keep.ledger import Ledger
from framegate.model import Entry, FileKey, Reason
from framegate.telemetry.reporting import Reporting
from framegate.telemetry.status import Vitals
from running import Site

KEPT = FrameDecided(Entry(FileKey("a.jpg", 1, 1), "c1", 0, Reason.FIRST, 0, 1), 1.0)


class Reported:
    """Reporting over a ledger of its own, under a clock that the test moves."""

    def __init__(self, site: Site) -> None:
        self.now_s = 1000.0
        self.looks: list[float] = []
        self.lines: list[str] = []
        self.said: list[LogEvent] = []
        self.pending: dict[str, Pending] = {}
        self._file = site.state / "status.json"
        self.ledger = Ledger(site.state / "ledger.sqlite3")
        self.reporting = Reporting(
            load(site.config).settings,
            self.ledger,
            vitals=self._look,
            pending=lambda: self.pending,
            show_line=self.lines.append,
            emit=self.said.append,
            clock=lambda: self.now_s,
        )

    def _look(self) -> Vitals:
        self.looks.append(self.now_s)
        return Vitals(pid=4, config_revision=1)

    def go(self, seconds: float) -> None:
        """Let time pass; run what is due whenever it is due."""
        end_s = self.now_s + seconds
        while (due_s := self.reporting.deadline_s()) <= end_s:
            self.now_s = max(self.now_s, due_s)
            self.reporting.run_due(self.now_s)
        self.now_s = end_s

    def written(self) -> dict[str, Any]:
        return dict(json.loads(self._file.read_text("utf-8")))


@pytest.fixture
def reported(site: Site) -> Iterator[Reported]:
    """A reporting that writes a status and a textfile."""
    pytest.importorskip("prometheus_client", reason="the extra framegate[metrics] is not installed")
    site.configure(rest=f'[metrics]\ntextfile = "{site.home}/framegate.prom"')
    reported = Reported(site)
    yield reported
    reported.reporting.close()
    reported.ledger.close()


def test_a_change_is_written_within_a_second_and_all_else_within_ten(reported: Reported) -> None:
    """The file follows what happens, and shows that the daemon lives while nothing does."""
    reported.go(5)
    reported.reporting(KEPT)
    reported.go(1)
    assert reported.written()["totals"]["kept"] == 1
    reported.go(60)
    assert reported.written()["uptime_s"] >= 56
    assert reported.lines[-1] == "1 kept, 0 dropped, 0 rejected, 0 pending; config revision 1"


def test_a_status_is_made_once_a_second_at_most_and_shared(site: Site, reported: Reported) -> None:
    """However much happens, and whoever wants to know: it walks over everything that waits."""
    for number in range(400):
        reported.reporting(KEPT)
        reported.go(0.1)
        if number % 55 == 0:  # a new file is wanted at once
            site.configure(rest=f'[metrics]\ntextfile = "{site.home}/{number}.prom"')
            reported.reporting.retune(load(site.config).settings)
    pauses = [after - before for before, after in zip(reported.looks, reported.looks[1:], strict=False)]
    assert min(pauses) >= 1.0 - 1e-9
    assert len(reported.looks) >= 39
    assert len(list(site.home.glob("*.prom"))) == 9
    assert not reported.said


def test_a_pause_is_shown_while_it_lasts(reported: Reported) -> None:
    """Why the intake is paused is in the status and in systemd's line until it resumes."""
    reported.reporting(IntakePaused("disk full"))
    reported.go(2)
    assert reported.written()["paused"] == "disk full"
    waits = "intake paused: disk full: frames wait, nothing is lost; it is tried again; 0 kept, "
    assert reported.lines[-1].startswith(waits)
    reported.reporting(IntakeResumed(2.0))
    reported.go(2)
    assert reported.written()["paused"] is None


@pytest.mark.parametrize("event", [ConfigReloaded(2, {}), ConfigMended(2), ConfigUnchanged(2)])
def test_a_config_that_was_read_and_found_good_counts_as_loaded(reported: Reported, event: LogEvent) -> None:
    """Also one that says the same as before, after a refusal or when asked for; a refused one does not."""
    loaded_at = reported.reporting.status().config_loaded_at
    reported.reporting(ConfigRefused("site.toml", ("wrong",), 1))
    assert reported.reporting.status().config_loaded_at == loaded_at
    reported.reporting(event)
    assert reported.reporting.status().config_loaded_at > loaded_at


def test_the_end_is_written_down(reported: Reported) -> None:
    """What happened last before a stop is in the file, and that it was a stop."""
    reported.go(5)
    assert reported.written()["running"]
    reported.reporting(KEPT)
    reported.reporting.close()
    assert reported.written()["totals"]["kept"] == 1
    assert not reported.written()["running"]


def test_a_frozen_camera_is_shown_until_another_picture_comes(site: Site, reported: Reported) -> None:
    """What was said of a camera that repeats one picture is in the status, with its age."""
    site.configure(drop='frozen_after = "1h"')
    reported.reporting.retune(load(site.config).settings)
    again = FrameDecided(replace(KEPT.entry, reason=Reason.IDENTICAL), 1.0)
    reported.reporting(KEPT)
    assert reported.reporting.status().cameras["c1"].frozen_s is None
    for _ in range(2):
        reported.go(3600)
        reported.reporting(again)
    assert reported.reporting.status().cameras["c1"].frozen_s == 7200
    assert [event.event for event in reported.said] == ["camera.frozen"]
    reported.reporting(KEPT)
    assert reported.reporting.status().cameras["c1"].frozen_s is None

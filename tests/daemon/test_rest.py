"""A daemon at rest: how often it wakes."""

from random import Random

from framegate.config.load import load
from framegate.daemon.loop import Daemon
from framegate.deadlines import next_look_s
from running import Site

MINUTE_S = 60.0


def test_a_daemon_at_rest_wakes_once_a_second(site: Site) -> None:
    """All that is looked at regularly falls due together, though the work of each turn takes its time."""
    chance, now_s = Random(11), [1000.0]

    def clock() -> float:
        now_s[0] += chance.uniform(0, 1e-3)
        return now_s[0]

    daemon = Daemon(load(site.config), lambda _event: None, clock=clock)
    daemon.start()
    turns = 0
    while now_s[0] < 1000 + 2 * MINUTE_S:
        daemon.turn(0)
        wait_s = daemon.wait_s()
        now_s[0] += wait_s
        turns += now_s[0] > 1000 + MINUTE_S
    daemon.close()
    assert turns < 1.1 * MINUTE_S


def test_what_has_one_interval_falls_due_together() -> None:
    """Two looks that were taken at different times are due at one time, at most the interval later."""
    assert next_look_s(1000.0, 10) == 1010
    assert next_look_s(1000.3, 10) == next_look_s(1009.9, 10) == 1010

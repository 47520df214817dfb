import pytest

from framegate.ingest.sweep_plan import BURST_HINTS, Cause, SweepPlan

SETTLE_S, INTERVAL_S = 2.0, 30.0


def swept(plan: SweepPlan, now_s: float, took_s: float = 0.0) -> Cause:
    """Let the sweep that is due begin and end; return its cause."""
    assert plan.deadline_s() <= now_s
    cause = plan.begin(now_s)
    plan.end(now_s + took_s, took_s, interval_s=INTERVAL_S, settle_s=SETTLE_S)
    return cause


@pytest.fixture
def plan() -> SweepPlan:
    """A plan whose first sweep was at 1000 s and took no time."""
    plan = SweepPlan()
    assert swept(plan, 1000.0) is Cause.FIRST
    return plan


def test_the_first_sweep_is_due_at_once_and_the_next_comes_round(plan: SweepPlan) -> None:
    """A start lists the folder whatever the time; after that nothing but the interval asks for a sweep."""
    assert plan.deadline_s() == 1030.0
    assert swept(plan, 1030.0) is Cause.ROUND
    assert plan.deadline_s() == 1060.0


def test_a_request_comes_before_the_round(plan: SweepPlan) -> None:
    """What is asked for is due when it was asked for, and once."""
    plan.request(1005.0)
    plan.request(1007.0)
    assert plan.deadline_s() == 1005.0
    assert swept(plan, 1005.0) is Cause.EVENTS_LOST
    assert plan.deadline_s() == 1035.0


@pytest.mark.parametrize("causes", [(Cause.REFILL, Cause.EVENTS_LOST), (Cause.EVENTS_LOST, Cause.REFILL)])
def test_of_several_causes_the_gravest_counts(plan: SweepPlan, causes: tuple[Cause, Cause]) -> None:
    """A refill that is due anyway does not hide that events were lost, whichever was asked for first."""
    for cause in causes:
        plan.request(1001.0, cause)
    assert swept(plan, 1001.0) is Cause.EVENTS_LOST
    plan.request(1002.0, Cause.REFILL)
    assert swept(plan, 1002.0) is Cause.REFILL


def test_a_round_that_comes_before_a_request_leaves_it(plan: SweepPlan) -> None:
    """A request for later is not taken back by the sweep that comes round before."""
    plan.request(1031.0)
    assert swept(plan, 1030.0) is Cause.ROUND
    assert plan.deadline_s() == 1031.0
    assert swept(plan, 1031.0) is Cause.EVENTS_LOST


@pytest.mark.parametrize("is_asked_before", [True, False])
def test_a_slow_sweep_spaces_the_ones_asked_for(plan: SweepPlan, *, is_asked_before: bool) -> None:
    """After a sweep of 4 s none that is asked for begins within 36 s: they take a tenth of the time."""
    plan.begin(1030.0)
    if is_asked_before:
        plan.request(1031.0)
    plan.end(1034.0, 4.0, interval_s=INTERVAL_S, settle_s=SETTLE_S)
    if not is_asked_before:
        plan.request(1034.5)
    plan.begin(1064.0)
    plan.end(1064.0, 0.0, interval_s=INTERVAL_S, settle_s=SETTLE_S)
    assert plan.deadline_s() == 1070.0


def test_a_sweep_for_new_settings_does_not_wait(plan: SweepPlan) -> None:
    """After a slow sweep one is due at once where the settings say what is a frame now."""
    plan.request(1001.0)
    swept(plan, 1001.0, took_s=4.0)
    plan.request_now(1006.0)
    assert plan.deadline_s() == 1006.0


def test_a_folder_event_gets_a_second_look(plan: SweepPlan) -> None:
    """The sweep for a new folder is followed by one settle_s later, which is followed by none."""
    plan.request_twice(1001.0)
    assert swept(plan, 1001.0) is Cause.EVENTS_LOST
    assert plan.deadline_s() == 1001.0 + SETTLE_S
    assert swept(plan, 1001.0 + SETTLE_S) is Cause.EVENTS_LOST
    assert plan.deadline_s() == 1001.0 + SETTLE_S + INTERVAL_S


def test_a_burst_of_hints_asks_for_a_sweep(plan: SweepPlan) -> None:
    """After so many hints some may have been lost: settle_s later the folder is listed, and counted anew."""
    plan.count_hints(BURST_HINTS - 1, 1001.0, SETTLE_S)
    assert plan.deadline_s() == 1030.0
    plan.count_hints(1, 1002.0, SETTLE_S)
    assert plan.deadline_s() == 1002.0 + SETTLE_S
    assert swept(plan, 1002.0 + SETTLE_S) is Cause.EVENTS_LOST
    plan.count_hints(BURST_HINTS - 1, 1005.0, SETTLE_S)
    assert plan.deadline_s() == 1004.0 + INTERVAL_S


def test_a_folder_that_is_made_during_a_sweep_is_looked_at_twice(plan: SweepPlan) -> None:
    """The sweep under way, which may have passed the place, is not the first of the two looks."""
    plan.begin(1030.0)
    plan.request_twice(1031.0)
    plan.end(1032.0, 0.1, interval_s=INTERVAL_S, settle_s=SETTLE_S)
    first_s = plan.deadline_s()
    assert swept(plan, first_s) is Cause.EVENTS_LOST
    assert plan.deadline_s() == first_s + SETTLE_S


def test_a_regular_sweep_that_failed_is_repeated_once(plan: SweepPlan) -> None:
    """A failed sweep is followed by one more, and not by one after the other."""
    assert swept(plan, 1030.0) is Cause.ROUND
    plan.request(1032.0, Cause.ROUND)
    assert swept(plan, 1032.0) is Cause.ROUND
    assert plan.deadline_s() == 1062.0


def test_a_refill_waits_for_nothing(plan: SweepPlan) -> None:
    """However long the last sweep took, the rest of a backlog is fetched when there is room for it."""
    swept(plan, 1030.0, took_s=4.0)
    plan.request(1040.0, Cause.REFILL)
    assert plan.deadline_s() == 1040.0
    assert plan.begin(1040.0) is Cause.REFILL

import signal
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest

from framegate.ingest.watch.inbox import MOST_HINTS, Inbox
from framegate.model import Arrival, Origin


def arrival(number: int) -> Arrival:
    return Arrival(f"{number}.jpg", Origin.CLOSED)


def test_hints_come_out_in_the_order_in_which_they_went_in() -> None:
    """One take returns all hints that are there."""
    inbox = Inbox()
    for number in range(5):
        inbox.hint(arrival(number))
    assert inbox.take(0) == [arrival(number) for number in range(5)]
    assert inbox.take(0) == []
    assert not inbox.take_sweep_request()


def test_more_hints_than_the_bound_are_a_wish_for_a_sweep() -> None:
    """A storm costs no more memory than the bound: what does not fit is forgotten, and a sweep asked for."""
    inbox = Inbox()
    for number in range(MOST_HINTS):
        inbox.hint(arrival(number))
    assert not inbox.take_sweep_request()
    for number in range(MOST_HINTS, 3 * MOST_HINTS):
        inbox.hint(arrival(number))
    assert len(inbox._hints) <= MOST_HINTS
    assert inbox.take(0) == [arrival(number) for number in range(MOST_HINTS)]
    assert inbox.take_sweep_request()


def test_waking_a_full_inbox_costs_no_memory() -> None:
    """Wakes do not pile up when nobody takes."""
    inbox = Inbox()
    for number in range(3 * MOST_HINTS):
        inbox.hint(arrival(number))
        inbox.wake()
    assert len(inbox._hints) <= MOST_HINTS


@pytest.mark.parametrize("timeout_s", [0.0, 1e-9, 1e-6, 1e-5, 0.0005], ids="{:g} s".format)
def test_a_wait_of_any_length_ends(timeout_s: float) -> None:
    """A wait whose time is up by the second look ends too: SimpleQueue's went on for ever."""
    inbox = Inbox()
    done = Event()

    def wait_often() -> None:
        for _ in range(500):
            inbox.wake()
            inbox.take(timeout_s)
            inbox.take(timeout_s)
        done.set()

    Thread(target=wait_often, daemon=True).start()
    assert done.wait(10)
    inbox.close()


def test_a_wish_for_a_sweep_is_told_once() -> None:
    """However often it was asked for, one sweep answers it."""
    inbox = Inbox()
    inbox.request_sweep()
    inbox.request_sweep()
    assert inbox.take(0) == []
    assert inbox.take_sweep_request()
    assert not inbox.take_sweep_request()


@pytest.mark.parametrize(
    "disturb",
    [
        pytest.param(lambda inbox: inbox.wake(), id="wake"),
        pytest.param(lambda inbox: inbox.request_sweep(), id="sweep-request"),
        pytest.param(lambda inbox: inbox.hint(arrival(1)), id="hint"),
    ],
)
def test_a_waiting_take_returns_when_something_happens(disturb: Callable[[Inbox], None]) -> None:
    """Who waits for an hour is woken by a hint, a request or a wake from another thread."""
    inbox, is_waiting = Inbox(), Event()

    def from_another_thread() -> None:
        is_waiting.wait(10)
        disturb(inbox)

    thread = Thread(target=from_another_thread)
    thread.start()
    is_waiting.set()
    started_s = time.monotonic()
    inbox.take(3600)
    thread.join(10)
    assert time.monotonic() - started_s < 10


def test_a_take_waits_no_longer_than_it_was_told() -> None:
    """Without hints, a take returns nothing after its time, and at once when the time is past already."""
    inbox = Inbox()
    started_s = time.monotonic()
    assert inbox.take(0.05) == []
    assert 0.05 <= time.monotonic() - started_s < 5
    assert inbox.take(-1.0) == []


def test_hints_from_many_threads_all_arrive() -> None:
    """Threads may put at the same time: each hint arrives once, each thread's in its order."""
    inbox = Inbox()

    def put(first: int) -> None:
        for number in range(first, first + 1000):
            inbox.hint(arrival(number))

    threads = [Thread(target=put, args=(first,)) for first in range(0, 8000, 1000)]
    for thread in threads:
        thread.start()
    taken: list[Arrival] = []
    while len(taken) < 8000:
        before = time.monotonic()
        taken += inbox.take(10)
        assert time.monotonic() - before < 10
    for thread in threads:
        thread.join(10)
    numbers = [int(hint.name.removesuffix(".jpg")) for hint in taken]
    assert sorted(numbers) == list(range(8000))
    for first in range(0, 8000, 1000):
        own = [number for number in numbers if first <= number < first + 1000]
        assert own == sorted(own)


@pytest.fixture
def interruptions() -> Iterator[Callable[[Callable[[], None]], list[int]]]:
    """Let a signal handler do something every half a millisecond of computing, until the test ends.

    SIGALRM is the one that pytest-timeout uses.
    """
    count = [0]
    former = signal.getsignal(signal.SIGVTALRM)

    def begin(action: Callable[[], None]) -> list[int]:
        def handle(_number: int, _frame: object) -> None:
            count[0] += 1
            action()

        signal.signal(signal.SIGVTALRM, handle)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005, 0.0005)
        return count

    yield begin
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, former)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("disturb", ["wake", "request_sweep"])
def test_a_signal_handler_may_put_while_a_put_is_under_way(
    interruptions: Callable[[Callable[[], None]], list[int]], disturb: str
) -> None:
    """SIGTERM that arrives within a put neither deadlocks nor loses the hint."""
    inbox = Inbox()
    count = interruptions(getattr(inbox, disturb))
    put = 0
    taken: list[Arrival] = []
    while count[0] < 100 or put < 20_000:
        inbox.hint(arrival(put))
        put += 1
        if put % 100 == 0:
            taken += inbox.take(0)
    taken += inbox.take(0)
    assert taken == [arrival(number) for number in range(put)]
    assert inbox.take_sweep_request() == (disturb == "request_sweep")


def test_a_signal_that_comes_too_late_is_no_error() -> None:
    """An inbox that is closed may still be woken: a signal comes when it likes."""
    inbox = Inbox()
    inbox.close()
    inbox.wake()

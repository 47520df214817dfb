import errno
import os

from framegate.events.base import LogEvent
from framegate.events.deleting import InputUndeletable, ResultUndeletable
from framegate.retention.refusals import FIRST_PAUSE_S, LAST_PAUSE_S, RefusalLog


def refusal(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def test_each_cause_is_announced_once() -> None:
    """However many files are refused, one warning names the first of each cause."""
    events: list[LogEvent] = []
    log = RefusalLog(InputUndeletable, events.append)
    for number in range(3):
        log.note(f"{number}.jpg", refusal(errno.EROFS))
        log.note(f"{number}.jpg", refusal(errno.EACCES))
        log.end_of_pass()
    assert [(event.event, event.level, event.fields) for event in events] == [
        ("input.undeletable", "warning", {"frame": "0.jpg", "error": os.strerror(code)})
        for code in (errno.EROFS, errno.EACCES)
    ]


def test_the_pauses_double_up_to_a_limit() -> None:
    """Each pass that meets a refusal makes the next wait twice as long."""
    log = RefusalLog(InputUndeletable, lambda _event: None)
    pauses = []
    for _ in range(9):
        log.note("a.jpg", refusal(errno.EROFS))
        pauses.append(log.end_of_pass())
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-2:] == [LAST_PAUSE_S] * 2


def test_a_pass_without_a_refusal_ends_it() -> None:
    """When all could be deleted there is nothing to try again, and the same cause is news when it returns."""
    events: list[LogEvent] = []
    log = RefusalLog(InputUndeletable, events.append)
    assert log.end_of_pass() is None
    for _ in range(2):
        log.note("a.jpg", refusal(errno.EROFS))
        assert log.end_of_pass() == FIRST_PAUSE_S
        assert log.end_of_pass() is None
    assert len(events) == 2


def test_an_error_without_words_is_announced_as_it_is() -> None:
    """An OSError that has no strerror still says something."""
    events: list[LogEvent] = []
    RefusalLog(ResultUndeletable, events.append).note("a.jpg", OSError("odd"))
    assert events[0].fields["error"] == "odd"

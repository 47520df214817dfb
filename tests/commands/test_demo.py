import io
from queue import Queue
from typing import Any

from rich.console import Console

from framegate.commands.demo.show import PLAY, Rows, daemon
from running import Site


def rows_of(*verdicts: dict[str, Any], is_terminal: bool) -> tuple[Rows, str]:
    """Show the first frames of the play, and these verdicts; return what was printed."""
    output = io.StringIO()
    rows = Rows(Console(file=output, width=100, force_terminal=is_terminal))
    lines: Queue[dict[str, Any]] = Queue()
    for verdict in verdicts:
        lines.put(verdict)
    with rows:
        for number, act in enumerate(PLAY[:3], 1):
            rows.sent(f"lot_{number:04d}.jpg", act)
        while not lines.empty():
            rows.collect(lines, 0.01)
    return rows, output.getvalue()


KEPT = {"event": "frame.kept", "frame": "lot_0001.jpg", "reason": "first"}
DROPPED = {
    "event": "frame.dropped",
    "frame": "lot_0002.jpg",
    "reason": "unchanged",
    "score": 0.05,
    "unit": "%",
}
OTHER = {"event": "sweep.ended", "frame": "lot_0003.jpg"}


def test_off_a_terminal_each_verdict_is_a_line() -> None:
    """A frame is printed once, when its verdict comes, with what happened; other events are none."""
    rows, printed = rows_of(KEPT, DROPPED, OTHER, is_terminal=False)
    first, second = printed.splitlines()
    assert " ".join(first.split()) == "lot_0001.jpg copied a quiet morning kept: first"
    assert " ".join(second.split()) == (
        "lot_0002.jpg written slowly leaves, still new 0.05% dropped: unchanged"
    )
    assert set(rows.verdicts) == {"lot_0001.jpg", "lot_0002.jpg"}
    assert not rows.is_complete


def test_on_a_terminal_a_frame_without_a_verdict_has_its_row() -> None:
    """The table shows what was uploaded, and dots until its verdict comes."""
    _, printed = rows_of(KEPT, is_terminal=True)
    table = printed[printed.rindex("how it arrives") :]
    assert "kept: first" in table
    assert table.count("...") == 2


def test_all_verdicts_make_it_complete() -> None:
    """The play is complete when each of its frames has a verdict."""
    everyone = [{**KEPT, "frame": f"lot_{number:04d}.jpg"} for number in range(1, len(PLAY) + 1)]
    assert rows_of(*everyone, is_terminal=False)[0].is_complete
    assert not rows_of(*everyone[1:], is_terminal=False)[0].is_complete


def test_its_daemon_ends_with_it(site: Site) -> None:
    """The daemon that the demo starts is heard, and has ended when the demo goes on."""
    with daemon(site.config) as lines:
        started = lines.get(timeout=20)
    assert started["event"] == "daemon.started"
    assert "daemon.stopped" in [lines.get_nowait()["event"] for _ in range(lines.qsize())]

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from invariants import check, rss_bytes
from oracle import CAMERAS, DETECTION, Shot, shot, upload
from running import Line, RunningDaemon, Site, started

FRAMES = int(os.environ.get("FRAMEGATE_BACKLOG", "20000"))
EVERY = 2000
"""A live frame of another camera comes whenever so many of the backlog are judged."""

MOST_RSS_BYTES = 160_000_000
"""An idle daemon has some 75 MB: the interpreter, numpy, OpenCV. 50,000 frames may add their names."""

MOST_DESCRIPTORS = 32
PROMPT_S = 5.0
"""A live frame has its verdict after this, while the backlog takes a minute and a half."""


def backlog(count: int) -> list[Shot]:
    return [shot(number, number // 50 % 4, camera="c1", size_bytes=1200) for number in range(count)]


def lay_out(shots: Sequence[Shot], drop: Path) -> None:
    """Put the frames there at once, newest first: the order in the folder says nothing."""
    for taken in reversed(shots):
        path = drop / taken.name
        path.write_bytes(taken.data)
        os.utime(path, ns=(taken.mtime_ns, taken.mtime_ns))


def drain(daemon: RunningDaemon, site: Site, live: Sequence[Shot]) -> tuple[dict[str, datetime], int]:
    """Upload the live frames while the backlog is judged; return when, and the most memory that was seen."""
    most_rss, uploaded_at = 0, {}
    for number, taken in enumerate(live, 1):
        daemon.wait_for_verdicts(EVERY * number, within_s=120)
        upload(taken, site.drop)
        uploaded_at[taken.name] = datetime.now(UTC)
        most_rss = max(most_rss, rss_bytes(daemon.process.pid))
    daemon.wait_for_verdicts(FRAMES + len(live), within_s=240)
    return uploaded_at, most_rss


def delays_s(uploaded_at: dict[str, datetime], lines: Sequence[Line]) -> list[float]:
    """Return how long each live frame waited for its verdict."""
    decided_at = {line["frame"]: datetime.fromisoformat(line["timestamp"]) for line in lines}
    return [(decided_at[name] - moment).total_seconds() for name, moment in uploaded_at.items()]


@pytest.mark.slow
@pytest.mark.timeout(60 + FRAMES // 50)
def test_a_huge_backlog_is_judged_in_order_in_bounded_memory(site: Site) -> None:
    """20,000 waiting frames delay neither the start nor another camera, and are judged in order in 160 MB."""
    site.configure(drop=f"settle_s = 1\n{CAMERAS}", detection=DETECTION)
    waiting = backlog(FRAMES)
    live = [shot(FRAMES + number, number % 4, camera="c2") for number in range(FRAMES // EVERY - 1)]
    lay_out(waiting, site.drop)
    with started(site) as daemon:
        assert not daemon.verdicts()  # it was ready before the first of them was judged
        uploaded_at, most_rss = drain(daemon, site, live)
        lines = daemon.verdicts()
        check(
            site,
            [*waiting, *live],
            acknowledged=lines,
            at_rest=False,
            process=daemon.process,
            most_descriptors=MOST_DESCRIPTORS,
            most_rss_bytes=MOST_RSS_BYTES,
        )
        assert daemon.stop() == 0
    assert most_rss < MOST_RSS_BYTES
    assert max(delays_s(uploaded_at, lines)) < PROMPT_S
    of_c1 = [line["frame"] for line in lines if line["camera"] == "c1"]
    assert of_c1 == [taken.name for taken in waiting]
    check(site, [*waiting, *live], acknowledged=lines)

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from invariants import check, rss_bytes
from oracle import CAMERAS, DETECTION, Shot, shot, upload
from running import Line, RunningDaemon, Site, started

FRAMES = int(os.environ.get("FRAMEGATE_BACKLOG", "8000"))
EVERY = FRAMES // 10
"""A live frame of another camera comes whenever so many of the backlog are judged."""

MOST_OVERTAKEN = FRAMES // 4
"""So many of the backlog may be judged before a live frame that came later: what is in hand, and what
is judged while this process is not on its turn. Without preference it would be all that is left."""

MOST_RSS_BYTES = 160_000_000
"""An idle daemon has some 75 MB: the interpreter, numpy, OpenCV. Frames add their names, not their bytes."""

SIZE_BYTES = 20_000
"""Together 160 MB, where FRAMES says nothing else."""

MOST_DESCRIPTORS = 32


def backlog(count: int) -> list[Shot]:
    return [shot(number, number // 50 % 4, camera="c1", size_bytes=SIZE_BYTES) for number in range(count)]


def lay_out(shots: Sequence[Shot], drop: Path) -> None:
    """Put the frames there at once, newest first: the order in the folder says nothing."""
    for taken in reversed(shots):
        path = drop / taken.name
        path.write_bytes(taken.data)
        os.utime(path, ns=(taken.mtime_ns, taken.mtime_ns))


def drain(daemon: RunningDaemon, site: Site, live: Sequence[Shot]) -> int:
    """Upload the live frames while the backlog is judged; return the most memory that was seen."""
    most_rss = 0
    for number, taken in enumerate(live, 1):
        daemon.wait_for_verdicts(EVERY * number, within_s=120)
        upload(taken, site.drop)
        most_rss = max(most_rss, rss_bytes(daemon.process.pid))
    daemon.wait_for_verdicts(FRAMES + len(live), within_s=240)
    return most_rss


def overtaken(live: Sequence[Shot], lines: Sequence[Line]) -> list[int]:
    """Return how many of the backlog were judged between the call for each live frame and its verdict."""
    place = {line["frame"]: number for number, line in enumerate(lines)}
    return [place[taken.name] - EVERY * number for number, taken in enumerate(live, 1)]


@pytest.mark.slow
@pytest.mark.timeout(120 + FRAMES // 50)
def test_a_huge_backlog_is_judged_in_order_in_bounded_memory(site: Site) -> None:
    """Thousands of waiting frames delay neither the start nor another camera; in order, in 160 MB."""
    site.configure(drop=f"settle_s = 1\n{CAMERAS}", detection=DETECTION)
    waiting = backlog(FRAMES)
    live = [shot(FRAMES + number, number % 4, camera="c2") for number in range(5)]
    lay_out(waiting, site.drop)
    with started(site) as daemon:
        assert not daemon.verdicts()  # it was ready before the first of them was judged
        most_rss = drain(daemon, site, live)
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
    print(f"{overtaken(live, lines)} overtaken, {most_rss / 1e6:.0f} MB")
    assert most_rss < MOST_RSS_BYTES
    assert max(overtaken(live, lines)) < MOST_OVERTAKEN
    of_c1 = [line["frame"] for line in lines if line["camera"] == "c1"]
    assert of_c1 == [taken.name for taken in waiting]
    check(site, [*waiting, *live], acknowledged=lines)

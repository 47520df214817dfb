"""The daemon beside the programs that really upload: FTP, SMB, SSH, rsync, Syncthing, and local ones."""

import os
import random
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot
from running import Line, RunningDaemon, Site, running, scanned
from writers.clients import Writer, names_in, writers
from writers.resuming import Resuming, resuming

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

FRAMES = 15
BY_NAME = 'capture_time = "%Y-%m-%d_%H_%M_%S"\nsweep_s = 0.5'
ALL_LINES = '[log]\nlevel = "debug"'
WRITERS = writers()
RESUMING = resuming()
OUT_OF_ORDER = [writer for writer in WRITERS if not writer.keeps_order]


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    """One picture more than are uploaded, as JPEGs: each second one shows another car."""
    lot = Lot(width=480, height=270)
    made = []
    for number in range(FRAMES + 1):
        lot.parked = {number // 2 % 6: number // 2 % 5}
        made.append(lot.jpeg())
    return made


@pytest.fixture
def outbox(site: Site, pictures: list[bytes]) -> Path:
    """A folder of frames to be uploaded; it does not list them in the order of capture."""
    folder = site.home / "outbox"
    (folder / "lot1").mkdir(parents=True)
    numbers = list(range(FRAMES))
    random.Random(5).shuffle(numbers)
    for number in numbers:
        path = folder / name_of(number)
        path.write_bytes(pictures[number])
        os.utime(path, (1_795_687_200 + number,) * 2)
    return folder


@pytest.fixture
def large(site: Site) -> Path:
    """The first frame, to be uploaded, in a picture of about a megabyte."""
    path = site.home / "outbox" / name_of(0)
    path.parent.mkdir(parents=True)
    path.write_bytes(Lot(width=1920, height=1080).jpeg(quality=95))
    return path


def name_of(number: int) -> str:
    """Return the name of a frame, with its capture time."""
    return f"lot1/2026-11-26_10_00_{number:02d}.jpg"


@pytest.mark.parametrize("writer", WRITERS, ids=str)
def test_every_upload_is_judged_once(
    writer: Writer, site: Site, tmp_path: Path, outbox: Path, pictures: list[bytes]
) -> None:
    """Whatever writes them, frames get one verdict each, and are kept as by a scan where they come in order.

    Nothing is judged when the same bytes are sent again, nor when other times are set on the files.
    """
    site.configure(drop=BY_NAME, rest=ALL_LINES)
    with writer.server(site) as server, running(site) as daemon:
        writer.send(outbox, server)
        judged = [line["frame"] for line in daemon.wait_for_verdicts(FRAMES)]
        assert sorted(judged) == [name_of(number) for number in range(FRAMES)]
        if writer.keeps_order:
            assert judged == sorted(judged)
            assert site.kept_bytes() == scanned(site, tmp_path / "scan")
        writer.send(outbox, server)
        wait_for_a_sweep(daemon)
        for name in judged:
            os.utime(site.drop / name, (1_795_690_800, 1_795_690_800))
        wait_for_a_sweep(daemon)
        # It has to wait for the older frames that are in hand: when it is judged, so are they.
        (site.drop / name_of(FRAMES)).write_bytes(pictures[FRAMES])
        daemon.wait_for_verdicts(FRAMES + 1)
    assert [line["frame"] for line in daemon.verdicts()] == [*judged, name_of(FRAMES)]
    assert [line["frame"] for line in daemon.verdicts() if line.get("late", False)] == late(judged)


@pytest.mark.parametrize("writer", OUT_OF_ORDER, ids=str)
def test_frames_out_of_order_are_put_in_order_within_reorder_s(
    writer: Writer, site: Site, tmp_path: Path, outbox: Path
) -> None:
    """With drop.reorder_s the results equal a scan's, whatever order a writer sends the frames in."""
    site.configure(drop=f"{BY_NAME}\nreorder_s = 5")
    with writer.server(site) as server, running(site) as daemon:
        writer.send(outbox, server)
        verdicts = daemon.wait_for_verdicts(FRAMES)
    assert [line["frame"] for line in verdicts] == names_in(outbox)
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")


@pytest.mark.parametrize("client", RESUMING, ids=str)
def test_an_upload_that_is_cut_and_resumed_is_judged_once(client: Resuming, site: Site, large: Path) -> None:
    """A frame whose upload was cut waits for the rest, and is judged when it is whole."""
    site.configure(drop=f"{BY_NAME}\ngive_up_s = 600", rest=ALL_LINES)
    with client.server(site) as server, running(site) as daemon:
        client.cut(site, name_of(0), server)
        wait_for_a_sweep(daemon)
        client.finish(site, name_of(0), server)
        (verdict,) = daemon.wait_for_verdicts(1)
    assert verdict["event"] == "frame.kept"
    assert site.kept_bytes() == {name_of(0): large.read_bytes()}


@pytest.mark.parametrize("client", RESUMING, ids=str)
def test_an_upload_that_is_resumed_late_is_judged_whole(client: Resuming, site: Site, large: Path) -> None:
    """A frame that was rejected as truncated is judged when the rest has come after all."""
    site.configure(drop=BY_NAME)
    with client.server(site) as server, running(site) as daemon:
        client.cut(site, name_of(0), server)
        daemon.wait_for("frame.rejected", reason="truncated", frame=name_of(0))
        client.finish(site, name_of(0), server)
        daemon.wait_for("frame.kept", frame=name_of(0))
    assert daemon.tally() == {"rejected": 1, "kept": 1}
    assert site.kept_bytes() == {name_of(0): large.read_bytes()}


def late(judged: Iterable[str]) -> list[str]:
    """Return the frames that were judged after one that was taken later."""
    judged = list(judged)
    return [name for name, newest in zip(judged, accumulate(judged, max), strict=True) if name < newest]


def wait_for_a_sweep(daemon: RunningDaemon) -> list[Line]:
    """Wait until a sweep has ended that began after this was called: one may be under way."""
    daemon.drain()
    before = sum(line["event"] == "sweep.ended" for line in daemon.lines)
    return daemon.wait_for("sweep.ended", before + 2)

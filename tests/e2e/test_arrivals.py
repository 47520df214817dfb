import ftplib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from framegate.commands.demo.uploads import (
    die_half_way_and_repeat,
    link_in,
    move_in,
    size_first,
    write_at_once,
    write_part_and_rename,
    write_slowly,
)
from running import Site, running, scanned, wait_until

WAYS = [
    write_at_once,
    move_in,
    write_part_and_rename,
    link_in,
    write_slowly,
    size_first,
    die_half_way_and_repeat,
]


def names(count: int) -> list[str]:
    return [f"lot_{number:04d}.jpg" for number in range(1, count + 1)]


@pytest.mark.parametrize("upload", WAYS, ids=lambda upload: upload.__name__)
def test_frames_are_kept_as_a_scan_would_keep_them(
    site: Site, tmp_path: Path, morning: list[bytes], upload: Callable[[Path, bytes], None]
) -> None:
    """However a file arrives, the daemon keeps the same frames, byte for byte, as a scan afterwards."""
    with running(site) as daemon:
        for name, data in zip(names(len(morning)), morning, strict=True):
            upload(site.drop / name, data)
        daemon.wait_for_verdicts(len(morning))
    assert daemon.tally().total() == len(morning)
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")
    assert 0 < len(site.kept_bytes()) < len(morning)


@pytest.mark.parametrize(
    "upload",
    [write_at_once, write_slowly, write_part_and_rename, move_in, link_in],
    ids=lambda upload: upload.__name__,
)
def test_a_finished_file_is_taken_at_once(
    site: Site, morning: list[bytes], upload: Callable[[Path, bytes], None]
) -> None:
    """A whole file that was closed, moved in or linked in does not wait for settle_s or a sweep."""
    site.configure(drop="settle_s = 600\nsweep_s = 600")
    with running(site) as daemon:
        for count, data in enumerate(morning[:3], 1):
            upload(site.drop / f"lot_{count:04d}.jpg", data)
            daemon.wait_for_verdicts(count)


def test_a_backlog_is_judged_in_order_of_capture(site: Site, tmp_path: Path, morning: list[bytes]) -> None:
    """Frames that were there before the start are judged like a scan, then the live ones after them."""
    every_name = names(len(morning))
    for name, data in list(zip(every_name, morning, strict=True))[:8]:
        write_at_once(site.drop / name, data)
    with running(site) as daemon:
        for name, data in list(zip(every_name, morning, strict=True))[8:]:
            write_at_once(site.drop / name, data)
        verdicts = daemon.wait_for_verdicts(len(morning))
    assert [line["frame"] for line in verdicts] == every_name
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")


def test_a_subfolder_made_later_is_watched(site: Site, tmp_path: Path, morning: list[bytes]) -> None:
    """Frames in folders that are made, or moved in, while the daemon runs are judged, and keep their path."""
    site.configure(drop="sweep_s = 600")
    elsewhere = tmp_path / "elsewhere"
    with running(site) as daemon:
        (site.drop / "lot1" / "2026-11-23").mkdir(parents=True)
        write_at_once(site.drop / "lot1" / "2026-11-23" / "0001.jpg", morning[0])
        daemon.wait_for_verdicts(1)
        (elsewhere / "2026-11-24").mkdir(parents=True)
        write_at_once(elsewhere / "2026-11-24" / "0002.jpg", morning[4])
        (elsewhere / "2026-11-24").rename(site.drop / "lot1" / "2026-11-24")
        daemon.wait_for_verdicts(2)
    assert site.kept_bytes() == {
        "lot1/2026-11-23/0001.jpg": morning[0],
        "lot1/2026-11-24/0002.jpg": morning[4],
    }


def test_polling_finds_what_no_event_announces(site: Site, tmp_path: Path, morning: list[bytes]) -> None:
    """With watch = "poll" sweeps alone find every frame, also in folders made later."""
    site.configure(drop='watch = "poll"\nsweep_s = 0.2')
    with running(site) as daemon:
        assert daemon.lines[0]["watch"] == "poll"
        (site.drop / "later").mkdir()
        for name, data in zip(names(len(morning)), morning, strict=True):
            write_at_once(site.drop / "later" / name, data)
        daemon.wait_for_verdicts(len(morning))
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")


@contextmanager
def ftp_server(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve a folder by FTP on loopback."""
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    class Handler(FTPHandler):  # type: ignore[misc]
        authorizer = DummyAuthorizer()

    Handler.authorizer.add_user("camera", "lot1", str(folder), perm="elradfmwMT")
    server = FTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"timeout": 0.05, "handle_exit": False}, daemon=True)
    thread.start()
    try:
        yield server.address
    finally:
        server.close_all()
        thread.join(5)


def ftp_camera(address: tuple[str, int]) -> ftplib.FTP:
    client = ftplib.FTP(timeout=10)
    client.connect(*address)
    client.login("camera", "lot1")
    return client


def test_an_ftp_upload_that_dies_is_taken_when_it_is_repeated(
    site: Site, tmp_path: Path, morning: list[bytes]
) -> None:
    """A camera's FTP uploads are kept as by a scan; half a frame is never kept, its repetition is judged."""
    with ftp_server(site.drop) as address, running(site) as daemon:
        client = ftp_camera(address)
        for number, (name, data) in enumerate(zip(names(len(morning)), morning, strict=True)):
            if number == 4:
                _die_half_way(client, site.drop / name, data)
                daemon.wait_for("frame.rejected", reason="truncated", frame=name)
                client = ftp_camera(address)
            with (tmp_path / "frame").open("wb+") as frame:
                frame.write(data)
                frame.seek(0)
                client.storbinary(f"STOR {name}", frame)
        client.quit()
        verdicts = daemon.wait_for_verdicts(len(morning) + 1)
    assert [line["reason"] for line in verdicts if line["event"] == "frame.rejected"] == ["truncated"]
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")
    assert names(len(morning))[4] in {line["frame"] for line in verdicts if line["event"] != "frame.rejected"}


def _die_half_way(client: ftplib.FTP, path: Path, data: bytes) -> None:
    """Send half a frame, wait until the server has written some of it, and be gone."""
    connection = client.transfercmd(f"STOR {path.name}")
    connection.sendall(data[: len(data) // 2])
    wait_until(lambda: path.exists() and path.stat().st_size > 0)
    connection.close()
    client.close()


@pytest.mark.parametrize("folder", ["lot_empty", "webcam_day"])
def test_real_frames_are_kept_as_a_scan_would_keep_them(
    site: Site, tmp_path: Path, shared_data: Path, folder: str
) -> None:
    """On real footage, uploaded one by one, the daemon's results equal the scan's in names and bytes."""
    frames = sorted((shared_data / folder).glob("*.jpg"))[::2]
    pattern = "%Y-%m-%d_%H_%M_%S" if folder == "lot_empty" else "%Y-%m-%dT%H_%M_%S"
    site.configure(drop=f'capture_time = "{pattern}"')
    with running(site) as daemon:
        for frame in frames:
            shutil.copyfile(frame, site.drop / frame.name)
        daemon.wait_for_verdicts(len(frames))
    assert daemon.tally().total() == len(frames)
    assert site.kept_bytes() == scanned(site, tmp_path / "scan")

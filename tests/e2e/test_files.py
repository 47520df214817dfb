import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot, encoded
from framegate.commands.demo.uploads import write_at_once
from invariants import check, ledger_rows, whole_and_ours
from oracle import DETECTION, shot, upload
from running import Line, RunningDaemon, Site, running, wait_until

WRITER = """
import os, signal, sys
path, data = sys.argv[1], sys.stdin.buffer.read()
with open(path, "wb", buffering=0) as file:
    file.write(data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGSTOP)
    file.write(data[len(data) // 2 :])
"""


def begin_upload(path: Path, data: bytes) -> "subprocess.Popen[bytes]":
    """Start a program that writes half of a file and stops, with the file open; SIGCONT lets it go on."""
    writer = subprocess.Popen([sys.executable, "-S", "-c", WRITER, os.fspath(path)], stdin=subprocess.PIPE)
    assert writer.stdin is not None
    writer.stdin.write(data)
    writer.stdin.close()
    wait_until(lambda: path.exists() and path.stat().st_size == len(data) // 2)
    return writer


def verdicts_of(daemon: RunningDaemon, name: str) -> list[tuple[str, str]]:
    return [(line["event"], line["reason"]) for line in daemon.verdicts() if line["frame"] == name]


def test_a_file_is_not_touched_while_its_writer_has_it_open(site: Site, morning: list[bytes]) -> None:
    """A whole file that somebody still has open is left alone, however quiet it is, until it is closed."""
    site.configure(drop="settle_s = 0.3\ngive_up_s = 60", rest='[log]\nlevel = "debug"')
    with running(site) as daemon:
        with (site.drop / "a.jpg").open("wb", buffering=0) as file:
            file.write(morning[0])
            daemon.wait_for("frame.postponed", frame="a.jpg", reason="being_written", count=2)
            assert not daemon.verdicts()
        daemon.wait_for("frame.kept", frame="a.jpg")


def test_an_upload_that_stalls_and_goes_on_is_one_frame(site: Site, morning: list[bytes]) -> None:
    """A stalled upload does not hold up the others, and is judged once, when it is whole."""
    site.configure(drop="settle_s = 0.3\ngive_up_s = 60", rest='[log]\nlevel = "debug"')
    with running(site) as daemon, begin_upload(site.drop / "a.jpg", morning[4]) as writer:
        daemon.wait_for("frame.postponed", frame="a.jpg")
        write_at_once(site.drop / "b.jpg", morning[0])
        daemon.wait_for("frame.kept", frame="b.jpg")
        writer.send_signal(signal.SIGCONT)
        daemon.wait_for("frame.kept", frame="a.jpg", reason="changed")
        assert verdicts_of(daemon, "a.jpg") == [("frame.kept", "changed")]


STRANGER = 12_345
NO_LEASES = ("setpriv", "--bounding-set", "-lease")
"""Root without this may ask who writes a file of its own, and of nobody else's."""


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root may own as another")
@pytest.mark.parametrize("is_new", [True, False], ids=["size-set-first", "rewritten-in-place"])
def test_what_another_user_has_open_is_not_kept_half(site: Site, *, is_new: bool) -> None:
    """A stranger's upload that stalls, and whose end proves nothing, is waited for: the usual service."""
    before, after = (
        encoded(Lot(width=320, height=180, parked=cars).picture(), ".bmp") for cars in ({}, {2: 5})
    )
    site.configure(drop="settle_s = 1\ngive_up_s = 60\nsweep_s = 0.5", rest='[log]\nlevel = "debug"')
    path = site.drop / "a.bmp"
    with running(site, through=NO_LEASES) as daemon:
        if not is_new:
            write_at_once(path, before)
            daemon.wait_for("frame.kept", frame="a.bmp", reason="first")
        with path.open("wb" if is_new else "r+b", buffering=0) as file:
            os.fchown(file.fileno(), STRANGER, STRANGER)
            file.truncate(len(after))
            file.write(after[: len(after) // 2])
            daemon.wait_for("frame.postponed", frame="a.bmp", reason="being_written", count=2)
            file.write(after[len(after) // 2 :])
        daemon.wait_for("frame.kept", frame="a.bmp", reason="first" if is_new else "changed")
    assert set(site.kept_bytes().values()) == ({after} if is_new else {before, after})


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root may own as another")
def test_a_mode_given_later_is_no_write(site: Site, morning: list[bytes]) -> None:
    """A stranger's file that is moved in, and gets mode and time after that, waits for settle_s alone."""
    site.configure(drop="settle_s = 0.3\ngive_up_s = 60")
    ready = site.home / "ready.jpg"
    write_at_once(ready, morning[0])
    os.chown(ready, STRANGER, STRANGER)
    with running(site, through=NO_LEASES) as daemon:
        ready.rename(site.drop / "a.jpg")
        (site.drop / "a.jpg").chmod(0o644)
        os.utime(site.drop / "a.jpg", (1_700_000_000, 1_700_000_000))
        daemon.wait_for("frame.kept", frame="a.jpg", within_s=10)


def test_an_upload_that_goes_on_after_it_was_given_up_is_judged_again(
    site: Site, morning: list[bytes]
) -> None:
    """After give_up_s half a file is rejected; when the rest comes after all, the whole is judged."""
    site.configure(drop="settle_s = 0.2\ngive_up_s = 0.6")
    with running(site) as daemon, begin_upload(site.drop / "a.jpg", morning[0]) as writer:
        daemon.wait_for("frame.rejected", frame="a.jpg", reason="truncated")
        writer.send_signal(signal.SIGCONT)
        daemon.wait_for("frame.kept", frame="a.jpg", reason="first")


def test_a_file_written_in_three_goes_is_one_frame(site: Site, morning: list[bytes]) -> None:
    """A writer that opens, appends and closes three times gets one verdict: for the whole."""
    site.configure(drop="settle_s = 0.3\ngive_up_s = 60", rest='[log]\nlevel = "debug"')
    third = len(morning[0]) // 3 + 1
    with running(site) as daemon:
        for start in range(0, len(morning[0]), third):
            with (site.drop / "a.jpg").open("ab") as file:
                file.write(morning[0][start : start + third])
            if start + third < len(morning[0]):
                daemon.wait_for(
                    "frame.postponed", frame="a.jpg", reason="unfinished", count=start // third + 1
                )
        daemon.wait_for("frame.kept", frame="a.jpg")
        assert verdicts_of(daemon, "a.jpg") == [("frame.kept", "first")]


def test_a_file_that_is_overwritten_all_the_time_is_never_kept_half(site: Site) -> None:
    """While one file is overwritten again and again no result is a mixture, and the last version counts."""
    site.configure(detection=DETECTION)
    shots = [shot(number, number % 4, size_bytes=60_000) for number in range(200)]
    path = site.drop / "current.jpg"
    with running(site) as daemon:
        for taken in shots:
            path.write_bytes(taken.data)
        last = path.stat()

        def is_judged() -> bool:
            keys = {(row.size_bytes, row.mtime_ns) for row in ledger_rows(site)}
            return (last.st_size, last.st_mtime_ns) in keys

        daemon.wait_for_verdicts(1)
        wait_until(is_judged)
    kept = site.kept_bytes()
    assert kept
    assert not list(whole_and_ours(kept, shots, {}))


def test_a_copy_is_identical_and_a_touched_file_is_no_frame(site: Site, morning: list[bytes]) -> None:
    """The same bytes under another name are an identical frame; with a new time they are no frame at all."""
    site.configure(rest='[log]\nformat = "json"\nlevel = "debug"')
    with running(site) as daemon:
        write_at_once(site.drop / "a.jpg", morning[0])
        daemon.wait_for("frame.kept", frame="a.jpg")
        write_at_once(site.drop / "b.jpg", morning[0])
        daemon.wait_for("frame.dropped", frame="b.jpg", reason="identical")
        os.utime(site.drop / "a.jpg", (1_700_000_000,) * 2)
        daemon.wait_for("frame.known", frame="a.jpg", change="touched")
    assert site.kept_bytes() == {"a.jpg": morning[0]}


def test_files_that_vanish_at_once_stop_nothing(site: Site, morning: list[bytes]) -> None:
    """Files that are removed as soon as they are there are passed over, or rejected as vanished."""
    with running(site) as daemon:
        for number in range(200):
            write_at_once(site.drop / f"gone_{number}.jpg", morning[0])
            (site.drop / f"gone_{number}.jpg").unlink()
        write_at_once(site.drop / "stays.jpg", morning[4])
        wait_until(lambda: any(line["frame"] == "stays.jpg" for line in _heard(daemon)))
    reasons = {line["reason"] for line in daemon.verdicts() if line["event"] == "frame.rejected"}
    assert reasons <= {"vanished"}
    assert "stays.jpg" in {line["frame"] for line in daemon.verdicts()}


def _heard(daemon: RunningDaemon) -> list[Line]:
    daemon.drain()
    return daemon.verdicts()


def test_a_file_cut_anywhere_is_never_kept(site: Site, morning: list[bytes]) -> None:
    """Wherever an upload was cut within its data, what is there is rejected, and no part of it is kept."""
    data = morning[0]
    cuts = sorted({*range(0, 40, 3), *range(40, len(data), len(data) // 40), len(data) - 9})
    with running(site) as daemon:
        for cut in cuts:
            write_at_once(site.drop / f"cut_{cut:06d}.jpg", data[:cut])
        daemon.wait_for("frame.rejected", count=len(cuts))
    assert {line["reason"] for line in daemon.verdicts()} <= {"empty", "truncated", "undecodable"}
    assert site.kept_bytes() == {}


def test_names_that_only_look_alike_are_two_frames(site: Site, morning: list[bytes]) -> None:
    """Upper and lower case, and two ways to write an accent, are different files and different results."""
    names = ["caf\u00e9.jpg", "cafe\u0301.jpg", "CAF\u00c9.jpg"]
    with running(site) as daemon:
        for name, data in zip(names, (morning[0], morning[4], morning[0]), strict=True):
            write_at_once(site.drop / name, data)
            daemon.wait_for("frame.kept", frame=name)
    assert site.kept_bytes() == dict(zip(names, (morning[0], morning[4], morning[0]), strict=True))


def test_names_that_play_tricks_stay_in_the_results_folder(site: Site) -> None:
    """Leading dashes, spaces, dots, percent signs and the longest name that Linux allows are plain names."""
    names = ["-rf.jpg", " .jpg", "..jpg.jpg", "%2e%2e%2fetc.jpg", "$(reboot).jpg", "n" * 251 + ".jpg"]
    site.configure(detection=DETECTION, drop='include = ["*.jpg"]')
    shots = [shot(number, number % 2) for number in range(len(names))]
    with running(site) as daemon:
        for name, taken in zip(names, shots, strict=True):
            if not name.startswith("."):
                write_at_once(site.drop / name, taken.data)
                daemon.wait_for_verdicts(len(daemon.verdicts()) + 1)
    assert {line["frame"] for line in daemon.verdicts()} == {name for name in names if name[0] != "."}
    assert set(site.kept_bytes()) <= set(names)
    assert sorted(os.listdir(site.home)) == ["drop", "results", "site.toml", "state"]


def test_a_link_in_place_of_a_folder_is_not_followed(
    site: Site, tmp_path: Path, morning: list[bytes]
) -> None:
    """A folder that is a link, or is replaced by one, brings nothing from elsewhere into the results."""
    outside = tmp_path / "outside"
    outside.mkdir()
    write_at_once(outside / "secret.jpg", morning[0])
    site.configure(drop="sweep_s = 0.3")
    with running(site) as daemon:
        (site.drop / "gate").symlink_to(outside)
        write_at_once(site.drop / "z.jpg", morning[4])
        daemon.wait_for("frame.kept", frame="z.jpg")
    assert site.kept_bytes() == {"z.jpg": morning[4]}


def test_a_hard_link_is_a_frame_like_any_other(site: Site, tmp_path: Path) -> None:
    """A frame that is linked in is copied; its other name keeps its bytes, time and number of links."""
    site.configure(detection=DETECTION)
    taken = shot(1, 0)
    upload(taken, tmp_path)
    with running(site) as daemon:
        os.link(tmp_path / taken.name, site.drop / taken.name)
        daemon.wait_for("frame.kept")
    check(site, [taken], acknowledged=daemon.lines)
    assert (site.results / taken.name).stat().st_nlink == 1
    assert (tmp_path / taken.name).stat().st_nlink == 2

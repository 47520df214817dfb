import os
import socket
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot, encoded
from framegate.commands.demo.uploads import write_at_once
from running import Site, running

CAMERAS = r"camera_pattern = '^(?P<camera>c\d+)'"
TIMES = 'capture_time = ["%Y_%m_%d__%H_%M_%S", "epoch_ms"]'


def test_every_bad_file_is_rejected_and_none_stops_the_line(site: Site, morning: list[bytes]) -> None:
    """Whatever lands in the folder gets a verdict, and the next frame is compared with the one before."""
    site.configure(drop='max_size = "2MB"\nmax_megapixels = 50')
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (13000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0" + bytes(40)
    bad = {
        "empty.jpg": b"",
        "truncated.jpg": morning[0][:-200],
        "filled_later.jpg": morning[0][:5000] + bytes(len(morning[0]) - 5000),
        "text.jpg": b"this is no picture",
        "bomb.png": bomb,
        "giant.jpg": bytes(2_000_001),
    }
    with running(site) as daemon:
        write_at_once(site.drop / "a.jpg", morning[0])
        daemon.wait_for("frame.kept", frame="a.jpg")
        for name, data in bad.items():
            write_at_once(site.drop / name, data)
        os.mkfifo(site.drop / "fifo.jpg")
        os.symlink("/etc/passwd", site.drop / "link.jpg")
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(site.drop / "socket.jpg"))
        daemon.wait_for("frame.rejected", count=len(bad) + 3)
        write_at_once(site.drop / "b.jpg", morning[0])
        (last,) = daemon.wait_for("frame.dropped", frame="b.jpg")
    reasons = {
        line["frame"]: line["reason"] for line in daemon.verdicts() if line["event"] == "frame.rejected"
    }
    assert reasons == {
        "empty.jpg": "empty",
        "truncated.jpg": "truncated",
        "filled_later.jpg": "truncated",
        "text.jpg": "undecodable",
        "bomb.png": "too_large",
        "giant.jpg": "too_large",
        "fifo.jpg": "not_a_regular_file",
        "link.jpg": "not_a_regular_file",
        "socket.jpg": "not_a_regular_file",
    }
    assert (last["reference"], last["reason"]) == ("a.jpg", "identical")
    assert site.kept_bytes() == {"a.jpg": morning[0]}


def test_a_damaged_picture_leaves_the_log_json(site: Site, morning: list[bytes]) -> None:
    """What C libraries print about a damaged picture does not come between the log's lines."""
    damaged = bytearray(morning[0])
    damaged[len(damaged) // 2 : len(damaged) // 2 + 40] = b"\x55" * 40
    with running(site) as daemon:
        write_at_once(site.drop / "damaged.jpg", bytes(damaged))
        daemon.wait_for_verdicts(1)
    assert daemon.noise == []


@pytest.mark.parametrize("extension", [".jpg", ".JPG", ".png", ".PNG", ".webp", ".tiff", ".bmp"])
def test_formats_are_decided_by_content(site: Site, extension: str) -> None:
    """JPEG, PNG, WebP, TIFF and BMP are frames, in upper case too, and under another format's name."""
    right = Lot(width=160, height=120).picture()
    other_bytes = right.copy()
    other_bytes[:8, :8] += 2
    with running(site) as daemon:
        write_at_once(site.drop / f"right{extension}", encoded(right, extension.lower()))
        daemon.wait_for("frame.kept", frame=f"right{extension}", reason="first")
        write_at_once(site.drop / "wrong.jpeg", encoded(other_bytes, extension.lower()))
        daemon.wait_for("frame.dropped", frame="wrong.jpeg", reason="unchanged")


def test_unfinished_and_foreign_names_are_left_alone(site: Site, morning: list[bytes]) -> None:
    """Dot-files, .part, .tmp, .filepart, tilde names and what include does not match get no verdict."""
    ignored = [".hidden.jpg", "a.jpg.part", "a.jpg.tmp", "a.jpg.filepart", "a.jpg~", "notes.txt"]
    with running(site) as daemon:
        for name in [*ignored, "z.jpg"]:
            write_at_once(site.drop / name, morning[0])
        daemon.wait_for("frame.kept", frame="z.jpg")
    assert [line["frame"] for line in daemon.verdicts()] == ["z.jpg"]
    assert sorted(os.listdir(site.drop)) == sorted([*ignored, "z.jpg"])


def test_each_camera_has_its_own_reference(site: Site, morning: list[bytes]) -> None:
    """Cameras that share a folder are told apart, ordered by the time in the name, and tuned apart."""
    site.configure(drop=f"{CAMERAS}\n{TIMES}", rest='[camera.c23.detection]\nscore_threshold = "900x"')
    with running(site) as daemon:
        for name, data in {
            "c21_2021_03_26__16_44_04.png": morning[0],
            "c23-1616694872510.png": morning[0],
            "c21_2021_03_26__16_49_04.png": morning[4],
            "c23-1616694972510.png": morning[4],
        }.items():
            write_at_once(site.drop / name, data)
        daemon.wait_for_verdicts(4)
    reasons = {line["frame"]: (line["camera"], line["reason"]) for line in daemon.verdicts()}
    assert reasons == {
        "c21_2021_03_26__16_44_04.png": ("c21", "first"),
        "c23-1616694872510.png": ("c23", "first"),
        "c21_2021_03_26__16_49_04.png": ("c21", "changed"),
        "c23-1616694972510.png": ("c23", "unchanged"),
    }
    (line,) = daemon.wait_for("frame.kept", frame="c23-1616694872510.png")
    assert line["captured_at"] == "2021-03-25T17:54:32.510Z"


def test_a_frame_of_another_size_becomes_the_reference(site: Site) -> None:
    """A camera that changes its resolution is compared with its new size from then on."""
    small, large = Lot(width=320, height=180).jpeg(), Lot(width=480, height=270).jpeg()
    with running(site) as daemon:
        for name, data in {"a.jpg": small, "b.jpg": large, "c.jpg": large}.items():
            write_at_once(site.drop / name, data)
            daemon.wait_for("frame.kept" if name < "c" else "frame.dropped", frame=name)
    assert [(line["frame"], line["reason"]) for line in daemon.verdicts()] == [
        ("a.jpg", "first"),
        ("b.jpg", "size_changed"),
        ("c.jpg", "identical"),
    ]


def test_a_name_used_again_is_another_frame(site: Site, morning: list[bytes]) -> None:
    """A camera that overwrites one file is judged at every version, and no result replaces another."""
    with running(site) as daemon:
        for count, data in enumerate((morning[0], morning[4], morning[0]), 1):
            write_at_once(site.drop / "current.jpg", data)
            daemon.wait_for_verdicts(count)
    assert daemon.tally() == {"kept": 3}
    kept = site.kept_bytes()
    assert kept["current.jpg"] == morning[0]
    assert morning[4] in kept.values()
    assert all(name.startswith("current") for name in kept)


def test_hostile_names_stay_one_json_line(site: Site, morning: list[bytes]) -> None:
    """A name with a newline, a quote or undecodable bytes is kept as it is, and logged in one line."""
    names = [b'new\nline".jpg', b"bad\xff.jpg", b"\x1b[31mred.jpg", "\u202ertl.jpg".encode()]
    with running(site) as daemon:
        for count, name in enumerate(names, 1):
            write_at_once(site.drop / os.fsdecode(name), morning[count])
            daemon.wait_for_verdicts(count)
    assert daemon.noise == []
    assert daemon.tally().total() == len(names)
    assert {os.fsencode(name) for name in site.kept_bytes()} <= set(names)


def test_the_drop_folder_is_never_changed(site: Site, morning: list[bytes]) -> None:
    """What the camera wrote stays as it wrote it: names, bytes and times."""

    def state(folder: Path) -> dict[str, tuple[bytes, int]]:
        return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}

    with running(site) as daemon:
        for number, data in enumerate(morning):
            write_at_once(site.drop / f"{number}.jpg", data)
        before = state(site.drop)
        daemon.wait_for_verdicts(len(morning))
    assert state(site.drop) == before

import os
from pathlib import Path

import pytest

from framegate.ingest.watch.mounts import Mount, find_mount, mount_of, sees_all_writers

MOUNTINFO = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:50 / /srv rw,relatime shared:1 master:2 - xfs /dev/vdb rw
41 40 0:51 / /srv/cameras rw,relatime shared:3 - autofs systemd-1 rw,fd=42
42 41 0:52 / /srv/cameras rw,relatime - nfs4 nas:/cameras rw,vers=4.2
43 40 0:53 / /srv/cam rw - fuse.sshfs box:/cam rw
44 40 0:54 / /srv/two\040words\134\011x rw - cifs //nas/two\040words rw
a line that is none
""".strip()


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        ("/", "/", "ext4"),
        ("/home/frames", "/", "ext4"),
        ("/srv", "/srv", "xfs"),
        ("/srv/camera", "/srv", "xfs"),
        ("/srv/cam", "/srv/cam", "fuse.sshfs"),
        ("/srv/cam/1/2", "/srv/cam", "fuse.sshfs"),
        ("/srv/cameras/lot1", "/srv/cameras", "nfs4"),
        ("/srv/two words\\\tx/lot", "/srv/two words\\\tx", "cifs"),
    ],
)
def test_the_innermost_mount_holds_a_path(path: str, point: str, kind: str) -> None:
    """The longest mount point wins, a like-named neighbour does not count, the last of several covers."""
    assert find_mount(path, MOUNTINFO) == Mount(point, kind)


def test_no_mount_is_found_in_nothing() -> None:
    """Text that holds no mount gives none, rather than an error."""
    assert find_mount("/srv", "") is None
    assert find_mount("/srv", "1 2 3 - \n - ext4\n1 2 0:1 / /srv rw - ") is None


def test_names_of_any_bytes_are_mount_points(tmp_path: Path) -> None:
    """A mount point whose name is no UTF-8 is found by the name that Python has for it."""
    (tmp_path / "mountinfo").write_bytes(b"1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /dr\xf6p rw - nfs n:/ rw\n")
    found = mount_of(Path(os.fsdecode(b"/dr\xf6p/lot")), tmp_path / "mountinfo")
    assert found == Mount(os.fsdecode(b"/dr\xf6p"), "nfs")


def test_a_link_is_followed_to_its_mount(tmp_path: Path) -> None:
    """A drop folder that is a link is on the file system it points to."""
    (tmp_path / "mountinfo").write_bytes(b"1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /share rw - nfs n:/ rw\n")
    (tmp_path / "link").symlink_to("/share/lot")
    assert mount_of(tmp_path / "link", tmp_path / "mountinfo") == Mount("/share", "nfs")


def test_a_system_that_does_not_say_has_no_mounts(tmp_path: Path) -> None:
    """Without a readable mountinfo nothing is known, and nothing fails."""
    assert mount_of(tmp_path, tmp_path / "gone") is None


def test_this_machine_says_where_proc_is_mounted() -> None:
    """The kernel's own text is understood."""
    assert mount_of(Path("/proc/self")) == Mount("/proc", "proc")


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "tmpfs", "vfat", "exfat", "fuseblk", "overlay", "zfs"]
)
def test_a_local_file_system_sees_its_writers(kind: str) -> None:
    """Inotify hears of every write to a file system of this machine."""
    assert sees_all_writers(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "autofs", "fuse", "fuse.sshfs", "vboxsf",
        "fakeowner", "osxfs", "wslfs", "mergerfs", "fuse.mergerfs",
    ],
)  # fmt: skip
def test_a_share_does_not_see_its_writers(kind: str) -> None:
    """Inotify is deaf to what other machines write to a share, or others to the back of a FUSE mount."""
    assert not sees_all_writers(kind)

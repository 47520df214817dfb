"""Which file system a folder is on, and whether this kernel sees every write to it.

inotify reports what passes through this kernel. What another machine writes to a share, or a program to the
folder behind a FUSE file system, does not: with bindfs, no event came for a file written to the other side.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

_WRITTEN_ELSEWHERE = re.compile(
    r"9p|acfs|afs|autofs|beegfs|ceph|cifs|coda|davfs|drvfs|fakeowner|fuse(\..*)?|gfs2|glusterfs|gpfs|hgfs|lustre|mergerfs|ncpfs"
    r"|nfs4?|ocfs2|orangefs|osxfs|panfs|prl_fs|smb3|smbfs|vboxsf|virtiofs|vmhgfs|wslfs"
)
"""File systems whose files others write: servers, cluster nodes, the host of a virtual machine. ``autofs``
is a mount that is still to come; ``fuseblk`` is a local disk."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    point: str
    kind: str
    """Its type as in mount(8): ``ext4``, ``nfs4``, ``fuse.sshfs``."""

    device: str = field(default="", compare=False)
    """The kernel's number of it, ``8:1``. A file's ``st_dev`` may differ: on btrfs it is a subvolume's."""

    is_read_only: bool = field(default=False, compare=False)
    """Whether nobody can write to it; where systemd forbids it to a service, others still can."""


def sees_all_writers(kind: str) -> bool:
    """Return whether inotify reports every write to a file system of this type."""
    return _WRITTEN_ELSEWHERE.fullmatch(kind) is None


def mount_of(folder: Path, mountinfo: Path = MOUNTINFO) -> Mount | None:
    """Return the mount that a folder is on, links resolved; None when that cannot be found out."""
    try:
        text = os.fsdecode(mountinfo.read_bytes())
    except OSError:
        return None
    return find_mount(os.path.realpath(folder), text)


def find_mount(path: str, mountinfo: str) -> Mount | None:
    """Return the mount that holds a path.

    It is the one with the longest mount point; of several at one point the last listed covers the others.

    Args:
        path: absolute, links resolved.
        mountinfo: the text of ``/proc/self/mountinfo``.
    """
    found: Mount | None = None
    for line in mountinfo.split("\n"):
        mount = _parse(line)
        if mount and _holds(mount.point, path) and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def _parse(line: str) -> Mount | None:
    """Read ``36 35 98:0 /root /point rw,noatime [tag:value ...] - ext4 /dev/sda1 rw``."""
    left, dash, right = line.partition(" - ")
    _id, _parent, device, _root, point, *_ = [*left.split(" "), "", "", "", "", ""]
    kind, _source, options, *_ = [*right.split(" "), "", "", ""]
    is_read_only = "ro" in options.split(",")
    return (
        Mount(_unescaped(point), _unescaped(kind), device, is_read_only) if dash and point and kind else None
    )


def _unescaped(text: str) -> str:
    r"""Undo the kernel's ``\040`` for a space, and the same for tab, newline and backslash."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")

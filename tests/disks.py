"""Real file systems for tests: images on loop devices, mounts that always go away, power cuts.

A power cut is a copy of an image, shared by reference (``cp --reflink``), while its file system is in use:
the copy holds what the kernel had sent to the device by that moment, and nothing that was still in memory.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from running import wait_until

MEBIBYTE = 2**20
SMALLEST_BYTES = {
    "ext4": 64 * MEBIBYTE,
    "xfs": 300 * MEBIBYTE,
    "btrfs": 128 * MEBIBYTE,
    "exfat": 16 * MEBIBYTE,
    "vfat": 16 * MEBIBYTE,
}
"""What mkfs accepts, in round numbers; the images are sparse."""

QUIETLY = {"ext4": ("-q", "-F"), "xfs": ("-q", "-f"), "btrfs": ("-q", "-f")}
OF_A_COPY = {"xfs": ("nouuid",)}
"""Options for mounting the copy of an image that the kernel has seen already."""

BUSY_S = 10.0
TOOL_S = 60.0

POWERLESS = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Root writes where it likes; without these two capabilities it is an owner like another."""


class ToolError(Exception):
    """A tool failed: what it said."""


def run_tool(*command: str | os.PathLike[str]) -> str:
    """Run a program; return what it printed, or raise ToolError."""
    words = [os.fspath(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TOOL_S, check=False)
    if done.returncode:
        complaint, *_ = (done.stderr.strip() or done.stdout.strip()).splitlines() or [""]
        raise ToolError(f"{' '.join(words)}: {complaint}")
    return done.stdout.strip()


def need(*tools: str) -> None:
    """Skip the test where a program is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def need_root(*tools: str) -> None:
    """Skip the test where file systems may not be mounted, or a program is missing."""
    if os.geteuid():
        pytest.skip("only root may mount file systems")
    need("mount", "umount", *tools)


@contextmanager
def folder_elsewhere(than: Path) -> Iterator[Path]:
    """Make a folder on another file system than a path's; skip the test where there is none."""
    for root in map(Path, ("/dev/shm", "/var/tmp")):
        if os.access(root, os.W_OK) and root.stat().st_dev != than.stat().st_dev:
            with TemporaryDirectory(prefix="framegate-", dir=root) as folder:
                yield Path(folder)
            return
    pytest.skip("there is no other file system here")


@contextmanager
def skipping() -> Iterator[None]:
    """Turn a tool's failure into a skip: for what a machine may be unable to do, not for what is tested."""
    try:
        yield
    except ToolError as error:
        pytest.skip(f"this machine cannot do it: {error}")


def make_image(image: Path, kind: str, *options: str, size_bytes: int = 0) -> Path:
    """Make a file system of a kind in a sparse file."""
    with image.open("wb") as file:
        file.truncate(size_bytes or SMALLEST_BYTES[kind])
    run_tool(f"mkfs.{kind}", *QUIETLY.get(kind, ()), *options, image)
    return image


def attach(image: Path) -> str:
    """Give an image a loop device, making its node where nobody else does; return the device."""
    for _ in range(10):  # another process may take the same free one
        device = run_tool("losetup", "--find")
        if not os.path.exists(device):
            run_tool("mknod", device, "b", "7", device.removeprefix("/dev/loop"))
        try:
            run_tool("losetup", device, image)
        except ToolError:
            continue
        return device
    raise ToolError("losetup: no free loop device")


@contextmanager
def mounted(what: str | Path, folder: Path, *options: str, kind: str = "") -> Iterator[Path]:
    """Mount a device, an image, a folder (``bind``) or, for ``tmpfs``, nothing; unmount it at the end."""
    with ExitStack() as stack:
        if isinstance(what, Path) and what.is_file():
            device = attach(what)
            stack.callback(detach, device)
            what = device
        folder.mkdir(parents=True, exist_ok=True)
        _mount(what, folder, options, kind)
        stack.callback(unmount, folder)
        yield folder


def _mount(what: str | Path, folder: Path, options: tuple[str, ...], kind: str) -> None:
    words = [*(("-o", ",".join(options)) if options else ()), what, folder]
    try:
        run_tool("mount", *(("-t", kind) if kind else ()), *words)
    except ToolError:
        if kind != "exfat" or shutil.which("mount.exfat-fuse") is None:
            raise
        run_tool("mount.exfat-fuse", *words)  # the kernel cannot, but somebody else can


def unmount(folder: Path) -> None:
    """Unmount a folder, if it is mounted; when it stays busy, take at least its name away."""
    if not os.path.ismount(folder):
        return
    try:
        unmount_when_free(folder)
    except AssertionError:
        run_tool("umount", "--lazy", folder)


def unmount_when_free(folder: Path) -> None:
    """Unmount a folder as an operator does: again until nobody uses it any more."""

    def is_unmounted() -> bool:
        try:
            run_tool("umount", folder)
        except ToolError:
            return False
        return True

    wait_until(is_unmounted, BUSY_S)


def detach(device: str) -> None:
    """Free a loop device, if it is not free; one that is in use is freed with its last user."""
    subprocess.run(["losetup", "--detach", device], capture_output=True, timeout=TOOL_S, check=False)


def device_of(folder: Path) -> str:
    """Return the device that is mounted at a folder."""
    return run_tool("findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", folder)


@contextmanager
def memory_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a tmpfs of a size, as ``mount`` spells it; skip where that cannot be done."""
    need_root()
    with ExitStack() as stack:
        with skipping():
            stack.enter_context(mounted("none", folder, f"size={size}", kind="tmpfs"))
        yield folder


@contextmanager
def loop_disk(
    folder: Path,
    image: Path,
    kind: str,
    *mount_options: str,
    mkfs_options: tuple[str, ...] = (),
    size_bytes: int = 0,
) -> Iterator[Path]:
    """Make a file system in an image and mount it; skip where that cannot be done."""
    need_root(f"mkfs.{kind}", "losetup", "findmnt")
    with ExitStack() as stack:
        with skipping():
            make_image(image, kind, *mkfs_options, size_bytes=size_bytes)
            stack.enter_context(mounted(image, folder, *mount_options, kind=kind))
        yield folder


@contextmanager
def reflink_store(home: Path) -> Iterator[Path]:
    """Give a folder in which a file is copied at one moment: an XFS, in an image, in memory."""
    with (
        memory_disk(home / "memory", "2g") as memory,
        loop_disk(
            home / "store",
            memory / "store.img",
            "xfs",
            "discard",
            mkfs_options=("-m", "reflink=1"),
            size_bytes=1900 * MEBIBYTE,
        ) as store,
    ):
        yield store


def cut_power(image: Path, copy: Path) -> None:
    """Take the copy of an image that a power cut at this moment would leave."""
    run_tool("cp", "--reflink=always", image, copy)


@contextmanager
def after_the_cut(image: Path, folder: Path, kind: str) -> Iterator[Path]:
    """Mount what a power cut left; the file system has to recover by itself."""
    with mounted(image, folder, *OF_A_COPY.get(kind, ()), kind=kind):
        yield folder


def tracing(calls: str, inject: str, path: Path | None = None) -> tuple[str, ...]:
    """Return the command that runs another one, changing the outcome of system calls as strace spells it.

    Args:
        calls: the calls that may be changed, with commas between them.
        inject: which, how and when: ``fsync:error=EIO:when=3``.
        path: change only the calls on this file.
    """
    strace = ("strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null")
    need(strace[0])
    with skipping():
        run_tool(*strace, "true")
    only = () if path is None else ("-P", os.fspath(path))
    return (*strace, *only, "-e", f"trace={calls}", "-e", f"inject={inject}")


class Ballast:
    """A file that fills a file system."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def fill(self, leaving_bytes: int = 0) -> None:
        """Take all the space but so many bytes."""
        with self._path.open("wb", buffering=0) as file:
            for piece_bytes in (65536, 4096):
                self._fill_by(file.fileno(), piece_bytes)
            file.truncate(max(0, file.tell() - leaving_bytes))

    def release(self) -> None:
        """Give the space back."""
        self._path.unlink()

    @staticmethod
    def _fill_by(fd: int, piece_bytes: int) -> None:
        try:
            while os.write(fd, bytes(piece_bytes)) == piece_bytes:
                pass
        except OSError:
            pass

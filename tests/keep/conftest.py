import ctypes
import os
import platform
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from forked import python
from framegate.keep.ledger import Ledger

REFUSE = """
import ctypes, errno, os, struct, sys

def refuse(number, code):
    # Let the kernel refuse a system call to this process, for good.
    rules = b"".join(struct.pack("HBBI", *rule) for rule in [
        (0x20, 0, 0, 0),  # load the number of the system call
        (0x15, 0, 1, number),  # another one: skip one
        (0x06, 0, 0, 0x00050000 | code),  # refuse
        (0x06, 0, 0, 0x7FFF0000),  # allow
    ])
    buffer = ctypes.create_string_buffer(rules, len(rules))
    program = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        sys.exit(77)
"""
"""A piece of a program, for errors that no file system here gives: the kernel is asked to give them."""

NO_SECCOMP = 77
SYSTEM_CALLS = {
    "linkat": {"x86_64": 265, "aarch64": 37, "riscv64": 37},
    "fsync": {"x86_64": 74, "aarch64": 82, "riscv64": 82},
    "flock": {"x86_64": 73, "aarch64": 32, "riscv64": 32},
}

RunPython = Callable[..., "subprocess.CompletedProcess[bytes]"]
LargestFile = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger is made."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """A ledger that is closed when the test ends."""
    opened = Ledger(path)
    yield opened
    opened.close()


@pytest.fixture
def run_python() -> RunPython:
    """Run a program in a process of its own; its exit code is the test's to judge."""
    return python


@pytest.fixture
def run_refused(run_python: RunPython) -> Callable[..., str]:
    """Run a program that begins with ``refuse``, told the number of a system call; return its output."""

    def run(call: str, program: str, *arguments: object, data: bytes = b"") -> str:
        if platform.machine() not in SYSTEM_CALLS[call] or ctypes.sizeof(ctypes.c_void_p) != 8:
            pytest.skip(f"the number of {call} on {platform.machine()} is not known here")
        number = SYSTEM_CALLS[call][platform.machine()]
        done = run_python(f"{REFUSE}\nNUMBER = {number}\n{program}", *arguments, data=data)
        if done.returncode == NO_SECCOMP:
            pytest.skip("the kernel does not let a process refuse itself a system call")
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    return run


@pytest.fixture
def largest_file() -> LargestFile:
    """Let the kernel refuse to write a file beyond a size: a disk that fills up half way through a write."""

    @contextmanager
    def limited(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 320 KiB."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=320k", "none", os.fspath(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", os.fspath(folder)], check=True)

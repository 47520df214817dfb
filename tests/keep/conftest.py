import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

RunPython = Callable[..., "subprocess.CompletedProcess[bytes]"]
LargestFile = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty results folder."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def run_python() -> RunPython:
    """Run a program in a process of its own; its exit code is the test's to judge."""

    def run(program: str, *arguments: object, data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-c", program, *map(os.fspath, map(str, arguments))]
        return subprocess.run(command, input=data, capture_output=True, timeout=20, check=False)

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
    """A real file system of 256 KiB."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", os.fspath(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", os.fspath(folder)], check=True)

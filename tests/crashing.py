"""A picture at which the process that reads it crashes, or hangs."""

import shutil
import subprocess
from pathlib import Path

import pytest

MARK = b"framegate-test-marker"
SHIM = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t read(int fd, void *buffer, size_t size) {
    ssize_t got = syscall(SYS_read, fd, buffer, size);
    const char *act = getenv("AT_THE_MARK");
    if (act && got > 0 && memmem(buffer, got, "%(mark)s", strlen("%(mark)s"))) {
        if (!strcmp(act, "abort")) abort();
        for (;;) pause();
    }
    return got;
}
"""
"""A decoder that crashes or hangs at a certain picture, as near as can be had: already in the read."""


def compiled_shim(folder: Path) -> Path:
    """Return a library that makes whoever preloads it crash at marked pictures."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    (folder / "shim.c").write_text(SHIM % {"mark": MARK.decode()})
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", f"{folder}/shim.so", f"{folder}/shim.c"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return folder / "shim.so"


def marked(jpeg: bytes) -> bytes:
    """Return the same picture with the marker in a comment."""
    return jpeg[:2] + b"\xff\xfe" + (len(MARK) + 2).to_bytes(2, "big") + MARK + jpeg[2:]

"""How much memory the cameras may take: a share of what this process may use."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SHARE = 0.5
"""The rest is for the pictures in hand: one of 100 megapixels takes 160 MB."""

LEAST_BYTES, MOST_BYTES = 128_000_000, 1_000_000_000
"""Of the share. The most is for 2,700 cameras of 16:9 at rest: a ``camera_pattern`` that makes a camera of
every frame is not to fill a large machine."""

LIMITS = "memory.max", "memory.high", "memory.limit_in_bytes"
"""Files with the limits of a control group, of both versions."""


def budget_bytes() -> int:
    """Return how much memory all cameras together may take."""
    physical_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = limits_of_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return share_of(min([physical_bytes, *limits]))


def share_of(usable_bytes: int) -> int:
    """Return the cameras' share of what the process may use, within the bounds."""
    return min(max(LEAST_BYTES, int(SHARE * usable_bytes)), MOST_BYTES)


def limits_of_groups(membership: Path, mount: Path) -> Iterator[int]:
    """Yield the memory limits, in bytes, of the control groups that a process is in, and of those above them.

    Args:
        membership: like ``/proc/self/cgroup``.
        mount: where the control groups are mounted.
    """
    try:
        lines = membership.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers in {"", "memory"}:  # "" is version 2
            root = mount / controllers
            group = root / path.lstrip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(root):
                    yield from _limits_in(folder)


def _limits_in(group: Path) -> Iterator[int]:
    for name in LIMITS:
        with suppress(OSError, ValueError):  # ValueError: "max", that is none
            yield int((group / name).read_text("ascii"))

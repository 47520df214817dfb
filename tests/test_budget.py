from pathlib import Path

import pytest

from framegate.cameras.budget import LEAST_BYTES, MOST_BYTES, budget_bytes, limits_of_groups, share_of

GIB = 2**30
MOST_OF_VERSION_1 = 9223372036854771712
"""What version 1 says where there is no limit."""


def lay_out(tmp_path: Path, membership: str, **limits: str) -> tuple[Path, Path]:
    """Lay out control groups; ``limits`` are by path of the file, with ``__`` for ``/``."""
    for name, text in limits.items():
        path = tmp_path / "cgroup" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (tmp_path / "membership").write_text(membership)
    return tmp_path / "membership", tmp_path / "cgroup"


def test_the_limits_of_a_service_and_of_all_above_it_count(tmp_path: Path) -> None:
    """MemoryMax= of a unit, MemoryHigh= of its slice, and none where there is none: as systemd sets them."""
    paths = lay_out(
        tmp_path,
        "0::/system.slice/framegate.service\n",
        **{
            "system.slice__framegate.service__memory.max": str(GIB),
            "system.slice__framegate.service__memory.high": "max",
            "system.slice__memory.max": "max",
            "system.slice__memory.high": str(GIB // 2),
            "other.slice__memory.max": "1",
        },
    )
    assert list(limits_of_groups(*paths)) == [GIB, GIB // 2]


def test_the_older_control_groups_and_a_container_are_understood(tmp_path: Path) -> None:
    """Version 1 has a folder a controller; a container sees its own limit at the top, not at its path."""
    membership = "9:cpu:/docker/1\n4:memory:/docker/1\n0::/docker/1\n"
    paths = lay_out(
        tmp_path,
        membership,
        **{
            "memory__memory.limit_in_bytes": str(GIB),
            "memory__docker__memory.limit_in_bytes": str(MOST_OF_VERSION_1),
            "cpu__memory.limit_in_bytes": "1",
        },
    )
    assert sorted(limits_of_groups(*paths)) == [GIB, MOST_OF_VERSION_1]


@pytest.mark.parametrize("membership", ["", "damage\n", "0::\n"])
def test_without_control_groups_there_is_no_limit(tmp_path: Path, membership: str) -> None:
    """Where the kernel has none, or says so in an unknown way, the machine's memory counts alone."""
    assert list(limits_of_groups(*lay_out(tmp_path, membership))) == []
    assert list(limits_of_groups(tmp_path / "missing", tmp_path)) == []


@pytest.mark.parametrize(
    ("usable_bytes", "wanted_bytes"),
    [(GIB // 8, LEAST_BYTES), (GIB, GIB // 2), (1024 * GIB, MOST_BYTES)],
)
def test_the_budget_is_half_of_the_memory_within_bounds(usable_bytes: int, wanted_bytes: int) -> None:
    """A tiny machine has room for some cameras, and a large one is not filled by names that never end."""
    assert share_of(usable_bytes) == wanted_bytes


def test_the_budget_of_this_machine_is_within_bounds() -> None:
    """What the kernel really says is understood."""
    assert LEAST_BYTES <= budget_bytes() <= MOST_BYTES

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bench import Bench
from framegate.commands.demo.scene import Lot
from framegate.keep.delivery import Deliverer
from framegate.keep.disk import Disk
from running import Site
from stepping import FaultyDisk, Stepped
from supervised import Supervise, Supervised

REPOSITORY = Path(__file__).resolve().parents[1]


def keep_bytecode() -> None:
    """Where Python may write no bytecode beside the source, write it elsewhere.

    Else each worker, and each interpreter that a test starts, compiles everything again: 3 s for a worker.
    """
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.pycache_prefix = os.fspath(REPOSITORY / ".pytest_cache" / "bytecode")
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


keep_bytecode()


settings.register_profile("fast", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
"""Neither measures time: a machine that has other work would fail it."""


def pytest_configure(config: pytest.Config) -> None:
    """Draw fewer examples in the fast lane."""
    settings.load_profile("fast" if config.option.markexpr == "not slow" else "thorough")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups: one worker runs a group, and one that came last was waited for by all others."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


WORKERS_A_CORE = 2
"""Most tests wait for a daemon most of their time."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run a few named files in this process: three seconds go to the start of the workers."""
    named = [Path(argument.partition("::")[0]) for argument in config.args]
    return 0 if all(path.is_file() for path in named) else WORKERS_A_CORE * (os.cpu_count() or 1)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Folders and a config of their own for one daemon."""
    return Site(tmp_path / "site")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty results folder."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def disk() -> FaultyDisk:
    """The real disk, with the faults that a test names."""
    return FaultyDisk()


@pytest.fixture
def daemon(site: Site, disk: FaultyDisk) -> Iterator[Stepped]:
    """A daemon over the site, whose clock the test moves; it gives its inotify instance back at the end."""
    stepped = Stepped(site, disk)
    yield stepped
    if stepped.daemon is not None:
        stepped.crash()


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    """Watch a folder until the test ends."""
    begun: list[Supervised] = []

    def begin(drop: Path, **settings: object) -> Supervised:
        begun.append(Supervised(drop, **settings))
        return begun[-1]

    yield begin
    for supervised in begun:
        supervised.watch.stop()


@pytest.fixture
def bench(site: Site) -> Iterator[Callable[..., Bench]]:
    """Make benches over the site, one after the other; the last is closed at the end."""
    made: list[Bench] = []

    def make(
        disk: Disk | None = None,
        deliverer: Deliverer | None = None,
    ) -> Bench:
        for former in made:
            former.ledger.close()
        made.append(Bench(site, disk, deliverer))
        return made[-1]

    yield make
    for each in made:
        each.ledger.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real frames; they are no part of the repository."""
    folder = Path(os.environ.get("FRAMEGATE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real frames at {folder}; FRAMEGATE_DATA may name them")
    return folder


@pytest.fixture(scope="session")
def morning() -> list[bytes]:
    """Twelve JPEGs of a drawn lot: quiet, a car parks, quiet, a car leaves, somebody walks by, quiet."""
    lot = Lot(width=480, height=270)
    pictures = [lot.jpeg() for _ in range(3)]
    lot.parked[2] = 5
    pictures += [lot.jpeg() for _ in range(3)]
    del lot.parked[1]
    pictures += [lot.jpeg() for _ in range(2)]
    lot.pedestrian = 0.4
    pictures += [lot.jpeg()]
    lot.pedestrian = None
    pictures += [lot.jpeg() for _ in range(3)]
    return pictures

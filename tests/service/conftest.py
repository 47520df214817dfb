import pytest

from running import Site
from stepping import FaultyDisk, Stepped


@pytest.fixture
def disk() -> FaultyDisk:
    """The real disk, with the faults that a test names."""
    return FaultyDisk()


@pytest.fixture
def daemon(site: Site, disk: FaultyDisk) -> Stepped:
    """A daemon over the site, whose clock the test moves."""
    return Stepped(site, disk)

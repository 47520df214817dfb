from pathlib import Path

import pytest

from archives import DrawnArchive, Scanned, drawn_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> DrawnArchive:
    """An archive that nobody changes."""
    return drawn_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def whole(archive: DrawnArchive) -> Scanned:
    """What one process makes of it."""
    return archive.scanned("by_one")


@pytest.fixture
def own_archive(tmp_path: Path) -> DrawnArchive:
    """An archive of one test."""
    return drawn_archive(tmp_path / "own", a_month=4)

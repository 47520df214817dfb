import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from framegate.config.settings import DropSettings
from framegate.ingest.names import NameRules

Eventually = Callable[..., None]
MakeRules = Callable[..., NameRules]


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds; fail when it does not within so many seconds."""

    def wait(condition: Callable[[], object], within_s: float = 10.0) -> None:
        deadline_s = time.monotonic() + within_s
        pause = Event()
        while not condition():
            assert time.monotonic() < deadline_s, f"not so within {within_s} s"
            pause.wait(0.005)

    return wait


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """An empty drop folder."""
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def make_rules() -> MakeRules:
    """Make the rules of a drop folder from its settings."""

    def make(**settings: object) -> NameRules:
        return NameRules(DropSettings.model_validate({"folder": "/drop", **settings}))

    return make


@pytest.fixture
def rules(make_rules: MakeRules) -> NameRules:
    """The rules of a drop folder with default settings."""
    return make_rules()

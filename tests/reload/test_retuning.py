"""That a live edit reaches every part of the daemon."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from framegate.config.tables import Table
from running import Site
from stepping import Stepped

EDIT = {
    "drop": 'settle_s = 0.5\nmax_size = "1MB"\nsilent_after = "1h"\nfrozen_after = "1h"',
    "detection": 'max_kept_per_hour = 9\n[camera.default.detection]\nscore_threshold = "3x"',
    "rest": '[log]\nlevel = "debug"\n[metrics]\n[web]',
    "min_free": "2MB",
}


@pytest.fixture
def stepped(site: Site) -> Iterator[Stepped]:
    """A daemon over a site, in this thread."""
    site.configure(rest="[log]\n[metrics]\n[web]")  # tables of this file: the defaults are everybody's
    stepped = Stepped(site)
    stepped.start()
    yield stepped
    stepped.stop()


def tables_of(settings: Table) -> dict[str, Table]:
    """Return a snapshot and its tables, by name."""
    return {"settings": settings} | {
        name: table
        for name in type(settings).model_fields
        if isinstance(table := getattr(settings, name), Table)
    }


def test_no_part_of_the_daemon_keeps_old_settings(stepped: Stepped, morning: list[bytes]) -> None:
    """After a live edit nobody holds a table of the version before: none was forgotten."""
    daemon = stepped.daemon
    assert daemon is not None
    (stepped.site.drop / "a.jpg").write_bytes(morning[0])
    stepped.go(70)  # a sweep finds it, if its event comes late
    assert len(stepped.verdicts()) == 1
    before = {name: weakref.ref(table) for name, table in tables_of(daemon._reloader.config.settings).items()}
    stepped.site.configure(**EDIT)
    daemon.reload()
    stepped.go(5)
    assert stepped.count("config.reloaded") == 1
    (stepped.site.drop / "b.jpg").write_bytes(morning[0])
    stepped.go(70)  # a sweep finds it, if its event comes late
    assert len(stepped.verdicts()) == 2
    gc.collect()
    kept = {name: table() for name, table in before.items() if table() is not None}
    assert {name: gc.get_referrers(table) for name, table in kept.items()} == {}

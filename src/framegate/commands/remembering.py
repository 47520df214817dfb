"""What commands remember of a replay for the next one, in this user's cache."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framegate.tune.replay.facts import FactStore, cache_file


@contextmanager
def remembered(*, is_cached: bool, otherwise: Path | None = None) -> Iterator[FactStore]:
    """Lend the cache, and print in the end why it could not be used, if so: then all is computed each time.

    Args:
        is_cached: False uses none.
        otherwise: where it is instead.
    """
    store = FactStore(cache_file() if is_cached else otherwise)
    try:
        yield store
    finally:
        store.close()
    if store.error:
        print(f"warning: {store.path}: {store.error}; nothing more is remembered", file=sys.stderr)

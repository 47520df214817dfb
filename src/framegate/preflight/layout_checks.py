"""Checks of ``results.layout``: what the frames that wait in the drop folder would be called by it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from framegate.config.settings import Settings
from framegate.ingest.names import NameRules
from framegate.ingest.reading import look_at
from framegate.keep.names import planned_name
from framegate.model import Candidate, FileKey
from framegate.preflight.folder_checks import Finding, Grade

KEY = "results.layout"


def check_layout(settings: Settings, frames: Sequence[str]) -> Iterator[Finding]:
    """Show what the result of the first frame is named, or of a made-up one, and which frames share a name.

    Args:
        settings: of the config.
        frames: their paths in the drop folder, sorted.
    """
    layout = settings.results.layout
    first = next(_candidates(settings, frames), None) or _made_up(settings)
    name = _name_of(settings, first)
    if not layout.has_suffix:
        words = f"results have no suffix, as {name!r}: write {{stem}}{{suffix}}, or {{name}}"
        yield Finding(Grade.WARNING, KEY, words)
    if "path" not in layout.fields:
        yield from _check_shared(settings, _candidates(settings, frames))
    yield Finding(Grade.OK, KEY, f"{first.key.name!r} becomes {name!r}, by {layout}")


def _check_shared(settings: Settings, candidates: Iterable[Candidate]) -> Iterator[Finding]:
    """Tell of frames whose results would have one name: all but one get another."""
    named: dict[str, Candidate] = {}
    shared: list[tuple[Candidate, Candidate, str]] = []
    for candidate in candidates:
        name = _name_of(settings, candidate)
        if (other := named.setdefault(name, candidate)) is not candidate:
            shared.append((other, candidate, name))
    if shared:
        one, other, name = shared[0]
        count = "1 frame has" if len(shared) == 1 else f"{len(shared)} frames have"
        words = (
            f"{count} the same result name as another, for example {one.key.name!r} and {other.key.name!r}:"
            f" where both are kept, one is {name!r} and the other gets its capture time added;"
        )
        yield Finding(Grade.WARNING, KEY, f"{words} {_remedy(settings, one.camera, other.camera)}")


def _remedy(settings: Settings, camera: str, other: str) -> str:
    if camera != other and "camera" in settings.results.layout.fields:
        return f"in a name the cameras {camera!r} and {other!r} are one"
    apart = "{path}" if camera == other else "{camera}"
    return f"{apart} in the layout tells them apart"


def _candidates(settings: Settings, frames: Iterable[str]) -> Iterator[Candidate]:
    """Yield the frames that are still there."""
    rules, drop = NameRules(settings.drop), Path(settings.drop.folder)
    for frame in frames:
        if (key := look_at(drop, frame)) is not None:
            yield rules.candidate(key)


def _made_up(settings: Settings) -> Candidate:
    now_ns = time.time_ns()
    return NameRules(settings.drop).candidate(FileKey("gate/picture.jpg", 0, now_ns, now_ns))


def _name_of(settings: Settings, candidate: Candidate) -> str:
    return planned_name(settings.results.layout, candidate) or candidate.key.name

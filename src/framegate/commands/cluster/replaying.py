"""A replay by several workers: a task is what one camera has taken in one month, by all lines.

What the lines know at the end of a month comes back with what they have decided, and goes out with the next
month. Both are noted in this user's cache, so workers need to see the frames alone.
"""

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from framegate.commands.cluster.basis import Surroundings
from framegate.commands.cluster.done_parts import DoneParts
from framegate.commands.cluster.judging import name_of_worker, set_up
from framegate.commands.cluster.months import month_of
from framegate.commands.cluster.window import Chain, Window
from framegate.commands.cluster.workers import ClusterError, Workers, interruptible
from framegate.commands.scan import printable
from framegate.errors import FramegateError, SinkError
from framegate.model import GrayImage
from framegate.tune.replay.engine import Before, Progress, doubt_unlike, replay_part
from framegate.tune.replay.facts import cache_file
from framegate.tune.replay.group import packed as packed_groups
from framegate.tune.replay.group import unpacked as unpacked_groups
from framegate.tune.replay.outcomes import Frame, Line, Outcome, Replay
from framegate.tune.replay.remembered import packed, unpack

Pass = tuple[Sequence[Frame], Sequence[Line]]
"""Frames, and the lines that judge them."""


@dataclass(frozen=True)
class Month:
    """What one camera has taken in one month."""

    of_pass: int
    first: int
    """How many frames the camera has taken before."""

    numbers: Sequence[int]
    """Of its frames among all."""

    id: str
    """Names all that its outcome depends on: see ``cluster.months``."""

    before: str | None
    """The id of the camera's month before; None for its first."""


@dataclass(frozen=True)
class Task:
    """What a worker gets for a month."""

    of_pass: int
    frames: Sequence[Frame]
    first: int
    last: Frame | None
    """The frame before them."""

    groups: bytes
    """What the lines knew then."""


@dataclass(frozen=True)
class Replaying:
    """What all tasks have in common."""

    lines: Sequence[Sequence[Line]]
    """Of each pass."""

    masks: Mapping[str, GrayImage]
    surroundings: Sequence[Surroundings]
    """Of each line."""

    @classmethod
    def of(cls, passes: Sequence[Pass], masks: Mapping[str, GrayImage]) -> "Replaying":
        """Return what the passes need."""
        lines = [list(each) for _, each in passes]
        return cls(lines, dict(masks), [Surroundings.here(line.settings) for each in lines for line in each])

    def basis_of(self, of_pass: int) -> str:
        """Return what the outcomes of a pass depend on besides the frames, as text."""
        masks = {path: hashlib.sha256(mask.tobytes()).hexdigest() for path, mask in self.masks.items()}
        settings = [
            (number, settings.model_dump_json(by_alias=True))
            for line in self.lines[of_pass]
            for number, settings in ((None, line.settings), *sorted((line.revisions or {}).items()))
        ]
        return repr((self.surroundings, sorted(masks.items()), settings))


def replay_by_workers(
    workers: Workers,
    passes: Sequence[Pass],
    masks: Mapping[str, GrayImage],
    progress: Progress,
    *,
    is_noted: bool,
) -> list[Replay]:
    """Judge frames as ``tune.replay.engine.replay`` does, the months of each camera in some workers.

    Args:
        workers: they see the folders of the frames, and mask files, at the same paths.
        passes, masks, progress: as there.
        is_noted: whether what is done is noted, so that the next replay goes on from there if this is broken
            off.

    Raises:
        AlreadyServed: another process replays the same frames.
        ClusterError: the workers cannot be used, or have died.
        Interrupted: by a signal.
        SinkError: what is done cannot be noted.
    """
    replaying = Replaying.of(passes, masks)
    collected = Collected(passes)
    with _noted(passes[0][1][0].settings.drop.folder, is_noted=is_noted) as parts:
        chains = list(chains_of(passes, replaying))
        for chain in chains:
            collected.take_done(chain, parts, progress)
        with _saying_how_far(chains, is_noted=is_noted), interruptible():
            if any(chain.weight for chain in chains):
                _replay(workers, replaying, collected, parts, chains, progress)
    return collected.replays()


def _replay(  # noqa: PLR0917
    workers: Workers,
    replaying: Replaying,
    collected: "Collected",
    parts: DoneParts,
    chains: Sequence[Chain[Month]],
    progress: Progress,
) -> None:
    def take(chain: Chain[Month], done: tuple[bytes, bytes]) -> None:
        month, (rows, groups) = chain.next_part, done
        collected.put(chain, rows)
        parts.record(month.id, rows, groups)
        if month.before is not None:
            parts.forget_state(month.before)
        progress(len(month.numbers))

    with workers.connected() as client:
        window: Window[Month, tuple[bytes, bytes]] = Window(
            client,
            partial(replayed, replaying),
            sent=partial(collected.task_of, parts=parts),
            finished=take,
        )
        window.run(chains)
    if window.deadly:
        raise ClusterError(
            f"workers died again and again over the frames of {printable(window.deadly[0].name)}"
        )


def replayed(replaying: Replaying, task: Task) -> tuple[bytes, bytes]:
    """Return, in a worker, what the lines have decided about a month, and what they know at its end."""
    set_up()
    for wanted, line in zip(
        replaying.surroundings, (line for lines in replaying.lines for line in lines), strict=True
    ):
        Surroundings.here(line.settings).require_like(wanted, name_of_worker())
    before = Before(task.first, task.last, unpacked_groups(task.groups) if task.groups else ())
    part = replay_part(task.frames, replaying.lines[task.of_pass], replaying.masks, before)
    numbers, of_camera = np.arange(len(task.frames)), np.arange(task.first + len(task.frames))
    outcomes = [b64encode(packed(each, numbers, of_camera)).decode() for each in part.outcomes]
    rows = {"outcomes": outcomes, "inexact": part.inexact, "unlike": part.unlike}
    return json.dumps(rows).encode(), packed_groups(part.groups)


class Collected:
    """What has come back."""

    def __init__(self, passes: Sequence[Pass]) -> None:
        self._replays = [
            Replay(frames, [Outcome.empty(line, len(frames)) for line in lines]) for frames, lines in passes
        ]
        self._numbers = [
            {camera: np.asarray(numbers) for camera, numbers in each.of_cameras().items()}
            for each in self._replays
        ]
        self._unlike: dict[tuple[int, str], Counter[str]] = {}

    def take_done(self, chain: Chain[Month], parts: DoneParts, progress: Progress) -> None:
        """Take what an earlier replay has noted.

        Raises:
            SinkError: it cannot be read, or is damaged.
        """
        for _ in range(parts.done_of([month.id for month in chain.parts])):
            try:
                self.put(chain, parts.rows_file(chain.next_part.id).read_bytes())
            except (OSError, ValueError, LookupError, TypeError) as error:
                raise SinkError(f"{parts.folder}: what is done cannot be read; delete it: {error}") from error
            progress(len(chain.next_part.numbers))
            chain.advance()

    def put(self, chain: Chain[Month], rows: bytes) -> None:
        """Fill in what the lines have decided about a chain's next month.

        Raises:
            ValueError, LookupError, TypeError: it is damaged.
        """
        month, decided = chain.next_part, json.loads(rows)
        replay, of_camera = self._replays[month.of_pass], self._numbers[month.of_pass][chain.name]
        for outcome, data in zip(replay.outcomes, decided["outcomes"], strict=True):
            if not unpack(b64decode(data), outcome, np.asarray(month.numbers), of_camera):
                raise ValueError("of another length")
        for why in decided["inexact"]:
            replay.doubt(chain.name, why)
        self._unlike.setdefault((month.of_pass, chain.name), Counter()).update(decided["unlike"])

    def task_of(self, chain: Chain[Month], *, parts: DoneParts) -> Task:
        """Return a chain's next month as a worker gets it."""
        month = chain.next_part
        frames = self._replays[month.of_pass].frames
        last, groups = None, b""
        if month.before is not None:
            last = frames[int(self._numbers[month.of_pass][chain.name][month.first - 1])]
            groups = parts.state_of(month.before) or b""
        return Task(month.of_pass, [frames[number] for number in month.numbers], month.first, last, groups)

    def replays(self) -> list[Replay]:
        """Return all, each as one process has it."""
        for (of_pass, camera), unlike in self._unlike.items():
            doubt_unlike(self._replays[of_pass], camera, unlike)
        for replay in self._replays:
            replay.inexact = dict(sorted(replay.inexact.items()))
        return self._replays


def chains_of(passes: Sequence[Pass], replaying: Replaying) -> Iterator[Chain[Month]]:
    """Yield the months of each camera and pass, in the order in which they have to be replayed."""
    for of_pass, (frames, _) in enumerate(passes):
        basis = replaying.basis_of(of_pass)
        for place, (camera, numbers) in enumerate(Replay(frames, []).of_cameras().items()):
            months = list(_months_of(of_pass, frames, numbers, basis))
            yield Chain.of(place, camera, months, lambda month: len(month.numbers))


def _months_of(of_pass: int, frames: Sequence[Frame], numbers: Sequence[int], basis: str) -> Iterator[Month]:
    """Yield a camera's months; a frame that was judged later than one of a later month counts to that."""
    begun, latest = [], ""
    for place, number in enumerate(numbers):
        month = month_of(frames[number].candidate.captured_at_ns)
        if month > latest:
            begun.append(place)
            latest = month
    before = None
    for first, end in zip(begun, [*begun[1:], len(numbers)], strict=True):
        digest = hashlib.sha256(repr((basis, before)).encode("utf-8", "surrogateescape"))
        for number in numbers[first:end]:
            digest.update(repr(frames[number]).encode("utf-8", "surrogateescape"))
        own = digest.hexdigest()[:32]
        yield Month(of_pass, first, numbers[first:end], own, before)
        before = own


@contextmanager
def _noted(source: str, *, is_noted: bool) -> Iterator[DoneParts]:
    """Yield the folder for what is done: in this user's cache, or where nobody looks for it."""
    with ExitStack() as stack:
        home = _cache_folder() if is_noted else None
        home = home or Path(stack.enter_context(TemporaryDirectory(prefix="framegate-")))
        parts = DoneParts(home / f"replay-{hashlib.sha256(os.fsencode(source)).hexdigest()[:12]}")
        stack.enter_context(parts.opened())
        yield parts


def _cache_folder() -> Path | None:
    """Return the folder of this user's cache; None if nothing can be written there."""
    cache = cache_file()
    if cache is not None:
        with suppress(OSError):
            cache.parent.mkdir(parents=True, exist_ok=True)
        if os.access(cache.parent, os.W_OK):
            return cache.parent
    return None


@contextmanager
def _saying_how_far(chains: Sequence[Chain[Month]], *, is_noted: bool) -> Iterator[None]:
    """Add to an error how much is done."""
    try:
        yield
    except FramegateError as error:
        if is_noted:
            frames = sum(len(month.numbers) for chain in chains for month in chain.parts)
            done = frames + sum(chain.weight for chain in chains)
            goes_on = f"{done} of {frames} frames are replayed, and the same command goes on from there"
            error.args = (f"{error}; {goes_on}",)
        raise

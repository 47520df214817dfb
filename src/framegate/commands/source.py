"""The frames that a command replays: those of a folder, or those that the daemon of a config has judged."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path

from framegate.commands.scan import printable, report_skipped, warn_about_names
from framegate.config.load import Config
from framegate.keep.history.view import History
from framegate.keep.ledger import LEDGER_NAME
from framegate.model import GrayImage
from framegate.preflight.preflight import prepare_to_replay
from framegate.tune.footage.beginning import is_gone
from framegate.tune.footage.folder import folder_frames
from framegate.tune.footage.recorded import recording
from framegate.tune.replay.outcomes import Frame, Line, Outcome, Replay, Start, begun_of


@dataclass(frozen=True, slots=True)
class Source:
    """Frames, each camera's in the order in which they have to be judged."""

    frames: list[Frame]
    was: Outcome | None = None
    """What the daemon has decided about them; None where no ledger is replayed."""

    doubts: dict[str, list[str]] = field(default_factory=dict)
    """Why the replay of a camera need not be exact."""

    then: list[Line] = field(default_factory=list)
    """The settings by which the daemon has judged, if ``verify`` is to compare; else nothing."""

    masks: Mapping[str, GrayImage] = field(default_factory=dict)
    """Of these settings, by the path that they name."""

    @property
    def frames_there(self) -> list[Frame]:
        """The frames without those that are gone: no threshold would bring them back."""
        there: list[Frame] = []
        starts: dict[str, Start] = {}
        for frame in self.frames:
            camera = frame.candidate.camera
            if is_gone(frame):
                if frame.start is not None:
                    starts[camera] = frame.start
            else:
                there.append(replace(frame, start=starts.pop(camera)) if camera in starts else frame)
        return there

    def verify(self, replayed: Replay) -> None:
        """Note for which cameras the daemon's own decisions do not come out again.

        Who set a file's time after it was judged, say, has changed what a replay knows of it.

        Args:
            replayed: of all frames, its last outcome by ``then``, which is taken out.
        """
        for _ in self.then:
            now, was = replayed.outcomes.pop(), self.was
            assert was is not None
            for camera, numbers in replayed.of_cameras().items():
                until = min(set(numbers) & set(now.anew), default=len(self.frames))
                other = [each for each in numbers if each < until and not _is_alike(was, now, each)]
                if other and camera not in self.doubts:
                    first = printable(replayed.frames[other[0]].name)
                    words = f"{len(other)} of its frames come out otherwise, {first} first"
                    replayed.doubt(camera, f"by the settings of then {words}")

    def tell(self, replays: list[Replay]) -> None:
        """Note in replays why they need not be exact."""
        for each in replays:
            for camera, doubts in self.doubts.items():
                for why in doubts:
                    each.doubt(camera, why)

    def warn(self) -> None:
        """Print where cameras begin, and why a replay need not be exact."""
        for words in beginnings(self.frames):
            print(words, file=sys.stderr)
        for camera, doubts in self.doubts.items():
            for why in doubts:
                print(f"not exact for {printable(camera)}: {why}", file=sys.stderr)


def _is_alike(was: Outcome, now: Outcome, number: int) -> bool:
    if was.reasons[number] != now.reasons[number]:
        return False
    before, after = float(was.scores[number]), float(now.scores[number])
    return before == after or (isnan(before) and isnan(after))


def beginnings(frames: Iterable[Frame]) -> Iterator[str]:
    """Yield with which frame a camera begins that goes on from what the daemon knew, in words."""
    for camera, frame, start in begun_of(frames):
        begins = f"{printable(camera)} begins with {printable(frame.name)}, by what the daemon knew then"
        yield f"{begins}; {start.frames} frames before it are left out: some of them are gone"


def frames_to_replay(
    config: Config, folder: Path | None, *, camera: str | None = None, until_ns: int | None = None
) -> Source:
    """Return what the daemon of a config has judged; the frames of the drop folder if there was no daemon.

    Args:
        config: the config; its drop folder is ``folder``, if that is given.
        folder: replay what is in it, as a scan would judge it; None: what the daemon has judged.
        camera: only this one's frames.
        until_ns: of a folder, only the frames that were taken before; nanoseconds since the epoch.

    Raises:
        ConfigError: a folder or a mask cannot be used.
        SinkError: the ledger cannot be read.
    """
    prepare_to_replay(config)
    state = config.settings.state.folder
    ledger = None if state is None or folder is not None else Path(state, LEDGER_NAME)
    if ledger is not None and ledger.exists():
        with History(ledger) as history:
            found = recording(history, config.settings, camera)
        then = [Line("then", config.settings, found.revisions)]
        return Source(found.frames, found.was, found.doubts, then, found.masks)
    frames = folder_frames(config.settings, camera=camera, until_ns=until_ns, skipped=report_skipped)
    if camera is None:
        warn_about_names(config.settings.drop, [frame.candidate for frame in frames])
    return Source(frames)

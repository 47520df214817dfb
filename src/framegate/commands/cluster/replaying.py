"""A replay by several workers: one task replays one camera, by all lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from framegate.commands.cluster.basis import Surroundings
from framegate.commands.cluster.judging import name_of_worker, set_up
from framegate.commands.cluster.window import Chain, Window
from framegate.commands.cluster.workers import ClusterError, Workers, interruptible
from framegate.commands.scan import printable
from framegate.model import GrayImage
from framegate.tune.replay.engine import Progress, replay
from framegate.tune.replay.outcomes import NONE, Frame, Line, Outcome, Replay


@dataclass(frozen=True)
class CameraFrames:
    """What one camera has taken."""

    numbers: Sequence[int]
    """Of its frames among all."""

    frames: Sequence[Frame]


def replay_by_workers(
    workers: Workers,
    frames: Sequence[Frame],
    lines: Sequence[Line],
    masks: Mapping[str, GrayImage],
    progress: Progress,
) -> Replay:
    """Judge frames as ``tune.replay.engine.replay`` does, each camera in some worker.

    Args:
        workers: they see the folders of the frames, and mask files, at the same paths.
        frames, lines, masks, progress: as there.

    Raises:
        ClusterError: the workers cannot be used, or have died.
        Interrupted: by a signal.
    """
    result = Replay(frames, [Outcome.empty(line, len(frames)) for line in lines])
    chains = []
    for place, (camera, numbers) in enumerate(result.of_cameras().items()):
        of_camera = CameraFrames(numbers, [frames[number] for number in numbers])
        chains.append(Chain.of(place, camera, [of_camera], lambda part: len(part.numbers)))

    def take(chain: Chain[CameraFrames], part: Replay) -> None:
        numbers = chain.next_part.numbers
        for whole, own in zip(result.outcomes, part.outcomes, strict=True):
            _put(whole, own, numbers)
        for camera, reasons in part.inexact.items():
            for why in reasons:
                result.doubt(camera, why)
        progress(len(numbers))

    surroundings = Surroundings.here(lines[0].settings)
    with interruptible(), workers.connected() as client:
        window: Window[CameraFrames, Replay] = Window(
            client, partial(_replayed, list(lines), dict(masks), surroundings), finished=take
        )
        window.run(chains)
    if window.deadly:
        raise ClusterError(
            f"workers died again and again over the frames of {printable(window.deadly[0].name)}"
        )
    result.inexact = dict(sorted(result.inexact.items()))
    return result


def _replayed(
    lines: Sequence[Line], masks: Mapping[str, GrayImage], wanted: Surroundings, camera: CameraFrames
) -> Replay:
    set_up()
    Surroundings.here(lines[0].settings).require_like(wanted, name_of_worker())
    done = replay(camera.frames, lines, masks=masks)
    return replace(done, frames=())  # who has asked has them


def _put(whole: Outcome, own: Outcome, numbers: Sequence[int]) -> None:
    """Put the outcome of one camera into that of all; its frames have numbers of their own."""
    places = list(numbers)
    whole.reasons[places] = own.reasons
    whole.scores[places] = own.scores
    whole.thresholds[places] = own.thresholds
    whole.references[places] = [NONE if each == NONE else numbers[each] for each in own.references.tolist()]
    whole.earlier |= {numbers[number]: name for number, name in own.earlier.items()}
    whole.zones |= {numbers[number]: zone for number, zone in own.zones.items()}
    whole.details |= {numbers[number]: detail for number, detail in own.details.items()}
    whole.anew += [numbers[number] for number in own.anew]

"""A camera as bytes: whoever goes on from them decides as if there had been no interruption."""

from hashlib import sha256
from typing import Any

import cv2
import numpy as np
import pytest

from framegate.cameras.camera import Camera
from framegate.config.detection import DetectionSettings
from framegate.detect.decoding import decode
from framegate.detect.detector import Detector, detector_of, reduced
from framegate.model import Decision, GrayImage, Moment, Picture

CLASSIC = DetectionSettings.preset(
    "classic", min_contour_area="20px", score_threshold="1%", max_kept_per_hour=9
)
ADAPTIVE = DetectionSettings.preset("adaptive", score_threshold="2x", keep_every="10m")
SECOND_NS = 10**9


def photo(seed: int, car: int | None = None, size: tuple[int, int] = (160, 90)) -> bytes:
    """Return a photo of a wall with noise; another seed gives other bytes of the same scene."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(90, 110, (height, width, 3)).astype(np.uint8)
    if car is not None:
        pixels[30:60, car : car + 40] = (20, 200, 230)
    return cv2.imencode(".png", pixels)[1].tobytes()


FRAMES = [
    photo(0), photo(1), photo(1), photo(0), photo(2), photo(3, 20), photo(3, 20), photo(4, 22),
    photo(5, size=(90, 160)), photo(6, size=(90, 160)), photo(7), photo(8, 60), photo(5, size=(90, 160)),
    photo(9), photo(9), photo(10, 90),
]  # fmt: skip
"""Of two sizes, with repeats of the reference and of the last unchanged frame."""


def judged(camera: Camera, number: int) -> tuple[Decision, bool]:
    """Let a camera decide about a frame as the pipeline does; return also whether it is late."""
    data = FRAMES[number]
    digest, at_ns = sha256(data).digest(), (number * 60 - 400 * (number % 7 == 6)) * SECOND_NS
    moment = Moment(at_ns, number * 60 * SECOND_NS)
    decision = camera.decide_repeat(digest, moment)
    if decision is None:
        picture = decode(data, camera.judge.settings)
        assert isinstance(picture, Picture)
        decision = camera.decide(str(number), moment, reduced(picture, camera.judge.settings), digest)
    return decision, camera.lateness.follow(at_ns, number * 60 * SECOND_NS)


@pytest.mark.parametrize("settings", [CLASSIC, ADAPTIVE], ids=["classic", "adaptive"])
def test_a_camera_goes_on_from_its_state_after_any_frame(settings: DetectionSettings) -> None:
    """Scores, reasons, repeats, lateness and the state itself are the same to the bit from then on."""
    whole, states, outcomes = Camera("c", settings, None), [], []
    for number in range(len(FRAMES)):
        states.append(whole.state())
        outcomes.append(judged(whole, number))
    assert {outcome[0].reason.value for outcome in outcomes} >= {"first", "identical", "size_changed"}
    assert {is_late for _, is_late in outcomes} == {False, True}
    for begin, state in enumerate(states):
        again = Camera.restored("c", settings, None, state)
        assert [judged(again, number) for number in range(begin, len(FRAMES))] == outcomes[begin:]
        assert again.state() == whole.state()


def test_a_camera_is_restored_with_the_detectors_of_who_asks() -> None:
    """A replay shares work between detectors of its own; a retuned camera goes on with them."""
    made: list[Detector[Any]] = []

    def new_detector(settings: DetectionSettings, mask: GrayImage | None) -> Detector[Any]:
        made.append(detector_of(settings, mask))
        return made[-1]

    camera = Camera("c", ADAPTIVE, None)
    for number in range(9):
        judged(camera, number)
    again = Camera.restored("c", ADAPTIVE, None, camera.state(), new_detector=new_detector)
    assert [lane.detector for lane in again.judge.lanes.values()] == made[-2:]
    before = len(made)
    assert again.retune(DetectionSettings.preset("adaptive", score_threshold="5x"), None)
    assert len(made) == before + 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:0],
        lambda data: data[:3],
        lambda data: data[:40],
        lambda data: data[:-1],
        lambda data: data.replace(b'"digests":[[', b'"digests":[[['),
        lambda data: data.replace(b"[160,90,", b"[161,90,"),
        lambda data: data.replace(b'"lateness"', b'"latenes_"'),
        lambda data: b"\xff\xff\xff\xff" + data[4:],
    ],
)
def test_what_is_no_state_is_refused(damage: Any) -> None:
    """Damage is an error, and never a camera that would decide otherwise."""
    camera = Camera("c", ADAPTIVE, None)
    judged(camera, 0)
    with pytest.raises(ValueError, match="no state"):
        Camera.restored("c", ADAPTIVE, None, damage(camera.state()))


def test_a_state_of_another_preset_is_refused() -> None:
    """What one detector has learnt means nothing to another."""
    camera = Camera("c", ADAPTIVE, None)
    judged(camera, 0)
    with pytest.raises(ValueError, match="reduced by"):
        Camera.restored("c", CLASSIC, None, camera.state())

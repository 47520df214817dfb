"""The cameras in memory, within a budget of bytes.

Beyond the budget those that were quiet longest rest first: their pictures are prepared again for their next
frame, in 0.3 ms each. If that is not enough, they are put away, and restored from the ledger when needed: the
reference of each size, and with ``adaptive`` the frame before, are read and decoded again.
"""

import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from framegate.cameras.budget import budget_bytes
from framegate.cameras.camera import Camera
from framegate.cameras.masks import Masks
from framegate.config.detection import DetectionSettings
from framegate.config.settings import Settings
from framegate.detect.decoding import decode
from framegate.detect.detector import DETECTOR_VERSION
from framegate.detect.judging.capture_clock import CaptureClock
from framegate.detect.judging.lane import Lane
from framegate.detect.judging.pacing import Storm
from framegate.detect.tear import TornAlike
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.frames import CameraReset, NoiseLost, ReferenceLost, ReferenceRestored
from framegate.ingest.reading import read_frame
from framegate.keep.history.revisions import Snapshot
from framegate.keep.memories import LaneMemory, Memory
from framegate.keep.run_ledger import JudgingLedger
from framegate.model import EncodedFrame, Entry, FileKey, GrayImage, Moment, Picture

MOST_IN_A_STORM = 2**53
"""Frames of one storm: a larger count is damage, and could not be saved when it grows."""

SaveState = Callable[[str, Callable[[], bytes]], None]


class Cameras:
    """Finds a camera by its name, in the state after its last frame.

    Args:
        settings: the snapshot to judge by.
        ledger: remembers what each camera kept last, and what it has learnt.
        emit: receives an event when a reference is restored or lost, and when a camera starts over.
        bytes_of: returns the bytes of a kept frame; None if they are gone.
        make_durable: records the frames that were decided and are not in the ledger yet.
        known: cameras that go on from what they know.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: JudgingLedger,
        emit: Listener,
        bytes_of: Callable[[Entry], bytes | None],
        make_durable: Callable[[], None],
        *,
        known: Iterable[Camera] = (),
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._emit = emit
        self._bytes_of = bytes_of
        self._make_durable = make_durable
        self._cameras = {camera.name: camera for camera in known}
        """By name, the least recently used first."""

        self._awake: dict[str, None] = dict.fromkeys(self._cameras)
        """Names of those that do not rest, in the same order."""

        self.budget_bytes = budget_bytes()
        """For all cameras together, besides the one in use."""

        self._sizes: dict[str, int] = {}
        self._size_bytes = 0
        """Memory of each camera when it was last measured, and the sum."""

        self._stale: set[str] = set()
        """Names of the cameras in memory that still have the previous settings."""

        self._masks = Masks()
        self._put_in_force()

    def retune(self, settings: Settings) -> None:
        """Use other settings for each camera when it is next needed."""
        self._settings = settings
        self._stale = set(self._cameras)
        self._put_in_force()

    def get(self, name: str, moment: Moment | None = None) -> Camera:
        """Return a camera, from memory or restored; above the budget, others rest or are put away.

        Args:
            name: its name.
            moment: of its next frame, by which a schedule may count. None: as it is.

        Raises:
            SinkError: the ledger cannot be read or written now, or the camera's mask cannot be read.
        """
        camera = self._cameras.get(name)
        if camera is not None and name in self._stale:
            self._set_up_again(camera, None if moment is None else self._schedule_at(camera, moment))
            self._stale.discard(name)
        self._make_room(besides=name)
        camera = self._cameras.get(name) or self._restored(name)
        self._note(name, camera)
        if moment is not None and (schedule := self._schedule_at(camera, moment)) != camera.schedule:
            self._set_up_again(camera, schedule)
        return camera

    def has_judged(self, name: str, sha256: bytes) -> bool:
        """Return whether a camera in memory has just judged these bytes; may be called in any thread."""
        camera = self._cameras.get(name)
        return camera is not None and camera.has_judged(sha256)

    def measure(self, name: str) -> None:
        """Count a camera's memory against the budget; each frame that it judges may change it."""
        camera = self._cameras.get(name)
        self._size_bytes -= self._sizes.pop(name, 0)
        if camera is not None:
            self._sizes[name] = camera.size_bytes
            self._size_bytes += self._sizes[name]

    def memory_of(self, camera: Camera) -> Memory:
        """Return what the ledger has to save of a camera; if that fails, the camera starts over.

        Raises:
            SinkError: there is too little memory now, or as ``start_over``.
        """
        try:
            return camera.memory()
        except MemoryError as error:
            raise SinkError("out of memory while saving what a camera has learnt") from error
        except Exception:  # noqa: BLE001 - one camera's damage must not keep the others' rows from being saved
            self.start_over(camera.name, traceback.format_exc(limit=-4).strip())
            return Memory()

    def checkpoint(self, save: SaveState) -> None:
        """Save all that a camera knows, if it has judged frames on another day than it was saved on last.

        One camera at a time: it takes some 10 ms. What cannot be saved is left out for that day: without
        it a replay begins earlier, and nothing is lost.

        Args:
            save: gets the camera's name, and what returns its state. All decisions are committed.
        """
        for name, camera in self._cameras.items():
            if camera.saved_on != camera.judged_on:
                camera.saved_on = camera.judged_on
                with suppress(SinkError, MemoryError):
                    save(name, camera.state)
                return

    def state_of(self, name: str) -> bytes | None:
        """Return all that a camera in memory knows; None of another."""
        return self._cameras[name].state() if name in self._cameras else None

    def renew(self, before: Entry, now: Entry) -> None:
        """Know a judged frame by its present version, if its camera is in memory."""
        if (camera := self._cameras.get(before.camera)) is not None:
            camera.renew(before, now)
            self._ledger.learn(camera.name, partial(self.memory_of, camera))

    def start_over(self, name: str, error: str) -> None:
        """Replace a camera that failed by one that has no reference and has learnt nothing.

        Args:
            name: the camera.
            error: what failed, for the log.

        Raises:
            SinkError: the camera's mask cannot be read.
        """
        camera = self._new(name)
        self._stale.discard(name)
        self._note(name, camera)
        self.measure(name)
        self._emit(CameraReset(name, error))

    def _note(self, name: str, camera: Camera) -> None:
        """Make a camera the one used last."""
        for order in (self._cameras, self._awake):
            order.pop(name, None)
        self._cameras[name], self._awake[name] = camera, None

    def _make_room(self, besides: str) -> None:
        while self._size_bytes > self.budget_bytes:
            if (name := _first(self._awake, besides)) is not None:
                self._let_rest(name)
            elif (name := _first(self._cameras, besides)) is not None:
                self._put_away(name)
            else:
                return

    def _let_rest(self, name: str) -> None:
        self._cameras[name].judge.rest()
        del self._awake[name]
        self.measure(name)

    def _put_away(self, name: str) -> None:
        self._make_durable()  # it has learnt from them, and one may be its reference
        self._ledger.flush()  # what it has learnt is committed, to be restored with it
        del self._cameras[name]
        self._awake.pop(name, None)
        self.measure(name)
        self._stale.discard(name)

    def _schedule_at(self, camera: Camera, moment: Moment) -> str | None:
        if not self._settings.schedule:
            return None
        return self._settings.schedule_at(camera.name, camera.judge.pacing.time_ns(moment))

    def _set_up_again(self, camera: Camera, schedule: str | None) -> None:
        """Give a camera other settings; its reference stays in memory if it can be compared by them.

        Otherwise the camera is restored from the ledger, and the reference from its file, which may be gone.
        """
        self._make_durable()  # what it has kept lately is read from the ledger
        settings = self._settings.detection_of(camera.name, schedule)
        kept = self._kept_lately(camera.name, settings)
        if camera.retune(settings, self._mask_of(settings), schedule):
            pacing = camera.judge.pacing
            pacing.restore(kept, pacing.storm, pacing.clock)
        else:
            self._put_away(camera.name)

    def _kept_lately(self, name: str, settings: DetectionSettings) -> list[Moment]:
        most = settings.max_kept_per_hour
        return [] if most is None else self._ledger.kept_lately(name, most)

    def _new(self, name: str) -> Camera:
        settings = self._settings.detection_of(name)
        return Camera(name, settings, self._mask_of(settings))

    def _mask_of(self, settings: DetectionSettings) -> GrayImage | None:
        path = settings.mask_file
        if path is not None and not self._masks.has(path):
            self._masks.read(path)
            self._number()
        return None if path is None else self._masks.picture(path)

    def _put_in_force(self) -> None:
        self._masks.put_in_force(self._settings.detections())
        self._number()

    def _number(self) -> None:
        """Have the ledger number the settings and the masks, by which frames are judged from now on."""
        snapshot = Snapshot(self._settings, dict(self._masks.files), DETECTOR_VERSION, time.time_ns())
        self._ledger.put_in_force(snapshot)

    def _restored(self, name: str) -> Camera:
        camera, memory = self._new(name), self._ledger.memory_of(name)
        if memory.lateness is not None:
            camera.lateness.restore(memory.lateness)
        for lane in memory.lanes:
            self._restore_lane(camera, lane)
        has_reference = bool(camera.judge.lanes)
        kept = self._kept_lately(name, camera.judge.settings) if has_reference else []
        camera.judge.pacing.restore(kept, _storm_of(memory) if has_reference else None, _clock_of(memory))
        return camera

    def _restore_lane(self, camera: Camera, memory: LaneMemory) -> None:
        kept, settings = self._ledger.kept(memory.reference), camera.judge.settings
        data = None if kept is None else self._bytes_of(kept)
        picture = None if data is None else self._decoded(data, settings)
        if kept is None or picture is None:
            self._emit(ReferenceLost(camera.name, memory.reference.name))
            return
        lane = camera.restore_lane(memory, kept, picture)
        if memory.learnt is not None:
            try:
                lane.detector.restore(memory.learnt)
            except ValueError as error:
                self._emit(NoiseLost(camera.name, str(error)))
        with suppress(ValueError):  # if it is damaged, frames that are torn alike are counted from the start
            lane.torn = None if memory.torn is None else TornAlike.restored(memory.torn)
        if memory.previous != kept.key:
            self._restore_previous(lane, memory.previous, settings)
        self._emit(ReferenceRestored(camera.name, kept.key.name))

    def _restore_previous(self, lane: Lane, key: FileKey | None, settings: DetectionSettings) -> None:
        """Read the previous frame from the drop folder; if it is gone, one difference is not learnt."""
        is_needed = lane.detector.looks_back
        lane.previous, lane.previous_key = None, None if is_needed else key
        if key is None or not is_needed:
            return
        drop = self._settings.drop
        read = read_frame(Path(drop.folder), key, drop.max_size)
        picture = self._decoded(read.data, settings) if isinstance(read, EncodedFrame) else None
        if picture is not None:
            lane.restore_previous(key, picture)

    def _decoded(self, data: bytes, settings: DetectionSettings) -> Picture | None:
        picture = decode(data, settings, max_pixels=self._settings.drop.max_megapixels * 1e6)
        return picture if isinstance(picture, Picture) else None


def _first(names: Iterable[str], besides: str) -> str | None:
    return next((name for name in names if name != besides), None)


def _storm_of(memory: Memory) -> Storm | None:
    """Return the storm that a camera was in; None if it was in none, or if the saved counts are damaged."""
    if memory.storm is None:
        return None
    is_sound = all(isinstance(count, int) and 0 <= count < MOST_IN_A_STORM for count in memory.storm)
    return Storm(*memory.storm) if is_sound else None


def _clock_of(memory: Memory) -> CaptureClock:
    """Return what was known of a camera's clock; nothing if what was saved is damaged."""
    with suppress(ValueError):
        return CaptureClock() if memory.clock is None else CaptureClock.restored(memory.clock)
    return CaptureClock()

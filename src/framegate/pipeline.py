"""From a candidate to its verdict: read, decode, score, decide, deliver, record, emit.

``examine`` reads and decodes: that depends on no other frame, and may run ahead in other threads
(see ``ahead``). The rest is done in one thread, each camera's frames in order: ``decide``, and then
``make_durable``, which delivers, records and emits what was decided. That may be one frame, as ``conclude``
does it, or a group of frames that wait for the disk together. The daemon and the scan both use this pipeline.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Lock

from framegate.cameras.camera import Camera
from framegate.cameras.cameras import Cameras, SaveState
from framegate.config.settings import Settings
from framegate.errors import SinkError, out_of_memory_as_sink_error
from framegate.events.base import Listener, LogEvent
from framegate.events.frames import CameraLighting, CameraMoved, FrameDecided
from framegate.examining import Examined, LastRead, decoded, internal_error, is_large, out_of_memory, read
from framegate.ingest.reading import ReadFrame, read_frame
from framegate.keep.delivery import Deliverer
from framegate.keep.history.checkpoints import DAY_NS
from framegate.keep.memories import Memory
from framegate.keep.names import planned_name
from framegate.keep.run_ledger import JudgingLedger
from framegate.keeping import Judgement, Keeping
from framegate.model import Candidate, Decision, Entry, Moment, Reason, Unsettled, Verdict
from framegate.recognising import Recogniser

WARNINGS = {Reason.LIGHTING: CameraLighting, Reason.MOVED: CameraMoved}
"""Events that follow a verdict with this reason."""


@dataclass(frozen=True, slots=True)
class _Decided:
    """A frame and the decision about it."""

    examined: Examined
    decision: Decision

    is_late: bool = False


class Pipeline:
    """Judges candidates by one snapshot of the settings.

    Args:
        settings: the snapshot.
        deliverer: where kept frames go.
        ledger: remembers the verdicts; used by the concluding thread only.
        emit: called with every verdict, once it is durable.
        known: cameras that go on from what they know.
        read_frame: reads a file of the drop folder.
        clock: monotonic seconds, by which a group is held no longer than it may be.
    """

    def __init__(
        self,
        settings: Settings,
        deliverer: Deliverer,
        ledger: JudgingLedger,
        emit: Listener,
        *,
        known: Iterable[Camera] = (),
        read_frame: ReadFrame = read_frame,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._emit = emit
        self._last_read = LastRead()
        self._read_frame = read_frame
        self._one_large = Lock()
        """Held while a large picture is decoded."""

        self._keeping = Keeping(settings, deliverer, ledger, clock)
        self._cameras = Cameras(
            settings, ledger, self._tell, self._keeping.bytes_of, self.make_durable, known=known
        )
        self._recogniser = Recogniser(settings, deliverer, ledger, renew=self._cameras.renew, emit=self._tell)

    @property
    def is_group_due(self) -> bool:
        """Whether so much is held, or for so long, that ``make_durable`` comes before the next ``decide``."""
        return self._keeping.is_due

    def retune(self, settings: Settings) -> None:
        """Judge by other settings from the next frame on; held judgements stay as they were decided."""
        self._settings = settings
        self._cameras.retune(settings)
        self._keeping.retune(settings)
        self._recogniser.retune(settings)

    def examine(self, candidate: Candidate) -> Examined | Unsettled:
        """Read and decode a candidate, and reduce its picture. May run in any thread.

        A frame whose bytes have just been judged, or are just being examined, is not decoded: ``decide`` does
        that if it has to be.

        Returns:
            The frame, or its rejection; ``Unsettled`` when it cannot be judged yet.

        Raises:
            Exhausted: the process may open no more files.
        """
        settings, camera = self._settings, candidate.camera
        examined = read(candidate, settings, self._read_frame)
        if not isinstance(examined, Examined) or examined.sha256 is None:
            return examined
        before = self._last_read.replace(examined)
        is_repeat = before is not None and before.sha256 == examined.sha256 and before.candidate != candidate
        if is_repeat or self._cameras.has_judged(camera, examined.sha256):
            return examined
        with self._one_large if is_large(examined) else nullcontext():
            outcome = decoded(examined, settings)
        if not isinstance(outcome, Examined) or outcome.rejection is not None:
            self._last_read.forget(camera)  # decide would have to decode its repeats, one by one
        return outcome

    def recognise(self, candidate: Candidate) -> bool:
        """Read a file whose name was judged, and record its present version if its bytes were judged, too.

        Returns:
            Whether they were; if not, the file has to be judged.

        Raises:
            Exhausted: the process may open no more files.
            SinkError: ledger or results cannot be written now.
        """
        examined = read(candidate, self._settings, self._read_frame)
        return isinstance(examined, Examined) and self._is_known(examined)

    def decide(self, examined: Examined) -> Decision | Unsettled | None:
        """Decide about a frame that was read, and hold that until ``make_durable``.

        A verdict for which nothing has to be written now is emitted at once, unless one before it is held.

        Returns:
            The decision; ``Unsettled`` when it cannot be judged yet; None when its bytes were judged before,
            under this name or the one that it was moved from: that is no new frame.

        Raises:
            SinkError: results or ledger cannot be written now: call ``make_durable``. If the frame was
                decided already, it is held, and must not be decided again.
        """
        if self._is_known(examined):
            return None
        try:
            decided = self._decide(examined)
        except MemoryError:
            return out_of_memory(examined.candidate)
        if isinstance(decided, Unsettled):
            return decided
        self._keeping.hold(self._judgement_of(decided))
        if not self._keeping.needs_disk:
            self.make_durable()
        return decided.decision

    def make_durable(self) -> None:
        """Deliver and record what is held, and emit the verdicts, in the order of the decisions.

        Raises:
            SinkError: results or ledger cannot be written now; everything stays held. Call it again, and
                decide nothing before.
        """
        if not self._keeping.held:
            return
        with out_of_memory_as_sink_error():
            judgements = self._keeping.make_durable()
        for each in judgements:
            self._emit_verdict(each.entry, each.started_s, each.decision)
            for event in each.followed_by:
                self._emit(event)

    def conclude(self, examined: Examined) -> Decision | Unsettled | None:
        """Decide about a frame that was read, and make it durable before anything else: a group of one.

        Returns:
            As ``decide``.

        Raises:
            SinkError: as ``decide``.
        """
        outcome = self.decide(examined)
        self.make_durable()
        return outcome

    def _is_known(self, examined: Examined) -> bool:
        if self._keeping.holds(examined.candidate.key, examined.sha256):  # the ledger does not know it yet
            self.make_durable()
        with out_of_memory_as_sink_error():
            return self._recogniser.records(examined)

    def flush(self) -> None:
        """Commit what waits, unless judgements are held: what was learnt must not be saved before them.

        Raises:
            SinkError: the ledger cannot be written now.
        """
        if not self._keeping.held:
            with out_of_memory_as_sink_error():
                self._ledger.flush()

    def checkpoint(self, save: SaveState) -> None:
        """Save all that a camera knows, once a day; call it after ``flush``. See ``Cameras.checkpoint``."""
        if not self._keeping.held:
            self._cameras.checkpoint(save)

    def state_of(self, camera: str) -> bytes | None:
        """Return all that a camera knows; None if it has judged no frame here."""
        return self._cameras.state_of(camera)

    def recover(self) -> None:
        """Deliver the frames that were to be kept when the last run ended. A second call changes nothing.

        What was decided after the first of them, and recorded with it, is emitted as well.

        Raises:
            SinkError: a result cannot be written now; call it again later.
        """
        for unfinished in self._ledger.unfinished():
            started_s, entry = time.perf_counter(), unfinished
            if unfinished.reason.is_kept:
                with out_of_memory_as_sink_error():
                    entry = self._keeping.recover(unfinished)
                    self._ledger.flush()
            self._emit_verdict(entry, started_s, recovered_from=unfinished.reason)

    def _decide(self, examined: Examined) -> _Decided | Unsettled:
        if examined.rejection is not None:
            return _Decided(examined, examined.rejection)
        candidate = examined.candidate
        name, moment = candidate.camera, Moment(candidate.captured_at_ns, candidate.arrived_at_ns)
        try:
            camera = self._cameras.get(name, moment)
            decided = self._decide_as(camera, examined)
            self._cameras.measure(name)
        except (SinkError, MemoryError):  # not the frame's fault: it is judged again
            raise
        except Exception as error:  # noqa: BLE001 - as in read
            self._cameras.start_over(name, repr(error))  # what it has learnt may be the cause, and fail again
            self._ledger.learn(name, Memory)
            return _Decided(examined, internal_error())
        return decided

    def _decide_as(self, camera: Camera, examined: Examined) -> _Decided | Unsettled:
        """Decide by the bytes alone if they have just been judged, else by the picture."""
        judge, candidate, sha256 = camera.judge, examined.candidate, examined.sha256
        assert sha256 is not None
        before = judge.pacing.storm, judge.pacing.clock
        moment = Moment(candidate.captured_at_ns, candidate.arrived_at_ns)
        decision = camera.decide_repeat(sha256, moment)
        if decision is None:
            ready = decoded(examined, self._settings)
            if isinstance(ready, Unsettled):
                return ready
            if ready.picture is None:
                assert ready.rejection is not None
                return _Decided(ready, ready.rejection)
            decision = camera.decide(candidate.key, moment, ready.picture, sha256)
        self._ledger.learn(camera.name, partial(self._cameras.memory_of, camera))
        camera.judged_on = time.time_ns() // DAY_NS
        for event in camera.announcements(candidate, *before):
            self._tell(event)
        is_judged = decision.verdict is not Verdict.REJECTED
        is_late = is_judged and camera.lateness.follow(
            candidate.captured_at_ns, moment.arrived_at_ns or time.time_ns(), self._ledger.set_aside
        )
        return _Decided(examined, decision, is_late)

    def _judgement_of(self, decided: _Decided) -> Judgement:
        examined, decision = decided.examined, decided.decision
        is_kept, score, candidate = decision.reason.is_kept, decision.score, examined.candidate
        entry = Entry(
            key=candidate.key,
            camera=candidate.camera,
            captured_at_ns=candidate.captured_at_ns,
            reason=decision.reason,
            decided_at_ns=time.time_ns(),
            config_revision=self._ledger.config_revision,
            detail=decision.detail,
            score=None if score is None else score.score,
            threshold=None if score is None else score.threshold,
            unit=None if score is None else score.unit,
            zone=None if score is None else score.zone,
            reference=decision.reference,
            sha256=examined.sha256,
            arrived_at_ns=candidate.arrived_at_ns,
            late=decided.is_late,
            planned=planned_name(self._settings.results.layout, candidate) if is_kept else None,
        )
        return Judgement(entry, decision, examined.encoded if is_kept else None, examined.started_s)

    def _tell(self, event: LogEvent) -> None:
        """Emit an event, after the verdicts that are held."""
        if self._keeping.held:
            self._keeping.held[-1].followed_by.append(event)
        else:
            self._emit(event)

    def _emit_verdict(
        self,
        entry: Entry,
        started_s: float,
        decision: Decision | None = None,
        recovered_from: Reason | None = None,
    ) -> None:
        duration_ms = 1000 * (time.perf_counter() - started_s)
        score, schedule = (None, None) if decision is None else (decision.score, decision.schedule)
        self._emit(FrameDecided(entry, duration_ms, score, recovered_from, schedule))
        if (warning := WARNINGS.get(entry.reason)) is not None:
            self._emit(warning(entry.camera, entry.key.name))

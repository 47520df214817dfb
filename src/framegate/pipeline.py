"""From a candidate to its verdict: read, decode, score, decide, deliver, record, emit.

``read``, or ``examine`` (read and decode), depends on no other frame and may run ahead in other threads.
``conclude`` does the rest in one thread, each camera's frames in order. The daemon and the scan both use this
pipeline; the daemon only reads ahead, so it need not decode a frame whose bytes have just been judged.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from framegate.camera import Camera
from framegate.cameras import Cameras
from framegate.config.settings import Settings
from framegate.errors import SinkError
from framegate.events.base import Listener
from framegate.events.frames import CameraLighting, CameraMoved, FrameDecided
from framegate.examining import CrashGuard, Examined, decoded, internal_error, out_of_memory, read
from framegate.keep.delivery import Deliverer
from framegate.keep.memories import Memory
from framegate.keep.run_ledger import JudgingLedger
from framegate.keeping import Keeping
from framegate.model import Candidate, Decision, EncodedFrame, Entry, Moment, Reason, Unsettled, Verdict
from framegate.recognising import Recogniser

__all__ = ["CrashGuard", "Examined", "Pipeline"]

WARNINGS = {Reason.LIGHTING: CameraLighting, Reason.MOVED: CameraMoved}
"""Events that follow a verdict with this reason."""


@dataclass(frozen=True, slots=True)
class _Decided:
    """A frame and the decision about it."""

    examined: Examined
    decision: Decision

    is_late: bool = False


@dataclass(slots=True)
class _Judgement:
    """A decision that is not durable yet."""

    entry: Entry
    decision: Decision
    encoded: EncodedFrame | None
    """The bytes to deliver; None when the frame is not kept."""

    started_s: float
    is_intended: bool = False
    """The intent to keep the frame is durable in the ledger."""


class Pipeline:
    """Judges candidates by one snapshot of the settings.

    Args:
        settings: the snapshot.
        deliverer: where kept frames go.
        ledger: remembers the verdicts; used by the concluding thread only.
        emit: called with every verdict, once it is durable.
        crash_guard: rejects frames that end the process; None where nothing restarts the process. With a
            guard, ``examine`` has to run in the concluding thread, too.
        config_revision: number of the snapshot, for the log.
    """

    def __init__(
        self,
        settings: Settings,
        deliverer: Deliverer,
        ledger: JudgingLedger,
        emit: Listener,
        *,
        crash_guard: CrashGuard | None = None,
        config_revision: int = 1,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._emit = emit
        self._config_revision = config_revision
        self._crash_guard = crash_guard
        self._keeping = Keeping(settings, deliverer, ledger)
        self._cameras = Cameras(settings, ledger, emit, self._keeping.bytes_of)
        self._recogniser = Recogniser(settings, deliverer, ledger, renew=self._cameras.renew, emit=emit)
        self._held: _Judgement | None = None
        """What could not be made durable; it comes before any other frame."""

    def retune(self, settings: Settings, config_revision: int) -> None:
        """Judge by other settings from the next frame on; a held judgement stays as it was decided."""
        self._settings = settings
        self._config_revision = config_revision
        self._cameras.retune(settings)
        self._keeping.retune(settings)
        self._recogniser.retune(settings)

    def examine(self, candidate: Candidate) -> Examined | Unsettled:
        """Read and decode a candidate. May run in any thread, unless there is a crash guard.

        Returns:
            The frame, or its rejection; ``Unsettled`` when it cannot be judged yet.

        Raises:
            Exhausted: the process may open no more files.
        """
        examined = self.read(candidate)
        return decoded(examined, self._settings) if isinstance(examined, Examined) else examined

    def read(self, candidate: Candidate) -> Examined | Unsettled:
        """Read a candidate; ``conclude`` decodes it if its bytes have not just been judged.

        Returns:
            The bytes, or its rejection; ``Unsettled`` when it cannot be judged yet.

        Raises:
            Exhausted: the process may open no more files.
        """
        return read(candidate, self._settings, self._crash_guard)

    def recognise(self, candidate: Candidate) -> bool:
        """Read a file whose name was judged, and record its present version if its bytes were judged, too.

        Returns:
            Whether they were; if not, the file has to be judged.

        Raises:
            Exhausted: the process may open no more files.
            SinkError: ledger or results cannot be written now.
        """
        examined = read(candidate, self._settings, None)
        return isinstance(examined, Examined) and self._is_known(examined)

    def conclude(self, examined: Examined) -> Decision | Unsettled | None:
        """Decide about a frame that was read, deliver it if it is kept, record and emit the verdict.

        Returns:
            The decision; ``Unsettled`` when it cannot be judged yet; None when its bytes were judged before,
            under this name or the one that it was moved from: that is no new frame.

        Raises:
            SinkError: results or ledger cannot be written now. If the frame was decided already, its
                judgement is held: call ``resume``, and do not conclude it again.
        """
        assert self._held is None, "a held frame comes first: resume()"
        if self._is_known(examined):
            return None
        try:
            decided = self._decide(examined)
        except MemoryError:
            return out_of_memory(examined.candidate)
        if isinstance(decided, Unsettled):
            return decided
        judgement = self._judgement_of(decided)
        try:
            self._make_durable(judgement)
        except SinkError:
            self._held = judgement
            raise
        return decided.decision

    def resume(self) -> None:
        """Make the held judgement durable, if there is one.

        Raises:
            SinkError: it still cannot be written; it stays held.
        """
        if self._held is not None:
            self._make_durable(self._held)
            self._held = None

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Judge frames in the ``with`` block; if the process ends after it, none of them is to blame."""
        try:
            yield
        finally:
            if self._crash_guard is not None:
                self._crash_guard.clear()

    def _is_known(self, examined: Examined) -> bool:
        with _out_of_memory_as_sink_error():
            return self._recogniser.records(examined)

    def _make_durable(self, judgement: _Judgement) -> None:
        """Record a judgement, deliver the frame if it is kept, and emit the verdict."""
        entry = judgement.entry
        with _out_of_memory_as_sink_error():
            if judgement.encoded is None:
                self._ledger.note(entry)
            else:
                entry = self._keep(judgement, judgement.encoded)
        self._emit_verdict(entry, judgement.started_s, judgement.decision)

    def _keep(self, judgement: _Judgement, encoded: EncodedFrame) -> Entry:
        """Intend, deliver, finish: in this order a crash at any point can be recovered from."""
        if not judgement.is_intended:
            self._ledger.intend(judgement.entry)
            judgement.is_intended = True
        return self._keeping.deliver(judgement.entry, encoded)

    def flush(self) -> None:
        """Commit what waits, unless a judgement is held: what was learnt must not be saved before it.

        Raises:
            SinkError: the ledger cannot be written now.
        """
        if self._held is None:
            with _out_of_memory_as_sink_error():
                self._ledger.flush()

    def recover(self) -> None:
        """Deliver the frames that were to be kept when the last run ended. A second call changes nothing.

        Raises:
            SinkError: a result cannot be written now; call it again later.
        """
        for intended in self._ledger.intended():
            started_s = time.perf_counter()
            with _out_of_memory_as_sink_error():
                entry = self._keeping.recover(intended)
                self._ledger.flush()
            self._emit_verdict(entry, started_s, recovered_from=intended.reason)

    def _decide(self, examined: Examined) -> _Decided | Unsettled:
        if examined.rejection is not None:
            return _Decided(examined, examined.rejection)
        name = examined.candidate.camera
        try:
            camera = self._cameras.get(name)
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
        for event in camera.announcements(candidate, *before):
            self._emit(event)
        is_judged = decision.verdict is not Verdict.REJECTED
        is_late = is_judged and camera.lateness.follow(
            candidate.captured_at_ns, moment.arrived_at_ns or time.time_ns()
        )
        return _Decided(examined, decision, is_late)

    def _judgement_of(self, decided: _Decided) -> _Judgement:
        examined, decision = decided.examined, decided.decision
        is_kept, score = decision.reason.is_kept, decision.score
        entry = Entry(
            key=examined.candidate.key,
            camera=examined.candidate.camera,
            captured_at_ns=examined.candidate.captured_at_ns,
            reason=decision.reason,
            decided_at_ns=time.time_ns(),
            config_revision=self._config_revision,
            detail=decision.detail,
            score=None if score is None else score.score,
            threshold=None if score is None else score.threshold,
            unit=None if score is None else score.unit,
            zone=None if score is None else score.zone,
            reference=decision.reference,
            sha256=examined.sha256,
            arrived_at_ns=examined.candidate.arrived_at_ns,
            late=decided.is_late,
        )
        return _Judgement(entry, decision, examined.encoded if is_kept else None, examined.started_s)

    def _emit_verdict(
        self,
        entry: Entry,
        started_s: float,
        decision: Decision | None = None,
        recovered_from: Reason | None = None,
    ) -> None:
        duration_ms = 1000 * (time.perf_counter() - started_s)
        score = None if decision is None else decision.score
        self._emit(FrameDecided(entry, duration_ms, score, recovered_from))
        if (warning := WARNINGS.get(entry.reason)) is not None:
            self._emit(warning(entry.camera, entry.key.name))


@contextmanager
def _out_of_memory_as_sink_error() -> Iterator[None]:
    """Raise MemoryError as SinkError where something has to be written: like a full disk it is temporary."""
    try:
        yield
    except MemoryError as error:
        raise SinkError("out of memory") from error

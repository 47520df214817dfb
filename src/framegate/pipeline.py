"""One frame's walk: read, decode, score, decide, deliver, record, announce.

``examine`` (read and decode) depends on nothing before it and may run ahead in other threads. ``conclude``
owns the decisions: one thread, in order, for each camera. The daemon, the scan and recovery all walk here.
"""

import hashlib
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from framegate.camera import Camera, Storm
from framegate.cameras import Cameras
from framegate.detect.decoding import Undecodable, decode
from framegate.errors import SinkError
from framegate.events import FrameDecided, Listener, happening
from framegate.ingest.reading import Changed, Unreadable, read_frame
from framegate.keep.delivery import Deliverer
from framegate.keep.ledger import Ledger
from framegate.model import (
    Candidate,
    Decision,
    EncodedFrame,
    Entry,
    Frame,
    NotYet,
    Reason,
    Unsettled,
)
from framegate.settings import Settings


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate, read and decoded; or why it could not be."""

    candidate: Candidate
    started_s: float
    encoded: EncodedFrame | None = None
    frame: Frame | None = None
    rejection: Decision | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    """A decision on its way to being durable; kept across a full disk, so that nothing is judged twice."""

    entry: Entry
    decision: Decision
    encoded: EncodedFrame | None
    started_s: float
    is_intended: bool = False


class Pipeline:
    """Judges candidates by one snapshot of the settings.

    Args:
        settings: the snapshot.
        deliverer: where kept frames go.
        ledger: what is remembered; used by the concluding thread only.
        announce: hears of every verdict, once it is durable.
        config_revision: number of the snapshot, for the log.
    """

    def __init__(
        self,
        settings: Settings,
        deliverer: Deliverer,
        ledger: Ledger,
        announce: Listener,
        *,
        config_revision: int = 1,
    ) -> None:
        self._settings = settings
        self._drop = Path(settings.drop.folder)
        self._deliverer = deliverer
        self._ledger = ledger
        self._announce = announce
        self._config_revision = config_revision
        self._cameras = Cameras(settings, ledger, announce, self._bytes_of)
        self._held: _Judged | None = None

    def retune(self, settings: Settings, config_revision: int) -> None:
        """Judge by another snapshot from the next frame on; a frame that is held keeps its decision."""
        self._settings = settings
        self._config_revision = config_revision
        self._cameras.retune(settings)

    def examine(self, candidate: Candidate) -> Examined | Unsettled:
        """Read and decode a candidate. May run in any thread; touches nothing but the file.

        Raises:
            Exhausted: the process may open no more files.
        """
        started_s = time.perf_counter()
        try:
            return self._examine(candidate, started_s)
        except SinkError:
            raise
        except MemoryError:  # it may be this frame's size alone, and must not stop the others
            return _out_of_memory(candidate)
        except Exception:  # noqa: BLE001 - no input ends the process; the traceback goes into the record
            return Examined(candidate, started_s, rejection=_internal_error())

    def conclude(self, examined: Examined) -> Decision | Unsettled:
        """Decide about an examined frame, deliver it if it is kept, record and announce the verdict.

        Returns:
            The decision; or that there is no memory to come to one now.

        Raises:
            SinkError: results or ledger cannot be written now. The frame is held: call ``resume``.
        """
        assert self._held is None, "a held frame comes first: resume()"
        try:
            decision, reference = self._decide(examined)
        except MemoryError:
            return _out_of_memory(examined.candidate)
        self._held = self._judged(examined, decision, reference)
        self.resume()
        return decision

    def resume(self) -> None:
        """Bring a held frame, if there is one, to its end.

        Raises:
            SinkError: it still cannot be written; it stays held.
        """
        if (held := self._held) is None:
            return
        if held.encoded is None:
            self._ledger.note(held.entry)
        else:
            held = replace(held, entry=self._kept(held, held.encoded))
        self._held = None
        self._announce_verdict(held.entry, held.started_s, held.decision)

    def _kept(self, held: _Judged, encoded: EncodedFrame) -> Entry:
        """Intend, deliver, finish: the order that a crash at any point leaves recoverable."""
        if not held.is_intended:
            self._ledger.intend(held.entry)
            self._held = replace(held, is_intended=True)
        delivery = self._deliverer.deliver(encoded, held.entry.captured_at_ns)
        self._ledger.finish(held.entry.key, delivery.name)
        return replace(held.entry, result=delivery.name)

    def flush(self) -> None:
        """Commit the lazy rows, unless a frame is held: what was learnt from it must not be saved before it.

        Raises:
            SinkError: the ledger cannot be written now.
        """
        if self._held is None:
            self._ledger.flush()

    def recover(self) -> None:
        """Deliver what was to be kept when the last run ended. Doing so twice changes nothing.

        Raises:
            SinkError: a result cannot be written now; call it again later.
        """
        for entry in self._ledger.intended():
            started_s = time.perf_counter()
            data = self._bytes_of(entry)
            if data is None:
                lost = replace(entry, reason=Reason.VANISHED, detail="gone before it could be delivered")
                self._ledger.abandon(entry.key, lost.reason, lost.detail)
                self._ledger.flush()
                self._announce_verdict(lost, started_s, recovered_from=entry.reason)
                continue
            encoded = EncodedFrame(entry.key.name, data, entry.key.mtime_ns)
            delivery = self._deliverer.deliver(encoded, entry.captured_at_ns)
            self._ledger.finish(entry.key, delivery.name)
            self._ledger.flush()
            there = replace(entry, result=delivery.name)
            self._announce_verdict(there, started_s, recovered_from=entry.reason)

    def _examine(self, candidate: Candidate, started_s: float) -> Examined | Unsettled:
        drop = self._settings.drop
        key = candidate.key
        read = read_frame(self._drop, key, drop.max_size)
        if isinstance(read, Changed):
            return Unsettled(candidate, read.key, NotYet.CHANGED)
        if isinstance(read, Unreadable):
            if read.reason is Reason.UNREADABLE:
                return Unsettled(candidate, key, NotYet.UNREADABLE, read.detail)
            return Examined(candidate, started_s, rejection=Decision(read.reason, detail=read.detail))
        frame = decode(read.data, max_pixels=drop.max_megapixels * 1e6)
        if not isinstance(frame, Undecodable):
            return Examined(candidate, started_s, read, frame)
        if frame.may_be_unfinished and not candidate.is_final:
            return Unsettled(candidate, key, NotYet.UNFINISHED, frame.detail)
        return Examined(candidate, started_s, rejection=Decision(frame.reason, detail=frame.detail))

    def _decide(self, examined: Examined) -> tuple[Decision, str | None]:
        if examined.frame is None:
            assert examined.rejection is not None
            return examined.rejection, None
        try:
            camera = self._cameras.get(examined.candidate.camera)
            reference = None if camera.reference is None else camera.reference.key.name
            storm = camera.storm
            decision = camera.judge(examined.candidate.key, examined.candidate.captured_at_ns, examined.frame)
        except (SinkError, MemoryError):  # not the frame's fault: it comes again
            raise
        except Exception:  # noqa: BLE001 - as in examine
            return _internal_error(), None
        self._ledger.learn(camera.name, camera.memory)
        self._announce_storm(camera, storm)
        return decision, reference

    def _announce_storm(self, camera: Camera, before: Storm | None) -> None:
        if camera.storm is not None and before is None:
            most = camera.detector.settings.max_kept_per_hour
            self._announce(happening("camera.storm", "warning", camera=camera.name, max_kept_per_hour=most))
        elif camera.storm is None and before is not None:
            self._announce(
                happening("camera.calm", camera=camera.name, kept=before.kept, dropped=before.dropped)
            )

    def _judged(self, examined: Examined, decision: Decision, reference: str | None) -> _Judged:
        is_kept = decision.reason.is_kept
        entry = Entry(
            key=examined.candidate.key,
            camera=examined.candidate.camera,
            captured_at_ns=examined.candidate.captured_at_ns,
            reason=decision.reason,
            decided_at_ns=time.time_ns(),
            config_revision=self._config_revision,
            detail=decision.detail,
            score_percent=None if decision.score is None else decision.score.score_percent,
            threshold_percent=decision.threshold_percent,
            reference=reference,
            sha256=_sha256(examined.encoded.data) if is_kept and examined.encoded else None,
        )
        return _Judged(entry, decision, examined.encoded if is_kept else None, examined.started_s)

    def _announce_verdict(
        self,
        entry: Entry,
        started_s: float,
        decision: Decision | None = None,
        recovered_from: Reason | None = None,
    ) -> None:
        duration_ms = 1000 * (time.perf_counter() - started_s)
        score = None if decision is None else decision.score
        self._announce(FrameDecided(entry, duration_ms, score, recovered_from))

    def _bytes_of(self, entry: Entry) -> bytes | None:
        """Find the bytes of a kept frame again, in the results or else in the drop folder."""
        name = entry.result or entry.key.name
        for data in self._deliverer.standing(name, entry.captured_at_ns, entry.key.size_bytes):
            if _sha256(data) == entry.sha256:
                return data
        read = read_frame(self._drop, entry.key, self._settings.drop.max_size)
        return read.data if isinstance(read, EncodedFrame) and _sha256(read.data) == entry.sha256 else None


def _out_of_memory(candidate: Candidate) -> Unsettled:
    return Unsettled(candidate, candidate.key, NotYet.UNREADABLE, "out of memory")


def _internal_error() -> Decision:
    """Turn the exception at hand into a rejection: our fault, told where it can be found."""
    return Decision(Reason.INTERNAL_ERROR, detail=traceback.format_exc(limit=-4).strip())


def _sha256(data: bytes) -> bytes:
    """Return the fingerprint by which a kept frame's bytes are known again."""
    return hashlib.sha256(data).digest()

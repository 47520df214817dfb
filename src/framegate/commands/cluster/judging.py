"""What a worker does: it judges one camera's frames of one month, from what the camera knew before."""

import json
import os
import socket
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from framegate.ahead import Ahead
from framegate.allocator import give_large_pictures_back
from framegate.cameras.camera import Camera, mask_of
from framegate.cameras.camera_state import schedule_of
from framegate.commands.cluster.basis import Surroundings
from framegate.commands.cluster.done_parts import DoneParts, Writing
from framegate.commands.cluster.months import Month
from framegate.commands.cluster.remote import RemoteFolder
from framegate.commands.scanning import judge_all
from framegate.commands.stats_file import stats_row
from framegate.config.settings import Settings
from framegate.daemon.crash_guard import CrashGuard
from framegate.errors import SinkError
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.ingest.reading import read_frame
from framegate.keep.delivery import NoDelivery, ResultsFolder
from framegate.keep.run_ledger import RunLedger
from framegate.model import Candidate, Decision, EncodedFrame, Moment, Verdict
from framegate.pipeline import Pipeline

THREADS, THREADS_AFAR = 2, 8
"""That read and decode ahead for one part. A worker has other parts on its other cores; an object store
answers after some 30 ms, and as many frames as there are threads are asked for at a time."""


@dataclass(frozen=True)
class Scan:
    """What all parts of a scan have in common."""

    settings: Settings
    url: str | None
    """Where the frames are; None: in the drop folder."""

    parts: DoneParts
    word: str
    """By which a worker knows the folder of the parts."""

    surroundings: Surroundings
    is_dry_run: bool


def judge_month(scan: Scan, month: Month) -> Counter[Verdict]:
    """Judge a camera's frames of a month, deliver those that are kept, and write the rows of all.

    Raises:
        FramegateError: this worker cannot, or would decide otherwise; the words are for the operator.
    """
    set_up()
    worker = name_of_worker()
    scan.parts.require_shared(scan.word, worker)
    Surroundings.here(scan.settings).require_like(scan.surroundings, worker)
    counts: Counter[Verdict] = Counter()
    if scan.parts.has(month.id):  # by a worker that was cut off before it could say so
        return counts
    marks_file = scan.parts.marks_file(month.id)
    with scan.parts.writing(month.id) as writing, closing(_guard_of(scan, marks_file)) as guard:
        _judge(scan, month, guard, writing, counts)
    if month.before is not None:
        scan.parts.forget_state(month.before)
    with suppress(OSError):
        marks_file.unlink()
    return counts


def _judge(scan: Scan, month: Month, guard: CrashGuard, writing: Writing, counts: Counter[Verdict]) -> None:
    settings = scan.settings

    def write(event: LogEvent) -> None:
        if isinstance(event, FrameDecided):
            counts[event.entry.reason.verdict] += 1
            writing.rows.writerow((event.entry.captured_at_ns, *stats_row(event)))

    results = ResultsFolder(Path(settings.results.folder), settings.results.min_free)
    state = None if month.before is None else scan.parts.state_of(month.before)
    ledger = RunLedger(settings)
    pipeline = Pipeline(
        settings,
        NoDelivery() if scan.is_dry_run else results,
        ledger,
        write,
        known=[] if state is None else [_restored(settings, month.camera, state, ledger)],
        read_frame=read_frame if scan.url is None else _remote(scan.url).read_frame,
    )
    pool = ThreadPoolExecutor(THREADS if scan.url is None else THREADS_AFAR, thread_name_prefix="examine")
    with closing(Ahead(pipeline.examine, settings, guard=guard, pool=pool)) as ahead:
        judge_all(month.candidates(), pipeline, ahead)
    known = pipeline.state_of(month.camera)
    writing.state = state if known is None else _packed(ledger.lately(month.camera), known)


def _packed(lately: Sequence[Moment], state: bytes) -> bytes:
    """Return what a camera knows, and when its last kept frames were taken.

    It has forgotten those that no limit counts, until a schedule begins that has one.
    """
    times = [(moment.captured_at_ns, moment.arrived_at_ns) for moment in lately]
    return json.dumps(times).encode("ascii") + b"\n" + state


def _restored(settings: Settings, name: str, packed: bytes, ledger: RunLedger) -> Camera:
    """Return a camera as it was packed, and let the ledger remember what it has kept lately."""
    times, _, state = packed.partition(b"\n")
    schedule = schedule_of(state)
    detection = settings.detection_of(name, schedule)
    try:
        ledger.restore_lately(name, [Moment(*each) for each in json.loads(times)])
        return Camera.restored(name, detection, mask_of(detection), state, schedule=schedule)
    except (OSError, TypeError, ValueError) as error:
        raise SinkError(f"what the camera {name} knew cannot be used: {error}") from error


def name_of_worker() -> str:
    """Return what an error calls this worker."""
    return f"on {socket.gethostname()}"


@cache
def set_up() -> None:
    """Prepare a worker's process, once."""
    cv2.setNumThreads(1)  # frames are judged in threads of our own
    give_large_pictures_back()


@cache
def _remote(url: str) -> RemoteFolder:
    """Return the frames below a URL: to open it takes longer than to read one."""
    return RemoteFolder(url)


def _guard_of(scan: Scan, marks: Path) -> CrashGuard:
    return CrashGuard(marks) if scan.url is None else _RemoteGuard(marks, _remote(scan.url))


class _RemoteGuard(CrashGuard):
    """Brings a suspect here, for the process that judges it on trial."""

    def __init__(self, marks: Path, remote: RemoteFolder) -> None:
        super().__init__(marks)
        self._remote = remote

    def refusal(self, candidate: Candidate, settings: Settings) -> Decision | None:
        """Return the rejection of a frame that crashes the process; None of any other."""
        with TemporaryDirectory(prefix="framegate-") as home:
            data = self._remote.read_frame(Path(), candidate.key, settings.drop.max_size)
            if isinstance(data, EncodedFrame):
                file = Path(home, candidate.key.name)
                os.makedirs(file.parent, exist_ok=True)
                file.write_bytes(data.data)
            drop = settings.drop.model_copy(update={"folder": home})
            return super().refusal(candidate, settings.model_copy(update={"drop": drop}))

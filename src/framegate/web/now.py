"""What ``/now.json`` says: the sites of the page as they are now.

This is what the page is drawn from. Its shape may grow; what is there keeps its name and meaning while
``SCHEMA`` stays.

- Every text may have come from a hostile file name. It is valid Unicode: bytes that are not, control
  characters and marks that turn the direction of writing are escaped with a backslash. It may be markup:
  show it as text.
- Times are ISO 8601 in UTC, or ``..._s`` in seconds since the epoch. The page's own clock may be wrong:
  the age of something is ``at_s - its time + the seconds since this document was received``, by a
  monotonic clock.
- Spans (``uptime_s``, ``silent_s``, ``frozen_s``, ``oldest_pending_s``) are as of the site's
  ``written_at_s``.
- ``ETag`` stays the same while nothing has changed, and the answer to ``If-None-Match`` is then 304 with
  the same ``ETag``. An idle daemon writes a new status every 10 s.
- A picture is at ``/picture/KEY/320`` and ``/picture/KEY/960`` (WebP, at most so many pixels wide). The
  answer is 404, with a line of text, once the result is deleted or another file has its name, and if it
  cannot be read. A KEY is that of one decision: a result that has the name of an earlier one has another.
- With a token, ``/now.json`` and the pictures answer 401 without ``Authorization: Bearer TOKEN``. An
  ``<img>`` cannot send that: fetch the picture and show it as a ``blob:``, which the page's policy
  allows. ``/`` itself needs none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from framegate.daemon.troubles import camera_troubles, daemon_hangs, notify_troubles, troubles_of
from framegate.model import Reason, Unit, Verdict
from framegate.telemetry.control_chars import escape_control_chars
from framegate.telemetry.status import CameraStatus, FrameStatus, KeptStatus, Status, Totals

SCHEMA = 1

State = Literal["serving", "hung", "stopped", "unknown"]
"""Of a daemon: at work; alive without a sign of life for 30 s, nobody knows why; not running; or its status
cannot be read."""


@dataclass(frozen=True, slots=True)
class Now:
    """The whole document."""

    schema: int
    at: str
    at_s: float
    """When this document was made, by the clock of the daemons' machine."""

    version: str
    """Of framegate: the page that a browser has open may be older."""

    sites: "list[SiteNow]"
    """In the order of the command line; at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteNow:
    """One daemon. If its state is ``unknown``, all but its name and problems is None or empty."""

    name: str
    """Unique among the sites."""

    state: State
    written_at_s: float | None = None
    """When the daemon wrote what is shown here."""

    problems: "list[Problem]"
    """What is wrong, the most important first: of the daemon, then of its cameras."""

    watch: str | None = None
    """``inotify``: arrivals are noticed at once; ``poll``: by sweeps."""

    config_revision: int | None = None
    uptime_s: float | None = None
    free_bytes: int | None = None
    """For results; None if their folder is missing."""

    totals: Totals = field(default_factory=Totals)
    """``seen`` is the sum of ``kept``, ``dropped``, ``rejected`` and ``pending``; ``late`` are some of the
    first two."""

    cameras: "list[CameraNow]"
    """In the order of their names. All cameras beyond the first 256 are one, named ``*``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence."""

    words: str
    camera: str | None = None
    """The name of the camera that it is about; None: of the whole daemon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraNow:
    """One camera."""

    name: str
    """Unique within the site."""

    threshold: float | None
    """What a score has to exceed now. None if that depends on the picture: take the last ``thresholds``."""

    unit: Unit | None
    """Of ``threshold``: ``x``, times the usual, or ``%`` of the picture. The scores may have another one, if
    the config was edited since."""

    schedule: str | None
    """The name of the schedule that counts now; None without one."""

    scores: list[float]
    """Of the last frames that were compared, oldest first; at most 32."""

    thresholds: list[float | None]
    """Of each score: it was above its threshold or not, whatever counts now."""

    units: list[Unit | None]
    """Of each score."""

    last_frame: "FrameNow | None"
    kept: "list[KeptNow]"
    """The last kept frames, newest first; at most 8."""

    totals: Totals
    """As those of the site."""

    rejections: dict[Reason, int]
    """How many were rejected, by reason; only reasons that occurred."""

    oldest_pending_s: float | None
    """For how long the oldest pending frame waits; None without one."""

    silent_s: float | None
    """For how long it has sent nothing; None while it is not silent."""

    frozen_s: float | None
    """For how long it has repeated one picture; None while it is not frozen."""

    clock_fault: str | None
    """``ahead``, ``behind``, ``stands_still`` or ``set_back``; None while its times can be true."""

    problems: list[str]
    """Its own among those of the site, with its name in them."""


@dataclass(frozen=True, slots=True)
class FrameNow:
    """The frame that was judged last."""

    frame: str
    captured_at: str
    decided_at_s: float
    verdict: Verdict
    reason: Reason
    score: float | None
    threshold: float | None
    unit: Unit | None


@dataclass(frozen=True, slots=True)
class KeptNow:
    """A kept frame."""

    picture: str | None
    """24 hexadecimal digits, the KEY of its pictures; None if there is none."""

    result: str | None
    """Its name below the results folder."""

    captured_at: str
    decided_at_s: float
    reason: Reason
    score: float | None
    """None for a frame that was compared with nothing, as a camera's first."""

    threshold: float | None
    unit: Unit | None


def site_now(
    name: str, status: Status, pictures: Mapping[KeptStatus, str], troubles: Sequence[str]
) -> SiteNow:
    """Return a site as its daemon's status shows it.

    Args:
        name: of the site.
        status: with ``running`` and ``hung`` as of now.
        pictures: the key of each frame of ``recent_kept`` that has a result.
        troubles: what is wrong with the site as a whole: see ``site_troubles``.
    """
    cameras = [_camera(camera, status.cameras[camera], pictures) for camera in sorted(status.cameras)]
    return SiteNow(
        name=name,
        state="hung" if status.hung else "serving" if status.running else "stopped",
        written_at_s=status.at_s,
        problems=[
            *map(Problem, troubles),
            *(Problem(words, camera.name) for camera in cameras for words in camera.problems),
        ],
        watch=status.watch,
        config_revision=status.config_revision,
        uptime_s=status.uptime_s,
        free_bytes=status.results_free_bytes,
        totals=status.totals,
        cameras=cameras,
    )


def site_troubles(status: Status, no_pictures: str | None) -> list[str]:
    """Return what is wrong with a site as a whole, the most important first; ages in it are as of now.

    Args:
        status: with ``running`` and ``hung`` as of now.
        no_pictures: why the results folder cannot be opened; None if it can.
    """
    troubles = []
    if status.hung:
        troubles.append(daemon_hangs(status))
    elif not status.running:
        how = "" if status.last_heard_at_s is None else "it ended without a stop, and "
        troubles.append(f"the daemon is not running: {how}what is shown here is what it said last")
    if no_pictures is not None:
        troubles.append(f"no picture can be shown: {no_pictures}")
    return [as_text(words) for words in (*troubles, *troubles_of(status), *notify_troubles(status))]


def unknown_site(name: str, why: str) -> SiteNow:
    """Return a site whose status cannot be read."""
    return SiteNow(name=name, state="unknown", problems=[Problem(as_text(why))], cameras=[])


def as_text(words: str) -> str:
    """Return a text as valid Unicode that stays on its line and is written from left to right."""
    escaped = escape_control_chars(words.encode("utf-8", "backslashreplace").decode("utf-8"))
    assert isinstance(escaped, str)
    return escaped


def _camera(name: str, camera: CameraStatus, pictures: Mapping[KeptStatus, str]) -> CameraNow:
    return CameraNow(
        name=as_text(name),
        threshold=camera.threshold,
        unit=camera.unit,
        schedule=None if camera.schedule is None else as_text(camera.schedule),
        scores=list(camera.scores),
        thresholds=list(camera.thresholds),
        units=list(camera.units),
        last_frame=None if camera.last_frame is None else _frame(camera.last_frame),
        kept=[_kept(kept, pictures) for kept in camera.recent_kept],
        totals=Totals(**{key: getattr(camera, key) for key in Totals.__dataclass_fields__}),
        rejections={
            reason: count for reason, count in camera.reasons.items() if reason.verdict is Verdict.REJECTED
        },
        oldest_pending_s=camera.oldest_pending_s,
        silent_s=camera.silent_s,
        frozen_s=camera.frozen_s,
        clock_fault=camera.clock_fault,
        problems=[as_text(words) for words in camera_troubles(name, camera)],
    )


def _frame(frame: FrameStatus) -> FrameNow:
    return FrameNow(
        frame=as_text(frame.frame),
        captured_at=frame.captured_at,
        decided_at_s=frame.decided_at_s,
        verdict=Reason(frame.reason).verdict,
        reason=frame.reason,
        score=frame.score,
        threshold=frame.threshold,
        unit=frame.unit,
    )


def _kept(kept: KeptStatus, pictures: Mapping[KeptStatus, str]) -> KeptNow:
    return KeptNow(
        picture=pictures.get(kept),
        result=None if kept.result is None else as_text(kept.result),
        captured_at=kept.captured_at,
        decided_at_s=kept.decided_at_s,
        reason=kept.reason,
        score=kept.score,
        threshold=kept.threshold,
        unit=kept.unit,
    )

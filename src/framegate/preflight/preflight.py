"""Checks whether the folders, the disk and the kernel allow what the config asks for."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from framegate.config.load import FROM_FLAG, Config
from framegate.config.schedule import DAY_S, Schedule, local_clock
from framegate.config.settings import Settings
from framegate.errors import ConfigError, Problem, how_to_install
from framegate.ingest.names import NameRules
from framegate.ingest.watch.inbox import Inbox
from framegate.ingest.watch.mounts import mount_of, sees_all_writers
from framegate.ingest.watch.watcher import Watcher
from framegate.preflight.archive_checks import check_archive
from framegate.preflight.camera_checks import check_cameras
from framegate.preflight.folder_checks import (
    Finding,
    Grade,
    check_drop_folder,
    check_overlap,
    check_unlisted,
    check_unmatched,
    check_unread,
    check_writable,
    contents_of,
    folders_of,
    make_folder,
)
from framegate.preflight.layout_checks import check_layout
from framegate.preflight.notify_checks import check_notifies
from framegate.preflight.space_checks import check_space
from framegate.preflight.web_checks import check_web

ANY_OTHER = ""
"""The name of no camera: it stands for those that no table names."""

INOTIFY_LIMITS = Path("/proc/sys/fs/inotify")


def check_surroundings(config: Config) -> list[Finding]:
    """Check everything that the daemon needs; change nothing. Findings of grade ERROR prevent a start."""
    settings = config.settings
    contents = contents_of(settings.drop)
    return _without_ok_beside_errors(
        [
            *check_drop_folder("drop.folder", settings.drop.folder, may_be_missing=True),
            *check_writable("results.folder", settings.results.folder),
            *check_writable("state.folder", settings.state.folder or ""),
            *check_overlap(folders_of(settings)),
            *check_archive(settings),
            *check_unlisted(contents, settings.drop.folder),
            *check_unmatched(contents),
            *check_unread(contents),
            *check_cameras(settings, contents),
            *_check_schedules(settings),
            *check_layout(settings, contents.frames),
            *check_space(settings),
            *check_masks(settings),
            *check_extras(settings),
            *_check_textfile(settings),
            *check_notifies(config),
            *check_web(settings.web),
            *_check_inotify(settings, contents.folders),
        ]
    )


def _without_ok_beside_errors(findings: list[Finding]) -> list[Finding]:
    wrong = {finding.key for finding in findings if finding.grade is Grade.ERROR}
    return [finding for finding in findings if finding.grade is not Grade.OK or finding.key not in wrong]


def prepare_to_serve(config: Config) -> None:
    """Make missing results and state folders, and check what the daemon needs.

    Raises:
        ConfigError: with everything that prevents a start. A missing drop folder does not: it may come.
    """
    settings = config.settings
    findings = [
        *check_drop_folder("drop.folder", settings.drop.folder, may_be_missing=True),
        *check_overlap(folders_of(settings)),
        *check_archive(settings),
        *check_masks(settings),
        *check_extras(settings),
    ]
    folders = {key: folder for key, folder in folders_of(settings).items() if key != "drop.folder"}
    _raise_errors(_with_made(findings, folders), str(config.path or ""))


def prepare_to_scan(config: Config, *, needs_results: bool, is_drop_afar: bool = False) -> None:
    """Make a missing results folder, if it is needed, and check what a scan needs.

    Args:
        config: the config.
        needs_results: whether frames are copied.
        is_drop_afar: whether the frames are in no folder of this machine.

    Raises:
        ConfigError: with everything that prevents a scan, such as a missing drop folder.
    """
    settings, are_arguments = config.settings, config.origin_of("drop.folder") == FROM_FLAG
    drop_key, results_key = ("IN", "OUT") if are_arguments else ("drop.folder", "results.folder")
    drop, results = settings.drop.folder, settings.results.folder
    findings = [*check_masks(settings)]
    if not is_drop_afar:
        findings += check_drop_folder(drop_key, drop, may_be_missing=False)
        findings += check_overlap({drop_key: drop, results_key: results})
    made_findings = _with_made(findings, {results_key: results} if needs_results else {})
    _raise_errors(made_findings, "" if are_arguments else str(config.path or ""))


def prepare_to_replay(config: Config) -> None:
    """Check what a replay needs.

    Raises:
        ConfigError: with everything that prevents it, such as a missing folder.
    """
    key = "FOLDER" if config.origin_of("drop.folder") == FROM_FLAG else "drop.folder"
    findings = [
        *check_drop_folder(key, config.settings.drop.folder, may_be_missing=False),
        *check_masks(config.settings),
    ]
    _raise_errors(findings, "" if key == "FOLDER" else str(config.path or ""))


def _with_made(findings: list[Finding], folders: Mapping[str, str]) -> list[Finding]:
    """Make folders, unless something prevents the start already."""
    if any(finding.grade is Grade.ERROR for finding in findings):
        return findings
    return findings + [finding for key, folder in folders.items() for finding in make_folder(key, folder)]


def _raise_errors(findings: Iterable[Finding], path: str) -> None:
    problems = tuple(Problem(f.key, f.message) for f in findings if f.grade is Grade.ERROR)
    if problems:
        raise ConfigError(problems, path)


def _check_schedules(settings: Settings) -> Iterator[Finding]:
    """Say which schedules count now, by this machine's clock."""
    now_ns = time.time_ns()
    earlier: set[str] = set()
    for schedule in settings.schedule:
        names = {*settings.camera, ANY_OTHER} if schedule.cameras is None else {*schedule.cameras}
        now = [name for name in names if settings.schedule_at(name, now_ns) == schedule.name]
        fits = schedule.covers(*local_clock(now_ns))
        words = "counts now" if now else "does not count now"
        if fits and not now and earlier:
            words += f", since an earlier one does: {', '.join(sorted(earlier))}"
        earlier |= {schedule.name} if now else set()
        if before := _always_before(settings, schedule, names):
            words = f"never counts, since at all its hours an earlier one does: {', '.join(sorted(before))}"
            yield Finding(Grade.WARNING, f"schedule.{schedule.name}", f"{schedule.in_words}: {words}")
            continue
        yield Finding(Grade.OK, f"schedule.{schedule.name}", f"{schedule.in_words}: {words}")


def _always_before(settings: Settings, schedule: Schedule, cameras: Iterable[str]) -> set[str]:
    """Return the schedules that count whenever one fits; none if it counts in some minute of a week."""
    before: set[str] = set()
    week = [
        (day, second) for day in range(7) for second in range(0, DAY_S, 60) if schedule.covers(day, second)
    ]
    for camera in cameras:
        of_camera = settings.schedules_of(camera)
        for moment in week:
            first = next(each for each in of_camera if each.covers(*moment))
            if first is schedule:
                return set()
            before.add(first.name)
    return before


def check_extras(settings: Settings) -> Iterator[Finding]:
    """Check whether the Python packages that the settings need are installed."""
    metrics = settings.metrics
    if (metrics.listen or metrics.textfile) and find_spec("prometheus_client") is None:
        key = "metrics.listen" if metrics.listen else "metrics.textfile"
        words = f"needs the Python package prometheus-client: {how_to_install('metrics')}"
        yield Finding(Grade.ERROR, key, words)


def _check_textfile(settings: Settings) -> Iterator[Finding]:
    """Check whether the metrics file can be written; the daemon also runs without it."""
    if settings.metrics.textfile is None:
        return
    folder = os.path.dirname(settings.metrics.textfile)
    if not os.path.isdir(folder):
        yield Finding(Grade.WARNING, "metrics.textfile", f"{folder} is not a folder")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(Grade.WARNING, "metrics.textfile", f"{folder} may not be written by this user")
    else:
        yield Finding(Grade.OK, "metrics.textfile", settings.metrics.textfile)


def check_masks(settings: Settings) -> Iterator[Finding]:
    """Check every mask file in the settings."""
    tables = {"detection": settings.detection}
    tables |= {f"camera.{name}.detection": camera.detection for name, camera in settings.camera.items()}
    tables |= {f"schedule.{each.name}.detection": each.detection for each in settings.schedule}
    for table, detection in tables.items():
        if detection.mask_file is not None:
            yield _check_mask(f"{table}.mask_file", detection.mask_file)


def _check_mask(key: str, path: str) -> Finding:
    import numpy as np  # noqa: PLC0415 - 200 ms with OpenCV, and few configs name a mask

    from framegate.cameras.camera import read_mask  # noqa: PLC0415

    try:
        picture = read_mask(path)
    except OSError as error:
        return Finding(Grade.ERROR, key, f"{path} cannot be read: {error.strerror}")
    except ValueError as error:
        return Finding(Grade.ERROR, key, str(error))
    ignored = 100 * (1 - np.count_nonzero(picture) / picture.size)
    return Finding(Grade.OK, key, f"{path} ignores {ignored:.1f}% of the picture")


def _check_inotify(settings: Settings, folders: int) -> Iterator[Finding]:
    if not os.path.isdir(settings.drop.folder):
        return
    if (why := _polls_because(settings)) is not None:
        yield Finding(Grade.OK, "drop.watch", f"sweeps every {settings.drop.poll_s:g} s: {why}")
        return
    with closing(Inbox()) as inbox:
        watcher = Watcher(Path(settings.drop.folder), NameRules(settings.drop), inbox, recursive=False)
        try:
            watcher.start()
        except OSError as error:
            limit = _limit("max_user_instances")
            words = f"inotify does not start ({error}; fs.inotify.max_user_instances is {limit}): sweeps only"
            yield Finding(Grade.WARNING, "drop.watch", words)
            return
        watcher.stop()
    watches = _limit("max_user_watches")
    if folders > watches:
        words = (
            f"{folders} folders to watch, but fs.inotify.max_user_watches is {watches}: frames in the rest"
            " are found only by sweeps"
        )
        yield Finding(Grade.WARNING, "drop.watch", words)
    else:
        yield Finding(Grade.OK, "drop.watch", f"inotify works: {folders} of {watches} watches needed")


def _polls_because(settings: Settings) -> str | None:
    if settings.drop.watch == "poll":
        return 'watch = "poll"'
    mount = mount_of(Path(settings.drop.folder)) if settings.drop.watch == "auto" else None
    if mount is None or sees_all_writers(mount.kind):
        return None
    return f"{mount.point} is {mount.kind}, where the kernel does not see every writer"


def _limit(name: str) -> int:
    try:
        return int((INOTIFY_LIMITS / name).read_text("ascii"))
    except (OSError, ValueError):
        return 0

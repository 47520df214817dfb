"""What is wrong with a daemon and its cameras, in words for a person."""

import time

from framegate.telemetry.control_chars import escape_control_chars
from framegate.telemetry.status import CameraStatus, Status, waits_of

CLOCK_FAULTS = {
    "ahead": "ahead of this machine's",
    "behind": "days behind this machine's",
    "stands_still": "stands still",
    "set_back": "was set back",
}
"""The words for each ``CameraStatus.clock_fault``."""


def daemon_hangs(status: Status) -> str:
    """Return the sentence for a daemon that has not written its status for too long."""
    silent = age(time.time() - status.at_s)
    return (
        f"the daemon (process {status.pid}) has not reported for {silent}: it hangs, gets no CPU time, or"
        " cannot write into its state folder; see its log"
    )


def troubles_of(status: Status) -> list[str]:
    """Return what is wrong with a daemon as a whole, one sentence each."""
    troubles = []
    if status.state_unwritable:
        when = age(time.time() - status.at_s)
        troubles.append(
            f"{escape_control_chars(status.state_unwritable)}: frames wait in the drop folder until the"
            f" daemon can write there again; what is shown is {when} old"
        )
    troubles += map(escape_control_chars, waits_of(status))
    troubles += [f"config refused: {error}" for error in status.config_refused]
    if status.results_replaced_at_s:
        since = local_time(status.results_replaced_at_s)
        troubles.append(f"the results folder is another since {since}: what was kept before is not in it")
    if status.archive_refused:
        troubles.append(f"frames wait to be archived: {escape_control_chars(status.archive_refused)}")
    if lost := status.log_lines_lost:
        why = "nobody read the log, or its disk was full"
        troubles.append(f"{lost} log lines were lost since the start: {why}")
    if status.notify_lost:
        troubles.append(
            f"{status.notify_lost} events were lost for [[notify]]: the state folder is not writable"
        )
    return troubles


def notify_troubles(status: Status) -> list[str]:
    """Return which notifications fail, and why, one sentence each; some are long."""
    return [
        f"notify {escape_control_chars(name)} fails: {escape_control_chars(book.failing)}"
        for name, book in status.notify.items()
        if book.failing is not None
    ]


def camera_troubles(name: str, camera: CameraStatus) -> list[str]:
    """Return what is wrong with a camera, one sentence each, with its name."""
    shown = escape_control_chars(name)
    troubles = []
    if camera.silent_s is not None:
        troubles.append(f"silent: {shown} has sent nothing for {age(camera.silent_s)}")
    if camera.frozen_s is not None:
        troubles.append(f"frozen: {shown} has repeated one picture for {age(camera.frozen_s)}")
    if camera.clock_fault is not None:
        troubles.append(f"clock of {shown}: {CLOCK_FAULTS.get(camera.clock_fault, camera.clock_fault)}")
    if camera.pending_why is not None:
        troubles.append(f"pending of {shown}: {escape_control_chars(camera.pending_why)}")
    return troubles


def local_time(at_s: float) -> str:
    """Return a time, in seconds since the epoch, as this machine's clocks show it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))


def age(seconds: float) -> str:
    """Return a time span in its largest fitting unit: ``8s``, ``5m``, ``3h``, ``2d``."""
    for unit_s, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"

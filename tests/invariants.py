"""What has to be true of a daemon whatever was done to it: the one checker that all fault tests share.

Each function is one invariant of the reliability research (I1 to I8), and yields a sentence for each thing
that contradicts it; ``check`` asks them all, and fails with all the sentences. The ledger is read from its
file, never through ``src``, so that a mistake there cannot hide itself here.
"""

import os
import sqlite3
import subprocess
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from forked import ForkedProcess
from oracle import Shot, expected, in_capture_order
from running import Line, Site

LEDGER_NAME = "ledger.sqlite3"
TEMPORARY = ".framegate-*.tmp"
WITHIN_S = 20.0

REASONS = {
    "kept": {"first", "changed", "size_changed", "heartbeat", "storm", "lighting", "moved"},
    "dropped": {"unchanged", "identical", "storm_dropped"},
    "rejected": {
        "empty", "truncated", "damaged", "undecodable", "too_large", "not_a_regular_file", "unreadable",
        "vanished", "crasher", "internal_error",
    },
}  # fmt: skip
"""Every reason, below the verdict that it explains."""

Process = subprocess.Popen[Any] | ForkedProcess | threading.Thread | int
"""A daemon: a process, its pid when it is somebody else's child, or the thread that it runs in."""


@dataclass(frozen=True, slots=True)
class Row:
    """One decision, as the ledger has it."""

    id: int
    name: str
    size_bytes: int
    mtime_ns: int
    camera: str
    verdict: str
    reason: str
    sha256: bytes | None
    result: str | None

    @property
    def version(self) -> tuple[str, int, int]:
        """What the daemon tells versions of files apart by."""
        return self.name, self.size_bytes, self.mtime_ns


def check(
    site: Site,
    shots: Sequence[Shot],
    *,
    kept: Sequence[Shot] | None = None,
    inputs: Sequence[Shot] | None = None,
    bystanders: Collection[str] = (),
    foreign: Mapping[str, bytes] | None = None,
    acknowledged: Iterable[Line] = (),
    at_rest: bool = True,
    process: Process | None = None,
    ended_with: int | None = None,
    most_descriptors: int | None = None,
    most_rss_bytes: int | None = None,
) -> None:
    """Assert all invariants; say everything that contradicts one.

    Args:
        site: the folders.
        shots: every version of every file that has got its verdict by now.
        kept: those of them that are kept; else the oracle says.
        inputs: what stands in the drop folder now; else ``shots``.
        bystanders: names in the drop folder that are no frames.
        foreign: what the test itself has put into the results folder, by name.
        acknowledged: log lines of any number of lives of the daemon; see ``lines_of`` for its events.
        at_rest: the daemon has stopped, so that its lazy rows are in the ledger; else rows may be missing.
        process: the daemon, when it is to be alive, or to have ended with a code.
        ended_with: that code; negative is a signal's number.
        most_descriptors: how many files the daemon may have open.
        most_rss_bytes: how much memory it may have resident.
    """
    if kept is None:
        kept = expected(shots)
    if inputs is None:
        inputs = shots
    foreign = foreign or {}
    lines = list(acknowledged)
    results = visible(site.results)
    found = [
        *results_are_the_oracles(results, kept, foreign),
        *whole_and_ours(results, shots, foreign),
        *acknowledged_are_there(results, lines, shots),
        *verdicts_are_final(lines),
        *inputs_are_untouched(site.drop, inputs, bystanders),
        *no_temporary_is_left(site),
    ]
    if damage := list(ledger_is_sound(site)):
        found += damage
    else:
        rows = ledger_rows(site)
        found += decided_as_the_oracle(rows, kept)
        found += verdicts_are_right(rows, shots, kept)
        found += rows_are_explained(rows)
        if at_rest:
            found += every_version_has_its_row(rows, shots, inputs)
            found += rows_agree_with_results(rows, results)
    if process is not None:
        found += _process_is_well(process, ended_with, most_descriptors, most_rss_bytes)
    assert not found, "\n".join(["the invariants do not hold:", *found])


# --- I1: results equal the sequential oracle ------------------------------------------------------------


def results_are_the_oracles(
    results: Mapping[str, bytes], kept: Sequence[Shot], foreign: Mapping[str, bytes]
) -> Iterator[str]:
    """I1: every frame that the oracle keeps stands in the results once, byte for byte, and nothing else."""
    there = Counter(data for name, data in results.items() if foreign.get(name) != data)
    # A frame whose bytes the test had put at its name is delivered by leaving that file as it is.
    there.update({taken.data: 1 for taken in kept if foreign.get(taken.name) == taken.data})
    wanted = Counter(taken.data for taken in kept)
    names = {taken.data: taken.name for taken in kept}
    for data in wanted - there:
        yield f"I1: {names[data]} is not in the results"
    for data, more in (there - wanted).items():
        at = [name for name, other in results.items() if other == data]
        yield f"I1: {at} stands in the results {more} times too often"
    contended = {name for name, count in Counter(taken.name for taken in kept).items() if count > 1}
    for taken in kept:
        if taken.name not in contended | foreign.keys() and results.get(taken.name) != taken.data:
            yield f"I1: at the name {taken.name} is not that frame"


def decided_as_the_oracle(rows: Sequence[Row], kept: Sequence[Shot]) -> Iterator[str]:
    """I1: the ledger has kept the oracle's frames in the oracle's order, camera by camera."""
    wanted: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for taken in in_capture_order(kept):
        wanted[taken.camera].append((taken.name, sha256(taken.data).digest()))
    decided: dict[str, list[tuple[str, bytes | None]]] = defaultdict(list)
    for row in rows:
        if row.verdict == "kept":
            decided[row.camera].append((row.name, row.sha256))
    for camera in sorted(wanted.keys() | decided.keys()):
        if difference := _first_difference(wanted[camera], decided[camera]):
            yield f"I1: camera {camera}, {difference}"


# --- I2: nothing partial or foreign ---------------------------------------------------------------------


def whole_and_ours(
    results: Mapping[str, bytes], shots: Sequence[Shot], foreign: Mapping[str, bytes]
) -> Iterator[str]:
    """I2: every visible file is the whole of some frame, or what the test put there, as it put it there."""
    whole = {taken.data for taken in shots}
    for name, data in results.items():
        if name in foreign:
            if data != foreign[name]:
                yield f"I2: {name}, which was there before, was changed"
        elif data not in whole:
            part_of = next((taken.name for taken in shots if data and taken.data.startswith(data)), None)
            what = f"only the first bytes of {part_of}" if part_of else "the bytes of no frame"
            yield f"I2: {name} has {what} ({len(data)} bytes)"
    for name in foreign.keys() - results.keys():
        yield f"I2: {name}, which was there before, is gone"


# --- I3: nothing acknowledged is lost -------------------------------------------------------------------


def acknowledged_are_there(
    results: Mapping[str, bytes], lines: Iterable[Line], shots: Sequence[Shot]
) -> Iterator[str]:
    """I3: what a ``frame.kept`` line said stands in the results, under the name that it said."""
    said = [line for line in lines if line["event"] == "frame.kept"]
    versions: dict[tuple[str, int, str], list[bytes]] = defaultdict(list)
    for taken in shots:
        versions[taken.name, len(taken.data), iso_utc(taken.mtime_ns)].append(taken.data)
    for line in said:
        meant = versions.get((line["frame"], line["size_bytes"], line["captured_at"]))
        if meant is None:
            yield f"I3: {line['frame']} was acknowledged, but nobody took such a frame"
        elif line["result"] not in results:
            yield f"I3: {line['frame']} was acknowledged as {line['result']}, which is not there"
        elif results[line["result"]] not in meant:
            yield f"I3: {line['frame']} was acknowledged as {line['result']}, which has other bytes"


def verdicts_are_final(lines: Iterable[Line]) -> Iterator[str]:
    """I3: a version that is decided again after a crash gets the verdict, reason and result it had."""
    said: dict[tuple[str, int, str], tuple[str, ...]] = {}
    for line in lines:
        if line["event"] in {"frame.kept", "frame.dropped", "frame.rejected"}:
            version = line["frame"], line["size_bytes"], line["captured_at"]
            verdict = line["event"], line["reason"], line.get("result", "")
            if (before := said.setdefault(version, verdict)) != verdict:
                yield f"I3: {line['frame']} was {before}, and later {verdict}"


# --- I4: inputs unchanged -------------------------------------------------------------------------------


def inputs_are_untouched(
    drop: Path, inputs: Sequence[Shot], bystanders: Collection[str] = ()
) -> Iterator[str]:
    """I4: the drop folder has what the test wrote: the same names, bytes and times, and nothing more."""
    names = {os.fspath(path.relative_to(drop)) for path in drop.rglob("*") if not path.is_dir()}
    wanted = {taken.name: taken for taken in inputs}
    for name in sorted(names - wanted.keys() - set(bystanders)):
        yield f"I4: {name} has come into the drop folder"
    for name in sorted(wanted.keys() - names):
        yield f"I4: {name} is gone from the drop folder"
    for name in sorted(wanted.keys() & names):
        if (drop / name).read_bytes() != wanted[name].data:
            yield f"I4: {name} in the drop folder has other bytes"
        if (drop / name).lstat().st_mtime_ns != wanted[name].mtime_ns:
            yield f"I4: {name} in the drop folder has another mtime"


# --- I5: the books balance ------------------------------------------------------------------------------


def ledger_is_sound(site: Site) -> Iterator[str]:
    """I5: SQLite finds no fault in the ledger."""
    try:
        with closing(_open(site)) as ledger:
            findings = [finding for (finding,) in ledger.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        findings = [str(error)]
    for finding in findings:
        if finding != "ok":
            yield f"I5: the ledger is damaged: {finding}"


def rows_are_explained(rows: Sequence[Row]) -> Iterator[str]:
    """I5: no row lacks a verdict, or a reason that explains it."""
    for row in rows:
        if row.reason not in REASONS.get(row.verdict, ()):
            yield f"I5: {row.name} is {row.verdict!r} for the reason {row.reason!r}"


def every_version_has_its_row(
    rows: Sequence[Row], shots: Sequence[Shot], inputs: Sequence[Shot]
) -> Iterator[str]:
    """I5: every version has exactly one row, no row is of a version that never was; so the books balance."""
    counts = Counter(row.version for row in rows)
    wanted = {taken.version for taken in (*shots, *inputs)}
    for version in sorted(wanted - counts.keys()):
        yield f"I5: {version} has no verdict"
    for version, count in counts.items():
        if version not in wanted:
            yield f"I5: {version} has a verdict, but nobody took such a frame"
        elif count > 1:
            yield f"I5: {version} has {count} verdicts"


def verdicts_are_right(rows: Sequence[Row], shots: Sequence[Shot], kept: Sequence[Shot]) -> Iterator[str]:
    """I5: every frame is kept, dropped or rejected as the oracle says."""
    is_kept = {taken.version for taken in kept}
    no_picture = {taken.version for taken in shots if taken.scene is None}
    known = {taken.version for taken in shots}
    for row in rows:
        right = "kept" if row.version in is_kept else "dropped"
        right = "rejected" if row.version in no_picture else right
        if row.version in known and row.verdict != right:
            yield f"I5: {row.name} is {row.verdict} ({row.reason}), but should be {right}"


def rows_agree_with_results(rows: Sequence[Row], results: Mapping[str, bytes]) -> Iterator[str]:
    """I5: no kept frame is still only intended, and its result has the bytes that the ledger remembers."""
    for row in rows:
        if row.verdict != "kept":
            continue
        if row.result is None:
            yield f"I5: {row.name} was to be kept, and is not noted as delivered"
        elif row.result not in results:
            yield f"I5: {row.name} is noted as delivered to {row.result}, which is not there"
        elif row.sha256 != sha256(results[row.result]).digest():
            yield f"I5: {row.name} is noted as delivered to {row.result}, which has other bytes"


# --- I6: nothing temporary ------------------------------------------------------------------------------


def no_temporary_is_left(site: Site) -> Iterator[str]:
    """I6: no folder of the daemon's has a temporary file of its own."""
    for folder in (site.results, site.state, site.drop):
        for path in sorted(folder.rglob(TEMPORARY)):
            yield f"I6: {path} is left"


# --- I7: alive ------------------------------------------------------------------------------------------


def is_alive(process: Process) -> Iterator[str]:
    """I7: the daemon runs."""
    if isinstance(process, threading.Thread):
        lives = process.is_alive()
    elif isinstance(process, int):
        lives = _state(process) not in {None, "Z", "X"}
    else:
        lives = process.poll() is None
    if not lives:
        code = process.returncode if isinstance(process, (subprocess.Popen, ForkedProcess)) else "unknown"
        yield f"I7: the daemon has ended (code {code})"


def ended_as_told(process: Process, code: int) -> Iterator[str]:
    """I7: the daemon has ended, and with this code."""
    assert isinstance(process, (subprocess.Popen, ForkedProcess)), "only a child of ours tells its code"
    try:
        ended_with = process.wait(WITHIN_S)
    except subprocess.TimeoutExpired:
        yield "I7: the daemon does not end"
        return
    if ended_with != code:
        yield f"I7: the daemon has ended with {ended_with}, not with {code}"


def _process_is_well(
    process: Process, ended_with: int | None, most_descriptors: int | None, most_rss_bytes: int | None
) -> list[str]:
    if ended_with is not None:
        return list(ended_as_told(process, ended_with))
    return list(is_alive(process)) or list(bounded(process, most_descriptors, most_rss_bytes))


# --- I8: bounded ----------------------------------------------------------------------------------------


def bounded(process: Process, most_descriptors: int | None, most_rss_bytes: int | None) -> Iterator[str]:
    """I8: the daemon has no more files open, and no more memory resident, than it may."""
    pid = _pid(process)
    if most_descriptors is not None and (open_now := descriptors(pid)) > most_descriptors:
        yield f"I8: the daemon has {open_now} files open, more than {most_descriptors}"
    if most_rss_bytes is not None and (rss := rss_bytes(pid)) > most_rss_bytes:
        yield f"I8: the daemon has {rss / 1e6:.0f} MB resident, more than {most_rss_bytes / 1e6:.0f} MB"


def descriptors(pid: int) -> int:
    """Return how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def rss_bytes(pid: int) -> int:
    """Return how much memory of a process is resident; of one that has ended, none."""
    return 1024 * int(_status(pid).get("VmRSS", "0 kB").split()[0])


# --- looking --------------------------------------------------------------------------------------------


def ledger_rows(site: Site) -> list[Row]:
    """Return all rows of a site's ledger as of its last commit, in the order of decisions."""
    columns = "id, name, size_bytes, mtime_ns, camera, verdict, reason, sha256, result"
    with closing(_open(site)) as ledger:
        return [_row(values) for values in ledger.execute(f"SELECT {columns} FROM frame ORDER BY id")]


def has_ledger(site: Site) -> bool:
    """Tell whether a ledger was made, to the end: a crash may come before that."""
    path = site.state / LEDGER_NAME
    if not path.is_file():
        return False
    with closing(sqlite3.connect(path)) as ledger:
        return bool(ledger.execute("SELECT 1 FROM sqlite_schema WHERE name = 'frame'").fetchall())


def visible(folder: Path) -> dict[str, bytes]:
    """Return the files that somebody who lists a folder sees: all but the hidden ones, by relative name."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def judged(site: Site, shots: Iterable[Shot]) -> list[Shot]:
    """Return those versions that the ledger has: some were overwritten before their turn."""
    has_row = {row.version for row in ledger_rows(site)}
    return [taken for taken in shots if taken.version in has_row]


def lines_of(events: Iterable[Any]) -> list[Line]:
    """Return the events of a daemon in this process as the log lines that they would be."""
    return [{"event": event.event, **event.fields} for event in events]


def iso_utc(time_ns: int) -> str:
    """Write a time as the log does."""
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 10**6:03d}Z"


def _open(site: Site) -> sqlite3.Connection:
    """Open the ledger for reading, beside a daemon that may be writing it."""
    path = site.state / LEDGER_NAME
    assert path.is_file(), f"there is no ledger at {path}"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=WITHIN_S)


def _row(values: tuple[Any, ...]) -> Row:
    row = Row(*values)
    return replace(
        row,
        name=os.fsdecode(row.name),
        result=None if row.result is None else os.fsdecode(row.result),
    )


def _pid(process: Process) -> int:
    if isinstance(process, threading.Thread):
        return os.getpid()
    return process if isinstance(process, int) else process.pid


def _state(pid: int) -> str | None:
    try:
        return _status(pid)["State"][0]
    except OSError:
        return None


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _first_difference(
    wanted: Sequence[tuple[str, bytes]], decided: Sequence[tuple[str, bytes | None]]
) -> str | None:
    for place, (want, have) in enumerate(zip(wanted, decided, strict=False), 1):
        if want != have:
            bytes_too = " with other bytes" if want[0] == have[0] else ""
            return f"kept frame {place} should be {want[0]}, but is {have[0]}{bytes_too}"
    if len(wanted) != len(decided):
        return f"{len(wanted)} frames should be kept, but {len(decided)} are"
    return None

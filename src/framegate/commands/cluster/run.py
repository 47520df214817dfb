"""``framegate scan`` by several workers: what it lists, hands out and, in the end, puts together."""

import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from framegate.commands.cluster.basis import Surroundings, basis_of
from framegate.commands.cluster.done_parts import RUN_FILE, DoneParts
from framegate.commands.cluster.judging import Scan, judge_month
from framegate.commands.cluster.months import Archive, Month, archive_of
from framegate.commands.cluster.remote import RemoteFolder
from framegate.commands.cluster.shown import CameraBars
from framegate.commands.cluster.table import is_parquet, merged_rows, require_parquet, table
from framegate.commands.cluster.window import Chain, Window
from framegate.commands.cluster.workers import ClusterError, Workers, interruptible
from framegate.commands.output import require_output
from framegate.commands.scan import (
    Outcome,
    print_summary,
    printable,
    report_skipped,
    warn_about_names,
    warn_about_order,
)
from framegate.commands.scanning import Summary
from framegate.commands.stats_file import STATS_COLUMNS
from framegate.config.layout import Layout
from framegate.config.load import Config
from framegate.config.settings import Settings
from framegate.errors import FramegateError
from framegate.ingest.names import NameRules
from framegate.ingest.sweeping import frames_of
from framegate.keep.names import planned_name, portable
from framegate.model import Candidate, Reason, Verdict
from framegate.preflight.preflight import prepare_to_scan

LOOKED_AT = 2000
"""Frames of which the order is looked at."""


@dataclass(frozen=True)
class Wanted:
    """What is to be scanned, and written."""

    workers: Workers
    url: str | None
    """Where the frames are; None: in the drop folder of the config."""

    stats: Path | None
    is_dry_run: bool
    as_json: bool


def run_scan_by_workers(config: Config, wanted: Wanted) -> None:
    """Scan by several workers; print the summary to standard output.

    Raises:
        ConfigError: the folders do not allow a scan.
        OutputError, StatsError: the table cannot be written.
        FramegateError: the workers cannot be used, a result cannot be written, or a signal has come; what is
            done by then need not be done again.
    """
    started_s = time.perf_counter()
    _require_outputs(config, wanted)
    settings = config.settings
    surroundings = Surroundings.here(settings)
    source = wanted.url or settings.drop.folder
    basis = partial(
        basis_of, settings, surroundings=surroundings, source=source, is_dry_run=wanted.is_dry_run
    )
    archive = archive_of(_candidates(settings, wanted.url), basis)
    _warn(settings, wanted, archive)
    parts = _parts(settings, wanted, source)
    with parts.opened() as word:
        _require_names_apart(archive, settings.results.layout, parts.folder)
        _warn_of_others(archive, parts, wanted)
        scan = Scan(settings, wanted.url, parts, word, surroundings, wanted.is_dry_run)
        with _saying_how_far(archive, parts), interruptible():
            _judge(scan, archive, wanted.workers)
            outcome = _put_together(archive, parts, wanted.stats)
    counts: Counter[Verdict] = sum(outcome.cameras.values(), Counter())
    kept, dropped, rejected = (counts[each] for each in (Verdict.KEPT, Verdict.DROPPED, Verdict.REJECTED))
    summary = Summary(counts.total(), kept, dropped, rejected, time.perf_counter() - started_s)
    print_summary(summary, outcome, config, dry_run=wanted.is_dry_run, as_json=wanted.as_json)


def _require_outputs(config: Config, wanted: Wanted) -> None:
    if wanted.stats is not None:
        drop_folder = "" if wanted.url else config.settings.drop.folder
        require_output(wanted.stats, config.path, drop_folder=drop_folder)
        if is_parquet(wanted.stats):
            require_parquet()
    prepare_to_scan(config, needs_results=not wanted.is_dry_run, is_drop_afar=wanted.url is not None)


def _candidates(settings: Settings, url: str | None) -> Iterator[Candidate]:
    """Yield the frames, in no order."""
    if url is not None:
        return RemoteFolder(url).candidates(settings, report_skipped)
    rules, drop = NameRules(settings.drop), settings.drop
    found = frames_of(Path(drop.folder), rules, recursive=drop.recursive, skipped=report_skipped)
    return map(rules.candidate, found)


def _warn(settings: Settings, wanted: Wanted, archive: Archive) -> None:
    warn = warn_about_names if wanted.url is None else warn_about_order
    warn(settings.drop, archive.sample(LOOKED_AT))


def _parts(settings: Settings, wanted: Wanted, source: str) -> DoneParts:
    """Return the folder for what is done: among the results, which all workers see, or beside the table."""
    name = f".framegate-scan-{hashlib.sha256(os.fsencode(source)).hexdigest()[:12]}"
    if not wanted.is_dry_run:
        return DoneParts(Path(settings.results.folder, name))
    assert wanted.stats is not None
    return DoneParts(wanted.stats.absolute().parent / name)


def _require_names_apart(archive: Archive, layout: Layout, folder: Path) -> None:
    """Require that no two cameras' results want one name: who is first would decide who gets it.

    The frames' own paths differ, but on a file system without case not always.

    Raises:
        ClusterError: two do.
    """
    folded = _folded if _folds_case(folder) else str
    if folded is str and "path" in layout.fields:
        return
    camera_of: dict[str, tuple[str, str]] = {}
    for months in archive.cameras.values():
        for month in months:
            for candidate in month.candidates():
                name, camera = candidate.key.name, candidate.camera
                wanted = folded(planned_name(layout, candidate) or name)
                other, first = camera_of.setdefault(wanted, (camera, name))
                if other != camera:
                    raise ClusterError(
                        f"{printable(first)} and {printable(name)} are of two cameras, and would have"
                        " one name in the results folder: scan without workers, or with {camera} in"
                        " results.layout"
                    )


def _folds_case(folder: Path) -> bool:
    return (folder / RUN_FILE.upper()).exists()


def _folded(name: str) -> str:
    return "/".join(portable(name.split("/"))).casefold()


def _warn_of_others(archive: Archive, parts: DoneParts, wanted: Wanted) -> None:
    """Warn of results in the folder that may not be those of this scan."""
    own = {month.id for months in archive.cameras.values() for month in months}
    if not wanted.is_dry_run and not parts.begun() <= own:
        words = "an unfinished scan with other settings or frames has left results in OUT"
        print(f"warning: {words}; for those of this scan alone, use an empty folder", file=sys.stderr)


@contextmanager
def _saying_how_far(archive: Archive, parts: DoneParts) -> Iterator[None]:
    """Add to an error how much is done."""
    try:
        yield
    except FramegateError as error:
        done = archive.frames + sum(chain.weight for chain in _to_be_done(archive, parts))
        goes_on = f"{done} of {archive.frames} frames are judged, and the same command goes on from there"
        error.args = (f"{error}; {goes_on}",)
        raise


def _judge(scan: Scan, archive: Archive, workers: Workers) -> None:
    """Have the workers judge what is not judged yet.

    Raises:
        FramegateError: that is impossible now.
    """
    chains = _to_be_done(archive, scan.parts)
    done = archive.frames + sum(chain.weight for chain in chains)
    if done == archive.frames:
        return
    with workers.connected() as client, CameraBars(archive, done) as bars:
        window = Window(client, partial(judge_month, scan), begun=bars.begin, finished=bars.finish)
        window.run(chains)
        if window.deadly:
            raise ClusterError(_deadly_in_words(window.deadly))


def _to_be_done(archive: Archive, parts: DoneParts) -> list[Chain[Month]]:
    """Return the months of each camera, at the first that is to be judged."""
    chains = []
    for number, (camera, months) in enumerate(archive.cameras.items()):
        chain = Chain.of(number, camera, months, lambda month: month.frames)
        for _ in range(parts.done_of([month.id for month in months])):
            chain.advance()
        chains.append(chain)
    return chains


def _deadly_in_words(chains: list[Chain[Month]]) -> str:
    first = chains[0]
    others = f", and those of {len(chains) - 1} other cameras" if len(chains) > 1 else ""
    return (
        f"workers died again and again over the frames of {printable(first.name)} of {first.next_part.month}"
        f"{others}, which are not judged"
    )


def _put_together(archive: Archive, parts: DoneParts, stats: Path | None) -> Outcome:
    """Write the table, and return what it says in short."""
    outcome = Outcome()
    name, camera, reason, detail = map(STATS_COLUMNS.index, ("frame", "camera", "reason", "detail"))
    with table(stats) as write:
        for months in archive.by_month():
            for row in merged_rows([parts.rows_file(month.id) for month in months]):
                write(row)
                outcome.note(row[name], row[camera], Reason(row[reason]), row[detail])
    return outcome

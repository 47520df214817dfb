"""The commands that judge frames which are there, and change nothing about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli.app import (
    CameraOption,
    ConfigOption,
    JsonOption,
    NoCacheOption,
    argument,
    command,
    load_config,
    load_for_folder,
    option,
)
from framegate.errors import EXIT_FAILED

if TYPE_CHECKING:
    from framegate.commands.cluster.workers import Workers

WorkersOption = Annotated[
    int | None, typer.Option(metavar="N", help="Use so many processes, each for one camera at a time.")
]
ClusterOption = Annotated[str | None, option("tcp://HOST:8786", "Use the workers of this Dask scheduler.")]


def _workers(here: int | None, scheduler: str | None) -> "Workers":
    from framegate.commands.cluster.workers import Workers  # noqa: PLC0415

    try:
        found = Workers(here, scheduler)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--workers, --cluster") from error
    if found:
        found.require_package()
    return found


FROM_HELP = "Show frames from this time or day on."


@command("scan FRAMES RESULTS", "scan -c lot1.toml --dry-run --stats scores.csv")
def scan(  # noqa: PLR0917
    drop: Annotated[
        str | None,
        argument("IN", "The folder with the frames; for workers also a URL, as s3://bucket/prefix."),
    ] = None,
    results: Annotated[Path | None, argument("OUT", "The folder to copy kept frames to.")] = None,
    min_contour_area: Annotated[
        float | None,
        argument("MIN_CONTOUR_AREA", "In pixels, with SCORE_THRESHOLD: use the preset classic."),
    ] = None,
    score_threshold: Annotated[float | None, argument("SCORE_THRESHOLD", "In pixels.")] = None,
    config: ConfigOption = None,
    stats: Annotated[
        Path | None,
        option("FILE.csv", "Write a row for every frame to this CSV file, or Parquet file: FILE.parquet."),
    ] = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Judge, but copy nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge the frames of a folder once, in the order of their capture times.

    Nothing is overwritten or deleted. With -c FILE and without IN and OUT the config's folders are used.
    """
    from framegate.commands.scan import run_scan  # noqa: PLC0415

    url = drop if drop is not None and "://" in drop else None
    if results is None and (drop is not None or config is None):
        raise typer.BadParameter("give IN and OUT, or -c FILE to use the folders of a config")
    folder = None if drop is None else Path("/nowhere") if url else Path(drop)
    flags: dict[str, Any] = {"drop.folder": folder, "results.folder": results}
    if min_contour_area is not None:
        if score_threshold is None:
            raise typer.BadParameter(
                "give both numbers, or none", param_hint="MIN_CONTOUR_AREA SCORE_THRESHOLD"
            )
        flags |= {
            "detection.preset": "classic",
            "detection.min_contour_area": f"{min_contour_area:.10g}px",
            "detection.score_threshold": f"{score_threshold:.10g}px",
        }
    loaded = load_config(config, flags)
    if workers is None and cluster is None and url is None:
        run_scan(loaded, stats=stats, dry_run=dry_run, as_json=as_json)
        return
    if workers is None and cluster is None:
        raise typer.BadParameter("frames at a URL are scanned by --workers or --cluster", param_hint="IN")
    if dry_run and stats is None:
        raise typer.BadParameter(
            "with workers it needs --stats FILE: they note beside it what is done", param_hint="--dry-run"
        )
    from framegate.commands.cluster.run import Wanted, run_scan_by_workers  # noqa: PLC0415

    run_scan_by_workers(loaded, Wanted(_workers(workers, cluster), url, stats, dry_run, as_json))


@command("explain c21_0042.jpg -c lot1.toml", "explain A.jpg B.jpg --overlay why.png")
def explain(
    reference: Annotated[
        Path, argument("NAME or A", "A frame that a daemon has judged; or the last kept frame of two.")
    ],
    current: Annotated[Path | None, argument("B", "The frame to judge after A.")] = None,
    config: ConfigOption = None,
    camera: Annotated[
        str, typer.Option(metavar="NAME", help="For A and B: use this camera's settings.")
    ] = "default",
    overlay: Annotated[
        Path | None,
        option("OUT.png", "Draw the changed regions of B, and beside it where it changed, and how much."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Explain why a daemon kept or dropped a frame, or would keep or drop frame B after frame A.

    A NAME is that of the log; a path to the file will do. The camera's frames are judged again up to it, from
    the ledger of the config.
    """
    from framegate.commands.explain.two_files import run_explain  # noqa: PLC0415

    if current is None:
        from framegate.commands.explain.judged_frame import run_explain_name  # noqa: PLC0415

        run_explain_name(str(reference), load_config(config), overlay_file=overlay, as_json=as_json)
        return
    flags = {"drop.folder": Path(), "results.folder": Path()}
    loaded = load_config(config, flags)
    if camera != "default" and camera not in loaded.settings.camera:
        known = ", ".join(loaded.settings.camera) or "none"
        raise typer.BadParameter(
            f"there is no [camera.{camera}.detection] in the config; it has {known}", param_hint="--camera"
        )
    run_explain(reference, current, loaded.settings, camera, overlay_file=overlay, as_json=as_json)


@command("replay FRAMES -c new.toml --against lot1.toml", "replay FRAMES -c lot1.toml --check labels.csv")
def replay(  # noqa: PLR0917
    folder: Annotated[Path | None, argument("FOLDER", "The folder with the frames.")] = None,
    config: ConfigOption = None,
    against: Annotated[Path | None, option("OLD", "An older config, to compare with.")] = None,
    camera: CameraOption = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="T", help=FROM_HELP)] = None,
    to: Annotated[str | None, typer.Option(metavar="T", help="Show frames up to this time or day.")] = None,
    check: Annotated[
        Path | None, option("FILE.csv", "Exit with 1 if a frame comes out otherwise than labelled there.")
    ] = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    *,
    is_list: Annotated[bool, typer.Option("--list", help="Name every gained and lost frame.")] = False,
    as_json: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Show what other settings would have kept of the same frames; change nothing.

    Frames are judged from the first one on, exactly as by a scan. Times are local: 2026-11-19, or
    2026-11-19T06:30.
    """
    from framegate.commands.replay.found import Wanted, time_ns_of  # noqa: PLC0415
    from framegate.commands.replay.run import run_replay  # noqa: PLC0415

    try:
        from_ns = None if from_ is None else time_ns_of(from_)
        until_ns = None if to is None else time_ns_of(to, is_end=True)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--from, --to") from error
    wanted = Wanted(
        folder,
        camera,
        from_ns,
        until_ns,
        check,
        is_list=is_list,
        as_json=as_json,
        is_cached=not no_cache,
        workers=_workers(workers, cluster),
    )
    new = load_for_folder(config, folder)
    old = None if against is None else load_for_folder(against, folder)
    if not run_replay(new, old, wanted):
        raise typer.Exit(EXIT_FAILED)

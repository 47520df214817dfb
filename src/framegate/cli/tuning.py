"""The commands by which thresholds are chosen; they only read, and write what they are asked to write."""

from pathlib import Path
from typing import Annotated

import typer

from framegate.cli.app import (
    CameraOption,
    ConfigOption,
    JsonOption,
    NoCacheOption,
    argument,
    command,
    load_for_folder,
    option,
)


@command("report FRAMES -o report.html --open", "report -c new.toml --against lot1.toml -o report.html")
def report(  # noqa: PLR0917
    folder: Annotated[Path | None, argument("FOLDER", "The folder with the frames.")] = None,
    config: ConfigOption = None,
    against: Annotated[Path | None, option("OLD", "Compare with this config.")] = None,
    output: Annotated[Path, option("FILE.html", "The page.", "--output", "-o")] = Path("report.html"),
    max_size: Annotated[
        str, typer.Option(metavar="SIZE", help="The most that the page may take: its pictures get smaller.")
    ] = "15MB",
    labels: Annotated[
        Path | None, option("FILE.csv", "Show these labels, as the page or an editor has saved them.")
    ] = None,
    camera: CameraOption = None,
    *,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Write a page that shows every frame by its score, with a threshold to move.

    Every threshold on it was replayed exactly. Without FOLDER it shows what the daemon of the config has
    judged. The page is one file, and asks no network for anything.
    """
    import webbrowser  # noqa: PLC0415

    from framegate.commands.report import Shown, run_report  # noqa: PLC0415
    from framegate.config.quantities import Size  # noqa: PLC0415

    try:
        most_bytes = Size.parse(max_size)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-size") from error
    loaded = load_for_folder(config, folder)
    old = None if against is None else load_for_folder(against, folder)
    shown = Shown(folder, camera, most_bytes, labels, is_cached=not no_cache)
    run_report(loaded, old, output, shown)
    if open_:
        webbrowser.open(output.absolute().as_uri())


@command("suggest FRAMES", "suggest -c lot1.toml --target 200/day", "suggest FRAMES --labels labels.csv")
def suggest(  # noqa: PLR0917
    folder: Annotated[Path | None, argument("FOLDER", "The folder with the frames.")] = None,
    config: ConfigOption = None,
    target: Annotated[
        str | None, typer.Option(metavar="N/day", help="How much to keep: 200/day, 10/hour, 50MB/day.")
    ] = None,
    labels: Annotated[
        Path | None, option("FILE.csv", "Frames that are to be kept or dropped: frame,expected[,within].")
    ] = None,
    must_keep: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A frame to keep; may be given again.")
    ] = None,
    object_: Annotated[
        str | None,
        typer.Option("--object", metavar="X,Y,W,H", help="Place, or size W,H, of the smallest object."),
    ] = None,
    camera: CameraOption = None,
    overlay: Annotated[
        Path | None, option("OUT.png", "Draw the places that change in nearly every frame.")
    ] = None,
    *,
    as_json: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Show what each threshold would have kept; for a goal, print the lines to paste into a config.

    Nothing is changed. Without FOLDER the frames are those that the daemon of the config has judged.
    Without a goal no threshold is named: no rule knows what matters to you.
    """
    from framegate.commands.suggest.found import Wanted  # noqa: PLC0415
    from framegate.commands.suggest.run import run_suggest  # noqa: PLC0415
    from framegate.tune.suggest.goals import Target  # noqa: PLC0415

    if target is not None and (labels is not None or must_keep):
        raise typer.BadParameter(
            "give a target, or labels and frames to keep, not both", param_hint="--target"
        )
    goal = None if target is None else Target.parse(target)
    names = tuple(must_keep or ())
    wanted = Wanted(
        folder, camera, goal, labels, names, object_, overlay, as_json=as_json, is_cached=not no_cache
    )
    run_suggest(load_for_folder(config, folder), wanted)

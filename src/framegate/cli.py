"""The command line: one function a command. Results on stdout, words on stderr; heavy imports inside."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, FramegateError

if TYPE_CHECKING:
    from framegate.config import Config

app = typer.Typer(
    help="Keeps the camera frames that differ.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The TOML file. Without it: $FRAMEGATE_CONFIG, else ~/.config/framegate/config.toml, else /etc.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def main() -> None:
    """Run the command line; the exit code says how it went (see the README)."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            _say(f"{error.path or 'settings'}: {problem}")
        sys.exit(error.exit_code)
    except FramegateError as error:
        _say(f"framegate: {error}")
        sys.exit(error.exit_code)


@app.callback(invoke_without_command=True)
def _root(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False
) -> None:
    if version:
        from framegate import __version__  # noqa: PLC0415

        typer.echo(f"framegate {__version__}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigOption = None,
    drop: Annotated[Path | None, typer.Option(metavar="DIR", help="Over drop.folder.")] = None,
    results: Annotated[Path | None, typer.Option(metavar="DIR", help="Over results.folder.")] = None,
) -> None:
    """Serve the drop folder until told to stop: the daemon."""
    from framegate.service.serve import serve  # noqa: PLC0415

    serve(_load(config, {"drop.folder": drop, "results.folder": results}))


@app.command()
def scan(  # noqa: PLR0917
    drop: Annotated[Path, typer.Argument(metavar="IN", help="The folder of frames.")],
    results: Annotated[Path, typer.Argument(metavar="OUT", help="Where the unique ones go.")],
    min_contour_area: Annotated[
        float | None,
        typer.Argument(
            metavar="[MIN_CONTOUR_AREA", min=0, help="In pixels: the classic preset.", show_default=False
        ),
    ] = None,
    score_threshold: Annotated[
        float | None, typer.Argument(metavar="SCORE_THRESHOLD]", min=0, help="In pixels.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    stats: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write a row for every frame.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Decide, but deliver nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a folder of frames once, in order; nothing is overwritten or deleted."""
    from framegate.service.progress import run_scan  # noqa: PLC0415

    flags: dict[str, Any] = {"drop.folder": drop, "results.folder": results}
    if min_contour_area is not None:
        if score_threshold is None:
            raise typer.BadParameter("give both numbers, MIN_CONTOUR_AREA and SCORE_THRESHOLD, or neither")
        flags |= {
            "detection.preset": "classic",
            "detection.min_contour_area": f"{min_contour_area:.10g}px",
            "detection.score_threshold": f"{score_threshold:.10g}px",
        }
    run_scan(_load(config, flags), stats=stats, dry_run=dry_run, as_json=as_json)


@app.command()
def explain(
    reference: Annotated[Path, typer.Argument(metavar="A", help="The frame to compare with.")],
    current: Annotated[Path, typer.Argument(metavar="B", help="The frame in question.")],
    config: ConfigOption = None,
    camera: Annotated[str, typer.Option(metavar="NAME", help="Use this camera's settings.")] = "default",
    overlay: Annotated[
        Path | None,
        typer.Option(metavar="OUT.png", help="Draw B with its changed regions, and the thresholded picture."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say why frame B would be kept or dropped after frame A."""
    from framegate.tune.report import run_explain  # noqa: PLC0415

    flags = {"drop.folder": Path(), "results.folder": Path()}
    loaded = _load(config, flags)
    if camera != "default" and camera not in loaded.settings.camera:
        known = ", ".join(loaded.settings.camera) or "none"
        raise typer.BadParameter(f"the config has no [camera.{camera}.detection]; it has {known}")
    run_explain(
        reference, current, loaded.settings.detection_of(camera), overlay_file=overlay, as_json=as_json
    )


@app.command()
def check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Check the config, the folders, the space and the inotify limits; change nothing."""
    import json  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from framegate.service.checkup import Grade, examine_surroundings  # noqa: PLC0415

    findings = examine_surroundings(_load(config))
    if as_json:
        typer.echo(json.dumps({"schema": 1, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.grade:8} {finding.key:20} {finding.message}")
    if any(finding.grade is Grade.ERROR for finding in findings):
        raise typer.Exit(EXIT_CONFIG)


@app.command("config")
def config_command(
    config: ConfigOption = None,
    *,
    example: Annotated[bool, typer.Option("--example", help="Print a commented config file.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the README's table.", hidden=True)
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the settings in force, and where each came from."""
    import json  # noqa: PLC0415

    from framegate.reference import effective_values, example_file, markdown_table, toml_value  # noqa: PLC0415

    if example or markdown:
        typer.echo(example_file() if example else markdown_table(), nl=False)
        return
    values = effective_values(_load(config))
    if as_json:
        table = {key: {"value": value, "origin": origin} for key, value, origin in values}
        typer.echo(json.dumps({"schema": 1, "settings": table}, indent=2))
        return
    for key, value, origin in values:
        shown = "(none)" if value is None else toml_value(value)
        typer.echo(f"{f'{key} = {shown}':<60} # {origin}")


@app.command()
def status(
    config: ConfigOption = None,
    drop: Annotated[Path | None, typer.Option(metavar="DIR", help="Over drop.folder.")] = None,
    *,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every second.")] = False,
) -> None:
    """Show how a daemon is doing, or what it has left: counts, what waits, what is wrong."""
    from framegate.config import find_config  # noqa: PLC0415
    from framegate.service.status_view import run_status  # noqa: PLC0415

    flags = {"drop.folder": drop, "results.folder": None if drop is None else Path()}
    run_status(find_config(config), lambda: _load(config, flags), as_json=as_json, watch=watch)


@app.command()
def demo() -> None:
    """Show the daemon at work on a simulated parking-lot camera, in under 20 seconds."""
    from framegate.demo.show import run_demo  # noqa: PLC0415

    if not run_demo():
        raise typer.Exit(EXIT_FAILED)


def _load(config: Path | None, flags: dict[str, Any] | None = None) -> "Config":
    from framegate.config import find_config, load  # noqa: PLC0415
    from framegate.errors import Problem  # noqa: PLC0415

    given = {
        key: str(value.absolute()) if isinstance(value, Path) else value
        for key, value in (flags or {}).items()
        if value is not None
    }
    path = find_config(config)
    if path is None and "drop.folder" not in given:
        words = "no config found: give -c FILE, or name the folders (see --help of the command)"
        raise ConfigError((Problem("", words),))
    return load(path, given)


def _say(words: str) -> None:
    typer.echo(words, err=True)

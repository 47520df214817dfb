"""The command line: one function for each command. Slow imports are inside, so that --help is fast."""

import gc
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from framegate.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, FramegateError

if TYPE_CHECKING:
    from framegate.config.load import Config

# Read when OpenCV, numpy and pydantic are imported. The choices of our process, and not of a library's.
_ENVIRONMENT = {
    # What libtiff says of a damaged file would stand between our own lines; the verdict says it.
    "OPENCV_LOG_LEVEL": "SILENT",
    # Frames are judged in threads of our own; OpenCV's yielded the core 100,000 times in 240 frames.
    "OPENCV_FOR_THREADS_NUM": "1",
    # The network's products are too small for threads; starting them takes 26 ms and 180 MB of addresses.
    "OPENBLAS_NUM_THREADS": "1",
    # To look for plugins, pydantic reads what every installed package says of itself.
    "PYDANTIC_DISABLE_PLUGINS": "1",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

MORE = "More: https://github.com/framegate/framegate#readme"

app = typer.Typer(
    help="Keeps the camera frames that differ.\n\nTo see it at work: framegate demo",
    epilog=MORE,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its boxes show <bool> for every flag, and break the table of scan
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _option(metavar: str, words: str, *names: str) -> Any:
    # Not typer's check for readability: it would exit with 2 and a usage, not with 78 and our own error.
    return typer.Option(*names, metavar=metavar, readable=False, help=words)


def _argument(metavar: str, words: str) -> Any:
    return typer.Argument(metavar=metavar, readable=False, show_default=False, help=words)


CONFIG_HELP = (
    "The config file. Without it: $FRAMEGATE_CONFIG, else ~/.config/framegate/config.toml, else"
    " /etc/framegate/config.toml."
)
ConfigOption = Annotated[Path | None, _option("FILE", CONFIG_HELP, "--config", "-c")]
DropOption = Annotated[Path | None, _option("DIR", "The drop folder, instead of drop.folder in the config.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


ARGUMENTS = {"scan": "[IN OUT [MIN_CONTOUR_AREA SCORE_THRESHOLD]]", "explain": "A B", "suggest": "[FOLDER]"}
"""The arguments in the usage of each command: typer cannot show that two belong together."""


class _PlainCommand(TyperCommand):
    def collect_usage_pieces(self, _ctx: Any) -> list[str]:
        """Return what follows the command's name in its usage."""
        arguments = ARGUMENTS.get(self.name or "")
        return [arguments, "[OPTIONS]"] if arguments else ["[OPTIONS]"]


Command = Callable[..., None]


def _command(*examples: str, name: str | None = None) -> Callable[[Command], Command]:
    """Return a decorator for a command: its help is the examples, then its docstring."""

    def register(function: Command) -> Command:
        words = inspect.getdoc(function) or ""
        lead = "\b\n" + "\n".join(f"$ framegate {example}" for example in examples)
        short = words.partition("\n\n")[0]
        as_command = app.command(
            name, cls=_PlainCommand, help=f"{lead}\n\n{words}", short_help=short, epilog=MORE
        )
        return as_command(function)

    return register


def main() -> None:
    """Run the command line, and exit with a code of the README's table."""
    # What is imported stays until the end: looking through it for garbage, then and at the end, takes 70 ms.
    gc.disable()
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            _print_error(f"{error.path or 'framegate'}: {problem}")
        sys.exit(error.exit_code)
    except FramegateError as error:
        _print_error(f"framegate: {error}")
        sys.exit(error.exit_code)
    finally:
        gc.freeze()


@app.callback(invoke_without_command=True)
def _root(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False
) -> None:
    if version:
        from framegate import __version__  # noqa: PLC0415

        typer.echo(f"framegate {__version__}")
        raise typer.Exit


@_command("run -c lot1.toml", "run --drop lot1/drop --results lot1/results")
def run(
    config: ConfigOption = None,
    drop: DropOption = None,
    results: Annotated[
        Path | None, _option("DIR", "The results folder, instead of results.folder in the config.")
    ] = None,
) -> None:
    """Run the daemon: judge each frame that arrives in the drop folder, until stopped.

    It needs the two folders, from a config file or from both options. Ctrl-C or SIGTERM stops it.
    """
    from framegate.daemon.process import serve  # noqa: PLC0415

    flags = {"drop.folder": drop, "results.folder": results}
    serve(_load(config, flags, instead="--drop DIR --results DIR"))


@_command("scan FRAMES RESULTS", "scan -c lot1.toml --dry-run --stats scores.csv")
def scan(  # noqa: PLR0917
    drop: Annotated[Path | None, _argument("IN", "The folder with the frames.")] = None,
    results: Annotated[Path | None, _argument("OUT", "The folder to copy kept frames to.")] = None,
    min_contour_area: Annotated[
        float | None,
        _argument("MIN_CONTOUR_AREA", "In pixels, with SCORE_THRESHOLD: use the preset classic."),
    ] = None,
    score_threshold: Annotated[float | None, _argument("SCORE_THRESHOLD", "In pixels.")] = None,
    config: ConfigOption = None,
    stats: Annotated[
        Path | None, _option("FILE.csv", "Write a CSV row for every frame to this file.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Judge, but copy nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge the frames of a folder once, in the order of their capture times.

    Nothing is overwritten or deleted. With -c FILE and without IN and OUT the config's folders are used.
    """
    from framegate.commands.scan import run_scan  # noqa: PLC0415

    if results is None and (drop is not None or config is None):
        raise typer.BadParameter("give IN and OUT, or -c FILE to use the folders of a config")
    flags: dict[str, Any] = {"drop.folder": drop, "results.folder": results}
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
    run_scan(_load(config, flags), stats=stats, dry_run=dry_run, as_json=as_json)


@_command("explain A.jpg B.jpg --overlay why.png")
def explain(
    reference: Annotated[Path, _argument("A", "The last kept frame, to compare with.")],
    current: Annotated[Path, _argument("B", "The frame to judge.")],
    config: ConfigOption = None,
    camera: Annotated[str, typer.Option(metavar="NAME", help="Use this camera's settings.")] = "default",
    overlay: Annotated[
        Path | None,
        _option("OUT.png", "Draw the changed regions of B, and beside it where it changed, and how much."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Explain why frame B would be kept or dropped after frame A."""
    from framegate.commands.explain import run_explain  # noqa: PLC0415

    flags = {"drop.folder": Path(), "results.folder": Path()}
    loaded = _load(config, flags)
    if camera != "default" and camera not in loaded.settings.camera:
        known = ", ".join(loaded.settings.camera) or "none"
        raise typer.BadParameter(
            f"there is no [camera.{camera}.detection] in the config; it has {known}", param_hint="--camera"
        )
    run_explain(reference, current, loaded.settings, camera, overlay_file=overlay, as_json=as_json)


@_command("suggest FRAMES", "suggest -c lot1.toml --target 200/day", "suggest FRAMES --labels labels.csv")
def suggest(  # noqa: PLR0917
    folder: Annotated[Path | None, _argument("FOLDER", "The folder with the frames.")] = None,
    config: ConfigOption = None,
    target: Annotated[
        str | None, typer.Option(metavar="N/day", help="How much to keep: 200/day, 10/hour, 50MB/day.")
    ] = None,
    labels: Annotated[
        Path | None, _option("FILE.csv", "Frames that are to be kept or dropped: frame,expected[,within].")
    ] = None,
    must_keep: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A frame to keep; may be given again.")
    ] = None,
    object_: Annotated[
        str | None,
        typer.Option("--object", metavar="X,Y,W,H", help="Place, or size W,H, of the smallest object."),
    ] = None,
    camera: Annotated[str | None, typer.Option(metavar="NAME", help="Only this camera's frames.")] = None,
    overlay: Annotated[
        Path | None, _option("OUT.png", "Draw the places that change in nearly every frame.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what each threshold would have kept; for a goal, print the lines to paste into a config.

    Nothing is changed. Without a goal no threshold is named: no rule knows what matters to you.
    """
    from framegate.commands.suggest.found import Wanted  # noqa: PLC0415
    from framegate.commands.suggest.run import run_suggest  # noqa: PLC0415
    from framegate.tune.suggest.goals import Target  # noqa: PLC0415

    if target is not None and (labels is not None or must_keep):
        raise typer.BadParameter(
            "give a target, or labels and frames to keep, not both", param_hint="--target"
        )
    goal = None if target is None else Target.parse(target)
    wanted = Wanted(camera, goal, labels, tuple(must_keep or ()), object_, overlay, as_json=as_json)
    flags = {} if folder is None else {"drop.folder": folder, "results.folder": Path("/nowhere")}
    run_suggest(_load(config, flags, instead="FOLDER"), wanted)


@_command("check -c lot1.toml")
def check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Check the config, the folders, the free space and the inotify limits; change nothing."""
    import json  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from framegate.preflight.folder_checks import Grade  # noqa: PLC0415
    from framegate.preflight.preflight import check_surroundings  # noqa: PLC0415

    findings = check_surroundings(_load(config))
    if as_json:
        typer.echo(json.dumps({"schema": 1, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.grade:8} {finding.key:20} {finding.message}")
    if any(finding.grade is Grade.ERROR for finding in findings):
        raise typer.Exit(EXIT_CONFIG)


@_command("config -c lot1.toml", "config --example > lot1.toml", name="config")
def config_command(
    config: ConfigOption = None,
    *,
    example: Annotated[
        bool, typer.Option("--example", help="Print a config file with every setting, explained by comments.")
    ] = False,
    minimal: Annotated[
        bool, typer.Option("--minimal", help="Print a config file with only the required settings.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every setting's value, and where it comes from."""
    import json  # noqa: PLC0415

    from framegate.config import docs  # noqa: PLC0415

    if example or minimal:
        typer.echo(docs.minimal_file() if minimal else docs.example_file(), nl=False)
        return
    values = docs.effective_values(_load(config))
    if as_json:
        table = {key: {"value": value, "origin": origin} for key, value, origin in values}
        typer.echo(json.dumps({"schema": 1, "settings": table}, indent=2))
        return
    for key, value, origin in values:
        shown = "(none)" if value is None else docs.toml_value(value)
        typer.echo(f"{f'{key} = {shown}':<60} # {origin}")


@_command("status -c lot1.toml", "status --drop lot1/drop --watch")
def status(
    config: ConfigOption = None,
    drop: DropOption = None,
    *,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every second.")] = False,
) -> None:
    """Show how a daemon is doing, or what the last one has done: counts, pending frames, problems."""
    from framegate.commands.status import run_status  # noqa: PLC0415
    from framegate.config.load import find_config  # noqa: PLC0415

    path = find_config(config)
    flags = {"drop.folder": drop}
    if path is None and drop is not None:
        flags["results.folder"] = Path("/nowhere")  # required, but not used for a status without a config
    is_healthy = run_status(
        path, lambda: _load(config, flags, instead="--drop DIR"), as_json=as_json, watch=watch
    )
    if not is_healthy:
        raise typer.Exit(EXIT_FAILED)


@_command("demo")
def demo() -> None:
    """Show the daemon at work on a simulated parking-lot camera, in under 20 seconds."""
    from framegate.commands.demo.show import run_demo  # noqa: PLC0415

    gc.enable()
    if not run_demo():
        raise typer.Exit(EXIT_FAILED)


def _load(config: Path | None, flags: dict[str, Any] | None = None, *, instead: str = "") -> "Config":
    """Load the config; ``instead`` is what the error for a missing config suggests."""
    from framegate.config.load import config_places, find_config, load  # noqa: PLC0415
    from framegate.errors import Problem  # noqa: PLC0415

    gc.freeze()  # all is imported now
    gc.enable()
    given = {
        key: value.absolute() if isinstance(value, Path) else value
        for key, value in (flags or {}).items()
        if value is not None
    }
    path = find_config(config)
    if path is None and not given.keys() >= {"drop.folder", "results.folder"}:
        searched = " or ".join(map(str, config_places()))
        words = (
            f"no config found: $FRAMEGATE_CONFIG is not set, and there is no {searched}. Give -c FILE"
            f"{f', or {instead}' if instead else ''}. To begin with one: framegate config --minimal > FILE"
        )
        raise ConfigError((Problem("", words),))
    return load(path, given)


def _print_error(words: str) -> None:
    typer.echo(words, err=True)

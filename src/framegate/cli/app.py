"""How a command of the command line is made: its options, its help, its config."""

import gc
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from framegate.errors import ConfigError

if TYPE_CHECKING:
    from framegate.config.load import Config

MORE = "More: https://github.com/framegate/framegate#readme"

app = typer.Typer(
    help="Keeps the camera frames that differ.\n\nTo see it at work: framegate demo",
    epilog=MORE,
    no_args_is_help=True,
    add_completion=False,  # its --install-completion edits the files of the shell; ours are in share/
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its boxes show <bool> for every flag, and break the table of scan
    context_settings={"help_option_names": ["-h", "--help"]},
)


def option(metavar: str, words: str, *names: str) -> Any:
    """Return an option that has a value; by default it is named after its parameter."""
    # Not typer's check for readability: it would exit with 2 and a usage, not with 78 and our own error.
    return typer.Option(*names, metavar=metavar, readable=False, help=words)


def argument(metavar: str, words: str) -> Any:
    """Return an argument."""
    return typer.Argument(metavar=metavar, readable=False, show_default=False, help=words)


CONFIG_HELP = (
    "The config file. Without it: $FRAMEGATE_CONFIG, else ~/.config/framegate/config.toml, else"
    " /etc/framegate/config.toml."
)
ConfigOption = Annotated[Path | None, option("FILE", CONFIG_HELP, "--config", "-c")]
DropOption = Annotated[Path | None, option("DIR", "The drop folder, instead of drop.folder in the config.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
CameraOption = Annotated[str | None, typer.Option(metavar="NAME", help="Only this camera's frames.")]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Remember nothing for the next replay, and use nothing.")
]


ARGUMENTS = {
    "scan": "[IN OUT [MIN_CONTOUR_AREA SCORE_THRESHOLD]]",
    "explain": "NAME | A B",
    "notify": "--test [NAME]",
    "replay": "[FOLDER]",
    "report": "[FOLDER]",
    "suggest": "[FOLDER]",
}
"""The arguments in the usage of each command: typer cannot show that two belong together."""


class _PlainCommand(TyperCommand):
    def collect_usage_pieces(self, _ctx: Any) -> list[str]:
        """Return what follows the command's name in its usage."""
        arguments = ARGUMENTS.get(self.name or "")
        return [arguments, "[OPTIONS]"] if arguments else ["[OPTIONS]"]


Command = Callable[..., None]


def command(*examples: str, name: str | None = None) -> Callable[[Command], Command]:
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


def load_config(config: Path | None, flags: dict[str, Any] | None = None, *, instead: str = "") -> "Config":
    """Load the config; ``instead`` is what the error for a missing config suggests."""
    from framegate.config.load import config_places, find_config, load  # noqa: PLC0415
    from framegate.errors import Problem  # noqa: PLC0415

    gc.freeze()  # all is imported now
    gc.enable()
    given = {
        key: _absolute(value) if isinstance(value, Path) else value
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


def _absolute(folder: Path) -> Path:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(folder)) and not folder.exists():
        words = "give a folder of this machine, not a URL: only IN of scan may be one"
        raise typer.BadParameter(f"{str(folder).replace(':/', '://', 1)}: {words}")  # Path has taken a slash
    return folder.absolute()


def load_for_folder(config: Path | None, folder: Path | None) -> "Config":
    """Load the config for a command that only reads: the frames are those of a folder, if one is given."""
    flags = {} if folder is None else {"drop.folder": folder, "results.folder": Path("/nowhere")}
    return load_config(config, flags, instead="FOLDER")

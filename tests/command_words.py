"""The commands as the man page and the completions show them: read from the command line itself."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from framegate.cli.app import ARGUMENTS, app

FOLDERS = {"DIR", "FOLDER", "IN", "OUT"}
"""Paths that are called so are folders; any other is a file."""


@dataclass(frozen=True, slots=True)
class Word:
    """An option of a command, or one of its arguments."""

    names: tuple[str, ...]
    """As an option may be written, the short one first; none for an argument."""
    metavar: str
    """What stands for its value; empty if it has none."""
    kind: str
    """What its value is: "file", "folder", "" for anything else."""
    choices: tuple[str, ...]
    """The values it may have, if they are few."""
    words: str


@dataclass(frozen=True, slots=True)
class CommandWords:
    """A command, as it says of itself in ``--help``."""

    name: str
    summary: str
    """What it does, in a sentence."""
    usage: str
    """Its arguments, as they belong together."""
    examples: tuple[str, ...]
    paragraphs: tuple[str, ...]
    arguments: tuple[Word, ...]
    options: tuple[Word, ...]


HELP = Word(("-h", "--help"), "", "", (), "Show the help and exit.")


def program() -> CommandWords:
    """Return what belongs to no command."""
    root = app.registered_callback
    assert root is not None
    assert root.callback is not None
    words = str(app.info.help).split("\n\n")
    return CommandWords("framegate", words[0], "COMMAND", (), tuple(words), (), _options(root.callback))


def commands() -> list[CommandWords]:
    """Return all commands, in the order of ``--help``."""
    return [_command(info) for info in app.registered_commands if not info.hidden]


def _command(info: Any) -> CommandWords:
    name = info.name or info.callback.__name__
    lead, *paragraphs = info.help.split("\n\n")
    return CommandWords(
        name=name,
        summary=" ".join(info.short_help.split()),
        usage=ARGUMENTS.get(name, ""),
        examples=tuple(re.findall(r"\$ (.+)", lead)),
        paragraphs=tuple(" ".join(paragraph.split()) for paragraph in paragraphs),
        arguments=tuple(word for word in _words(info.callback) if not word.names),
        options=_options(info.callback),
    )


def _options(function: Callable[..., Any]) -> tuple[Word, ...]:
    return (*(word for word in _words(function) if word.names), HELP)


def _words(function: Callable[..., Any]) -> Iterator[Word]:
    """Yield what a command takes: from its signature, since typer has kept changing what it makes of that."""
    hints = get_type_hints(function, include_extras=True)
    for name in inspect.signature(function).parameters:
        kind, *marks = get_args(hints[name])
        (info,) = (mark for mark in marks if isinstance(mark, (OptionInfo, ArgumentInfo)))
        if not info.hidden:
            yield _word(name, kind, info)


def _word(name: str, kind: Any, info: OptionInfo | ArgumentInfo) -> Word:
    metavar = "" if kind is bool else info.metavar or name.upper()
    holds = "folder" if metavar in FOLDERS else "file"
    names = _names(name, info) if isinstance(info, OptionInfo) else ()
    return Word(names, metavar, holds if Path in _leaves(kind) else "", _choices(kind), info.help or "")


def _names(name: str, info: OptionInfo) -> tuple[str, ...]:
    """Return how an option may be written; in a mark of a type, its first name stands as its default."""
    given = [each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str)]
    return tuple(sorted(given or [f"--{name.replace('_', '-')}"], key=_is_long))


def _is_long(name: str) -> bool:
    return name.startswith("--")


def _leaves(kind: Any) -> Iterator[Any]:
    """Yield the types that a type is made of: ``list[Path] | None`` is made of Path and None."""
    inner = get_args(kind)
    if not inner or get_origin(kind) is Literal:
        yield kind
    else:
        for each in inner:
            yield from _leaves(each)


def _choices(kind: Any) -> tuple[str, ...]:
    for leaf in _leaves(kind):
        if get_origin(leaf) is Literal:
            return tuple(map(str, get_args(leaf)))
        if isinstance(leaf, type) and issubclass(leaf, Enum):
            return tuple(str(choice.value) for choice in leaf)
    return ()

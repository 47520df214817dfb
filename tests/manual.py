"""The man page, framegate.1, from the command line, the settings, and the README's table of exit codes."""

import re
import textwrap
from collections.abc import Iterator
from importlib.metadata import version

from command_words import CommandWords, Word, commands, program
from framegate.config.docs import markdown_table
from readme import README

HEAD = r""".\" Made by tests/regenerate.py from what framegate says of itself.
.TH FRAMEGATE 1 "{date}" "framegate {version}" "User Commands"
.SH NAME
framegate \- keep the camera frames that differ
.SH SYNOPSIS
.B framegate
.I COMMAND
.RI [ OPTIONS ]
.br
.B framegate
.IR COMMAND " " \-\-help
.br
.B framegate \-\-version
.SH DESCRIPTION
{description}
.PP
To see it at work:
.BR "framegate demo" .
"""

TAIL = r"""
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
.B framegate run
finishes the frame in hand and ends.
.B framegate scan
ends at once: each result that is there is whole, and the same command begins anew and copies none twice.
With
.BR \-\-workers " or " \-\-cluster
the same command goes on with what is not done.
.TP
.B SIGHUP
.B framegate run
reads the config and the mask files now.
Edits are also noticed without it.
.SH ENVIRONMENT
.TP
.B FRAMEGATE_CONFIG
The config file, where
.B \-c
does not name one.
.TP
.B STATE_DIRECTORY
The state folder, where the config does not name one; systemd sets it.
.TP
.B NO_COLOR
If it is set, the log on a terminal has no colours.
.TP
.BR XDG_CONFIG_HOME ", " XDG_STATE_HOME ", " XDG_CACHE_HOME
Instead of
.IR \(ti/.config ,
.I \(ti/.local/state
and
.I \(ti/.cache
below.
.SH FILES
.TP
.I \(ti/.config/framegate/config.toml
The user's config.
.TP
.I /etc/framegate/config.toml
The system's config.
.TP
.I /etc/framegate/SITE.toml
The config of the service
.BR framegate@SITE .
.TP
.I /var/lib/framegate/SITE
Its state folder: the ledger, and what was learnt.
.TP
.I \(ti/.local/state/framegate
The state folders of daemons whose config names none, outside systemd.
.TP
.I .framegate\-scan\-*
What a scan by workers has done, a folder in that of the results, or with
.B \-\-dry\-run
beside the table.
It is removed at the end; delete it to give up a scan that was broken off.
.TP
.I \(ti/.cache/framegate/replay.sqlite
What
.B replay
has computed; it may be deleted.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
.PP
.UR https://github.com/framegate/framegate#readme
The README
.UE
has it all: how frames are judged, how a threshold is chosen, events, metrics, troubleshooting.
"""


def man_page() -> str:
    """Return the page as roff."""
    parts = [HEAD.format(date=_year(), version=version("framegate"), description=_description())]
    parts += [_options(program()), ".SH COMMANDS", *map(_command, commands())]
    parts += [
        _config_file(),
        ".SH EXIT STATUS",
        *(_item(f"B {code}", words) for code, words in _exit_codes()),
    ]
    return "\n".join(part.strip("\n") for part in [*parts, TAIL]) + "\n"


def _description() -> str:
    """Return what the README begins with."""
    _title, *paragraphs = README.read_text("utf-8").partition("\n\n|")[0].split("\n\n")
    return "\n.PP\n".join(_plain(" ".join(paragraph.split())) for paragraph in paragraphs)


def _year() -> str:
    """Return the year of the licence: a page that is the same on each day has no other date."""
    (year,) = re.findall(r"\(c\) (\d{4})", (README.parent / ".github" / "LICENSE").read_text("utf-8"))
    return str(year)


def _command(command: CommandWords) -> str:
    lines = [f'.SS "framegate {command.name}"', f".B framegate {command.name}"]
    lines += [_plain(" ".join(filter(None, [command.usage, "[OPTIONS]"])))]
    for paragraph in command.paragraphs:
        lines += [".PP", _plain(paragraph)]
    lines += [_item(f"I {_quoted(word.metavar)}", word.words) for word in command.arguments]
    lines.append(_options(command))
    if command.examples:
        lines += [".PP", "For example:", ".PP", ".nf", ".RS"]
        lines += [f".B {_escaped(example)}" for example in command.examples]
        lines += [".RE", ".fi"]
    return "\n".join(filter(None, lines))


def _options(command: CommandWords) -> str:
    title = [".SH OPTIONS"] if command.name == "framegate" else []
    return "\n".join([*title, *(_item(_option(word), word.words) for word in command.options)])


def _option(word: Word) -> str:
    names = ' ", " '.join(map(_escaped, word.names))
    if word.metavar:
        return f'BR {names} " \\fI{_escaped(word.metavar)}\\fR"'
    return f"BR {names}"


def _config_file() -> str:
    """Return what each setting means; the README has it in full."""
    lines = [
        ".SH CONFIG FILE",
        r"One file in TOML. Only \fBversion = 1\fR and the two folders are required.",
        r"\fBframegate config \-\-example\fR prints a file with all settings, and all that is to be said of",
        r"each; \fBframegate check\fR looks through one; a running daemon reads it when it is saved.",
    ]
    for key, default, meaning in _rows(markdown_table()):
        (first,) = re.findall(r"^.*?[.](?=\s|$)", meaning) or [meaning]
        shown = "" if len(default) > MOST_SHOWN else f" (default: {default})"
        if default in {"required", "none"} or default.startswith("required"):
            shown = f" ({default})" if default == "required" else ""
        lines.append(_item(f'BR "{_escaped(key)}"' + (f' "{_escaped(shown)}"' if shown else ""), first))
    return "\n".join(lines)


MOST_SHOWN = 40
"""A longer default is left out: characters."""


def _exit_codes() -> Iterator[list[str]]:
    table = README.read_text("utf-8").partition("| exit code | meaning |\n")[2].partition("\n\n")[0]
    yield from _rows(f"\n{table}")


def _rows(table: str) -> Iterator[list[str]]:
    """Yield the cells of a table in Markdown, below its head and its line."""
    for line in table.splitlines()[2:]:
        cells = re.split(r"(?<!\\)\|", line.strip("| "))
        yield [cell.strip().replace("\\|", "|").replace("`", "") for cell in cells]


def _item(head: str, words: str) -> str:
    return f".TP\n.{head}\n{_plain(words)}"


def _plain(words: str) -> str:
    """Return words as roff, with each sentence on a line of its own."""
    sentences = re.split(r"(?<=[a-z)][.;:]) (?=\S)", _escaped(words))
    lines = (line for sentence in sentences for line in textwrap.wrap(sentence, 78, break_on_hyphens=False))
    return "\n".join(re.sub(r"^(?=[.])", r"\&", line) for line in lines)


def _quoted(words: str) -> str:
    return f'"{_escaped(words)}"'


def _escaped(words: str) -> str:
    for character, escape in (
        ("\\", r"\e"),
        ("-", r"\-"),
        ("~", r"\(ti"),
        ("^", r"\(ha"),
        ("'", r"\(aq"),
        ('"', r"\(dq"),
    ):
        words = words.replace(character, escape)
    return words

"""The man page, as the programs that show it see it."""

import re
import subprocess

import pytest

from command_words import commands
from disks import need
from framegate.config.docs import listed_tables, settings_of, tables
from regenerate import SHARE

PAGE = SHARE / "man" / "man1" / "framegate.1"


def shown(columns: int = 80) -> str:
    """Return the page as it is on a terminal of so many columns."""
    need("man")
    done = subprocess.run(
        ["man", "--warnings", "--encoding=UTF-8", "--local-file", str(PAGE)],
        env={"MANWIDTH": str(columns), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)


@pytest.mark.parametrize(
    "command",
    [["groff", "-ww", "-man", "-Tutf8", "-Z"], ["mandoc", "-Tlint", "-Wwarning"]],
    ids=lambda command: command[0],
)
def test_no_formatter_finds_a_fault(command: list[str]) -> None:
    """Groff, with all its warnings, and mandoc's lint say nothing: but of its date, which is a year."""
    need(command[0])
    done = subprocess.run([*command, str(PAGE)], capture_output=True, text=True, timeout=60)
    said = done.stderr + (done.stdout if command[0] == "mandoc" else "")
    assert [line for line in said.splitlines() if "cannot parse date" not in line] == []


def test_it_has_every_command_option_setting_and_exit_code() -> None:
    """What ``--help`` and the README's tables name is on the page, and no line is too long for a terminal."""
    page = shown()
    words = " ".join(page.replace("\u2010\n", "").split())
    assert max(map(len, page.splitlines())) <= 80
    for command in commands():
        _before, _heading, rest = page.partition(f"\n   framegate {command.name}\n")
        section = " ".join(re.split(r"\n(?=   framegate|\S)", rest)[0].split())
        for option in command.options:
            assert ", ".join(option.names) in section, (command.name, option.names)
        for example in command.examples:
            assert " ".join(example.split()) in section
    for name, table in tables().items():
        assert [key for key, _ in settings_of(table) if f"{name}.{key}" not in words] == []
    for name, table in listed_tables().items():
        assert [key for key, _ in settings_of(table) if f"[[{name}]] {key}" not in words] == []
    codes = page.partition("\nEXIT STATUS\n")[2].partition("\nSIGNALS\n")[0]
    assert re.findall(r"^ {7}(\d+) ", codes, re.MULTILINE) == ["0", "1", "2", "75", "78"]

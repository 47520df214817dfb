"""The completions, in the shells that they are for."""

import re
import subprocess
from pathlib import Path

import pytest

from command_words import commands
from disks import need
from regenerate import SHARE

COMMANDS = [command.name for command in commands()]
WITHOUT_PATHS = [each.name for each in commands() if not any(word.kind for word in each.arguments)]
OPTIONS = {command.name: {name for word in command.options for name in word.names} for command in commands()}

BASH = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_framegate
printf '%s\\n' "${COMPREPLY[@]}"
"""

ZSH = r"""
zmodload zsh/zpty
zpty shell 'TERM=dumb PS1= zsh -f -i'
zpty -w shell "fpath=($1 \$fpath); cd ${(q)2}; source ${(q)3}; print READ''Y"
zpty -r -m shell _before '*READY*'
zpty -w -n shell "$4"$'\t'
zpty -r -m shell offered '*COMPLETED*'
print -r -- "$offered"
"""
"""A zsh at a terminal, in which Tab is pressed at the end of a line."""

WHAT_ZSH_OFFERS = """
autoload -Uz compinit
compinit -u -D
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a offered
  builtin compadd -A offered "$@"
  print -r -l -- '' "OFFERED "$^offered
  builtin compadd "$@"  # else _files goes on to what it offers where nothing else fits
}
finished() { print COMPLETED; }
comppostfuncs=(finished)
"""
"""Each match is written on a line of its own: what is drawn depends on the terminal."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config, and a folder of frames, both with a space in their names."""
    (tmp_path / "my lot.toml").touch()
    (tmp_path / "my frames").mkdir()
    return tmp_path


def bash(folder: Path, *words: str) -> set[str]:
    """Return what bash offers for the last of these words."""
    need("bash")
    script = SHARE / "bash-completion" / "completions" / "framegate"
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", script, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.splitlines()) - {""}


def fish(folder: Path, line: str) -> set[str]:
    """Return what fish offers at the end of a line."""
    need("fish")
    script = SHARE / "fish" / "vendor_completions.d" / "framegate.fish"
    done = subprocess.run(
        ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(script), line],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {offered.partition("\t")[0] for offered in done.stdout.splitlines()}


def zsh(folder: Path, line: str) -> set[str]:
    """Return what zsh offers at the end of a line."""
    need("zsh")
    told = folder / ".told.zsh"
    told.write_text(WHAT_ZSH_OFFERS, "utf-8")
    done = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", SHARE / "zsh" / "site-functions", folder, told, line],
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    offered = re.findall(r"^OFFERED (.*?)\r?$", done.stdout, re.MULTILINE)
    # with its spaces as they are a name is only looked at by _path_files, on its way to what it offers
    return {each.replace("\\ ", " ") for each in offered if " " not in each.replace("\\ ", "")}


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_bash_offers_every_command_and_each_of_its_options(folder: Path, command: str) -> None:
    """After the program come its commands, after a command its options, by their beginning."""
    if not command:
        assert bash(folder, "framegate", "") >= set(COMMANDS)
        assert bash(folder, "framegate", "sta") == {"status"}
        return
    assert bash(folder, "framegate", command, "-") == OPTIONS[command]
    assert bash(folder, "framegate", command, "--he") == {"--help"}
    assert (bash(folder, "framegate", command, "") == OPTIONS[command]) == (command in WITHOUT_PATHS)


def test_bash_offers_the_files_that_an_option_or_argument_takes(folder: Path) -> None:
    """A config is any file, a drop folder is a folder, and a name of a camera is nothing that it knows."""
    assert bash(folder, "framegate", "run", "-c", "my") == {"my lot.toml", "my frames"}
    assert bash(folder, "framegate", "run", "--config", "=", "my l") == {"my lot.toml"}
    assert bash(folder, "framegate", "run", "--drop", "my") == {"my frames"}
    assert bash(folder, "framegate", "notify", "-c", "my") == {"my lot.toml", "my frames"}
    assert bash(folder, "framegate", "scan", "my") == {"my frames"}
    assert bash(folder, "framegate", "explain", "my") == {"my lot.toml", "my frames"}
    assert bash(folder, "framegate", "replay", "--camera", "") == set()
    assert bash(folder, "framegate", "status", "my") == set()


def test_fish_offers_the_same(folder: Path) -> None:
    """Commands, options and files, in fish's own way."""
    assert fish(folder, "framegate ") == set(COMMANDS)
    for command in COMMANDS:
        long = {name for name in OPTIONS[command] if name.startswith("--")}
        assert fish(folder, f"framegate {command} --") == long
        if command in WITHOUT_PATHS:
            assert fish(folder, f"framegate {command} ") >= long
    assert fish(folder, "framegate run -c my") == {"my lot.toml", "my frames/"}
    assert fish(folder, "framegate run --drop my") == {"my frames/"}
    assert fish(folder, "framegate scan my") == {"my frames/"}


def test_zsh_offers_the_same(folder: Path) -> None:
    """Commands, options and files, in zsh's own way, loaded as a function by its name."""
    assert zsh(folder, "framegate ") == set(COMMANDS)
    for command in COMMANDS:
        assert zsh(folder, f"framegate {command} -") == OPTIONS[command]
    assert zsh(folder, "framegate notify ") == OPTIONS["notify"]
    assert zsh(folder, "framegate run -c my") == {"my lot.toml", "my frames"}
    assert zsh(folder, "framegate run --drop my") == {"my frames"}
    assert zsh(folder, "framegate scan my") == {"my frames"}

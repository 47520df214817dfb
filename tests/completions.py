"""The completions of bash, zsh and fish, from the command line: they start no interpreter at a Tab."""

from collections.abc import Iterable

from command_words import CommandWords, Word, commands, program

MADE = "# Made by tests/regenerate.py from what framegate says of itself."

BASH = """\
{made}
_framegate() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command='' options='' kind='' i
  if [[ $word == '=' ]]; then word=''; fi
  if [[ $before == '=' ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${{COMP_WORDS[i]}} != -* ]]; then
      command=${{COMP_WORDS[i]}}
      break
    fi
  done
  COMPREPLY=()
  case $command in
{cases}
  esac
  case $command:$before in
{values}
    *) if [[ $word == -* ]]; then kind=options; fi ;;
  esac
  case $kind in
    options) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
    file)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      compopt -o filenames 2>/dev/null
      ;;
    folder)
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      compopt -o filenames 2>/dev/null
      ;;
    -*) mapfile -t COMPREPLY < <(compgen -W "${{kind#-}}" -- "$word") ;;
  esac
}}
complete -F _framegate framegate
"""

ZSH = """\
#compdef framegate
{made}
_framegate() {{
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C {root} '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands=(
{names}
      )
      _describe -t commands command commands
      ;;
    argument)
      case $words[1] in
{cases}
      esac
      ;;
  esac
}}
if [[ $funcstack[1] == _framegate ]]; then _framegate "$@"; else compdef _framegate framegate; fi
"""


def bash() -> str:
    """Return the script for bash."""
    cases = [f"    '') options={_words([*_names(program()), *_command_names()])} kind=options ;;"]
    values = []
    for command in commands():
        options = _words(_names(command))
        kind = _kind_of_arguments(command) or "options"
        cases.append(f"    {command.name}) options={options} kind={kind} ;;")
    for metavar_kind, names in _by_value().items():
        values.append(f"    {' | '.join(names)}) kind={metavar_kind} ;;")
    return BASH.format(made=MADE, cases="\n".join(cases), values="\n".join(values))


def zsh() -> str:
    """Return the script for zsh."""
    names = [f"        {_quoted(f'{each.name}:{each.summary}')}" for each in commands()]
    cases = []
    for command in commands():
        specs = [*map(_zsh_option, command.options)]
        specs += [
            _quoted(f"*:{command.usage}:{_ZSH_ACTIONS[kind]}")
            for kind in [_kind_of_arguments(command)]
            if kind
        ]
        cases.append(f"        {command.name}) _arguments {_continued(specs, 10)} ;;")
    root = " ".join(map(_zsh_option, program().options))
    return ZSH.format(made=MADE, root=root, names="\n".join(names), cases="\n".join(cases))


def fish() -> str:
    """Return the script for fish."""
    lines = [MADE, "complete -c framegate -f"]
    lines += [_fish("__fish_use_subcommand", _fish_option(word)) for word in program().options]
    lines += [
        _fish("__fish_use_subcommand", f"-a {command.name} -d {_quoted(command.summary)}")
        for command in commands()
    ]
    for command in commands():
        seen = f"__fish_seen_subcommand_from {command.name}"
        lines += [_fish(seen, _fish_option(word)) for word in command.options]
        kind = _kind_of_arguments(command)
        lines.append(_fish(seen, _FISH_ARGUMENTS[kind] if kind else f"-a {_words(_names(command))}"))
    return "\n".join(lines) + "\n"


_ZSH_ACTIONS = {"file": "_files", "folder": "_files -/", "": " "}
_FISH_ARGUMENTS = {"file": "-F", "folder": "-a '(__fish_complete_directories)'"}
_FISH_VALUES = {"file": "-r -F", "folder": "-x -a '(__fish_complete_directories)'", "": "-x"}


def _command_names() -> list[str]:
    return [command.name for command in commands()]


def _names(command: CommandWords) -> list[str]:
    return [name for word in command.options for name in word.names]


def _kind_of_arguments(command: CommandWords) -> str:
    """Return what a command's arguments are: "file" if any of them is one, else "folder", or nothing."""
    kinds = {word.kind for word in command.arguments}
    return next((kind for kind in ("file", "folder") if kind in kinds), "")


def _by_value() -> dict[str, list[str]]:
    """Return the options that have a value, as ``command:option``, by what the value is."""
    found: dict[str, list[str]] = {}
    for command in commands():
        for word in command.options:
            if word.metavar:
                kind = _quoted(f"-{' '.join(word.choices)}") if word.choices else word.kind or "''"
                found.setdefault(kind, []).extend(f"{command.name}:{name}" for name in word.names)
    return found


def _zsh_option(word: Word) -> str:
    words = word.words
    for character in "[]:":
        words = words.replace(character, f"\\{character}")
    action = f"({' '.join(word.choices)})" if word.choices else _ZSH_ACTIONS[word.kind]
    value = f":{word.metavar.replace(':', '')}:{action}" if word.metavar else ""
    described = _quoted(f"[{words}]{value}")
    if len(word.names) == 1:
        return _quoted(f"{word.names[0]}[{words}]{value}")
    return f"'({' '.join(word.names)})'{{{','.join(word.names)}}}{described}"


def _fish_option(word: Word) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in word.names)
    value = f"-x -a {_words(word.choices)}" if word.choices else _FISH_VALUES[word.kind]
    return " ".join(filter(None, [names, value if word.metavar else "", f"-d {_quoted(word.words)}"]))


def _fish(condition: str, what: str) -> str:
    return f"complete -c framegate -n {_quoted(condition)} {what}"


def _words(words: Iterable[str]) -> str:
    return _quoted(" ".join(words))


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "'\\''") + "'"


def _continued(specs: list[str], indent: int) -> str:
    return (" \\\n" + " " * indent).join(["", *specs]).lstrip(" ")

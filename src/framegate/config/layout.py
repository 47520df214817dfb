"""Where a result stands below the results folder: ``{camera}/{captured:%Y-%m-%d}/{name}``.

A layout uses only what a frame itself fixes, so that its result gets the same name at every try.
"""

import difflib
import re
from dataclasses import dataclass

from framegate.config.quantities import as_written

ALONE = frozenset({"path", "folder"})
"""Fields that may be several folders: nothing else may stand between the same slashes."""

TIMES = frozenset({"captured", "captured_utc"})
TELLING = frozenset({"path", "name", "stem"})
"""Fields of which a layout needs one: without, all frames of a day would have one name."""

WITH_SUFFIX = frozenset({"path", "name", "suffix"})
FIELDS = ("camera", "name", "stem", "suffix", "path", "folder", "captured", "captured_utc")
DIRECTIVES = frozenset("YymdjHIMSfpaAbBGuVz%")
"""Of strftime: those that are the same in every locale, and have no slash."""

_TOKEN = re.compile(r"\{([^{}]*)\}|([^{}]+)|([{}])")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a layout, without its braces."""

    name: str
    format: str = ""
    """How a time is written, as for strftime; empty for the other fields."""


Part = tuple[str | Field, ...]
"""What stands between two slashes: texts and fields, at least one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders and the name of a result, as the config writes them; compare and print it as text."""

    text: str
    parts: tuple[Part, ...]
    """The folders, and last the name."""

    @classmethod
    def parse(cls, text: object) -> "Layout":
        """Return the layout that is written as ``text``.

        Raises:
            ValueError: it is not one, with the reason in words.
        """
        if isinstance(text, Layout):
            return text
        if not isinstance(text, str) or not text:
            raise ValueError(f'write a layout, as "{{camera}}/{{name}}", not {as_written(text)}')
        if text.startswith("/"):
            raise ValueError(f"starts below the results folder: write {text.lstrip('/')!r}")
        parts = _split(_tokens(text))
        for part in parts:
            _require_sound(part, text)
        layout = cls(text, tuple(parts))
        if layout.fields.isdisjoint(TELLING):
            raise ValueError(f"{text!r} gives many frames one name: add {{name}}, {{stem}} or {{path}}")
        if parts[-1] == (Field("folder"),):
            raise ValueError(f"{text!r} ends with a folder: add /{{name}}")
        return layout

    @property
    def fields(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(each.name for part in self.parts for each in part if isinstance(each, Field))

    @property
    def has_suffix(self) -> bool:
        """Whether a result's name ends with a suffix, as ``.jpg``, if its frame's does."""
        end = self.parts[-1][-1]
        has_own = isinstance(end, str) and "." in end
        return has_own or any(isinstance(e, Field) and e.name in WITH_SUFFIX for e in self.parts[-1])

    def __str__(self) -> str:
        return self.text


def _tokens(text: str) -> list[str | Field]:
    tokens: list[str | Field] = []
    for found in _TOKEN.finditer(text):
        inner, plain, brace = found.groups()
        if brace is not None:
            words = "has a brace without its partner, and no brace can be part of a name"
            raise ValueError(f"{text!r} {words}")
        tokens.append(_field(inner) if inner is not None else plain)
    return tokens


def _field(inner: str) -> Field:
    name, colon, written = inner.partition(":")
    if name not in FIELDS:
        close = difflib.get_close_matches(name.lower(), FIELDS, n=1)
        hint = (
            f"did you mean {{{close[0]}}}?" if close else f"there are {', '.join(f'{{{f}}}' for f in FIELDS)}"
        )
        raise ValueError(f"unknown field {{{inner}}}: {hint}")
    if name not in TIMES:
        if colon:
            raise ValueError(f"{{{inner}}}: only {{captured}} and {{captured_utc}} take a format")
        return Field(name)
    if not written:
        raise ValueError(f"{{{inner}}} needs a format, as {{{name}:%Y-%m-%d}}")
    directives = re.findall(r"%(.?)", written, re.DOTALL)
    if wrong := [each for each in directives if each not in DIRECTIVES or not each]:
        known = " ".join(f"%{each}" for each in sorted(DIRECTIVES, key=lambda each: (each.lower(), each)))
        raise ValueError(f"{{{inner}}}: %{wrong[0]} is not known; there are {known}")
    if not [each for each in directives if each != "%"]:
        raise ValueError(f"{{{inner}}} has no part of a time: write {{{name}:%Y-%m-%d}}")
    return Field(name, written)


def _split(tokens: list[str | Field]) -> list[Part]:
    """Return what stands between the slashes, those in the format of a time too."""
    parts: list[list[str | Field]] = [[]]
    for token in tokens:
        pieces = (token if isinstance(token, str) else token.format).split("/")
        for number, piece in enumerate(pieces):
            if number:
                parts.append([])
            if isinstance(token, str) or (token.format and "%" not in piece):
                parts[-1] += [piece] if piece else []
            else:
                parts[-1].append(Field(token.name, piece))
    return [tuple(part) for part in parts]


def _require_sound(part: Part, text: str) -> None:
    if not part:
        raise ValueError(f"{text!r} has nothing between two slashes, or behind the last one")
    first = part[0]
    if part in {(".",), ("..",)}:
        raise ValueError(f"{text!r}: . and .. cannot be used: leave {first!r} out")
    if isinstance(first, str) and first.startswith("."):
        raise ValueError(f"{text!r} hides what it names: leave out the dot in front of {first!r}")
    texts = [each if isinstance(each, str) else each.format for each in part]
    if not "".join(texts).isprintable():
        raise ValueError(f"{text!r} has a character that cannot be printed")
    for each in part:
        if isinstance(each, Field) and each.name in ALONE and len(part) > 1:
            raise ValueError(f"{{{each.name}}} may be several folders: set slashes around it")

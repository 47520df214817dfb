"""Quantities, written with their unit: ``"2.3x"``, ``"0.2%"``, ``"5000px"``, ``"500MB"``, ``"1h"``.

Absolute pixel thresholds are the best-documented mistake of this field (research/peers.md, 1 to 6): a bare
number means one thing to its writer and another to its reader, so it is an error that says both spellings.
"""

import re
from typing import ClassVar, Literal

NOT_GIVEN = object()
"""Placeholder for an area that a preset requires and the file does not have."""


MOST_DECIMALS = 9
"""Of a score: a fiftieth of a pixel of a 4K picture."""


class Area:
    """A share of the unmasked picture (``0.2%``) or pixels at the working size (``5000px``)."""

    __slots__ = ("unit", "value")

    _SPELLING = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?|\.\d{1,12})\s*(%|px)\s*", re.ASCII)

    def __init__(self, value: float, unit: Literal["%", "px"]) -> None:
        self.value, self.unit = value, unit

    @classmethod
    def parse(cls, text: object) -> "Area":
        """Return the area written as ``"0.2%"`` or ``"5000px"``; a ValueError suggests what was meant."""
        if isinstance(text, Area):
            return text
        if text is NOT_GIVEN:
            raise ValueError('is required by preset = "classic": write "500px" or "0.05%"')
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            raise ValueError(  # noqa: TRY004 - pydantic turns a ValueError into a problem of the config
                f'add the unit: "{text}%" of the unmasked picture, or "{text}px"'
            )
        match = cls._SPELLING.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f'write "0.2%" (of the unmasked picture) or "5000px", not {as_written(text)}')
        value, unit = float(match[1]), match[2]
        if unit == "%" and value > 100:  # noqa: PLR2004 - a hundred percent
            raise ValueError(f'{text} is more than the whole picture; did you mean "{match[1]}px"?')
        return cls(value, "%" if unit == "%" else "px")

    def in_px(self, picture_px: int) -> float:
        """Return the area in pixels of a picture with ``picture_px`` unmasked pixels."""
        return self.value if self.unit == "px" else self.value * picture_px / 100

    def in_percent(self, picture_px: int) -> float:
        """Return the area in percent of a picture with ``picture_px`` unmasked pixels."""
        if self.unit == "%":
            return self.value
        return 100 * self.value / picture_px if picture_px else 0.0

    def __str__(self) -> str:
        number = f"{self.value:.12f}".rstrip("0").rstrip(".")
        return f"{number}{self.unit}"

    def __repr__(self) -> str:
        return f"Area({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Area) and (self.value, self.unit) == (other.value, other.unit)

    def __hash__(self) -> int:
        return hash((self.value, self.unit))


class Times(float):
    """How many times the usual change, written ``2.3x``."""

    MOST = 1000
    _SPELLING = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?|\.\d{1,12})\s*x\s*", re.ASCII | re.IGNORECASE)

    @classmethod
    def parse(cls, text: object) -> "Times":
        """Return the number written as ``"2.3x"``; a ValueError shows the spelling."""
        if isinstance(text, Times):
            return text
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            raise ValueError(f'add the unit: "{text}x", times the usual change')  # noqa: TRY004 - as in Area
        match = cls._SPELLING.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f'write "2.3x" (times the usual change), not {as_written(text)}')
        if not 0 < float(match[1]) <= cls.MOST:
            raise ValueError(f"must be more than 0x and at most {cls.MOST}x, not {as_written(text)}")
        return cls(match[1])

    def __str__(self) -> str:
        return f"{f'{float(self):.12f}'.rstrip('0').rstrip('.')}x"

    __repr__ = __str__


class Size(int):
    """A number of bytes, written ``500MB``, ``1.5GiB`` or ``4096B``."""

    _FACTORS: ClassVar[dict[str, int]] = {
        "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
        "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    }  # fmt: skip
    _SPELLING = re.compile(r"\s*(\d{1,31}(?:\.\d{1,6})?)\s*([kmgt]?i?b)\s*", re.ASCII | re.IGNORECASE)

    @classmethod
    def parse(cls, text: object) -> "Size":
        """Return the size written as ``"500MB"``; a ValueError shows the spelling."""
        if isinstance(text, Size):
            return text
        match = cls._SPELLING.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[2].lower() not in cls._FACTORS:
            raise ValueError(f'write a size with its unit, as "500MB" or "2GiB", not {as_written(text)}')
        return cls(float(match[1]) * cls._FACTORS[match[2].lower()])

    def __str__(self) -> str:
        for unit in ("TB", "GB", "MB", "kB"):
            if self and self % self._FACTORS[unit.lower()] == 0:
                return f"{self // self._FACTORS[unit.lower()]}{unit}"
        return f"{int(self)}B"


class Duration(float):
    """A number of seconds, written ``90s``, ``15m``, ``1.5h`` or ``30d``."""

    _FACTORS: ClassVar[dict[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    _SPELLING = re.compile(r"\s*(\d{1,20}(?:\.\d{1,6})?)\s*([smhd])\s*", re.ASCII | re.IGNORECASE)

    @classmethod
    def parse(cls, text: object) -> "Duration":
        """Return the duration written as ``"1h"``; a ValueError shows the spelling."""
        if isinstance(text, Duration):
            return text
        match = cls._SPELLING.fullmatch(text) if isinstance(text, str) else None
        if match is None or not float(match[1]):
            raise ValueError(
                f'write a time with its unit, as "90s", "15m", "1h" or "30d", not {as_written(text)}'
            )
        # Rounded as it is written, so that what is written and read again is equal.
        return cls(round(float(match[1]) * cls._FACTORS[match[2].lower()], 6))

    def __str__(self) -> str:
        unit = next(unit for unit in "dhms" if unit == "s" or self % self._FACTORS[unit] == 0)
        return f"{f'{self / self._FACTORS[unit]:.6f}'.rstrip('0').rstrip('.')}{unit}"


class ArchiveAfter(Duration):
    """A duration after which something is archived, written ``archive after 7d``; a plain one deletes."""

    def __str__(self) -> str:
        return f"archive after {super().__str__()}"


def comparison(score: float, threshold: float, unit: str) -> tuple[str, str, str]:
    """Return a score, ``>`` or ``<=``, and its threshold: ``("3.1x", ">", "2.3x")``.

    Both have as many decimals as it takes to tell them apart, and to show two digits of each.
    """
    decimals = 2
    while decimals < MOST_DECIMALS and (
        (round(score, decimals) == round(threshold, decimals)) != (score == threshold)
        or any(0 < value < 10 / 10**decimals for value in (score, threshold))
    ):
        decimals += 1
    shown = [f"{value:.{decimals}f}".rstrip("0").rstrip(".") + unit for value in (score, threshold)]
    return shown[0], ">" if score > threshold else "<=", shown[1]


def in_words(size_bytes: int) -> str:
    """Return a number of bytes, rounded: ``812kB``, ``3.4MB``, ``41GB``."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            amount = size_bytes / factor
            return f"{amount:.1f}{unit}" if amount < 10 else f"{amount:.0f}{unit}"  # noqa: PLR2004 - a digit
    return f"{size_bytes}B"


def as_written(value: object) -> str:
    """Return a wrong value as in the config file: ``true``, ``5``, ``'text'``; or ``a list``, ``a table``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    return repr(value) if isinstance(value, str) else str(value)

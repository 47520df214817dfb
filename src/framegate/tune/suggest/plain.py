"""Numbers for people: the plainest one between two others, and TOML to paste."""

import json
import math
import re
from collections.abc import Sequence

from framegate.model import Unit
from framegate.tune.ladder import Span, in_toml
from framegate.tune.suggest.tried import LEAST, MOST

MOST_DIGITS = 17
"""Of a float; more tell no two apart."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def plain_threshold(span: Span, unit: Unit) -> float:
    """Return a threshold of a span, near its middle, with as few digits as possible.

    It is not the span's least one either, if there is another: a score that is equal to the threshold is not
    above it, and that looks like a mistake.
    """
    least, below = max(span.least, LEAST[unit]), min(span.below, MOST[unit])
    if least >= below:
        return least
    middle = math.sqrt(least * below) if least > 0 else below / 2
    for digits in range(1, MOST_DIGITS):
        number = float(f"{middle:.{digits}g}")
        if least < number < below and float(in_toml(number, unit)[:-1]) == number:
            return number
    return least


def detection_table(camera: str | None) -> str:
    """Return the header of the table of settings; None is for all cameras."""
    return "[detection]" if camera is None else f"[camera.{_key(camera)}.detection]"


def ignore_table(camera: str | None) -> str:
    """Return the header of an ignored area; None is for all cameras."""
    return "[[detection.ignore]]" if camera is None else f"[[camera.{_key(camera)}.detection.ignore]]"


def polygon_in_toml(polygon: Sequence[tuple[float, float]]) -> str:
    """Return the corners of a polygon as in a config file."""
    return json.dumps([list(corner) for corner in polygon])


def text_in_toml(text: str) -> str:
    """Return a basic string of TOML."""
    written = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return written.encode("utf-8", "replace").decode()  # no config can name what is no Unicode


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else text_in_toml(name)

"""TOML to paste into a config file."""

import json
import re
from collections.abc import Sequence

from framegate.config.settings import Settings

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def own_table(camera: str, settings: Settings) -> str | None:
    """Return the camera by whose name its settings are set; None where the general ones are its own.

    That is so where all frames are of one camera, whose name no pattern gives.
    """
    is_alone = settings.drop.camera_pattern is None and camera not in settings.camera
    return None if is_alone else camera


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

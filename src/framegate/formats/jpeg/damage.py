"""Is the data of a JPEG whole? libjpeg's own word, and a second look where it says what cameras do, too."""

import re

import numpy as np

from framegate.formats.jpeg.restarts import damage_between_restarts
from framegate.formats.jpeg.scans import lacks_scans
from framegate.formats.jpeg.spare import spare_bytes, spare_is_harmless
from framegate.formats.jpeg.structure import Structure
from framegate.formats.jpeg.turbo import decode_in_spite
from framegate.formats.jpeg.zeros import zeros_in_data

ENDS_EARLY = "the picture data ends early"
MARKERS_IN_DATA = "there are markers where picture data should be"
_WORDS = {
    "extraneous bytes": "picture data is left over after the last row",
    "[Pp]remature end": ENDS_EARLY,
    "bad (Huffman|arithmetic) code": "the picture data has a code that its tables do not have",
    "instead of RST": "restart markers are missing or out of order",
    "Inconsistent progression": "its scans contradict one another",
    "marker|SO[FIS]|Huffman table": MARKERS_IN_DATA,
}
_UNKNOWN_KINDS = ("Could not determine subsampling level", "Unsupported color conversion request")
"""What simplejpeg says of a picture that OpenCV may read all the same: nobody says whether it is whole."""


def damage(data: bytes, structure: Structure, said: str) -> str:
    """Return what is wrong with the data of a JPEG.

    Args:
        data: a tidied JPEG, from its start marker on, with its end marker.
        structure: its markers.
        said: what libjpeg says of it; empty if nothing.

    Returns:
        In words for the operator; empty when nothing is wrong, or nothing can be known.
    """
    if not structure.scans:
        return "it has no picture data"
    if lacks_scans(data, structure):
        return "its last scans are missing"
    hole = zeros_in_data(data, structure, spare_bytes(said))
    if hole is not None:
        return f"its bytes are zeros from {hole} on"
    if not said or any(kind in said for kind in _UNKNOWN_KINDS):
        return ""
    if spare_bytes(said) and structure.is_in_intervals:
        return damage_between_restarts(data, structure)
    if spare_is_harmless(said, data[: structure.segments[-1].start]):
        return ""
    words = next((words for pattern, words in _WORDS.items() if re.search(pattern, said)), "")
    if words == ENDS_EARLY:
        return words + _place(data, structure)
    return words or f"libjpeg says: {said}"


def _place(data: bytes, structure: Structure) -> str:
    """Return after how many rows the data ends: what libjpeg has no data for, it paints in one gray."""
    pixels = decode_in_spite(data, is_colour=False, size=(1, 1))
    if pixels is None or not structure.is_sequential or np.ptp(pixels[-1]):
        return ""
    painted = np.flatnonzero(np.any(pixels != pixels[-1, 0], axis=1))
    rows = (painted[-1] + 1) * structure.height // len(pixels) if len(painted) else 0
    return f", after {rows} of {structure.height} rows"

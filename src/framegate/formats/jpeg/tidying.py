"""Takes out of a JPEG what libjpeg complains of and no picture suffers from.

libjpeg says only the first thing that it finds wrong. Without this, the 608 zeros that every picture of some
Dahua cameras has between two segments, or the scan header that some Foscam clones fill with zeros, would hide
that the data behind them ends early. A second start marker, which Logitech webcams write now and then, it
does not forgive at all.
"""

from itertools import pairwise

from framegate.formats.jpeg.structure import SCAN, START, Segment, Structure

_JFIF, _COLOUR_PROFILE, _ADOBE = 0xE0, 0xE2, 0xEE
_ALL_COEFFICIENTS = bytes([0, 63, 0])
_ADOBE_TRANSFORMS = {3: (0, 1), 4: (0, 2)}
"""By number of components, what Adobe's segment says of their colours. libjpeg takes others for the last."""


def tidied(data: bytes, structure: Structure) -> bytes:
    """Return a JPEG without its colour profile and bytes between its segments, with plain scan headers.

    Args:
        data: a JPEG, from its start marker on, with its end marker.
        structure: its markers.

    Returns:
        The same bytes where there is nothing to take out. Its pixels are the same in any case.
    """
    contents = [data[segment.start : segment.end] for segment in structure.segments]
    tidy = [
        _tidy_content(content, segment.code, structure)
        for content, segment in zip(contents, structure.segments, strict=True)
    ]
    if tidy == contents and not _between_segments(data, structure).strip(b"\xff"):
        return data
    coded = {header.start: data[header.end : end] for header, end in structure.scans}
    parts = [data[:2]]
    for segment, content in zip(structure.segments, tidy, strict=True):
        parts += [content, coded.get(segment.start, b"")]
    return b"".join(parts)


def _between_segments(data: bytes, structure: Structure) -> bytes:
    neighbours = pairwise((Segment(START, 0, 2), *structure.segments))
    return b"".join([data[a.end : b.start] for a, b in neighbours if a.code != SCAN])


def _tidy_content(content: bytes, code: int, structure: Structure) -> bytes:
    if code == SCAN and structure.is_sequential:
        return content[:-3] + _ALL_COEFFICIENTS
    if code == _COLOUR_PROFILE and content[4:16] == b"ICC_PROFILE\0":
        return b""
    if code == _JFIF and content[4:9] == b"JFIF\0" and len(content) > 10:  # noqa: PLR2004
        return content[:9] + b"\1" + content[10:]
    if code == _ADOBE and content[4:9] == b"Adobe" and len(content) > 15:  # noqa: PLR2004
        known = _ADOBE_TRANSFORMS.get(len(structure.components), (content[15],))
        return content if content[15] in known else content[:15] + bytes([known[-1]]) + content[16:]
    return content

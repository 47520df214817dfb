"""What is wrong with the data of a picture that is no JPEG, format by format."""

from collections.abc import Callable

from framegate.formats import webp
from framegate.formats.header import Header
from framegate.formats.tiff import strips


def find_damage(data: bytes, header: Header, decodes: Callable[[bytes], bool], *, is_decoded: bool) -> str:
    """Return what is wrong within a picture whose end is there.

    The checksums of a PNG were looked at before it was decoded. A WebP has none, but its decoder knows how
    much it needs. The decoder of a TIFF does not say what it finds. A BMP shows nothing.

    Args:
        data: the file.
        header: its header.
        decodes: whether a file can be decoded.
        is_decoded: whether this one was.

    Returns:
        In words for the operator; empty when nothing is found.
    """
    if header.format == "webp" and is_decoded:
        return webp.find_damage(data, decodes)
    if header.format == "tiff" and header.page:
        return strips.find_damage(data, header.page)
    if is_decoded or header.format in {"bmp", "tiff"}:
        return ""
    return "its data cannot be decoded to the end"

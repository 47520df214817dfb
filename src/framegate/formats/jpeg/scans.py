"""Are all the scans there that the picture needs? A decoder shows what there is, and does not complain."""

from framegate.formats.jpeg.structure import PROGRESSIVE, Structure

_COEFFICIENTS = 64
_ARITHMETIC_PROGRESSIVE = 0xCA


def lacks_scans(data: bytes, structure: Structure) -> bool:
    """Return whether some component, or the finer part of it, comes in no scan.

    Args:
        data: a JPEG, from its start marker on.
        structure: its markers.
    """
    is_progressive = structure.frame in {PROGRESSIVE, _ARITHMETIC_PROGRESSIVE}
    coefficients = _COEFFICIENTS if is_progressive else 1
    missing = {component.number: set(range(coefficients)) for component in structure.components}
    for header, _ in structure.scans:
        content = data[header.start + 4 : header.end]
        count = content[0] if content else 0
        first, last, precision = content[1 + 2 * count : 4 + 2 * count].ljust(3, b"\0")
        is_to_the_last_bit = precision & 15 == 0
        for number in content[1 : 1 + 2 * count : 2]:
            if not is_progressive:
                missing.pop(number, None)
            elif is_to_the_last_bit and number in missing:
                missing[number] -= set(range(first, last + 1))
    return any(missing.values())

"""A camera as bytes: what it knows besides its judge in JSON, with the length before it, then the judge."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from framegate.model import Size

_LENGTH = struct.Struct("<I")


@dataclass(slots=True)
class Digests:
    """Which bytes would be decided without being decoded, for one picture size."""

    reference: bytes | None = None
    """SHA-256 of the reference's bytes; None where it is not known."""

    dropped: bytes | None = None
    """Of the last frame's bytes and the settings by which it was dropped as unchanged, if it was."""


def packed(
    digests: Mapping[Size, Digests],
    lateness: str,
    judged_by: bytes,
    judge: bytes,
    *,
    schedule: str | None = None,
) -> bytes:
    """Return what a camera knows as bytes; equal cameras give equal bytes.

    Args:
        digests: by picture size, in the order of the judge's sizes.
        lateness: as ``Lateness.saved`` returns it.
        judged_by: tells the settings.
        judge: its state.
        schedule: the one that counted last.
    """
    rows = [[*size, _hex(each.reference), _hex(each.dropped)] for size, each in digests.items()]
    known = {"digests": rows, "lateness": lateness, "judged_by": judged_by.hex()}
    known |= {} if schedule is None else {"schedule": schedule}
    text = json.dumps(known, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(text)) + text + judge


def unpacked(data: bytes) -> tuple[dict[Size, Digests], str, bytes, bytes]:
    """Return what ``packed`` was given.

    Raises:
        ValueError: these are no such bytes.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        text, judge = data[_LENGTH.size :][:length], data[_LENGTH.size + length :]
        known = json.loads(text)
        digests = {
            (width, height): Digests(_bytes(reference), _bytes(dropped))
            for width, height, reference, dropped in known["digests"]
        }
        return digests, str(known["lateness"]), bytes.fromhex(known["judged_by"]), judge
    except (struct.error, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"these bytes are no state of a camera: {error}") from error


def schedule_of(data: bytes) -> str | None:
    """Return the schedule that counted when a camera was packed; None without one, or if that is damaged."""
    try:
        (length,) = _LENGTH.unpack_from(data)
        schedule = json.loads(data[_LENGTH.size :][:length]).get("schedule")
    except (struct.error, AttributeError, ValueError, RecursionError):
        return None
    return schedule if isinstance(schedule, str) else None


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()


def _bytes(digest: str | None) -> bytes | None:
    return None if digest is None else bytes.fromhex(digest)

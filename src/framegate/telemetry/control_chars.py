"""Control characters in what comes from outside, such as names: nothing of it may steer a terminal."""

from typing import Any


def escape_control_chars(value: Any) -> Any:
    """Escape control characters: the name of an uploaded file must not control the operator's terminal."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)

"""The README's commands, for tests that run them."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def commands(mark: str) -> list[str]:
    """Return the lines of the code block below ``<!-- mark -->``."""
    (block,) = re.findall(rf"<!-- {mark} -->\n```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    return str(block).splitlines()

"""The page, made of its parts, and the policy by which a browser runs nothing else."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import NamedTuple

SCRIPTS = ("page",)
"""Files of the page's script, in their order."""


class Page(NamedTuple):
    """The page as it is served."""

    html: bytes
    policy: str
    """Of ``Content-Security-Policy``: it names script and style by their hashes."""


def assembled() -> Page:
    """Return the page; it is the same for every site and visitor, and has no data."""
    folder = files("framegate.web") / "page"
    script = '"use strict";\n' + "\n".join((folder / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    style = (folder / "page.css").read_text("utf-8")
    parts = {"script": script, "style": style}
    template = (folder / "page.html").read_text("utf-8")
    html = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)
    policy = (
        f"default-src 'none'; img-src 'self' blob: data:; connect-src 'self'; script-src {_hash_of(script)};"
        f" style-src {_hash_of(style)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html.encode(), policy)


def _hash_of(part: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"

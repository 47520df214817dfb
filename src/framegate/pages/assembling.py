"""Puts a page together: one HTML file, with its style and its script inside it."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Page:
    """The files of a page, read.

    Attributes:
        template: HTML with places for the rest: ``{{style}}``, ``{{script}}``, and what else ``filled`` gets.
        style: CSS: what all pages share, then the page's own.
        script: JavaScript, in the same order.
    """

    template: str
    style: str
    script: str

    def filled(self, others: Mapping[str, str]) -> str:
        """Return the page with all that belongs into it; nothing is looked for in what was put in."""
        parts = {"style": self.style, "script": self.script, **others}
        return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], self.template)


def page_in(folder: Traversable, scripts: Sequence[str]) -> Page:
    """Return the page whose ``page.html`` and ``page.css`` are in a folder.

    Args:
        folder: of a package.
        scripts: names of its JavaScript files, without the ending, in their order.
    """
    shared = files("framegate.pages")
    styles = (shared / "look.css", folder / "page.css")
    sources = (shared / "words.js", shared / "elements.js", *(folder / f"{name}.js" for name in scripts))
    return Page(
        (folder / "page.html").read_text("utf-8"),
        "\n".join(each.read_text("utf-8") for each in styles),
        "\n".join(['"use strict";', *(each.read_text("utf-8") for each in sources)]),
    )


def sha256_of(part: str) -> str:
    """Return what a Content-Security-Policy calls an inline style or script by, without the quotes."""
    return f"sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}"

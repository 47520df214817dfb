"""The page, made of its parts, and the policy by which a browser runs nothing else."""

from importlib.resources import files
from typing import NamedTuple

from framegate.pages.assembling import page_in, sha256_of

SCRIPTS = ("ages", "entry", "pictures", "bars", "card", "viewer", "sites", "page")
"""Files of the page's script, in their order."""


class Page(NamedTuple):
    """The page as it is served."""

    html: bytes
    policy: str
    """Of ``Content-Security-Policy``: it names script and style by their hashes."""


def assembled() -> Page:
    """Return the page; it is the same for every site and visitor, and has no data."""
    page = page_in(files("framegate.web") / "page", SCRIPTS)
    policy = (
        f"default-src 'none'; img-src blob: data:; connect-src 'self'; script-src '{sha256_of(page.script)}';"
        f" style-src '{sha256_of(page.style)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(page.filled({}).encode(), policy)

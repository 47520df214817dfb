"""Checks of ``[web]``: whether its token is a secret. The daemon does not use it."""

from collections.abc import Iterator

from framegate.config.telling.web import WebSettings, is_open_to_all
from framegate.preflight.folder_checks import Finding, Grade


def check_web(web: WebSettings) -> Iterator[Finding]:
    """Check whether the token of the page is there, and not for every user of this machine."""
    if (file := web.token_file) is None:
        return
    try:
        is_open = is_open_to_all(file)
    except OSError as error:
        words = f"{file}: {error.strerror}: framegate web does not start without it"
        yield Finding(Grade.WARNING, "web.token_file", words)
        return
    words = f"every user of this machine can read {file}: chmod o= {file}"
    yield Finding(Grade.WARNING if is_open else Grade.OK, "web.token_file", words if is_open else file)

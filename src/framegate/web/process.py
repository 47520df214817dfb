"""``framegate web`` as a process: what it may take, its start and its end."""

import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from framegate.allocator import give_large_pictures_back
from framegate.config.load import Config
from framegate.config.telling.web import is_open_to_all
from framegate.errors import ConfigError, MissingPackage, Problem, how_to_install
from framegate.web.application import Application
from framegate.web.guard import guard_of
from framegate.web.listening import address_to_open, listening
from framegate.web.overview import Overview, sites_of

THREADS = 4
MOST_CONNECTIONS = 64
IDLE_S = 15
"""Seconds without a byte after which a connection without a whole request is closed: others need room.

Waitress counts from the last byte. A client that sends one every few seconds keeps its connection until its
header has ``MOST_HEADER_BYTES``, and ``MOST_CONNECTIONS`` such clients keep all others out. Waitress cannot
bound the whole time of a request: where clients are not trusted, a proxy has to.
"""

LOOK_FOR_IDLE_S = 5
MOST_HEADER_BYTES = 8192

LEAST_TOKEN_CHARACTERS = 16


def serve(configs: Sequence[Config], *, idle_s: int = IDLE_S) -> None:
    """Serve the page of some sites until SIGTERM or SIGINT.

    Args:
        configs: at least one; ``[web]`` is that of the first.
        idle_s: see ``IDLE_S``.

    Raises:
        ConfigError: the token cannot be used.
        CannotListen: the address is in use, or is none of this machine's.
        FramegateError: waitress is not installed.
    """
    settings = configs[0].settings.web
    guard = guard_of(settings, _token_of(configs[0]))
    sites = sites_of(configs)
    application = Application(Overview(sites), guard)
    create_server = _waitress()
    give_large_pictures_back()
    signal.signal(signal.SIGTERM, _stop)
    with listening(settings.listen) as sockets:
        server = create_server(
            application,
            sockets=sockets,
            threads=THREADS,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=idle_s,
            cleanup_interval=LOOK_FOR_IDLE_S,
            max_request_header_size=MOST_HEADER_BYTES,
            max_request_body_size=0,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        names = ", ".join(site.name for site in sites)
        place = address_to_open(settings)
        print(f"framegate: the page of {names} is at {place}", file=sys.stderr, flush=True)
        _warn_of_open_token(settings.token_file)
        server.run()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit  # waitress ends its threads then


def _warn_of_open_token(file: str | None) -> None:
    if file is None:
        return
    with suppress(OSError):  # it has been read; it may be gone by now
        if is_open_to_all(file):
            words = f"every user of this machine can read the token: chmod o= {file}"
            print(f"framegate: {words}", file=sys.stderr, flush=True)


def _waitress() -> Any:
    """Return what makes a server."""
    try:
        from waitress.server import create_server  # noqa: PLC0415 - an extra
    except ImportError as error:
        words = f"framegate web needs the Python package waitress: {how_to_install('web')}"
        raise MissingPackage(words) from error
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a warning for each request that waits
    return create_server


def _token_of(config: Config) -> bytes | None:
    """Return the token of the config.

    Raises:
        ConfigError: its file cannot be read, or has no good token.
    """
    file, key = config.settings.web.token_file, "web.token_file"
    if file is None:
        return None
    try:
        token = Path(file).read_bytes().strip()
    except OSError as error:
        words = f"{file} cannot be read: {error.strerror}"
        raise ConfigError((Problem(key, words, config.line_of(key)),), str(config.path or "")) from error
    if (
        len(token) < LEAST_TOKEN_CHARACTERS
        or not (token.isascii() and token.decode().isprintable())
        or b" " in token
    ):
        words = f"{file} needs one word of at least {LEAST_TOKEN_CHARACTERS} letters and digits"
        raise ConfigError((Problem(key, words, config.line_of(key)),), str(config.path or ""))
    return token

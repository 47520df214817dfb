"""Who may ask, and how: what is refused before anybody looks for an answer.

A page of another site, open in the operator's browser, is the attacker to think of: it can send
requests to addresses of the operator's network, and can have its own name lead there (DNS rebinding).
It cannot choose the ``Host`` and ``Sec-Fetch-Site`` that the browser sends.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from framegate.config.telling.web import UNIX, WebSettings, host_of, is_loopback
from framegate.web.answers import Answer, refused

METHODS = ("GET", "HEAD")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
FRIENDLY = frozenset({"none", "same-origin"})
"""``Sec-Fetch-Site`` of an address that a person has typed, and of our own page. Old browsers, and programs,
send none."""

Request = Mapping[str, Any]
"""The environment of a WSGI request."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses what is not for this server.

    Args:
        hosts: the names that it goes by, in lower case, without a port; IPv6 addresses in brackets.
        takes_addresses: whether it goes by any IP address too: where it listens at all of them, it does
            not know its own. Only a name can be made to lead to a strange place, so that is safe.
        token: what a client has to know; None if nothing.
    """

    hosts: frozenset[str]
    takes_addresses: bool
    token: bytes | None

    def refusal(self, request: Request) -> Answer | None:
        """Return why a request is refused, whatever it asks for; None if it is not."""
        if not request["REQUEST_URI"].startswith("/"):  # http://another.host/: then Host does not count
            return refused(HTTPStatus.BAD_REQUEST, "write the path alone")
        if not self._goes_by(request.get("HTTP_HOST", "")):
            words = "framegate web does not go by this name: see hosts in the config's [web]"
            return refused(HTTPStatus.MISDIRECTED_REQUEST, words)
        if request["REQUEST_METHOD"] not in METHODS:
            allowed = ", ".join(METHODS)
            return refused(HTTPStatus.METHOD_NOT_ALLOWED, "this only shows", ("Allow", allowed))
        if request.get("HTTP_SEC_FETCH_SITE", "none") not in FRIENDLY and not _is_a_followed_link(request):
            return refused(HTTPStatus.FORBIDDEN, "asked for by another site")
        return None

    def refusal_of_data(self, request: Request) -> Answer | None:
        """Return why a request may not have what cameras have seen; None if it may."""
        if self.token is None:
            return None
        scheme, _, given = request.get("HTTP_AUTHORIZATION", "").partition(" ")
        is_known = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self.token)
        if scheme.lower() == "bearer" and is_known:
            return None
        challenge = ("WWW-Authenticate", 'Bearer realm="framegate"')
        return refused(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong", challenge)

    def _goes_by(self, host: str) -> bool:
        name = _without_port(host.lower())
        return name in self.hosts or (self.takes_addresses and _is_address(name))


def guard_of(settings: WebSettings, token: bytes | None) -> Guard:
    """Return the guard of a server with these settings."""
    own = host_of(settings.listen)
    at_all = _is_address(own) and ipaddress.ip_address(own).is_unspecified
    hosts = {*LOOPBACK, *settings.hosts}
    if not settings.listen.startswith(UNIX) and not at_all:
        hosts.add(f"[{own}]" if ":" in own else own.lower())
    return Guard(frozenset(hosts), takes_addresses=at_all and not is_loopback(settings.listen), token=token)


def _is_a_followed_link(request: Request) -> bool:
    """Return whether a person has followed a link of another site to the page, which has no data."""
    return (
        request["PATH_INFO"] == "/"
        and request.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and request.get("HTTP_SEC_FETCH_DEST") == "document"
    )


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True

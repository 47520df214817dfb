"""Tells a message by a POST to a web address."""

import base64
import socket
import threading
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit

from framegate import __version__
from framegate.notify.ways.outcome import Outcome, tail_of

MOST_READ = 2_000
"""Bytes of an answer that are read."""

LONGEST_WISH_S = 3600.0
"""A Retry-After is believed up to this."""


class Call:
    """One call of a web address; certificates are verified, redirects not followed.

    Args:
        url: the address, with http or https.
        body: JSON.
        message_id: the same whenever this message is told: a receiver can tell a repetition by it.
    """

    def __init__(self, url: str, body: bytes, message_id: str) -> None:
        self._url, self._body, self._id = urlsplit(url), body, message_id
        self._connection: HTTPConnection | None = None
        self._is_aborted = False

    def abort(self) -> None:
        """End it now, from another thread."""
        self._is_aborted = True
        sock = None if self._connection is None else self._connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def outcome(self, timeout_s: float) -> Outcome:
        """Call, and wait for the answer, at most so many seconds in all once the connection stands."""
        overdue = threading.Timer(timeout_s, self.abort)
        overdue.daemon = True
        overdue.start()
        try:
            self._connection = _connection_to(self._url, timeout_s)
            self._connection.connect()
            if self._is_aborted:
                return Outcome(is_told=False, words=f"no connection within {timeout_s:g} s")
            path = self._url.path or "/"
            target = f"{path}?{self._url.query}" if self._url.query else path
            self._connection.request("POST", target, self._body, self._headers())
            return self._answer(self._connection.getresponse())
        except (OSError, HTTPException, ValueError) as error:
            words = f"no answer within {timeout_s:g} s" if self._is_aborted else _words_of(error)
            return Outcome(is_told=False, words=words)
        finally:
            overdue.cancel()
            if self._connection is not None:
                self._connection.close()

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"framegate/{__version__}",
            "Idempotency-Key": self._id,
        }
        if self._url.username is not None:
            secret = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
        return headers

    def _answer(self, response: HTTPResponse) -> Outcome:
        words = f"{response.status} {response.reason}".strip()
        if 200 <= response.status < 300:  # noqa: PLR2004 - what HTTP calls success
            return Outcome(is_told=True, words=words)
        if 300 <= response.status < 400:  # noqa: PLR2004
            words += f": redirects to {response.getheader('Location', '')[:200]}, which is not followed"
            return Outcome(is_told=False, words=words)
        said = tail_of(response.read(MOST_READ))
        return Outcome(
            is_told=False,
            words=words + said,
            retry_after_s=wished_pause_s(response.getheader("Retry-After"), time.time()),
        )


def wished_pause_s(header: str | None, now_s: float) -> float:
    """Return the seconds in a Retry-After, which may be a date; 0 without one that is understood."""
    if header is None:
        return 0.0
    try:
        wish_s = float(header) if header.strip().isdecimal() else _seconds_until(header, now_s)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(0.0, wish_s), LONGEST_WISH_S)


def _seconds_until(date: str, now_s: float) -> float:
    return parsedate_to_datetime(date).timestamp() - now_s


def _connection_to(url: SplitResult, timeout_s: float) -> HTTPConnection:
    assert url.hostname is not None
    if url.scheme == "https":
        return HTTPSConnection(url.hostname, url.port, timeout=timeout_s)
    return HTTPConnection(url.hostname, url.port, timeout=timeout_s)


def _words_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)

"""An answer of the server, as one value."""

from dataclasses import dataclass, field
from http import HTTPStatus

Header = tuple[str, str]

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent for one request, without the headers that every answer has."""

    status: HTTPStatus
    body: bytes = b""
    kind: str = TEXT
    headers: tuple[Header, ...] = field(default=())

    @property
    def line(self) -> str:
        """The status as WSGI wants it: ``404 Not Found``."""
        return f"{self.status.value} {self.status.phrase}"


def refused(status: HTTPStatus, words: str, *headers: Header) -> Answer:
    """Return an answer that says in one line why there is no other."""
    return Answer(status, f"{words}\n".encode(), headers=(("Cache-Control", "no-store"), *headers))

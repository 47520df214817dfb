"""The WSGI application: five routes, all of them only shown.

========================  ======================================================================
``/``                     the page, without data
``/now.json``             what the sites' daemons say now: see ``now.py``
``/picture/KEY/320``      a result, made small; also ``/picture/KEY/960``
========================  ======================================================================
"""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus

from framegate.web.answers import Answer, Header, refused
from framegate.web.assembling import assembled
from framegate.web.guard import Guard, Request
from framegate.web.overview import KEY_DIGITS, Overview
from framegate.web.pictures import QUALITIES, PictureGone, PictureReplaced, Pictures

PICTURE = re.compile(rf"/picture/([0-9a-f]{{{KEY_DIGITS}}})/({'|'.join(map(str, QUALITIES))})")

StartResponse = Callable[[str, list[Header]], object]


class Application:
    """Answers requests; may be called by several threads.

    Args:
        overview: of the sites.
        guard: refuses what is not to be answered.
    """

    def __init__(self, overview: Overview, guard: Guard) -> None:
        self._overview, self._guard = overview, guard
        self._pictures = Pictures()
        self._page = assembled()
        self._headers: tuple[Header, ...] = (
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Content-Security-Policy", self._page.policy),
            ("X-Robots-Tag", "noindex"),
        )

    def __call__(self, request: Request, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        answer = self._answer(request)
        headers = [*self._headers, *answer.headers]
        if answer.status is not HTTPStatus.NOT_MODIFIED:
            headers += [("Content-Type", answer.kind), ("Content-Length", str(len(answer.body)))]
        start_response(answer.line, headers)
        return [] if request["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, request: Request) -> Answer:
        if (refusal := self._guard.refusal(request)) is not None:
            return refusal
        path = request["PATH_INFO"]
        if path == "/":
            fresh = (("Cache-Control", "no-cache"),)
            return Answer(HTTPStatus.OK, self._page.html, "text/html; charset=utf-8", fresh)
        if (refusal := self._guard.refusal_of_data(request)) is not None:
            return refusal
        if path == "/now.json":
            return self._now(request)
        if (place := PICTURE.fullmatch(path)) is not None:
            return self._picture(place[1], int(place[2]))
        return refused(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _now(self, request: Request) -> Answer:
        look = self._overview.look()
        # Weak: the document has the time of the answer in it, too.
        headers = (("Cache-Control", "no-cache, private"), ("ETag", f'W/"{look.tag}"'))
        if look.tag in re.findall(r'"([^"]*)"', request.get("HTTP_IF_NONE_MATCH", "")):
            return Answer(HTTPStatus.NOT_MODIFIED, headers=headers)
        return Answer(HTTPStatus.OK, look.text.encode(), "application/json", headers)

    def _picture(self, key: str, width: int) -> Answer:
        if (result := self._overview.result(key)) is None:
            return refused(HTTPStatus.NOT_FOUND, "there is no such picture")
        try:
            webp = self._pictures.small(result, width)
        except PictureGone:
            return refused(HTTPStatus.NOT_FOUND, "this picture has been deleted")
        except PictureReplaced:
            return refused(HTTPStatus.NOT_FOUND, "this picture has been replaced by another file")
        except OSError as error:
            return refused(HTTPStatus.NOT_FOUND, f"this picture cannot be read: {error.strerror}")
        if webp is None:
            return refused(HTTPStatus.NOT_FOUND, "this file is no picture, or too large")
        kept = (("Cache-Control", "private, max-age=86400, immutable"),)
        return Answer(HTTPStatus.OK, webp, "image/webp", kept)

import socket
import subprocess
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from disks import need
from framegate.notify.ways.webhook import LONGEST_WISH_S, Call, wished_pause_s
from web_server import WebServer, answers

NOW_S = 1_800_000_000.0


def drip(request: BaseHTTPRequestHandler) -> None:
    """Send a first line that never ends, byte after byte."""
    never = threading.Event()
    while not never.wait(0.05):
        request.wfile.write(b"x")


def test_a_message_is_posted_once_and_2xx_means_told(web: WebServer) -> None:
    """The body arrives as it is, with its id and a secret of the address as a header."""
    url = web.url.replace("127", "me:secret%21@127", 1) + "?tpl=1&m=%7B%7B.text%7D%7D"
    web.answer = answers(204)
    outcome = Call(url, b'{"a": 1}', "id-1").outcome(20)
    assert (outcome.is_told, outcome.words) == (True, "204 No Content")
    assert web.bodies == [{"a": 1}]
    assert web.paths == ["/hook?tpl=1&m=%7B%7B.text%7D%7D"]
    assert web.headers[0]["Idempotency-Key"] == "id-1"
    assert web.headers[0]["Authorization"] == "Basic bWU6c2VjcmV0IQ=="
    assert web.headers[0]["Content-Type"] == "application/json"


def test_other_answers_are_failures_with_the_end_of_what_was_said(web: WebServer) -> None:
    """An error says its status and body, of which little is read; a redirect is not followed."""
    web.answer = answers(503, b"over\nloaded" + b"x" * 1_000_000, Retry_After="120")
    outcome = Call(web.url, b"{}", "1").outcome(20)
    assert (outcome.is_told, outcome.retry_after_s) == (False, 120)
    assert len(outcome.words) < 400
    web.answer = answers(307, Location="http://127.0.0.1:1/elsewhere")
    outcome = Call(web.url, b"{}", "1").outcome(20)
    assert outcome.words == (
        "307 Temporary Redirect: redirects to http://127.0.0.1:1/elsewhere, which is not followed"
    )
    assert len(web.bodies) == 2


def test_a_server_that_hangs_or_drops_is_given_up(web: WebServer) -> None:
    """Neither a silent server, nor one that sends a byte now and then, holds a call longer than its time."""
    never = threading.Event()

    def hang(_request: BaseHTTPRequestHandler) -> None:
        never.wait(20)

    for answer in (hang, drip):
        web.answer = answer
        assert Call(web.url, b"{}", "1").outcome(0.3).words in {"no answer within 0.3 s", "no answer in time"}
    never.set()
    web.answer = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    assert not Call(web.url, b"{}", "1").outcome(20).is_told
    web.close()
    assert "refused" in Call(web.url, b"{}", "1").outcome(20).words.lower()


def test_a_certificate_that_nobody_has_signed_is_refused(tmp_path: Path, web: WebServer) -> None:
    """Https without a certificate that this machine trusts is a failure, and the message is not sent."""
    import ssl

    need("openssl")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    subprocess.run(
        ["openssl", *made, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web._server.socket = context.wrap_socket(web._server.socket, server_side=True)
    outcome = Call(web.url.replace("http:", "https:"), b"{}", "1").outcome(20)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.words
    assert not web.bodies


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [
        (None, 0),
        ("7", 7),
        (" 7 ", 7),
        ("-7", 0),
        ("soon", 0),
        ("9" * 30, LONGEST_WISH_S),
        (formatdate(NOW_S + 90, usegmt=True), 90),
        (formatdate(NOW_S - 90, usegmt=True), 0),
    ],
)
def test_a_wish_to_be_left_alone_is_understood(header: str | None, pause_s: float) -> None:
    """Retry-After has seconds or a date; a mad one counts as an hour, and what is no wish as none."""
    assert wished_pause_s(header, NOW_S) == pause_s

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest

from running import Site, wait_until
from serving import IMPATIENT, WebServer, serving, write_status

OWN = b"Host: localhost\r\n"
HALF = b"GET /now.json HTTP/1.1\r\nHost: localhost\r\n"
KEY = "0" * 24


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A page without a daemon, for requests that are refused."""
    site = Site(tmp_path_factory.mktemp("site"))
    write_status(site, {"c1": ["a.jpg"]})
    with serving(site, web="hosts = ['lot1.example.org']") as web:
        yield web


def line(target: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return f"{method} {target} {version}\r\n".encode("latin-1")


HOSTILE: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "post": (line("/", "POST") + OWN, (405,)),
    "put": (line("/now.json", "PUT") + OWN, (405,)),
    "options": (line("*", "OPTIONS") + OWN, (400, 405)),
    "trace": (line("/", "TRACE") + OWN, (405,)),
    "connect": (line("localhost:22", "CONNECT") + OWN, (400, 405)),
    "method of our own": (line("/", "get") + OWN, (400, 405)),
    "no host": (line("/now.json"), (421,)),
    "no host, 1.0": (line("/now.json", version="HTTP/1.0"), (421,)),
    "another host": (line("/now.json") + b"Host: attacker.example\r\n", (421,)),
    "another host, with our port": (line("/now.json") + b"Host: attacker.example:8470\r\n", (421,)),
    "our name in another": (line("/now.json") + b"Host: localhost.attacker.example\r\n", (421,)),
    "an address that is not ours": (line("/now.json") + b"Host: 192.168.1.5\r\n", (421,)),
    "another spelling of our address": (line("/now.json") + b"Host: 0x7f.1\r\n", (421,)),
    "a user before our name": (line("/now.json") + b"Host: attacker@localhost\r\n", (421,)),
    "two hosts": (line("/now.json") + OWN + b"Host: attacker.example\r\n", (400, 421)),
    "a proxy's word for the host": (
        line("/now.json") + b"Host: attacker.example\r\nX-Forwarded-Host: localhost\r\n",
        (421,),
    ),
    "absolute, of another": (line("http://attacker.example/now.json") + OWN, (400,)),
    "absolute, of ours": (line("http://localhost/now.json") + OWN, (400,)),
    "absolute, of a file": (line("file:///etc/passwd") + OWN, (400, 404)),
    "another site": (line("/now.json") + OWN + b"Sec-Fetch-Site: cross-site\r\n", (403,)),
    "a neighbour's site": (line("/now.json") + OWN + b"Sec-Fetch-Site: same-site\r\n", (403,)),
    "another site's picture": (
        line(f"/picture/{KEY}/320") + OWN + b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image\r\n",
        (403,),
    ),
    "another site's frame": (
        line("/")
        + OWN
        + b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        (403,),
    ),
    "no such key": (line(f"/picture/{KEY}/320") + OWN, (404,)),
    "odd width": (line(f"/picture/{KEY}/321") + OWN, (404,)),
    "huge width": (line(f"/picture/{KEY}/99999999999") + OWN, (404,)),
    "width of other digits": (line(f"/picture/{KEY}/%D9%A3%D9%A2%D9%A0") + OWN, (404,)),
    "key in capitals": (line(f"/picture/{'A' * 24}/320") + OWN, (404,)),
    "key of a path": (line("/picture/../../etc/passwd/320") + OWN, (404,)),
    "traversal": (line("/../../etc/passwd") + OWN, (404,)),
    "encoded traversal": (line("/%2e%2e%2f%2e%2e%2fetc%2fpasswd") + OWN, (404,)),
    "encoded twice": (line("/%252e%252e%252fetc%252fpasswd") + OWN, (404,)),
    "backslashes": (line("/..\\..\\etc\\passwd") + OWN, (404,)),
    "nul": (line(f"/picture/{KEY}/320%00.jpg") + OWN, (404,)),
    "a line in the path": (line("/now.json%0d%0aX-Injected:%20yes") + OWN, (404,)),
    "a real nul": (line("/now.json\0") + OWN, (400, 404)),
    "two slashes": (line("//attacker.example/now.json") + OWN, (400, 404)),
    "a slash behind": (line("/now.json/") + OWN, (404,)),
    "not utf-8": (line("/%ff%fe") + OWN, (404,)),
    "static files": (line("/page.js") + OWN, (404,)),
    "huge header": (line("/") + OWN + b"X-Long: " + b"a" * 20_000 + b"\r\n", (431,)),
    "huge path": (line("/" + "a" * 20_000) + OWN, (431,)),
    "many headers": (line("/") + OWN + b"".join(b"X-%d: a\r\n" % n for n in range(2_000)), (431,)),
    "a body": (line("/", "POST") + OWN + b"Content-Length: 5\r\n\r\nhello", (413,)),
    "a body in a GET": (line("/") + OWN + b"Content-Length: 5\r\n\r\nhello", (413,)),
    "a body to come": (
        line("/", "POST") + OWN + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
        (413,),
    ),
    "a huge body": (line("/", "POST") + OWN + b"Content-Length: 99999999999999999999\r\n", (413,)),
    "a negative body": (line("/", "POST") + OWN + b"Content-Length: -5\r\n", (400,)),
    "a chunked body": (
        line("/", "POST") + OWN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        (400, 413),
    ),
    "length and chunks": (
        line("/", "POST")
        + OWN
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /now.json HTTP/1.1\r\n"
        + OWN,
        (400, 413),
    ),
    "two lengths": (
        line("/", "POST") + OWN + b"Content-Length: 0\r\nContent-Length: 44\r\n",
        (400,),
    ),
    "an unknown encoding": (line("/", "POST") + OWN + b"Transfer-Encoding: gzip, chunked\r\n", (400, 501)),
    "a hidden encoding": (line("/", "POST") + OWN + b"Transfer-Encoding : chunked\r\n", (400,)),
    "a bare newline in a header": (line("/") + b"Host: localhost\nX: y\r\n", (400,)),
    "a folded header": (line("/") + OWN + b"X: a\r\n b\r\n", (400, 200)),
    "no http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", (400,)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_is_refused(server: WebServer, name: str) -> None:
    """It gets the status that says why, one answer at most, nothing of a file, and the server lives on."""
    request, allowed = HOSTILE[name]
    answer = server.raw(request if b"\r\n\r\n" in request else request + b"\r\n")
    statuses = [int(code) for code in re.findall(rb"^HTTP/1\.[01] ([2-5]\d\d) ", answer, re.MULTILINE)]
    assert len(statuses) == 1
    assert statuses[0] in allowed
    assert b"root:" not in answer
    assert b"Injected" not in answer.partition(b"\r\n\r\n")[0]
    assert server.get("/now.json").status == 200


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8470", "lot1.example.org"],
)
def test_it_goes_by_its_own_names(server: WebServer, host: str) -> None:
    """Loopback names and those in the config, with any port: a tunnel has another."""
    assert server.get("/now.json", Host=host).status == 200


def test_every_answer_is_safe_in_a_browser(server: WebServer) -> None:
    """No answer may be sniffed, framed, embedded or indexed; the page may run its own script alone."""
    for path in ("/", "/now.json", "/nothing"):
        headers = server.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["x-robots-tag"] == "noindex"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert policy.endswith("base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        assert "unsafe" not in policy
        assert not {"server", "set-cookie", "access-control-allow-origin"} & set(headers)


def test_the_page_runs_what_its_policy_names(server: WebServer) -> None:
    """One script and one style, named by their hashes, and nothing that runs beside them."""
    page = server.get("/")
    policy = page.headers["content-security-policy"]
    for tag in (b"script", b"style"):
        (part,) = re.findall(rb"<%b[^>]*>(.*?)</%b>" % (tag, tag), page.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
        assert f"{tag.decode()}-src 'sha256-{digest}';" in policy
    markup = re.sub(rb"<(script|style)>.*?</\1>", b"", page.body, flags=re.DOTALL)
    assert not re.search(rb"\s(on\w+|style|src)=|javascript:|https?:", markup)


def test_a_link_of_another_site_leads_to_the_page(server: WebServer) -> None:
    """A person may follow a link from elsewhere: the page itself has no data."""
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert server.get("/", **followed).status == 200
    assert server.get("/now.json", **followed).status == 403


def test_head_is_as_get_without_a_body(server: WebServer) -> None:
    """A HEAD has the headers of the GET, and no body."""
    asked, told = server.get("/"), server.get("/", "HEAD")
    assert (told.status, told.body) == (200, b"")
    assert {**told.headers, "date": ""} == {**asked.headers, "date": ""}


def test_sixty_half_requests_keep_nobody_waiting(server: WebServer) -> None:
    """Clients that begin a request and do not end it take no thread."""
    clients = [server.connect() for _ in range(60)]
    for client in clients:
        client.sendall(HALF)
    assert server.get("/now.json").status == 200
    for client in clients:
        client.close()


def test_more_half_requests_than_connections_are_let_go(site: Site) -> None:
    """When clients that say nothing hold all connections, these are closed, and others have their turn."""
    write_status(site, {})
    with serving(site, program=IMPATIENT) as server:
        clients = [server.connect() for _ in range(80)]
        for client in clients:
            client.sendall(HALF)
        assert server.get("/now.json").status == 200
        wait_until(lambda: clients[0].recv(1) == b"")
        for client in clients:
            client.close()

import os
import re
import signal
import socket
import stat
from pathlib import Path

import pytest

from forked import framegate, python
from framegate.commands.demo.scene import Lot
from framegate.config.telling.web import LONGEST_SOCKET_PATH
from framegate.web.process import LEAST_TOKEN_CHARACTERS
from oracle import shot, upload
from running import Site, running
from serving import free_port, serving, write_status

REQUESTS = int(os.environ.get("FRAMEGATE_WEB_REQUESTS", "60"))
"""After as many to begin with; 2,000 show whether it really stays flat."""

TOKEN = "0123456789abcdef"
WITHOUT_WAITRESS = """
import sys
sys.modules["waitress.server"] = None
sys.argv[:] = ["framegate", "web", "-c", sys.argv[1]]
from framegate.cli import main
main()
"""


def configured(site: Site, web: str) -> Site:
    site.configure(rest=f"[web]\n{web}")
    return site


def test_what_cameras_have_seen_is_for_those_with_the_token(site: Site) -> None:
    """Without it the page comes, and nothing that is shown on it; it stands in no place but the header."""
    (site.home / "token").write_text(f"{TOKEN}\n", "utf-8")
    (site.results / "a.jpg").write_bytes(Lot(width=64, height=48).jpeg())
    write_status(site, {"c1": ["a.jpg"]})
    with serving(site, web="token_file = 'token'") as server:
        (site.home / "token").unlink()  # it was read at the start
        assert server.get("/").status == 200
        knows = {"Authorization": f"Bearer {TOKEN}"}
        now = server.get("/now.json", **knows)
        key = now.json["sites"][0]["cameras"][0]["kept"][0]["picture"]
        assert server.get(f"/picture/{key}/320", **knows).status == 200
        for wrong in ("", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff"):
            for path in ("/now.json", f"/picture/{key}/320", f"/now.json?token={TOKEN}", "/nothing"):
                reply = server.get(path, Authorization=wrong)
                assert (reply.status, reply.headers["www-authenticate"]) == (401, 'Bearer realm="framegate"')
                assert b"c1" not in reply.body
        assert (
            server.get("/now.json", Authorization=f"Bearer {TOKEN}", If_None_Match=now.headers["etag"]).status
            == 304
        )


def test_an_address_for_others_needs_a_token(site: Site) -> None:
    """Else the config is wrong, for every command, and the error says what to do."""
    done = framegate("check", "-c", configured(site, "listen = ':8470'").config)
    assert done.returncode == 78
    assert 'web.token_file: is required: other machines can reach listen = "0.0.0.0:8470"' in done.stderr
    assert "openssl rand" in done.stderr


@pytest.mark.parametrize(("mode", "is_told"), [(0o644, True), (0o640, False)])
def test_a_token_that_every_user_can_read_is_told(site: Site, mode: int, *, is_told: bool) -> None:
    """By ``framegate check``, and by the page when it starts, with the command that mends it."""
    token = site.home / "token"
    token.write_text(TOKEN, "utf-8")
    token.chmod(mode)
    with serving(site, web="token_file = 'token'") as server:
        checked = framegate("check", "-c", site.config)
        assert (f"chmod o= {token}" in checked.stdout) == is_told, checked.stdout
        server.get("/")
        assert (f"chmod o= {token}" in server.more_said()) == is_told


@pytest.mark.parametrize("token", ["", "short", f"{TOKEN} {TOKEN}", f"{TOKEN}\nsecond", f"{TOKEN}ä", None])
def test_a_token_that_can_be_guessed_or_is_none_is_refused(site: Site, token: str | None) -> None:
    """One word of enough characters, in a file that can be read."""
    if token is not None:
        (site.home / "token").write_text(token, "utf-8")
    done = framegate("web", "-c", configured(site, "token_file = 'token'").config)
    assert done.returncode == 78
    words = "cannot be read: No such file" if token is None else f"at least {LEAST_TOKEN_CHARACTERS}"
    assert "web.token_file: " in done.stderr
    assert words in done.stderr


@pytest.mark.parametrize(
    "web",
    [
        "listen = 'localhost'",
        "listen = 'http://127.0.0.1:8470'",
        "listen = 'unix:relative.sock'",
        f"listen = 'unix:/{'a' * LONGEST_SOCKET_PATH}'",
        "hosts = ['http://lot1.example.org']",
        "hosts = ['lot1.example.org:8470']",
        "hosts = ['*']",
        "hosts = ['']",
    ],
)
def test_a_place_or_name_that_cannot_be_is_refused(site: Site, web: str) -> None:
    """Each error names the setting, and shows how it is written."""
    done = framegate("web", "-c", configured(site, web).config)
    assert done.returncode == 78
    assert f"web.{web.partition(' ')[0]}" in done.stderr
    assert "token" not in done.stderr
    if "listen" in web and "/aaa" not in web:
        assert "8470" in done.stderr.partition(", not ")[0] or "unix:/run" in done.stderr


def test_at_any_address_it_goes_by_addresses(site: Site) -> None:
    """Where it listens at all of this machine's addresses it goes by any address, and by no strange name."""
    (site.home / "token").write_text(TOKEN, "utf-8")
    port = free_port()
    with serving(site, place=f"0.0.0.0:{port}", web="token_file = 'token'") as server:
        assert server.get("/", Host=f"192.168.1.5:{port}").status == 200
        assert server.get("/", Host="attacker.example").status == 421
        name = re.search(rf"http://([0-9.]+|localhost):{port}/#TOKEN\n", server.said)
        assert name is not None, server.said
        assert name[1] != "0.0.0.0"
        assert server.get("/", Host=f"{name[1]}:{port}").status == 200


def test_a_unix_socket_is_for_its_group(site: Site, tmp_path: Path) -> None:
    """Its group may use it; what a killed server has left is replaced; it is removed at the end."""
    path = tmp_path / "web.sock"
    place = f"unix:{path}"
    write_status(site, {})
    with serving(site, place=place) as killed:
        assert stat.S_IMODE(path.lstat().st_mode) == 0o660
        killed.process.kill()
        killed.process.wait()
    with serving(site, place=place) as server:
        assert server.get("/now.json").json["sites"][0]["state"] == "stopped"
        assert server.get("/now.json", Host="attacker.example").status == 421
        done = framegate("web", "-c", site.config)
        assert (done.returncode, done.stderr) == (1, f"framegate: {IN_USE.format(place)}\n")
        assert server.stop() == 0
    assert not path.exists()


IN_USE = "{} is in use: another program listens there; set another listen in the config's [web]"


def test_a_file_in_the_place_of_the_socket_stays(site: Site, tmp_path: Path) -> None:
    """What is no socket is not removed."""
    path = tmp_path / "notes.txt"
    path.write_text("keep me", "utf-8")
    done = framegate("web", "-c", configured(site, f"listen = 'unix:{path}'").config)
    assert done.returncode == 1
    assert done.stderr == f"framegate: cannot listen at unix:{path}: there is a file of that name\n"
    assert path.read_text("utf-8") == "keep me"


def test_a_port_in_use_is_one_plain_sentence(site: Site) -> None:
    """No traceback, and exit code 1; also for an address that is none of this machine's."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        done = framegate("web", "-c", configured(site, f"listen = '{place}'").config)
        assert (done.returncode, done.stderr) == (1, f"framegate: {IN_USE.format(place)}\n")
    (site.home / "token").write_text(TOKEN, "utf-8")
    done = framegate("web", "-c", configured(site, "listen = '192.0.2.1:8470'\ntoken_file = 'token'").config)
    words = "framegate: cannot listen at 192.0.2.1:8470: Cannot assign requested address\n"
    assert (done.returncode, done.stderr) == (1, words)


def test_without_waitress_it_says_what_to_install(site: Site) -> None:
    """One sentence, and exit code 1."""
    done = python(WITHOUT_WAITRESS, site.config)
    assert done.returncode == 1
    assert done.stderr.startswith(b"framegate: framegate web needs the Python package waitress: ")
    assert b"/bin/pip install '.[web]'" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_though_clients_hold_on(site: Site, ending: signal.Signals) -> None:
    """With exit code 0, and without waiting for requests that are not whole."""
    write_status(site, {})
    with serving(site) as server:
        clients = [server.connect() for _ in range(10)]
        for client in clients:
            client.sendall(b"GET / HT")
        assert server.get("/").status == 200
        server.process.send_signal(ending)
        assert server.process.wait(60) == 0
        for client in clients:
            client.close()


def test_it_writes_nothing_and_needs_no_ledger(site: Site) -> None:
    """Nothing of a site is another after it was shown, and without the ledger it shows as much."""
    with running(site) as daemon:
        upload(shot(1, 0), site.drop)
        daemon.wait_for_verdicts(1)
    for ledger in site.state.glob("ledger*"):
        ledger.unlink()
    with serving(site) as server:
        before = {path: path.lstat().st_ctime_ns for path in (site.home, *site.home.rglob("*"))}
        (kept,) = server.site()["cameras"][0]["kept"]
        assert server.get(f"/picture/{kept['picture']}/960").status == 200
        assert server.stop() == 0
    assert {path: path.lstat().st_ctime_ns for path in (site.home, *site.home.rglob("*"))} == before


@pytest.mark.timeout(300)
def test_memory_stays_flat(site: Site) -> None:
    """Over many requests for everything it has, it grows no more."""
    names = [f"{number}.jpg" for number in range(8)]
    lot = Lot(width=480, height=270)
    for name in names:
        (site.results / name).write_bytes(lot.jpeg())
    write_status(site, {"c1": names})
    with serving(site) as server:
        keys = [kept["picture"] for kept in server.site()["cameras"][0]["kept"]]
        paths = ["/", "/now.json", *(f"/picture/{key}/{width}" for key in keys for width in (320, 960))]

        def ask(requests: int) -> None:
            for number in range(requests):
                if number % 20 == 0:
                    (site.results / names[number // 20 % 8]).write_bytes(lot.jpeg())
                    write_status(site, {"c1": names})
                assert server.get(paths[number % len(paths)]).status == 200

        ask(REQUESTS)
        before_kb = server.memory_kb()
        ask(REQUESTS)
        grown_kb = server.memory_kb() - before_kb
        print(f"{REQUESTS} requests: {before_kb} kB, grown by {grown_kb} kB")
        assert grown_kb < 8_000

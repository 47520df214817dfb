import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from framegate.commands.demo.scene import Lot
from running import Site
from serving import Reply, WebServer, serving, write_status

NAMES = (
    "plain.jpg", "2026/11/26/deep.jpg", "tall.jpg", "small.jpg", "text.jpg", "cut.png", "empty.jpg",
    "large.png", "heap.jpg", "link.jpg", "folder/inside.jpg", "chain.jpg", "fifo.jpg",
    "2026/../../secret.jpg", "gone.jpg",
)  # fmt: skip


@dataclass
class Shown:
    """A page whose status names these results."""

    site: Site
    server: WebServer
    keys: dict[str, str]

    def picture(self, name: str, width: int = 320) -> Reply:
        return self.server.get(f"/picture/{self.keys[name]}/{width}")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A results folder in which somebody has planted things, and a secret picture beside it."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.configure(drop="max_size = '2MB'\nmax_megapixels = 4")
    picture = Lot(width=1280, height=720).jpeg()
    results, secret = site.results, site.home / "secret.jpg"
    (results / "2026" / "11" / "26").mkdir(parents=True)
    for place in (secret, results / "plain.jpg", results / "2026" / "11" / "26" / "deep.jpg"):
        place.write_bytes(picture)
    _write(results / "tall.jpg", 480, 1600)
    _write(results / "small.jpg", 200, 100)
    _write(results / "large.png", 2100, 2100)
    (results / "text.jpg").write_text("<svg onload='alert(1)'/>", "utf-8")
    (results / "empty.jpg").touch()
    (results / "cut.png").write_bytes((results / "large.png").read_bytes()[:200])
    (results / "heap.jpg").write_bytes(picture + bytes(2_000_000))
    _plant_links(site, secret)
    os.mkfifo(results / "fifo.jpg")
    write_status(site, {name: [name] for name in NAMES})
    with serving(site) as server:
        cameras = server.site()["cameras"]
        keys = {kept["result"]: kept["picture"] for camera in cameras for kept in camera["kept"]}
        yield Shown(site, server, keys)


def _plant_links(site: Site, secret: Path) -> None:
    (site.results / "link.jpg").symlink_to(secret)
    elsewhere = site.home / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "inside.jpg").write_bytes(secret.read_bytes())
    (site.results / "folder").symlink_to(elsewhere)
    (site.results / "hop.jpg").symlink_to("link.jpg")
    (site.results / "chain.jpg").symlink_to("hop.jpg")


def _write(path: Path, width: int, height: int) -> None:
    cv2.imwrite(os.fspath(path), np.full((height, width, 3), 90, np.uint8))


def size(reply: Reply) -> tuple[int, int]:
    """Return width and height of a WebP."""
    assert (reply.status, reply.headers["content-type"]) == (200, "image/webp")
    assert (reply.body[:4], reply.body[8:12]) == (b"RIFF", b"WEBP")
    pixels = cv2.imdecode(np.frombuffer(reply.body, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.shape[1], pixels.shape[0]


def test_a_result_is_made_small(shown: Shown) -> None:
    """It comes as WebP, as wide as asked for, in its own shape; a smaller one keeps its size."""
    assert size(shown.picture("plain.jpg")) == (320, 180)
    assert size(shown.picture("2026/11/26/deep.jpg", 960)) == (960, 540)
    assert size(shown.picture("tall.jpg")) == (320, 1067)
    assert size(shown.picture("small.jpg", 960)) == (200, 100)
    assert "immutable" in shown.picture("plain.jpg").headers["cache-control"]


@pytest.mark.parametrize(
    "name", ["link.jpg", "folder/inside.jpg", "chain.jpg", "fifo.jpg", "2026/../../secret.jpg"]
)
def test_what_was_planted_is_not_shown(shown: Shown, name: str) -> None:
    """No link, wherever in the path, no path that leads out, and nothing but a regular file."""
    reply = shown.picture(name)
    assert (reply.status, reply.body) == (404, b"this picture has been deleted\n")


@pytest.mark.parametrize("name", ["text.jpg", "cut.png", "empty.jpg", "large.png", "heap.jpg"])
def test_what_is_no_picture_or_too_large_is_not_decoded(shown: Shown, name: str) -> None:
    """The config's max_size and max_megapixels count here, too."""
    reply = shown.picture(name)
    assert (reply.status, reply.body) == (404, b"this file is no picture, or too large\n")


def test_a_deleted_result_is_gone_at_once(shown: Shown) -> None:
    """Though its small picture is still in memory; a result of that name that comes later is shown."""
    place = shown.site.results / "gone.jpg"
    assert shown.picture("gone.jpg").status == 404
    _write(place, 400, 200)
    assert size(shown.picture("gone.jpg")) == (320, 160)
    place.unlink()
    assert shown.picture("gone.jpg").body == b"this picture has been deleted\n"
    _write(place, 400, 300)
    assert size(shown.picture("gone.jpg")) == (320, 240)


def test_a_file_in_the_place_of_a_result_is_not_shown_as_kept(site: Site) -> None:
    """Other bytes are no kept picture; a result with the name of a former one has an address of its own."""
    place, kept = site.results / "a.jpg", Lot(width=64, height=48).jpeg()
    place.write_bytes(kept)
    write_status(site, {"c1": ["a.jpg"]}, sha256=hashlib.sha256(kept).digest())
    with serving(site) as server:

        def key() -> str:
            return str(server.site()["cameras"][0]["kept"][0]["picture"])

        first = key()
        assert server.get(f"/picture/{first}/320").status == 200
        _write(place, 64, 48)
        gone = server.get(f"/picture/{first}/320")
        assert (gone.status, gone.body) == (404, b"this picture has been replaced by another file\n")
        write_status(site, {"c1": ["a.jpg"]}, sha256=hashlib.sha256(place.read_bytes()).digest())
        assert key() != first
        assert server.get(f"/picture/{key()}/320").status == 200
        assert server.get(f"/picture/{first}/320").status == 404


def test_a_page_that_was_not_drawn_again_keeps_its_pictures(site: Site) -> None:
    """A result that is not named any more is still shown; a new server knows at once what is named."""
    _write(site.results / "a.jpg", 400, 200)
    write_status(site, {"c1": ["a.jpg"]})
    with serving(site) as server:
        key = server.site()["cameras"][0]["kept"][0]["picture"]
        write_status(site, {"c1": ["b.jpg"]})
        assert server.site()["cameras"][0]["kept"][0]["picture"] != key
        assert server.get(f"/picture/{key}/320").status == 200
    write_status(site, {"c1": ["a.jpg"]})
    with serving(site) as server:
        assert server.get(f"/picture/{key}/320").status == 200

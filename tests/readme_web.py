"""Draw the README's picture of the live page, .github/web.png: python tests/readme_web.py [FOLDER].

FOLDER then gets the page in each kind of trouble, on a phone and a desk, light and dark, for a person to see.
It takes minutes: the drawn cameras send a frame every two seconds, by the clock.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import cv2
import numpy as np

from chromium import opened
from framegate.commands.demo.scene import Lot
from readme import README
from running import Site
from serving import free_port
from visited import Visited, web

PICTURE = README.with_name(".github") / "web.png"
ROUNDS, EVERY_S = 36, 2.0
WIDTHS, PHONE = (390, 1280), (390, 844)
GAP = 24
TOKEN = "0123456789abcdef"


def gate() -> Iterator[bytes]:
    """Somebody walks by now and then; a car stops for a while."""
    lot, others = Lot(width=800, height=500, seed=21), {0: 5, 2: 2, 3: 0, 5: 4}
    while True:
        for step in range(11):
            lot.pedestrian = {1: 0.3, 2: 0.55, 6: 0.8}.get(step)
            lot.parked = {**others, 4: 3} if 6 < step < 10 else others
            yield lot.jpeg(noise=2)


def north() -> Iterator[bytes]:
    """A car now and then, in the evening."""
    lot = Lot(width=800, height=500, seed=4, light=0.7, parked={1: 1, 4: 3})
    while True:
        for step in range(9):
            if step == 3:
                lot.parked = {3: 4, **lot.parked} if 3 not in lot.parked else {1: 1, 4: 3}
            yield lot.jpeg(noise=2)


def yard() -> Iterator[bytes]:
    """Two bays that fill and empty."""
    lot = Lot(width=800, height=500, seed=33, parked={0: 2})
    while True:
        for step in range(7):
            if step in {1, 5}:
                lot.parked = {0: 2, 2: 0, 3: 5} if step == 1 else {0: 2, 3: 5}
            yield lot.jpeg(noise=2)


def live(there: Visited, cameras: dict[str, Iterator[bytes]], rounds: int) -> None:
    """Let the cameras send for a while."""
    pause = Event()
    for _ in range(rounds):
        for name, pictures in cameras.items():
            there.upload(name, [next(pictures)])
        pause.wait(EVERY_S)


def seen(there: Visited, state: str, folder: Path, look: Callable[[], None] = lambda: None) -> None:
    """Take pictures of a state: on a phone and a desk, light and dark."""
    for width, dark in product(WIDTHS, (False, True)):
        there.page.appear(width=width, height=PHONE[1], dark=dark)
        look()
        there.page.run("document.activeElement.blur?.()")
        there.page.until(lambda: there.page.run("return wanted.size === 0 && asking === 0"))
        name = f"{state}-{width}-{'dark' if dark else 'light'}.png"
        there.page.driver.save_screenshot(str(folder / name))


def take(there: Visited, folder: Path) -> None:
    """Live through every state, and take its pictures."""
    cameras = {"gate": gate(), "north": north(), "yard": yard()}
    there.until("return live.sites.length === 1")
    seen(there, "empty", folder)
    live(there, cameras, ROUNDS)
    there.until_word("All well")
    seen(there, "calm", folder)
    there.page.run("document.querySelector('.latest').click()")
    seen(there, "viewer", folder)
    gone = there.page.run("return viewer.frames[1].result")
    (there.site.results / gone).unlink()
    there.page.devtools("Network.clearBrowserCache")
    there.page.run("walkViewer(1)")
    seen(there, "gone", folder)
    there.page.run("document.getElementById('viewer').close()")
    there.retune(drop='silent_after = "20s"')
    live(there, {"gate": cameras["gate"], "yard": cameras["yard"]}, 11)
    there.until_word("1 problem")
    seen(there, "silent", folder)
    there.configure(drop='silent_after = "20s"', rest="[camera.gate.detection]\nscore_threshold = 2.5\n")
    there.until_word("2 problems")
    seen(there, "refused", folder)
    there.retune(min_free="900TB")
    (there.site.drop / "yard_9000.jpg").write_bytes(Lot(seed=1).jpeg())
    there.until("return document.querySelector('.wrong')?.textContent.includes('intake paused')")
    seen(there, "paused", folder)
    there.retune()
    there.until("return live.sites[0].totals.pending === 0")
    there.stop_web()
    there.page.until(lambda: there.page.text("#state b") == "No connection")
    seen(there, "lost", folder)
    there.start_web()
    there.daemon.stop()
    there.until_word("Daemon stopped")
    seen(there, "stopped", folder)
    there.start_daemon()
    for name in ("<img src=x onerror=alert(1)>", "חניון צפון", "a name that is too long " * 8):
        there.upload(name, [next(cameras["north"]), next(cameras["yard"])])
    there.until("return document.querySelectorAll('.camera').length === 6")
    seen(there, "names", folder)


def take_with_token(there: Visited, folder: Path) -> None:
    """Take pictures of a page of two sites that asks for its token."""
    text, port = there.site.config.read_text("utf-8"), free_port()
    (there.site.home / "token").write_text(TOKEN)
    told = f'listen = "127.0.0.1:{port}"\ntoken_file = "{there.site.home}/token"'
    text = text.replace(f'listen = "127.0.0.1:{there.port}"', told)
    configs = [there.site.home / "west.toml", there.site.home / "east.toml"]
    configs[0].write_text(text, "utf-8")
    configs[1].write_text(text.replace(f'"{there.site.state}"', f'"{there.site.home}/never"'), "utf-8")
    with web(port, *configs):
        there.page.driver.get(f"http://127.0.0.1:{port}/")
        there.page.until(lambda: there.page.text("#state b") == "Token needed")
        seen(there, "token", folder)
        there.page.run("location.hash = arguments[0]", TOKEN)
        there.page.until(lambda: there.page.run("return document.querySelectorAll('.site').length === 2"))
        seen(there, "sites", folder)
        last = "document.querySelector('.site:last-child').scrollIntoView()"
        seen(there, "second-site", folder, lambda: there.page.run(last))


def side_by_side(folder: Path, names: tuple[str, ...]) -> bytes:
    """Return a PNG of some of the pictures, with nothing between them."""
    shown = np.zeros((PHONE[1], (PHONE[0] + GAP) * len(names) - GAP, 4), np.uint8)
    for place, name in enumerate(names):
        picture = cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_COLOR)
        assert picture is not None
        left = place * (PHONE[0] + GAP)
        shown[:, left : left + PHONE[0]] = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
    return cv2.imencode(".png", shown, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def main() -> None:
    with TemporaryDirectory() as made:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else made).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        site = Site(Path(made) / "home")
        site.config = site.home / "lot1.toml"
        there = Visited(site, free_port())
        there.configure()
        with there.running(), opened(there.address) as there.page:
            take(there, folder)
            take_with_token(there, folder)
        PICTURE.write_bytes(side_by_side(folder, ("calm-390-light", "refused-390-dark", "viewer-390-light")))


if __name__ == "__main__":
    main()

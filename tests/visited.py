"""A site that somebody looks at: a real daemon, a real ``framegate web``, and a browser with the page."""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chromium import Browser, opened
from running import RunningDaemon, Site, started
from serving import WebServer, free_port, web_process

NAMES = "camera_pattern = '^(?P<camera>.+)_\\d+\\.jpg$'\nsettle_s = 0.1"
UNEQUAL = (
    "[camera.north.detection]\nscore_threshold = '3x'\n[camera.yard.detection]\nscore_threshold = '1.9x'\n"
)
"""No two of the first three cameras have the same threshold."""


def web(port: int, *configs: Path) -> AbstractContextManager[WebServer]:
    """Serve the page of some configs, the first of which says this port."""
    options = [word for config in configs for word in ("-c", os.fspath(config))]
    return web_process(f"127.0.0.1:{port}", ("web", *options), configs[0].parent)


@dataclass
class Visited:
    """One daemon and its page; the parts can be stopped and started."""

    site: Site
    port: int
    page: Browser = field(init=False)
    daemon: RunningDaemon = field(init=False)
    sent: int = 0
    first_s: float = field(default_factory=lambda: time.time() - 86_400)
    _daemon: ExitStack = field(default_factory=ExitStack)
    _web: ExitStack = field(default_factory=ExitStack)

    def configure(self, *, drop: str = "", rest: str = "", min_free: str = "1MB") -> None:
        listen = f'[web]\nlisten = "127.0.0.1:{self.port}"\n'
        self.site.configure(drop=f"{NAMES}\n{drop}", rest=f"{UNEQUAL}\n{listen}\n{rest}", min_free=min_free)

    def retune(self, *, drop: str = "", min_free: str = "1MB") -> None:
        """Edit the config while the daemon runs, and wait until the edit is in force."""
        self.daemon.drain()
        before = sum(line["event"] == "config.reloaded" for line in self.daemon.lines)
        self.configure(drop=drop, min_free=min_free)
        self.daemon.wait_for("config.reloaded", before + 1)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run both parts until the end of the block."""
        with self._daemon, self._web:
            self.start_daemon()
            self.start_web()
            yield

    def start_daemon(self) -> None:
        self.daemon = self._daemon.enter_context(started(self.site))

    def start_web(self) -> None:
        self._web.enter_context(web(self.port, self.site.config))

    def stop_web(self) -> None:
        self._web.close()

    def upload(self, camera: str, pictures: list[bytes]) -> None:
        """Write pictures as one camera's next frames, and wait for their verdicts."""
        before = len(self.daemon.verdicts())
        for picture in pictures:
            self.sent += 1
            path = self.site.drop / f"{camera}_{self.sent:04}.jpg"
            path.write_bytes(picture)
            os.utime(path, (self.first_s + 60 * self.sent,) * 2)
        self.daemon.wait_for_verdicts(before + len(pictures))

    def shown(self, script: str, *arguments: object) -> object:
        """Have the page ask the server now, unless it does so already; return what a script returns."""
        return self.page.run(f"poll(); {script}", *arguments)

    def until(self, script: str, *arguments: object) -> object:
        """Wait until a script returns something true, while the page asks again and again; return that."""
        return self.page.until(lambda: self.shown(script, *arguments))

    def until_word(self, word: str) -> None:
        self.until("return document.querySelector('#state b').textContent === arguments[0]", word)

    def problems(self) -> list[str]:
        found = self.page.run(
            "return [...document.querySelectorAll('.wrong li')].map((item) => item.textContent)"
        )
        return list(found)

    def card(self, camera: str) -> str:
        """Return the CSS of a camera's card."""
        ids = self.page.run(
            "return [...document.querySelectorAll('.camera')]"
            ".filter((card) => card.querySelector('h3').textContent === arguments[0]).map((card) => card.id)",
            camera,
        )
        assert len(ids) == 1, f"{len(ids)} cards of {camera}"
        return f"#{ids[0]}"


@contextmanager
def visited(home: Path) -> Iterator[Visited]:
    """Run a daemon and ``framegate web``, and open the page."""
    there = Visited(Site(home / "lot1"), free_port())
    there.configure()
    with there.running(), opened(there.address) as there.page:
        yield there

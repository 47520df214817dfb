"""The pages of framegate in a real browser: Debian's Chromium, headless, driven by selenium."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

WITHIN_S = 40.0

SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip
"""As root, and on machines whose network is closed."""

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass(frozen=True)
class Browser:
    """An open page."""

    driver: Any
    downloads: Path

    def run(self, script: str, *arguments: object) -> Any:
        """Return what a script returns; an expression needs ``return``."""
        return self.driver.execute_script(script, *arguments)

    def find(self, css: str) -> Any:
        return self.driver.find_element("css selector", css)

    def text(self, css: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", css))

    def press(self, css: str, *keys: str) -> None:
        """Press keys while an element has the focus."""
        self.run("document.querySelector(arguments[0]).focus()", css)
        self.driver.switch_to.active_element.send_keys(*keys)

    def click(self, css: str) -> None:
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", css)
        self.find(css).click()

    def devtools(self, command: str, **arguments: object) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def until(self, condition: Callable[[], T]) -> T:
        """Return what a condition returns as soon as it is true."""
        deadline = time.monotonic() + WITHIN_S
        while not (value := condition()):
            assert time.monotonic() < deadline, "it does not come"
        return value

    def move_to(self, position: int) -> None:
        """Move the page's slider to a position, and wait for the pictures to follow."""
        self.run(
            "const slider = document.getElementById('slider'); slider.value = arguments[0];"
            "slider.dispatchEvent(new Event('input', {bubbles: true}))",
            position,
        )
        self.until(
            lambda: self.run("return document.getElementById('sheet').dataset.position") == str(position)
        )

    def choose_camera(self, place: int) -> None:
        self.run("document.querySelectorAll('#cameras button')[arguments[0]].click()", place)
        pressed = "return document.querySelectorAll('#cameras button')[arguments[0]].ariaPressed === 'true'"
        self.until(lambda: self.run(pressed, place))

    def names_on_sheet(self) -> list[str]:
        """Return the frames on the contact sheet, all of them."""
        while self.run("const more = document.querySelector('.more'); more?.click(); return more !== null"):
            pass
        return list(
            self.run("return [...document.querySelectorAll('#days .frame')].map((card) => card.title)")
        )

    def appear(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Be a phone or a desk's screen, by day or by night."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def violations(self, axe: str) -> list[str]:
        """Return what axe-core, whose script this gets, finds by ``STANDARDS``."""
        self.devtools("Runtime.evaluate", expression=axe)
        found = self.driver.execute_async_script(
            "const done = arguments[1];"
            "axe.run(document, {runOnly: arguments[0]}).then((result) => done(result.violations), done)",
            STANDARDS,
        )
        return [
            f"{each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for each in found
            for node in each["nodes"]
        ]

    def complaints(self) -> list[str]:
        """Return the errors and warnings in the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses asked for, but of the page's own file, what it has inside, and the new tab."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:", "chrome:"))]


def axe_script() -> str:
    """Return the script of axe-core; skip the test where there is none."""
    path = os.environ.get("FRAMEGATE_AXE", "")
    if not path or not Path(path).is_file():
        pytest.skip("FRAMEGATE_AXE does not name axe.min.js (npm: axe-core)")
    return Path(path).read_text("utf-8")


def require_chromium() -> None:
    """Skip the test where there is no Chromium."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")


@contextmanager
def opened(
    page: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True
) -> Iterator[Browser]:
    """Open a page, by its file or its address, in a new browser, and wait until it is ready."""
    require_chromium()
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with TemporaryDirectory() as profile, TemporaryDirectory() as downloads:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for switch in (*SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = Service(shutil.which("chromedriver"), env={**os.environ, "HOME": profile})
        driver = webdriver.Chrome(options=options, service=service)
        browser = Browser(driver, Path(downloads))
        try:
            browser.appear(width=width, height=height, dark=dark)
            browser.devtools("Browser.setDownloadBehavior", behavior="allow", downloadPath=downloads)
            browser.devtools("Emulation.setScriptExecutionDisabled", value=not scripts)
            driver.get(page if isinstance(page, str) else page.as_uri())
            if scripts:
                browser.until(lambda: browser.run("return document.documentElement.dataset.ready"))
            yield browser
        finally:
            driver.quit()

import json
import signal
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from chromium import axe_script, require_chromium
from framegate.commands.demo.scene import Lot
from framegate.daemon.standing import HUNG_S
from framegate.telemetry.status import FILE_NAME
from serving import free_port
from visited import Visited, visited, web

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web page"), pytest.mark.timeout(300)]

CAMERAS = ["gate", "north", "yard"]
TEXTS = "((css) => [...document.querySelectorAll(css)].map((each) => each.textContent))"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, morning: list[bytes]) -> Iterator[Visited]:
    """Three cameras that have sent a morning each; the page is open."""
    require_chromium()
    with visited(tmp_path_factory.mktemp("visited")) as there:
        for camera in CAMERAS:
            there.upload(camera, morning)
        there.until("return document.querySelectorAll('.camera').length === 3")
        there.until("return live.sites[0].totals.seen === 36 && live.sites[0].totals.pending === 0")
        yield there


@pytest.fixture(autouse=True)
def calm(there: Visited) -> Iterator[None]:
    """Each test begins and ends with a page on which all is well, and with no complaint in its console."""
    there.until_word("All well")
    there.page.complaints()
    yield
    there.until_word("All well")
    assert there.page.complaints() == []


@pytest.fixture(scope="module")
def changed() -> Iterator[bytes]:
    """Pictures of a lot, each with cars in other places, none of them twice."""
    lot = Lot(width=480, height=270, seed=3)

    def pictures() -> Iterator[bytes]:
        while True:
            for bay in range(6):
                lot.parked = {bay: bay % 5, (bay + 2) % 6: 3}
                yield lot.jpeg()

    return pictures()


def test_each_camera_has_its_card_in_order_of_names(there: Visited) -> None:
    """A card tells a camera's last kept picture, its last frame, its scores and its counts, as they are."""
    page = there.page
    names = page.run(f"return {TEXTS}('.camera h3')")
    assert names == CAMERAS
    assert page.driver.title == "site"
    page.until(lambda: page.run("return document.querySelectorAll('.latest img').length === 3"))
    assert page.run(
        "return [...document.querySelectorAll('.latest img')].every((image) => image.naturalWidth)"
    )
    for camera in CAMERAS:
        card = there.card(camera)
        kept = len([name for name in there.site.kept_bytes() if name.startswith(camera)])
        assert page.text(f"{card} .counts").startswith(f"{kept} kept of 12")
        assert page.text(f"{card} .chip").startswith("kept ")
        assert page.text(f"{card} .age").startswith("last frame ")
        assert page.run(f"return document.querySelectorAll('{card} .strip li').length") == min(7, kept - 1)
    assert page.text(".totals").startswith(f"{len(there.site.kept_bytes())} of 36 frames kept")
    asked = {
        url.split("/")[3] for url in page.requests() if url.startswith(f"http://127.0.0.1:{there.port}/")
    }
    assert asked == {"", "now.json", "picture"}


def test_the_threshold_is_at_one_height_in_all_cards(there: Visited) -> None:
    """Whatever a camera's threshold, the line is at the same height; what was kept reaches over it."""
    page = there.page
    lines = page.run(
        "return [...document.querySelectorAll('.bars')].map((bars) => {"
        "  const y = (node) => node.getBoundingClientRect().y;"
        "  const slot = (place) => (place + 0.5) * BARS_WIDTH / BARS;"
        "  const count = live.sites[0].cameras[0].scores.length, first = BARS - count;"
        "  const reaches = (kind, place) =>"
        "    bars.querySelector(kind).isPointInFill(new DOMPoint(slot(first + place), LINE - 1.5));"
        "  const places = [...Array(count).keys()];"
        "  return {line: y(bars.querySelector('.rule')) - y(bars),"
        "          over: places.map((place) => reaches('.over', place)),"
        "          wrong: places.some((place) => reaches('.under', place))}})"
    )
    assert not any(each["wrong"] for each in lines)
    assert len({round(each["line"], 2) for each in lines}) == 1
    thresholds = page.run(f"return {TEXTS}('.scale b')")
    assert thresholds == ["2.3x", "3x", "1.9x"]
    for camera, each in zip(CAMERAS, lines, strict=True):
        compared = [
            line["event"] == "frame.kept"
            for line in there.daemon.verdicts()
            if line["camera"] == camera and line["reason"] in {"changed", "unchanged"}
        ]
        assert each["over"] == compared


def test_a_bar_tells_on_which_side_of_the_threshold_it_is(there: Visited) -> None:
    """A score over it by a hair reaches over the line, an equal one does not; huge ones have marks."""
    heights = there.page.run(
        "return arguments[0].map((score) => barHeight({score, threshold: 2.3, unit: 'x'}) - LINE)",
        [0, 0.001, 2.299999, 2.3, 2.300001, 4.6, 36.8, 5000],
    )
    assert [height > 0 for height in heights] == [False] * 4 + [True] * 4
    assert heights == sorted(heights)
    assert heights[-1] == heights[-2]
    marked = "return arguments[0].map((score) => outlinesOf([{score, threshold: 2.3}]).clipped !== '')"
    assert there.page.run(marked, [36.7, 36.9, 5000]) == [False, True, True]
    assert there.page.run("return barHeight({score: 5, threshold: null, unit: null})") == 2


def test_an_update_leaves_focus_scroll_and_selection_alone(there: Visited, changed: Iterator[bytes]) -> None:
    """When a frame is kept, its card grows by it; what the reader has in hand stays in place."""
    page, card = there.page, there.card("north")
    page.appear(width=390, height=844)
    try:
        page.run(
            f"const card = document.querySelector('{card}');"
            "card.scrollIntoView(); card.querySelector('.strip').scrollLeft = 60;"
            "card.querySelectorAll('.strip button')[1].focus({preventScroll: true});"
            "getSelection().selectAllChildren(card.querySelector('h3'));"
            "window.before = {focus: document.activeElement, scroll: scrollY,"
            "                 selected: String(getSelection()),"
            "                 place: document.activeElement.getBoundingClientRect().x}"
        )
        kept = len(there.site.kept_bytes())
        there.upload("north", [next(changed)])
        assert len(there.site.kept_bytes()) == kept + 1
        there.until(f"return document.querySelector('{card} .counts').textContent.includes('of 13')")
        after = page.run(
            "const strip = document.activeElement.closest('.strip');"
            "return {focus: document.activeElement === before.focus, scroll: scrollY === before.scroll,"
            "        place: Math.round(document.activeElement.getBoundingClientRect().x - before.place),"
            "        selected: String(getSelection()) === before.selected && before.selected === 'north'}"
        )
        assert after == {"focus": True, "scroll": True, "place": 0, "selected": True}
    finally:
        page.appear()


def test_a_refused_config_is_told_and_goes(there: Visited) -> None:
    """The daemon's own words about a config that it refuses stand first, until it is mended."""
    page = there.page
    there.configure(rest="[detektion]\n")
    page.until(there.problems)  # by itself: nothing makes the page ask
    assert there.problems()[0].startswith("config refused: ")
    assert "detektion" in there.problems()[0]
    assert page.text("#state b") == "1 problem"
    assert page.driver.title == "⚠ site"
    assert "detektion" in page.text("#spoken")
    shape = "return getComputedStyle(document.querySelector('#state .lamp'))[arguments[0]]"
    assert page.run(shape, "clipPath") != "none"
    there.configure()
    page.until(lambda: not there.problems())
    assert page.driver.title == "site"
    assert page.run(shape, "borderRadius") == "50%"
    assert page.text("#spoken") == "All well"


def test_a_silent_camera_is_one_press_away(there: Visited, changed: Iterator[bytes]) -> None:
    """A camera's trouble stands first and on its card, and leads there."""
    page = there.page
    there.retune(drop='silent_after = "1s"')
    try:
        there.until("return document.querySelectorAll('.wrong a').length === 3")
        assert [words.split()[:2] for words in there.problems()] == [["silent:", name] for name in CAMERAS]
        card = there.card("yard")
        assert page.text(f"{card} .problems").startswith("silent: yard has sent nothing for ")
        page.run("window.scrollTo(0, 0)")
        page.press(f".wrong a[href='{card}']", Keys.ENTER)
        assert page.run(f"return document.activeElement === document.querySelector('{card}')")
        assert page.run("return [location.hash, sessionStorage.length]") == ["", 0]  # it is no token
    finally:
        there.configure()
        for camera in CAMERAS:
            there.upload(camera, [next(changed)])


def test_a_paused_intake_is_told_and_goes(there: Visited, changed: Iterator[bytes]) -> None:
    """When the disk for results is full, the page says why nothing more is kept, and what waits."""
    there.retune(min_free="900TB")
    seen = len(there.daemon.verdicts())
    (there.site.drop / "gate_9001.jpg").write_bytes(next(changed))
    there.until("return document.querySelector('.wrong')?.textContent.includes('intake paused: ')")
    there.until(
        f"return document.querySelector('{there.card('gate')} .counts').textContent.includes('1 waiting')"
    )
    there.configure()
    there.daemon.wait_for_verdicts(seen + 1)


def test_the_age_of_a_problem_counts_on_beside_the_same_pictures(
    there: Visited, changed: Iterator[bytes]
) -> None:
    """For how long a daemon hangs is told anew with each answer; no picture is asked for, or drawn, again."""
    page = there.page
    page.until(lambda: page.run("return document.querySelectorAll('.latest img').length === 3"))
    there.daemon.process.send_signal(signal.SIGSTOP)
    try:
        file = there.site.state / FILE_NAME
        status = json.loads(file.read_bytes())
        file.write_text(json.dumps(status | {"at_s": status["at_s"] - 2 * HUNG_S}), "utf-8")
        there.until("return document.querySelector('.wrong')?.textContent.includes('has not reported for ')")
        page.run("window.before = [...document.querySelectorAll('img')]")
        words, _ = there.problems(), page.requests()
        there.until("return document.querySelector('.wrong li').textContent !== arguments[0]", words[0])
        assert page.run("return before.every((image) => image.isConnected)")
        assert not any("/picture/" in url for url in page.requests())
    finally:
        there.daemon.process.send_signal(signal.SIGCONT)
    there.upload("gate", [next(changed)])


def test_a_stopped_daemon_is_not_taken_for_a_quiet_one(there: Visited) -> None:
    """When the daemon ends, the page says so, and what it shows grows old; until there is one again."""
    assert there.daemon.stop() == 0
    there.until_word("Daemon stopped")
    assert there.page.text(".site .state b") == "Daemon stopped"
    assert there.problems()[0].startswith("the daemon is not running: ")
    assert there.page.driver.title == "⚠ site"
    assert len(there.page.run("return [...document.querySelectorAll('.camera')]")) == 3
    there.start_daemon()


def test_a_lost_connection_is_told_and_goes(there: Visited) -> None:
    """Without an answer the page says since when, shows what it knew, and recovers by itself."""
    there.stop_web()
    there.page.until(lambda: there.page.text("#state b") == "No connection")
    assert there.page.text("#unanswered").startswith("No answer for ")
    assert len(there.page.run("return [...document.querySelectorAll('.camera')]")) == 3
    there.start_web()
    there.page.until(lambda: there.page.text("#state b") == "All well")
    assert there.page.run("return document.getElementById('unanswered').hidden")
    assert [line for line in there.page.complaints() if "net::ERR_" not in line] == []


def test_it_asks_once_at_a_time_and_only_while_somebody_looks(there: Visited) -> None:
    """There are never two questions at once, none while the page is hidden, and what is known is not sent."""
    page = there.page
    page.run(
        "window.asks = {open: 0, most: 0, begun: 0, codes: []}; const real = window.fetch;"
        "window.realFetch = real;"
        "window.fetch = async (address, options) => {"
        "  if (address !== 'now.json') return real(address, options);"
        "  asks.begun++; asks.most = Math.max(asks.most, ++asks.open);"
        "  try {"
        "    const answer = await real(address, options);"
        "    asks.codes.push(answer.status);"
        "    return answer;"
        "  } finally { asks.open--; }};"
        "for (let time = 0; time < 5; time++) { poll(); pollNow(); }"
    )
    hide = (
        "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    try:
        there.until("return asks.codes.includes(304)")
        assert set(page.run("return asks.codes")) <= {200, 304}
        assert page.run("return asks.most") == 1
        page.until(lambda: page.run("return asks.open === 0"))
        page.run(hide, True)
        assert page.run("poll(); pollNow(); return asks.open") == 0
        begun = page.run(f"const begun = asks.begun; {hide}; return [begun, asks.begun]", False)
        assert begun[1] == begun[0] + 1  # at once
    finally:
        page.run("window.fetch = realFetch; delete document.hidden")


def test_the_viewer_goes_through_what_was_kept(there: Visited) -> None:
    """Enter opens a picture, arrows lead to older and newer ones, Esc goes back; of those gone it is said."""
    page, card = there.page, there.card("gate")
    kept = page.run("return live.sites[0].cameras.find((camera) => camera.name === 'gate').kept")
    assert len(kept) > 3
    deleted, replaced = (there.site.results / kept[place]["result"] for place in (2, 3))
    pictures = {path: path.read_bytes() for path in (deleted, replaced)}
    deleted.unlink()
    replaced.write_bytes(b"no picture")
    page.devtools("Network.clearBrowserCache")
    page.press(f"{card} .latest", Keys.ENTER)
    page.until(lambda: page.run("return document.querySelector('#stage img')?.naturalWidth"))
    assert page.text("#viewerTitle") == "gate"
    assert page.text("#viewerName") == kept[0]["result"]
    assert page.run("return document.getElementById('viewerNewer').disabled")
    for _ in range(2):
        page.driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert page.text("#viewerName") == kept[2]["result"]
    page.until(lambda: page.text("#stage") == "picture gone")
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    page.until(lambda: page.text("#stage") == "this picture has been replaced by another file")
    for _ in range(2):
        page.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert page.text("#viewerName") == kept[1]["result"]
    page.until(lambda: page.run("return document.querySelector('#stage img')?.naturalWidth"))
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.until(lambda: not page.run("return document.getElementById('viewer').open"))
    assert page.run(f"return document.activeElement === document.querySelector('{card} .latest')")
    assert [line for line in page.complaints() if "404" not in line] == []
    for path, picture in pictures.items():
        path.write_bytes(picture)


def test_everybody_can_use_it(there: Visited) -> None:
    """By axe, WCAG 2.2 AA and good practice are met: calm, in trouble, and in the viewer."""
    axe, page = axe_script(), there.page

    def look(state: str) -> None:
        for width, dark in ((390, False), (390, True), (1280, False), (1280, True)):
            page.appear(width=width, dark=dark)
            assert page.violations(axe) == [], (state, width, dark)
        page.appear(width=320)
        assert page.run("return document.documentElement.scrollWidth") <= 320
        small = page.run(
            "return [...document.querySelectorAll('button, a, input')]"
            ".filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 44)"
            ".map((each) => each.outerHTML)"
        )
        assert small == []

    try:
        look("calm")
        page.run("document.querySelector('.latest').click()")
        look("viewer")
        page.run("document.getElementById('viewer').close()")
        there.configure(rest="[detektion]\n")
        there.until_word("1 problem")
        look("trouble")
    finally:
        page.appear()
        there.configure()


def test_a_token_lets_in_and_leaves_the_address(there: Visited) -> None:
    """With token_file the page asks for the token, which stays in the tab and out of address and cookies."""
    page, port = there.page, free_port()
    home = there.site.home.parent / "token"
    home.mkdir()
    (home / "token").write_text("0123456789abcdef")
    text = there.site.config.read_text("utf-8").replace(f":{there.port}", f":{port}")
    (home / "site.toml").write_text(text.replace("[web]\n", f"[web]\ntoken_file = '{home}/token'\n"))
    (home / "never.toml").write_text(text.replace(json.dumps(str(there.site.state)), f"'{home}/state'"))
    with web(port, home / "site.toml", home / "never.toml"):
        try:
            page.driver.get(f"http://127.0.0.1:{port}/")
            page.until(lambda: page.text("#state b") == "Token needed")
            assert "#TOKEN" in page.text("#entry")
            page.find("#entryToken").send_keys("a wrong one", Keys.ENTER)
            page.until(lambda: page.run("return !document.getElementById('refused').hidden"))
            page.run("location.hash = '0123456789abcdef'")
            page.until(lambda: page.run("return document.querySelectorAll('.latest img').length === 3"))
            assert page.run("return [location.href, document.cookie]") == [f"http://127.0.0.1:{port}/", ""]
            assert page.run(f"return [{TEXTS}('.site h2'), {TEXTS}('.site .state b')]") == [
                ["site", "never"],
                ["All well", "1 problem"],
            ]
            assert page.text("#title") == "2 sites"
            assert "is not there" in page.text(".site:last-child .wrong")
        finally:
            page.driver.get(f"http://127.0.0.1:{there.port}/")
            page.until(lambda: page.run("return document.documentElement.dataset.ready"))
    assert [line for line in page.complaints() if "401" not in line] == []


HOSTILE = ["<img src=x onerror=alert(1)>", '"><b>', "שלום", "n" * 200, "a b&amp;c"]


def test_names_are_only_text(there: Visited, changed: Iterator[bytes]) -> None:
    """Names with markup, from right to left or of 200 characters are shown as they are, and start nothing."""
    for name in HOSTILE:
        there.upload(name, [next(changed), next(changed)])
    page = there.page
    for width in (320, 1280):
        page.appear(width=width)
        there.until("return document.querySelectorAll('.camera').length === arguments[0]", 3 + len(HOSTILE))
        names = page.run(
            "return [...document.querySelectorAll('.camera h3')].map((name) => name.textContent)"
        )
        assert names == sorted([*CAMERAS, *HOSTILE])
        page.run(f"document.querySelector('{there.card(HOSTILE[0])} .latest').click()")
        assert page.text("#viewerTitle") == HOSTILE[0]
        page.run("document.getElementById('viewer').close()")
        assert page.run("return document.querySelectorAll('img[src=x], h3 b').length") == 0
        assert page.run("return document.documentElement.scrollWidth") <= width
    there.until("return [...document.querySelectorAll('.latest img')].length > 3")

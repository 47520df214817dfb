import csv
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import forked
import lot_days
from chromium import Browser, opened, require_chromium
from framegate.commands.scanning import scan
from framegate.config.load import load
from framegate.config.settings import Settings
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.ingest.sweeping import candidates_of
from framegate.model import Entry
from framegate.tune.ladder import with_threshold
from framegate.tune.suggest.looks import Answer, found, possible
from lot_days import LotDays

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("report page"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> LotDays:
    require_chromium()
    return lot_days.drawn(tmp_path_factory.mktemp("lots"))


@pytest.fixture(scope="module")
def report(days: LotDays) -> Path:
    return written(days)


@pytest.fixture(scope="module")
def browser(report: Path) -> Iterator[Browser]:
    with opened(report) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, report: Path) -> Browser:
    """The page as it is when it is opened; its address remembers the last threshold, so not by a reload."""
    browser.driver.get("about:blank")
    browser.driver.get(report.as_uri())
    browser.until(lambda: browser.run("return document.documentElement.dataset.ready"))
    browser.complaints()
    return browser


def written(days: LotDays, *arguments: object) -> Path:
    report = days.home / "report.html"
    done = forked.framegate("report", "-c", days.config_file, "-o", report, *arguments)
    assert done.returncode == 0, done.stderr
    return report


def scanned(settings: Settings, camera: str) -> dict[str, Entry]:
    """Return what a scan decides about each frame of a camera."""
    entries: dict[str, Entry] = {}

    def note(event: LogEvent) -> None:
        if isinstance(event, FrameDecided):
            entries[event.entry.key.name] = event.entry

    of_camera = [candidate for candidate in candidates_of(settings) if candidate.camera == camera]
    scan(settings, of_camera, note, dry_run=True)
    return entries


def test_the_page_equals_a_scan_at_every_threshold(page: Browser, days: LotDays) -> None:
    """Set by its own slider, the page keeps for every camera and threshold the frames that a scan keeps."""
    settings = days.config.settings
    positions = 0
    for place, camera in enumerate(lot_days.CAMERAS):
        page.choose_camera(place)
        in_force = page.run("return state.camera.in_force")
        for position, threshold in enumerate(page.run("return state.camera.thresholds")):
            page.move_to(position)
            chosen = settings if position == in_force else with_threshold(settings, threshold)
            of_camera = dict(sorted(scanned(chosen, camera).items()))
            kept = [name for name, entry in of_camera.items() if entry.reason.is_kept]
            assert page.names_on_sheet() == kept, (camera, threshold)
            assert page.run("return allFrames().map(reason)") == [
                str(entry.reason) for entry in of_camera.values()
            ]
            assert page.run("return allFrames().map(score)") == [entry.score for entry in of_camera.values()]
            references = "return allFrames().map((frame) => state.camera.names[reference(frame)] ?? null)"
            assert page.run(references) == [entry.reference for entry in of_camera.values()], (
                camera,
                threshold,
            )
            positions += 1
    assert positions > 30


def test_nothing_is_asked_of_a_network_and_nothing_goes_wrong(page: Browser) -> None:
    """The console stays empty, and no address is asked for."""
    for place in range(3):
        page.choose_camera(place)
    assert page.complaints() == []
    assert page.requests() == []


def test_a_frame_is_shown_where_the_pointer_is(page: Browser) -> None:
    """Over a frame's mark its picture, verdict, score, time and name appear."""
    from selenium.webdriver.common.action_chains import ActionChains

    frame = page.run("return allFrames().find((frame) => isKept(frame) && score(frame) !== null)")
    point(page, frame)
    page.until(lambda: page.run("return document.querySelector('#tip img')?.naturalWidth > 100"))
    assert "Kept at" in page.text("#tip")
    assert page.run("return state.camera.names[arguments[0]]", frame) in page.text("#tip")
    ActionChains(page.driver).click().perform()
    page.until(lambda: page.run("return document.getElementById('viewer').open"))
    assert page.text("#viewerTitle") == page.run("return state.camera.names[arguments[0]]", frame)


def point(page: Browser, frame: int) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find("#timeline")
    x, y = page.run(
        "const canvas = document.getElementById('timeline');"
        "return [xScale(canvas.clientWidth)(arguments[0]),"
        "heightOf(arguments[0], canvas.clientHeight, scaleOf(state.camera))]",
        frame,
    )
    size = canvas.size
    ActionChains(page.driver).move_to_element_with_offset(
        canvas, round(x - size["width"] / 2), round(y - size["height"] / 2)
    ).perform()


def test_the_threshold_can_be_dragged(page: Browser) -> None:
    """The line follows the pointer, and the numbers follow the line."""
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find("#timeline")
    height = canvas.size["height"]
    y = "return yOf(arguments[0], document.getElementById('timeline').clientHeight, scaleOf(state.camera))"
    thresholds = page.run("return state.camera.thresholds")
    start, end = page.run(y, page.run("return threshold()")), page.run(y, thresholds[-2])
    right = canvas.size["width"] // 2 - 30
    drag = ActionChains(page.driver).move_to_element_with_offset(canvas, right, round(start - height / 2))
    drag.click_and_hold().move_by_offset(0, -5).move_by_offset(0, round(end - start) + 5).release().perform()
    page.until(lambda: page.run("return threshold()") == thresholds[-2])
    assert page.text("#threshold") == page.run("return thresholdText(threshold(), state.camera.unit)")


def test_all_can_be_done_by_keyboard(page: Browser) -> None:
    """Slider, timeline, viewer and labels need no pointer; what is pointed at is said."""
    from selenium.webdriver.common.keys import Keys

    position = page.run("return state.position")
    page.press("#slider", Keys.ARROW_RIGHT)
    assert page.run("return state.position") == position + 1
    assert re.search(r"keeps \d+ of \d+ frames", page.find("#slider").get_attribute("aria-valuetext"))
    page.press("#timeline", Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.run("return [state.position, state.cursor]") == [position, 1]
    assert page.run("return state.camera.names[1]") in page.text("#spoken")
    page.press("#timeline", Keys.ENTER)
    page.until(lambda: page.run("return document.getElementById('viewer').open"))
    before = page.find("#viewerPicture").get_attribute("src")
    page.press("#viewerHold", "y")
    assert page.find("#matters").get_attribute("aria-pressed") == "true"
    page.press("#viewerHold", Keys.ARROW_RIGHT)
    assert page.run("return state.camera.names[2]") == page.text("#viewerTitle")
    assert page.find("#viewerPicture").get_attribute("src") != before
    page.press("#viewerHold", Keys.ESCAPE)
    page.until(lambda: not page.run("return document.getElementById('viewer').open"))
    assert page.text("#labelSummary").startswith("1 matters, 0 do not.")


def test_holding_shows_the_last_kept_frame_at_the_same_place(page: Browser) -> None:
    """While the picture is held, that of the reference stands in its place."""
    from selenium.webdriver.common.action_chains import ActionChains

    page.run("openViewer(allFrames().find((frame) => reference(frame) > 0), allFrames())")
    own = page.find("#viewerPicture").get_attribute("src")
    expected = page.run("return pictureUrl(reference(viewed()))")
    ActionChains(page.driver).click_and_hold(page.find("#stage")).perform()
    assert page.find("#viewerPicture").get_attribute("src") == expected != own
    assert page.text("#viewerWhich") == "last kept"
    ActionChains(page.driver).release().perform()
    assert page.find("#viewerPicture").get_attribute("src") == own


def test_a_finger_swipes_to_the_next_frame_and_back(report: Path) -> None:
    """On a phone a quick swipe turns over, a slow one does not, and neither leaves the reference shown."""
    with opened(report, width=390, height=844) as page:
        page.devtools("Emulation.setTouchEmulationEnabled", enabled=True)
        page.run("openViewer(2, allFrames())")

        def swipe(across: int) -> int:
            box = page.run("return document.getElementById('stage').getBoundingClientRect().toJSON()")
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            page.devtools("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
            for part in (0.5, 1.0):
                point = {"x": x + part * across, "y": y}
                page.devtools("Input.dispatchTouchEvent", type="touchMove", touchPoints=[point])
            page.devtools("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
            return int(page.run("return viewer.place"))

        first = int(page.run("return viewer.place"))
        assert swipe(-120) == first + 1
        assert swipe(-20) == first + 1
        assert swipe(120) == first
        assert page.text("#viewerWhich") != "last kept"


def test_labels_are_saved_as_the_file_that_is_read_again(
    page: Browser, days: LotDays, tmp_path: Path
) -> None:
    """Labels go to labels.csv, and a page made with that file has them."""
    page.run("openViewer(0, allFrames()); judge(true); walkViewer(1); judge(false)")
    page.run("document.getElementById('viewer').close()")
    page.click("#saveLabels")
    saved = page.downloads / "labels.csv"
    page.until(saved.exists)
    with saved.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = page.run("return state.camera.names.slice(0, 2)")
    assert rows == [
        {"frame": names[0], "expected": "kept", "within": ""},
        {"frame": names[1], "expected": "dropped", "within": ""},
    ]
    copy = tmp_path / "labels.csv"
    copy.write_bytes(saved.read_bytes())
    again = written(LotDays(days.home), "--labels", copy, "-o", tmp_path / "again.html")
    assert again.exists()
    with opened(tmp_path / "again.html") as other:
        assert "1 matters, 1 does not." in other.text("#labelSummary")


def test_the_copied_lines_are_a_config(page: Browser, days: LotDays, tmp_path: Path) -> None:
    """What is copied, with the two folders, is a config that `framegate check` accepts."""
    page.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    for place, camera in enumerate(lot_days.CAMERAS):
        page.choose_camera(place)
        page.move_to(page.run("return state.camera.positions - 2"))
        page.click(".bench [data-do=copy]")
        page.until(lambda camera=camera: f"[camera.{camera}.detection]" in page.text("#toast"))  # type: ignore[misc]
        copied = page.driver.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))"
        )
        table, _line = copied.splitlines()
        assert table == f"[camera.{camera}.detection]"
        head, _, tail = days.config_file.read_text("utf-8").partition(f"{table}\n")
        tail = re.sub(r'score_threshold = "(2000px|2x)"\n', "", tail, count=1) if camera != "c1" else tail
        config = tmp_path / "new.toml"
        config.write_text(f"{head}{copied}\n{tail}", "utf-8")
        checked: subprocess.CompletedProcess[str] = forked.framegate("check", "-c", config)
        assert checked.returncode == 0, (copied, checked.stdout, checked.stderr)


def test_six_looks_find_the_threshold_of_a_rule(page: Browser) -> None:
    """Answered by a rule, the questions end within ten at a threshold next to the rule's."""
    wanted = page.run("return state.camera.thresholds.at(-4)")
    page.click(".bench [data-do=looks]")
    for _ in range(10):
        if not page.run("return document.getElementById('viewer').open"):
            break
        assert not re.search("Kept|Dropped", page.text("#viewerWhy"))
        page.press("#viewerHold", "y" if page.run("return score(viewed())") > wanted else "n")
    found = page.run("return state.position")
    last = page.run("return state.camera.positions")
    assert abs(found - (last - 4)) <= 2
    assert "found in" in page.text("#toast")


def test_what_a_schedule_judges_is_told_apart(days: LotDays, tmp_path: Path) -> None:
    """A sentence at the slider counts it, also on a phone; marks, the line and the looks keep it apart."""
    schedule = 'name = "late"\nhours = "07:40-09:00"\n[schedule.detection]\nscore_threshold = "30x"\n'
    config = tmp_path / "late.toml"
    config.write_text(
        f"{days.config_file.read_text('utf-8')}[[schedule]]\ncameras = 'c1'\n{schedule}", "utf-8"
    )
    report = tmp_path / "late.html"
    done = forked.framegate("report", "-c", config, "-o", report)
    assert done.returncode == 0, done.stderr
    with opened(report) as page:
        page.until(lambda: page.run("return document.documentElement.dataset.ready"))
        position = "state.position = arguments[0]; showAll(); "
        held = "allFrames().filter((frame) => scheduleOf(state.camera, state.position, frame) !== null)"
        for place in range(page.run("return state.camera.positions")):
            told = page.run(f"{position} return [{held}.length, element('scheduled').textContent]", place)
            assert told[1].startswith(
                f"{told[0]} frames are judged by a schedule\u2019s own threshold (late 30x)"
            )
            near = "const near = frameOrders(); return [...near.weakest, ...near.strongest]"
            assert page.run(f"{position} {near}.filter((frame) => {held}.includes(frame))", place) == []
            asked = "viewer.question = {asked: new Set()}; const frame = frameNearest(state.position);"
            is_held = f"viewer.question = null; return {held}.includes(frame)"
            assert page.run(f"{position} {asked} {is_held}", place) is False
        scored = f"{held}.filter(isByScore)"
        assert page.run(f"return {scored}.length") > 0
        marks = f"{scored}.map((frame) => MARK_NAMES[markOf(frame)])"
        assert page.run(f"return {marks}.every((mark) => mark.startsWith('scheduled'))")
        words = f"{scored}.map(verdictSentence)"
        assert page.run(f"return {words}.every((said) => said.includes('30x of schedule late'))")
        assert "by a schedule\u2019s own threshold" in page.text("#legend")
        page.appear(width=390, height=844)
        assert page.run("return element('scheduled').checkVisibility()")
        assert page.complaints() == []


def test_looks_that_are_closed_unanswered_change_nothing(page: Browser) -> None:
    """The threshold stays where it was, and so do the labels."""
    from selenium.webdriver.common.keys import Keys

    page.move_to(7)
    page.run("openViewer(2, allFrames()); judge(true); element('viewer').close()")
    page.run("startLooks()")
    assert page.run("return viewer.question.number") == 1
    page.press("#viewer", Keys.ESCAPE)
    page.until(lambda: not page.run("return element('viewer').open"))
    assert page.run("return state.position") == 7
    assert page.run("return [...labelsOf(state.camera).keys()]") == [2]


def test_the_ends_of_each_span_decide_as_it_does(page: Browser) -> None:
    """Whoever types what stands below the threshold is inside of the span, at every position."""
    spans = page.run(
        "return state.camera.spans.map((span, position) => "
        "{ state.position = position; return [...span, threshold(), spanText(...span)]; })"
    )
    assert len(spans) > 10
    for least, below, threshold, words in spans:
        ends = [float(each) for each in re.findall(r"([0-9.]+)", words)]
        assert all(least <= end and (below is None or end < below) for end in ends), words
        assert ends[0] <= threshold <= ends[-1] or below is None


def test_the_six_looks_of_the_page_are_those_of_the_library(page: Browser) -> None:
    """Whatever is answered, also against itself, both hold the same thresholds possible, and end alike."""
    thresholds = page.run("return state.camera.thresholds")
    chance = random.Random(6)
    for _ in range(200):
        scores = [chance.choice([*thresholds, chance.uniform(0.1, 200)]) for _ in range(chance.randrange(7))]
        answers = [Answer(frame, score, chance.random() < 0.5) for frame, score in enumerate(scores)]
        labels = [[each.frame, {"matters": each.is_wanted, "score": each.score}] for each in answers]
        page.run("state.labels.set(state.camera.name, new Map(arguments[0]))", labels)
        span = possible(thresholds, answers)
        assert page.run("return possibleSpan(state.camera)") == [span.least, span.below]
        assert page.run("return foundPosition(state.camera)") == found(thresholds, answers)


def test_a_day_of_the_heat_map_fills_the_timeline(page: Browser) -> None:
    """A click at a day shows only its frames; a button shows all again."""
    page.click(".heat .zoom")
    first, last = page.run("return shownRange()")
    assert last + 1 < page.run("return state.camera.frames")
    page.click("#allDays")
    assert page.run("return shownRange()") == [0, page.run("return state.camera.frames") - 1]
    assert first == 0


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scroll(report: Path, width: int, dark: bool) -> None:
    """On a phone all is as wide as the screen, and the slider lies under the thumb."""
    with opened(report, width=width, height=844, dark=dark) as page:
        assert page.run("return document.documentElement.scrollWidth") <= width
        assert page.run("return document.getElementById('bench').getBoundingClientRect().bottom") >= 843
        assert page.complaints() == []


def test_without_scripts_the_page_says_where_the_numbers_are(report: Path) -> None:
    """Where scripts are off, the page says so, and names the command with the same numbers."""
    with opened(report, scripts=False) as page:
        page.devtools("Emulation.setScriptExecutionDisabled", value=False)
        assert "framegate replay --json" in page.find("noscript").get_attribute("textContent")


def test_an_older_config_is_what_gained_and_lost_refer_to(days: LotDays, tmp_path: Path) -> None:
    """With --against, the frames that the older config keeps are those that others are gained or lost to."""
    old = tmp_path / "old.toml"
    text = days.config_file.read_text("utf-8")
    old.write_text(text.replace('keep_every = "1h"', 'score_threshold = "50x"'), "utf-8")
    output = tmp_path / "against.html"
    written(days, "--against", old, "-o", output)
    before = scanned(LotDays(days.home).config.settings, "c1")
    after = scanned(load(old).settings, "c1")
    gained = [
        name
        for name, entry in sorted(before.items())
        if entry.reason.is_kept and not after[name].reason.is_kept
    ]
    assert gained
    with opened(output) as page:
        page.click("[data-filter=gained]")
        assert page.names_on_sheet() == gained
        assert page.text("#against").startswith(f"+{len(gained)}")


def test_a_heartbeat_and_a_storm_are_told_apart_from_a_change(page: Browser) -> None:
    """A frame that is kept or dropped for its time has a mark of its own, and says why."""
    for place, position, reason, words in (
        (0, -1, "heartbeat", "keep_every"),
        (2, 0, "storm", "one a minute"),
    ):
        page.choose_camera(place)
        page.move_to(page.run("return [...state.camera.thresholds.keys()].at(arguments[0])", position))
        frame = page.run("return allFrames().findIndex((frame) => reason(frame) === arguments[0])", reason)
        assert frame >= 0
        page.run("openViewer(arguments[0], allFrames())", frame)
        assert words in page.text("#viewerWhy")
        page.run("document.getElementById('viewer').close()")
        page.run("pointAt(arguments[0])", frame)
        assert reason in page.text("#tip")
        assert "storm" in page.text("#legend")


def test_the_thresholds_that_agree_need_not_be_neighbours(page: Browser) -> None:
    """Labels of a file are held against each replay; what agrees may lie in pieces."""
    made = """
        const camera = {name: "made", frames: 2, thresholds: [1, 2, 3, 4],
                        times: [0, 20000], labels: [[0, true, arguments[0]]],
                        kept: [1, 0,  0, 1,  0, 0,  1, 0]};
        return allowedRuns(camera).runs;
    """
    assert page.run(made, None) == [[0, 0], [3, 3]]
    page.run("state.labels.delete('made')")
    assert page.run(made, 30) == [[0, 1], [3, 3]]

"""Draw the README's picture of the report, .github/report.png: python tests/readme_page.py [HOME].

HOME then keeps the drawn frames, their configs and the page: the README's other outputs come from them.
"""

import os
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import forked
from chromium import opened
from framegate.commands.demo.scene import Lot
from readme import README

PICTURE = README.with_name(".github") / "report.png"
WIDTH, HEIGHT = 1280, 1180
MONDAY = datetime(2026, 11, 23, 6).astimezone()
DAYS, FRAMES_A_DAY, EVERY_MIN = 3, 90, 10

CONFIG = """\
version = 1
[drop]
folder = "{home}/drop"
camera_pattern = '^(?P<camera>c\\d)_'
capture_time = "%Y-%m-%d_%H%M"
[results]
folder = "{home}/results"
"""


def draw(drop: Path) -> None:
    """Draw a parking lot from Monday to Wednesday, 6 to 21 h: cars come and go, people pass, dusk falls."""
    lot, chance = Lot(seed=11), random.Random(11)
    for number in range(DAYS * FRAMES_A_DAY):
        day, minute = divmod(number, FRAMES_A_DAY)
        moment = MONDAY + timedelta(days=day, minutes=EVERY_MIN * minute)
        if chance.random() < (0.22 if moment.hour in {7, 8, 12, 17, 18} else 0.05):
            bay = chance.randrange(6)
            others = {each: car for each, car in lot.parked.items() if each != bay}
            lot.parked = others if bay in lot.parked else {**others, bay: chance.randrange(5)}
        lot.pedestrian = chance.random() if chance.random() < 0.09 else None
        lot.light = min(1.0, 0.6 + 0.2 * max(0, moment.hour - 6), 0.6 + 0.2 * max(0, 20 - moment.hour))
        path = drop / f"c1_{moment:%Y-%m-%d_%H%M}.jpg"
        path.write_bytes(lot.jpeg())
        os.utime(path, (moment.timestamp(),) * 2)


def take(home: Path) -> None:
    """Draw the frames, write their page, and take its picture."""
    (home / "drop").mkdir()
    (home / "results").mkdir()
    config = home / "lot1.toml"
    config.write_text(CONFIG.format(home=home), "utf-8")
    draw(home / "drop")
    page = home / "report.html"
    done = forked.framegate("report", "-c", config, "-o", page)
    assert done.returncode == 0, done.stderr
    with opened(page, width=WIDTH, height=HEIGHT) as browser:
        browser.until(lambda: browser.run("return document.querySelectorAll('img').length > 5"))
        browser.until(lambda: browser.run("return [...document.images].every((image) => image.complete)"))
        browser.driver.save_screenshot(str(PICTURE))


def main() -> None:
    if len(sys.argv) > 1:
        take(Path(sys.argv[1]).absolute())
    else:
        with TemporaryDirectory() as home:
            take(Path(home))


if __name__ == "__main__":
    main()

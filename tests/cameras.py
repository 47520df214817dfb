"""Cameras that photograph flat walls, for tests: what has to be kept of theirs is known beforehand."""

import random
from dataclasses import replace
from threading import Event, Thread

from oracle import DETECTION, GREYS, Shot, expected, shot, upload
from running import Site

FOLDERS = 4
SIZES_BYTES = (20_000, 60_000)


class FlatCamera:
    """Takes frames of known verdict into a site's drop folder.

    Names fall while times rise, and frames spread over folders: only the time gives the order. About every
    second frame shows another scene.
    """

    def __init__(self, site: Site, seed: int) -> None:
        self._site = site
        self._chance = random.Random(seed)
        self.shots: list[Shot] = []
        for number in range(FOLDERS):
            (site.drop / f"hour_{number}").mkdir(exist_ok=True)

    def take(self, count: int = 1, *, is_new_scene: bool | None = None) -> list[Shot]:
        """Photograph; return the new shots."""
        for _ in range(count):
            taken = self._shot(self._next_scene(is_new_scene))
            upload(taken, self._site.drop)
            self.shots.append(taken)
        return self.shots[-count:]

    def expected(self) -> dict[str, bytes]:
        """Return the bytes of what has to be kept, by name."""
        return {taken.name: taken.data for taken in expected(self.shots)}

    def _next_scene(self, is_new_scene: bool | None) -> int:
        last = self.shots[-1].scene if self.shots else 0
        if is_new_scene is None:
            is_new_scene = self._chance.random() < 0.5
        others = [scene for scene in range(len(GREYS)) if scene != last]
        return self._chance.choice(others) if is_new_scene or last is None else last

    def _shot(self, scene: int) -> Shot:
        number = len(self.shots)
        name = f"hour_{self._chance.randrange(FOLDERS)}/lot_{99_999 - number}.jpg"
        return replace(shot(number, scene, size_bytes=self._chance.randint(*SIZES_BYTES)), name=name)


class LiveCamera:
    """A camera that photographs in a thread, with random pauses, until it is told to stop."""

    def __init__(self, camera: FlatCamera, seed: int, most_shots: int, longest_pause_s: float) -> None:
        self._camera = camera
        self._chance = random.Random(seed)
        self._most_shots, self._longest_pause_s = most_shots, longest_pause_s
        self._is_off = Event()
        self._thread = Thread(target=self._photograph)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._is_off.set()
        self._thread.join()

    def _photograph(self) -> None:
        for _ in range(self._most_shots):
            if self._is_off.wait(self._chance.uniform(0, self._longest_pause_s)):
                return
            self._camera.take()


def configure(site: Site, *, min_free: str = "0B") -> None:
    """Write a config by which the verdicts on a flat camera are certain."""
    site.configure(detection=DETECTION, min_free=min_free)

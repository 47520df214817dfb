"""``framegate demo``: a simulated camera, a real daemon in temporary folders, and a table of its verdicts."""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from framegate.commands.demo.scene import Lot
from framegate.commands.demo.uploads import (
    Upload,
    die_half_way,
    die_half_way_and_repeat,
    link_in,
    move_in,
    write_at_once,
    write_part_and_rename,
    write_slowly,
)

PACE_S = 0.35
LONGEST_WAIT_S = 6.0
HOW: dict[Upload, str] = {
    write_at_once: "copied",
    write_slowly: "written slowly",
    write_part_and_rename: ".part, renamed",
    move_in: "moved in",
    link_in: "linked in",
    die_half_way: "dies half way",
    die_half_way_and_repeat: "dies, repeated",
}
HEADINGS = ("frame", "how it arrives", "what happens", "score", "verdict")
PLAIN_WIDTHS = (12, 14, 18, 6, 0)
COLORS = {"kept": "green", "dropped": "dim", "rejected": "red"}

CONFIG = """\
version = 1

[drop]
folder = "drop"
settle_s = 0.5
give_up_s = 1.0

[results]
folder = "results"
min_free = "20MB"

[state]
folder = "state"
"""


@dataclass(slots=True)
class Act:
    """One frame: what happens in the lot, and how its file arrives."""

    what: str
    upload: Upload = write_at_once
    changes: dict[str, Any] = field(default_factory=dict)
    parks: dict[int, int] = field(default_factory=dict)
    leaves: int | None = None


PLAY = (
    Act("a quiet morning"),
    Act("leaves, still new", write_slowly),
    Act("nothing"),
    Act("a blue car parks", write_part_and_rename, parks={2: 2}),
    Act("nothing", move_in),
    Act("nothing", write_slowly),
    Act("somebody walks in", changes={"pedestrian": 0.25}),
    Act("... and on", write_part_and_rename, changes={"pedestrian": 0.6}),
    Act("gone", changes={"pedestrian": None}),
    Act("a cloud", changes={"light": 0.9}),
    Act("dusk", write_slowly, changes={"light": 0.8}),
    Act("the upload dies", die_half_way),
    Act("the upload dies", die_half_way_and_repeat),
    Act("the red car leaves", link_in, leaves=1),
    Act("dusk", changes={"light": 0.72}),
    Act("a dark car parks", write_at_once, parks={5: 3}),
    Act("nothing", write_part_and_rename),
    Act("nothing"),
)


def run_demo(console: Console | None = None) -> bool:
    """Run the demo; return whether every frame got its verdict and every kept frame is in the results."""
    console = console or Console()
    home = Path(tempfile.mkdtemp(prefix="framegate-demo-"))
    for folder in ("drop", "results", "state"):
        (home / folder).mkdir()
    (home / "demo.toml").write_text(CONFIG, "utf-8")
    console.print(
        f"A simulated camera uploads to {home}/drop.\n"
        "The daemon keeps a frame in which some place has changed more than 2.3 times what is usual there.\n",
        highlight=False,
        soft_wrap=True,
    )
    rows = Rows(console)
    with daemon(home / "demo.toml") as verdicts, rows:
        rows.wait_for_start(verdicts)
        for name, act in _frames(home / "drop"):
            rows.sent(name, act)
            rows.collect(verdicts, PACE_S)
        rows.finish(verdicts)
    return _close(console, home, rows)


@contextmanager
def daemon(config: Path) -> Iterator["Queue[dict[str, Any]]"]:
    """Run the daemon as a separate process; yield a queue of its log lines."""
    command = [sys.executable, "-m", "framegate", "run", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        lines: Queue[dict[str, Any]] = Queue()
        reader = Thread(target=_read_lines, args=(process, lines), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            process.terminate()
            process.wait(LONGEST_WAIT_S)
            reader.join(LONGEST_WAIT_S)


def _read_lines(process: "subprocess.Popen[str]", lines: "Queue[dict[str, Any]]") -> None:
    assert process.stderr is not None
    for line in process.stderr:
        try:
            lines.put(json.loads(line))
        except ValueError:  # a traceback; the demo will report that verdicts are missing
            sys.stderr.write(line)


def _frames(drop: Path) -> Iterator[tuple[str, Act]]:
    """Upload the frame of each act, then yield its name."""
    lot = Lot()
    for number, act in enumerate(PLAY, 1):
        for name, value in act.changes.items():
            setattr(lot, name, value)
        lot.parked |= act.parks
        if act.leaves is not None:
            del lot.parked[act.leaves]
        name = f"lot_{number:04d}.jpg"
        act.upload(drop / name, lot.jpeg())
        yield name, act


class Rows:
    """A table with a row for each frame, filled in when its verdict comes; plain lines without a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._acts: dict[str, Act] = {}
        self.verdicts: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def is_complete(self) -> bool:
        """Whether every frame has its verdict."""
        return len(self.verdicts) == len(PLAY)

    def wait_for_start(self, lines: "Queue[dict[str, Any]]") -> None:
        """Wait until the daemon has started."""
        deadline_s = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < deadline_s:
            try:
                if lines.get(timeout=0.2)["event"] == "daemon.started":
                    return
            except Empty:
                continue

    def sent(self, name: str, act: Act) -> None:
        """Add a row for a frame that was uploaded."""
        self._acts[name] = act
        self._refresh()

    def collect(self, lines: "Queue[dict[str, Any]]", for_s: float) -> None:
        """Fill in the verdicts that come within ``for_s`` seconds."""
        deadline_s = time.monotonic() + for_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                line = lines.get(timeout=left_s)
            except Empty:
                return
            if line["event"] in {"frame.kept", "frame.dropped", "frame.rejected"}:
                self._fill_in(line)

    def finish(self, lines: "Queue[dict[str, Any]]") -> None:
        """Wait for the missing verdicts, at most ``LONGEST_WAIT_S``."""
        deadline_s = time.monotonic() + LONGEST_WAIT_S
        while not self.is_complete and time.monotonic() < deadline_s:
            self.collect(lines, 0.1)

    def _fill_in(self, line: dict[str, Any]) -> None:
        self.verdicts[line["frame"]] = line
        if self._live is None:
            act = self._acts.get(line["frame"])
            cells = _cells(line["frame"], act, line)
            row = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, PLAIN_WIDTHS, strict=True))
            self._console.print(row, highlight=False, soft_wrap=True)
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> RenderableType:
        table = Table(*HEADINGS, box=None)
        for name, act in self._acts.items():
            line = self.verdicts.get(name)
            color = COLORS[line["event"].removeprefix("frame.")] if line else "yellow"
            table.add_row(*_cells(name, act, line), style=color)
        return table


def _cells(name: str, act: Act | None, line: dict[str, Any] | None) -> tuple[str, str, str, str, str]:
    how, what = (HOW[act.upload], act.what) if act else ("", "")
    if line is None:
        return name, how, what, "", "..."
    score = f"{line['score']:5.2f}{line['unit']}" if "score" in line else ""
    verdict = line["event"].removeprefix("frame.")
    return name, how, what, score, f"{verdict}: {line['reason']}"


def _close(console: Console, home: Path, rows: Rows) -> bool:
    tally = Counter(line["event"].removeprefix("frame.") for line in rows.verdicts.values())
    kept = sorted(path.name for path in (home / "results").iterdir())
    sums = ", ".join(f"{tally[verdict]} {verdict}" for verdict in COLORS)
    console.print(f"\n{len(rows.verdicts)} of {len(PLAY)} frames: {sums}.", highlight=False)
    console.print(f"The kept frames:  {home}/results", highlight=False, soft_wrap=True)
    console.print(f"The config:       {home}/demo.toml", highlight=False, soft_wrap=True)
    console.print(f"Remove it all:    rm -r {home}", highlight=False, soft_wrap=True)
    return rows.is_complete and len(kept) == tally["kept"] > 0

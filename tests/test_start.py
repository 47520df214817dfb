"""What a command loads before it answers, and what it leaves to the process that imports framegate."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot
from framegate.keep.ledger import LEDGER_NAME, Ledger
from running import Site

HEAVY = ("cv2", "numpy", "simplejpeg", "PIL", "structlog", "framegate.detect", "framegate.daemon.loop")

LOADED = """
import atexit, sys
from framegate.cli import main
atexit.register(lambda: print(*(name for name in %r if name in sys.modules), file=sys.stderr))
main()
"""

THREADS = """
import atexit, os, sys, threading, time
from framegate.cli import main

def tell():
    deadline_s, pause = time.monotonic() + 5, threading.Event()
    while (count := len(os.listdir("/proc/self/task"))) > 1 and time.monotonic() < deadline_s:
        pause.wait(0.01)  # a thread that was joined is still listed for a moment
    print(sys.modules["cv2"].getNumThreads(), count)

atexit.register(tell)
main()
"""

MAIN = "from framegate.cli import main; main()"
LIBRARIES = [
    """
import typer
from pydantic import BaseModel

class Table(BaseModel):
    number: int
"""
]

COLLECTS = """
import atexit, gc
from framegate.cli import main
atexit.register(lambda: print(gc.isenabled()))
main()
"""

UNTOUCHED = """
import cv2
before = cv2.getNumThreads()
from framegate import Decision, DetectionSettings, FileKey, Judge, Picture, decode
import sys
picture = decode(open(sys.argv[1], "rb").read(), DetectionSettings())
assert isinstance(Judge(DetectionSettings()).judge(FileKey("a.jpg", 1, 1), 0, picture), Decision)
print(before, cv2.getNumThreads())
"""


def python(program: str, *arguments: object, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in an interpreter of its own, for which nobody has chosen numbers of threads."""
    inherited = {key: value for key, value in os.environ.items() if "THREADS" not in key}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=inherited | env)


def cpu_s(program: str, *arguments: str) -> float:
    """Run a program in an interpreter of its own; return the CPU time that the whole process took."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=nowhere, stderr=nowhere)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


@pytest.fixture
def stopped(site: Site) -> Site:
    """A drop folder with a frame that waits, whose daemon has stopped; the frame's own time is to be read."""
    site.configure(drop='capture_time = ["exif", "mtime"]')
    (site.drop / "a.jpg").write_bytes(Lot(width=480, height=270).jpeg())
    Ledger(site.state / LEDGER_NAME).close()
    return site


@pytest.mark.parametrize(
    "command",
    [
        "--help", "--version", "config --help", "scan --help", "config --example", "config -c FILE",
        "check -c FILE", "status -c FILE", "status -c FILE --json",
    ],
)  # fmt: skip
def test_a_question_loads_nothing_that_judges(stopped: Site, command: str) -> None:
    """What only asks, of the config or of a daemon, loads no OpenCV, no numpy, and nothing that judges."""
    done = python(LOADED % (HEAVY,), *command.replace("FILE", str(stopped.config)).split())
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == []


def test_check_of_a_mask_reads_the_mask(stopped: Site) -> None:
    """Only where the config names a mask does check load what reads pictures."""
    (stopped.home / "mask.png").write_bytes(Lot(width=480, height=270).jpeg())
    stopped.configure(detection='mask_file = "mask.png"')
    done = python(LOADED % (HEAVY,), "check", "-c", stopped.config)
    assert "mask.png ignores" in done.stdout
    assert {"cv2", "numpy"} <= set(done.stderr.split())


@pytest.mark.slow
def test_a_question_costs_little_more_than_its_libraries(stopped: Site) -> None:
    """Config, check and status take less than twice the CPU of importing typer and one pydantic model."""
    questions = [["config"], ["check"], ["status"]]
    programs = [LIBRARIES, *([MAIN, *question, "-c", str(stopped.config)] for question in questions)]
    rounds = [[cpu_s(*program) for program in programs] for _ in range(5)]
    libraries, *asked = (min(times) for times in zip(*rounds, strict=True))
    assert max(asked) < 2 * libraries


def test_a_scan_leaves_the_threads_to_framegate(stopped: Site, tmp_path: Path) -> None:
    """In framegate's own process OpenCV has one thread, and numpy none in waiting."""
    done = python(THREADS, "scan", stopped.drop, tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 1"


def test_what_runs_for_long_collects_its_garbage(stopped: Site, tmp_path: Path) -> None:
    """Garbage is collected as ever once all is imported."""
    done = python(COLLECTS, "scan", stopped.drop, tmp_path / "out", "--json")
    assert done.stdout.splitlines()[-1] == "True"


def test_who_wants_more_threads_can_say_so(stopped: Site, tmp_path: Path) -> None:
    """A number of threads that stands in the environment holds."""
    done = python(THREADS, "scan", stopped.drop, tmp_path / "out", "--json", OPENCV_FOR_THREADS_NUM="3")
    assert done.stdout.splitlines()[-1].startswith("3 ")


def test_what_a_command_starts_inherits_the_choice() -> None:
    """The process in which the daemon tries a crasher has one thread of OpenCV, too."""
    program = """
import subprocess, sys
import framegate.cli
subprocess.run([sys.executable, "-c", "import framegate.daemon.trial, cv2; print(cv2.getNumThreads())"])
"""
    assert python(program).stdout == "1\n"


def test_the_library_leaves_opencv_as_it_is(stopped: Site) -> None:
    """A program that imports framegate to judge keeps the threads that OpenCV has in it."""
    done = python(UNTOUCHED, stopped.drop / "a.jpg", OPENCV_FOR_THREADS_NUM="3")
    assert (done.returncode, done.stdout) == (0, "3 3\n"), done.stderr

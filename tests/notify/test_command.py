import ctypes
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from forked import PR_SET_CHILD_SUBREAPER
from framegate.notify.ways.bell import Bell
from framegate.notify.ways.command import Run
from framegate.notify.ways.leftovers import MARK
from framegate.notify.ways.outcome import MOST_OUTPUT, Outcome
from running import wait_until

PR_GET_CHILD_SUBREAPER = 37


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


def tell(bell: Bell, *command: str, body: bytes = b"{}", timeout_s: float = 20.0, **fields: str) -> Outcome:
    run = Run(command, fields, body, mark=f"test-{os.getpid()}")
    return run.outcome(timeout_s, bell, lambda: False, time.monotonic)


def marked() -> list[int]:
    """Return the processes that still run of those which a test has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if f"{MARK}=test-{os.getpid()}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_a_command_gets_the_message_and_a_clean_environment(
    bell: Bell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments are not split, the body is whole, and nothing that systemd gave to us is passed on."""
    for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "CREDENTIALS_DIRECTORY", "INVOCATION_ID"):
        monkeypatch.setenv(name, "secret")
    body = b'{"x": "' + b"y" * 200_000 + b'"}'
    script = (
        f'cat > {tmp_path}/body; env > {tmp_path}/env; pwd > {tmp_path}/cwd; printf %s "$1" > {tmp_path}/word'
    )
    outcome = tell(bell, "sh", "-c", script, "sh", "a b; $HOME", body=body, FRAMEGATE_CAMERA="c 1")
    assert outcome == Outcome(is_told=True, words="exit code 0")
    assert (tmp_path / "body").read_bytes() == body
    assert (tmp_path / "word").read_text() == "a b; $HOME"
    assert (tmp_path / "cwd").read_text() == "/\n"
    env = (tmp_path / "env").read_text()
    assert "FRAMEGATE_CAMERA=c 1\n" in env
    assert "secret" not in env


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", "exit code 0"),
        ("exec <&-; echo oh no >&2; exit 3", "exit code 3: oh no"),
        ("kill -9 $$", "ended by signal 9"),
        (r"printf 'a\n\033[31mERROR\033[0m no \a host\n\n'; exit 1", "exit code 1: ERROR no host"),
        (r"printf '\033]0;title\a10%%\r20%%\rno route'; exit 1", "exit code 1: no route"),
        ("setsid sh -c 'exec tail -f /dev/null' & exit 0", "exit code 0"),
    ],
)
def test_what_a_command_does_with_its_pipes_does_not_matter(bell: Bell, script: str, words: str) -> None:
    """It may read nothing of a large message, close its input, die, or leave a child with its output.

    Its last line is what it has said, without colours and other things that are not to be read.
    """
    outcome = tell(bell, "sh", "-c", script, body=b"x" * 1_000_000)
    assert (outcome.words, outcome.is_told) == (words, words == "exit code 0")
    for pid in marked():
        os.kill(pid, 9)


def zombies() -> set[str]:
    """Return our children that have ended and were not waited for; other tests may have left some."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    return {child for child in children if "\nState:\tZ" in Path(f"/proc/{child}/status").read_text("ascii")}


def test_a_program_that_is_not_there_is_a_failure(bell: Bell) -> None:
    """A missing program is told like any failure; so is a file that cannot be executed."""
    assert "is not there" in tell(bell, "no-such-program").words
    assert "is not there" in tell(bell, "/etc/passwd").words


@pytest.fixture
def no_subreaper() -> Iterator[None]:
    """Orphans go to the first process, as a daemon's: ``forked`` has them come to this one."""
    libc, was = ctypes.CDLL(None), ctypes.c_int()
    libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(was), 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    yield
    libc.prctl(PR_SET_CHILD_SUBREAPER, was.value, 0, 0, 0)


@pytest.mark.usefixtures("no_subreaper")
def test_a_command_that_hangs_is_ended_with_all_that_it_has_started(bell: Bell) -> None:
    """Children that ignore SIGTERM, and those that have left its session, end with it; no zombie is left."""
    script = (
        "trap '' TERM;"
        " for n in 1 2 3; do setsid sh -c 'trap \"\" TERM; while :; do tail -f /dev/null; done' & done;"
        " sh -c 'while :; do tail -f /dev/null; done' & echo so far; wait"
    )
    before = zombies()
    outcome = tell(bell, "sh", "-c", script, timeout_s=3.0)
    assert not outcome.is_told
    assert outcome.words.startswith("not done within 3 s: ")  # its last word may be whom it sees killed
    wait_until(lambda: not marked())
    assert zombies() <= before


def test_a_flood_of_output_is_read_at_leisure(bell: Bell) -> None:
    """Of 40 MB of output the end is remembered; to read them takes longer than a flood is let to."""
    outcome = tell(bell, "sh", "-c", "yes flood | head -c 40000000", timeout_s=4.0)
    assert outcome.words.startswith("not done within 4 s: ")
    assert ": f" in outcome.words


def test_of_a_long_line_the_end_is_remembered(bell: Bell) -> None:
    """A line of 40 kB is cut, and that is to be seen."""
    words = tell(bell, "sh", "-c", "yes word | head -c 40000 | tr '\n' ' '; exit 1").words
    assert words.startswith("exit code 1: ...")
    assert words.endswith(" word word")
    assert len(words) == len("exit code 1: ") + MOST_OUTPUT


def test_what_is_in_flight_can_be_broken_off(bell: Bell) -> None:
    """A bell, and the word that it is over, end a command at once: nobody is to blame."""
    is_over = [False]
    run = Run([sys.executable, "-c", "import signal; signal.pause()"], {}, b"", mark=f"test-{os.getpid()}")
    outcomes: list[Outcome] = []
    thread = Thread(
        target=lambda: outcomes.append(run.outcome(600, bell, lambda: is_over[0], time.monotonic))
    )
    thread.start()
    wait_until(lambda: bool(marked()))
    is_over[0] = True
    bell.ring()
    thread.join(20)
    assert outcomes[0].is_broken_off
    assert not marked()

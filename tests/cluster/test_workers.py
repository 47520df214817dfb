import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import forked
from archives import DrawnArchive, Scanned
from crashing import compiled_shim, marked
from framegate.commands.cluster.workers import Interrupted, Workers, interruptible
from framegate.daemon.crash_guard import DEATHS_BEFORE_TRIAL
from running import wait_until
from schedulers import Dask, dask

pytest.importorskip("distributed", reason="the Python package distributed is not installed")

WITHIN_S = 120

LIBRARIES = "distributed", "distributed.client", "distributed.comm", "tornado", "tornado.application"

WITHOUT_DISTRIBUTED = """
import sys
sys.modules["distributed"] = None
sys.argv[0] = "framegate"
from framegate.cli import main
main()
"""

pytestmark = pytest.mark.timeout(4 * WITHIN_S)


def done_in(archive: DrawnArchive, to: str) -> set[tuple[str, int]]:
    """Return the parts of a scan under way that are done, each with the file that says so."""
    folders = (archive.home / to).glob(".framegate-scan-*")
    return {(file.name, file.stat().st_ino) for folder in folders for file in folder.glob("*.rows")}


def started(*arguments: object, start_new_session: bool = False) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "framegate", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=start_new_session)


@pytest.fixture
def scheduler() -> Iterator[Dask]:
    with dask() as running:
        yield running


def test_two_processes_equal_one(archive: DrawnArchive, whole: Scanned) -> None:
    """``--workers 2`` leaves the table, the results and the summary of one process, byte for byte."""
    process = started(*archive.arguments("by_two", "--workers", 2))
    out, err = process.communicate(timeout=WITHIN_S)
    assert (process.returncode, err) == (0, "")
    assert archive.outcome("by_two", out) == whole
    assert not list((archive.home / "by_two").glob(".*"))


def test_a_worker_that_is_killed_costs_nothing(
    archive: DrawnArchive, whole: Scanned, scheduler: Dask
) -> None:
    """What a killed worker had in hand another one does; the verdicts are the same."""
    process = started(*archive.arguments("bereft", "--cluster", scheduler.address))
    wait_until(lambda: len(done_in(archive, "bereft")) > 0, WITHIN_S)
    scheduler.kill_worker()
    out, err = process.communicate(timeout=WITHIN_S)
    assert (process.returncode, err) == (0, "")
    assert archive.outcome("bereft", out) == whole


def test_a_scan_goes_on_where_it_was_broken_off(
    archive: DrawnArchive, whole: Scanned, scheduler: Dask
) -> None:
    """After the scheduler, and then the client, was killed, what was done is not done again."""
    client = started(*archive.arguments("broken", "--cluster", scheduler.address))
    wait_until(lambda: len(done_in(archive, "broken")) > 0, WITHIN_S)
    scheduler.kill_scheduler()
    _, err = client.communicate(timeout=WITHIN_S)
    assert client.returncode == 1
    assert err.startswith("framegate: the connection to the scheduler is lost; ")
    assert err.endswith(" frames are judged, and the same command goes on from there\n")
    assert err.count("\n") == 1
    first = done_in(archive, "broken")
    with dask() as another:
        client = started(*archive.arguments("broken", "--cluster", another.address))
        wait_until(lambda: len(done_in(archive, "broken")) > len(first), WITHIN_S)
        client.kill()
        client.communicate()
        assert first <= done_in(archive, "broken")
        assert archive.scanned("broken", "--cluster", another.address) == whole


def test_a_frame_that_kills_workers_is_rejected(own_archive: DrawnArchive, tmp_path: Path) -> None:
    """A frame over which workers die is found out as the daemon does it, and all others are judged."""
    whole = own_archive.scanned("whole").table.decode().splitlines()
    file = own_archive.drop / "c2/003.jpg"
    times = file.stat()
    file.write_bytes(marked(file.read_bytes()))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    crashing = {"LD_PRELOAD": str(compiled_shim(tmp_path)), "AT_THE_MARK": "abort"}
    with dask(workers=DEATHS_BEFORE_TRIAL + 1, env=crashing) as scheduler:
        table = own_archive.scanned("hit", "--cluster", scheduler.address).table.decode().splitlines()
    (row,) = (row for row in table if row.startswith("c2/003.jpg"))
    assert "rejected,crasher" in row
    others = {row for row in whole if not row.startswith("c2/")}
    assert others <= set(table)
    assert len(table) == len(whole)


def test_who_cannot_be_used_says_so(archive: DrawnArchive) -> None:
    """A usage that cannot be is refused as any other wrong option, before a folder is made."""
    refused = {
        "not both": archive.arguments("x", "--cluster", "tcp://127.0.0.1:9", "--workers", 2),
        "at least one": archive.arguments("x", "--workers", 0),
        "not box7": archive.arguments("x", "--cluster", "box7"),
        "--workers or --cluster": ("scan", "s3://bucket/c1", archive.home / "x"),
        "needs --stats FILE": ("scan", archive.drop, archive.home / "x", "--dry-run", "--workers", 2),
        "s3://bucket/c1: give a folder of this machine, not a URL": (
            "scan",
            archive.drop,
            "s3://bucket/c1",
            "--workers",
            2,
        ),
        "not a URL: only IN of scan may be one": ("scan", archive.drop, "s3://bucket/c1"),
    }
    for words, arguments in refused.items():
        done = forked.framegate(*arguments, cwd=archive.home)
        assert done.returncode == 2
        assert "Usage: framegate scan " in done.stderr
        assert words in done.stderr.splitlines()[-1]
    assert not (archive.home / "x").exists()
    assert not (archive.home / "s3:").exists()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """One sentence, though there is no frame either, and no folder is left."""
    (tmp_path / "in").mkdir()
    done = forked.python(WITHOUT_DISTRIBUTED, "scan", tmp_path / "in", tmp_path / "out", "--workers", 2)
    words = "framegate: --workers and --cluster need the Python package distributed: "
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert done.stderr.decode().startswith(words)
    assert f"{sys.prefix}/bin/pip install '.[cluster]'" in done.stderr.decode()
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_a_scan_with_one_sentence(own_archive: DrawnArchive) -> None:
    """Ctrl-C goes to all processes of a terminal: the first says how far it came, the others say nothing.

    A scan that goes on with other settings says that results of the first may be among its own.
    """
    process = started(*own_archive.arguments("ended", "--workers", 2), start_new_session=True)
    wait_until(lambda: len(done_in(own_archive, "ended")) > 0, WITHIN_S)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 130
    assert err.startswith("framegate: interrupted; ")
    assert err.endswith(" frames are judged, and the same command goes on from there\n")
    assert err.count("\n") == 1
    text = own_archive.config_file.read_text("utf-8")
    own_archive.config_file.write_text(text.replace('keep_every = "30m"', 'keep_every = "1h"'), "utf-8")
    done = forked.framegate(*own_archive.arguments("ended", "--workers", 1), timeout_s=WITHIN_S)
    assert done.returncode == 0
    assert done.stderr.startswith(
        "warning: an unfinished scan with other settings or frames has left results"
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_told_by_the_exit_code(number: signal.Signals) -> None:
    """As a shell says it; and afterwards signals do what they did before."""
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as raised, interruptible():
        signal.raise_signal(number)
    assert raised.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_a_cluster_without_workers_is_waited_for_with_words(archive: DrawnArchive) -> None:
    """At once it says for what it waits and what to start; a scheduler that dies meanwhile is the cause."""
    with dask(workers=0) as scheduler:
        process = started(*archive.arguments("waited", "--cluster", scheduler.address))
        assert process.stderr is not None
        words = f"waiting for workers of {scheduler.address}: start them by dask worker {scheduler.address}\n"
        assert process.stderr.readline() == words
        scheduler.kill_scheduler()
        _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    assert err.startswith("framegate: the connection to the scheduler is lost; 0 of ")


def test_two_cameras_may_not_want_one_result(archive: DrawnArchive, tmp_path: Path) -> None:
    """With a layout that tells cameras apart by nothing, who is first would get the name: that is refused."""
    text = archive.config_file.read_text("utf-8")
    flat = tmp_path / "flat.toml"
    flat.write_text(text.replace("{captured:%Y}/{camera}/{path}", "{name}"), "utf-8")
    done = forked.framegate(
        "scan", archive.drop, tmp_path / "flat", "-c", flat, "--workers", 2, timeout_s=120
    )
    assert done.returncode == 1
    assert "c2/000.jpg and c3/000.jpg are of two cameras, and would have one name" in done.stderr


def test_a_replay_by_workers_equals_one_process(
    archive: DrawnArchive, scheduler: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``replay --cluster`` prints the document of one process; broken off, it goes on from there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    edited = tmp_path / "edited.toml"
    text = archive.config_file.read_text("utf-8")
    edited.write_text(text.replace('"2x"', '"4x"').replace('keep_every = "2d"', 'keep_every = "1h"'), "utf-8")
    command = "replay", archive.drop, "-c", edited, "--against", archive.config_file, "--json"
    whole = forked.framegate(*command, "--no-cache", timeout_s=WITHIN_S).stdout
    client = started(*command, "--cluster", scheduler.address)
    wait_until(lambda: len(replayed_in(tmp_path)) > 0, WITHIN_S)
    client.send_signal(signal.SIGINT)
    _, err = client.communicate(timeout=WITHIN_S)
    assert client.returncode == 130
    assert err.startswith("framegate: interrupted; ")
    assert err.endswith(" frames are replayed, and the same command goes on from there\n")
    first = replayed_in(tmp_path)
    client = started(*command, "--cluster", scheduler.address)
    wait_until(lambda: len(replayed_in(tmp_path)) > len(first), WITHIN_S)
    assert first <= replayed_in(tmp_path)
    out, err = client.communicate(timeout=WITHIN_S)
    assert (client.returncode, err) == (0, "")
    assert json.loads(out) == json.loads(whole)
    assert json.loads(out)["changes"]
    assert not list(tmp_path.glob("framegate/replay-*"))


def test_what_the_libraries_log_is_not_printed(scheduler: Dask) -> None:
    """Interrupted within a call, Dask fails to cancel it, and tornado would print a traceback of that."""
    with Workers(scheduler=scheduler.address).connected():
        loud = [name for name in LIBRARIES if logging.getLogger(name).isEnabledFor(logging.ERROR)]
    assert loud == []


def replayed_in(cache: Path) -> set[tuple[str, int]]:
    """Return the parts of a replay that are done, each with the file that says so."""
    return {(file.name, file.stat().st_ino) for file in cache.glob("framegate/replay-*/*.rows")}

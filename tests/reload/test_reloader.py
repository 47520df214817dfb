import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from framegate.config.load import load
from framegate.config.settings import Settings
from framegate.daemon.systemd import Notifier
from framegate.events.base import LogEvent
from framegate.ingest.watch.inbox import Inbox
from framegate.keep.history.revisions import Snapshot
from framegate.keep.ledger import Ledger
from framegate.reload.config_watch import ABANDONED_S, QUIET_S
from framegate.reload.reloader import Reloader
from troubles import powerless

Said = list[tuple[str, dict[str, Any]]]


class Bench:
    """A config file, whoever reloads it, and what was said and taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("drop", "results", "state"):
            (folder / name).mkdir()
        self.path = folder / "site.toml"
        self.write()
        self.events: list[LogEvent] = []
        self.taken: list[Settings] = []
        self.now_s = 1000.0
        self.inbox = Inbox()
        self.ledger = Ledger(None)
        self.number(load(self.path).settings)
        self.reloader = Reloader(load(self.path), self.inbox, self.events.append, Notifier({}), self.ledger)
        self.reloader.retunes = (self.taken.append, self.number)
        self.reloader.start(self.now_s)
        assert self.after() == []

    def number(self, settings: Settings) -> None:
        """Do what the pipeline does."""
        self.ledger.put_in_force(Snapshot(settings, {}, {}, 0))

    def text(self, **tables: str) -> str:
        """Return a config with these lines in its tables."""
        lines = {"drop": "", "results": "", "state": "", "detection": "", "log": "", **tables}
        folders = {
            name: f"folder = {json.dumps(str(self.folder / name))}\n" for name in ("drop", "results", "state")
        }
        for name, folder in folders.items():
            lines[name] = lines[name] if "folder" in lines[name] else folder + lines[name]
        rest = lines.pop("rest", "")
        return "version = 1\n" + "".join(f"[{name}]\n{text}\n" for name, text in lines.items()) + rest

    def write(self, text: str | None = None, **tables: str) -> None:
        self.path.write_text(self.text(**tables) if text is None else text, "utf-8")

    def after(self, seconds: float = 5.0, *, is_asked: bool = False) -> Said:
        """Let time pass; return what is said in it."""
        before = len(self.events)
        if is_asked:
            self.reloader.request()
        end_s = self.now_s + seconds
        while True:
            self.reloader.poll(self.now_s)
            if (due_s := self.reloader.deadline_s()) > end_s:
                break
            assert due_s > self.now_s
            self.now_s = due_s
        self.now_s = end_s
        return [(event.event, event.fields) for event in self.events[before:]]

    def after_edit(self, text: str | None = None, **tables: str) -> Said:
        self.write(text, **tables)
        return self.after()

    def close(self) -> None:
        self.reloader.stop()
        self.inbox.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A config that is in force and watched."""
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def names(said: Said) -> list[str]:
    return [event for event, _ in said]


def test_a_version_is_said_to_be_in_force_when_everybody_has_it(bench: Bench) -> None:
    """Only what comes after the line ``config.reloaded`` is sure to be judged by that version."""
    before: list[list[str]] = []

    def retune(_: Settings) -> None:
        before.append([event.event for event in bench.events])

    bench.reloader.retunes = bench.reloader.retunes_after = (retune,)
    assert names(bench.after_edit(detection='score_threshold = "5x"')) == ["config.reloaded"]
    assert before == [[], ["config.reloaded"]], "the log writes the line as it did before"


def test_an_edit_is_taken_once_and_says_what_changed(bench: Bench) -> None:
    """A new version comes into force with the next revision, and its line has old and new values."""
    ((event, fields),) = bench.after_edit(detection='score_threshold = "5x"', log='level = "debug"')
    assert event == "config.reloaded"
    assert fields == {
        "revision": 2,
        "changed": {
            "detection.score_threshold": {"old": "2.3x", "new": "5x"},
            "log.level": {"old": "info", "new": "debug"},
        },
    }
    (taken,) = bench.taken
    assert taken.log.level == "debug"
    assert bench.reloader.config.settings is taken
    assert names(bench.after_edit()) == ["config.reloaded"]
    assert bench.reloader.revision == 3


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (
            "",
            '[camera.c1.detection]\nscore_threshold = "7x"',
            {"camera.c1.detection.score_threshold": ("2.3x", "7x")},
        ),
        (
            '[camera.c1.detection]\nscore_threshold = "7x"',
            "",
            {"camera.c1.detection.score_threshold": ("7x", "2.3x")},
        ),
        (
            '[camera."a.b".detection]\nmax_kept_per_hour = 7',
            '[camera."a.b".detection]\nmax_kept_per_hour = 9',
            {"camera.a.b.detection.max_kept_per_hour": (7, 9)},
        ),
        ("", '[camera.c1.detection]\nscore_threshold = "2.3x"', {}),
        ('[metrics]\ntextfile = "/a.prom"', "", {"metrics.textfile": ("/a.prom", None)}),
        ("", "# a remark", {}),
    ],
    ids=["camera-new", "camera-gone", "camera-changed", "camera-as-all", "unset", "remark"],
)
def test_what_changed_is_said_of_cameras_and_unset_values_too(
    bench: Bench, before: str, after: str, changed: dict[str, tuple[object, object]]
) -> None:
    """A camera's table counts from the general values, what is unset is null, a remark is no change."""
    bench.after_edit(rest=before)
    said = bench.after_edit(rest=after)
    assert [fields["changed"] for _, fields in said] == (
        [{key: {"old": old, "new": new} for key, (old, new) in changed.items()}] if changed else []
    )


BAD = {
    "syntax": ({"text": "version = 1\n[drop\n"}, ["line 2: is not TOML"]),
    "no UTF-8": ({"text": "version = 1\n# \udcff"}, ["line 2: is not UTF-8"]),
    "unknown key": (
        {"detection": "blurr = 3"},
        ["line 12: detection.blurr: unknown key (did you mean blur?)"],
    ),
    "wrong values": (
        {"detection": "max_kept_per_hour = 0\nscore_threshold = 5", "log": 'level = "all"'},
        [
            "line 12: detection.max_kept_per_hour: ",
            "line 13: detection.score_threshold: ",
            "line 15: log.level: ",
        ],
    ),
    "empty": ({"text": "\n"}, ["version: is required", "drop: is required", "results: is required"]),
    "mask missing": ({"detection": 'mask_file = "no.png"'}, ["line 12: detection.mask_file: "]),
    "camera's mask missing": (
        {"rest": '[camera.c1.detection]\nmask_file = "no.png"'},
        ["line 16: camera.c1.detection.mask_file: "],
    ),
}


@pytest.mark.parametrize(("edit", "errors"), BAD.values(), ids=BAD)
def test_a_bad_edit_changes_nothing_and_says_every_error_once(
    bench: Bench, edit: dict[str, str], errors: list[str]
) -> None:
    """A bad version is refused with each error and its line: once, and again when it is asked for."""
    good = bench.reloader.config

    def save() -> Said:
        data = (edit["text"] if "text" in edit else bench.text(**edit)).encode("utf-8", "surrogateescape")
        bench.path.write_bytes(data)
        return bench.after()

    ((event, fields),) = save()
    assert event == "config.refused"
    assert [said.startswith(error) for said, error in zip(fields["errors"], errors, strict=True)] == [
        True
    ] * len(errors)
    assert (fields["file"], fields["revision"]) == (str(bench.path), 1)
    assert bench.reloader.refused == fields["errors"]
    assert save() == []
    assert bench.after(100) == []
    assert bench.after(is_asked=True) == [(event, fields)]
    assert bench.taken == []
    assert bench.reloader.config is good
    assert names(bench.after_edit()) == ["config.mended"]
    assert bench.reloader.refused == ()
    assert names(save()) == ["config.refused"]
    assert names(bench.after_edit(detection="max_kept_per_hour = 7")) == ["config.reloaded"]
    assert bench.reloader.refused == ()


def test_another_bad_version_is_said_too(bench: Bench) -> None:
    """Each bad version is refused with its own errors, while the last good one stays."""
    first = bench.after_edit(detection="max_kept_per_hour = 0")
    assert (
        names(first)
        == names(second := bench.after_edit(detection="max_kept_per_hour = -1"))
        == ["config.refused"]
    )
    assert first != second


RESTART_ONLY = {
    "drop.folder": {"drop": 'folder = "/tmp"'},
    "drop.recursive": {"drop": "recursive = false"},
    "drop.watch": {"drop": 'watch = "poll"'},
    "drop.archive": {"drop": 'archive = "/tmp"'},
    "results.folder": {"results": 'folder = "/tmp"'},
    "state.folder": {"state": 'folder = "/tmp"'},
    "metrics.listen": {"rest": '[metrics]\nlisten = "127.0.0.1:9188"'},
}


@pytest.mark.parametrize(("key", "edit"), RESTART_ONLY.items(), ids=RESTART_ONLY)
def test_what_needs_a_restart_is_refused_with_all_that_came_with_it(
    bench: Bench, key: str, edit: dict[str, str]
) -> None:
    """A key that a running daemon cannot change is named with its line, and nothing of the edit is taken."""
    bench.write(log='level = "debug"', **edit)
    lines = bench.path.read_text("utf-8").split("\n")
    ((event, fields),) = bench.after()
    assert event == "config.refused"
    (error,) = fields["errors"]
    words = error.partition(": ")
    assert words[2] == f"{key}: a running daemon cannot change this: restart it"
    assert (
        lines[int(words[0].removeprefix("line ")) - 1]
        in edit[key.partition(".")[0] if key[0] != "m" else "rest"]
    )
    assert bench.taken == []
    assert names(bench.after_edit(log='level = "debug"')) == ["config.reloaded"]


def test_what_is_not_installed_is_said_instead_of_inviting_a_restart(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without prometheus-client a restart for `metrics.listen` would fail: only that package is named."""
    monkeypatch.setattr("framegate.preflight.preflight.find_spec", lambda _name: None)
    ((event, fields),) = bench.after_edit(rest='[metrics]\nlisten = "127.0.0.1:9188"')
    assert event == "config.refused"
    (error,) = fields["errors"]
    assert "metrics.listen: needs the Python package prometheus-client" in error
    assert "restart" not in error


def test_every_restart_only_key_is_tried_here() -> None:
    """A setting that becomes one that needs a restart has to be tried above."""
    from framegate.config.docs import restart_only_keys

    assert restart_only_keys() == RESTART_ONLY.keys()


def test_a_config_that_is_removed_stays_in_force(bench: Bench) -> None:
    """A file that is gone is said once; when it is back as it was, that is said too."""
    bench.path.unlink()
    ((event, fields),) = bench.after(100)
    assert (event, fields["errors"]) == ("config.refused", ("cannot be read: No such file or directory",))
    assert bench.after_edit() == [("config.mended", {"revision": 1})]


def test_a_config_that_may_not_be_read_is_said_once(bench: Bench) -> None:
    """However often it is saved without permission to read it, that is one line; with it, it is taken."""
    with powerless():
        for number in range(3):
            bench.path.chmod(0o200)
            bench.path.write_text(bench.text(drop=f"settle_s = {5 + number}"), "utf-8")
            bench.path.chmod(0)
            said = bench.after()
            assert [fields["errors"] for _, fields in said] == [("cannot be read: Permission denied",)][
                number:
            ]
        bench.path.chmod(0o600)
        assert names(bench.after()) == ["config.reloaded"]


def test_whoever_asks_gets_an_answer(bench: Bench) -> None:
    """SIGHUP reads the file at once, also when it is as it was, and says so."""
    assert bench.after(0, is_asked=True) == [("config.unchanged", {"revision": 1})]
    assert len(bench.taken) == 1
    bench.write(detection="max_kept_per_hour = 7")
    assert names(bench.after(0, is_asked=True)) == ["config.reloaded"]
    assert bench.after() == []


def test_half_a_file_is_not_read_when_somebody_asks_either(bench: Bench) -> None:
    """SIGHUP while the file is being written is answered when it is whole, whether or not it has changed."""
    for text, answer in (
        (bench.text(), "config.unchanged"),
        (bench.text(log='level = "debug"'), "config.reloaded"),
    ):
        cut = len(text) - 30
        with bench.path.open("wb", buffering=0) as file:
            file.write(text.encode()[:cut])
            assert bench.after(is_asked=True) == []
            assert bench.after(20, is_asked=True) == []
            file.write(text.encode()[cut:])
        assert names(bench.after(QUIET_S)) == [answer]
        assert bench.after(100) == []


def test_a_program_that_keeps_the_config_open_cannot_keep_an_answer_back(bench: Bench) -> None:
    """When somebody has the file open and does not write, whoever asks is answered in a minute."""
    with bench.path.open("r+b"):
        assert bench.after(ABANDONED_S - 1, is_asked=True) == []
        assert names(bench.after(3)) == ["config.unchanged"]


def test_who_asks_while_an_answer_is_under_way_is_answered_too(bench: Bench) -> None:
    """A signal that comes while the file is being read, or handed on, gets an answer of its own."""
    asks = iter([True, False])
    bench.reloader.retunes = (lambda _settings: bench.reloader.request() if next(asks) else None,)
    bench.reloader.request()
    bench.reloader.poll(bench.now_s)
    assert names(bench.after(0)) == ["config.unchanged"]
    assert bench.after(0) == []


def test_whoever_waits_for_a_reload_hears_its_end_when_it_is_in_force(bench: Bench) -> None:
    """A manager is told "reloading" and then "ready", whatever came of it, and not before all have it."""
    heard: list[str] = []

    class Manager:
        def reloading(self) -> None:
            heard.append("reloading")

        def ready(self) -> None:
            heard.append("ready")

    reloader = Reloader(bench.reloader.config, bench.inbox, bench.events.append, Manager(), bench.ledger)
    reloader.retunes = (lambda settings: heard.append(settings.log.level),)
    for text in (bench.text(log='level = "debug"'), "version = 2", bench.text(log='level = "error"')):
        bench.write(text)
        reloader.request()
        reloader.poll(bench.now_s)
    assert heard == ["reloading", "debug", "ready", "reloading", "ready", "reloading", "error", "ready"]


def test_without_a_file_there_is_nothing_to_reload(tmp_path: Path) -> None:
    """A daemon that was started by flags alone watches nothing, and whoever asks changes nothing."""
    config = load(None, {"drop.folder": str(tmp_path), "results.folder": str(tmp_path / "r")})
    events: list[LogEvent] = []
    reloader = Reloader(config, Inbox(), events.append, Notifier({}), Ledger(None))
    reloader.retunes = (lambda _settings: pytest.fail("there is nothing new"),)
    reloader.start(0)
    reloader.request()
    reloader.poll(1)
    assert reloader.deadline_s() == float("inf")
    reloader.stop()
    assert events == []


def test_a_config_that_came_through_a_pipe_is_not_read_again(bench: Bench) -> None:
    """What was read from a pipe stays in force: a pipe that is read twice is empty, or never ends."""
    reader, writer = os.pipe()
    os.write(writer, bench.text().encode())
    os.close(writer)
    events: list[LogEvent] = []
    config = load(Path(f"/dev/fd/{reader}"))
    reloader = Reloader(config, bench.inbox, events.append, Notifier({}), bench.ledger)
    reloader.start(0)
    assert reloader.deadline_s() == float("inf")
    reloader.request()
    reloader.poll(1000)
    assert events == []
    os.close(reader)


def test_a_refused_version_that_is_saved_again_is_looked_at_again(bench: Bench) -> None:
    """What was refused for a missing mask is taken when it is saved again and the mask is there."""
    edit = bench.text(detection='mask_file = "mask.png"')
    assert names(bench.after_edit(edit)) == ["config.refused"]
    assert cv2.imwrite(str(bench.folder / "mask.png"), np.full((9, 9), 255, np.uint8))
    assert bench.after() == []
    assert names(bench.after_edit(edit)) == ["config.reloaded"]


def test_flags_stay_over_the_file(tmp_path: Path) -> None:
    """What the command line said goes over every version of the file."""
    bench = Bench(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    events: list[LogEvent] = []
    flags = {"drop.folder": str(other)}
    reloader = Reloader(load(bench.path, flags), bench.inbox, events.append, Notifier({}), bench.ledger)
    bench.write(drop='folder = "/tmp"\nsettle_s = 7')
    reloader.request()
    reloader.poll(0)
    drop = reloader.config.settings.drop
    assert (drop.folder, drop.settle_s) == (str(other), 7)
    assert events[0].fields["changed"] == {"drop.settle_s": {"old": 2.0, "new": 7.0}}
    bench.close()


def huge_png() -> bytes:
    """Return a PNG of 70,000 by 70,000 pixels: OpenCV raises instead of saying no."""
    size = (70_000).to_bytes(4, "big")
    chunks = ((b"IHDR", size * 2 + b"\x08\0\0\0\0"), (b"IDAT", zlib.compress(b"\0" * 70_001)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )


@pytest.mark.parametrize("content", [b"", b"no picture", huge_png()], ids=["empty", "text", "giant"])
def test_a_mask_that_is_no_picture_is_refused(bench: Bench, content: bytes) -> None:
    """Whatever stands in a mask file, it ends nobody: the edit that names it is refused."""
    (bench.folder / "mask.png").write_bytes(content)
    said = bench.after_edit(detection='mask_file = "mask.png"')
    assert names(said) == ["config.refused"]
    assert "line 12: detection.mask_file: " in said[0][1]["errors"][0]
    assert cv2.imwrite(str(bench.folder / "mask.png"), np.full((9, 9), 255, np.uint8))
    assert names(bench.after(is_asked=True)) == ["config.reloaded"]


MUTATIONS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 30), st.one_of(st.binary(max_size=12), st.sampled_from(
        [b"[", b"]", b"[[drop]]\n", b'"', b"'''", b"\n", b"=", b"1e999", b"9" * 5000, b"{", b"camera = 5\n",
         b"[camera.x]\n", b"[camera.x.detection]\nblur = 4\n", b"[detection.ignore]\n", b"0x", b"inf", b"[1]",
         b"1979-05-27", b"\xff", b"\xef\xbb\xbf", b"a." * 300, b"[" * 3000]
    ))),
    max_size=4,
)  # fmt: skip


@hypothesis.settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(mutations=MUTATIONS)
@example(mutations=[(0, 400, b"[" * 100_000)])
def test_no_bytes_end_the_daemon(bench: Bench, mutations: list[tuple[int, int, bytes]]) -> None:
    """Whatever bytes are saved as the config, they are taken, or refused in words, or nothing new."""
    data = bench.text(
        detection='min_contour_area = "5px"\nborder_mask = [1, 2, 3, 4]', log='level = "debug"'
    ).encode()
    for at, length, piece in mutations:
        data = data[:at] + piece + data[at + length :]
    bench.path.write_bytes(data)
    said = bench.after(ABANDONED_S + 2)
    assert len(said) <= 1
    for event, fields in said:
        assert event in {"config.reloaded", "config.refused", "config.mended"}
        assert event != "config.refused" or all(map(str.strip, fields["errors"]))
        json.dumps(fields)

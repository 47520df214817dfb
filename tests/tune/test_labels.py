from pathlib import Path

import pytest

from framegate.config.settings import Settings
from framegate.errors import EXIT_USAGE
from framegate.model import Candidate, FileKey, Reason, Verdict
from framegate.tune.labels import Failure, Label, LabelsError, failures, read_labels
from framegate.tune.replay.outcomes import REASONS, Frame, Line, Outcome, Replay


def written(folder: Path, text: str) -> Path:
    (folder / "labels.csv").write_text(text, "utf-8", "surrogateescape")
    return folder / "labels.csv"


def test_labels_are_read_with_their_lines(tmp_path: Path) -> None:
    """Comments, empty lines, a third column and names with commas or broken bytes are read as they stand."""
    text = (
        "# what the owner said\n"
        "frame,expected,within\n"
        "a.jpg,kept,\n"
        "\n"
        '# "quoted\n'
        '"day,1/b.jpg",dropped\n'
        '"#c.jpg",kept,1.5m\n'
        "caf\udce9.jpg, kept ,30s\n"
    )
    assert read_labels(written(tmp_path, text)) == [
        Label("a.jpg", Verdict.KEPT, None, 3),
        Label("day,1/b.jpg", Verdict.DROPPED, None, 6),
        Label("#c.jpg", Verdict.KEPT, 90.0, 7),
        Label("caf\udce9.jpg", Verdict.KEPT, 30.0, 8),
    ]


def test_labels_saved_by_a_spreadsheet_are_read(tmp_path: Path) -> None:
    """A byte order mark, CRLF and no third column change nothing."""
    path = tmp_path / "labels.csv"
    path.write_bytes(b"\xef\xbb\xbfframe,expected\r\na.jpg,kept\r\n")
    assert read_labels(path) == [Label("a.jpg", Verdict.KEPT, None, 2)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("# nothing\n", "it is empty"),
        ("a.jpg,kept\n", "line 1: the header has to be frame,expected"),
        ("frame|expected\na.jpg|kept\n", "line 1: the header has to be frame,expected"),
        ("frame,expected\na.jpg,kept\nb.jpg,keep\n", "line 3: expected is kept or dropped, not 'keep'"),
        ("frame,expected\na.jpg,rejected\n", "line 2: expected is kept or dropped, not 'rejected'"),
        ("frame,expected\na.jpg\n", "line 2: needs a frame and kept or dropped, has 1 columns"),
        ("frame,expected\na,b.jpg,kept,30s\n", "line 2: needs a frame and kept or dropped, has 4 columns"),
        ("frame,expected,within\n#\na.jpg,kept,30\n", "line 3: within: write a time with its unit"),
        ("frame,expected,within\na.jpg,dropped,30s\n", "line 2: within is for frames that are to be kept"),
        ("frame,expected\na.jpg,kept\na.jpg,dropped\n", "line 3: a.jpg has a label already, in line 2"),
        ('frame,expected\n"a.jpg,kept\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_no_label_is_named_by_its_line(tmp_path: Path, text: str, why: str) -> None:
    """Each mistake is one sentence with the file and the line, and an exit code that is no failed check."""
    path = written(tmp_path, text)
    with pytest.raises(LabelsError) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}: {why}")
    assert caught.value.exit_code == EXIT_USAGE


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Labels that are not there are an error, and not no labels."""
    with pytest.raises(LabelsError, match=r"labels\.csv: No such file"):
        read_labels(tmp_path / "labels.csv")


SETTINGS = Settings.model_validate(
    {"version": 1, "drop": {"folder": Path("/d")}, "results": {"folder": Path("/r")}}
)


def replayed(*frames: tuple[str, str, float, Reason]) -> tuple[Replay, Outcome]:
    """Return a replay of frames: name, camera, seconds, and the reason of the verdict."""
    outcome = Outcome.empty(Line("now", SETTINGS), len(frames))
    outcome.reasons[:] = [REASONS.index(reason) for *_, reason in frames]
    candidates = [
        Candidate(FileKey(name, 1, 1), camera, round(at_s * 1e9)) for name, camera, at_s, _ in frames
    ]
    return Replay([Frame(candidate) for candidate in candidates], [outcome]), outcome


def label(frame: str, expected: Verdict, within_s: float | None = None) -> Label:
    return Label(frame, expected, within_s, 1)


def test_what_comes_out_otherwise_is_told_with_both_numbers() -> None:
    """A failure has the score, the threshold, the unit and the reference of the frame."""
    replay, outcome = replayed(("a.jpg", "c1", 0, Reason.FIRST), ("b.jpg", "c1", 9, Reason.UNCHANGED))
    outcome.scores[1], outcome.thresholds[1], outcome.references[1] = 1.7, 2.3, 0
    labels = [label("a.jpg", Verdict.KEPT), label("b.jpg", Verdict.KEPT), label("gone.jpg", Verdict.KEPT)]
    failed, unknown = failures(labels, replay, outcome)
    assert failed == [Failure("b.jpg", Verdict.KEPT, Verdict.DROPPED, 1.7, 2.3, "x", "a.jpg")]
    assert unknown == labels[2:]


def test_a_frame_that_was_compared_with_nothing_fails_without_numbers() -> None:
    """A rejected frame is neither kept nor dropped."""
    replay, outcome = replayed(("a.jpg", "c1", 0, Reason.TORN))
    for expected in (Verdict.KEPT, Verdict.DROPPED):
        failed, _ = failures([label("a.jpg", expected)], replay, outcome)
        assert failed == [Failure("a.jpg", expected, Verdict.REJECTED, None, None, "x", None)]


@pytest.mark.parametrize(
    ("within_s", "is_enough"), [(None, False), (29.0, False), (30.0, True), (31.0, True), (200.0, True)]
)
def test_within_a_time_another_frame_of_the_camera_will_do(within_s: float | None, is_enough: bool) -> None:
    """An event counts as kept when any frame of its camera so near in capture time is, before or after."""
    replay, outcome = replayed(
        ("other.jpg", "c2", 100, Reason.CHANGED),
        ("car.jpg", "c1", 100, Reason.UNCHANGED),
        ("later.jpg", "c1", 130, Reason.CHANGED),
    )
    failed, unknown = failures([label("car.jpg", Verdict.KEPT, within_s)], replay, outcome)
    assert (not failed, unknown) == (is_enough, [])


def test_of_a_name_that_was_judged_twice_the_last_version_counts() -> None:
    """The label is about the file that is there now."""
    replay, outcome = replayed(("a.jpg", "c1", 0, Reason.FIRST), ("a.jpg", "c1", 9, Reason.UNCHANGED))
    assert failures([label("a.jpg", Verdict.DROPPED)], replay, outcome) == ([], [])


@pytest.mark.parametrize("between", [";", "\t"], ids=["semicolons", "tabs"])
def test_labels_are_read_as_spreadsheets_write_them(tmp_path: Path, between: str) -> None:
    """With a byte order mark, other separators, capitals, and a comment before the header."""
    rows = [("frame", "expected", "within"), ("a,b.jpg", "Kept", "30s"), ("c.jpg", "DROPPED", "")]
    lines = "\r\n".join(["# mine, all of them", *(between.join(row) for row in rows)])
    (tmp_path / "labels.csv").write_text("\ufeff" + lines, "utf-8")
    found = read_labels(tmp_path / "labels.csv")
    assert [(each.frame, each.expected, each.within_s) for each in found] == [
        ("a,b.jpg", Verdict.KEPT, 30.0),
        ("c.jpg", Verdict.DROPPED, None),
    ]

import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from forked import framegate
from framegate.config.lines import Location, line_of, line_of_error
from framegate.config.load import load
from framegate.errors import ConfigError

FILE = dedent('''\
    version = 1
    drop.folder = "/a"
    "drop"."include" = [
      "*.jpg",
      "[results]",
      "*.png" # ]
    ]
    [ results ]  # the results
    'folder' = """
    [state]
    folder = 1
    """""
    min_free = \'\'\'
    [log]\'\'\'
    max_age = "1d"
    [detection]
    border_mask = [
      0, 0, 0,
      0
    ]
    blur = 4
    [[detection.ignore]]
    name = "clock"
    polygon = [
      [0.0, 0.0],
      [0.3, 0.0],
      [0.3, 0.05]
    ]
    typo = 1
    [[detection.ignore]]
    name = "flag"
    typo = 2
    [camera."c [21].x".detection]
    blur = 6
    [camera.'a"b'.detection]
    blur = 8
    [metrics]
    listen = { a = 1, b = 2 }
''')


def number_of(line: str) -> int:
    """Return the line that begins so, the only one."""
    (found,) = [number for number, text in enumerate(FILE.split("\n"), 1) if text.startswith(line)]
    return found


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("version",), "version"),
        (("drop", "folder"), "drop.folder"),
        (("drop", "include"), '"drop"'),
        (("drop", "include", 1), '"drop"'),
        (("results", "folder"), "'folder'"),
        (("results", "min_free"), "min_free"),
        (("results", "max_age"), "max_age"),
        (("results", "max_size"), "[ results ]"),
        (("detection", "blur"), "blur = 4"),
        (("detection", "score_threshold"), "[detection]"),
        (("detection", "ignore", 0, "typo"), "typo = 1"),
        (("detection", "ignore", 0, "polygon", 2, 1), "polygon"),
        (("detection", "ignore", 1, "typo"), "typo = 2"),
        (("camera", "c [21].x", "detection", "blur"), "blur = 6"),
        (("camera", 'a"b', "detection", "blur"), "blur = 8"),
        (("camera", 'a"b', "detection", "dilate"), "[camera.'a"),
        (("metrics", "listen", "b"), "listen"),
    ],
    ids=str,
)
def test_a_setting_is_found_wherever_toml_lets_it_stand(location: Location, line: str) -> None:
    """Below tables and arrays of them, dotted or quoted, behind long strings: the line is the setting's."""
    assert line_of(FILE, location) == number_of(line)


@pytest.mark.parametrize("location", [("state", "folder"), ("log", "level"), ("state",), ()], ids=str)
def test_what_does_not_stand_in_the_file_has_no_line(location: Location) -> None:
    """A table that is not there has no line, even where a string in the file looks like one."""
    assert line_of(FILE, location) is None


def test_a_table_that_is_written_through_its_keys_begins_at_the_first() -> None:
    """What is missing in a table that has only dotted keys is said at the first of them."""
    assert line_of("version = 1\n\ndrop.folder = 'a'\ndrop.recursive = true\n", ("drop",)) == 3


def test_a_table_below_an_array_of_tables_belongs_to_its_last_element() -> None:
    """A table that is named below an array of tables is found as part of the element that it is in."""
    text = "[[a.b]]\n[a.b.c]\n[[a.b]]\n[a.b.c]\nx = 1\n"
    assert line_of(text, ("a", "b", 0, "c", "x")) == 2
    assert line_of(text, ("a", "b", 1, "c", "x")) == 5


@pytest.mark.parametrize("odd", ["\u2028", "\x85"], ids=ascii)
def test_only_what_ends_a_line_in_toml_counts_as_a_line(odd: str) -> None:
    """Characters that Python takes for the end of a line, and TOML and editors do not, shift no number."""
    text = f"# a{odd}b\nversion = 2\n"
    assert tomllib.loads(text) == {"version": 2}
    assert line_of(text, ("version",)) == 2


def test_lines_are_counted_in_a_file_of_windows_too() -> None:
    """Line ends of Windows count once."""
    assert line_of("version = 1\r\n[drop]\r\nfolder = 1\r\n", ("drop", "folder")) == 3


PIECES = st.sampled_from(
    [
        "a",
        "b",
        ".",
        " ",
        "=",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        '"',
        "'",
        '"""',
        "'''",
        "\\",
        "\n",
        "#",
        "1",
        "\t",
    ]
)


@settings(deadline=None)  # 0.2 s are soon over on a busy machine
@given(
    st.lists(PIECES, max_size=60).map("".join),
    st.lists(st.one_of(st.just("a"), st.integers(0, 2)), max_size=4),
)
@example('a = """\\""""', ["a"])
@example("a." * 2000 + "a = 1", ["a"])
def test_no_text_breaks_the_search(text: str, location: list[str | int]) -> None:
    """Whatever the text, TOML or not, the answer is one of its lines or none."""
    line = line_of(text, tuple(location))
    assert line is None or 1 <= line <= text.count("\n") + 1


KEYS = st.sampled_from(["a", "b", '"c d"', "'e.f'", '"[g]"'])
VALUES = st.sampled_from(
    [
        "1",
        '"x"',
        '"""\n[a]\nb = 2\n"""',
        "'''\n'''''",
        "[\n [1],\n [2]\n]",
        "[] # [",
        '"#"',
        "{ a = 1 }",
        '"\\""',
    ]
)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, st.lists(KEYS, min_size=1, max_size=3).map(".".join), VALUES),
    st.builds("[{}]".format, st.lists(KEYS, min_size=1, max_size=3).map(" . ".join)),
    st.builds("[[{}]]  # x".format, st.lists(KEYS, min_size=1, max_size=2).map(".".join)),
    st.sampled_from(["", "# [a]"]),
)


def leaves(value: object, above: Location = ()) -> list[Location]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*above, key))]
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [leaf for number, item in enumerate(value) for leaf in leaves(item, (*above, number))]
    return [above]


@given(st.lists(STATEMENTS, max_size=12))
@example(["[[a]]", "[[a.b]]", "'e.f' = 1"])
def test_every_value_of_every_file_is_found_where_it_stands(statements: list[str]) -> None:
    """In any TOML, the line of each value is the line on which the value's own statement begins."""
    text = "\n".join(statements)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    begun, found = 1, set[Location]()
    for number in range(1, text.count("\n") + 2):
        tables_so_far = parsed("\n".join(text.split("\n")[:number]))
        if tables_so_far is None:
            continue  # in the middle of a statement
        for place in set(leaves(tables_so_far)) - found:
            assert line_of(text, place) == begun, place
        found |= set(leaves(tables_so_far))
        begun = number + 1
    assert found == set(leaves(tables))


def parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def test_an_error_that_names_the_end_is_on_the_last_line() -> None:
    """The parser says "at end of document" for what is missing at the end: that is the last line."""
    assert line_of_error("Invalid value (at end of document)", "a = 1\nb =") == 2
    assert line_of_error("Invalid value (at line 7, column 3)", "") == 7


def test_every_problem_of_a_file_is_said_with_its_line(tmp_path: Path) -> None:
    """A refusal names for each problem the line that has to be mended."""
    path = tmp_path / "site.toml"
    path.write_text(
        'version = 1\n[drop]\nfolder = "a"\nsetle_s = 1\n\n[results]\nmin_free = 5\n'
        "[camera.c1.detection]\nblur = 4\n",
        "utf-8",
    )
    with pytest.raises(ConfigError) as refusal:
        load(path)
    assert {(problem.key, problem.line) for problem in refusal.value.problems} == {
        ("drop.setle_s", 4),
        ("results.folder", 6),
        ("results.min_free", 7),
        ("camera.c1.detection.blur", 9),
    }


@pytest.mark.parametrize("command", ["run", "check", "config"])
def test_the_command_line_says_the_line(tmp_path: Path, command: str) -> None:
    """Whichever command refuses a config, it prints file, line and key of what is wrong."""
    path = tmp_path / "site.toml"
    path.write_text('version = 1\n[drop]\nfolder = "a"\nsetle_s = 1\n[results]\nfolder = "b"\n', "utf-8")
    done = framegate(command, "-c", path)
    assert done.returncode == 78
    assert done.stderr == f"{path}: line 4: drop.setle_s: unknown key (did you mean settle_s?)\n"

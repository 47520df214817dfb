import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from readme import README
from regenerate import FILES, generated

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("test_*.py"))
VISIBLE = {"pyproject.toml", "README.md", "src", "tests", "systemd", "config.example.toml"}
MOST_LINES = 320
MOST_MODULES = 12
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "manager", "misc", "common"}
REGISTRIES = re.compile(r"pypi\.org|pythonhosted|registry\.npmjs|debian\.org|index-url", re.IGNORECASE)


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [Path(name) for name in done.stdout.split("\0") if name]


def test_the_top_level_is_bare() -> None:
    """Nothing but the six entries, and dot-files, stands at the top of the repository."""
    assert {path.parts[0] for path in tracked() if not path.parts[0].startswith(".")} <= VISIBLE


def test_a_room_fits_on_a_few_screens() -> None:
    """No module is longer than a few screens, and none is named for having no idea of its own."""
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert [(path, count) for path, count in lines.items() if count > MOST_LINES] == []
    assert [path for path in SOURCES if path.stem in EMPTY_WORDS] == []


def test_no_folder_is_a_hall() -> None:
    """A folder has at most a dozen modules, and with the folders below it at most a quarter of the lines."""
    package = REPOSITORY / "src" / "framegate"
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    for folder in {path.parent for path in SOURCES}:
        modules = [
            path for path in SOURCES if path.parent == folder and path.stem not in {"__init__", "__main__"}
        ]
        assert len(modules) <= MOST_MODULES, folder
        below = sum(size for path, size in lines.items() if path.is_relative_to(folder))
        assert folder == package or below <= sum(lines.values()) / 4, folder


def test_every_test_states_its_promise() -> None:
    """Every test has a docstring of one sentence, and none sleeps."""
    without = []
    for path in TESTS:
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                promise = ast.get_docstring(node) or ""
                if not re.fullmatch(r"\S.*[.:]", promise, re.DOTALL):
                    without.append(f"{path.name}: {node.name} promises nothing")
        if re.search(r"\bsleep\(", re.sub(r'".*?"', "", text)):
            without.append(f"{path.name} sleeps")
    assert without == []


def test_the_licence_is_where_the_package_says() -> None:
    """The files that pyproject.toml gives as the licence are there, with the text of the licence it names."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    (text,) = [(REPOSITORY / name).read_text("utf-8") for name in project["license-files"]]
    assert text.startswith(f"{project['license']} License\n")


def test_no_registry_is_named() -> None:
    """No file says where packages come from."""
    for path in tracked():
        full = REPOSITORY / path
        if (
            full.is_file()
            and full.suffix in {".py", ".toml", ".md", ".yml", ".yaml", ".service", ".conf", ""}
            and full != Path(__file__)
        ):
            assert not REGISTRIES.search(full.read_text("utf-8", "replace")), path


def test_what_is_generated_is_as_it_would_be_generated_now() -> None:
    """What ``tests/regenerate.py`` writes is there: tables, the example config, man page, completions."""
    readme = README.read_text("utf-8")
    assert readme == generated(readme)
    for path, text in FILES.items():
        assert path.read_text("utf-8") == text(), path


def test_the_readme_names_tests_and_rooms_that_exist() -> None:
    """Every test, and every room, that the README names is there."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)`", readme)
    assert named
    rooms = re.findall(
        r"^\| ((?:`[\w/]+(?:\.py)?/?`(?:, )?)+) \|", readme.partition("## The rooms")[2], re.MULTILINE
    )
    named += [f"src/framegate/{room}" for cell in rooms for room in re.findall(r"`([^`]+)`", cell)]
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def test_the_readme_names_every_reason() -> None:
    """Every reason of a verdict is explained in the README."""
    from framegate.model import Reason

    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert [reason for reason in Reason if f"`{reason}`" not in readme] == []

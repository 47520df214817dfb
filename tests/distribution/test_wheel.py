"""The wheel and the source archive: built, checked, installed alone and used."""

import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import framegate
from conftest import REPOSITORY
from distribution.wheels import PROJECT
from framegate.commands.demo.scene import Lot
from readme import README
from regenerate import FILES, SHARE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distribution")]

VERSION = PROJECT["project"]["version"]
NOT_OURS = re.compile(r"__pycache__|\.pyc$")


def build(source: Path, out: Path, *which: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *which, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Built:
    """What a build has made."""

    wheel: Path
    archive: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The archive, and the wheel that is made from it."""
    out = tmp_path_factory.mktemp("dist")
    build(REPOSITORY, out)
    return Built(out / f"framegate-{VERSION}-py3-none-any.whl", out / f"framegate-{VERSION}.tar.gz")


@pytest.fixture(scope="module")
def unpacked(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built.archive) as archive:
        archive.extractall(home, filter="data")
    return home / f"framegate-{VERSION}"


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which only the wheel is installed; what it requires is found in this test run's."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python")]
    subprocess.run(
        [*pip, "install", "-q", "--no-deps", "--no-index", str(built.wheel)], check=True, timeout=120
    )
    (packages,) = home.glob("lib/python3*/site-packages")
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return home


def run(home: Path, *words: object, code: int = 0) -> str:
    """Run the installed command outside the checkout; return what it prints."""
    done = subprocess.run(
        [home / "bin" / "framegate", *map(str, words)], cwd=home, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_an_index_would_take_them(built: Built) -> None:
    """Twine finds no fault in the metadata, nor in the README as a page of an index."""
    command = [
        sys.executable,
        "-m",
        "twine",
        "--no-color",
        "check",
        "--strict",
        str(built.wheel),
        str(built.archive),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_readme_links_to_nothing_beside_it() -> None:
    """Each picture and link of the README is a full address or a heading; an index has no file beside it."""
    targets = re.findall(r"\]\(([^)\s]+)\)", README.read_text("utf-8"))
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    inside = "https://github.com/framegate/framegate/"
    named = [target.removeprefix(inside).split("/", 2)[2] for target in targets if target.startswith(inside)]
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []


def test_two_builds_are_equal_to_the_byte(built: Built, unpacked: Path, tmp_path: Path) -> None:
    """Built again, from the checkout or from the archive, archive and wheel are the same bytes."""
    build(REPOSITORY, tmp_path / "straight", "--wheel")
    build(unpacked, tmp_path / "again", "--sdist", "--wheel")
    for name in ("straight", "again"):
        assert (tmp_path / name / built.wheel.name).read_bytes() == built.wheel.read_bytes()
    assert (tmp_path / "again" / built.archive.name).read_bytes() == built.archive.read_bytes()


def test_the_wheel_has_the_package_and_nothing_of_the_tests(built: Built) -> None:
    """Every file of the package is in it, the weights, the page and the mark of types; and those of share."""
    names = set(zipfile.ZipFile(built.wheel).namelist())
    data, info = f"framegate-{VERSION}.data/data/share/", f"framegate-{VERSION}.dist-info/"
    source = REPOSITORY / "src"
    package = {
        path.relative_to(source).as_posix()
        for path in (source / "framegate").rglob("*")
        if path.is_file() and not NOT_OURS.search(str(path))
    }
    assert {name for name in names if name.startswith("framegate/")} == package
    assert "framegate/py.typed" in package
    assert "framegate/detect/adaptive/neighbourhood.npz" in package
    shared = {path.relative_to(SHARE).as_posix() for path in FILES if path.is_relative_to(SHARE)}
    assert {name.removeprefix(data) for name in names if name.startswith(data)} == shared
    assert {name for name in names if not name.startswith(("framegate/", data, info))} == set()
    assert f"{info}licenses/.github/LICENSE" in names


def test_the_archive_has_what_its_tests_need(unpacked: Path) -> None:
    """The house's own tests, which read nearly every file, pass in the unpacked archive."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "tests/test_house.py",
    ]
    done = subprocess.run(
        [*command, "tests/systemd/test_units.py", "tests/config/test_docs.py"],
        cwd=unpacked,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (".ci/run", ".container/Containerfile", ".github/workflows/ci.yml"):
        assert (unpacked / name).is_file(), name


def test_it_says_its_version_in_one_voice(installed: Path) -> None:
    """The command, the metadata and the man page say the version that pyproject.toml says."""
    assert run(installed, "--version") == f"framegate {VERSION}\n"
    python = [
        str(installed / "bin" / "python"),
        "-c",
        "import framegate; print(framegate.__version__, framegate.__file__)",
    ]
    said, place = subprocess.run(
        python, cwd=installed, capture_output=True, text=True, check=True
    ).stdout.split()
    assert said == framegate.__version__ == VERSION
    assert Path(place).is_relative_to(installed)
    assert f'"framegate {VERSION}"' in (installed / "share" / "man" / "man1" / "framegate.1").read_text(
        "utf-8"
    )


def test_it_works_alone(installed: Path, tmp_path: Path) -> None:
    """Outside the checkout it judges a folder, writes a page, checks a config, and shows the demo."""
    lot = Lot(width=320, height=180)
    (tmp_path / "in").mkdir()
    for number in range(4):
        lot.parked = {1: 0, 4: 1} if number < 2 else {1: 0, 4: 1, 2: 5}
        (tmp_path / "in" / f"{number}.jpg").write_bytes(lot.jpeg())
    (tmp_path / "out").mkdir()
    run(installed, "scan", tmp_path / "in", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.jpg", "2.jpg"}
    run(installed, "report", tmp_path / "in", "--no-cache", "-o", tmp_path / "report.html")
    assert "<!doctype html>" in (tmp_path / "report.html").read_text("utf-8")[:100].lower()
    config = tmp_path / "lot1.toml"
    config.write_text(
        f"version = 1\n[drop]\nfolder = '{tmp_path}/in'\n[results]\nfolder = '{tmp_path}/out'\n"
        f"min_free = '1MB'\n[state]\nfolder = '{tmp_path}/state'\n",
        "utf-8",
    )
    assert "error" not in run(installed, "check", "-c", config)
    run(installed, "demo")

"""An image to build upon, made of this machine's own Python: a registry of images may be out of reach."""

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

SHELL = Path("/bin/sh")


def make_root(root: Path) -> None:
    """Make a system that has Python, a shell, and what the packages of this test run link to."""
    root.mkdir()
    for folder in map(Path, ("/bin", "/lib", "/lib64")):
        if folder.is_symlink():  # into /usr, as on most systems
            (root / folder.name).symlink_to(folder.readlink())
            (root / folder.readlink()).mkdir(parents=True)
    prefix = Path(sys.base_prefix)
    programs = [Path(sys.executable).resolve(), SHELL]
    if prefix != Path("/usr"):
        _copy(root, [prefix / "bin", *_standard_library(prefix)])
    else:
        _copy(root, [programs[0], *_standard_library(prefix), *Path("/usr/share").glob("python-wheels")])
    extensions = [
        *Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so"),
        *Path(sysconfig.get_path("purelib")).rglob("*.so*"),
    ]
    own = (prefix, Path(sys.prefix))
    libraries = [
        path
        for path in _linked([*programs, *extensions])
        if prefix == Path("/usr") or not any(path.is_relative_to(folder) for folder in own)
    ]
    _copy(root, [SHELL, *libraries])
    (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
    (root / "usr/local/bin/python3").symlink_to(programs[0])
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


def _standard_library(prefix: Path) -> Iterator[Path]:
    yield Path(sysconfig.get_path("stdlib"))
    yield from prefix.glob("lib/libpython*.so*")


def _linked(files: Iterable[Path]) -> set[Path]:
    """Return the shared libraries of files; ldd exits with 1 where one of them is no ELF file."""
    done = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False)
    words = (word for line in done.stdout.splitlines() for word in line.split())
    return {Path(word) for word in words if word.startswith("/") and not word.endswith(":")}


def _copy(root: Path, paths: Iterable[Path]) -> None:
    """Copy files and folders to their own places below a root, and where their names lead."""
    left_out = (
        "--exclude=__pycache__",
        "--exclude=site-packages",
        "--exclude=test",
        "--exclude=dist-packages",
    )
    names = {str(each).lstrip("/") for path in paths for each in (path, path.resolve())}
    command = ["tar", "--create", "--directory=/", *left_out, *sorted(names)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as packing:
        into = f"--directory={root}"
        subprocess.run(
            ["tar", "--extract", into, "--keep-directory-symlink"], stdin=packing.stdout, check=True
        )
    assert packing.returncode == 0

"""Wheels of framegate's requirements, for what is built and installed without a registry."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))


def download_requirements(folder: Path) -> None:
    """Download wheels of what a build, and an install with [metrics], needs; skip where that cannot be."""
    project = PROJECT["project"]
    wanted = [*PROJECT["build-system"]["requires"], *project["dependencies"]]
    wanted += project["optional-dependencies"]["metrics"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--only-binary=:all:",
        "-d",
        str(folder),
        *wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the wheels cannot be had: {done.stderr.strip().splitlines()[-1]}")

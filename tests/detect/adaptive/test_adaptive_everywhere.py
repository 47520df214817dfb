"""The same frames give the same scores and the same learnt bytes, whatever a processor can do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detect.adaptive.walk import walked

OPENCV_FEATURES = [name[1:] for name in cv2.getCPUFeaturesLine().split() if name.startswith("*")]
"""What this build of OpenCV has code of its own for, and this processor can do."""

NUMPY_FEATURES: list[str] = np.show_config("dicts")["SIMD Extensions"].get("found", [])

CORES = {"Prescott": "pni", "Nehalem": "sse4_2", "Haswell": "avx2", "SkylakeX": "avx512f"}
"""Kinds of core whose order OpenBLAS can add up in, with what a processor must have to run its code."""


def _core(kind: str) -> dict[str, str]:
    """Let OpenBLAS add up as on a kind of core, if this processor can."""
    flags = Path("/proc/cpuinfo").read_text("ascii", "replace").split()
    return {"OPENBLAS_CORETYPE": kind} if CORES[kind] in flags else {}


BARE_OPENCV = {"OPENCV_CPU_DISABLE": ",".join([*OPENCV_FEATURES, "FMA3"])}
WITHOUT_IPP = {"OPENCV_IPP": "disabled"}
BARE_NUMPY = {"NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY_FEATURES)} if NUMPY_FEATURES else {}
ONE_THREAD = {"OPENCV_FOR_THREADS_NUM": "1", "OPENBLAS_NUM_THREADS": "1"}
FOUR_THREADS = {"OPENCV_FOR_THREADS_NUM": "4", "OPENBLAS_NUM_THREADS": "4"}

PROCESSES: dict[str, dict[str, str]] = {
    "plain OpenCV, one thread": BARE_OPENCV | ONE_THREAD | _core("SkylakeX"),
    "no IPP, four threads": WITHOUT_IPP | FOUR_THREADS | _core("Prescott"),
    "plain numpy": BARE_NUMPY | _core("Haswell"),
    "all of it": BARE_OPENCV | WITHOUT_IPP | BARE_NUMPY | FOUR_THREADS | _core("Nehalem"),
}
"""What each process does otherwise; each adds up products in the order of another kind of core."""


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """What this process makes of the frames."""
    return walked()


@pytest.mark.parametrize("process", PROCESSES)
def test_another_process_comes_to_the_same(here: dict[str, Any], process: str) -> None:
    """Without vector instructions, with other libraries' choices and threads, all is the same to the bit."""
    changes = PROCESSES[process]
    child = subprocess.run(
        [sys.executable, "-W", "error", "-m", "detect.adaptive.walk"],
        cwd=Path(__file__).parents[2],
        env=os.environ | changes,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    there = json.loads(child.stdout)
    assert there["walked"] == here
    if "OPENCV_CPU_DISABLE" in changes:
        left = [name for name in there["features"].split() if name[0] == "*" and name[-1] != "?"]
        assert left == [], "they are switched on"

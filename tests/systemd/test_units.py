"""The files in systemd/, as systemd's own tools see them."""

import re
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path

import pytest

from disks import need
from readme import commands

REPOSITORY = Path(__file__).resolve().parents[2]
UNITS = REPOSITORY / "systemd"
UNIT, WEB_UNIT = UNITS / "framegate@.service", UNITS / "framegate-web@.service"
MOST_EXPOSURE = 15
"""Tenths: systemd's own scale goes to 100, for a unit that says nothing."""

EXPLAINED = re.findall(
    r"\w+",
    """After Type ExecReload WatchdogSec TimeoutStopSec KillMode User UMask ProtectSystem ReadWritePaths
ProtectHome PrivateTmp AmbientCapabilities PrivateNetwork ProcSubset MemoryMax OOMPolicy TasksMax LimitNOFILE
Nice LogRateLimitIntervalSec StartLimitIntervalSec""",
)
"""What an operator may have to relax, or may wonder about."""

EXPLAINED_OF_THE_PAGE = re.findall(
    r"\w+",
    """After ExecStart DynamicUser RuntimeDirectory ProtectSystem ProtectHome PrivateTmp
RestrictAddressFamilies ProcSubset MemoryMax TasksMax LimitNOFILE Nice""",
)


@pytest.fixture(params=[UNIT, WEB_UNIT], ids=["daemon", "page"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Each unit of a site, whose program is there: the real one is in /opt only after an install."""
    program = tmp_path / "framegate"
    program.touch(0o755)
    template: Path = request.param
    unit = tmp_path / template.name.replace("@", "@lot1")
    unit.write_text(
        template.read_text("utf-8").replace("/opt/framegate/bin/framegate", str(program)), "utf-8"
    )
    return unit


def analyze(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    need("systemd-analyze")
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, timeout=30)


def comment_above(key: str, unit: Path) -> list[str]:
    """Return the lines of comment above the block of lines in which a key is set."""
    lines = unit.read_text("utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{key}="))
    block = list(takewhile(bool, reversed(lines[:at])))
    return [line for line in block if line.startswith("#")]


def test_systemd_finds_no_fault_in_the_unit(instance: Path) -> None:
    """All of each unit is known to systemd 252 and later."""
    done = analyze("verify", "--man=no", instance)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_is_hardened(instance: Path) -> None:
    """What the service could do beyond its work counts 1.5 of 10 at most, in systemd's own measure."""
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", instance)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_is_no_notify_reload() -> None:
    """What systemd 252 would take for Type=simple stands in a drop-in, not in the unit."""
    settings = UNIT.read_text("utf-8").splitlines()
    assert "Type=notify" in settings
    assert "Type=notify-reload" in (UNITS / "notify-reload.conf").read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    ("unit", "key"),
    [*((UNIT, key) for key in EXPLAINED), *((WEB_UNIT, key) for key in EXPLAINED_OF_THE_PAGE)],
    ids=lambda value: value if isinstance(value, str) else value.stem,
)
def test_a_line_that_may_have_to_change_says_why_it_stands_there(unit: Path, key: str) -> None:
    """Each line that an operator may have to relax has a comment above it."""
    assert comment_above(key, unit)


def test_the_page_can_write_nothing() -> None:
    """The page's service has no user that owns anything, no capability, and no place to write."""
    settings = WEB_UNIT.read_text("utf-8").splitlines()
    assert {"DynamicUser=yes", "ProtectSystem=strict", "CapabilityBoundingSet="} <= set(settings)
    assert not [line for line in settings if line.startswith(("ReadWritePaths", "StateDirectory", "User="))]


def test_systemd_makes_the_user_and_the_shared_group(tmp_path: Path) -> None:
    """The user framegate is made a member of the uploaders' group."""
    need("systemd-sysusers")
    shutil.copytree(UNITS / "sysusers.d", tmp_path / "etc" / "sysusers.d")
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "framegate.conf"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    groups = (tmp_path / "etc" / "group").read_text("ascii")
    assert re.search(r"^cameras:x:\d+:framegate$", groups, re.MULTILINE)


def test_the_readme_installs_files_that_exist() -> None:
    """Every file of the repository that the README's commands name is there, and every unit file is named."""
    text = "\n".join(commands("service") + commands("site") + commands("notify-network"))
    assert "framegate-web@lot1" in commands("web")[-1]
    named = set(re.findall(r"(?<= )(systemd/\S+|config\.example\.toml)", text))
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []
    shipped = {str(path.relative_to(REPOSITORY)) for path in UNITS.rglob("*") if path.is_file()}
    assert shipped - named == {"systemd/notify-reload.conf"}


@pytest.mark.parametrize("unit", [UNIT, WEB_UNIT], ids=["daemon", "page"])
def test_the_readme_names_the_place_that_the_unit_starts(unit: Path) -> None:
    """The program that a unit starts is where the README's commands install it."""
    (program,) = re.findall(r"^ExecStart=(\S+)", unit.read_text("utf-8"), re.MULTILINE)
    assert program == "/opt/framegate/bin/framegate"
    assert "python3 -m venv /opt/framegate &&" in commands("service")[0]

import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client", reason="the extra framegate[metrics] is not installed")

from prometheus_client.parser import text_string_to_metric_families

import framegate
from conftest import REPOSITORY
from framegate.commands.status import status_of
from framegate.config.load import load
from framegate.events.base import LogEvent
from framegate.events.frames import FrameDecided
from framegate.ingest.pending import Pending
from framegate.model import Entry, FileKey, Reason
from framegate.preflight.preflight import check_surroundings
from framegate.telemetry.counters import Counters
from framegate.telemetry.current_status import current_status
from framegate.telemetry.metrics import METRICS, Metrics
from framegate.telemetry.status import Status, Totals, Vitals
from oracle import CAMERAS, DETECTION, shot, upload
from running import Site, running, started, wait_until
from stepping import Stepped


@pytest.fixture
def port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode("utf-8"))


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def of(text: str, name: str, **labels: str) -> float:
    return values(text)[name, frozenset(labels.items())]


def shown_by(status: Status) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the metrics that a status has to give, but for the histogram, from its own fields."""
    shown: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for name, camera in status.cameras.items():
        here = frozenset({("camera", name)})
        for reason, count in camera.reasons.items():
            labels = here | {("verdict", str(reason.verdict)), ("reason", str(reason))}
            shown["framegate_frames_total", labels] = count
        shown["framegate_late_frames_total", here] = camera.late
        shown["framegate_pending_frames", here] = camera.pending
        shown["framegate_oldest_pending_age_seconds", here] = camera.oldest_pending_s or 0
        shown["framegate_camera_frozen", here] = float(camera.frozen_s is not None)
        shown["framegate_camera_clock_wrong", here] = float(camera.clock_fault is not None)
        if camera.last_frame is not None:
            shown["framegate_last_frame_timestamp_seconds", here] = camera.last_frame.decided_at_s
        if camera.last_kept is not None:
            shown["framegate_last_kept_timestamp_seconds", here] = camera.last_kept.decided_at_s
    alone: dict[str, float] = {
        "uptime_seconds": status.uptime_s,
        "intake_paused": status.paused is not None,
        "archive_refused": status.archive_refused is not None,
        "drop_folder_absent": status.is_absent,
        "config_last_reload_successful": not status.config_refused,
        "config_last_reload_success_timestamp_seconds": status.config_loaded_at,
        "config_revision": status.config_revision or 0,
        "results_free_bytes": status.results_free_bytes or 0,
        "watch_inotify": status.watch == "inotify",
        "watch_rebuilds_total": status.watch_rebuilds,
        "watch_overflows_total": status.watch_overflows,
        "found_by_sweep_total": status.found_by_sweep,
        "log_lines_lost_total": status.log_lines_lost,
        "unmatched_files": status.unmatched_files,
        "unread_times": status.unread_times,
        "unread_cameras": status.unread_cameras,
    }
    shown |= {(f"framegate_{name}", frozenset[tuple[str, str]]()): float(v) for name, v in alone.items()}
    shown["framegate_build_info", frozenset({("version", framegate.__version__)})] = 1
    return shown


def entry(name: str, reason: Reason, at_s: int) -> Entry:
    return Entry(FileKey(name, 1, 0), "c1", 0, reason, at_s * 10**9, 1, score=1.0)


@pytest.mark.parametrize("is_well", [True, False])
def test_every_number_of_the_file_is_the_statuss(tmp_path: Path, is_well: bool) -> None:
    """Each metric has the value of its field, whether all is well or nothing is."""
    counters = Counters(
        {("c1", Reason.CHANGED): 5, ("c1", Reason.EMPTY): 2, ("c2", Reason.FIRST): 1}, late={"c1": 3}
    )
    counters(FrameDecided(entry("a.jpg", Reason.CHANGED, 1000), 12.0))
    counters(FrameDecided(entry("b.jpg", Reason.UNCHANGED, 1007), 700.0))
    well = Vitals(pid=1, uptime_s=77.5, watch="inotify", config_revision=3, results_free_bytes=123_456_789)
    ill = Vitals(
        uptime_s=3.0, paused="full", is_absent=True, watch="poll", watch_rebuilds=2, watch_overflows=4,
        found_by_sweep=8, config_refused=("line 3",), config_loaded_at=1_700_000_000.0,
        results_free_bytes=1, log_lines_lost=16, archive_refused="full",
    )  # fmt: skip
    status = current_status(
        counters, well if is_well else ill, {"c2": Pending(3, 60.0)}, 100.0, {} if is_well else {"c1": 7.0}
    )
    metrics = Metrics(counters.durations, None, str(tmp_path / "a.prom"), list[LogEvent]().append)
    metrics.show(status, 0.0)
    written = values((tmp_path / "a.prom").read_text("utf-8"))
    histogram = {key: value for key, value in written.items() if "duration" in key[0]}
    assert written == {**shown_by(status), **histogram}
    assert histogram["framegate_frame_duration_seconds_bucket", frozenset({("le", "0.025")})] == 1
    assert histogram["framegate_frame_duration_seconds_sum", frozenset()] == pytest.approx(0.712)


def test_the_file_and_the_command_show_the_same(site: Site) -> None:
    """What node_exporter reads is what `status --json` prints: counts, ages and free space."""
    textfile = site.home / "framegate.prom"
    site.configure(
        drop=f"give_up_s = 600\n{CAMERAS}", detection=DETECTION, rest=f'[metrics]\ntextfile = "{textfile}"'
    )
    daemon = Stepped(site)
    daemon.start()
    for number, scene in enumerate([0, 0, 1, None]):
        upload(shot(number, scene, camera="c1"), site.drop)
    (site.drop / "c2_cut.jpg").write_bytes(shot(9, 0).data[:700])
    daemon.go(40)
    text = textfile.read_text("utf-8")
    status = status_of(site.config, lambda: load(site.config))
    daemon.stop()
    assert status.totals == Totals(seen=5, kept=2, dropped=1, rejected=1, pending=1)
    ages = ("uptime", "age", "free_bytes")
    for key, value in shown_by(status).items():
        room = 16 if "seconds" in key[0] else 1e9 if "free" in key[0] else 0
        exact = not any(age in key[0] for age in ages)
        assert values(text)[key] == pytest.approx(value, abs=1e-6 if exact else room, rel=0)
    assert of(text, "framegate_oldest_pending_age_seconds", camera="c2") > 10


def test_prometheus_gets_what_happens(site: Site, port: int) -> None:
    """A verdict, a refused edit and a mended one are at the address within seconds."""
    site.configure(drop=CAMERAS, detection=DETECTION, rest=f'[metrics]\nlisten = "127.0.0.1:{port}"')
    with running(site) as daemon:
        upload(shot(0, 0, camera="c1"), site.drop)
        upload(shot(1, 0, camera="c1"), site.drop)
        daemon.wait_for_verdicts(2)
        wait_until(lambda: "unchanged" in scraped(port))
        assert of(scraped(port), "framegate_frame_duration_seconds_count") == 2
        good = site.config.read_text("utf-8")
        loaded_at = of(scraped(port), "framegate_config_last_reload_success_timestamp_seconds")
        site.config.write_text(good + "wrong = 1\n", "utf-8")
        wait_until(lambda: of(scraped(port), "framegate_config_last_reload_successful") == 0)
        assert of(scraped(port), "framegate_config_last_reload_success_timestamp_seconds") == loaded_at
        site.config.write_text(good, "utf-8")
        wait_until(lambda: of(scraped(port), "framegate_config_last_reload_successful") == 1)
        assert of(scraped(port), "framegate_config_last_reload_success_timestamp_seconds") > loaded_at
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("config.unchanged")


def test_a_file_that_cannot_be_written_is_said_once(site: Site) -> None:
    """A missing folder is one warning, and one line when it is there; the daemon goes on meanwhile."""
    textfile = site.home / "later" / "framegate.prom"
    site.configure(rest=f'[metrics]\ntextfile = "{textfile}"')
    daemon = Stepped(site)
    daemon.start()
    daemon.go(100)
    assert (daemon.count("output.unwritable"), daemon.count("output.restored")) == (1, 0)
    textfile.parent.mkdir()
    daemon.go(100)
    assert (daemon.count("output.unwritable"), daemon.count("output.restored")) == (1, 1)
    assert of(textfile.read_text("utf-8"), "framegate_uptime_seconds") > 100
    assert list(textfile.parent.iterdir()) == [textfile]
    daemon.stop()


@pytest.mark.parametrize(("is_there", "grade"), [(True, "ok"), (False, "warning")])
def test_check_looks_at_the_folder_of_the_file(site: Site, is_there: bool, grade: str) -> None:
    """`check` warns of a folder that is missing, before a daemon does."""
    folder = site.home / "collector"
    if is_there:
        folder.mkdir()
    site.configure(rest=f'[metrics]\ntextfile = "{folder}/framegate.prom"')
    (finding,) = [
        finding for finding in check_surroundings(load(site.config)) if finding.key == "metrics.textfile"
    ]
    assert finding.grade == grade
    assert str(folder) in finding.message


def alert_rules() -> str:
    """Return the rules that the README offers."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    (rules,) = re.findall(r"^```yaml\n(groups:\n.*?)^```", readme, re.MULTILINE | re.DOTALL)
    return str(rules)


def test_the_readmes_alarms_name_metrics_that_exist() -> None:
    """Every metric of ours in a rule is served under that name, and each rule has what an alarm needs."""
    rules = alert_rules()
    served = {f"{name}_total" if kind == "counter" else name for name, (kind, _, _) in METRICS.items()}
    named = set(re.findall(r"framegate_\w+", rules))
    assert named <= served
    assert named >= {
        "framegate_intake_paused", "framegate_oldest_pending_age_seconds", "framegate_uptime_seconds",
        "framegate_last_frame_timestamp_seconds", "framegate_config_last_reload_successful",
        "framegate_log_lines_lost_total",
    }  # fmt: skip
    assert rules.count("- alert:") == rules.count("expr:") == rules.count("summary:")


def test_promtool_takes_the_readmes_alarms(tmp_path: Path) -> None:
    """Prometheus's own checker finds nothing wrong with the rules."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    (tmp_path / "framegate.yml").write_text(alert_rules(), "utf-8")
    command = [promtool, "check", "rules", str(tmp_path / "framegate.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_has_every_metric(site: Site, port: int) -> None:
    """Each metric that the README's table is made of is served, with its type."""
    site.configure(rest=f'[metrics]\nlisten = "127.0.0.1:{port}"')
    with running(site):
        wait_until(lambda: "framegate_uptime_seconds" in scraped(port))
        families = {family.name: family.type for family in text_string_to_metric_families(scraped(port))}
    assert families == {name: kind for name, (kind, _, _) in METRICS.items()}


def test_an_address_in_use_ends_the_start_in_words(site: Site, port: int) -> None:
    """A port that somebody has is a problem of the config, named with the address."""
    site.configure(rest=f'[metrics]\nlisten = "127.0.0.1:{port}"')
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(AssertionError, match=f"metrics.listen: 127.0.0.1:{port}: "), started(site):
            pass


def test_a_label_cannot_break_the_format(site: Site, port: int) -> None:
    """A camera is a name from outside: quotes, backslashes and line ends in it are escaped."""
    nasty = 'c"\\\n1'
    site.configure(
        drop="camera_pattern = '(?s)^(?P<camera>c.*)_'",
        detection=DETECTION,
        rest=f'[metrics]\nlisten = "127.0.0.1:{port}"',
    )
    with running(site) as daemon:
        (site.drop / "part").write_bytes(shot(0, 0).data)
        Path(site.drop / "part").rename(site.drop / f"{nasty}_0.jpg")
        daemon.wait_for_verdicts(1)
        wait_until(lambda: "first" in scraped(port))
        labels = {"camera": nasty, "verdict": "kept", "reason": "first"}
        assert of(scraped(port), "framegate_frames_total", **labels) == 1

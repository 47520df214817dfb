import re
import socket
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client", reason="the extra framegate[metrics] is not installed")

from prometheus_client.parser import text_string_to_metric_families

from conftest import REPOSITORY
from framegate.service.metrics import METRICS
from oracle import CAMERAS, DETECTION, shot, upload
from running import Site, running, started, wait_until


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


def test_metrics_are_served_and_written(site: Site, port: int) -> None:
    """Prometheus and node_exporter get the same numbers, and they are the verdicts' numbers."""
    textfile = site.home / "framegate.prom"
    metrics = f'[metrics]\nlisten = "127.0.0.1:{port}"\ntextfile = "{textfile}"'
    site.configure(drop=CAMERAS, detection=DETECTION, rest=metrics)
    with running(site) as daemon:
        for number, scene in enumerate([0, 0, 1, None]):
            upload(shot(number, scene, camera="c1"), site.drop)
        daemon.wait_for_verdicts(4)
        reasons = {"camera": "c1", "verdict": "dropped", "reason": "unchanged"}
        wait_until(lambda: "unchanged" in scraped(port))
        text = scraped(port)
        assert of(text, "framegate_frames_total", **reasons) == 1
        assert of(text, "framegate_frame_duration_seconds_count") == 4
        assert of(text, "framegate_config_last_reload_successful") == 1
        assert of(text, "framegate_watch_inotify") == 1
        assert of(text, "framegate_pending_frames", camera="c1") == 0
        site.config.write_text(site.config.read_text("utf-8") + "wrong = 1\n", "utf-8")
        daemon.wait_for("config.refused")
        wait_until(lambda: of(scraped(port), "framegate_config_last_reload_successful") == 0)
        wait_until(lambda: textfile.exists() and "framegate_uptime_seconds" in textfile.read_text("utf-8"))
    assert values(textfile.read_text("utf-8")).keys() <= values(text).keys() | {
        key for key in values(textfile.read_text("utf-8")) if key[0].startswith("framegate_")
    }


def test_the_readme_has_every_metric(site: Site, port: int) -> None:
    """The README's table of metrics is what the program serves: name, type, labels."""
    site.configure(rest=f'[metrics]\nlisten = "127.0.0.1:{port}"')
    with running(site):
        wait_until(lambda: "framegate_uptime_seconds" in scraped(port))
        families = {family.name: family.type for family in text_string_to_metric_families(scraped(port))}
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(framegate_\w+?)(?:_total)?` \| (\w+) \| (.*?) \|", readme, re.MULTILINE)
    assert {name: kind for name, kind, _ in rows} == {name: kind for name, (kind, _, _) in METRICS.items()}
    labels = {name: tuple(re.findall(r"`(\w+)`", cell)) for name, _, cell in rows}
    assert labels == {name: labels for name, (_, _, labels) in METRICS.items()}
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

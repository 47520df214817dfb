from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framegate.commands.demo.scene import Lot
from framegate.config.load import load
from framegate.ingest.sweeping import candidates_of
from framegate.model import Origin, Reason
from running import Site
from stepping import Stepped


@pytest.fixture
def stepped(site: Site) -> Iterator[Stepped]:
    """A daemon over a folder with one frame, and another file beside the folder."""
    (site.drop / "a.jpg").write_bytes(Lot(width=160, height=90).jpeg())
    (site.home / "outside.jpg").write_bytes(b"x")
    daemon = Stepped(site)
    yield daemon
    if daemon.daemon is not None:
        daemon.stop()


def renew(stepped: Stepped, name: str, target: str | Path, *, is_heard: bool = True) -> None:
    """Make a link, or make it anew, as Motion does with each snapshot."""
    link = stepped.site.drop / name
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    if is_heard:
        stepped.hint(name, Origin.CREATED)


def rejected(stepped: Stepped) -> list[tuple[str, Reason]]:
    verdicts = [event.entry for event in stepped.verdicts()]
    return [(entry.key.name, entry.reason) for entry in verdicts if not entry.reason.is_kept]


@pytest.mark.parametrize(
    "target",
    [
        lambda _drop: "a.jpg",
        lambda drop: drop / "a.jpg",
        lambda _drop: "first.jpg",
        lambda _drop: "comes-soon.jpg",
        lambda _drop: "day/../a.jpg",
        lambda _drop: "lastsnap.jpg",
    ],
    ids=["relative", "absolute", "over-another", "dangling", "dotted", "itself"],
)
def test_a_link_to_a_frame_in_the_folder_is_no_news(
    stepped: Stepped, target: Callable[[Path], str | Path]
) -> None:
    """A link to the newest frame, renewed with each, gets no verdict and is never in hand."""
    (stepped.site.drop / "day").mkdir()
    stepped.start()
    stepped.go(5)
    renew(stepped, "first.jpg", "a.jpg")
    for is_heard in (True, False, True):
        renew(stepped, "lastsnap.jpg", target(stepped.site.drop), is_heard=is_heard)
        stepped.go(40)
    assert [event.entry.key.name for event in stepped.verdicts()] == ["a.jpg"]
    assert [candidate.key.name for candidate in candidates_of(load(stepped.site.config).settings)] == [
        "a.jpg"
    ]


@pytest.mark.parametrize("is_heard", [True, False], ids=["event", "sweep"])
def test_a_link_that_leads_elsewhere_is_rejected_once(stepped: Stepped, *, is_heard: bool) -> None:
    """However often such a link is renewed, and after a restart, its name has one rejection."""
    stepped.start()
    for target in ("../outside.jpg", "/etc/passwd", "../nowhere.jpg"):
        renew(stepped, "out.jpg", target, is_heard=is_heard)
        stepped.go(40)
    stepped.stop()
    renew(stepped, "out.jpg", "../outside.jpg", is_heard=False)
    stepped.start()
    stepped.go(40)
    assert rejected(stepped) == [("out.jpg", Reason.NOT_A_REGULAR_FILE)]


def test_a_file_at_the_name_of_a_link_is_a_frame(stepped: Stepped) -> None:
    """When a camera stops to make links, the files that it writes instead are judged."""
    stepped.start()
    renew(stepped, "out.jpg", "../outside.jpg")
    stepped.go(5)
    (stepped.site.drop / "out.jpg").unlink()
    (stepped.site.drop / "out.jpg").write_bytes(Lot(width=200, height=100).jpeg())
    stepped.hint("out.jpg", Origin.CLOSED)
    stepped.go(5)
    assert [event.entry.reason for event in stepped.verdicts()][-1] is Reason.SIZE_CHANGED


@pytest.mark.parametrize("target", ["a.jpg", "../outside.jpg"])
def test_a_link_delays_no_frame(stepped: Stepped, target: str) -> None:
    """A frame that comes with a link is judged in the same moment; its camera does not wait for the link."""
    stepped.start()
    stepped.go(5)
    renew(stepped, "0.jpg", target)
    (stepped.site.drop / "b.jpg").write_bytes(Lot(width=200, height=100).jpeg())
    stepped.hint("b.jpg", Origin.CLOSED)
    stepped.go(0)
    assert "b.jpg" in [event.entry.key.name for event in stepped.verdicts()]


def test_a_hard_link_is_a_file(stepped: Stepped) -> None:
    """A second name of a file outside the folder is a frame like any other."""
    (stepped.site.home / "other.jpg").write_bytes(Lot(width=200, height=100).jpeg())
    (stepped.site.drop / "b.jpg").hardlink_to(stepped.site.home / "other.jpg")
    stepped.start()
    stepped.go(40)
    assert [event.entry.key.name for event in stepped.verdicts()] == ["a.jpg", "b.jpg"]
    assert not rejected(stepped)

from pathlib import Path

from framegate.commands.demo.uploads import write_at_once
from running import Line, Site, contents, running, scanned

ALL = 'after_kept = "delete"\nafter_dropped = "delete"\nafter_rejected = "delete"\nsweep_s = 0.3'


def said(lines: list[Line], event: str) -> set[str]:
    return {line["frame"] for line in lines if line["event"] == event}


def test_the_drop_folder_is_emptied_and_nothing_else_differs(
    site: Site, tmp_path: Path, morning: list[bytes]
) -> None:
    """Told to delete what is judged, the daemon keeps what a scan would keep, and leaves one frame."""
    untouched = Site(tmp_path / "untouched")
    names = [f"gate/lot_{number:04d}.jpg" for number in range(len(morning))]
    for name, data in zip(names, morning, strict=True):
        (untouched.drop / name).parent.mkdir(exist_ok=True)
        write_at_once(untouched.drop / name, data)
    site.configure(drop=ALL)
    (site.drop / "gate").mkdir()
    with running(site) as daemon:
        for number, (name, data) in enumerate(zip(names, morning, strict=True), 1):
            write_at_once(site.drop / name, data)
            daemon.wait_for_verdicts(number)
        (site.drop / "empty.jpg").touch()
        daemon.wait_for("frame.rejected", frame="empty.jpg")
        daemon.wait_for("input.deleted", count=len(morning))
    assert said(daemon.lines, "input.deleted") == {*names[:-1], "empty.jpg"}
    assert contents(site.drop) == {names[-1]: morning[-1]}
    assert site.kept_bytes() == scanned(untouched, tmp_path / "scan")
    assert not [line for line in daemon.lines if line["level"] in {"warning", "error"}]

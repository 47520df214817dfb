from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archives import DrawnArchive, Scanned
from framegate.commands.cluster.remote import RemoteFolder, SourceAway, SourceError
from framegate.ingest.reading import Changed, Unreadable
from framegate.model import EncodedFrame, FileKey, Reason

pytest.importorskip("fsspec", reason="the Python package fsspec is not installed")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def by_name(own_archive: DrawnArchive) -> DrawnArchive:
    """An archive whose names say when frames were taken: a store of objects knows when they were stored."""
    for file in sorted(own_archive.drop.rglob("*.jpg")):
        taken_ms = file.stat().st_mtime_ns // 10**6
        if taken_ms > 10**12 and taken_ms < 10**13 // 2:
            file.rename(file.with_name(f"{file.stem}-{taken_ms}.jpg"))
        else:
            file.unlink()
    text = own_archive.config_file.read_text("utf-8")
    own_archive.config_file.write_text(
        text.replace("[results]", 'capture_time = "epoch_ms"\n[results]'), "utf-8"
    )
    return own_archive


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Run a server that speaks S3; yield the environment in which clients find it."""
    server = pytest.importorskip("moto.server", reason="the Python package moto is not installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        running.stop()


def test_frames_of_an_s3_bucket_are_judged_as_those_of_a_folder(
    by_name: DrawnArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan of ``s3://`` leaves the table and the results of a scan of the same files in a folder."""
    pytest.importorskip("distributed", reason="the Python package distributed is not installed")
    pytest.importorskip("s3fs", reason="the Python package s3fs is not installed")
    boto3 = pytest.importorskip("boto3", reason="the Python package boto3 is not installed")
    whole = by_name.scanned("local")
    with s3_server() as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        store = boto3.client("s3")
        store.create_bucket(Bucket="archive")
        for file in by_name.drop.rglob("*.jpg"):
            name = file.relative_to(by_name.drop).as_posix()
            store.put_object(Bucket="archive", Key=f"north/{name}", Body=file.read_bytes())
        for odd in ("north/c1//c1_1.jpg", "north/../c1.jpg", "north/c1/notes.txt", "northern/c1_1.jpg"):
            store.put_object(Bucket="archive", Key=odd, Body=b"odd")
        assert scanned_from("s3://archive/north", by_name) == whole


def scanned_from(url: str, archive: DrawnArchive) -> Scanned:
    import subprocess
    import sys

    verb, _drop, *rest = archive.arguments("afar", "--workers", 2)
    command = [sys.executable, "-m", "framegate", *map(str, (verb, url, *rest))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return archive.outcome("afar", done.stdout)


def test_what_is_read_from_afar_is_what_was_listed(by_name: DrawnArchive) -> None:
    """Sizes, times and bytes are those of the files; what changed, went, or is too large is told apart."""
    url = f"file://{by_name.drop}"
    afar, settings = RemoteFolder(url), by_name.config.settings
    skipped: list[str] = []
    found = sorted(
        afar.candidates(settings, lambda name, _error: skipped.append(name)), key=lambda c: c.order
    )
    files = {file.relative_to(by_name.drop).as_posix(): file for file in by_name.drop.rglob("*.jpg")}
    assert {each.key.name for each in found} == set(files)
    assert skipped == []
    key = found[0].key
    data = files[key.name].read_bytes()
    assert (key.size_bytes, key.mtime_ns // 1000) == (len(data), files[key.name].stat().st_mtime_ns // 1000)
    nowhere = Path("/nowhere")
    assert afar.read_frame(nowhere, key, 10**8) == EncodedFrame(key.name, data, key.mtime_ns)
    assert afar.read_head(nowhere, key.name, 10) == data[:10]
    too_large = afar.read_frame(nowhere, key, 10)
    assert isinstance(too_large, Unreadable)
    assert too_large.reason is Reason.TOO_LARGE
    files[key.name].write_bytes(data + b"more")
    changed = afar.read_frame(nowhere, key, 10**8)
    assert isinstance(changed, Changed)
    assert changed.key.size_bytes == len(data) + 4
    files[key.name].unlink()
    gone = afar.read_frame(nowhere, key, 10**8)
    assert isinstance(gone, Unreadable)
    assert gone.reason is Reason.VANISHED
    assert afar.read_head(nowhere, key.name, 10) == b""


def test_a_url_that_nobody_can_read_is_told_in_a_sentence() -> None:
    """What nobody knows ends a scan, and rejects no frame."""
    with pytest.raises(SourceError, match="nonsense"):
        RemoteFolder("nonsense://bucket/prefix")


def test_a_server_that_is_away_is_told_in_a_sentence() -> None:
    """What nobody answers to ends a scan, and rejects no frame."""
    pytest.importorskip("aiohttp", reason="the Python package aiohttp, which s3fs brings, is not installed")
    pytest.importorskip("requests", reason="the Python package requests is not installed")
    with pytest.raises(SourceAway, match="cannot be read now"):
        RemoteFolder("http://127.0.0.1:9/frames").read_frame(Path("/nowhere"), FileKey("a.jpg", 3, 0), 10**6)

"""What the sites' daemons say now, and which results they name: read again for each request, parsed once."""

import hashlib
import json
import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from framegate import __version__
from framegate.config.load import Config
from framegate.daemon.standing import NoStatusError, StatusReader, who_may_read
from framegate.folders import opened_below
from framegate.model import iso_utc
from framegate.telemetry.status import KeptStatus, Status, fields_of
from framegate.web.now import SCHEMA, SiteNow, site_now, site_troubles, unknown_site

FORMER_PICTURES = 4096
"""Results that were named lately and are no longer: a page that was not drawn again still shows them."""

KEY_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Site:
    """One daemon, as its config shows it."""

    name: str
    """Unique among the sites."""

    drop: Path
    state: Path
    results: Path
    max_size_bytes: int
    max_pixels: float
    """A picture with more bytes, or more pixels, is not decoded."""


@dataclass(frozen=True, slots=True)
class Result:
    """One kept picture."""

    site: Site
    name: str
    """Below the results folder, with ``/`` between folders; bytes that are not UTF-8 are surrogates."""

    sha256: str | None
    """Of the bytes that were kept, in hexadecimal digits; None if not known."""


@dataclass(frozen=True, slots=True)
class Look:
    """The sites at one moment."""

    tag: str
    """Another one as soon as something that is shown is another."""

    text: str
    """The document of ``/now.json``."""


def sites_of(configs: Sequence[Config]) -> list[Site]:
    """Return the sites of some configs, named as the files: by the whole path where that is not unique."""
    stems = ["framegate" if config.path is None else config.path.stem for config in configs]
    return [
        _site(stem if stems.count(stem) == 1 else os.path.abspath(config.path or stem), config)
        for stem, config in zip(stems, configs, strict=True)
    ]


def _site(name: str, config: Config) -> Site:
    settings = config.settings
    return Site(
        name,
        Path(settings.drop.folder),
        Path(settings.state.folder or ""),
        Path(settings.results.folder),
        int(settings.drop.max_size),
        settings.drop.max_megapixels * 1e6,
    )


class Overview:
    """Reads the statuses of some sites; may be used by several threads.

    Args:
        sites: at least one, in the order in which they are shown.
    """

    def __init__(self, sites: Sequence[Site]) -> None:
        self._views = [_View(site) for site in sites]
        self._former: OrderedDict[str, Result] = OrderedDict()
        self._lock = Lock()

    def look(self) -> Look:
        """Return what the daemons say now."""
        with self._lock:
            self._read()
            now_ns = time.time_ns()
            head = {"schema": SCHEMA, "at": iso_utc(now_ns), "at_s": now_ns / 1e9, "version": __version__}
            sites = ", ".join(view.text for view in self._views)
            tag = hashlib.sha256(json.dumps([view.shown for view in self._views]).encode()).hexdigest()
            return Look(tag[:32], f'{json.dumps(head).removesuffix("}")}, "sites": [{sites}]}}')

    def result(self, key: str) -> Result | None:
        """Return the result with a key; None if no status has named it lately."""
        with self._lock:
            if (result := self._named(key)) is None:
                self._read()  # this process may be younger than the page that asks
                result = self._named(key)
            return result

    def _named(self, key: str) -> Result | None:
        named = (view.results[key] for view in self._views if key in view.results)
        return next(named, self._former.get(key))

    def _read(self) -> None:
        for view in self._views:
            for key, result in view.read().items():
                self._former[key] = result
                self._former.move_to_end(key)
        while len(self._former) > FORMER_PICTURES:
            self._former.popitem(last=False)


class _View:
    """One site, as it was shown last."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._reader = StatusReader(site.state, site.drop)
        self.results: dict[str, Result] = {}
        """The results that its status names, by key."""

        self.shown: tuple[str | float | None, ...] = ()
        """What its text was made from."""

        self.text = ""

    def read(self) -> dict[str, Result]:
        """Read the status, if there is another; return the results that it does not name any more, by key."""
        status, why = self._status()
        shown: tuple[str | float | None, ...] = ("unknown", why)
        troubles: list[str] = []
        if status is not None:
            troubles = site_troubles(status, self._why_no_pictures())
            shown = (status.at_s, status.pid, status.running, status.hung, *troubles)
        if shown == self.shown:
            return {}
        before, self.shown = self.results, shown
        if status is None:
            self.text = _json(unknown_site(self._site.name, why))
            return {}
        keys, self.results = dict[KeptStatus, str](), {}
        for kept in (kept for camera in status.cameras.values() for kept in camera.recent_kept):
            if kept.result is not None:
                keys[kept] = _key_of(self._site, kept)
                self.results[keys[kept]] = Result(self._site, kept.result, kept.sha256)
        self.text = _json(site_now(self._site.name, status, keys, troubles))
        return {key: result for key, result in before.items() if key not in self.results}

    def _status(self) -> tuple[Status | None, str]:
        """Return the status; without one, why."""
        try:
            return self._reader.read(), ""
        except NoStatusError as error:
            return None, str(error)
        except PermissionError as error:
            return None, who_may_read(Path(error.filename or self._site.state))
        except OSError as error:
            return None, f"cannot read {error.filename or self._site.state}: {error.strerror}"

    def _why_no_pictures(self) -> str | None:
        """Return why the results folder cannot be opened: else each picture would only seem to be gone."""
        try:
            with opened_below(self._site.results):
                return None
        except PermissionError:
            return who_may_read(self._site.results)
        except OSError as error:
            return f"cannot open {self._site.results}: {error.strerror}"


def _key_of(site: Site, kept: KeptStatus) -> str:
    """Return a key that no other decision has: browsers need not ask again what is at it."""
    parts = (os.fspath(site.results), kept.result or "", kept.decided_at, kept.sha256 or "")
    return hashlib.sha256(b"\0".join(map(os.fsencode, parts))).hexdigest()[:KEY_DIGITS]


def _json(site: SiteNow) -> str:
    return json.dumps(site, default=fields_of)

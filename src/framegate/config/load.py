"""Reads the settings from a TOML file; reports every problem at once, and knows the origin of each value."""

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from framegate.config.detection import inherited
from framegate.config.lines import line_of, line_of_error
from framegate.config.problems import problems_of
from framegate.config.settings import Settings
from framegate.config.values import CONFIG_FOLDER
from framegate.errors import ConfigError, Problem

DEFAULT, FROM_FILE, FROM_FLAG = "default", "file", "flag"

SERVICE_CONFIGS, SERVICE_STATES = Path("/etc/framegate"), Path("/var/lib/framegate")
"""Folders of the configs and states of ``systemd/framegate@.service``."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings, and where they come from."""

    settings: Settings
    path: Path | None
    """The config file; None without one."""

    given: Mapping[str, str] = field(default_factory=dict)
    """Origin of each value that is not a default, by dotted key."""

    flags: Mapping[str, Any] = field(default_factory=dict)
    """Values from the command line; they replace those of the file each time it is read."""

    text: str = ""
    """The file's content."""

    @property
    def site(self) -> str:
        """The name of the site: its config file's, or its drop folder's."""
        return Path(self.settings.drop.folder).name if self.path is None else self.path.stem

    def origin_of(self, key: str) -> str:
        """Return where a value comes from: ``flag``, ``file`` or ``default``."""
        if key in self.given:
            return self.given[key]
        listed = key.partition(".")[0]
        if listed in {"schedule", "notify"} and listed in self.given:
            return self.given[listed]
        table, _, name = key.rpartition(".")
        if table.startswith("camera.") and self._inherits(table, name):
            return self.given.get(f"detection.{name}", DEFAULT)
        return DEFAULT

    def line_of(self, key: str) -> int | None:
        """Return the line of a value, or of the table around it, in the file; None if there is neither."""
        camera = next(
            (f"camera.{name}" for name in self.settings.camera if key.startswith(f"camera.{name}.")), ""
        )
        for number, schedule in enumerate(self.settings.schedule):
            if key.startswith(title := f"schedule.{schedule.name}."):
                return line_of(self.text, ("schedule", number, *key.removeprefix(title).split(".")))
        place = ("camera", camera.removeprefix("camera."), *key.removeprefix(f"{camera}.").split("."))
        return line_of(self.text, place if camera else tuple(key.split(".")))

    def _inherits(self, table: str, name: str) -> bool:
        camera = table.removeprefix("camera.").removesuffix(".detection")
        general, own = self.settings.detection.preset_name, self.settings.detection_of(camera).preset_name
        return name in inherited({"preset": general, name: None}, {"preset": own})


def find_config(flag: Path | None) -> Path | None:
    """Return the config file to use: ``flag``, $FRAMEGATE_CONFIG, the user's, the system's, or none."""
    if flag is not None:
        return flag
    if named := os.environ.get("FRAMEGATE_CONFIG"):
        return Path(named)
    return next((place for place in config_places() if place.is_file()), None)


def config_places() -> tuple[Path, Path]:
    """Return where a config file is searched for: in the user's and the system's place."""
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(user, "framegate", "config.toml"), Path("/etc/framegate/config.toml")


def load(path: Path | None, flags: Mapping[str, Any] | None = None) -> Config:
    """Read, validate and complete the settings.

    Args:
        path: the TOML file, or None.
        flags: values from the command line, by dotted key; paths as ``Path``.

    Raises:
        ConfigError: with every problem, each with its dotted key.
    """
    return parse(path, b"version = 1" if path is None else read(path), flags)


def read(path: Path) -> bytes:
    """Read a config file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError((Problem("", f"cannot be read: {error.strerror}"),), str(path)) from error


def parse(path: Path | None, data: bytes, flags: Mapping[str, Any] | None = None) -> Config:
    """Validate and complete the settings in a file's bytes; see ``load``."""
    text = _text_of(data, path)
    tables = _tables_of(text, path)
    given = {".".join(place): FROM_FILE for place in _flat(tables)}
    for key, value in (flags or {}).items():
        _put(tables, tuple(key.split(".")), value)
        given[key] = FROM_FLAG
    settings = _validated(tables, path, given, text)
    return Config(settings, path, given, flags or {}, text)


def _validated(tables: dict[str, Any], path: Path | None, given: dict[str, str], text: str) -> Settings:
    merged = _with_camera_tables(tables)
    context = {} if path is None else {CONFIG_FOLDER: path.absolute().parent}
    try:
        settings = Settings.model_validate(merged, context=context)
    except ValidationError as error:
        flags = {key for key, origin in given.items() if origin == FROM_FLAG}
        problems = problems_of(error, text, without_line=flags)
        raise ConfigError(problems, str(path or "")) from None
    if settings.state.folder is None:
        folder, origin = default_state_folder(settings.drop.folder, path)
        settings = settings.model_copy(update={"state": settings.state.model_copy(update={"folder": folder})})
        given["state.folder"] = origin
    return settings


def default_state_folder(drop_folder: str, config: Path | None = None) -> tuple[str, str]:
    """Return the state folder when none is set, and its origin.

    ``framegate status`` has to find the service's, though an operator's shell has no $STATE_DIRECTORY.
    """
    if named := os.environ.get("STATE_DIRECTORY"):
        return named.split(":")[0], "$STATE_DIRECTORY"
    is_service = config is not None and config.absolute().parent == SERVICE_CONFIGS
    if config is not None and is_service and (state := SERVICE_STATES / config.stem).is_dir():
        return os.fspath(state), "the service"
    own = hashlib.blake2s(os.fsencode(drop_folder), digest_size=4).hexdigest()
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "framegate", f"{Path(drop_folder).name}-{own}"), DEFAULT


def _text_of(data: bytes, path: Path | None) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem("", f"is not UTF-8 (byte {error.start})", line)
        raise ConfigError((problem,), str(path or "")) from error


def _tables_of(text: str, path: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for numbers and nesting that break the parser
        line = line_of_error(str(error), text)
        words = re.sub(r"\(at line \d+, (column \d+)\)$", r"(\1)", str(error))
        raise ConfigError((Problem("", f"is not TOML: {words}", line),), str(path or "")) from error


Place = tuple[str, ...]
"""The keys that lead to a value; not joined by dots, since a camera's name may have dots."""


def _flat(tables: Mapping[str, Any], above: Place = ()) -> dict[Place, Any]:
    flat: dict[Place, Any] = {}
    for name, value in tables.items():
        if isinstance(value, dict):
            flat |= _flat(value, (*above, name))
        else:
            flat[*above, name] = value
    return flat


def _put(tables: dict[str, Any], place: Place, value: Any) -> None:
    *path, name = place
    for step in path:
        inner = tables.setdefault(step, {})
        if not isinstance(inner, dict):  # the file has no table there: validation reports it
            return
        tables = inner
    tables[name] = value


def _with_camera_tables(tables: dict[str, Any]) -> dict[str, Any]:
    """Add to each camera's detection table what it takes over from the general one."""
    general, cameras = tables.get("detection"), tables.get("camera")
    if not isinstance(general, dict) or not isinstance(cameras, dict):
        return tables
    merged = {
        name: camera | {"detection": {**inherited(general, own), **own}}
        if isinstance(camera, dict) and isinstance(own := camera.get("detection", {}), dict)
        else camera
        for name, camera in cameras.items()
    }
    return tables | {"camera": merged}

"""From a TOML file to settings, with every problem found at once and every value's origin known."""

import difflib
import hashlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from framegate.config_lines import line_of, line_of_error
from framegate.errors import ConfigError, Problem
from framegate.settings import CLASSIC, Settings, Table

DEFAULT, FROM_FILE, FROM_FLAG = "default", "file", "flag"

SERVICE_CONFIGS, SERVICE_STATES = Path("/etc/framegate"), Path("/var/lib/framegate")
"""Where ``systemd/framegate@.service`` has its instances' configs and state folders."""

PATHS = (("drop", "folder"), ("results", "folder"), ("state", "folder"), ("detection", "mask_file"))
"""Settings that are paths; relative ones are relative to the config file."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings, and where they came from."""

    settings: Settings
    path: Path | None
    """The file; None when there was none."""

    given: Mapping[str, str] = field(default_factory=dict)
    """Origin of each value that was given, by dotted key."""

    flags: Mapping[str, Any] = field(default_factory=dict)
    """Values that went over those of the file, and will when it is read again."""

    text: str = ""
    """What the file said."""

    def origin_of(self, key: str) -> str:
        """Return where a value came from: a flag, the file, a preset, or the default."""
        if key in self.given:
            return self.given[key]
        table, _, name = key.rpartition(".")
        general = f"detection.{name}"
        if table.startswith("camera.") and general in self.given:
            return self.given[general]
        if table.endswith("detection") and name in CLASSIC and self._preset_of(table) == "classic":
            return "preset classic"
        return DEFAULT

    def line_of(self, key: str) -> int | None:
        """Return the line of the file that a value, or the table around it, stands on."""
        camera = next(
            (f"camera.{name}" for name in self.settings.camera if key.startswith(f"camera.{name}.")), ""
        )
        place = ("camera", camera.removeprefix("camera."), *key.removeprefix(f"{camera}.").split("."))
        return line_of(self.text, place if camera else tuple(key.split(".")))

    def _preset_of(self, table: str) -> str:
        camera = table.removeprefix("camera.").removesuffix(".detection")
        return self.settings.detection_of(camera).preset_name


def find_config(flag: Path | None) -> Path | None:
    """Return the config file to use: the flag's, $FRAMEGATE_CONFIG, the user's, the system's, or none."""
    if flag is not None:
        return flag
    if named := os.environ.get("FRAMEGATE_CONFIG"):
        return Path(named)
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    places = (Path(user, "framegate", "config.toml"), Path("/etc/framegate/config.toml"))
    return next((place for place in places if place.is_file()), None)


def load(path: Path | None, flags: Mapping[str, Any] | None = None) -> Config:
    """Read, validate and complete the settings.

    Args:
        path: the TOML file; None for none.
        flags: values by dotted key that go over those of the file.

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
    """Validate and complete the settings that a file's bytes say; see ``load``."""
    text = _text_of(data, path)
    tables = _tables_of(text, path)
    given = {".".join(place): FROM_FILE for place in _flat(tables)}
    if path is not None:
        _anchor(tables, path.absolute().parent)
    for key, value in (flags or {}).items():
        _put(tables, tuple(key.split(".")), value)
        given[key] = FROM_FLAG
    settings = _validated(tables, path, given, text)
    return Config(settings, path, given, flags or {}, text)


def _validated(tables: dict[str, Any], path: Path | None, given: dict[str, str], text: str) -> Settings:
    merged = _with_camera_tables(tables)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        problems = tuple(sorted(_problems(error, given, text), key=lambda problem: problem.line or 0))
        raise ConfigError(problems, str(path or "")) from None
    if settings.state.folder is None:
        folder, origin = default_state_folder(settings.drop.folder, path)
        settings = settings.model_copy(update={"state": settings.state.model_copy(update={"folder": folder})})
        given["state.folder"] = origin
    return settings


def default_state_folder(drop_folder: str, config: Path | None = None) -> tuple[str, str]:
    """Return the folder for the ledger when none is set, and where that came from.

    An operator's shell has no $STATE_DIRECTORY, and ``framegate status`` finds the service's all the same.
    """
    if named := os.environ.get("STATE_DIRECTORY"):
        return named.split(":")[0], "$STATE_DIRECTORY"
    is_service = config is not None and config.absolute().parent == SERVICE_CONFIGS
    if config is not None and is_service and (state := SERVICE_STATES / config.stem).is_dir():
        return os.fspath(state), "the service"
    own = hashlib.blake2s(os.fsencode(drop_folder), digest_size=4).hexdigest()
    return os.path.join(_state_home(), f"{Path(drop_folder).name}-{own}"), DEFAULT


def _state_home() -> str:
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "framegate")


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
    except (ValueError, RecursionError) as error:  # also numbers and nesting that break the parser
        line = line_of_error(str(error), text)
        raise ConfigError((Problem("", f"is not TOML: {error}", line),), str(path or "")) from error


Place = tuple[str, ...]
"""The keys that lead to a value. A camera's name may hold dots, so a dotted key would not do."""


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
        if not isinstance(inner, dict):  # the file has something else there; validation will say so
            return
        tables = inner
    tables[name] = value


def _anchor(tables: dict[str, Any], folder: Path) -> None:
    """Make the file's relative paths absolute, from the folder that the file is in."""
    for place, value in _flat(tables).items():
        is_path = place in PATHS or (place[:1] == ("camera",) and place[2:] == ("detection", "mask_file"))
        if is_path and isinstance(value, str) and value:
            _put(tables, place, os.path.normpath(folder / os.path.expanduser(value)))


def _with_camera_tables(tables: dict[str, Any]) -> dict[str, Any]:
    """Complete each camera's detection table with the general one."""
    general, cameras = tables.get("detection"), tables.get("camera")
    if not isinstance(general, dict) or not isinstance(cameras, dict):
        return tables
    merged = {
        name: camera | {"detection": general | camera.get("detection", {})}
        if isinstance(camera, dict) and isinstance(camera.get("detection", {}), dict)
        else camera
        for name, camera in cameras.items()
    }
    return tables | {"camera": merged}


def _problems(error: ValidationError, given: Mapping[str, str], text: str) -> Iterator[Problem]:
    faults = error.errors(include_url=False)
    general = {(fault["loc"][1:], fault["msg"]) for fault in faults if fault["loc"][:1] == ("detection",)}
    seen: set[Problem] = set()
    for fault in faults:
        location = fault["loc"]
        if fault["type"] == "too_short" and any(_is_inside(other["loc"], location) for other in faults):
            continue  # its items are wrong, and so do not count: they are reported
        if location[:1] == ("camera",) and (location[3:], fault["msg"]) in general:
            continue  # inherited: it stands in the general table, and is reported there
        key = ".".join(map(str, location))
        message = _message(fault["type"], fault["msg"], location, fault.get("input"))
        line = None if given.get(key) == FROM_FLAG else line_of(text, location)
        problem = Problem(key, message, line)
        if problem not in seen:
            seen.add(problem)
            yield problem


def _is_inside(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return location != outer and location[: len(outer)] == outer


def _message(kind: str, message: str, location: tuple[int | str, ...], value: Any) -> str:
    if kind == "extra_forbidden":
        return _unknown_key(location)
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind in {"float_type", "int_type"} and isinstance(value, str):
        return f"write a number, without quotes or unit, not {value!r}"
    shown = f", not {value!r}" if isinstance(value, (str, int, float, bool)) else ""
    return message[:1].lower() + message[1:] + shown


def _unknown_key(location: tuple[int | str, ...]) -> str:
    *path, name = location
    table = _table_at(path)
    keys = [known.alias or key for key, known in table.model_fields.items()] if table else []
    close = difflib.get_close_matches(str(name), keys, n=1)
    if close:
        return f"unknown key (did you mean {close[0]}?)"
    return f"unknown key; [{'.'.join(map(str, path))}] has {', '.join(keys)}" if path else "unknown key"


def _table_at(path: list[int | str]) -> type[BaseModel] | None:
    """Return the model of the table at a path of keys, through lists and per-camera tables."""
    kind: Any = Settings
    for step in path:
        if isinstance(kind, type) and issubclass(kind, Table):
            known = kind.model_fields.get(str(step))
            kind = None if known is None else known.annotation
        else:  # dict[str, Table] or tuple[Table, ...]
            kind = next(
                (arg for arg in get_args(kind) if isinstance(arg, type) and issubclass(arg, Table)), None
            )
    return kind if isinstance(kind, type) and issubclass(kind, Table) else None

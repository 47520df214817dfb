"""Checks of ``[[notify]]``: whether its programs are there, and whether the service may use the network."""

from collections.abc import Iterator
from pathlib import Path

from framegate.config.load import SERVICE_CONFIGS, Config
from framegate.notify.ways.command import found
from framegate.preflight.folder_checks import Finding, Grade

DROP_INS = Path("/etc/systemd/system")
NETWORK_DROP_IN = "notify-network.conf"


def check_notifies(config: Config, drop_ins: Path = DROP_INS) -> Iterator[Finding]:
    """Check what each ``[[notify]]`` of a config needs; the daemon also runs without it."""
    is_service = config.path is not None and config.path.absolute().parent == SERVICE_CONFIGS
    for each in config.settings.notify:
        key = f"notify.{each.name}"
        if each.command is not None:
            program = found(each.command[0])
            words = program or f"{each.command[0]} is not there, or cannot be executed by this user"
            yield Finding(Grade.ERROR if program is None else Grade.OK, f"{key}.command", words)
        elif is_service and not _has_network(config, drop_ins):
            words = f"the service has no network until you install systemd/{NETWORK_DROP_IN}, see the README"
            yield Finding(Grade.WARNING, f"{key}.webhook", words)
        else:
            yield Finding(Grade.OK, f"{key}.webhook", each.shown_way)


def _has_network(config: Config, drop_ins: Path) -> bool:
    units = ("framegate@", f"framegate@{config.site}")
    return any((drop_ins / f"{unit}.service.d" / NETWORK_DROP_IN).exists() for unit in units)

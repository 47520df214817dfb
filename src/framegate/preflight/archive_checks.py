"""Checks whether inputs can be archived, and whether the place for them is one."""

import os
from collections.abc import Iterator

from framegate.config.settings import Settings
from framegate.ingest.names import NameRules
from framegate.preflight.folder_checks import Finding, Grade, check_overlap, folders_of

KEY = "drop.archive"


def check_archive(settings: Settings) -> Iterator[Finding]:
    """Check whether inputs can be archived, and that no frame is found again where they are moved to.

    An archive that is missing prevents no start: its disk may not be mounted, and inputs wait for it.
    """
    archive = settings.drop.archive
    if archive is not None:
        # One finding alone: where an archive must not be, nobody should make the folder.
        yield from [*_check_place(settings, archive)] or [_state_of(settings, archive)]


def _check_place(settings: Settings, archive: str) -> Iterator[Finding]:
    drop = settings.drop
    inner = os.path.relpath(os.path.realpath(archive), os.path.realpath(drop.folder))
    is_inside = inner != "." and not f"{inner}/".startswith("../")
    is_unseen = is_inside and (not drop.recursive or NameRules(drop).is_passed_over(inner))
    for other, folder in folders_of(settings).items():
        if other != "drop.folder" or not is_unseen:
            yield from check_overlap({other: folder, KEY: archive})


def _state_of(settings: Settings, archive: str) -> Finding:
    stay = "inputs stay in the drop folder"
    if not any(rule.archives for rule in settings.drop.input_rules().values()):
        words = 'nothing is archived: no after_kept, after_dropped or after_rejected is "archive"'
        return Finding(Grade.WARNING, KEY, words)
    if not os.path.lexists(archive):
        return Finding(Grade.WARNING, KEY, f"{archive} is no folder yet: make it; until then {stay}")
    if not os.path.isdir(archive):
        return Finding(Grade.WARNING, KEY, f"{archive} is not a folder: {stay}")
    if not os.access(archive, os.W_OK | os.X_OK):
        return Finding(Grade.WARNING, KEY, f"{archive} may not be written by this user: {stay}")
    return Finding(Grade.OK, KEY, archive)

import json
import re
from pathlib import Path

import pytest

from framegate.config.docs import changes_between, settings_that_differ
from framegate.config.load import Config, parse
from framegate.config.telling.notify import tellable
from framegate.errors import ConfigError
from framegate.events.kinds import all_kinds

REQUIRED = 'version = 1\n[drop]\nfolder = "/a"\n[results]\nfolder = "/b"\n'
GOOD = 'name = "a"\non = ["kept"]\ncommand = ["tell"]\n'


def config(*tables: str) -> Config:
    text = REQUIRED + "".join(f"[[notify]]\n{table}\n" for table in tables)
    return parse(Path("/etc/lot1.toml"), text.encode())


def test_verdicts_go_by_their_words_and_events_by_their_names() -> None:
    """The words of the verdicts and the names in the log are understood; each counts once."""
    (notify,) = config(GOOD.replace('["kept"]', '["kept", "frame.kept", "camera.silent"]')).settings.notify
    assert notify.on == ("frame.kept", "camera.silent")
    assert notify.wants("camera.silent", "c1")
    assert not notify.wants("frame.dropped", "c1")


def test_what_can_be_told_is_what_is_logged_beyond_debugging() -> None:
    """Every event at info and above can be told, and none for debugging."""
    levels = {name: kind.levels for kind in all_kinds() for name in kind.names()}
    told = set(tellable())
    assert {name for name, each in levels.items() if "debug" not in each} == told


def test_cameras_choose_among_the_events_that_have_one() -> None:
    """An event of another camera is not told; one that belongs to no camera is."""
    (notify,) = config(GOOD + 'cameras = "c1"').settings.notify
    assert notify.wants("frame.kept", "c1")
    assert not notify.wants("frame.kept", "c2")
    assert notify.wants("frame.kept", None)


@pytest.mark.parametrize(
    ("table", "error"),
    [
        (
            GOOD.replace("kept", "keep"),
            "no event is named 'keep' (did you mean 'kept'?): the table of events in the README",
        ),
        (
            GOOD.replace('["kept"]', '["kept", "camera.slient", "frame.seen", "x"]'),
            (
                "no event is named 'camera.slient' (did you mean 'camera.silent'?); "
                "frame.seen is for debugging and cannot be told; no event is named 'x': the table"
            ),
        ),
        (GOOD.replace('"a"', '"a b"') + "most_per_hour = 0", "line 10: notify.a b.most_per_hour: must be"),
        (GOOD + 'webhook = "https://h/x"', "line 6: notify.a: has both command and webhook: remove one"),
        ('name = "a"\non = "kept"\n', "line 6: notify.a: needs a command or a webhook"),
        (GOOD.replace('["tell"]', '["./tell"]'), "write './tell' with its whole path, or only its name"),
        (GOOD.replace('["tell"]', "[]"), "notify.a.command: must not be empty"),
        (GOOD.replace('command = ["tell"]', 'webhook = "ftp://h/x"'), "write a web address, as"),
        (GOOD.replace('command = ["tell"]', 'webhook = "https://h:99999/x"'), "write a web address, as"),
        (GOOD.replace('command = ["tell"]', 'webhook = "https://h/a b"'), "write a web address, as"),
        (GOOD + f"\n[[notify]]\n{GOOD}", "notify: 2 are named 'a'"),
        (GOOD + "most_per_hour = 0", "must be at least 1"),
    ],
)
def test_a_mistake_is_named_with_what_to_write(table: str, error: str) -> None:
    """Each mistake is found when the config is read, with its line and what would be right."""
    with pytest.raises(ConfigError) as raised:
        config(table)
    assert error in str(raised.value)


def test_a_single_table_says_how_it_is_written() -> None:
    """Who writes [notify] is told of the double brackets."""
    with pytest.raises(ConfigError, match=re.escape("may stand several times: write [[notify]]")):
        parse(None, f"{REQUIRED}[notify]\n{GOOD}".encode())


def test_a_web_address_is_a_secret_whose_edits_are_noticed() -> None:
    """No log shows more than the host of an address; yet another address is another setting."""
    before, after = (
        config(GOOD.replace('command = ["tell"]', f'webhook = "https://me:pass@h:8443/{topic}?a=b"'))
        for topic in ("topic-one", "topic-two")
    )
    shown = json.dumps([settings_that_differ(before), changes_between(before, after)], default=str)
    assert changes_between(before, after).keys() == {"notify.a.webhook"}
    assert settings_that_differ(before).keys() == {"notify.a.on", "notify.a.webhook"}
    assert "https://h:8443/..." in shown
    assert not re.search("topic|pass|me:", shown)
    again = before.settings.model_validate(before.settings.model_dump(mode="json", by_alias=True))
    assert again.notify[0].name == "a"  # as the ledger's settings of then are read

"""The README's ways to tell somebody, with programs and a server that only listen."""

import json
import os
import re
from pathlib import Path

import pytest

from forked import framegate
from oracle import shot, upload
from readme import README
from running import Site, running, wait_until
from web_server import WebServer

PROGRAM = '#!/bin/sh\nprintf "%s\\n" "$@" > "$0.arguments"\ncat > "$0.input"\n'


def recipe(name: str) -> str:
    (block,) = re.findall(rf"<!-- notify-{name} -->\n```toml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    return str(block)


def test_a_recipe_for_a_program_reaches_it(site: Site, tmp_path: Path) -> None:
    """Mail and MQTT: the program gets the arguments of the README, and the message on standard input."""
    for program in ("msmtp", "mosquitto_pub"):
        path = tmp_path / program
        path.write_text(PROGRAM)
        path.chmod(0o755)
    site.configure(rest=recipe("mail") + recipe("mqtt"))
    done = framegate("notify", "--test", "-c", site.config, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert (done.returncode, done.stdout) == (0, "alarms: told (exit code 0)\nmqtt: told (exit code 0)\n")
    assert (tmp_path / "msmtp.arguments").read_text() == "me@example.org\n"
    text = "site: a test message of framegate notify --test"
    assert (tmp_path / "msmtp.input").read_text() == f"To: me@example.org\nSubject: {text}\n\n"
    arguments = ["-h", "broker.local", "-q", "1", "-t", "framegate/lot1", "-s"]
    assert (tmp_path / "mosquitto_pub.arguments").read_text().split("\n")[:-1] == arguments
    assert json.loads((tmp_path / "mosquitto_pub.input").read_text())["event"] == "notify.test"


def test_the_readme_lists_the_environment_of_a_command(site: Site, tmp_path: Path) -> None:
    """A command gets the variables that the README lists, one for each field, and no other."""
    _, _, after = README.read_text("utf-8").partition("- **A web address** gets it by POST.")
    listed = set(re.findall(r"`([A-Z_]+)`", after.partition("\n- ")[0]))
    environ = tmp_path / "environ"
    command = json.dumps(["cp", "/proc/self/environ", str(environ)])
    site.configure(rest=f'[[notify]]\nname = "a"\non = "kept"\ncommand = {command}')
    with running(site):
        upload(shot(0, 0), site.drop)
        wait_until(lambda: environ.exists() and bool(environ.read_bytes()))
    names = {each.partition("=")[0] for each in environ.read_text("utf-8").split("\0")[:-1]}
    ours = {name for name in names if name.startswith("FRAMEGATE_")}
    fields = ("FRAME", "REASON", "RESULT", "CAPTURED_AT", "SIZE_BYTES", "CONFIG_REVISION")
    assert ours - {f"FRAMEGATE_{field}" for field in fields} == {
        n for n in listed if n.startswith("FRAMEGATE_")
    }
    assert names - ours <= listed


def test_the_recipe_for_ntfy_posts_what_its_template_reads(site: Site, web: WebServer) -> None:
    """The address of the README arrives as it is written, and the message has the field that it names."""
    host = "https://ntfy.sh/"
    text = recipe("ntfy")
    assert host in text
    site.configure(rest=text.replace(host, web.url.removesuffix("hook")))
    assert framegate("notify", "--test", "-c", site.config).returncode == 0
    assert web.paths == ["/YOUR-SECRET-TOPIC?tpl=1&m=%7B%7B.text%7D%7D"]
    assert web.bodies[0]["text"]


@pytest.mark.parametrize("name", ["mail", "ntfy", "mqtt"])
def test_a_recipe_is_a_config(site: Site, name: str) -> None:
    """Each recipe is read without a mistake."""
    site.configure(rest=recipe(name))
    assert framegate("config", "-c", site.config).returncode == 0

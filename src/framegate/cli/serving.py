"""The commands around the daemon."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from framegate.cli.app import (
    CONFIG_HELP,
    ConfigOption,
    DropOption,
    JsonOption,
    argument,
    command,
    load_config,
    option,
)
from framegate.errors import EXIT_CONFIG, EXIT_FAILED


@command("run -c lot1.toml", "run --drop lot1/drop --results lot1/results")
def run(
    config: ConfigOption = None,
    drop: DropOption = None,
    results: Annotated[
        Path | None, option("DIR", "The results folder, instead of results.folder in the config.")
    ] = None,
) -> None:
    """Run the daemon: judge each frame that arrives in the drop folder, until stopped.

    It needs the two folders, from a config file or from both options. Ctrl-C or SIGTERM stops it.
    """
    from framegate.daemon.process import serve  # noqa: PLC0415

    flags = {"drop.folder": drop, "results.folder": results}
    serve(load_config(config, flags, instead="--drop DIR --results DIR"))


@command("check -c lot1.toml")
def check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Check the config, the folders, the free space and the inotify limits; change nothing."""
    import json  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from framegate.daemon.standing import check_daemon  # noqa: PLC0415
    from framegate.preflight.folder_checks import Grade  # noqa: PLC0415
    from framegate.preflight.preflight import check_surroundings  # noqa: PLC0415

    loaded = load_config(config)
    findings = [*check_surroundings(loaded), *check_daemon(loaded.settings)]
    if as_json:
        typer.echo(json.dumps({"schema": 1, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.grade:8} {finding.key:20} {finding.message}")
    if any(finding.grade is Grade.ERROR for finding in findings):
        raise typer.Exit(EXIT_CONFIG)


@command("config -c lot1.toml", "config --example > lot1.toml", name="config")
def config_command(
    config: ConfigOption = None,
    *,
    example: Annotated[
        bool, typer.Option("--example", help="Print a config file with every setting, explained by comments.")
    ] = False,
    minimal: Annotated[
        bool, typer.Option("--minimal", help="Print a config file with only the required settings.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every setting's value, and where it comes from."""
    import json  # noqa: PLC0415

    from framegate.config import docs  # noqa: PLC0415

    if example or minimal:
        typer.echo(docs.minimal_file() if minimal else docs.example_file(), nl=False)
        return
    values = docs.effective_values(load_config(config))
    if as_json:
        table = {key: {"value": value, "origin": origin} for key, value, origin in values}
        typer.echo(json.dumps({"schema": 1, "settings": table}, indent=2))
        return
    for key, value, origin in values:
        shown = "(none)" if value is None else docs.toml_value(value)
        typer.echo(f"{f'{key} = {shown}':<60} # {origin}")


@command("status -c lot1.toml", "status --drop lot1/drop --watch")
def status(
    config: ConfigOption = None,
    drop: DropOption = None,
    *,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every second.")] = False,
) -> None:
    """Show how a daemon is doing, or what the last one has done: counts, pending frames, problems."""
    from framegate.commands.status import run_status  # noqa: PLC0415
    from framegate.config.load import find_config  # noqa: PLC0415

    path = find_config(config)
    flags = {"drop.folder": drop}
    if path is None and drop is not None:
        flags["results.folder"] = Path("/nowhere")  # required, but not used for a status without a config
    is_healthy = run_status(
        path, lambda: load_config(config, flags, instead="--drop DIR"), as_json=as_json, watch=watch
    )
    if not is_healthy:
        raise typer.Exit(EXIT_FAILED)


@command("web -c lot1.toml", "web -c lot1.toml -c lot2.toml")
def web(
    config: Annotated[
        list[Path] | None,
        option("FILE", f"{CONFIG_HELP} May be given again: a page of several sites.", "--config", "-c"),
    ] = None,
) -> None:
    """Serve a read-only page that shows the cameras, until stopped.

    It shows what is wrong, and of each camera the last kept pictures and the last scores. It runs beside
    the daemon, at http://127.0.0.1:8470/ unless [web] of the first config says otherwise.
    """
    from framegate.web.process import serve  # noqa: PLC0415

    configs: list[Path | None] = [*config] if config else [None]
    serve([load_config(each) for each in configs])


@command("notify --test -c lot1.toml", "notify --test phone")
def notify(
    name: Annotated[str | None, argument("NAME", "Only this [[notify]].")] = None,
    config: ConfigOption = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="Send the test message.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a test message by each [[notify]] of the config, and say what came back.

    It is sent by you, outside the service: with the service's user, but not in its sandbox.
    """
    from framegate.commands.notify.run import run_test  # noqa: PLC0415

    if not test:
        raise typer.BadParameter("Missing option '--test'")
    if not run_test(load_config(config), name, as_json=as_json):
        raise typer.Exit(EXIT_FAILED)


@command("demo")
def demo() -> None:
    """Show the daemon at work on a simulated parking-lot camera, in under 20 seconds."""
    from framegate.commands.demo.show import run_demo  # noqa: PLC0415

    gc.enable()
    if not run_demo():
        raise typer.Exit(EXIT_FAILED)

"""Write again what is generated: python tests/regenerate.py.

That is the README's tables, config.example.toml, the man page and the completions.
"""

import re
from collections.abc import Callable
from pathlib import Path

import completions
from framegate.config.docs import example_file, markdown_table
from framegate.events.base import markdown_table as events_table
from framegate.events.kinds import all_kinds
from framegate.telemetry.metrics import markdown_table as metrics_table
from manual import man_page
from readme import README

SHARE = README.parent / "src" / "share"
"""What belongs into a system's folder share; a wheel brings it along."""

FILES: dict[Path, Callable[[], str]] = {
    README.with_name("config.example.toml"): example_file,
    SHARE / "man" / "man1" / "framegate.1": man_page,
    SHARE / "bash-completion" / "completions" / "framegate": completions.bash,
    SHARE / "zsh" / "site-functions" / "_framegate": completions.zsh,
    SHARE / "fish" / "vendor_completions.d" / "framegate.fish": completions.fish,
}
"""The files that are generated as a whole."""
TABLES: dict[str, Callable[[], str]] = {
    "settings": markdown_table,
    "events": lambda: events_table(all_kinds()),
    "metrics": metrics_table,
}
"""The README's generated tables, by the mark around them: ``<!-- settings -->`` to ``<!-- /settings -->``."""


def generated(readme: str) -> str:
    """Return the README's text with its tables as they should be."""
    for mark, table in TABLES.items():
        before, after = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        pattern = re.compile(f"(?<={re.escape(before)}).*?(?={re.escape(after)})", re.DOTALL)
        assert pattern.search(readme), f"the README has no {before.strip()}"
        readme = pattern.sub(table().replace("\\", r"\\"), readme, count=1)
    return readme


def main() -> None:
    README.write_text(generated(README.read_text("utf-8")), "utf-8")
    for path, text in FILES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), "utf-8")


if __name__ == "__main__":
    main()

"""Write again what is generated, the README's tables and config.example.toml: python tests/regenerate.py."""

import re
from collections.abc import Callable

from framegate.config.docs import example_file, markdown_table
from framegate.events.base import markdown_table as events_table
from framegate.events.kinds import all_kinds
from framegate.telemetry.metrics import markdown_table as metrics_table
from readme import README

EXAMPLE = README.with_name("config.example.toml")
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
    EXAMPLE.write_text(example_file(), "utf-8")


if __name__ == "__main__":
    main()

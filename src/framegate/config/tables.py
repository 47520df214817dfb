"""What every table of the config file has in common."""

from pydantic import BaseModel, ConfigDict


class RestartOnly:
    """Marks a setting that a running daemon cannot change: it has the folder, or the address, open."""


class Table(BaseModel):
    """A table of the config file: frozen, unknown keys forbidden, each field documented below itself.

    Only ``docs.py`` reads those words, from the source: pydantic's own way took 20 ms at each start.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
    )

"""The bench in short: one table for scans, one for all else, made from the tables of the parts."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.speed.tables import Cell, Table

Row = tuple[Cell, ...]

COLUMNS = {
    "frames/s": "frames/s",
    "of its decode loop": "of the loop",
    "times the one-shot": "times one-shot",
}
"""Of the parts' tables, and what they are called here."""

ONE_CAMERA = "of one camera's CPU"

SCAN_NOTE = (
    "Without start-up. The loop reads and decodes the same frames on the same cores, at the reduction of the"
    " program in whose row it is named, and does nothing else. The one-shot program is the published one:"
    " colour, gray, blur, mask, 640 x 480, last kept."
)


def digest(tables: Sequence[Table]) -> Iterator[Table]:
    """Yield the tables for the README, of the parts that were measured."""
    scans = [table for table in tables if table.part == "scan" and table.about]
    if scans:
        yield _scans(scans)
    rows = [row for table in tables if table.part in IN_SHORT for row in IN_SHORT[table.part](table)]
    if rows:
        yield Table("digest", "The daemon, and many cameras", ("what", "measured"), tuple(rows))


def _scans(tables: Sequence[Table]) -> Table:
    """Return what each program does, all sizes beside each other."""
    by_program: dict[Cell, dict[str, list[Cell]]] = {}
    for table in tables:
        for program, *cells in zip(*(table.column(name) for name in ("program", *COLUMNS)), strict=True):
            name = "decode loop, as `adaptive` decodes" if "colour" in str(program) else program
            by_program.setdefault(name, {})[table.about] = cells
    head = ("program", *(f"{table.about}: {words}" for table in tables for words in COLUMNS.values()))
    none: list[Cell] = [None] * len(COLUMNS)
    rows = (
        (program, *(cell for table in tables for cell in cells.get(table.about, none)))
        for program, cells in by_program.items()
    )
    return Table("digest", "Scan", head, tuple(rows), (SCAN_NOTE,))


def _cameras(table: Table) -> Iterator[Row]:
    cells = table.cells(-1)
    yield f"CPU a frame, {cells['cameras']} cameras in one folder", f"{cells[ONE_CAMERA]} of one camera's"


def _live(table: Table) -> Iterator[Row]:
    for number in range(len(table.rows)):
        cells = table.cells(number)
        latency = f"p50 {cells['to the copy: p50']} ms, p99 {cells['to the copy: p99']} ms"
        words = f"live, {cells['frames']} changed: from the writer's close to the copy"
        yield words, f"{latency}; CPU {cells['CPU ms a frame']} ms a frame"


def _idle(table: Table) -> Iterator[Row]:
    for number in range(len(table.rows)):
        cells = table.cells(number)
        yield (
            f"idle beside {cells['judged files']} judged files",
            f"{cells['% of a core']} % of a core, {cells['resident MB']} MB",
        )


def _flat(table: Table) -> Iterator[Row]:
    """Yield the last pace, and the memory after half of the frames and after all."""
    half, last = table.cells((len(table.rows) - 1) // 2), table.cells(-1)
    memory = ", ".join(f"{cells['resident MB']} MB after {cells['frames judged']}" for cells in (half, last))
    yield table.title, f"{last['frames/s']} frames/s, CPU {last['CPU ms a frame']} ms a frame; {memory}"


def _ledger(table: Table) -> Iterator[Row]:
    for number, what in enumerate(table.column("what")):
        if str(what).startswith(("open", "dropped", "kept")):
            yield f"{table.title}: {what}", f"{table.cells(number)['CPU us each']} us of CPU"


def _card(table: Table) -> Iterator[Row]:
    for number in range(1, len(table.rows)):
        cells = table.cells(number)
        yield (
            f"{table.title}: {cells['frames']}",
            f"{cells['kept frames/s']} frames/s, {cells['times one by one']} times one by one",
        )


IN_SHORT: dict[str, Callable[[Table], Iterator[Row]]] = {
    "cameras": _cameras,
    "live": _live,
    "idle": _idle,
    "backlog": _flat,
    "soak": _flat,
    "ledger": _ledger,
    "card": _card,
}

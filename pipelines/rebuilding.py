"""What lost data files held, and which run makes their rows again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.store.inventory import logged_files
from pipelines.store.versions import UnreadableError, rows_of

LEDGER = ("ops.batches", "ops.batch_files", "ops.progress")
FOR_GOOD = frozenset(
    ("ops.job_runs", "ops.quality_results", "ops.audit", "identity.steward_decisions", "identity.oneid_changes")
)
"""Tables whose rows nothing can make again: what happened, and what people decided."""
OWED = Path("marks/owed")
SPAN = "SELECT min(interval)::VARCHAR AS first, max(interval)::VARCHAR AS last FROM t"


@dataclass(frozen=True)
class Lost:
    """Data files of a table that are gone: how many, the rows they held (None: unknown), their arrival intervals.

    `again`: whether a run makes the rows again.
    """

    table: str
    files: int
    rows: int | None
    intervals: tuple[str, ...]
    again: bool


def lost_rows(folder: Path, table: str, files: Sequence[Path]) -> Lost:
    """What the files of a table held, as its log states it."""
    places = [file.relative_to(folder).as_posix() for file in files]
    try:
        stated, _ = logged_files(folder)
    except UnreadableError:
        stated = {}
    counts = [stated[place].rows if place in stated else None for place in places]
    rows = None if None in counts else sum(count for count in counts if count is not None)
    days = {part.partition("=")[2] for place in places for part in place.split("/") if part.startswith("interval=")}
    return Lost(table, len(files), rows, tuple(sorted(days)), again=table not in FOR_GOOD)


def commands(lake: Path, lost: Iterable[Lost], *, everything: bool = False) -> list[str]:
    """The command that makes the lost rows again; none where there is nothing to make.

    Bronze comes from the landing files of its days, silver from all of bronze, everything else from the rest of the
    lake. `everything`: commits were lost, so the ledger may name batches whose rows are gone.
    """
    again = [item for item in lost if item.again]
    if not (again or everything):
        return []
    span = rows_of(lake, "ops.batches", SPAN)
    first, last = (span[0]["first"], span[0]["last"]) if span else (None, None)
    days = sorted({day for item in again for day in item.intervals})
    layers = {item.table.partition(".")[0] for item in again}
    if everything or "silver" in layers or any(item.table in LEDGER for item in again):
        words = [*_span(first, last), "--ignore-ledger"]
    elif "bronze" in layers:
        words = [*(_span(days[0], days[-1]) if days else _span(first, last)), "--ignore-ledger"]
    else:
        words = _span(last, last)
    return [" ".join(["cdp run", *words, "--full"])]


def owe(home: Path, lines: Sequence[str]) -> None:
    """The lake remembers which commands make lost rows again."""
    path = home / OWED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def owed(home: Path) -> list[str]:
    """The commands that still have to be run, because a repair could not bring rows back."""
    path = home / OWED
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def settle(home: Path, *, ignore_ledger: bool, full: bool) -> None:
    """A run with these options is done: what it made up for is owed no more."""
    rest = [line for line in owed(home) if not (full and (ignore_ledger or "--ignore-ledger" not in line))]
    if not rest:
        (home / OWED).unlink(missing_ok=True)


def _span(first: str | None, last: str | None) -> list[str]:
    return ["--from", first, "--to", last] if first and last else []

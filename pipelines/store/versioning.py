"""What both ways of keeping the latest version agree on: its column, and what decides between equal versions."""

from __future__ import annotations

from pipelines.spec import Table

FILLED = "filled_from"
ARRIVAL = "interval"
DIGEST = "record_hash"


def version_column(table: Table) -> str:
    """The column that orders the versions of a key."""
    if table.version is None:
        raise ValueError(f"{table.full_name} declares no version column; upsert_latest needs one")
    return table.version


def tie_columns(table: Table) -> tuple[str, ...]:
    """The columns that decide between rows of one version and arrival: the record's digest, then all plain values."""
    plain = [column.name for column in table.columns if "<" not in column.type]
    left_out = {*table.key, FILLED, ARRIVAL, DIGEST, *table.keep_min, *table.fill}
    digest = [DIGEST] if DIGEST in plain else []
    return (*digest, *(name for name in plain if name not in left_out and name != table.version))

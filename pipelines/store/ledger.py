"""The ledger of ingested files, read without a JVM."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.compute as pc
from deltalake import DeltaTable

from pipelines.tables import ALL


def known_files(lake: Path, first: str, last: str) -> frozenset[tuple[str, str, str]]:
    """(feed, interval, file digest) of every file ingested for the days first to last."""
    table = ALL["ops.batch_files"]
    path = lake / table.layer / table.name
    if not DeltaTable.is_deltatable(str(path)):
        return frozenset()
    rows = DeltaTable(str(path)).to_pyarrow_table(columns=["feed", "interval", "sha256"])
    days = rows.column("interval")
    inside = pc.and_(pc.greater_equal(days, date.fromisoformat(first)), pc.less_equal(days, date.fromisoformat(last)))
    return frozenset(
        (row["feed"], row["interval"].isoformat(), row["sha256"]) for row in rows.filter(inside).to_pylist()
    )

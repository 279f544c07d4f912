"""The ledger of ingested files, read without a JVM."""

from __future__ import annotations

from pathlib import Path

from pipelines.store.versions import rows_of

QUERY = "SELECT feed, interval::VARCHAR AS day, sha256 FROM t WHERE interval BETWEEN $first::DATE AND $last::DATE"


def known_files(lake: Path, first: str, last: str) -> frozenset[tuple[str, str, str]]:
    """(feed, interval, file digest) of every file ingested for the days first to last."""
    rows = rows_of(lake, "ops.batch_files", QUERY, {"first": first, "last": last})
    return frozenset((row["feed"], row["day"], row["sha256"]) for row in rows)

"""The ledger of ingested files, read without a JVM."""

from __future__ import annotations

from pathlib import Path

from pipelines.store.versions import rows_of

BETWEEN = "FROM t WHERE interval BETWEEN $first::DATE AND $last::DATE"
FILES = f"SELECT feed, interval::VARCHAR AS day, batch_id, sha256 {BETWEEN}"
BATCHES = f"SELECT feed, interval::VARCHAR AS day, batch_id {BETWEEN}"


def known_files(lake: Path, first: str, last: str) -> frozenset[tuple[str, str, str]]:
    """(feed, interval, file digest) of every file ingested for the days first to last.

    A batch is ingested once it stands in ops.batches: files of a batch that was cut off before are not known.
    """
    days: dict[str, object] = {"first": first, "last": last}
    batches = {tuple(row.values()) for row in rows_of(lake, "ops.batches", BATCHES, days)}
    files = rows_of(lake, "ops.batch_files", FILES, days) if batches else []
    return frozenset(
        (row["feed"], row["day"], row["sha256"])
        for row in files
        if (row["feed"], row["day"], row["batch_id"]) in batches
    )


def unapplied_records(lake: Path, first: str, last: str, *, ignore_ledger: bool = False) -> int:
    """Records of the business days that lie in bronze and that silver has not applied; with `ignore_ledger` all."""
    query = f"SELECT feed, interval::VARCHAR, batch_id, good {BETWEEN}"
    days: dict[str, object] = {"first": first, "last": last}
    brought = {tuple(row.values())[:3]: int(row["good"]) for row in rows_of(lake, "ops.batches", query, days)}
    applied = rows_of(lake, "ops.progress", "SELECT feed, interval::VARCHAR, batch_id FROM t")
    known = set() if ignore_ledger else {tuple(row.values()) for row in applied}
    return sum(good for key, good in brought.items() if key not in known)

"""The ledger of ingested files, read without a JVM."""

from __future__ import annotations

from pathlib import Path

from pipelines.store.versions import rows_of

BETWEEN = "FROM t WHERE interval BETWEEN $first::DATE AND $last::DATE"
FILES = f"SELECT feed, interval::VARCHAR AS day, batch_id, sha256 {BETWEEN}"
SILVER_JOB = "s2_silver"
APPLIED = "SELECT feed, interval::VARCHAR, batch_id FROM t WHERE job = $job"
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


def unapplied_batches(
    lake: Path, first: str, last: str, *, ignore_ledger: bool = False
) -> dict[tuple[str, str, str], int]:
    """(feed, interval, batch id) of the days' batches that silver has not applied, with their records in bronze; with
    `ignore_ledger` all of the days."""
    query = f"SELECT feed, interval::VARCHAR, batch_id, good {BETWEEN}"
    days: dict[str, object] = {"first": first, "last": last}
    brought = {tuple(row.values())[:3]: int(row["good"]) for row in rows_of(lake, "ops.batches", query, days)}
    applied = [] if ignore_ledger else rows_of(lake, "ops.progress", APPLIED, {"job": SILVER_JOB})
    known = {tuple(row.values()) for row in applied}
    return {key: good for key, good in brought.items() if key not in known}

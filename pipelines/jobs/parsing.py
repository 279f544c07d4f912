"""Raw records parsed by several processes: processes of this machine, or tasks of a cluster of several.

Both run the same `Worker`; only counts and names of staged files come back. A process keeps what it has worked out
(tokens, visitors, contexts) for all it is handed; a task of Spark begins anew with each slice and takes nearly twice as
long for the same records, so that tasks are for what one machine cannot hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.jobs.context import RunContext
from pipelines.jobs.landing import Batch, chunks
from pipelines.jobs.parse_process import Hand, Read, parse_in_processes
from pipelines.jobs.worker import (
    RESULT_SCHEMA,
    Result,
    WorkerSetup,
    read_bronze_row,
    read_chunk_row,
    run_task,
)
from pipelines.tables import ALL

CHUNK_SCHEMA = (
    "feed string, interval string, batch_id string, path string, name string,"
    " start bigint, end bigint, first_line bigint"
)
ALONE_BYTES = 4 * 1024 * 1024
"""Up to so much raw data, or so many bronze records, a second process takes longer to start than it saves."""
ALONE_ROWS = 2_000
HAND_BYTES = 1024 * 1024
HANDS = 64
"""What a process takes at a time, so much or of a history so many parts: much less than its share, so that all end
together."""
HAND_ROWS = 500
BatchKey = tuple[str, str, str]
_BRONZE = ("source_file", "line", "element", "context", "payload")


def parse_landing(context: RunContext, batches: Sequence[Batch]) -> Sequence[Result]:
    """What parsing the files of the batches gave."""
    size = context.settings.ingest.chunk_bytes
    total = sum(file.size for batch in batches for file in batch.files)
    on_machine = context.lake.in_process or _is_one_machine(context)
    if on_machine:
        size = min(size, max(HAND_BYTES, total // HANDS))
    rows = [asdict(chunk) for batch in batches for chunk in chunks(batch, size)]
    if on_machine:
        # Batch by batch: a batch states once what many of its records say.
        return _in_processes(context.setup, [[row] for row in rows], read_chunk_row, alone=total <= ALONE_BYTES)
    rows.sort(key=lambda row: (-(row["end"] - row["start"]), row["path"], row["start"]))
    slices = max(2, min(len(rows), total // size + 2))
    dealt = [rows[start::slices] for start in range(slices)]
    frame = context.lake.spark.createDataFrame([tuple(row.values()) for part in dealt for row in part], CHUNK_SCHEMA)
    frame = frame.repartitionByRange(slices, F.col("path"), F.col("start")) if slices > 2 else frame.repartition(2)
    return _on_cluster(context.setup, frame, read_chunk_row)


def _is_one_machine(context: RunContext) -> bool:
    """Whether the cluster is this machine, and may be left out."""
    settings = context.settings
    return settings.spark.master.startswith("local") and settings.ingest.in_process_bytes > 0


def parse_bronze(context: RunContext, batches: Iterable[BatchKey]) -> Sequence[Result]:
    """What parsing the batches again from bronze gave."""
    wanted: dict[str, list[BatchKey]] = {}
    for key in sorted(batches):
        if context.lake.exists(ALL[f"bronze.{key[0]}"]):
            wanted.setdefault(key[0], []).append(key)
    if not wanted:
        return []
    if context.lake.in_process:
        rows = [row for feed, keys in wanted.items() for row in _bronze_rows(context, feed, keys)]
        hands = [rows[start : start + HAND_ROWS] for start in range(0, len(rows), HAND_ROWS)]
        return _in_processes(context.setup, hands, read_bronze_row, alone=len(rows) <= ALONE_ROWS)
    frames = [_bronze_frame(context, feed, keys) for feed, keys in wanted.items()]
    union = frames[0]
    for frame in frames[1:]:
        union = union.unionByName(frame)
    return _on_cluster(context.setup, union, read_bronze_row)


def _bronze_rows(context: RunContext, feed: str, keys: Sequence[BatchKey]) -> list[dict[str, Any]]:
    rows = context.lake.local.scan(ALL[f"bronze.{feed}"]).with_columns(pl.col("interval").cast(pl.String))
    own = pl.DataFrame([key[1:] for key in keys], schema=["interval", "batch_id"], orient="row")
    found = rows.join(own.lazy(), on=["interval", "batch_id"], how="semi").with_columns(feed=pl.lit(feed))
    return found.select("feed", "interval", "batch_id", *_BRONZE).collect().to_dicts()


def _bronze_frame(context: RunContext, feed: str, keys: Sequence[BatchKey]) -> DataFrame:
    days, ids = sorted({key[1] for key in keys}), sorted({key[2] for key in keys})
    rows = context.lake.read(ALL[f"bronze.{feed}"]).where(F.col("interval").isin(days) & F.col("batch_id").isin(ids))
    columns = [F.lit(feed).alias("feed"), F.col("interval").cast("string").alias("interval")]
    return rows.select(*columns, "batch_id", *_BRONZE)


def _on_cluster(setup: WorkerSetup, frame: DataFrame, read: Read) -> Sequence[Result]:
    return [tuple(row) for row in frame.mapInArrow(run_task(setup, read), RESULT_SCHEMA).collect()]


def _in_processes(setup: WorkerSetup, hands: Sequence[Hand], read: Read, *, alone: bool) -> list[Result]:
    """The hands are read by a process per core, this one among them; a few rows by this one alone."""
    cores = len(os.sched_getaffinity(0))
    return parse_in_processes(setup, read, hands, processes=1 if alone else min(cores, len(hands)))

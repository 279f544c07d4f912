"""What a table became since a version, and the way back to one: Delta's log, read without a JVM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable as DeltaLog
from deltalake import write_deltalake
from pyspark.sql import DataFrame, Row

from pipelines.spec import Table
from pipelines.store.arrow import arrow_table
from pipelines.store.lake import Lake
from pipelines.store.versions import data_files, table_path


@dataclass(frozen=True)
class Since:
    """The rows of files added since a version; `appended`: no file of that version has gone, so they are all new."""

    added: DataFrame
    appended: bool


def rows_since(lake: Lake, table: Table, version: int) -> Since:
    """What was added to a table since a version (-1: everything). The table must not be partitioned."""
    if not lake.exists(table):
        return Since(lake.read(table), appended=True)
    if version < 0:
        return Since(lake.read(table), appended=True)
    before = set(data_files(DeltaLog(lake.path(table), version=version)))
    now = set(data_files(DeltaLog(lake.path(table))))
    added = sorted(now - before)
    if not added:
        return Since(lake.read(table).limit(0), appended=before <= now)
    rows = lake.spark.read.schema(lake.read(table).schema).parquet(*added)
    return Since(rows, appended=before <= now)


def put_row(lake: Path, table: Table, row: Mapping[str, Any]) -> None:
    """The small table holds this row under its key, in place of any other; needs no JVM."""
    path = str(table_path(lake, table))
    new = arrow_table(table, [dict(row)])
    if not DeltaLog.is_deltatable(path):
        write_deltalake(path, new, mode="append")
        return
    same = " AND ".join(f"t.{name} = s.{name}" for name in table.key)
    merge = DeltaLog(path).merge(new, same, source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()


def small_rows(frame: DataFrame) -> list[Row]:
    """The rows of a result that is known to be small."""
    return frame.collect()

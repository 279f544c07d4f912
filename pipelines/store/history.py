"""What a table became since a version, and the way back to one: Delta's log, read without a JVM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from deltalake import DeltaTable as DeltaLog
from pyspark.sql import DataFrame

from pipelines.spec import Table
from pipelines.store.lake import Lake
from pipelines.store.versions import data_files
from pipelines.store.versions import dataset


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


def rows_at(lake: Lake, table: Table, version: int | None = None) -> list[dict[str, Any]]:
    """The rows of a small table at a version (None: the newest), read without a Spark job."""
    found = dataset(Path(lake.root), table.full_name, version)
    return [] if found is None else found.to_table().to_pylist()


def restore(lake: Lake, table: Table, version: int) -> None:
    """The table holds what it held at a version (-1: nothing); nothing happens when it does."""
    if not lake.exists(table) or lake.version(table) == version:
        return
    if version < 0:
        lake.delete_keys(table, lake.read(table).select(*table.key))
    else:
        DeltaTable.forPath(lake.spark, lake.path(table)).restoreToVersion(version)

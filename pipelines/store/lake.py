"""The Delta tables of a lake: reading, and writing so that doing it again changes nothing.

Every write first works out which rows really differ; when none do, no version is committed. Spark's own readers,
writers and `DeltaTable` are used here and in `pipelines/session.py` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deltalake as delta_rs
import polars as pl
from delta.tables import DeltaTable
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from pipelines.spec import Table
from pipelines.store.arrow import arrow_table
from pipelines.store.creation import WriteResult, create_table
from pipelines.store.latest import KNOWN, assignments, changed_rows, latest_rows
from pipelines.store.layout import rows_per_file
from pipelines.store.local import LocalLake
from pipelines.store.versions import rows_of

OP = "__op"
WRITERS = 4


class Lake:
    """The tables under one folder: `lake/<layer>/<table>`.

    `in_process`: what is written is little, so the differences are worked out and committed in this process; a cluster
    job for each table would cost more than the rows.
    """

    def __init__(self, spark: SparkSession, root: Path | str, *, in_process: bool = False) -> None:
        self.spark = spark
        self.root = str(root)
        self.in_process = in_process
        self.local = LocalLake(Path(root))
        self._present: set[str] = set()

    def path(self, table: Table) -> str:
        """Where the table lies."""
        return f"{self.root}/{table.layer}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether the table has been created."""
        if table.full_name in self._present:
            return True
        found = self.local.exists(table)
        if found:
            self._present.add(table.full_name)
        return found

    def read(self, table: Table, *, version: int | None = None) -> DataFrame:
        """The table's rows, at a version if given; no rows, with the declared columns, when it does not exist."""
        if not self.exists(table):
            return self.spark.createDataFrame([], _nullable(table))
        reader = self.spark.read.format("delta")
        if self.in_process:
            # Sail 0.7.2 takes a comment for part of a column's type and refuses unions of columns that differ there.
            reader = reader.schema(_nullable(table))
        if version is not None:
            reader = reader.option("versionAsOf", version)
        rows = reader.load(self.path(table))
        return rows if version is None else _with_younger(table, rows)

    def read_staged(self, files: Sequence[str]) -> DataFrame:
        """The rows of staged parquet files."""
        return self.spark.read.parquet(*files)

    def version(self, table: Table) -> int:
        """The table's newest Delta version, -1 when it does not exist."""
        if not self.exists(table):
            return -1
        return int(delta_rs.DeltaTable(self.path(table)).version())

    def each(self, work: Callable[[str], WriteResult], names: Sequence[str]) -> list[WriteResult]:
        """The results of `work` on each name, in the names' order; a few at a time, as a commit mostly waits."""
        with ThreadPoolExecutor(WRITERS) as pool:
            return list(pool.map(work, names))

    def create(self, table: Table) -> None:
        """The table exists, with its comments, partitions and properties."""
        if self.exists(table):
            return
        create_table(self.root, table)
        self._present.add(table.full_name)

    def add_rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> WriteResult:
        """A few rows of the driver's whose key the table does not hold yet are added, without a Spark job."""
        self.create(table)
        key = ", ".join(f'"{name}"::VARCHAR' for name in table.key)
        known = {tuple(row.values()) for row in self.query(table, f"SELECT DISTINCT {key} FROM t")}
        new = [dict(row) for row in rows if tuple(str(row[name]) for name in table.key) not in known]
        if new:
            delta_rs.write_deltalake(self.path(table), arrow_table(table, new), mode="append")
        return WriteResult(table.full_name, inserted=len(new), version=self.version(table))

    def query(self, table: Table, query: str, parameters: dict[str, object] | None = None) -> list[dict[str, Any]]:
        """Rows of a DuckDB query over the table `t`, read without a Spark job; none when it does not exist."""
        return rows_of(Path(self.root), table.full_name, query, parameters)

    def append_new(self, table: Table, frame: DataFrame, *, order: Sequence[str] = ()) -> WriteResult:
        """Rows whose key the table does not hold yet are added; of rows with one key the least by `order` counts."""
        if self.in_process:
            return self.local.append_new(table, collected(frame), order=order)
        rows = _first_by_key(_conform(table, frame), table.key, [F.col(name) for name in order])
        if self.exists(table):
            known = self.read(table).select(*table.key)
            rows = rows.join(known, list(table.key), "left_anti").select(*table.column_names)
        with self._materialised(rows) as new:
            count = new.count()
            if count:
                self._append(table, new, count)
        return WriteResult(table.full_name, inserted=count, version=self.version(table))

    def keep_earliest(self, table: Table, frame: DataFrame, *, same: str | None = None) -> WriteResult:
        """Each key holds its row of the least arrival interval, whatever order the intervals come in.

        `same`: a column that has to agree; a row that differs there from the one the table holds changes nothing.
        """
        if self.in_process:
            return self.local.keep_earliest(table, collected(frame), same=same)
        order = [F.col("interval"), *([F.col(same)] if same else [])]
        rows = _first_by_key(_conform(table, frame), table.key, order)
        if not self.exists(table):
            return self._apply(table, rows.withColumn(OP, F.lit("I")))
        held = [F.col("interval").alias("__interval"), *([F.col(same).alias("__same")] if same else [])]
        joined = rows.join(self.read(table).select(*table.key, *held), list(table.key), "left")
        earlier = F.col("interval") < F.col("__interval")
        if same:
            earlier = earlier & (F.col(same) == F.col("__same"))
        op = F.when(F.col("__interval").isNull(), "I").when(earlier, "U")
        return self._apply(
            table, joined.withColumn(OP, op).where(F.col(OP).isNotNull()).select(*table.column_names, OP)
        )

    def upsert_latest(self, table: Table, frame: DataFrame) -> WriteResult:
        """Each key holds its greatest version with its `keep_min` and `fill` columns, in whatever order they came."""
        if self.in_process:
            return self.local.upsert_latest(table, collected(frame))
        rows = latest_rows(table, _conform(table, frame))
        if not self.exists(table):
            return self._apply(table, rows.withColumn(OP, F.lit("I")))
        changed = changed_rows(table, rows, self.read(table))
        staged = changed.withColumn(OP, F.when(F.col(KNOWN), "U").otherwise("I")).drop(KNOWN)
        return self._apply(table, staged, assignments=assignments(table))

    def replace(self, table: Table, frame: DataFrame) -> WriteResult:
        """The table holds exactly these rows."""
        return self.replace_keys(table, frame, None)

    def replace_keys(self, table: Table, frame: DataFrame, keys: DataFrame | None) -> WriteResult:
        """The rows whose columns match a row of `keys` are exactly those of `frame`; others stay (None: all rows)."""
        if self.in_process and keys is not None:
            return self.local.replace_keys(table, collected(frame), collected(keys))
        if self.in_process:
            return self.local.replace_all(table, collected(frame))
        new = _conform(table, frame)
        if not self.exists(table):
            result = self._apply(table, new.withColumn(OP, F.lit("I")))
            self.create(table)  # a table without rows is there for its readers all the same
            return result
        old = self.read(table)
        if keys is not None:
            old = old.join(keys.distinct(), list(keys.columns), "left_semi")
        return self._apply(table, _difference(table, old, new))

    def replace_own(self, table: Table, frame: DataFrame, columns: Sequence[str]) -> WriteResult:
        """The rows whose `columns` are those of a row of `frame` are exactly those of `frame`; others stay."""
        if self.in_process:
            rows = collected(frame)
            return self.local.replace_keys(table, rows, rows.select(columns))
        with self._materialised(frame) as rows_kept:
            return self.replace_keys(table, rows_kept, rows_kept.select(*columns))

    def delete_keys(self, table: Table, keys: DataFrame) -> WriteResult:
        """No row with one of these keys is left."""
        return self.replace_keys(table, self.read(table).limit(0), keys)

    def _apply(self, table: Table, staged: DataFrame, assignments: dict[str, SparkColumn] | None = None) -> WriteResult:
        with self._materialised(staged) as rows:
            counts = {row[OP]: int(row["count"]) for row in rows.groupBy(OP).count().collect()}
            inserted, updated, deleted = (counts.get(op, 0) for op in "IUD")
            if updated or deleted:
                self._merge(table, rows, assignments)
            elif inserted:
                self._append(table, rows.drop(OP), inserted)
        return WriteResult(table.full_name, inserted, updated, deleted, self.version(table))

    def _merge(self, table: Table, rows: DataFrame, assignments: dict[str, SparkColumn] | None) -> None:
        condition = _all([F.col(f"t.{name}").eqNullSafe(F.col(f"s.{name}")) for name in table.key])
        values = {name: F.col(f"s.{name}") for name in table.column_names}
        target = DeltaTable.forPath(self.spark, self.path(table)).alias("t")
        merge = target.merge(rows.alias("s"), condition)
        merge = merge.whenMatchedDelete(F.col(f"s.{OP}") == "D")
        merge = merge.whenMatchedUpdate(set=assignments or values)  # type: ignore[arg-type]  # columns are accepted
        merge = merge.whenNotMatchedInsert(F.col(f"s.{OP}") != "D", values)  # type: ignore[arg-type]
        merge.execute()

    def _append(self, table: Table, rows: DataFrame, count: int) -> None:
        self.create(table)
        if table.partition_by:
            rows = rows.repartition(*table.partition_by)
        elif table.cluster_by and (files := -(-count // rows_per_file(table, count))) > 1:
            rows = rows.repartitionByRange(files, table.cluster_by).sortWithinPartitions(table.cluster_by)
        rows.select(*table.column_names).write.format("delta").mode("append").save(self.path(table))

    @contextmanager
    def _materialised(self, frame: DataFrame) -> Iterator[DataFrame]:
        rows = frame.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            yield rows
        finally:
            rows.unpersist()


def collected(frame: DataFrame) -> pl.DataFrame:
    """The rows of a result that is known to be small, in this process."""
    rows = pl.from_arrow(frame.toArrow())
    assert isinstance(rows, pl.DataFrame)
    return rows


def _nullable(table: Table) -> str:
    return table.ddl().replace(" NOT NULL", "")


def _with_younger(table: Table, rows: DataFrame) -> DataFrame:
    """The rows of an older version with the columns that the table has gained since, which are null there."""
    gained = [column for column in table.columns if column.name not in rows.columns]
    return rows.withColumns({column.name: F.lit(None).cast(column.type) for column in gained}) if gained else rows


def _conform(table: Table, frame: DataFrame) -> DataFrame:
    """The declared columns in their order and type; a missing column is null."""
    present = set(frame.columns)
    return frame.select(
        *[
            (F.col(column.name) if column.name in present else F.lit(None)).cast(column.type).alias(column.name)
            for column in table.columns
        ]
    )


def _first_by_key(rows: DataFrame, key: Sequence[str], order: Sequence[SparkColumn]) -> DataFrame:
    if not order:
        return rows.dropDuplicates(list(key))
    window = Window.partitionBy(*key).orderBy(*order)
    return rows.withColumn("__n", F.row_number().over(window)).where(F.col("__n") == 1).drop("__n")


def _difference(table: Table, old: DataFrame, new: DataFrame) -> DataFrame:
    """Rows to insert (I), update (U) or delete (D, with the old values) to come from `old` to `new`."""
    names = list(table.column_names)
    left = old.select(F.struct(*names).alias("o"), _key_of(table))
    right = new.select(F.struct(*names).alias("n"), _key_of(table))
    joined = left.join(right, "__key", "full_outer")
    op = F.when(F.col("n").isNull(), "D").when(F.col("o").isNull(), "I").when(~F.col("o").eqNullSafe(F.col("n")), "U")
    return (
        joined.withColumn(OP, op)
        .where(F.col(OP).isNotNull())
        .select(F.coalesce("n", "o").alias("r"), OP)
        .select("r.*", OP)
    )


def _key_of(table: Table) -> SparkColumn:
    return F.struct(*[F.coalesce(F.col(name).cast("string"), F.lit("\x00")).alias(name) for name in table.key]).alias(
        "__key"
    )


def _all(conditions: Sequence[SparkColumn]) -> SparkColumn:
    result = conditions[0]
    for condition in conditions[1:]:
        result = result & condition
    return result

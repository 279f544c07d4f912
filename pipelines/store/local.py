"""Delta tables of a lake read and written in this process, without a JVM: for work that fits into one machine's memory.

Every write first works out which rows really differ; when none do, no version is committed. Tables written here are
the same tables that `Lake` writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.spec import Table
from pipelines.store.arrow import arrow_table
from pipelines.store.lake import WriteResult, create_table
from pipelines.store.versions import table_path

OP = "__op"


@dataclass(frozen=True)
class Added:
    """The rows of files added since a version; `appended`: no file of that version has gone, so they are all new."""

    rows: pl.LazyFrame
    appended: bool


class LocalLake:
    """The tables under one folder: `<layer>/<table>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, table: Table) -> bool:
        """Whether the table has been created."""
        return bool(DeltaTable.is_deltatable(self._path(table)))

    def version(self, table: Table) -> int:
        """The table's newest version, -1 when it does not exist."""
        return DeltaTable(self._path(table)).version() if self.exists(table) else -1

    def rows(self, table: Table) -> int:
        """The number of rows, as the log states it; 0 when the table does not exist."""
        if not self.exists(table):
            return 0
        actions = pl.DataFrame(DeltaTable(self._path(table)).get_add_actions(flatten=True))
        return int(actions["num_records"].sum()) if actions.height else 0

    def scan(self, table: Table, version: int | None = None) -> pl.LazyFrame:
        """The table's rows, at a version if given; no rows, with the declared columns, when there is no such table."""
        if not self.exists(table) or (version is not None and version < 0):
            return empty(table).lazy()
        delta = DeltaTable(self._path(table), version=version)
        files = delta.file_uris()
        if not files:
            return empty(table).lazy()
        return pl.scan_parquet(files, missing_columns="insert").select(table.column_names)

    def added_since(self, table: Table, version: int) -> Added:
        """What was added to a table since a version (-1: everything). The table must not be partitioned."""
        if not self.exists(table) or version < 0:
            return Added(self.scan(table), appended=True)
        before = set(DeltaTable(self._path(table), version=version).file_uris())
        now = set(DeltaTable(self._path(table)).file_uris())
        added = sorted(now - before)
        rows = pl.scan_parquet(added).select(table.column_names) if added else empty(table).lazy()
        return Added(rows, appended=before <= now)

    def replace(self, table: Table, old: pl.DataFrame, new: pl.DataFrame) -> WriteResult:
        """The rows `old` of the table are now the rows `new`; both hold the declared columns, other rows stay."""
        staged = difference(table, old.select(table.column_names), conform(table, new))
        counts = dict(staged.group_by(OP).len().iter_rows())
        inserted, updated, deleted = (counts.get(op, 0) for op in "IUD")
        if updated or deleted:
            self._rewrite(table, staged)
        elif inserted:
            self.append(table, staged.drop(OP))
        return WriteResult(table.full_name, inserted, updated, deleted, self.version(table))

    def append(self, table: Table, rows: pl.DataFrame) -> WriteResult:
        """The rows are added."""
        if rows.height:
            create_table(self.root, table)
            write_deltalake(self._path(table), to_arrow(table, rows), mode="append")
        return WriteResult(table.full_name, inserted=rows.height, version=self.version(table))

    def restore(self, table: Table, version: int) -> None:
        """The table holds what it held at a version (-1: nothing); nothing happens when it does."""
        if not self.exists(table) or self.version(table) == version:
            return
        delta = DeltaTable(self._path(table))
        if version < 0:
            delta.delete()
        else:
            delta.restore(version)

    def _rewrite(self, table: Table, staged: pl.DataFrame) -> None:
        """The table without the changed rows, and with what they are now.

        Keys are random, so a merge would rewrite every file as well; and delta-rs' own merge leaves view types in the
        files that DuckDB cannot filter through Arrow.
        """
        changed = staged.lazy().select(*table.key)
        kept = self.scan(table).join(changed, on=list(table.key), how="anti", nulls_equal=True)
        new = staged.lazy().filter(pl.col(OP) != "D").select(table.column_names)
        rows = pl.concat([kept, new]).collect()
        write_deltalake(self._path(table), to_arrow(table, rows), mode="overwrite")

    def _path(self, table: Table) -> str:
        return str(table_path(self.root, table))


def empty(table: Table) -> pl.DataFrame:
    """No rows, in the declared columns and types."""
    frame = pl.from_arrow(arrow_table(table, []))
    assert isinstance(frame, pl.DataFrame)
    return frame


def conform(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The declared columns in their order and type; a missing column is null."""
    schema = empty(table).schema
    present = set(frame.columns)
    return frame.select(
        (pl.col(name) if name in present else pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()
    )


def to_arrow(table: Table, frame: pl.DataFrame) -> pa.Table:
    """The declared columns in Arrow's plain types: polars' own views are not what other readers expect."""
    return conform(table, frame).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_table(table, []).schema)


def difference(table: Table, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Rows to insert (I), update (U) or delete (D, with the old values) to come from `old` to `new`."""
    key = list(table.key)
    marked_old = old.with_columns(__there=pl.lit(value=True))
    unchanged = new.join(old, on=table.column_names, how="semi", nulls_equal=True)
    changed = new.join(unchanged, on=key, how="anti", nulls_equal=True)
    known = changed.join(marked_old.select(*key, "__there"), on=key, how="left", nulls_equal=True)
    written = known.with_columns(pl.when(pl.col("__there")).then(pl.lit("U")).otherwise(pl.lit("I")).alias(OP))
    gone = old.join(new, on=key, how="anti", nulls_equal=True).with_columns(pl.lit("D").alias(OP))
    return pl.concat([written.select(*table.column_names, OP), gone])

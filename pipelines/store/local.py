"""Delta tables of a lake read and written in this process, without a JVM: for work that fits into one machine's memory.

Every write first works out which rows really differ; when none do, no version is committed. Tables written here are
the same tables that `Lake` writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from pipelines.errors import IntegrityError
from pipelines.spec import Table
from pipelines.store.arrow import arrow_table, arrow_type
from pipelines.store.commit import active, swap_files
from pipelines.store.creation import WriteResult, create_table
from pipelines.store.layout import bundled, laid_out, rows_per_file
from pipelines.store.local_latest import changed_rows, first_rows, latest_rows
from pipelines.store.versions import data_files, has_log, opened, table_path

OP = "__op"
FILE = "__file"
ARRIVAL = "interval"
CASTS = pl.ScanCastOptions(integer_cast="upcast", datetime_cast=["nanosecond-downcast", "convert-timezone"])
"""Other writers keep instants as nanoseconds without a zone (Spark's INT96) or in narrower numbers."""


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
        return has_log(self._path(table))

    def version(self, table: Table) -> int:
        """The table's newest version, -1 when it does not exist."""
        return opened(self._path(table)).version() if self.exists(table) else -1

    def rows(self, table: Table) -> int:
        """The number of rows, as the log states it; 0 when the table does not exist."""
        if not self.exists(table):
            return 0
        actions = pl.DataFrame(opened(self._path(table)).get_add_actions(flatten=True))
        return int(actions["num_records"].sum()) if actions.height else 0

    def scan(self, table: Table, version: int | None = None) -> pl.LazyFrame:
        """The table's rows, at a version if given; no rows, with the declared columns, when there is no such table."""
        if not self.exists(table) or (version is not None and version < 0):
            return empty(table).lazy()
        files = data_files(opened(self._path(table), version))
        return read_files(table, files) if files else empty(table).lazy()

    def added_since(self, table: Table, version: int) -> Added:
        """What was added to a table since a version (-1: everything)."""
        if not self.exists(table) or version < 0:
            return Added(self.scan(table), appended=True)
        before = set(data_files(opened(self._path(table), version)))
        now = set(data_files(opened(self._path(table))))
        added = sorted(now - before)
        return Added(read_files(table, added) if added else empty(table).lazy(), appended=before <= now)

    def replace(self, table: Table, old: pl.DataFrame, new: pl.DataFrame) -> WriteResult:
        """The rows `old` of the table are now the rows `new`; both hold the declared columns, other rows stay."""
        return self._apply(table, difference(table, old.select(table.column_names), conform(table, new)))

    def replace_keys(self, table: Table, new: pl.DataFrame, keys: pl.DataFrame) -> WriteResult:
        """The rows whose columns match a row of `keys` are exactly those of `new`; others stay."""
        self.create(table)
        names = keys.columns
        old = self.scan(table).join(keys.unique().lazy(), on=names, how="semi", nulls_equal=True).collect()
        return self.replace(table, old, new)

    def replace_all(self, table: Table, new: pl.DataFrame) -> WriteResult:
        """The table holds exactly these rows."""
        self.create(table)
        return self.replace(table, self.scan(table).collect(), new)

    def append_new(self, table: Table, rows: pl.DataFrame, *, order: Sequence[str] = ()) -> WriteResult:
        """Rows whose key the table does not hold yet are added; of rows with one key the least by `order` counts."""
        key = list(table.key)
        first = first_rows(conform(table, rows), key, order)
        new = first.join(self._held(table, first, key), on=key, how="anti", nulls_equal=True)
        return self.append(table, new)

    def keep_earliest(self, table: Table, rows: pl.DataFrame, *, same: str | None = None) -> WriteResult:
        """Each key holds its row of the least arrival interval, whatever order the intervals come in.

        `same`: a column that has to agree; a row that differs there from the one the table holds changes nothing.
        """
        key, more = list(table.key), [same] if same else []
        first = first_rows(conform(table, rows), key, [ARRIVAL, *more])
        held = self._held(table, first, [*key, ARRIVAL, *more]).with_columns(__held=pl.lit(value=True))
        joined = first.join(held, on=key, how="left", nulls_equal=True, suffix="_held")
        earlier = pl.col(ARRIVAL) < pl.col(f"{ARRIVAL}_held")
        if same:
            earlier &= pl.col(same) == pl.col(f"{same}_held")
        op = pl.when(pl.col("__held").is_null()).then(pl.lit("I")).when(earlier).then(pl.lit("U"))
        return self._apply(table, joined.with_columns(op.alias(OP)).drop_nulls(OP).select(*table.column_names, OP))

    def upsert_latest(self, table: Table, rows: pl.DataFrame) -> WriteResult:
        """Each key holds its greatest version with its `keep_min` and `fill` columns, in whatever order they came."""
        latest = latest_rows(table, conform(table, rows))
        held = self._held(table, latest, table.column_names)
        return self._apply(table, changed_rows(table, latest, held, op=OP))

    def append_once(self, table: Table, parts: Iterable[pl.DataFrame], *, app_id: str) -> int:
        """The rows are added once, part by part in one commit: again under the same `app_id` adds none; gives their
        number."""
        self.create(table)
        delta = DeltaTable(self._path(table))
        if delta.transaction_version(app_id) is not None:
            return 0
        schema = pa.schema([(column.name, arrow_type(column.type)) for column in table.columns])
        added = 0

        def batches() -> Iterator[pa.RecordBatch]:
            nonlocal added
            for part in parts:
                added += part.height
                yield from to_arrow(table, part).to_batches()

        reader = pa.RecordBatchReader.from_batches(schema, batches())
        properties = CommitProperties(app_transactions=[Transaction(app_id, 1)])
        write_deltalake(delta, reader, mode="append", commit_properties=properties)
        return added

    def create(self, table: Table) -> None:
        """The table exists, with its comments, partitions and properties."""
        create_table(self.root, table)

    def append(self, table: Table, rows: pl.DataFrame) -> WriteResult:
        """The rows are added."""
        if rows.height:
            create_table(self.root, table)
            content = to_arrow(table, laid_out(table, rows))
            if rows.height > rows_per_file(table, rows.height):
                swap_files(opened(self._path(table)), table, (), [content])
            else:
                write_deltalake(self._path(table), content, mode="append")
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

    def _apply(self, table: Table, staged: pl.DataFrame) -> WriteResult:
        """Rows with their operation (I, U or D) are carried out; no version is committed for none."""
        counts = dict(staged.group_by(OP).len().iter_rows())
        inserted, updated, deleted = (counts.get(op, 0) for op in "IUD")
        if updated or deleted:
            self._rewrite(table, staged)
        elif inserted:
            self.append(table, staged.drop(OP))
        return WriteResult(table.full_name, inserted, updated, deleted, self.version(table))

    def _rewrite(self, table: Table, staged: pl.DataFrame) -> None:
        """The files that hold a changed or deleted row are swapped for files with what the rows are now."""
        key = list(table.key)
        delta = opened(self._path(table))
        files = active(delta)
        changed = staged.filter(pl.col(OP) != "I").select(key)
        keys = read_files(table, sorted(files), place=FILE).select(*key, FILE)
        hit = keys.join(changed.lazy(), on=key, how="semi", nulls_equal=True).collect()
        touched = sorted(set(hit[FILE]))
        bundles = bundled(table, {path: files[path].rows for path in touched})
        swap_files(delta, table, touched, _rewritten(table, staged, hit, bundles))

    def _held(self, table: Table, rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """What the table holds under the keys of the rows."""
        key = list(table.key)
        keys = rows.lazy().select(key)
        return self.scan(table).select(columns).join(keys, on=key, how="semi", nulls_equal=True).collect()

    def _path(self, table: Table) -> str:
        return str(table_path(self.root, table))


def _rewritten(
    table: Table, staged: pl.DataFrame, hit: pl.DataFrame, bundles: Sequence[Sequence[str]]
) -> Iterator[pa.Table]:
    """What the rows of each bundle of files are now; new ones come with the last. One bundle at a time is in memory.

    `hit`: the key and file of each row that changes or goes.
    """
    key = list(table.key)
    left = staged.filter(pl.col(OP) != "D").select(table.column_names)
    for bundle in bundles[:-1]:
        own = hit.filter(pl.col(FILE).is_in(bundle)).select(key)
        yield _bundle(table, bundle, own, left.join(own, on=key, how="semi", nulls_equal=True))
        left = left.join(own, on=key, how="anti", nulls_equal=True)
    yield _bundle(table, bundles[-1], hit.select(key), left)


def _bundle(table: Table, files: Sequence[str], gone: pl.DataFrame, new: pl.DataFrame) -> pa.Table:
    """The rows of the files without those of the `gone` keys, and the new ones."""
    kept = read_files(table, files) if files else empty(table).lazy()
    kept = kept.join(gone.lazy(), on=list(table.key), how="anti", nulls_equal=True)
    return to_arrow(table, laid_out(table, pl.concat([kept.collect(), new])))


def read_files(table: Table, files: Sequence[str], *, place: str | None = None) -> pl.LazyFrame:
    """The rows of data files in the declared columns and types; `place`: a column that names each row's file."""
    schema = empty(table).schema
    parts = {name: schema[name] for name in table.partition_by}
    found = pl.scan_parquet(
        list(files),
        schema={name: kind for name, kind in schema.items() if name not in parts},
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=CASTS,
        hive_partitioning=bool(parts),
        hive_schema=parts or None,
        include_file_paths=place,
    )
    return found.select(*table.column_names, *([place] if place else []))


@cache
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
    """The declared columns in Arrow's plain types: polars' own views are not what other readers expect.

    Raises IntegrityError (exit 4) where a required column has no value.
    """
    for column in table.columns:
        if column.required and (column.name not in frame.columns or frame[column.name].null_count()):
            raise IntegrityError(
                f"{table.full_name} would get rows whose {column.name} is null, which is required",
                where=table.full_name,
                hint="see which feed leaves it out with `cdp quarantine list`, and mend its parser or mapping",
            )
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

"""A commit to a Delta table that swaps whole data files: what MERGE and DELETE come down to, without a JVM.

The log entry follows the Delta protocol (actions `remove`, `add` and `commitInfo`, writer version 2); it is on disk
before its name is, and its name is taken with a link that fails where another writer was faster.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from pipelines.errors import CdpError, ExitCode
from pipelines.spec import Table
from pipelines.store.arrow import dictionary_columns
from pipelines.store.creation import stats_columns
from pipelines.store.layout import rows_per_file

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
ROWS_PER_GROUP = 131_072
CHECKPOINT_EVERY = 10
LONGEST = 32


@dataclass(frozen=True)
class DataFile:
    """An active data file: its name in the log, the values of its partition, bytes and rows."""

    path: str
    partition: dict[str, str | None]
    size: int
    rows: int


def active(delta: DeltaTable) -> dict[str, DataFile]:
    """The active data files of a table's version, by their place in the file system."""
    actions = pl.DataFrame(delta.get_add_actions(flatten=True))
    root = Path(unquote(str(delta.table_uri).removeprefix("file://")))
    found = {}
    for row in actions.iter_rows(named=True):
        partition = {
            name.removeprefix("partition."): None if value is None else str(value)
            for name, value in row.items()
            if name.startswith("partition.")
        }
        found[str(root / unquote(row["path"]))] = DataFile(
            row["path"], partition, int(row["size_bytes"]), int(row.get("num_records") or 0)
        )
    return found


def swap_files(delta: DeltaTable, table: Table, removed: Iterable[str], parts: Iterable[pa.Table]) -> int:
    """The table's next version is without the removed files and has files with these rows; gives its number.

    `removed`: places in the file system; `parts`: rows with the declared columns in their types, `laid_out`, part by
    part, none of which shares a file with another. Raises CdpError (exit 5) where another writer committed in between.
    """
    root = Path(unquote(str(delta.table_uri).removeprefix("file://")))
    files = active(delta)
    version = delta.version() + 1
    gone = set(removed)
    standing = sum(file.rows for path, file in files.items() if path not in gone)
    added = [
        _write_file(root, table, values, piece)
        for rows in parts
        for values, part in _partitions(table, rows)
        for piece in _pieces(part, rows_per_file(table, rows.num_rows + standing))
    ]
    log = root / "_delta_log"
    stamp = _stamp(log)
    actions: list[dict[str, Any]] = [_commit_info(version, stamp)]
    actions += [_remove(files[path], stamp) for path in sorted(gone)]
    actions += [{"add": {**add, "modificationTime": stamp}} for add in added]
    _publish(log, version, actions)
    if version % CHECKPOINT_EVERY == 0:
        DeltaTable(str(root)).create_checkpoint()
    return version


def _partitions(table: Table, rows: pa.Table) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
    """The rows by partition, without the columns that their folder says."""
    if not table.partition_by:
        yield {}, rows
        return
    (name,) = table.partition_by
    column = pc.cast(rows[name], pa.string())
    for value in sorted(pc.unique(column).to_pylist(), key=lambda one: (one is not None, one)):
        mask = pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), fill_value=False)
        yield {name: value}, rows.filter(mask).drop_columns([name])


def _pieces(rows: pa.Table, most: int) -> Iterator[pa.Table]:
    """The rows in pieces of one size, none above the most."""
    number = -(-rows.num_rows // most)
    for place in range(number):
        start, end = (rows.num_rows * edge // number for edge in (place, place + 1))
        yield rows.slice(start, end - start)


def _write_file(root: Path, table: Table, values: dict[str, str | None], rows: pa.Table) -> dict[str, Any]:
    """The rows in a file named after its content: a repeated try leaves the same file."""
    folder = Path(*[f"{name}={NULL_PARTITION if value is None else quote(value)}" for name, value in values.items()])
    (root / folder).mkdir(parents=True, exist_ok=True)
    plain = stats_columns(table)
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        write_statistics=plain,
        use_dictionary=dictionary_columns(rows),
    )
    content = sink.getvalue()
    name = str(folder / f"part-{hashlib.sha256(content).hexdigest()[:32]}.zstd.parquet")
    _durable(root / name, memoryview(content))
    return {
        "path": quote(name),
        "partitionValues": values,
        "size": content.size,
        "dataChange": True,
        "stats": json.dumps(_statistics(rows, plain)),
    }


def _statistics(rows: pa.Table, names: Sequence[str]) -> dict[str, Any]:
    """The number of rows, and the bounds of these columns.

    All of them: a reader (delta-rs) takes a bound left out of a file's statistics for one that nothing fulfils.
    """
    least, most, nulls = {}, {}, {}
    for name in names:
        column = rows[name]
        nulls[name] = column.null_count
        if column.null_count < len(column):
            bounds = pc.min_max(column).as_py()
            least[name], most[name] = _bound(bounds["min"], up=False), _bound(bounds["max"], up=True)
    return {"numRecords": rows.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls}


def _bound(value: Any, *, up: bool) -> Any:
    """A bound as the log says it, rounded outwards: texts cut to 32 characters, instants to milliseconds.

    >>> _bound("a" * 40, up=False) == "a" * 32, _bound("short", up=True)
    (True, 'short')
    """
    if isinstance(value, datetime):
        whole = value.replace(microsecond=value.microsecond // 1000 * 1000)
        if up and whole != value:
            whole += timedelta(milliseconds=1)
        return whole.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and len(value) > LONGEST:
        return value[:LONGEST] + ("\U0010ffff" if up else "")
    return value


def _remove(file: DataFile, stamp: int) -> dict[str, Any]:
    return {
        "remove": {
            "path": file.path,
            "deletionTimestamp": stamp,
            "dataChange": True,
            "extendedFileMetadata": True,
            "partitionValues": file.partition,
            "size": file.size,
        }
    }


def _commit_info(version: int, stamp: int) -> dict[str, Any]:
    return {
        "commitInfo": {
            "timestamp": stamp,
            "operation": "MERGE",
            "operationParameters": {},
            "readVersion": version - 1,
            "isBlindAppend": False,
            "engineInfo": "oneid-cdp",
        }
    }


def _stamp(log: Path) -> int:
    """The file system's time in epoch ms: readers compare it with the times of files, so it is no business time."""
    probe = log / ".stamp"
    probe.write_bytes(b"")
    stamp = probe.stat().st_mtime_ns // 1_000_000
    probe.unlink()
    return stamp


def _publish(log: Path, version: int, actions: Sequence[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(action, separators=(",", ":"), ensure_ascii=False) + "\n" for action in actions)
    draft = log / f".{version:020d}.draft"
    _durable(draft, lines.encode())
    try:
        os.link(draft, log / f"{version:020d}.json")
    except FileExistsError:
        raise CdpError(
            ExitCode.LOCKED,
            "another writer committed to the table in between",
            where=str(log.parent),
            hint="let one run at a time write to the lake, then run again",
        ) from None
    finally:
        draft.unlink()
    _sync_folder(log)


def _durable(path: Path, content: bytes | memoryview) -> None:
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

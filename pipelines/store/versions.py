"""Delta tables read without a JVM, at the version a manifest names: for publishing, checking and looking things up."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipelines.spec import Table
from pipelines.store.types import duckdb_type
from pipelines.tables import ALL

if TYPE_CHECKING:
    import pyarrow.dataset as ds

Log = frozenset[tuple[str, int, int, int]]
LAST_CHECKPOINT = "_last_checkpoint"
ENTRIES = (".json", ".parquet", LAST_CHECKPOINT)
"""How the names in a log end that say what the table holds."""


_WILD = re.compile(r"[*?[]")


class UnreadableError(Exception):
    """A table's log cannot be read at the wanted version."""


@dataclass(frozen=True)
class TableState:
    """A table at one version: rows, the digest of its commit file and of the sorted list of its active files."""

    version: int
    rows: int
    commit_sha256: str
    files_sha256: str

    def as_dict(self) -> dict[str, Any]:
        """The state as the manifest holds it."""
        return dict(self.__dict__)


def table_path(lake: Path, table: Table) -> Path:
    """Where a table lies."""
    return lake / table.layer / table.name


def exists(lake: Path, full_name: str) -> bool:
    """Whether the table has been created."""
    return has_log(str(table_path(lake, ALL[full_name])))


def has_log(path: str) -> bool:
    """Whether a commit or a checkpoint stands in the log of a table there."""
    try:
        return any(name != LAST_CHECKPOINT for name, *_ in _log_entries(f"{path}/_delta_log"))
    except (FileNotFoundError, NotADirectoryError):
        return False


def opened(path: str, version: int | None = None) -> DeltaTable:
    """The table as its log has it now, at a version if given, for reading only: the next who asks gets the same one.

    A log that did not change is not read again: that takes longer than most queries.
    """
    return _opened(path, version, _log_entries(f"{path}/_delta_log"))


@lru_cache(maxsize=64)
def _opened(path: str, version: int | None, _: Log) -> DeltaTable:
    return DeltaTable(path, version=version)


@lru_cache(maxsize=64)
def _dataset(path: str, version: int | None, log: Log) -> ds.Dataset:
    return _opened(path, version, log).to_pyarrow_dataset()


def _log_entries(log: str) -> Log:
    """The commits and checkpoints of a log with what tells that one was written anew: inode, size and time."""
    found = set()
    with os.scandir(log) as entries:
        for entry in entries:
            # Another process may be about to remove it; what it only just writes has no such name yet.
            with suppress(FileNotFoundError):
                if not entry.name.startswith(".") and entry.name.endswith(ENTRIES):
                    stat = entry.stat()
                    found.add((entry.name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return frozenset(found)


def commit_file(lake: Path, full_name: str, version: int) -> Path:
    """The log entry of a version."""
    return table_path(lake, ALL[full_name]) / "_delta_log" / f"{version:020d}.json"


def active_files(lake: Path, full_name: str, version: int | None = None) -> list[str]:
    """The data files of a version, sorted; raises UnreadableError."""
    path = table_path(lake, ALL[full_name])
    try:
        return data_files(DeltaTable(str(path), version=version))
    except (DeltaError, OSError, ValueError) as error:
        raise UnreadableError(type(error).__name__) from None


def data_files(table: DeltaTable) -> list[str]:
    """The data files of an open table, sorted, as paths: delta-rs writes blanks and Chinese characters as in URLs."""
    return sorted(uri if "://" in uri else unquote(uri) for uri in table.file_uris())


def files_digest(lake: Path, full_name: str, files: list[str]) -> str:
    """The digest of the sorted file names relative to the table."""
    prefix = str(table_path(lake, ALL[full_name]))
    return hashlib.sha256("\n".join(uri.removeprefix(prefix) for uri in files).encode()).hexdigest()


def table_state(lake: Path, full_name: str) -> TableState | None:
    """The newest version of a table, or None when it does not exist."""
    if not exists(lake, full_name):
        return None
    delta = DeltaTable(str(table_path(lake, ALL[full_name])))
    version = delta.version()
    files = data_files(delta)
    commit = commit_file(lake, full_name, version)
    return TableState(
        version=version,
        rows=delta.to_pyarrow_dataset().count_rows() if files else 0,
        commit_sha256=hashlib.sha256(commit.read_bytes()).hexdigest(),
        files_sha256=files_digest(lake, full_name, files),
    )


def dataset(lake: Path, full_name: str, version: int | None = None) -> ds.Dataset | None:
    """The rows of a version as an Arrow dataset, or None when the table does not exist."""
    if not exists(lake, full_name):
        return None
    path = str(table_path(lake, ALL[full_name]))
    return _dataset(path, version, _log_entries(f"{path}/_delta_log"))


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """This process's empty database: to open one takes ten times as long as most queries; cursors share no views.

    Its zone is UTC whatever the machine's: so are instants that a writer kept without a zone.
    """
    database = duckdb.connect(":memory:")
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


@lru_cache(maxsize=64)
def _files(path: str, log: Log) -> list[str]:
    """The table's data files, named for DuckDB."""
    return [for_duckdb(file) for file in data_files(_opened(path, None, log))]


def for_duckdb(path: str) -> str:
    """A file's path for `read_parquet`, which would take `*`, `?` and `[` of a folder's name for a pattern.

    >>> for_duckdb("/brand [new]/a.parquet")
    '/brand [[]new]/a.parquet'
    """
    return _WILD.sub(r"[\g<0>]", path)


@cache
def _nothing(table: Table) -> str:
    """No rows, in the declared columns and types, as SQL."""
    columns = ", ".join(f'NULL::{duckdb_type(column.type)} AS "{column.name}"' for column in table.columns)
    return f"SELECT {columns} WHERE false"


@cache
def _relation(table: Table) -> str:
    """The rows of the parquet files `$__files` in the declared columns and types, as SQL; what no file has is null."""
    typed = ", ".join(f'"{column.name}"::{duckdb_type(column.type)} AS "{column.name}"' for column in table.columns)
    parts = ", ".join(
        f"'{column.name}': {duckdb_type(column.type)}" for column in table.columns if column.name in table.partition_by
    )
    hive = f"hive_partitioning = true, hive_types = {{{parts}}}" if parts else "hive_partitioning = false"
    read = f"SELECT * FROM read_parquet($__files, union_by_name = true, {hive})"
    return f"SELECT {typed} FROM ({_nothing(table)} UNION ALL BY NAME {read})"


def rows_of(
    lake: Path, full_name: str, query: str, parameters: dict[str, object] | None = None
) -> list[dict[str, Any]]:
    """Rows of a DuckDB query over the newest version of one table, which it calls `t`; instants are UTC.

    No rows when the table does not exist. DuckDB reads the files itself: handed over by Arrow, a small table's took
    four times as long and counting millions of rows nine times.
    """
    table = ALL[full_name]
    path = str(table_path(lake, table))
    if not exists(lake, full_name):
        return []
    files = _files(path, _log_entries(f"{path}/_delta_log"))
    relation = _relation(table) if files else _nothing(table)
    given = {**(parameters or {}), **({"__files": files} if files else {})}
    with _database().cursor() as connection:
        result = connection.execute(f"WITH t AS NOT MATERIALIZED ({relation}) {query}", given)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

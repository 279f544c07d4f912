"""Delta tables read without a JVM, at the version a manifest names: for publishing, checking and looking things up."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipelines.spec import Table
from pipelines.tables import ALL

Log = frozenset[tuple[str, int, int, int]]
ENTRIES = (".json", ".parquet", "_last_checkpoint")
"""How the names in a log end that say what the table holds."""


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
    return bool(DeltaTable.is_deltatable(str(table_path(lake, ALL[full_name]))))


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
    """This process's empty database: to open one takes ten times as long as most queries; cursors share no views."""
    return duckdb.connect(":memory:")


def rows_of(
    lake: Path, full_name: str, query: str, parameters: dict[str, object] | None = None
) -> list[dict[str, Any]]:
    """Rows of a DuckDB query over one table, which it calls `t`; none when the table does not exist."""
    rows = dataset(lake, full_name)
    if rows is None:
        return []
    with _database().cursor() as connection:
        connection.register("t", rows)
        result = connection.execute(query, parameters or {})
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

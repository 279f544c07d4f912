"""`bi.duckdb`: one commented view per published table, at the versions of the published manifest."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from pipelines.errors import ConfigurationError
from pipelines.publish import current
from pipelines.spec import Table
from pipelines.store.types import duckdb_type
from pipelines.store.versions import active_files, for_duckdb
from pipelines.tables import ALL


def write_bi(home: Path) -> tuple[Path, list[str]]:
    """The file stands at `<home>/bi.duckdb`, replaced whole; gives it and the names of its views.

    The views read the very parquet files of the pinned versions, so a run that goes on changes nothing for the reader.
    """
    manifest = current(home)
    if manifest is None:
        raise ConfigurationError("nothing is published yet", where=str(home), hint="run `cdp run` first")
    path, partial = home / "bi.duckdb", home / ".bi.duckdb.partial"
    partial.unlink(missing_ok=True)
    views: list[str] = []
    with duckdb.connect(str(partial)) as connection:
        for name in sorted(manifest.tables):
            views.append(_add_view(connection, home, name, int(manifest.tables[name]["version"])))
    os.replace(partial, path)
    return path, views


def _add_view(connection: duckdb.DuckDBPyConnection, home: Path, name: str, version: int) -> str:
    table = ALL[name]
    files = active_files(home / "lake", name, version)
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.layer}")
    columns = ", ".join(f'"{column}"' for column in table.column_names)
    partitions = ", hive_partitioning = true" if table.partition_by else ""
    listed = ", ".join(_quoted(for_duckdb(file)) for file in files)
    source = f"read_parquet([{listed}]{partitions})" if files else f"({_empty(table)})"
    connection.execute(f"CREATE VIEW {table.full_name} AS SELECT {columns} FROM {source}")
    connection.execute(f"COMMENT ON VIEW {table.full_name} IS {_quoted(table.doc)}")
    for column in table.columns:
        connection.execute(f'COMMENT ON COLUMN {table.full_name}."{column.name}" IS {_quoted(column.doc)}')
    return table.full_name


def _empty(table: Table) -> str:
    columns = ", ".join(f'NULL::{duckdb_type(column.type)} AS "{column.name}"' for column in table.columns)
    return f"SELECT {columns} WHERE false"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

"""A small published lake without a JVM: tables of the declarations, written by delta-rs, and their snapshots."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, write_deltalake
from deltalake.schema import Field, Schema

from pipelines.publish import Manifest, build_manifest, publish
from pipelines.spec import Table
from pipelines.store.arrow import arrow_table
from pipelines.store.types import delta_type
from pipelines.tables import ALL
from serving.contract import SNAPSHOT_FILE

SHOPS = "gold.dim_shop"
FACTS = "gold.fact_points"

_HARMLESS: Mapping[str, Any] = {
    "string": "x",
    "boolean": False,
    "bigint": 0,
    "int": 0,
    "double": 0.0,
    "date": "2025-03-01",
}


def shop(shop_id: str) -> dict[str, Any]:
    """A shop of Douyin."""
    return {
        "shop_key": f"douyin|{shop_id}",
        "platform": "douyin",
        "shop_id": shop_id,
        "channel": "douyin",
        "channel_label": "Douyin",
    }


def complete(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with a harmless value in each required column it does not name."""
    required = {c.name: _HARMLESS.get(c.type, 1740812400000) for c in table.columns if c.required}
    return required | dict(row)


def write(home: Path, name: str, rows: Sequence[Mapping[str, Any]], mode: str = "append") -> None:
    """The rows are in the lake's table."""
    table = ALL[name]
    path = str(home / "lake" / table.layer / table.name)
    fields = [Field(column.name, delta_type(column.type), nullable=not column.required) for column in table.columns]
    made = DeltaTable.create(path, Schema(fields), mode="ignore", partition_by=list(table.partition_by) or None)
    if rows or mode == "overwrite":
        content = arrow_table(table, [complete(table, row) for row in rows])
        write_deltalake(made, content, mode=mode)  # type: ignore[call-overload]  # one of the two modes


def build_file(folder: Path, manifest: Manifest) -> None:
    """A serving file that is whole."""
    connection = sqlite3.connect(folder / SNAPSHOT_FILE)
    with connection:
        connection.execute("CREATE TABLE t (snapshot TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", (manifest.snapshot_id,))
    connection.close()


def publish_run(home: Path, number: int, keep: int = 5) -> str:
    """The lake as it stands is published by the run of that number; gives the snapshot's id."""
    manifest = build_manifest(home, f"r{number:06d}-2025-03-01", "2025-03-01")
    publish(home, manifest, build_file, keep)
    return manifest.snapshot_id

"""Tables made from their declaration, and what a write to one tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import deltalake as delta_rs

from pipelines.spec import Table
from pipelines.store.types import delta_type

SCHEMA_VERSION = "cdp.schemaVersion"
STATS_TYPES = ("string", "bigint", "int", "date", "timestamp", "double")


@dataclass(frozen=True)
class WriteResult:
    """What a write did to its table; `version` is the table's Delta version afterwards (-1: no table yet)."""

    table: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    version: int = -1

    @property
    def changed(self) -> int:
        """Rows that differ from before."""
        return self.inserted + self.updated + self.deleted


def create_table(root: Path | str, table: Table) -> None:
    """The table exists under the lake's folder, with its comments, partitions and properties."""
    path = f"{root}/{table.layer}/{table.name}"
    if delta_rs.DeltaTable.is_deltatable(path):
        return
    # delta-rs writes the first commit in milliseconds; Spark would start a job for it.
    delta_rs.DeltaTable.create(
        path,
        schema=table_schema(table),
        mode="ignore",
        partition_by=list(table.partition_by) or None,
        description=table.doc,
        configuration=table_properties(table),
        raise_if_key_not_exists=False,
    )


def table_schema(table: Table) -> delta_rs.Schema:
    """The declared columns with their comments, as Delta writes them."""
    fields = [
        delta_rs.Field(
            column.name, delta_type(column.type), nullable=not column.required, metadata={"comment": column.doc}
        )
        for column in table.columns
    ]
    return delta_rs.Schema(fields)


def stats_columns(table: Table) -> list[str]:
    """The columns whose bounds the log may say: plain values that are nobody's, but for partitions."""
    return [
        column.name
        for column in table.columns
        if column.pii == "none" and column.type in STATS_TYPES and column.name not in table.partition_by
    ]


def table_properties(table: Table) -> dict[str, str]:
    """Readable by every client, no statistics on personal data (they would outlive a deletion), the schema's version.

    The log is cleaned by `cdp vacuum` alone: cleaning by age could take what a kept snapshot needs.
    """
    return {
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ",".join(stats_columns(table)),
        "delta.checkpointPolicy": "classic",
        "delta.enableExpiredLogCleanup": "false",
        SCHEMA_VERSION: str(table.schema_version),
    }

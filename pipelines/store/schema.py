"""The schema a table has against the one that is declared, and the way up to it, without a JVM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable, Field

from pipelines.spec import Table
from pipelines.store.creation import SCHEMA_VERSION, table_properties, table_schema
from pipelines.store.versions import table_path


@dataclass(frozen=True)
class SchemaState:
    """A table's schema version, declared columns it lacks, columns of another type, columns it requires and the
    declaration does not, and whether it says its version."""

    version: int
    missing: tuple[str, ...]
    differing: tuple[str, ...]
    loosened: tuple[str, ...]
    stated: bool


def schema_state(lake: Path, table: Table) -> SchemaState | None:
    """How the table's schema stands to the declared one; None when there is no such table."""
    path = str(table_path(lake, table))
    if not DeltaTable.is_deltatable(path):
        return None
    delta = DeltaTable(path)
    held = {field.name: field for field in delta.schema().fields}
    wanted = table_schema(table).fields
    stated = delta.metadata().configuration.get(SCHEMA_VERSION)
    return SchemaState(
        version=int(stated or 1),
        missing=tuple(field.name for field in wanted if field.name not in held),
        differing=tuple(field.name for field in wanted if field.name in held and held[field.name].type != field.type),
        loosened=tuple(
            field.name for field in wanted if field.name in held and field.nullable and not held[field.name].nullable
        ),
        stated=stated is not None,
    )


def add_columns(lake: Path, table: Table, names: tuple[str, ...], loosened: tuple[str, ...] = ()) -> None:
    """The table has these declared columns too, empty, and the `loosened` ones may be null."""
    path = str(table_path(lake, table))
    if names:
        fields = [field for field in table_schema(table).fields if field.name in names]
        added = [Field(f.name, f.type, nullable=True, metadata=f.metadata) for f in fields]
        DeltaTable(path).alter.add_columns(added)
    for name in loosened:
        DeltaTable(path).alter.drop_column_not_null(name)


def state_version(lake: Path, table: Table) -> None:
    """The table says the declared schema version, and has the declared properties."""
    delta = DeltaTable(str(table_path(lake, table)))
    delta.alter.set_table_properties(table_properties(table), raise_if_not_exists=False)

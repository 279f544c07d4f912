"""Brings the tables of an older lake up to the declared schemas; a lake of a newer program is refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.errors import ConfigurationError
from pipelines.spec import Table
from pipelines.store.schema import SchemaState, add_columns, schema_state
from pipelines.tables import ALL


@dataclass(frozen=True)
class Migration:
    """A table with its schema version before and after, and the columns it gained."""

    table: str
    before: int
    after: int
    columns: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """The migration as plain data."""
        return asdict(self)


def planned(lake: Path) -> list[Migration]:
    """What a migration would change, in the order of the declarations.

    Raises ConfigurationError (exit 2) for a table of a newer schema than this program knows, and for a column whose
    type is not the declared one.
    """
    found = []
    for table in ALL.tables:
        state = schema_state(lake, table)
        if state is None:
            continue
        _refuse_unknown(table, state)
        if state.missing or state.version < table.schema_version or not state.stated:
            found.append(Migration(table.full_name, state.version, table.schema_version, state.missing))
    return found


def migrate(lake: Path) -> list[Migration]:
    """Every table has its declared columns and says its schema version; gives what changed.

    The caller holds the lake's lock. Doing it again changes nothing, also after it was cut off.
    """
    changes = planned(lake)
    for change in changes:
        add_columns(lake, ALL[change.table], change.columns)
    return changes


def refuse_other_schemas(lake: Path) -> None:
    """The lake's tables have every declared column; else it is said whether to migrate or to update the program."""
    waiting = [change for change in planned(lake) if change.columns]
    if waiting:
        columns = ", ".join(waiting[0].columns)
        raise ConfigurationError(
            f"{waiting[0].table} has schema version {waiting[0].before}, this program writes {waiting[0].after}"
            f" with the new columns {columns}",
            where=waiting[0].table,
            hint="run `cdp migrate` once",
        )


def _refuse_unknown(table: Table, state: SchemaState) -> None:
    if state.version > table.schema_version:
        raise ConfigurationError(
            f"{table.full_name} has schema version {state.version}, this program knows up to {table.schema_version}",
            where=table.full_name,
            hint="the lake was written by a newer program: install that version",
        )
    if state.differing:
        raise ConfigurationError(
            f"{table.full_name}: the type of {', '.join(state.differing)} is not the declared one",
            where=table.full_name,
            hint="the table was changed by another program: restore it with `cdp repair` or from a backup",
        )

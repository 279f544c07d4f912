"""Brings the tables of an older lake up to the declared schemas; a lake of a newer program is refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.errors import ConfigurationError
from pipelines.rekeying import NO_DEFAULTS, rewrite, rewritings
from pipelines.rescoping import Defaults
from pipelines.spec import Table
from pipelines.store.schema import SchemaState, add_columns, schema_state, state_version
from pipelines.tables import ALL


@dataclass(frozen=True)
class Migration:
    """A table with its schema version before and after, the columns it gained, those that may be null since, and
    what is other about its rows."""

    table: str
    before: int
    after: int
    columns: tuple[str, ...] = ()
    loosened: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()

    @property
    def needed(self) -> bool:
        """Whether a run has to wait for it: more than the version's number changes."""
        return bool(self.columns or self.loosened or self.rewritten)

    @property
    def what(self) -> str:
        """What is new, in words.

        >>> Migration("silver.refunds", 2, 3, ("refund_scope",), ("shop_id",), ("with another key",)).what
        'with the new columns refund_scope, with shop_id no longer required, with another key'
        """
        parts = [f"with the new columns {', '.join(self.columns)}"] if self.columns else []
        parts += [f"with {', '.join(self.loosened)} no longer required"] if self.loosened else []
        return ", ".join([*parts, *self.rewritten])

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
        if state.missing or state.loosened or state.version < table.schema_version or not state.stated:
            rewritten = tuple(step.what for step in rewritings(table.full_name, state.version))
            versions = (state.version, table.schema_version)
            found.append(Migration(table.full_name, *versions, state.missing, state.loosened, rewritten))
    return found


def migrate(lake: Path, defaults: Defaults = NO_DEFAULTS) -> list[Migration]:
    """Every table has its declared columns, its rows are as they are written now, and it says its schema version;
    gives what changed.

    The caller holds the lake's lock. `defaults`: what lines without a wrapper take as their context, by feed. Doing it
    again changes nothing, also after it was cut off: a table says its new version last.
    """
    changes = planned(lake)
    for change in changes:
        add_columns(lake, ALL[change.table], change.columns, change.loosened)
        if change.rewritten:
            rewrite(lake, change.table, change.before, defaults)
        state_version(lake, ALL[change.table])
    return changes


def refuse_other_schemas(lake: Path) -> None:
    """The lake's tables have every declared column and row; else it is said whether to migrate or to update the
    program."""
    for change in planned(lake):
        if change.needed:
            raise ConfigurationError(
                f"{change.table} has schema version {change.before}, this program writes {change.after} {change.what}",
                where=change.table,
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

"""An older lake comes up to the declared schemas once; a newer one is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipelines.errors import ConfigurationError, ExitCode
from pipelines.migrate import Migration, migrate, planned, refuse_other_schemas
from pipelines.spec import Column, Table
from pipelines.store.creation import SCHEMA_VERSION, create_table
from pipelines.store.local import LocalLake
from pipelines.store.schema import add_columns, schema_state
from pipelines.store.versions import rows_of, table_path
from pipelines.tables import ALL
from tests.pipelines.published import write

QUARANTINE = ALL["silver.quarantine"]


def older(table: Table) -> Table:
    """The table as the version before declared it."""
    return replace(table, columns=table.columns[:-1], schema_version=1)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake of the version before, with a refused record."""
    old = older(QUARANTINE)
    create_table(tmp_path / "lake", old)
    row = dict.fromkeys(old.column_names, "x") | {"interval": "2025-03-01", "line": 1, "element": 0, "status": "open"}
    from deltalake import write_deltalake

    from pipelines.store.arrow import arrow_table

    write_deltalake(str(table_path(tmp_path / "lake", old)), arrow_table(old, [row]), mode="append")
    return tmp_path / "lake"


def test_a_new_lake_needs_no_migration(tmp_path: Path) -> None:
    create_table(tmp_path, QUARANTINE)
    assert planned(tmp_path) == []
    refuse_other_schemas(tmp_path)


def test_new_columns_are_added_empty_and_rows_stay(lake: Path) -> None:
    assert migrate(lake) == [Migration("silver.quarantine", 1, 2, ("fixed_cipher",))]
    assert rows_of(lake, "silver.quarantine", "SELECT status, fixed_cipher FROM t") == [
        {"status": "open", "fixed_cipher": None}
    ]
    assert DeltaTable(str(table_path(lake, QUARANTINE))).metadata().configuration[SCHEMA_VERSION] == "2"


def test_a_second_migration_changes_nothing(lake: Path) -> None:
    migrate(lake)
    version = LocalLake(lake).version(QUARANTINE)
    assert migrate(lake) == []
    assert LocalLake(lake).version(QUARANTINE) == version


def test_a_migration_that_was_cut_off_is_finished(lake: Path) -> None:
    delta = DeltaTable(str(table_path(lake, QUARANTINE)))
    fields = [field for field in schema_fields() if field.name == "fixed_cipher"]
    delta.alter.add_columns(fields)
    assert migrate(lake) == [Migration("silver.quarantine", 1, 2, ())]
    assert planned(lake) == []


def schema_fields() -> list[object]:
    from pipelines.store.creation import table_schema

    return list(table_schema(QUARANTINE).fields)


def test_a_run_on_an_older_lake_names_the_command(lake: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"schema version 1, this program writes 2 .* fixed_cipher") as caught:
        refuse_other_schemas(lake)
    assert (caught.value.code, caught.value.hint) == (ExitCode.USAGE, "run `cdp migrate` once")


def test_a_newer_lake_is_refused_and_left_alone(tmp_path: Path) -> None:
    newer = replace(QUARANTINE, columns=(*QUARANTINE.columns, Column("later", "string", "Later")), schema_version=3)
    create_table(tmp_path, newer)
    for act in (planned, migrate, refuse_other_schemas):
        with pytest.raises(ConfigurationError, match="schema version 3, this program knows up to 2"):
            act(tmp_path)
    assert LocalLake(tmp_path).version(QUARANTINE) == 0


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    line = replace(QUARANTINE.column("line"), type="string")
    create_table(
        tmp_path, replace(QUARANTINE, columns=tuple(line if c.name == "line" else c for c in QUARANTINE.columns))
    )
    with pytest.raises(ConfigurationError, match="the type of line is not the declared one"):
        planned(tmp_path)


def test_a_table_that_never_said_its_version_counts_as_the_first(tmp_path: Path) -> None:
    write(tmp_path, "silver.quarantine", [])
    state = schema_state(tmp_path / "lake", QUARANTINE)
    assert state is not None
    assert (state.version, state.stated, state.missing) == (1, False, ())
    refuse_other_schemas(tmp_path / "lake")


def test_a_table_that_gained_columns_takes_new_rows(lake: Path) -> None:
    add_columns(lake, QUARANTINE, ("fixed_cipher",))
    write(lake.parent, "silver.quarantine", [{"quarantine_id": "y", "fixed_cipher": "c", "status": "fixed"}])
    assert len(rows_of(lake, "silver.quarantine", "SELECT * FROM t")) == 2

"""Declarations are values: columns are found by name, and the DDL says what is required."""

from __future__ import annotations

import pytest

from pipelines.spec import Column, Table, TableSet, columns

THINGS = Table(
    "silver", "things", "Things.", "one", ("a",), (Column("a", "string", "A", required=True), Column("b", "date", "B"))
)


def test_a_table_is_named_by_layer_and_name() -> None:
    assert THINGS.full_name == "silver.things"
    assert THINGS.column_names == ("a", "b")


def test_the_ddl_names_types_and_required_columns() -> None:
    assert THINGS.ddl() == "`a` string NOT NULL, `b` date"


def test_an_unknown_column_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"silver\.things has no column 'c'; it has a, b"):
        THINGS.column("c")
    assert THINGS.column("b").type == "date"


def test_an_unknown_table_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"declared are silver\.things"):
        TableSet((THINGS,))["silver.thing"]


def test_tables_come_by_layer() -> None:
    tables = TableSet((THINGS,))
    assert (tables.layer("silver"), tables.layer("gold")) == ((THINGS,), ())


def test_columns_and_groups_of_columns_become_one_list() -> None:
    one, two, three = (Column(name, "string", name) for name in "abc")
    assert columns(one, (two, three)) == (one, two, three)

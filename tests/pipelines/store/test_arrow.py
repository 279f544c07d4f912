"""Rows of declared tables as Arrow: times, days, money and lists in their declared types."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from pipelines.spec import Column, Table
from pipelines.store.arrow import arrow_table, arrow_type
from pipelines.store.types import delta_type, duckdb_type
from pipelines.tables import ALL


def table(*kinds: str) -> Table:
    columns = tuple(Column(f"c{n}", kind, "A column") for n, kind in enumerate(kinds))
    return Table("silver", "things", "Things.", "one", ("c0",), columns)


def one(kind: str, value: Any) -> Any:
    return arrow_table(table(kind), [{"c0": value}]).to_pylist()[0]["c0"]


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("string", "某", "某"),
        ("bigint", 2**63 - 1, 2**63 - 1),
        ("bigint", -(2**63), -(2**63)),
        ("boolean", True, True),
        ("double", 0.5, 0.5),
        ("date", "2025-03-01", date(2025, 3, 1)),
        ("date", date(2025, 3, 1), date(2025, 3, 1)),
        ("timestamp", 1740812400123, datetime(2025, 3, 1, 7, 0, 0, 123000, UTC)),
        ("timestamp", datetime(2025, 3, 1, 7, tzinfo=UTC), datetime(2025, 3, 1, 7, tzinfo=UTC)),
        ("array<string>", ["a", None], ["a", None]),
        ("array<struct<a:string,b:bigint>>", [{"a": "x", "b": 1}], [{"a": "x", "b": 1}]),
    ],
)
def test_a_value_keeps_its_meaning(kind: str, given: Any, kept: Any) -> None:
    assert one(kind, given) == kept


@pytest.mark.parametrize("kind", ["string", "bigint", "boolean", "double", "date", "timestamp", "array<string>"])
def test_what_a_row_does_not_name_is_null(kind: str) -> None:
    content = arrow_table(table("string", kind), [{"c0": "x"}])
    assert content.to_pylist() == [{"c0": "x", "c1": None}]
    assert content.schema.field("c1").type == arrow_type(kind)


@pytest.mark.parametrize(("kind", "value"), [("bigint", 2**63), ("bigint", "1"), ("date", "2025-13-01"), ("string", 1)])
def test_a_value_of_another_type_is_refused(kind: str, value: Any) -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError, OverflowError)):
        one(kind, value)


def test_no_rows_give_the_declared_columns() -> None:
    orders = ALL["silver.orders"]
    assert arrow_table(orders, []).column_names == list(orders.column_names)


@pytest.mark.parametrize("make", [arrow_type, delta_type, duckdb_type])
def test_an_unknown_type_names_the_known_ones(make: Any) -> None:
    with pytest.raises(ValueError, match="known: string, bigint"):
        make("decimal(3,2)")


def test_every_declared_column_has_a_type_for_every_reader() -> None:
    kinds = sorted({column.type for table in ALL.tables for column in table.columns})
    assert [kind for kind in kinds if not (arrow_type(kind) and delta_type(kind) and duckdb_type(kind))] == []

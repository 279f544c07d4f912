"""Rows of declared tables from a few words: what a test does not name is null, or a harmless value where required."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from pipelines.embedded import embedded_session
from pipelines.tables import ALL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Rows = Callable[..., "DataFrame"]

_HARMLESS: dict[str, Any] = {"string": "x", "boolean": False, "bigint": 0, "int": 0, "double": 0.0}
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
}


def _value(kind: str, given: Any) -> Any:
    if kind == "timestamp" and isinstance(given, str):
        return datetime.fromisoformat(given).replace(tzinfo=UTC)
    if kind == "date" and isinstance(given, str):
        return date.fromisoformat(given)
    return given


@pytest.fixture(scope="session")
def rows(spark: SparkSession) -> Rows:
    """`rows("silver.orders", {"order_id": "o1"}, ...)`: a frame of the declared table; times are UTC."""
    return rows_of(spark)


@pytest.fixture(scope="session")
def embedded_rows() -> Rows:
    """The same in the embedded session."""
    return rows_of(embedded_session())


def rows_of(session: SparkSession) -> Rows:
    """A maker of frames in the session."""

    def make(name: str, *given: dict[str, Any]) -> DataFrame:
        table = ALL[name]
        for row in given:
            unknown = set(row) - set(table.column_names)
            assert not unknown, f"{name} has no column {sorted(unknown)}"
        if not given:
            return session.createDataFrame([], table.ddl().replace(" NOT NULL", ""))
        columns = {}
        for column in table.columns:
            default = _HARMLESS.get(column.type, "2025-03-01") if column.required else None
            values = [_value(column.type, row.get(column.name, default)) for row in given]
            columns[column.name] = pa.array(values, _ARROW[column.type])
        return session.createDataFrame(pa.table(columns))

    return make

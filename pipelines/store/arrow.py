"""Silver rows as Arrow tables with the declared types: epoch ms to timestamps, ISO days to dates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from pipelines.spec import Table

_PRIMITIVES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_ARRAY = re.compile(r"^array<(.*)>$")
_STRUCT = re.compile(r"^struct<(.*)>$")


@cache
def arrow_type(spark_type: str) -> pa.DataType:
    """The Arrow type of a declared Spark type: primitives, arrays and flat structs.

    >>> str(arrow_type("array<struct<namespace:string,key:bigint>>"))
    'list<item: struct<namespace: string, key: int64>>'
    """
    if spark_type in _PRIMITIVES:
        return _PRIMITIVES[spark_type]
    if match := _ARRAY.match(spark_type):
        return pa.list_(arrow_type(match.group(1)))
    if match := _STRUCT.match(spark_type):
        fields = [part.split(":", 1) for part in match.group(1).split(",")]
        return pa.struct([(name, arrow_type(kind)) for name, kind in fields])
    raise ValueError(f"no Arrow type for {spark_type!r}; known: {', '.join(_PRIMITIVES)}, array<>, struct<>")


def arrow_table(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows in the table's declared columns and types; absent columns are null.

    Raises pyarrow.ArrowInvalid where a value does not fit its declared type.
    """
    arrays = [_column(column.type, [row.get(column.name) for row in rows]) for column in table.columns]
    return pa.table(arrays, names=list(table.column_names))


def _column(spark_type: str, values: list[Any]) -> pa.Array:
    if spark_type == "timestamp" and any(isinstance(value, int) for value in values):
        return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(pa.timestamp("us", tz="UTC"))
    if spark_type == "date" and any(isinstance(value, str) for value in values):
        return pa.array(values, pa.string()).cast(pa.date32())
    return pa.array(values, arrow_type(spark_type))

"""Silver rows as Arrow tables with the declared types: epoch ms to timestamps, ISO days to dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

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
SAMPLE = 2_048
LEAST_REPEATS = 4
"""A value has to come so often on average for a dictionary to be worth its while."""

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
    names = table.column_names
    return pa.table(arrow_columns(table, [[row.get(name) for row in rows] for name in names]), names=list(names))


def arrow_columns(table: Table, values: Iterable[Sequence[Any]]) -> list[pa.Array]:
    """The values of each of the table's columns, in declared order and types.

    Raises pyarrow.ArrowInvalid where a value does not fit its declared type.
    """
    return [_column(column.type, given) for column, given in zip(table.columns, values, strict=True)]


def dictionary_columns(rows: pa.Table) -> list[str]:
    """The Parquet columns worth a dictionary: those whose values repeat among the first rows, and all nested ones.

    A dictionary of values that hardly repeat is built, found too large and thrown away: a third of the writing time.

    >>> dictionary_columns(pa.table({"name": ["a", "b", "c"] * 9, "key": range(27), "tags": [["x"]] * 27}))
    ['name', 'tags.list.element']
    """
    sample = rows.slice(0, SAMPLE)
    worth: list[str] = []
    for field in rows.schema:
        if pa.types.is_nested(field.type):
            worth += _leaves(field.name, field.type)
        elif pc.count_distinct(sample[field.name]).as_py() * LEAST_REPEATS <= sample.num_rows:
            worth.append(field.name)
    return worth


def _leaves(path: str, kind: pa.DataType) -> list[str]:
    """The names under which Parquet keeps what a nested column holds."""
    if pa.types.is_list(kind):
        return _leaves(f"{path}.list.element", kind.value_type)
    if pa.types.is_struct(kind):
        return [leaf for field in kind for leaf in _leaves(f"{path}.{field.name}", field.type)]
    return [path]


def _column(spark_type: str, values: Sequence[Any]) -> pa.Array:
    if values and values[0] is None and values.count(None) == len(values):  # usual in wide tables
        return pa.nulls(len(values), arrow_type(spark_type))
    if spark_type == "timestamp" and any(isinstance(value, int) for value in values):
        return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(pa.timestamp("us", tz="UTC"))
    if spark_type == "date" and any(isinstance(value, str) for value in values):
        return pa.array(values, pa.string()).cast(pa.date32())
    return pa.array(values, arrow_type(spark_type))

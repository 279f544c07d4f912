"""Declared Spark types as the types of Delta schemas and of DuckDB."""

from __future__ import annotations

import re

from deltalake.schema import ArrayType, Field, PrimitiveType, StructType

_NAMES = {
    "string": "string",
    "bigint": "long",
    "int": "integer",
    "double": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
_DUCKDB = {
    "string": "VARCHAR",
    "bigint": "BIGINT",
    "int": "INTEGER",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}
_ARRAY = re.compile(r"^array<(.*)>$")
_STRUCT = re.compile(r"^struct<(.*)>$")


def delta_type(spark_type: str) -> PrimitiveType | ArrayType | StructType:
    """The Delta type of a declared Spark type: primitives, arrays and flat structs.

    >>> delta_type("array<string>")
    ArrayType(PrimitiveType("string"), contains_null=True)
    """
    if match := _ARRAY.match(spark_type):
        return ArrayType(delta_type(match.group(1)), contains_null=True)
    if match := _STRUCT.match(spark_type):
        parts = [part.split(":", 1) for part in match.group(1).split(",")]
        return StructType([Field(name, delta_type(kind)) for name, kind in parts])
    try:
        return PrimitiveType(_NAMES[spark_type])
    except KeyError:
        raise ValueError(f"no Delta type for {spark_type!r}; known: {', '.join(_NAMES)}, array<>, struct<>") from None


def duckdb_type(spark_type: str) -> str:
    """The DuckDB type of a declared Spark type: primitives, arrays and flat structs.

    >>> duckdb_type("array<struct<namespace:string,key:bigint>>")
    'STRUCT(namespace VARCHAR, key BIGINT)[]'
    """
    if match := _ARRAY.match(spark_type):
        return f"{duckdb_type(match.group(1))}[]"
    if match := _STRUCT.match(spark_type):
        parts = [part.split(":", 1) for part in match.group(1).split(",")]
        return f"STRUCT({', '.join(f'{name} {duckdb_type(kind)}' for name, kind in parts)})"
    try:
        return _DUCKDB[spark_type]
    except KeyError:
        raise ValueError(f"no DuckDB type for {spark_type!r}; known: {', '.join(_DUCKDB)}, array<>, struct<>") from None

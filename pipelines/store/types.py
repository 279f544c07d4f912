"""Declared Spark types as Delta schema types."""

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

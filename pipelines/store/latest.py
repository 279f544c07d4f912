"""Which version of a row a table keeps: rules whose result does not depend on the order in which versions arrive.

The greatest version wins; of two arrivals of one version the earlier interval. A `keep_min` column holds the least
value any version had. A `fill` column holds what the greatest version that speaks of it says; where that is not the
row's own version, `filled_from` remembers it, so that a version in between can still take its place when it comes late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipelines.spec import Table
from pipelines.store.versioning import ARRIVAL, FILLED, tie_columns, version_column

HELD = "__held_"
KNOWN = "__known"
Source = Callable[[str], SparkColumn]


def latest_rows(table: Table, rows: DataFrame) -> DataFrame:
    """One row per key of these rows, the rules applied among them."""
    version = version_column(table)
    partition = Window.partitionBy(*table.key)
    arrival = [F.col(ARRIVAL)] if ARRIVAL in table.column_names else []
    order = [F.col(version).desc(), *arrival, *[F.col(name) for name in tie_columns(table)]]
    for name in table.keep_min:
        rows = rows.withColumn(name, F.min(name).over(partition))
    for name in table.fill:
        rows = rows.withColumn(_pair(name), F.max(_spoken(F.col(version), F.col(name))).over(partition))
    kept = rows.withColumn("__n", F.row_number().over(partition.orderBy(*order))).where(F.col("__n") == 1)
    return _settled(table, kept, F.col(version)).select(*table.column_names)


def changed_rows(table: Table, rows: DataFrame, held: DataFrame) -> DataFrame:
    """The rows of `latest_rows` that change or add to what the table holds, complete but for columns of older versions;
    `__known` says whether the table holds the key."""
    names = {version_column(table), *table.keep_min, *table.fill}
    names |= {name for name in (ARRIVAL, FILLED) if name in table.column_names}
    old = held.select(*table.key, *[F.col(name).alias(HELD + name) for name in sorted(names)], F.lit(True).alias(KNOWN))
    joined = rows.join(old, list(table.key), "left").withColumn(KNOWN, F.coalesce(KNOWN, F.lit(False)))
    version = F.col(version_column(table))
    held_version = F.col(HELD + version_column(table))
    differs = [~F.col(KNOWN), _newer(table, F.col, lambda name: F.col(HELD + name))]
    for name in table.keep_min:
        least = F.least(F.col(name), F.col(HELD + name))
        joined = joined.withColumn(name, least)
        differs.append(~F.col(name).eqNullSafe(F.col(HELD + name)))
    for name in table.fill:
        given = _spoken(_origin(table, name, version), F.col(name))
        kept = _spoken(_origin(table, name, held_version, HELD), F.col(HELD + name))
        joined = joined.withColumn(_pair(name), F.greatest(given, kept)).withColumn(_pair(name) + HELD, kept)
        differs.append(~F.col(_pair(name)).eqNullSafe(F.col(_pair(name) + HELD)))
    changed = joined.where(_any(differs))
    return _settled(table, changed, F.greatest(version, held_version)).select(*table.column_names, KNOWN)


def assignments(table: Table) -> dict[str, SparkColumn]:
    """How a MERGE sets each column of a known key from a row `s` of `changed_rows` over the row `t`."""
    newer = _newer(table, lambda name: F.col(f"s.{name}"), lambda name: F.col(f"t.{name}"))
    settled = {*table.keep_min, *table.fill, FILLED}
    return {
        name: F.col(f"s.{name}") if name in settled else F.when(newer, F.col(f"s.{name}")).otherwise(F.col(f"t.{name}"))
        for name in table.column_names
    }


def _newer(table: Table, given: Source, held: Source) -> SparkColumn:
    """A greater version, or the same version with an earlier arrival."""
    version = version_column(table)
    greater = given(version) > held(version)
    if ARRIVAL not in table.column_names:
        return greater
    return greater | ((given(version) == held(version)) & (given(ARRIVAL) < held(ARRIVAL)))


def _origin(table: Table, name: str, version: SparkColumn, prefix: str = "") -> SparkColumn:
    """The version that says a `fill` column: the one remembered, else the row's own."""
    if FILLED not in table.column_names:
        return version
    schema = ", ".join(f"`{column}` string" for column in table.fill)
    return F.coalesce(F.from_json(F.col(prefix + FILLED), schema)[name], version)


def _settled(table: Table, rows: DataFrame, version: SparkColumn) -> DataFrame:
    """The `fill` columns out of their pairs, and where they come from when that is not `version`."""
    if not table.fill:
        return rows
    if FILLED in table.column_names:
        pairs = {name: F.col(_pair(name)) for name in table.fill}
        older = [F.when(pair["v"] != version, pair["v"]).alias(name) for name, pair in pairs.items()]
        rows = rows.withColumn(FILLED, F.nullif(F.to_json(F.struct(*older)), F.lit("{}")))
    return rows.withColumns({name: F.col(_pair(name))["c"] for name in table.fill})


def _pair(name: str) -> str:
    return f"__pair_{name}"


def _spoken(version: SparkColumn, value: SparkColumn) -> SparkColumn:
    """The value with the version that says it; null where it says nothing."""
    return F.when(value.isNotNull(), F.struct(version.alias("v"), value.alias("c")))


def _any(conditions: Sequence[SparkColumn]) -> SparkColumn:
    """Whether one holds; a comparison with a key nobody holds counts as not holding."""
    result = F.coalesce(conditions[0], F.lit(False))
    for condition in conditions[1:]:
        result = result | F.coalesce(condition, F.lit(False))
    return result

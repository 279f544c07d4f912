"""Declared tags computed from features, and what changed against the tags that stand: frames in, frames out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from features.days import business_day_sql
from features.spec import DeclarationError, Tag

_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)(?::([a-z]+))?\}")
_FORMATS = {
    None: "CAST({0} AS STRING)",
    "yuan": "CAST(CAST({0} * 0.01BD AS DECIMAL(20, 2)) AS STRING)",
    "day": f"CAST({business_day_sql('{0}')} AS STRING)",
}
"""SQL of each format of a place in a reason; `day` is the business day of a timestamp."""


def reason_sql(template: str) -> str:
    """The SQL that fills a reason's places with a person's features; an empty feature reads 无.

    >>> reason_sql("共 {orders} 单")
    "concat('共 ', coalesce(CAST(orders AS STRING), '无'), ' 单')"
    """
    parts: list[str] = []
    position = 0
    for place in _PLACE.finditer(template):
        parts.extend(_literal(template[position : place.start()]))
        if place.group(2) not in _FORMATS:
            raise DeclarationError(f"reason {template!r}: unknown format {place.group(2)!r}; allowed are yuan, day")
        parts.append(f"coalesce({_FORMATS[place.group(2)].format(place.group(1))}, '无')")
        position = place.end()
    parts.extend(_literal(template[position:]))
    return f"concat({', '.join(parts)})"


def _literal(text: str) -> list[str]:
    if "'" in text or "\\" in text:
        raise DeclarationError(f"reason text {text!r}: quotes and backslashes are not allowed")
    return [f"'{text}'"] if text else []


def build_tags(features: DataFrame, tags: Sequence[Tag], *, as_of: str) -> DataFrame:
    """One row per person and tag that is set on the business day `as_of`: `one_id`, `tag`, `value`, `reason`.

    Visitors have no tags; people who refused profiling keep only tags that are no profile of them.
    """
    known = features.where("NOT is_visitor").withColumn("as_of", fn.lit(as_of).cast("date"))
    rows = fn.array(*(_tag_row(tag) for tag in tags))
    exploded = known.select("one_id", fn.explode(fn.filter(rows, lambda row: row["value"].isNotNull())).alias("row"))
    return exploded.select("one_id", "row.tag", "row.value", "row.reason")


def _tag_row(tag: Tag) -> Column:
    value = f"CAST({tag.value} AS STRING)"
    if tag.profiling:
        value = f"CASE WHEN consent_profiling <=> 'withdrawn' THEN NULL ELSE {value} END"
    return fn.struct(
        fn.lit(tag.name).alias("tag"),
        fn.expr(value).alias("value"),
        fn.expr(reason_sql(tag.reason)).alias("reason"),
    )


def diff_tags(standing: DataFrame, wanted: DataFrame, *, as_of: str) -> DataFrame:
    """What has to change so that `standing` (customer_tags rows) becomes `wanted` (build_tags rows).

    One row per tag of a person that is new, removed, or has another value or reason: `one_id`, `tag`, `old_value`,
    `new_value`, `reason` (null: removed), `same_reason` (the figures behind it did not change), `as_of` (of an
    unchanged value the day since which it stands).
    """
    old = standing.select(
        "one_id",
        "tag",
        fn.col("value").alias("old_value"),
        fn.col("reason").alias("old_reason"),
        fn.col("as_of").alias("since"),
    )
    new = wanted.select("one_id", "tag", fn.col("value").alias("new_value"), "reason")
    both = old.join(new, ["one_id", "tag"], "full_outer")
    changed = both.where("NOT (old_value <=> new_value) OR NOT (old_reason <=> reason)")
    day = fn.when(fn.expr("old_value <=> new_value"), fn.col("since")).otherwise(fn.lit(as_of).cast("date"))
    same = fn.expr("old_reason <=> reason").alias("same_reason")
    return changed.select("one_id", "tag", "old_value", "new_value", "reason", same, day.alias("as_of"))

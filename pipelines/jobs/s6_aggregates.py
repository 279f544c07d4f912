"""Daily aggregates of the star schema, dense over the days so that a chart needs no window: frames in, frames out."""

from __future__ import annotations

from itertools import combinations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn

from features.channels import IDENTITY_CHANNELS, LAYERS

LONGEST_DAYS = 3650
"""Days an aggregate reaches back; what lies before is counted on its first day."""


def funnel(changes: DataFrame, *, as_of: str) -> DataFrame:
    """Rows of gold.agg_funnel_daily from gold.fact_relation_daily, up to the business day `as_of`."""
    within = changes.where(fn.col("business_date") <= fn.lit(as_of).cast("date"))
    came = within.select("business_date", "layer", fn.col("previous_layer").alias("origin"))
    went = within.select(
        "business_date", fn.col("previous_layer").alias("layer"), fn.lit(None).cast("string").alias("origin")
    )
    moves = came.unionByName(went).where("layer <> 'none'")
    origins = [fn.expr(f"count_if(origin = '{layer}')").alias(f"from_{layer}") for layer in LAYERS]
    daily = moves.groupBy(_bounded(as_of), "layer").agg(
        fn.count("origin").alias("entered"), fn.expr("count_if(origin IS NULL)").alias("departed"), *origins
    )
    return _dense(daily, ["layer"], stock="entered - departed", as_of=as_of)


def oneid_assets(features: DataFrame, changes: DataFrame, *, as_of: str) -> DataFrame:
    """Rows of gold.agg_oneid_daily from features.customer_features and identity.oneid_changes, up to `as_of`."""
    people = features.where("NOT is_visitor").select(fn.explode(_known_pairs()).alias("known"))
    known = people.select(fn.col("known.day").alias("business_date"), "known.channel", "known.other_channel")
    within = known.where(fn.col("business_date") <= fn.lit(as_of).cast("date"))
    keys = ["channel", "other_channel"]
    daily = within.groupBy(_bounded(as_of), *keys).agg(fn.count(fn.lit(1)).alias("new_people"))
    return _with_changes(_dense(daily, keys, stock="new_people", as_of=as_of), changes)


def _known_pairs() -> Column:
    """All people, each channel, and each pair of channels, with the day since which a person is known so."""
    rows = [("first_seen_date", "all", "all")]
    rows += [(f"known_{name}_since", name, name) for name in IDENTITY_CHANNELS]
    for one, other in combinations(IDENTITY_CHANNELS, 2):
        first, second = f"known_{one}_since", f"known_{other}_since"
        rows.append(
            (f"CASE WHEN {first} IS NOT NULL AND {second} IS NOT NULL THEN greatest({first}, {second}) END", one, other)
        )
    structs = [
        f"struct({day} AS day, '{channel}' AS channel, '{other}' AS other_channel)" for day, channel, other in rows
    ]
    return fn.expr(f"array({', '.join(structs)})")


def _bounded(as_of: str) -> Column:
    return fn.expr(f"greatest(business_date, date_sub(DATE'{as_of}', {LONGEST_DAYS}))").alias("business_date")


def _dense(daily: DataFrame, keys: list[str], *, stock: str, as_of: str) -> DataFrame:
    """A row for each key and day from the key's first day to `as_of`, with `people`, the running sum of `stock`.

    The other figures are the day's own: 0 on a day on which nothing happened.
    """
    key = Window.partitionBy(*keys).orderBy("business_date")
    figures = [name for name in daily.columns if name not in ("business_date", *keys)]
    summed = daily.select(
        *keys,
        *figures,
        fn.col("business_date").alias("begin"),
        fn.sum(fn.expr(stock)).over(key).alias("people"),
        fn.coalesce(fn.date_sub(fn.lead("business_date").over(key), 1), fn.lit(as_of).cast("date")).alias("until"),
    )
    days = summed.select("*", fn.posexplode(fn.sequence("begin", "until")).alias("quiet_days", "business_date"))
    own = [fn.when(fn.col("quiet_days") == 0, fn.col(name)).otherwise(0).alias(name) for name in figures]
    return days.select("business_date", *keys, *own, "people")


def _with_changes(dense: DataFrame, changes: DataFrame) -> DataFrame:
    kinds = {"minted": "mint", "merged": "merge", "split": "split", "moved": "move"}
    counts = [fn.expr(f"count_if(change = '{kind}')").alias(name) for name, kind in kinds.items()]
    by_day = changes.groupBy(fn.col("as_of").alias("business_date")).agg(*counts).withColumn("channel", fn.lit("all"))
    return dense.join(by_day, ["business_date", "channel"], "left").na.fill(0, list(kinds))

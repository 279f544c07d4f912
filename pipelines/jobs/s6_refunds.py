"""What went back for each line of an order: the refunds on its lines, to the fen, nothing lost and nothing twice.

A case names one line, several with the amount of each, or the order as a whole. Goods fall on the lines named, in the
shares the platform states or else in those of what was paid; freight, and what exceeds a line's payment, falls on the
order's first line, where the order's freight is.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as fn

from pipelines.jobs.s4_facts import ORDER

_CASE = [*ORDER, "refund_id"]
_AMOUNTS = "map<string,bigint>"
_PARTS = ("stated", "among", "paid_fen", "alone")
"""Shares by which goods are spread, the first that is above zero: stated amounts, payments of the lines named, payments
of all lines, all on the first line."""


def line_refunds(refunds: DataFrame, lines: DataFrame) -> DataFrame:
    """`refunded_fen` by order and `line_id` of the orders with successful refunds; an order without lines has the empty
    line id. The sum over an order is the sum of its refunds.
    """
    cases = refunds.where("status = 'success' AND amount_fen > 0").select(
        *_CASE,
        fn.col("line_id").alias("named"),
        fn.from_json("line_amounts", _AMOUNTS).alias("amounts"),
        fn.expr("least(coalesce(freight_fen, 0), amount_fen)").alias("post_fen"),
        fn.expr("amount_fen - least(coalesce(freight_fen, 0), amount_fen)").alias("goods_fen"),
    )
    worth = fn.expr("CASE WHEN is_gift THEN 0 ELSE coalesce(paid_fen, 0) END")
    targets = lines.join(cases.select(*ORDER).distinct(), ORDER, "left_semi").select(
        *ORDER, "line_id", worth.alias("paid_fen"), "is_gift"
    )
    pairs = cases.join(targets, ORDER, "left").withColumns(
        {"line_id": fn.coalesce("line_id", fn.lit("")), "paid_fen": fn.coalesce("paid_fen", fn.lit(0))}
    )
    return _on_lines(_shared(_weighed(pairs)))


def _weighed(pairs: DataFrame) -> DataFrame:
    """Added: `is_first`, and `weight`, the line's share of the case, and its sum `whole`."""
    case = Window.partitionBy(*_CASE)
    first = fn.min(fn.struct(fn.coalesce("is_gift", fn.lit(False)), "line_id")).over(case)["line_id"]
    weights = {
        "stated": fn.expr(
            "greatest(coalesce(try_element_at(amounts, line_id), CASE WHEN amounts IS NULL AND named = line_id THEN 1"
            " END, 0), 0)"
        ),
        "among": fn.expr("CASE WHEN map_contains_key(amounts, line_id) OR named = line_id THEN paid_fen ELSE 0 END"),
        "alone": fn.col("is_first").cast("bigint"),
    }
    weighed = pairs.withColumn("is_first", fn.col("line_id") == first).withColumns(weights)
    summed = weighed.withColumns({f"all_{name}": fn.sum(name).over(case) for name in _PARTS})
    chosen = "CASE" + "".join(f" WHEN all_{name} > 0 THEN {{0}}{name}" for name in _PARTS) + " END"
    return summed.withColumns({"weight": fn.expr(chosen.format("")), "whole": fn.expr(chosen.format("all_"))})


def _shared(weighed: DataFrame) -> DataFrame:
    """Added: `share_fen`, the line's part of the case: each line gets what the lines up to it come to, less what those
    before it came to, so that the parts add up."""
    in_turn = Window.partitionBy(*_CASE).orderBy("line_id").rowsBetween(Window.unboundedPreceding, 0)
    part = "(CAST(goods_fen AS DECIMAL(18,0)) * CAST({0} AS DECIMAL(18,0)) div whole)"
    freight = "CASE WHEN is_first THEN post_fen ELSE 0 END"
    share = f"{part.format('upto')} - {part.format('(upto - weight)')} + {freight}"
    return weighed.withColumn("upto", fn.sum("weight").over(in_turn)).withColumn("share_fen", fn.expr(share))


def _on_lines(shared: DataFrame) -> DataFrame:
    """The cases' parts by line; what exceeds a line's payment is moved to the first line."""
    order = Window.partitionBy(*ORDER)
    by_line = shared.groupBy(*ORDER, "line_id", "is_first").agg(
        fn.sum("share_fen").alias("share_fen"), fn.first("paid_fen").alias("paid_fen")
    )
    kept = by_line.withColumn(
        "kept_fen", fn.expr("CASE WHEN is_first THEN share_fen ELSE least(share_fen, paid_fen) END")
    )
    excess = fn.sum(fn.expr("share_fen - kept_fen")).over(order)
    given = fn.col("kept_fen") + fn.when(fn.col("is_first"), excess).otherwise(0)
    return kept.select(*ORDER, "line_id", given.alias("refunded_fen"))

"""Which order a refund belongs to where it names no shop: the only one with its number.

Order numbers of Douyin and Tmall are unique there, but orders are kept by shop, and a platform's message about a refund
may name none. What a later order with the same number would change is found by the number, never by the shop.
"""

from __future__ import annotations

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from pipelines.store.local import LocalLake
from pipelines.tables import ALL

NUMBER = ["platform", "order_id"]
REFUNDS, ORDERS = ALL["silver.refunds"], ALL["silver.orders"]

REFUNDS_SQL = """(
SELECT r.* REPLACE (coalesce(r.shop_id, o.shop_id) AS shop_id)
FROM silver_refunds r LEFT JOIN (
  SELECT platform, order_id, min(shop_id) AS shop_id FROM silver_orders
  SEMI JOIN (SELECT platform, order_id FROM silver_refunds WHERE shop_id IS NULL) USING (platform, order_id)
  GROUP BY platform, order_id HAVING count(*) = 1
) o USING (platform, order_id))"""
"""`with_shop` of all refunds, for DuckDB."""


def with_shop(refunds: DataFrame, orders: DataFrame) -> DataFrame:
    """The refunds with the shop they name, else that of the only order with their number, else none.

    `orders`: at least all orders with the numbers of the refunds.
    """
    silent = refunds.where("shop_id IS NULL AND order_id IS NOT NULL").select(*NUMBER).distinct()
    named = orders.select(*NUMBER, "shop_id").join(silent, NUMBER, "left_semi")
    found = named.groupBy(*NUMBER).agg(fn.min("shop_id").alias("_shop"), fn.count(fn.lit(1)).alias("_orders"))
    known = found.where("_orders = 1").select(*NUMBER, "_shop")
    joined = refunds.join(known, NUMBER, "left").withColumn("shop_id", fn.coalesce("shop_id", "_shop"))
    return joined.select(*refunds.columns)


def refunded_numbers(lake: LocalLake, refunds: pl.DataFrame | None, orders: pl.DataFrame | None) -> pl.LazyFrame:
    """`platform`, `order_id` of the orders for which what was given back may have changed.

    `refunds`: keys of refunds that were told of, whose order the lake knows where the record is silent; `orders`:
    numbers of orders that arrived, of which those count that a refund without a shop names.
    """
    numbers = [pl.LazyFrame(schema=dict.fromkeys(NUMBER, pl.String))]
    held = lake.scan(REFUNDS).filter(pl.col("order_id").is_not_null())
    if refunds is not None:
        told = refunds.select(REFUNDS.key).unique().lazy()
        numbers.append(held.join(told, on=list(REFUNDS.key), how="semi").select(NUMBER))
    if orders is not None:
        silent = held.filter(pl.col("shop_id").is_null()).select(NUMBER)
        numbers.append(silent.join(orders.select(NUMBER).lazy(), on=NUMBER, how="semi"))
    return pl.concat(numbers).unique()


def buyers(lake: LocalLake, numbers: pl.DataFrame) -> pl.LazyFrame:
    """`subject_key` of the orders with these numbers, whatever their shop."""
    return lake.scan(ORDERS).select(*NUMBER, "subject_key").join(numbers.lazy(), on=NUMBER, how="semi")

"""Dimensions of the star schema: rows of the gold.dim_* tables, frames in, frames out."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from features.channels import SALES_CHANNELS, sales_channel_sql
from pipelines.jobs.product_listings import PRODUCT, SCOPE, with_listing
from pipelines.tables.gold_dims import DIM_CUSTOMER, PRODUCT_KEY

CALENDAR_START = "2009-01-01"
WEEKDAY = "((dayofweek(business_date) + 5) % 7 + 1)"
"""Monday is 1. Not by `weekday`, which Sail 0.7.2 has as -1 on Sundays."""
WEEKDAYS = "array('周一', '周二', '周三', '周四', '周五', '周六', '周日')"
FESTIVALS = "map('03-08', '38', '06-18', '618', '11-11', '1111', '12-12', '1212')"


def key_sql(*parts: str) -> str:
    """The SQL of a joining key: the parts with bars between; null when one is null.

    >>> key_sql("platform", "shop_id")
    "concat(platform, '|', shop_id)"
    """
    return f"concat({', $, '.join(parts)})".replace("$", "'|'")


def customers(features: DataFrame, oneids: DataFrame) -> DataFrame:
    """Rows of gold.dim_customer for the people in `features`."""
    minted = oneids.select("one_id", "minted_at")
    return features.join(minted, "one_id").select(*DIM_CUSTOMER.column_names)


def products(listed: DataFrame, lines: DataFrame) -> DataFrame:
    """Rows of gold.dim_product: all listed products, and those only the given order lines name."""
    number = [*PRODUCT, SCOPE]
    of_product = listed.groupBy(*number).agg(
        fn.expr("min_by(category, sku_id) FILTER (WHERE category IS NOT NULL)").alias("product_category")
    )
    known = listed.join(of_product, number, "left").select(
        fn.expr(PRODUCT_KEY).alias("product_key"),
        *number,
        "sku_id",
        "brand_sku",
        "name",
        fn.coalesce("category", "product_category").alias("category"),
        "price_fen",
        fn.lit(True).alias("is_listed"),
    )
    named = (
        with_listing(lines.where("product_id IS NOT NULL"), listed)
        .groupBy(*number, fn.expr("coalesce(sku_id, '')").alias("sku_id"))
        .agg(
            fn.max("brand_sku").alias("brand_sku"),
            fn.expr("max_by(product_name, struct(version_key, product_name))").alias("name"),
        )
        .join(of_product, number, "left")
        .select(
            fn.expr(PRODUCT_KEY).alias("product_key"),
            *number,
            "sku_id",
            "brand_sku",
            "name",
            fn.col("product_category").alias("category"),
            fn.lit(None).cast("bigint").alias("price_fen"),
            fn.lit(False).alias("is_listed"),
        )
    )
    return known.unionByName(named.join(known.select("product_key"), "product_key", "left_anti"))


def shops(orders: DataFrame) -> DataFrame:
    """Rows of gold.dim_shop for the shops of the given orders."""
    labels = ", ".join(f"'{name}', '{label}'" for name, label in SALES_CHANNELS.items())
    seen = orders.select("platform", "shop_id").distinct().withColumn("channel", fn.expr(sales_channel_sql("platform")))
    return seen.select(
        fn.expr(key_sql("platform", "shop_id")).alias("shop_key"),
        "platform",
        "shop_id",
        "channel",
        fn.expr(f"element_at(map({labels}), channel)").alias("channel_label"),
    )


def staff(listed: DataFrame, follows: DataFrame) -> DataFrame:
    """Rows of gold.dim_staff: all listed guides, and those only the given relations name."""
    columns = ["corp_id", "userid", "store_id", "store_name", "region", "status", "hired_at", "left_at"]
    named = (
        follows.select("corp_id", "userid")
        .distinct()
        .join(listed.select("corp_id", "userid"), ["corp_id", "userid"], "left_anti")
    )
    both = listed.select(*columns).unionByName(named.withColumn("status", fn.lit("unknown")), allowMissingColumns=True)
    return both.select(fn.expr(key_sql("corp_id", "userid")).alias("staff_key"), *columns)


def groups(chats: DataFrame, members: DataFrame) -> DataFrame:
    """Rows of gold.dim_group with the present number of members."""
    sizes = members.groupBy("corp_id", "chat_id").agg(
        fn.expr("count_if(status = 'in')").alias("members"),
        fn.expr("count_if(status = 'in' AND member_type = 'customer')").alias("customers"),
        fn.expr("count_if(member_type = 'customer')").alias("customers_ever"),
    )
    return (
        chats.join(sizes, ["corp_id", "chat_id"], "left")
        .na.fill(0, ["members", "customers", "customers_ever"])
        .select(
            fn.expr(key_sql("corp_id", "chat_id")).alias("group_key"),
            "corp_id",
            "chat_id",
            fn.expr(key_sql("corp_id", "owner_userid")).alias("owner_staff_key"),
            fn.coalesce("status", fn.lit("unknown")).alias("status"),
            "created_at",
            "members",
            "customers",
            "customers_ever",
        )
    )


def calendar(any_frame: DataFrame, *, as_of: str) -> DataFrame:
    """Rows of gold.dim_date up to the end of the year after `as_of`; `any_frame` lends its session, not its rows."""
    end = f"make_date(year(DATE'{as_of}') + 1, 12, 31)"
    one = any_frame.groupBy().count()
    days = one.select(fn.expr(f"explode(sequence(DATE'{CALENDAR_START}', {end}))").alias("business_date"))
    return days.select(
        "business_date",
        fn.year("business_date").alias("year"),
        fn.quarter("business_date").alias("quarter"),
        fn.month("business_date").alias("month"),
        fn.expr("CAST(trunc(business_date, 'MM') AS DATE)").alias("month_start"),
        fn.expr("CAST(date_trunc('WEEK', business_date) AS DATE)").alias("iso_week_start"),
        fn.expr(WEEKDAY).alias("weekday"),
        fn.expr(f"element_at({WEEKDAYS}, {WEEKDAY})").alias("weekday_label"),
        fn.expr(f"{WEEKDAY} >= 6").alias("is_weekend"),
        fn.expr(f"try_element_at({FESTIVALS}, date_format(business_date, 'MM-dd'))").alias("festival"),
    )

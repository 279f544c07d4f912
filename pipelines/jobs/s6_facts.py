"""Facts of the star schema: rows of the gold.fact_* tables, frames in, frames out.

`owners` (`subject_key`, `one_id`) are all owned identifiers. A fact whose identifier nobody owns keeps a null `one_id`,
so that sums over gold equal sums over silver.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as fn

from features.channels import sales_channel_sql
from features.days import business_day_sql
from features.spec import Tag
from pipelines.jobs import s6_refunds
from pipelines.jobs.refund_shops import with_shop
from pipelines.jobs.s4_facts import ORDER
from pipelines.jobs.s6_dims import key_sql, product_key_sql

OF_ORDER = ("subject_key", "business_date", "created_at", "paid_at", "status", "is_paid", "channel_origin")
"""Columns that both orders and lines have; the order's count."""


def order_lines(orders: DataFrame, lines: DataFrame, refunds: DataFrame, owners: DataFrame) -> DataFrame:
    """Rows of gold.fact_order_line of the given orders and all their lines and refunds, which know their shops.

    The order's payment is spread over its lines: each carries its own, the first (no gift, least line_id) the rest,
    which is freight and rounding. Of an order that names no amount, the lines' sum and the freight count.
    """
    ours = orders.select(
        *ORDER,
        *(fn.col(name).alias(f"o_{name}") for name in OF_ORDER),
        *(
            fn.col(name).alias(f"o_{name}")
            for name in ("paid_fen", "freight_fen", "platform_subsidy_fen", "deposit_fen")
        ),
        *("is_internal", "province", "city", "currency"),
    )
    theirs = lines.select(*ORDER, "line_id", *_LINE, *(fn.col(name).alias(f"l_{name}") for name in OF_ORDER))
    joined = ours.join(theirs, ORDER, "full_outer").select(
        *ORDER,
        fn.coalesce("line_id", fn.lit("")).alias("line_id"),
        *(fn.coalesce(f"o_{name}", f"l_{name}").alias(name) for name in OF_ORDER if name != "status"),
        fn.coalesce("l_status", "o_status").alias("status"),
        fn.expr("coalesce(is_gift, false)").alias("is_gift"),
        fn.expr("CASE WHEN NOT is_gift AND coalesce(o_is_paid, l_is_paid) THEN coalesce(paid_fen, 0) ELSE 0 END").alias(
            "paid_fen"
        ),
        *(name for name in _LINE if name not in ("is_gift", "paid_fen")),
        fn.col("o_is_paid").isNotNull().alias("order_known"),
        *(
            "o_paid_fen",
            "o_freight_fen",
            "o_platform_subsidy_fen",
            "o_deposit_fen",
            "is_internal",
            "province",
            "city",
            "currency",
        ),
    )
    back = s6_refunds.line_refunds(refunds, lines)
    spread = _spread(joined).join(back, [*ORDER, "line_id"], "left")
    return _finished_lines(spread.join(owners, "subject_key", "left"))


_LINE = (
    "product_id",
    "sku_id",
    "quantity",
    "list_fen",
    "paid_fen",
    "is_gift",
    "refund_state",
    "room_id",
    "video_id",
    "talent_id",
    "ad_creative_id",
)


def _spread(joined: DataFrame) -> DataFrame:
    """Added: `is_first`, and `rest_fen`, the part of the order's payment that no line names, on the first line."""
    order = Window.partitionBy(*ORDER)
    ranked = joined.withColumn("is_first", fn.row_number().over(order.orderBy("is_gift", "line_id")) == 1)
    summed = ranked.withColumn("lines_fen", fn.sum("paid_fen").over(order))
    worth = "coalesce(o_paid_fen, lines_fen + coalesce(o_freight_fen, 0))"
    return summed.withColumn(
        "rest_fen", fn.expr(f"CASE WHEN is_first AND order_known AND is_paid THEN {worth} - lines_fen ELSE 0 END")
    )


def _finished_lines(spread: DataFrame) -> DataFrame:
    back = "CASE WHEN is_paid THEN coalesce(refunded_fen, 0) ELSE 0 END"
    on_first = "CASE WHEN is_first THEN coalesce({0}, 0) ELSE 0 END"
    held = "CASE WHEN is_paid THEN 0 ELSE greatest(o_deposit_fen - coalesce(order_back_fen, 0), 0) END"
    whole = Window.partitionBy(*ORDER)
    return spread.withColumn("order_back_fen", fn.sum("refunded_fen").over(whole)).select(
        *ORDER,
        "line_id",
        "one_id",
        fn.expr(key_sql("platform", "shop_id")).alias("shop_key"),
        fn.expr(sales_channel_sql("platform")).alias("channel"),
        fn.expr(product_key_sql()).alias("product_key"),
        *("business_date", "created_at", "paid_at", "status", "refund_state", "channel_origin"),
        *("room_id", "video_id", "talent_id", "ad_creative_id", "province", "city", "currency"),
        *("is_paid", "is_gift"),
        fn.expr("coalesce(is_internal, false)").alias("is_internal"),
        fn.col("is_first").cast("int").alias("order_count"),
        *("quantity", "list_fen", "paid_fen"),
        fn.col("rest_fen").alias("order_rest_fen"),
        fn.expr("paid_fen + rest_fen").alias("revenue_fen"),
        fn.expr(on_first.format("o_platform_subsidy_fen")).alias("subsidy_fen"),
        fn.expr(on_first.format(f"({held})")).alias("deposit_fen"),
        fn.expr(back).alias("refunded_fen"),
        fn.expr(f"paid_fen + rest_fen - {back}").alias("net_fen"),
        fn.expr(
            f"is_paid AND NOT is_gift AND refund_state <=> 'success' AND paid_fen + rest_fen > 0 AND {back} = 0"
        ).alias("refund_pending"),
    )


def with_order(refunds: DataFrame, orders: DataFrame) -> DataFrame:
    """Refunds in the shop of their order, with its `subject_key`, `is_paid` and `is_internal`; null when unknown."""
    known = orders.select(*ORDER, "subject_key", "is_paid", "is_internal")
    return with_shop(refunds, orders).join(known, ORDER, "left")


def refunds(joined: DataFrame, owners: DataFrame) -> DataFrame:
    """Rows of gold.fact_refund from refunds `with_order`."""
    return joined.join(owners, "subject_key", "left").select(
        *("platform", "refund_scope", "shop_id", "refund_id", "order_id", "line_id", "one_id"),
        fn.expr(key_sql("platform", "shop_id")).alias("shop_key"),
        fn.expr(sales_channel_sql("platform")).alias("channel"),
        fn.expr(f"coalesce(business_date, {business_day_sql('applied_at')})").alias("business_date"),
        *("applied_at", "success_at", "status", "refund_type", "reason_code"),
        fn.col("is_paid").isNotNull().alias("order_known"),
        fn.expr("coalesce(is_internal, false)").alias("is_internal"),
        "amount_fen",
        fn.expr(
            "CASE WHEN status = 'success' AND coalesce(is_paid, true) THEN coalesce(amount_fen, 0) ELSE 0 END"
        ).alias("refunded_fen"),
    )


def events(rows: DataFrame) -> DataFrame:
    """Rows of gold.fact_event from events `with_sessions`."""
    staff = f"CASE WHEN source = 'wecom' THEN {key_sql('app_id', 'staff_userid')} END"
    return rows.select(
        *("event_id", "one_id", "business_date", "event_at", "source", "app_id", "event", "kind"),
        *("url_path", "scene", "utm_source", "utm_campaign", "product_id"),
        fn.expr(staff).alias("staff_key"),
        *("duration_ms", "session_id"),
    )


def points(rows: DataFrame, owners: DataFrame) -> DataFrame:
    """Rows of gold.fact_points."""
    return rows.join(owners, "subject_key", "left").select(
        *("source", "record_scope", "record_id", "one_id"),
        fn.expr(f"coalesce(business_date, {business_day_sql('moved_at')})").alias("business_date"),
        *("moved_at", "expires_at", "reason", "order_id", "points"),
        fn.expr("greatest(points, 0)").alias("issued"),
        fn.expr("greatest(-points, 0)").alias("used"),
    )


def relation_days(changes: DataFrame) -> DataFrame:
    """Rows of gold.fact_relation_daily from `layer_changes`."""
    rank = "CASE {0} WHEN 'friend' THEN 3 WHEN 'private' THEN 2 WHEN 'public' THEN 1 ELSE 0 END"
    up = f"{rank.format('layer')} > {rank.format('previous_layer')}"
    return changes.select("*", fn.expr(f"CASE WHEN {up} THEN 'up' ELSE 'down' END").alias("direction"))


def tag_bridge(tags: DataFrame, declared: Sequence[Tag]) -> DataFrame:
    """Rows of gold.bridge_customer_tag; a value without a declared label is shown as it is."""
    tag_label = fn.create_map(*(fn.lit(part) for tag in declared for part in (tag.name, tag.label)))
    pairs = [(f"{tag.name}={value}", text) for tag in declared for value, text in tag.labels.items()]
    value_label = fn.create_map(*(fn.lit(part) for pair in pairs for part in pair))
    return tags.select(
        "one_id",
        "tag",
        fn.coalesce(fn.try_element_at(tag_label, fn.col("tag")), "tag").alias("tag_label"),
        "value",
        fn.coalesce(fn.try_element_at(value_label, fn.concat_ws("=", "tag", "value")), "value").alias("value_label"),
        fn.col("as_of").alias("since"),
        "reason",
    )

"""The fact frames features are declared over: silver rows that know their OneID, in the words of `features/`.

`owners` (`subject_key`, `one_id`) says whose facts are wanted: all people's, or only those of a few. Every function
works the same on both, so that an incremental run and a rebuild give the same rows.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from features.channels import identity_channel_sql, sales_channel_sql
from features.days import business_day_sql
from features.relations import PROGRAMMES

ORDER = ["platform", "shop_id", "order_id"]


def owners_of(oneid_map: DataFrame, people: DataFrame | None) -> DataFrame:
    """`subject_key`, `one_id` of every owned identifier as of today, of the given people or of all."""
    current = oneid_map.where("valid_to IS NULL AND one_id IS NOT NULL")
    owners = current.select(fn.col("identifier_key").alias("subject_key"), "one_id")
    return owners if people is None else owners.join(people, "one_id", "left_semi").select("subject_key", "one_id")


def living_people(oneids: DataFrame, people: DataFrame | None) -> DataFrame:
    """`one_id`, `is_visitor` of every living OneID, of the given people or of all."""
    living = oneids.where("status IN ('active', 'visitor')").select(
        "one_id", fn.expr("status = 'visitor'").alias("is_visitor")
    )
    return living if people is None else living.join(people, "one_id", "left_semi")


def identifier_facts(oneid_map: DataFrame, people: DataFrame | None) -> DataFrame:
    """Identifiers each person holds now, with the channel of identity and the day of the first sighting."""
    current = oneid_map.where("valid_to IS NULL AND one_id IS NOT NULL")
    if people is not None:
        current = current.join(people, "one_id", "left_semi")
    return current.select(
        "one_id",
        "namespace",
        fn.expr(identity_channel_sql("namespace")).alias("channel"),
        fn.expr(business_day_sql("first_seen")).alias("first_date"),
    )


def order_worth(orders: DataFrame, lines: DataFrame, refunds: DataFrame, *, include_internal: bool) -> DataFrame:
    """What each order is worth: the orders' own columns and what lines and refunds say of them.

    Added: `channel`, `paid` (paid and counted), `kept` (paid, with goods, not wholly refunded), `worth_fen` (paid by
    the buyer, freight included; the sum of the lines where the order names no amount), `refunded_fen`,
    `refund_pending`, `held_fen` (what is left of a deposit whose final payment is open).

    A closed order is wholly refunded once a refund of it is known, or if nothing was paid: freight may stay with the
    seller when all goods go back.
    """
    by_line = lines.groupBy(*ORDER).agg(
        fn.expr("bool_or(NOT is_gift)").alias("has_goods"),
        fn.expr("bool_or(NOT is_gift AND refund_state <=> 'success' AND coalesce(paid_fen, 1) > 0)").alias(
            "said_refunded"
        ),
        fn.expr("sum(paid_fen) FILTER (WHERE NOT is_gift)").alias("lines_fen"),
    )
    by_refund = refunds.where("status = 'success'").groupBy(*ORDER).agg(fn.sum("amount_fen").alias("success_fen"))
    joined = orders.join(by_line, ORDER, "left").join(by_refund, ORDER, "left")
    counted = "is_paid" if include_internal else "is_paid AND NOT is_internal"
    amounts = joined.select(
        *orders.columns,
        fn.expr(sales_channel_sql("platform")).alias("channel"),
        fn.expr(counted).alias("paid"),
        fn.expr("coalesce(has_goods, true)").alias("has_goods"),
        fn.expr("coalesce(paid_fen, lines_fen + coalesce(freight_fen, 0), 0)").alias("worth_fen"),
        fn.expr("coalesce(success_fen, 0)").alias("refunded_fen"),
        fn.expr("is_paid AND success_fen IS NULL AND (coalesce(said_refunded, false) OR status = 'closed')").alias(
            "said_back"
        ),
    )
    given_back = "(refunded_fen > 0 AND refunded_fen >= worth_fen) OR (status = 'closed' AND NOT refund_pending)"
    return (
        amounts.withColumn("refund_pending", fn.expr("said_back AND worth_fen > 0"))
        .withColumn("kept", fn.expr(f"paid AND has_goods AND NOT ({given_back})"))
        .withColumn("held_fen", fn.expr("CASE WHEN is_paid THEN 0 ELSE greatest(deposit_fen - refunded_fen, 0) END"))
    )


def order_facts(worth: DataFrame, owners: DataFrame) -> DataFrame:
    """The fact `orders` of `features/orders.py`."""
    return worth.join(owners, "subject_key").select(
        "one_id",
        "channel",
        "business_date",
        "created_at",
        "is_paid",
        "paid",
        "kept",
        fn.expr("CASE WHEN paid THEN worth_fen ELSE 0 END").alias("paid_fen"),
        fn.expr("CASE WHEN paid THEN refunded_fen ELSE 0 END").alias("refunded_fen"),
        "refund_pending",
        fn.col("held_fen").alias("deposit_fen"),
        "is_internal",
        "currency",
        "province",
        "city",
    )


def line_facts(
    lines: DataFrame, refunds: DataFrame, products: DataFrame, left_out: DataFrame, owners: DataFrame
) -> DataFrame:
    """The fact `lines`: paid lines with their category; without gifts, refunded lines and the orders `left_out`.

    A line is refunded when all that was paid for it went back, or as it says itself where refunds do not name it alone:
    after one of a part (a price protection, one piece of two) it stays bought.
    """
    given = refunds.where("status = 'success' AND amount_fen > 0")
    back = (
        given.join(given.where("line_id IS NULL").select(*ORDER), ORDER, "left_anti")
        .groupBy(*ORDER, "line_id")
        .agg(fn.expr("sum(amount_fen - coalesce(freight_fen, 0))").alias("back_fen"))
    )
    refunded = "coalesce(back_fen, CASE WHEN refund_state <=> 'success' THEN paid_fen END) >= coalesce(paid_fen, 0)"
    said = f"coalesce({refunded}, refund_state <=> 'success')"
    bought = (
        lines.where("is_paid AND NOT is_gift")
        .join(left_out, ORDER, "left_anti")
        .join(back, [*ORDER, "line_id"], "left")
        .where(f"NOT {said}")
    )
    by_sku = products.where("sku_id <> ''").select(
        "platform", "product_id", "sku_id", fn.col("category").alias("sku_category")
    )
    by_product = products.groupBy("platform", "product_id").agg(
        fn.expr("min_by(category, sku_id) FILTER (WHERE category IS NOT NULL)").alias("product_category")
    )
    known = (
        bought.join(owners, "subject_key")
        .join(by_sku, ["platform", "product_id", "sku_id"], "left")
        .join(by_product, ["platform", "product_id"], "left")
    )
    return known.select(
        "one_id",
        fn.expr("coalesce(sku_category, product_category)").alias("category"),
        fn.concat_ws("|", "platform", "product_id").alias("product"),
        "quantity",
        "paid_fen",
    )


def follow_facts(follows: DataFrame, owners: DataFrame) -> DataFrame:
    """The fact `follows`: relations of guides with people."""
    return follows.join(owners, "subject_key").select(
        "one_id",
        fn.concat_ws("|", "corp_id", "userid").alias("staff_key"),
        fn.expr("status = 'active'").alias("active"),
        "added_at",
    )


def group_facts(members: DataFrame, changes: DataFrame, owners: DataFrame) -> DataFrame:
    """The fact `groups`: customers in groups, and when they joined before they left and came back."""
    now, joined = fn.expr("status = 'in'"), fn.col("joined_at")
    before = changes.where("change = 'joined'")
    key = fn.concat_ws("|", "corp_id", "chat_id").alias("group_key")
    stays = members.select("subject_key", key, now.alias("active"), joined).unionByName(
        before.select("subject_key", key, fn.expr("false").alias("active"), fn.col("changed_at").alias("joined_at"))
    )
    return stays.join(owners, "subject_key").select("one_id", "group_key", "active", "joined_at")


def member_facts(members: DataFrame, owners: DataFrame) -> DataFrame:
    """The fact `members`: memberships of people; a record that was only seen is none."""
    rank = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(PROGRAMMES))
    return (
        members.where("status <> 'seen'")
        .join(owners, "subject_key")
        .select(
            "one_id",
            "programme",
            fn.expr(f"CASE programme {rank} ELSE {len(PROGRAMMES)} END").alias("rank"),
            fn.expr("status = 'member'").alias("active"),
            "level",
            "joined_at",
            "updated_at",
        )
    )


def consent_facts(consents: DataFrame, owners: DataFrame) -> DataFrame:
    """The fact `consents`: the latest statement of each identifier and purpose; of two at one time the withdrawal."""
    latest = (
        consents.where("subject_key IS NOT NULL")
        .groupBy("subject_key", "purpose")
        .agg(
            fn.expr("max_by(status, struct(stated_at, status))").alias("status"), fn.max("stated_at").alias("stated_at")
        )
    )
    return latest.join(owners, "subject_key").select("one_id", "purpose", "status", "stated_at")


def point_facts(ledger: DataFrame, owners: DataFrame) -> DataFrame:
    """The fact `points`: movements of people's points."""
    return ledger.join(owners, "subject_key").select("one_id", "points", "moved_at", "expires_at")

"""Features and tags per OneID; the columns of `customer_features` come from the declarations in `features/`."""

from __future__ import annotations

from features.catalog import CATALOG
from features.tags import CAUSES
from pipelines.spec import Check, Column, Table, columns

_CAUSES = ", ".join(f"'{cause}'" for cause in CAUSES)

CUSTOMER_FEATURES = Table(
    layer="features",
    name="customer_features",
    doc="What is known of each OneID, visitors included; no column depends on the day it is read.",
    grain="one living OneID",
    key=("one_id",),
    published=True,
    columns=columns(
        Column("one_id", "string", "OneID", required=True),
        Column(
            "is_visitor", "boolean", "Holds anonymous identifiers only: outside person totals and layers", required=True
        ),
        (Column(item.name, item.type, item.doc) for item in CATALOG.columns),
        Column("definition", "string", "Digest of the declarations the row was computed with", required=True),
    ),
    checks=(
        Check("net_is_paid_less_refunded", "net_revenue_fen = paid_fen - refunded_fen"),
        Check("visitor_has_no_layer", "is_visitor = (relation_layer IS NULL)"),
        Check("refunds_within_payments", "refunded_fen <= paid_fen", "warn"),
        Check("points_not_negative", "points_balance >= 0", "warn"),
    ),
)

TOUCHPOINTS = Table(
    layer="features",
    name="touchpoints",
    doc="When and where each OneID was met: orders, mini-program behaviour, guides added, groups joined.",
    grain="one business day, channel, kind and detail of one OneID",
    key=("one_id", "business_date", "channel", "kind", "detail"),
    published=True,
    columns=(
        Column("one_id", "string", "OneID", required=True),
        Column("business_date", "date", "Business day", required=True),
        Column("channel", "string", "douyin, tmall, mall, pos, other, miniprogram, wecom", required=True),
        Column(
            "kind",
            "string",
            "order, unpaid_order, friend_add, group_join, or the kind of an event: see gold.fact_event",
            required=True,
        ),
        Column(
            "detail",
            "string",
            "Origin of an order, campaign or scene of a visit, channel state of a guide or group; empty: none",
            required=True,
        ),
        Column("touches", "bigint", "How many", required=True),
        Column("first_at", "timestamp", "First of the day", required=True),
        Column("last_at", "timestamp", "Last of the day", required=True),
    ),
    checks=(Check("counts_something", "touches > 0"), Check("ordered_times", "first_at <= last_at")),
)

CUSTOMER_TAGS = Table(
    layer="features",
    name="customer_tags",
    doc="Tags each OneID carries now, with why and since when.",
    grain="one tag of one OneID",
    key=("one_id", "tag"),
    published=True,
    columns=(
        Column("one_id", "string", "OneID", required=True),
        Column("tag", "string", "Tag name", required=True),
        Column("value", "string", "Tag value", required=True),
        Column("as_of", "date", "Business day since which it holds", required=True),
        Column("reason", "string", "Why, in words with the figures", required=True),
    ),
    checks=(Check("has_reason", "length(reason) > 0"),),
)

TAG_CHANGES = Table(
    layer="features",
    name="tag_changes",
    doc="History of tags: set, changed, removed, with the cause.",
    grain="one change of one tag of one OneID and business day",
    key=("one_id", "tag", "as_of"),
    columns=(
        Column("one_id", "string", "OneID", required=True),
        Column("tag", "string", "Tag name", required=True),
        Column("as_of", "date", "Business day of the change", required=True),
        Column("old_value", "string", "Value before; null when it was not set"),
        Column("new_value", "string", "Value after; null when it was removed"),
        Column("cause", "string", "facts, time, merge, split or move", required=True),
    ),
    checks=(
        Check("changes_something", "old_value IS DISTINCT FROM new_value"),
        Check("known_cause", f"cause IN ({_CAUSES})"),
    ),
)

TABLES: tuple[Table, ...] = (CUSTOMER_FEATURES, TOUCHPOINTS, CUSTOMER_TAGS, TAG_CHANGES)

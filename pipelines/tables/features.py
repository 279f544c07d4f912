"""Features and tags per OneID."""

from __future__ import annotations

from pipelines.spec import Check, Column, Table

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
    checks=(Check("changes_something", "NOT (old_value <=> new_value)"),),
)

TABLES: tuple[Table, ...] = (CUSTOMER_TAGS, TAG_CHANGES)

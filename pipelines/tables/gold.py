"""Gold: the star schema that BI tools read.

Facts name their person (`one_id`), shop, product, guide and day by one column each, so a tool joins them without
thinking. A fact whose person is not known has a null `one_id` and is counted all the same: totals equal silver's.
"""

from __future__ import annotations

from features.channels import IDENTITY_CHANNELS, LAYERS
from pipelines.spec import Check, Column, Table, columns
from pipelines.tables import gold_dims, gold_facts

_CHANNELS = ", ".join(("all", *IDENTITY_CHANNELS))

BRIDGE_CUSTOMER_TAG = Table(
    layer="gold",
    name="bridge_customer_tag",
    doc="Tags of each person with labels and reasons.",
    grain="one tag of one person",
    key=("one_id", "tag"),
    published=True,
    columns=(
        Column("one_id", "string", "OneID", required=True),
        Column("tag", "string", "Tag name", required=True),
        Column("tag_label", "string", "Label of the tag", required=True),
        Column("value", "string", "Tag value", required=True),
        Column("value_label", "string", "Label of the value", required=True),
        Column("since", "date", "Business day since which it holds", required=True),
        Column("reason", "string", "Why, in words with the figures", required=True),
    ),
    checks=(Check("has_label", "length(tag_label) > 0 AND length(value_label) > 0"),),
)

AGG_FUNNEL_DAILY = Table(
    layer="gold",
    name="agg_funnel_daily",
    doc="People in each relation layer at the end of each business day, and the flow of the day.",
    grain="one business day and relation layer",
    key=("business_date", "layer"),
    published=True,
    columns=columns(
        Column("business_date", "date", "Business day", required=True),
        Column("layer", "string", "public, private or friend", required=True),
        Column("people", "bigint", "People in the layer at the end of the day", required=True),
        Column("entered", "bigint", "People who came into it", required=True),
        Column("departed", "bigint", "People who left it for another", required=True),
        (
            Column(f"from_{layer}", "bigint", f"Of those who came, from {label}", required=True)
            for layer, label in LAYERS.items()
        ),
    ),
    checks=(
        Check("stock_not_negative", "people >= 0"),
        Check("origins_add_up", f"entered = {' + '.join(f'from_{layer}' for layer in LAYERS)}"),
    ),
)

AGG_ONEID_DAILY = Table(
    layer="gold",
    name="agg_oneid_daily",
    doc="OneID assets by business day: people known in a channel of identity, or in two, and changes of OneIDs.",
    grain="one business day, channel of identity and other channel",
    key=("business_date", "channel", "other_channel"),
    published=True,
    columns=(
        Column("business_date", "date", "Business day", required=True),
        Column("channel", "string", f"Channel of identity: {_CHANNELS}", required=True),
        Column("other_channel", "string", "The same for one channel; another: people known in both", required=True),
        Column("new_people", "bigint", "People first seen so on the day, by today's knowledge", required=True),
        Column("people", "bigint", "People seen so until the day; visitors are no people", required=True),
        Column("minted", "bigint", "OneIDs minted by the day's run; in the row of all people only", required=True),
        Column("merged", "bigint", "Merges of the day's run; likewise", required=True),
        Column("split", "bigint", "Splits of the day's run; likewise", required=True),
        Column("moved", "bigint", "Moves of the day's run; likewise", required=True),
    ),
    checks=(Check("new_within_all", "new_people BETWEEN 0 AND people"),),
)

TABLES: tuple[Table, ...] = (
    *gold_dims.TABLES,
    *gold_facts.TABLES,
    BRIDGE_CUSTOMER_TAG,
    AGG_FUNNEL_DAILY,
    AGG_ONEID_DAILY,
)

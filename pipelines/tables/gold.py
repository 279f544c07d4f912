"""Gold: the star schema that BI tools read.

Facts name their person (`one_id`), shop, product, guide and day by one column each, so a tool joins them without
thinking. A fact whose person is not known has a null `one_id` and is counted all the same: totals equal silver's.
"""

from __future__ import annotations

from features.channels import IDENTITY_CHANNELS, LAYERS
from features.consents import PURPOSES
from pipelines.spec import Check, Column, Table, columns

_LAYERS = ", ".join(f"'{layer}'" for layer in LAYERS)
_CHANNELS = ", ".join(("all", *IDENTITY_CHANNELS))

ONE_ID = Column("one_id", "string", "OneID; null when the fact's identifier belongs to nobody")
SHOP = Column("shop_key", "string", "platform|shop_id, joins dim_shop", required=True)
CHANNEL = Column("channel", "string", "Sales channel: douyin, tmall, mall, pos or other", required=True)
INTERNAL = Column(
    "is_internal", "boolean", "Staff, test or reseller order: left out of the console's totals", required=True
)

DIM_CUSTOMER = Table(
    layer="gold",
    name="dim_customer",
    doc="Living OneIDs with what is worth filtering by.",
    grain="one living OneID",
    key=("one_id",),
    published=True,
    columns=columns(
        Column("one_id", "string", "OneID", required=True),
        Column("is_visitor", "boolean", "Holds anonymous identifiers only: no person", required=True),
        Column("minted_at", "date", "Business day of the run that made the OneID", required=True),
        Column("first_seen_date", "date", "Business day of the first sighting"),
        Column("identifiers", "bigint", "Identifiers it holds", required=True),
        Column("relation_layer", "string", "Relation layer: friend, private, public, none; null for visitors"),
        Column("guide_staff_key", "string", "Guide added last and still a friend, joins dim_staff"),
        Column("is_group_member", "boolean", "In a customer group"),
        Column("is_member", "boolean", "Member of a programme"),
        Column("member_programme", "string", "Programme: the brand's own before the platforms'"),
        Column("member_level", "string", "Level in the first programme that names one"),
        Column("province", "string", "Receiver's province of the latest order"),
        Column("city", "string", "Receiver's city of the latest order"),
        Column("is_internal", "boolean", "Staff, tester or reseller", required=True),
        Column("orders", "bigint", "Paid orders, gifts and wholly refunded ones left out", required=True),
        Column("net_revenue_fen", "bigint", "Net revenue, freight included, fen", required=True),
        Column("average_order_fen", "bigint", "Average order value, fen"),
        Column("first_purchase_date", "date", "Business day of the first purchase"),
        Column("last_purchase_date", "date", "Business day of the last purchase"),
        Column("favourite_category", "string", "Category with the greatest payment"),
        Column("sales_channels", "int", "Sales channels with a purchase"),
        Column("points_balance", "bigint", "Points balance", required=True),
        Column("last_touch_channel", "string", "Channel of the last touch"),
        Column("last_touch_at", "timestamp", "Last touch"),
        (
            Column(f"consent_{purpose}", "string", f"Consent for {label}: granted, withdrawn or null")
            for purpose, label in PURPOSES.items()
        ),
        Column("consent_conflict", "boolean", "Identifiers of the person disagree on a consent", required=True),
    ),
    checks=(Check("known_layer", f"relation_layer IS NULL OR relation_layer IN ({_LAYERS})"),),
)

DIM_PRODUCT = Table(
    layer="gold",
    name="dim_product",
    doc="Platform products and SKUs, those only seen in orders included.",
    grain="one SKU of one platform",
    key=("product_key",),
    published=True,
    columns=(
        Column("product_key", "string", "platform|product_id|sku_id", required=True),
        Column("platform", "string", "Platform", required=True),
        Column("product_id", "string", "Platform product id", required=True),
        Column("sku_id", "string", "Platform SKU id; empty for the product itself", required=True),
        Column("brand_sku", "string", "The brand's own SKU code"),
        Column("name", "string", "Product name"),
        Column("category", "string", "The brand's category, of the product where the SKU names none"),
        Column("price_fen", "bigint", "List price, fen"),
        Column("is_listed", "boolean", "Whether the product feed names it", required=True),
    ),
    checks=(Check("key_of_parts", "product_key = concat(platform, '|', product_id, '|', sku_id)"),),
)

DIM_SHOP = Table(
    layer="gold",
    name="dim_shop",
    doc="Shops of all channels.",
    grain="one shop of one platform",
    key=("shop_key",),
    published=True,
    columns=(
        Column("shop_key", "string", "platform|shop_id", required=True),
        Column("platform", "string", "Platform, or the name of a file source", required=True),
        Column("shop_id", "string", "Shop id; Tmall: seller_nick", required=True),
        CHANNEL,
        Column("channel_label", "string", "Label of the sales channel", required=True),
    ),
    checks=(Check("key_of_parts", "shop_key = concat(platform, '|', shop_id)"),),
)

DIM_STAFF = Table(
    layer="gold",
    name="dim_staff",
    doc="Guides with store and region, those only seen in relations included.",
    grain="one guide of one corp",
    key=("staff_key",),
    published=True,
    columns=(
        Column("staff_key", "string", "corp_id|userid", required=True),
        Column("corp_id", "string", "Corp", required=True),
        Column("userid", "string", "Staff id", required=True),
        Column("store_id", "string", "Store"),
        Column("store_name", "string", "Store name"),
        Column("region", "string", "Region"),
        Column("status", "string", "active, left or unknown", required=True),
        Column("hired_at", "timestamp", "When the guide began"),
        Column("left_at", "timestamp", "When the guide left"),
    ),
    checks=(Check("known_status", "status IN ('active', 'left', 'unknown')"),),
)

DIM_GROUP = Table(
    layer="gold",
    name="dim_group",
    doc="WeCom customer groups with their present size.",
    grain="one group chat of one corp",
    key=("group_key",),
    published=True,
    columns=(
        Column("group_key", "string", "corp_id|chat_id", required=True),
        Column("corp_id", "string", "Corp", required=True),
        Column("chat_id", "string", "Group chat id", required=True),
        Column("owner_staff_key", "string", "Guide who owns the group, joins dim_staff"),
        Column("status", "string", "ok, owner_left, inheriting, inherited, dismissed or unknown", required=True),
        Column("created_at", "timestamp", "When the group was made"),
        Column("members", "bigint", "Members now, guides included", required=True),
        Column("customers", "bigint", "Customers now", required=True),
        Column("customers_ever", "bigint", "Customers who are or were in it", required=True),
    ),
    checks=(Check("sizes_agree", "customers <= members AND customers <= customers_ever"),),
)

DIM_DATE = Table(
    layer="gold",
    name="dim_date",
    doc="Calendar of business days, from 2009 to the end of the year after the run's.",
    grain="one business day",
    key=("business_date",),
    published=True,
    columns=(
        Column("business_date", "date", "Business day in Asia/Shanghai", required=True),
        Column("year", "int", "Year", required=True),
        Column("quarter", "int", "Quarter, 1 to 4", required=True),
        Column("month", "int", "Month, 1 to 12", required=True),
        Column("month_start", "date", "First day of the month", required=True),
        Column("iso_week_start", "date", "Monday of the week", required=True),
        Column("weekday", "int", "1 Monday to 7 Sunday", required=True),
        Column("weekday_label", "string", "Weekday in Chinese", required=True),
        Column("is_weekend", "boolean", "Saturday or Sunday", required=True),
        Column("festival", "string", "Shopping festival by date: 38, 618, 1111, 1212; else null"),
    ),
    checks=(Check("known_weekday", "weekday BETWEEN 1 AND 7"),),
)

FACT_ORDER_LINE = Table(
    layer="gold",
    name="fact_order_line",
    doc="Order lines with person, product and shop; the sum of revenue_fen is what buyers paid, freight included.",
    grain="one line of one order; one row with an empty line_id for an order without lines",
    key=("platform", "shop_id", "order_id", "line_id"),
    published=True,
    cluster_by="created_at",
    columns=(
        Column("platform", "string", "Platform", required=True),
        Column("shop_id", "string", "Shop id", required=True),
        Column("order_id", "string", "Parent order number", required=True),
        Column("line_id", "string", "Child order number; empty for an order without lines", required=True),
        ONE_ID,
        SHOP,
        CHANNEL,
        Column("product_key", "string", "platform|product_id|sku_id, joins dim_product"),
        Column("business_date", "date", "Business day: paid, else created"),
        Column("created_at", "timestamp", "When the order was placed"),
        Column("paid_at", "timestamp", "When the final payment was made"),
        Column("status", "string", "Status of the line, else of the order"),
        Column("refund_state", "string", "Refund as the line itself says: none, open, success, closed or unknown"),
        Column("channel_origin", "string", "live, short_video, talent, ad, mall, pos, file or unknown"),
        Column("room_id", "string", "Live room"),
        Column("video_id", "string", "Short video"),
        Column("talent_id", "string", "Talent"),
        Column("ad_creative_id", "string", "Ad creative"),
        Column("province", "string", "Receiver's province"),
        Column("city", "string", "Receiver's city"),
        Column("currency", "string", "Currency of the amounts"),
        Column("is_paid", "boolean", "Whether the order's final payment was made", required=True),
        Column("is_gift", "boolean", "Gift line: counts nothing", required=True),
        INTERNAL,
        Column(
            "order_count", "int", "1 on the order's first line, 0 on the others: its sum counts orders", required=True
        ),
        Column("quantity", "bigint", "Pieces"),
        Column("list_fen", "bigint", "List amount of the line, fen"),
        Column("paid_fen", "bigint", "Buyer's payment for the line without freight, fen", required=True),
        Column("order_rest_fen", "bigint", "On the first line: freight and rounding of the order, fen", required=True),
        Column("revenue_fen", "bigint", "paid_fen + order_rest_fen: sums to what buyers paid", required=True),
        Column(
            "subsidy_fen", "bigint", "On the first line: paid by the platform, fen; outside the revenue", required=True
        ),
        Column(
            "deposit_fen",
            "bigint",
            "On the first line: deposit with an open final payment, fen; outside the revenue",
            required=True,
        ),
        Column(
            "refunded_fen",
            "bigint",
            "Given back for the line, freight on the first line, fen; sums to fact_refund.refunded_fen of the order",
        ),
        Column("net_fen", "bigint", "revenue_fen - refunded_fen: net revenue of the line, fen"),
    ),
    checks=(
        Check("net_of_parts", "net_fen = revenue_fen - refunded_fen"),
        Check("revenue_of_parts", "revenue_fen = paid_fen + order_rest_fen"),
        Check("unpaid_counts_nothing", "is_paid OR revenue_fen = 0"),
        Check("one_or_none", "order_count IN (0, 1)"),
    ),
    schema_version=2,
)

FACT_REFUND = Table(
    layer="gold",
    name="fact_refund",
    doc="Refunds with person and shop; net revenue is revenue_fen of the lines less refunded_fen.",
    grain="one refund of one shop",
    key=("platform", "shop_id", "refund_id"),
    published=True,
    columns=(
        Column("platform", "string", "Platform", required=True),
        Column("shop_id", "string", "Shop id", required=True),
        Column("refund_id", "string", "Refund or after-sale number", required=True),
        Column("order_id", "string", "Parent order number"),
        Column("line_id", "string", "Child order number; null for the whole order"),
        ONE_ID,
        SHOP,
        CHANNEL,
        Column("business_date", "date", "Business day of the first success; before it, of the application"),
        Column("applied_at", "timestamp", "When the buyer applied"),
        Column("success_at", "timestamp", "First success"),
        Column("status", "string", "applied, processing, success, closed, failed, exchange or unknown", required=True),
        Column("refund_type", "string", "Kind of refund"),
        Column("reason_code", "string", "Reason code of the platform"),
        Column("order_known", "boolean", "Whether the refunded order is known", required=True),
        INTERNAL,
        Column("amount_fen", "bigint", "Amount the refund names, freight included, fen"),
        Column(
            "refunded_fen",
            "bigint",
            "Given back: the amount of a successful refund, but for an order never paid, fen",
            required=True,
        ),
    ),
    checks=(Check("only_success_counts", "status = 'success' OR refunded_fen = 0"),),
)

FACT_EVENT = Table(
    layer="gold",
    name="fact_event",
    doc="Behaviour and relation events with person.",
    grain="one event",
    key=("event_id",),
    published=True,
    cluster_by="event_at",
    columns=(
        Column("event_id", "string", "Event", required=True),
        ONE_ID,
        Column("business_date", "date", "Business day"),
        Column("event_at", "timestamp", "When it happened", required=True),
        Column("source", "string", "sensors, youshu, wecom or douyin", required=True),
        Column("app_id", "string", "Mini-program app id, or corp id for WeCom"),
        Column("event", "string", "Event name as sent", required=True),
        Column(
            "kind", "string", "visit, preview, share, click, favourite, cart, sign_up, profile or other", required=True
        ),
        Column("url_path", "string", "Page"),
        Column("scene", "string", "Scene code or channel state"),
        Column("utm_source", "string", "Campaign source"),
        Column("utm_campaign", "string", "Campaign"),
        Column("product_id", "string", "Product looked at"),
        Column("staff_key", "string", "Guide of a WeCom event, joins dim_staff"),
        Column("duration_ms", "bigint", "Stay or show duration"),
        Column("session_id", "string", "Session it belongs to, joins fact_session; null outside mini-program use"),
    ),
    checks=(Check("has_name", "length(event) > 0"),),
    schema_version=2,
)

FACT_SESSION = Table(
    layer="gold",
    name="fact_session",
    doc="Sessions in mini-programs: what somebody did without a pause of 30 minutes (conf/features/sessions.yaml) on"
    " one business day.",
    grain="one session of one person, or unowned identifier, in one mini-program",
    key=("session_id",),
    published=True,
    cluster_by="started_at",
    columns=(
        Column("session_id", "string", "Session: the event_id of its first event", required=True),
        ONE_ID,
        Column("business_date", "date", "Business day; a session ends at midnight in Asia/Shanghai"),
        Column("source", "string", "sensors or youshu: each dialect tells of its own sessions", required=True),
        Column("app_id", "string", "Mini-program app id"),
        Column("started_at", "timestamp", "First event", required=True),
        Column("ended_at", "timestamp", "Last event", required=True),
        Column("duration_ms", "bigint", "From the first to the last event", required=True),
        Column("events", "bigint", "Events", required=True),
        Column("views", "bigint", "Page views", required=True),
        Column("products", "bigint", "Different products looked at", required=True),
        Column("entry_path", "string", "First page"),
        Column("exit_path", "string", "Last page"),
        Column("scene", "string", "First scene code: where the session came from"),
        Column("utm_source", "string", "First campaign source"),
        Column("utm_campaign", "string", "First campaign"),
        Column(
            "clock_flag",
            "string",
            "ok; corrected: a device clock was wrong, times are from the receipt; suspect: far older than its arrival",
            required=True,
        ),
    ),
    checks=(
        Check("ends_after_it_starts", "started_at <= ended_at AND duration_ms >= 0"),
        Check("has_events", "events >= 1 AND views BETWEEN 0 AND events"),
        Check("known_flag", "clock_flag IN ('ok', 'corrected', 'suspect')"),
    ),
)

FACT_POINTS = Table(
    layer="gold",
    name="fact_points",
    doc="Points movements with person; a balance is their sum.",
    grain="one movement of one source",
    key=("source", "record_id"),
    published=True,
    cluster_by="moved_at",
    columns=(
        Column("source", "string", "tmall, wechat_mall or brand", required=True),
        Column("record_id", "string", "Movement", required=True),
        ONE_ID,
        Column("business_date", "date", "Business day"),
        Column("moved_at", "timestamp", "When the points moved"),
        Column("expires_at", "timestamp", "When they expire; null for never"),
        Column("reason", "string", "Business type"),
        Column("order_id", "string", "Order or transaction it belongs to"),
        Column("points", "bigint", "Signed points", required=True),
        Column("issued", "bigint", "Points received, 0 for others", required=True),
        Column("used", "bigint", "Points used, expired or taken back, 0 for others", required=True),
    ),
    checks=(Check("signs_agree", "points = issued - used"),),
)

FACT_RELATION_DAILY = Table(
    layer="gold",
    name="fact_relation_daily",
    doc="Changes of the relation layer by business day, from today's knowledge of identities: the stock of a day are"
    " the rows with business_date <= day and (valid_to is null or valid_to > day).",
    grain="one person and business day on which the layer changed",
    key=("one_id", "business_date"),
    published=True,
    columns=(
        Column("one_id", "string", "OneID", required=True),
        Column("business_date", "date", "Business day of the change", required=True),
        Column("valid_to", "date", "Business day of the next change; null: the layer still holds"),
        Column("previous_layer", "string", "Layer before", required=True),
        Column("layer", "string", "Layer after", required=True),
        Column("direction", "string", "up or down", required=True),
        Column(
            "via",
            "string",
            "What began: channel of identity, order:platform, member:programme, friend:state; null down",
        ),
        Column("staff_key", "string", "Guide who was added, joins dim_staff"),
    ),
    checks=(
        Check("known_layers", f"layer IN ({_LAYERS}) AND previous_layer IN ({_LAYERS})"),
        Check("changes_something", "layer <> previous_layer"),
        Check("ordered_days", "valid_to IS NULL OR business_date < valid_to"),
    ),
)

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
    DIM_CUSTOMER,
    DIM_PRODUCT,
    DIM_SHOP,
    DIM_STAFF,
    DIM_GROUP,
    DIM_DATE,
    FACT_ORDER_LINE,
    FACT_REFUND,
    FACT_EVENT,
    FACT_SESSION,
    FACT_POINTS,
    FACT_RELATION_DAILY,
    BRIDGE_CUSTOMER_TAG,
    AGG_FUNNEL_DAILY,
    AGG_ONEID_DAILY,
)

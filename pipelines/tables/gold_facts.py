"""Facts of gold: each names its person (`one_id`), shop, product, guide and day by one column."""

from __future__ import annotations

from dataclasses import replace

from pipelines.spec import Check, Column, Table
from pipelines.tables.gold_dims import CHANNEL, LAYER_NAMES

ONE_ID = Column("one_id", "string", "OneID; null when the fact's identifier belongs to nobody")
SHOP = Column("shop_key", "string", "platform|shop_id, joins dim_shop", required=True)
INTERNAL = Column(
    "is_internal", "boolean", "Staff, test or reseller order: left out of the console's totals", required=True
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
            "On the first line: deposit with an open final payment, less what was given back, fen; outside the revenue",
            required=True,
        ),
        Column(
            "refunded_fen",
            "bigint",
            "Given back for the line, freight on the first line, fen; sums to fact_refund.refunded_fen of the order",
        ),
        Column("net_fen", "bigint", "revenue_fen - refunded_fen: net revenue of the line, fen"),
        Column(
            "refund_pending",
            "boolean",
            "Whether a line that cost something calls itself refunded and no refund of it is known: net_fen lacks what"
            " went back",
        ),
    ),
    checks=(
        Check("net_of_parts", "net_fen = revenue_fen - refunded_fen"),
        Check("revenue_of_parts", "revenue_fen = paid_fen + order_rest_fen"),
        Check("unpaid_counts_nothing", "is_paid OR revenue_fen = 0"),
        Check("one_or_none", "order_count IN (0, 1)"),
    ),
    schema_version=3,
)

FACT_REFUND = Table(
    layer="gold",
    name="fact_refund",
    doc="Refunds with person and shop; net revenue is revenue_fen of the lines less refunded_fen.",
    grain="one refund",
    key=("platform", "refund_scope", "refund_id"),
    published=True,
    columns=(
        Column("platform", "string", "Platform", required=True),
        Column("shop_id", "string", "Shop id, by its order where no record names it; null while neither is known"),
        Column("refund_id", "string", "Refund or after-sale number", required=True),
        Column("order_id", "string", "Parent order number"),
        Column("line_id", "string", "Child order number; null for the whole order"),
        ONE_ID,
        replace(SHOP, doc="platform|shop_id, joins dim_shop; null while the shop is not known", required=False),
        CHANNEL,
        Column("business_date", "date", "Business day of the first success; before it, of the application"),
        Column("applied_at", "timestamp", "When the buyer applied"),
        Column("success_at", "timestamp", "First success"),
        Column("status", "string", "As in silver.refunds; a superseded one gave nothing back itself", required=True),
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
        Column("refund_scope", "string", "As in silver.refunds", required=True),
    ),
    checks=(Check("only_success_counts", "status = 'success' OR refunded_fen = 0"),),
    schema_version=2,
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
    key=("source", "record_scope", "record_id"),
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
        Column("record_scope", "string", "As in silver.points_ledger", required=True),
    ),
    checks=(Check("signs_agree", "points = issued - used"),),
    schema_version=2,
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
        Check("known_layers", f"layer IN ({LAYER_NAMES}) AND previous_layer IN ({LAYER_NAMES})"),
        Check("changes_something", "layer <> previous_layer"),
        Check("ordered_days", "valid_to IS NULL OR business_date < valid_to"),
    ),
)

TABLES: tuple[Table, ...] = (
    FACT_ORDER_LINE,
    FACT_REFUND,
    FACT_EVENT,
    FACT_SESSION,
    FACT_POINTS,
    FACT_RELATION_DAILY,
)

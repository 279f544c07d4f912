"""Silver: typed facts, one row per business key with its latest version, and what each says about identities.

Money is integer fen, times are UTC instants, `business_date` is the day in Asia/Shanghai (of an order: paid, else
created). `subject_*` names the person's identifier as the source knows it; phones there are tokens.
"""

from __future__ import annotations

from pipelines.spec import Check, Column, Table, columns


def subject(role: str) -> tuple[Column, ...]:
    """The four columns that name the identifier a fact belongs to; `subject_key` joins `identity.oneid_map`."""
    return (
        Column("subject_namespace", "string", f"Namespace of {role}"),
        Column("subject_scope", "string", f"Scope of {role}"),
        Column("subject_value", "string", f"Value of {role}; a token where it is personal data", pii="pseudonym"),
        Column("subject_key", "bigint", f"64-bit surrogate key of {role}"),
    )


LINEAGE: tuple[Column, ...] = (
    Column("feed", "string", "Feed that brought the row's version", required=True),
    Column("interval", "date", "Arrival interval of the row's version", required=True),
    Column("record_hash", "string", "Digest of the raw record in bronze", required=True),
    Column(
        "version_key", "string", "Sortable version: source update time, status rank, refund rank, hash", required=True
    ),
    Column(
        "rescued",
        "string",
        "Unknown fields of the record by path, as JSON, texts sealed with the vault key; null when there are none",
        pii="token",
    ),
)

FILLED = Column(
    "filled_from", "string", "Versions that told a column this version is silent about, as JSON; null when none did"
)

PAID_NOT_NEGATIVE = Check("paid_not_negative", "paid_fen IS NULL OR paid_fen >= 0")

ORDERS = Table(
    layer="silver",
    name="orders",
    doc="Orders of every channel in their latest state.",
    grain="one parent order of one shop",
    key=("platform", "shop_id", "order_id"),
    version="version_key",
    keep_min=("closed_at",),
    cluster_by="created_at",
    columns=columns(
        Column("platform", "string", "douyin, tmall, mall, pos or the name of a file source", required=True),
        Column("shop_id", "string", "Shop id; Tmall: seller_nick", required=True),
        Column("order_id", "string", "Parent order number", required=True),
        subject("the buyer"),
        Column(
            "status",
            "string",
            "created, deposit_paid, paid, part_shipped, shipped, signed, finished, closed, unknown",
            required=True,
        ),
        Column("status_raw", "string", "Status as the platform writes it (Douyin: order_status/main_status)"),
        Column("order_type", "string", "Order type as the platform writes it"),
        Column("is_paid", "boolean", "Whether the final payment was made (decided by the payment time)", required=True),
        Column("is_presale", "boolean", "Whether the order has a deposit phase", required=True),
        Column("created_at", "timestamp", "When the order was placed"),
        Column("paid_at", "timestamp", "When the final payment was made"),
        Column("shipped_at", "timestamp", "When it was shipped"),
        Column("finished_at", "timestamp", "When it was finished"),
        Column("closed_at", "timestamp", "When it was cancelled or closed; Douyin: when it was first seen so"),
        Column("updated_at", "timestamp", "Source update time of this version"),
        Column("business_date", "date", "Business day: paid, else created"),
        Column("list_fen", "bigint", "List amount before discounts, fen"),
        Column("paid_fen", "bigint", "Paid by the buyer, freight included, fen; 0 until paid"),
        Column("freight_fen", "bigint", "Freight inside paid_fen, fen"),
        Column("discount_fen", "bigint", "Discounts in all, fen"),
        Column("platform_subsidy_fen", "bigint", "Paid by the platform, fen"),
        Column("deposit_fen", "bigint", "Deposit received while the final payment is open, fen"),
        Column("currency", "string", "ISO 4217 currency of the amounts; CNY unless a file says otherwise"),
        Column("channel_origin", "string", "live, short_video, talent, ad, mall, pos, file or unknown"),
        Column("province", "string", "Receiver's province"),
        Column("city", "string", "Receiver's city"),
        Column(
            "phone_tail", "string", "Visible last digits of the receiver's phone mask: a consistency check, never a key"
        ),
        Column("is_internal", "boolean", "Staff, test or reseller order", required=True),
        LINEAGE,
    ),
    checks=(PAID_NOT_NEGATIVE, Check("paid_has_time", "NOT is_paid OR paid_at IS NOT NULL")),
)

ORDER_LINES = Table(
    layer="silver",
    name="order_lines",
    doc="Order lines of every channel in their latest state.",
    grain="one line of one order",
    key=("platform", "shop_id", "order_id", "line_id"),
    version="version_key",
    cluster_by="created_at",
    columns=columns(
        Column("platform", "string", "As in silver.orders", required=True),
        Column("shop_id", "string", "As in silver.orders", required=True),
        Column("order_id", "string", "Parent order number", required=True),
        Column("line_id", "string", "Child order number", required=True),
        subject("the buyer"),
        Column("product_id", "string", "Platform product id"),
        Column("sku_id", "string", "Platform SKU id"),
        Column("brand_sku", "string", "The brand's own SKU code"),
        Column("product_name", "string", "Product title"),
        Column("quantity", "bigint", "Pieces"),
        Column("unit_price_fen", "bigint", "Unit list price, fen"),
        Column("list_fen", "bigint", "Line list amount, fen"),
        Column(
            "paid_fen",
            "bigint",
            "Buyer's payment for the line without freight, fen; 0 until paid and for gifts, null if not stated",
        ),
        Column("is_gift", "boolean", "Gift line: counts nothing", required=True),
        Column("is_paid", "boolean", "Whether the final payment was made", required=True),
        Column("status", "string", "As in silver.orders, of the line", required=True),
        Column("status_raw", "string", "Line status as the platform writes it"),
        Column("refund_state", "string", "none, open, success, closed or unknown, as the line itself says"),
        Column("created_at", "timestamp", "When the order was placed"),
        Column("paid_at", "timestamp", "When the final payment was made"),
        Column("updated_at", "timestamp", "Source update time of this version"),
        Column("business_date", "date", "Business day: paid, else created"),
        Column("channel_origin", "string", "live, short_video, talent, ad, mall, pos, file or unknown"),
        Column("room_id", "string", "Live room"),
        Column("video_id", "string", "Short video"),
        Column("talent_id", "string", "Talent (author) id"),
        Column("ad_creative_id", "string", "Ad creative id"),
        LINEAGE,
        Column(
            "product_scope",
            "string",
            "Brand within which product_id and sku_id count; null on Douyin and Tmall, and where no brand is known",
        ),
    ),
    checks=(PAID_NOT_NEGATIVE, Check("gift_counts_nothing", "NOT is_gift OR coalesce(paid_fen, 0) = 0")),
    schema_version=2,
)

REFUNDS = Table(
    layer="silver",
    name="refunds",
    doc="Refunds and after-sales of every channel in their latest state.",
    grain="one refund (after-sale), whatever told of it",
    key=("platform", "refund_scope", "refund_id"),
    version="version_key",
    keep_min=("success_at", "business_date"),
    fill=(
        "shop_id",
        "order_id",
        "line_id",
        "refund_type",
        "amount_fen",
        "freight_fen",
        "applied_at",
        "reason_code",
        "line_amounts",
    ),
    columns=columns(
        Column("platform", "string", "As in silver.orders", required=True),
        Column(
            "shop_id",
            "string",
            "As in silver.orders; null while no record names it: it is then the shop of the only order with the number",
        ),
        Column("refund_id", "string", "Refund or after-sale number", required=True),
        Column("order_id", "string", "Parent order number"),
        Column("line_id", "string", "Child order number; null when the refund is of the whole order"),
        Column(
            "status",
            "string",
            "applied, processing, success, closed, failed, exchange, unknown; superseded: an export told of it, and the"
            " platform's own refund of the line or order, which is another row, counts",
            required=True,
        ),
        Column("status_raw", "string", "Status as the platform writes it"),
        Column(
            "refund_type",
            "string",
            "refund_only, return_refund, before_shipping, exchange, price_protection, resend, repair, unknown",
        ),
        Column("amount_fen", "bigint", "Refunded to the buyer, freight included, fen"),
        Column("freight_fen", "bigint", "Freight inside amount_fen, fen"),
        Column("applied_at", "timestamp", "When the buyer applied"),
        Column("updated_at", "timestamp", "Source update time of this version"),
        Column("success_at", "timestamp", "Time of the first version in success"),
        Column("business_date", "date", "Business day of success_at; null without success"),
        Column("reason_code", "string", "Reason code of the platform"),
        LINEAGE,
        FILLED,
        Column(
            "line_amounts",
            "string",
            "Of a case over several lines: the goods amount of each line in fen, freight left out, as JSON",
        ),
        Column(
            "refund_scope",
            "string",
            "Shop within which the number counts; empty on Douyin and Tmall, whose refund numbers are unique",
            required=True,
        ),
    ),
    checks=(Check("refund_not_negative", "amount_fen IS NULL OR amount_fen >= 0"),),
    schema_version=4,
)

ORDER_PHONES = Table(
    layer="silver",
    name="order_phones",
    doc="Decrypted phones of platform orders, as tokens with their role.",
    grain="one phone of one order",
    key=("platform", "order_id", "phone_token"),
    version="version_key",
    columns=columns(
        Column("platform", "string", "As in silver.orders", required=True),
        Column("order_id", "string", "Parent order number", required=True),
        Column("phone_token", "string", "Token of the phone", pii="token", required=True),
        Column("role", "string", "buyer or recipient, from the source's order_phone_role", required=True),
        Column("event_at", "timestamp", "When the number was decrypted"),
        LINEAGE,
    ),
    checks=(Check("token_form", "length(phone_token) = 32"),),
)

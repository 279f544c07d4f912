"""Silver, continued: behaviour, points, claims, consents, members, products, staff, identity evidence, vault."""

from __future__ import annotations

from pipelines.spec import Check, Column, Table, columns
from pipelines.tables.silver import FILLED, LINEAGE, subject

GROUP_DAILY = Table(
    layer="silver",
    name="group_daily",
    doc="Daily group statistics per group owner, as WeCom reports them.",
    grain="one owner and one day",
    key=("corp_id", "owner_userid", "stat_date"),
    version="version_key",
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("owner_userid", "string", "Group owner; `*` for a total by day", required=True),
        Column("stat_date", "date", "Day of the figures", required=True),
        *(
            Column(name, "bigint", doc)
            for name, doc in (
                ("new_chat_cnt", "New groups"),
                ("chat_total", "Groups in all"),
                ("chat_has_msg", "Groups with messages"),
                ("new_member_cnt", "New members"),
                ("member_total", "Members in all"),
                ("member_has_msg", "Members who wrote"),
                ("msg_total", "Messages"),
                ("migrate_trainee_chat_cnt", "Migrated trainee groups"),
            )
        ),
        Column("updated_at", "timestamp", "When the figures were pulled"),
        LINEAGE,
    ),
    checks=(Check("total_not_negative", "coalesce(chat_total, 0) >= 0"),),
)

STAFF_DAILY = Table(
    layer="silver",
    name="staff_daily",
    doc="Daily contact statistics of one guide; the later pull replaces the earlier.",
    grain="one guide and one day",
    key=("corp_id", "userid", "stat_date"),
    version="version_key",
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("userid", "string", "Guide", required=True),
        Column("stat_date", "date", "Day of the figures", required=True),
        Column("chat_cnt", "bigint", "Chats"),
        Column("message_cnt", "bigint", "Messages sent"),
        Column("reply_percentage", "double", "Share of chats answered, percent; null without chats"),
        Column("avg_reply_time", "double", "Minutes to the first answer; null without chats"),
        Column("negative_feedback_cnt", "bigint", "Customers who deleted or blocked the guide"),
        Column("new_apply_cnt", "bigint", "Friend requests sent"),
        Column("new_contact_cnt", "bigint", "New customers"),
        Column("updated_at", "timestamp", "When the figures were pulled"),
        LINEAGE,
    ),
    checks=(Check("share_in_bounds", "reply_percentage IS NULL OR reply_percentage BETWEEN 0 AND 100"),),
)

EVENTS = Table(
    layer="silver",
    name="events",
    doc="Behaviour: mini-program events and WeCom relation events.",
    grain="one event, deduplicated by the rule of its dialect",
    key=("event_id",),
    version="version_key",
    partition_by=("business_date",),
    columns=columns(
        Column("event_id", "string", "Digest of the dialect's deduplication key", required=True),
        Column("source", "string", "sensors, youshu, wecom, douyin, tmall or wechat_mall", required=True),
        Column("app_id", "string", "Mini-program app id, or corp id for WeCom"),
        subject("the person"),
        Column("event", "string", "Event name as sent, WeCom: `<Event>.<ChangeType>`", required=True),
        Column("event_at", "timestamp", "When it happened; the receiving time where the device clock was wrong"),
        Column("device_at", "timestamp", "Device clock's time"),
        Column("clock_flag", "string", "ok, corrected or suspect"),
        Column("business_date", "date", "Business day of event_at"),
        Column("url_path", "string", "Page"),
        Column("scene", "string", "WeChat scene code or channel state"),
        Column("utm_source", "string", "Campaign source"),
        Column("utm_campaign", "string", "Campaign"),
        Column("product_id", "string", "Product looked at, where the event says"),
        Column("staff_userid", "string", "Guide in a WeCom event"),
        Column("duration_ms", "bigint", "Stay or show duration"),
        Column(
            "sharer_key", "bigint", "64-bit surrogate key of whose share led here: for referral trees, never a link"
        ),
        Column("properties", "string", "Other properties as JSON, without identifiers and personal data"),
        LINEAGE,
    ),
    checks=(Check("has_time", "event_at IS NOT NULL"),),
)

POINTS_LEDGER = Table(
    layer="silver",
    name="points_ledger",
    doc="Points movements; a balance is the sum of a person's rows.",
    grain="one movement",
    key=("source", "record_scope", "record_id"),
    version="version_key",
    cluster_by="moved_at",
    columns=columns(
        Column("source", "string", "tmall, wechat_mall or brand", required=True),
        Column("record_id", "string", "Movement id of the source", required=True),
        subject("the holder"),
        Column("points", "bigint", "Signed points", required=True),
        Column("reason", "string", "Business type"),
        Column("order_id", "string", "Order or transaction it belongs to"),
        Column("moved_at", "timestamp", "When the points moved"),
        Column("expires_at", "timestamp", "When they expire; null for never"),
        Column("business_date", "date", "Business day of moved_at"),
        LINEAGE,
        Column(
            "record_scope",
            "string",
            "Brand within which a number of its own ledger counts; empty on Tmall and WeChat, where numbers are unique",
            required=True,
        ),
    ),
    checks=(Check("moves_something", "points IS NOT NULL"),),
    schema_version=2,
)

ORDER_CLAIMS = Table(
    layer="silver",
    name="order_claims",
    doc="Claims of platform orders by mini-program users in their latest state.",
    grain="one claim",
    key=("claim_scope", "claim_id"),
    version="version_key",
    columns=columns(
        Column("claim_id", "string", "Claim number", required=True),
        Column("platform", "string", "douyin or tmall", required=True),
        Column("order_id", "string", "Claimed platform order number", required=True),
        subject("the claimant: unionid, else openid"),
        Column("openid_scope", "string", "App id of the claimant's openid"),
        Column("openid", "string", "Claimant's openid", pii="pseudonym"),
        Column(
            "phone_token", "string", "Token of the phone typed in the claim: a check value, never evidence", pii="token"
        ),
        Column("status", "string", "pending, approved, rejected or unknown", required=True),
        Column("claimed_at", "timestamp", "When it was claimed"),
        LINEAGE,
        Column(
            "claim_scope",
            "string",
            "App id of the mini-program that took the claim, within which its number counts; without one the brand",
            required=True,
        ),
    ),
    checks=(Check("order_present", "length(order_id) > 0"),),
    schema_version=2,
)

CONSENTS = Table(
    layer="silver",
    name="consents",
    doc="Consents granted and withdrawn, every record kept.",
    grain="one consent record",
    key=("consent_scope", "consent_id"),
    version="version_key",
    columns=columns(
        Column("consent_id", "string", "Consent record id", required=True),
        subject("the person"),
        Column("purpose", "string", "marketing, profiling or another purpose", required=True),
        Column("status", "string", "granted or withdrawn", required=True),
        Column("stated_at", "timestamp", "When it was stated"),
        Column("source", "string", "Where it was stated"),
        LINEAGE,
        Column("consent_scope", "string", "Brand that holds the record, within which its id counts", required=True),
    ),
    checks=(Check("known_status", "status IN ('granted','withdrawn')"),),
    schema_version=2,
)

MEMBERS = Table(
    layer="silver",
    name="members",
    doc="Memberships at the platforms and at the brand in their latest state.",
    grain="one member identifier of one programme",
    key=("programme", "programme_scope", "member_value"),
    version="version_key",
    keep_min=("joined_at",),
    fill=("level", "points", "trade_count", "trade_fen"),
    columns=columns(
        Column("programme", "string", "tmall, douyin or crm", required=True),
        Column("programme_scope", "string", "Shop, app key or brand of the programme", required=True),
        Column(
            "member_value",
            "string",
            "Identifier of the member in the programme; a token where personal",
            pii="pseudonym",
            required=True,
        ),
        subject("the member"),
        Column("status", "string", "member, left or seen", required=True),
        Column("level", "string", "Level or grade as the programme writes it"),
        Column("points", "bigint", "Points balance as the programme reports it"),
        Column("trade_count", "bigint", "Trades as the programme reports them"),
        Column("trade_fen", "bigint", "Trade amount as the programme reports it, fen"),
        Column("joined_at", "timestamp", "When the person joined"),
        Column("updated_at", "timestamp", "When this state was seen"),
        LINEAGE,
        FILLED,
    ),
    checks=(Check("known_status", "status IN ('member','left','seen')"),),
)

PRODUCTS = Table(
    layer="silver",
    name="products",
    doc="Platform products with the brand's SKU and category.",
    grain="one SKU of one platform, or of one brand's own channel",
    key=("platform", "product_scope", "product_id", "sku_id"),
    version="version_key",
    columns=columns(
        Column("platform", "string", "As in silver.orders", required=True),
        Column("product_id", "string", "Platform product id", required=True),
        Column("sku_id", "string", "Platform SKU id; empty for the product itself", required=True),
        Column("brand_sku", "string", "The brand's own SKU code"),
        Column("name", "string", "Product name"),
        Column("category", "string", "The brand's category"),
        Column("price_fen", "bigint", "List price, fen"),
        LINEAGE,
        Column(
            "product_scope",
            "string",
            "Brand within which the number of a product of its own channels counts; empty on Douyin and Tmall, whose"
            " numbers are unique, and of a product listed for whichever brand has none of its own",
            required=True,
        ),
    ),
    checks=(Check("price_not_negative", "price_fen IS NULL OR price_fen >= 0"),),
    schema_version=2,
)

STAFF = Table(
    layer="silver",
    name="staff",
    doc="Guides with store and region.",
    grain="one staff id of one corp",
    key=("corp_id", "userid"),
    version="version_key",
    fill=("name_token", "store_id", "store_name", "region", "hired_at"),
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("userid", "string", "Staff id", required=True),
        Column("name_token", "string", "Token of the guide's name", pii="token"),
        Column("store_id", "string", "Store"),
        Column("store_name", "string", "Store name"),
        Column("region", "string", "Region"),
        Column("status", "string", "active or left", required=True),
        Column("hired_at", "timestamp", "When the guide began"),
        Column("left_at", "timestamp", "When the guide left"),
        LINEAGE,
        FILLED,
    ),
    checks=(Check("known_status", "status IN ('active','left')"),),
)

TAGS = Table(
    layer="silver",
    name="tags",
    doc="Corporate WeCom tags: what the tag ids on relations mean.",
    grain="one tag of one corp",
    key=("corp_id", "tag_id"),
    version="version_key",
    fill=("group_id", "group_name", "name", "created_at"),
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("tag_id", "string", "Tag id", required=True),
        Column("group_id", "string", "Tag group"),
        Column("group_name", "string", "Name of the tag group"),
        Column("name", "string", "Name of the tag"),
        Column("status", "string", "active or deleted", required=True),
        Column("created_at", "timestamp", "When the tag was made"),
        Column("updated_at", "timestamp", "When this state was seen"),
        LINEAGE,
        FILLED,
    ),
    checks=(Check("known_status", "status IN ('active','deleted')"),),
)

ID_TYPE = "array<struct<namespace:string,scope:string,value:string,role:string,linking:boolean,key:bigint>>"

IDENTITY_OBSERVATIONS = Table(
    layer="silver",
    name="identity_observations",
    doc="Source rows saying that identifiers, each with a role, belong together at a time.",
    grain="one observation of one source",
    key=("source", "observation_id"),
    columns=columns(
        Column("source", "string", "Feed or system that observed it", required=True),
        Column("observation_id", "string", "Id of the observation inside its source", required=True),
        Column("kind", "string", "link, unlink, bind, unbind or replace", required=True),
        Column(
            "event_ms",
            "bigint",
            "Event time, UTC epoch ms, clamped to the end of the interval's business day",
            required=True,
        ),
        Column("interval", "date", "Arrival interval", required=True),
        Column(
            "ids", ID_TYPE, "Identifiers after normalisation, with role; personal values are tokens", pii="pseudonym"
        ),
        Column("retracts", "string", "Observation of the same source that an unlink withdraws"),
        Column("valid_to_ms", "bigint", "End of validity, UTC epoch ms"),
        Column("clamped", "boolean", "Whether the event time lay beyond its run's business day", required=True),
        Column(
            "content_hash", "string", "Digest of the content: the same id with other content is refused", required=True
        ),
        Column(
            "signature",
            "bigint",
            "64-bit digest of source, kind and ids with roles: repeated sightings share it",
            required=True,
        ),
    ),
    checks=(Check("known_kind", "kind IN ('link','unlink','bind','unbind','replace')"),),
    schema_version=2,
)

PII_VAULT = Table(
    layer="silver",
    name="pii_vault",
    doc="Clear personal values, encrypted, by token.",
    grain="one token",
    key=("token",),
    columns=columns(
        Column("token", "string", "Keyed digest of the value", pii="token", required=True),
        Column("kind", "string", "phone, name or text", required=True),
        Column("cipher", "string", "AES-GCM nonce and ciphertext, base64", pii="clear", required=True),
        Column("key_id", "string", "Vault key that encrypted it", required=True),
        Column(
            "forms",
            "array<struct<namespace:string,scope:string,value:string>>",
            "Tokens of the hashed forms of a phone",
            pii="token",
        ),
    ),
    checks=(Check("token_form", "length(token) = 32"),),
)

QUARANTINE = Table(
    layer="silver",
    name="quarantine",
    doc="Refused records with their reason and encrypted raw text.",
    grain="one refused record of one batch",
    key=("quarantine_id",),
    columns=columns(
        Column("quarantine_id", "string", "Digest of feed, interval and raw text", required=True),
        Column("feed", "string", "Feed", required=True),
        Column("batch_id", "string", "Batch that brought it", required=True),
        Column("interval", "date", "Arrival interval", required=True),
        Column("source_file", "string", "File name inside the batch", required=True),
        Column("line", "bigint", "Line of the file", required=True),
        Column("element", "int", "Position in the page's list", required=True),
        Column("reason", "string", "Rule that refused it", required=True),
        Column("detail", "string", "What was found and expected, without personal data"),
        Column("cipher", "string", "Raw text, AES-GCM, base64", pii="clear", required=True),
        Column("key_id", "string", "Vault key that encrypted it", required=True),
        Column("status", "string", "open, fixed or replayed", required=True),
        Column("fixed_cipher", "string", "Payload that a steward put in its place, AES-GCM, base64", pii="clear"),
    ),
    checks=(
        Check("has_reason", "length(reason) > 0"),
        Check("known_status", "status IN ('open','fixed','replayed')"),
    ),
    schema_version=2,
)

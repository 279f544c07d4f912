"""Dimensions of gold: what facts are joined to by one column each."""

from __future__ import annotations

from features.channels import LAYERS
from features.consents import PURPOSES
from pipelines.spec import Check, Column, Table, columns

LAYER_NAMES = ", ".join(f"'{layer}'" for layer in LAYERS)
"""The relation layers as the checks of several tables name them."""

PRODUCT_KEY = "concat(concat_ws('@', platform, nullif(product_scope, '')), '|', product_id, '|', coalesce(sku_id, ''))"
"""The SQL of product_key over its parts; null without a product."""

CHANNEL = Column("channel", "string", "Sales channel: douyin, tmall, mall, pos or other", required=True)

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
    checks=(Check("known_layer", f"relation_layer IS NULL OR relation_layer IN ({LAYER_NAMES})"),),
)

DIM_PRODUCT = Table(
    layer="gold",
    name="dim_product",
    doc="Platform products and SKUs, those only seen in orders included.",
    grain="one SKU of one platform, or of one brand's own channel",
    key=("product_key",),
    published=True,
    columns=(
        Column("product_key", "string", "platform|product_id|sku_id, of a brand platform@brand|...", required=True),
        Column("platform", "string", "Platform", required=True),
        Column("product_id", "string", "Platform product id", required=True),
        Column("sku_id", "string", "Platform SKU id; empty for the product itself", required=True),
        Column("brand_sku", "string", "The brand's own SKU code"),
        Column("name", "string", "Product name"),
        Column("category", "string", "The brand's category, of the product where the SKU names none"),
        Column("price_fen", "bigint", "List price, fen"),
        Column("is_listed", "boolean", "Whether the product feed names it", required=True),
        Column("product_scope", "string", "As in silver.products", required=True),
    ),
    checks=(Check("key_of_parts", f"product_key = {PRODUCT_KEY}"),),
    schema_version=2,
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

TABLES: tuple[Table, ...] = (
    DIM_CUSTOMER,
    DIM_PRODUCT,
    DIM_SHOP,
    DIM_STAFF,
    DIM_GROUP,
    DIM_DATE,
)

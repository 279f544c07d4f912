"""The brand's product list: platform ids with the brand's own SKU, name and category.

One record is one platform SKU: `platform`, `product_id`, `sku_id` (empty: the product itself), `brand_sku`, `name`,
`category`, `price_fen` (list price, whole fen), `updated_at` (epoch ms or RFC 3339; else the receiving time).
Numbers of the brand's own channels count within the brand of the context.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.sources.amounts import any_time, fen
from pipelines.sources.base import Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import as_object
from pipelines.sources.evidence import first_known
from pipelines.sources.fields import identifier, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.scopes import product_scope
from pipelines.sources.shape import Shape

PRODUCTS = "silver.products"
SHAPE = Shape(
    "product", ("platform", "product_id", "sku_id", "brand_sku", "name", "category", "price_fen", "updated_at")
)


def split_products(payload: bytes, context: Context) -> Sequence[bytes]:
    """The products of a list (`products`), or the single one."""
    return split_pages(payload, [("products",)])


def parse_products(record: Record) -> Parsed:
    """A platform SKU as the brand knows it."""
    value = as_object(record.value, "product")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    at = first_known(record.context, any_time(value.get("updated_at"), "updated_at"))
    platform = required(text(value.get("platform")), "platform")
    parsed.row(
        PRODUCTS,
        platform=platform,
        product_scope=product_scope(platform, record.context) or "",
        product_id=required(identifier(value.get("product_id")), "product_id"),
        sku_id=identifier(value.get("sku_id")) or "",
        brand_sku=text(value.get("brand_sku")),
        name=text(value.get("name")),
        category=text(value.get("category")),
        price_fen=fen(value.get("price_fen"), "price_fen"),
        version_key=version_key(at, record.digest),
    )
    return parsed


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="products",
        source="products",
        split=split_products,
        parse=parse_products,
        tables=(PRODUCTS,),
        hash_context=("brand",),
    ),
)

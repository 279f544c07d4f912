"""Orders of the brand's own mini-program mall and its tills (POS), in the brand's own form.

One record is one order in its latest state. Amounts are whole fen, times epoch ms (RFC 3339 and local texts are read
too), ids text; numbers of products count within the context's brand:

- `order_id`, `channel` (`mall`, `pos`), `shop_id`;
- the buyer, as far as known: `member_id` (of the context's brand), `unionid`, `openid` (of `app_id`, else the context's
  app), `phone` (the buyer's own);
- `status`: created, paid, part_shipped, shipped, signed, finished, cancelled, closed;
- `list_fen`, `discount_fen`, `freight_fen`, `payable_fen`, `paid_fen` (freight included, 0 until paid), `currency`;
- `created_at`, `paid_at` (absent until paid: it alone decides), `shipped_at`, `finished_at`, `closed_at`, `updated_at`;
- `province`, `city`, `internal` (a staff, test or reseller order);
- `lines[]`: `line_id`, `product_id`, `sku_id`, `brand_sku`, `name`, `quantity`, `unit_price_fen`, `list_fen`,
  `paid_fen` (without freight), `gift`;
- `refunds[]`: `refund_id`, `line_id` (absent: the whole order), `type`, `status` (applied, processing, success,
  refused, closed), `amount_fen` (freight included), `freight_fen`, `applied_at`, `at` (when this state was reached),
  `reason`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.amounts import any_time, fen, say_unstated
from pipelines.sources.base import Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.evidence import first_known, named, observe, subject_of
from pipelines.sources.fields import business_date, flag, identifier, objects, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.refunds import REFUNDS, refund_place
from pipelines.sources.scopes import product_scope
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import Id

ORDERS, LINES = "silver.orders", "silver.order_lines"
_ORDER_FIELDS = (
    "order_id channel shop_id member_id unionid openid app_id phone status list_fen discount_fen freight_fen paid_fen "
    "currency created_at paid_at shipped_at finished_at closed_at updated_at province city internal"
)
_LINE_FIELDS = "line_id product_id sku_id brand_sku name quantity unit_price_fen list_fen paid_fen gift"
_REFUND_FIELDS = "refund_id line_id type status amount_fen freight_fen applied_at at reason"
SHAPE = Shape(
    "order",
    (
        *_ORDER_FIELDS.split(),
        *(f"lines[].{name}" for name in _LINE_FIELDS.split()),
        *(f"refunds[].{name}" for name in _REFUND_FIELDS.split()),
    ),
)

RANK = {
    status: rank
    for rank, status in enumerate(
        ("unknown", "created", "paid", "part_shipped", "shipped", "signed", "finished", "closed")
    )
}
RANK["deposit_paid"] = RANK["created"]
_REFUND_RANK = {"applied": 1, "processing": 2, "failed": 3, "closed": 4, "success": 5}


def split_orders(payload: bytes, context: Context) -> Sequence[bytes]:
    """The orders of a list (`orders`), or the single one."""
    return split_pages(payload, [("orders",)])


def parse_orders(record: Record) -> Parsed:
    """An order with its lines, its refunds and its buyer's identifiers."""
    value = as_object(record.value, "order")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    channel = required(text(value.get("channel")), "channel")
    origin = category(parsed, record.settings, "channel_origin", channel, path="channel") or UNKNOWN
    add_order(parsed, record, value, place=(channel, origin), ids=_buyer(value, record.context))
    return parsed


def add_order(
    parsed: Parsed, record: Record, value: Mapping[str, Any], *, place: tuple[str, str], ids: Sequence[Id]
) -> None:
    """The rows of an order in the form this module describes, and the observation that its buyer's ids belong together.

    `place`: its platform and its channel of origin; `ids`: the buyer's identifiers, the strongest first.
    """
    shared, facts = order_facts(parsed, record, value, place=place, ids=ids)
    paid = facts["paid_at"] is not None
    if paid:
        say_unstated(parsed, value.get("paid_fen"), "paid_fen")
    parsed.rows.append((ORDERS, shared | facts | order_amounts(value, paid=paid)))
    product = {"product_scope": product_scope(shared["platform"], record.context)}
    for line in objects(value.get("lines"), "lines"):
        made = line_amounts(line, paid=paid) | product
        if paid and not made["is_gift"]:
            say_unstated(parsed, line.get("paid_fen"), "lines[].paid_fen")
        parsed.rows.append((LINES, shared | facts | made))
    for refund in objects(value.get("refunds"), "refunds"):
        add_refund(parsed, record, refund, shared)
    about = f"order:{shared['platform']}:{shared['shop_id']}:{shared['order_id']}"
    observe(
        parsed, record.context, about, ids=ids, at=first_known(record.context, facts["created_at"], facts["paid_at"])
    )


def order_facts(
    parsed: Parsed, record: Record, value: Mapping[str, Any], *, place: tuple[str, str], ids: Sequence[Id]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns that name an order, and those that the order and its lines have in common."""
    platform, origin = place
    created = any_time(value.get("created_at"), "created_at")
    paid = any_time(value.get("paid_at"), "paid_at")
    shared: dict[str, Any] = {
        "platform": platform,
        "shop_id": identifier(value.get("shop_id")) or record.context.shop_id,
        "order_id": required(identifier(value.get("order_id")), "order_id"),
    }
    facts: dict[str, Any] = {
        "is_paid": paid is not None,
        "status": category(parsed, record.settings, "order_status", value.get("status"), path="status") or UNKNOWN,
        "status_raw": text(value.get("status")),
        "created_at": created,
        "paid_at": paid,
        "updated_at": any_time(value.get("updated_at"), "updated_at") or record.context.received_ms or paid or created,
        "business_date": business_date(paid or created),
        "channel_origin": origin,
    }
    if ids:
        facts["subject"] = subject_of(ids)
    facts["version_key"] = version_key(facts["updated_at"], record.digest, rank=RANK.get(facts["status"], 0))
    return shared, facts


def order_amounts(value: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
    """The columns that only the order has; what was paid counts once it is paid."""
    paid_fen = fen(value.get("paid_fen"), "paid_fen") or 0
    freight_fen = fen(value.get("freight_fen"), "freight_fen") or 0
    return {
        "order_type": None,
        "is_presale": False,
        "shipped_at": any_time(value.get("shipped_at"), "shipped_at"),
        "finished_at": any_time(value.get("finished_at"), "finished_at"),
        "closed_at": any_time(value.get("closed_at"), "closed_at"),
        "list_fen": fen(value.get("list_fen"), "list_fen"),
        "paid_fen": paid_fen if paid else 0,
        "freight_fen": freight_fen if paid else 0,
        "discount_fen": fen(value.get("discount_fen"), "discount_fen"),
        "platform_subsidy_fen": 0,
        "deposit_fen": 0,
        "currency": text(value.get("currency")) or "CNY",
        "province": text(value.get("province")),
        "city": text(value.get("city")),
        "is_internal": flag(value.get("internal"), "internal") or False,
    }


def line_amounts(line: Mapping[str, Any], *, paid: bool) -> dict[str, Any]:
    """The columns that only a line has; gifts count nothing."""
    gift = flag(line.get("gift"), "lines[].gift") or False
    paid_fen = fen(line.get("paid_fen"), "lines[].paid_fen") or 0
    return {
        "line_id": required(identifier(line.get("line_id")), "lines[].line_id"),
        "product_id": identifier(line.get("product_id")),
        "sku_id": identifier(line.get("sku_id")),
        "brand_sku": text(line.get("brand_sku")),
        "product_name": text(line.get("name")),
        "quantity": fen(line.get("quantity"), "lines[].quantity"),
        "unit_price_fen": fen(line.get("unit_price_fen"), "lines[].unit_price_fen"),
        "list_fen": fen(line.get("list_fen"), "lines[].list_fen"),
        "paid_fen": paid_fen if paid and not gift else 0,
        "is_gift": gift,
        "refund_state": None,
    }


def add_refund(
    parsed: Parsed, record: Record, refund: Mapping[str, Any], shared: Mapping[str, Any], *, growing: bool = False
) -> None:
    """The row of a refund of the order that `shared` (platform, shop_id, order_id) names.

    `growing`: it is a sum of refunds, of which of two versions in one state and time the greater is the later.
    """
    settings = record.settings
    raw = text(refund.get("status"))
    status = category(parsed, settings, "refund_status", raw, path="refunds[].status") or UNKNOWN
    at = any_time(refund.get("at"), "refunds[].at") or record.context.received_ms
    applied = any_time(refund.get("applied_at"), "refunds[].applied_at")
    succeeded = at if status == "success" else None
    amount = fen(refund.get("amount_fen"), "refunds[].amount_fen")
    digest = f"{amount or 0:016d}{record.digest}" if growing else record.digest
    row = {
        "refund_id": required(identifier(refund.get("refund_id")), "refunds[].refund_id"),
        "line_id": identifier(refund.get("line_id")),
        "status": status,
        "status_raw": raw,
        "refund_type": category(parsed, settings, "refund_type", refund.get("type"), path="refunds[].type"),
        "amount_fen": amount,
        "freight_fen": fen(refund.get("freight_fen"), "refunds[].freight_fen"),
        "applied_at": applied or (at if status == "applied" else None),
        "updated_at": at,
        "success_at": succeeded,
        "business_date": business_date(succeeded),
        "reason_code": text(refund.get("reason")),
        "version_key": version_key(at, digest, rank=_REFUND_RANK.get(status, 0)),
    }
    parsed.rows.append((REFUNDS, {**shared, **refund_place(shared["platform"], shared["shop_id"]), **row}))


def _buyer(value: Mapping[str, Any], context: Context) -> list[Id]:
    """The buyer's identifiers, the strongest first."""
    app_id = text(value.get("app_id")) or context.app_id
    return (
        named("member_id", context.brand, identifier(value.get("member_id")))
        + named("wx_unionid", context.open_platform_id, identifier(value.get("unionid")))
        + named("wx_openid", app_id, identifier(value.get("openid")))
        + named("phone", "", text(value.get("phone")), "buyer")
    )


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="shop_orders",
        source="shop",
        split=split_orders,
        parse=parse_orders,
        tables=(ORDERS, LINES, REFUNDS),
        # What an order leaves to its context is part of it: two tills may sell alike under one number.
        hash_context=("brand", "shop_id"),
    ),
)

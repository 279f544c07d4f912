"""Tmall trades: `trades.sold.get`, `trades.sold.increment.get`, `trade.fullinfo.get`, rows of the order push database.

Beside them the receivers' phones of trades, `top.oaid.decrypt`: one behind a number of the platform's own, or that does
not match its trade, says nothing.

Amounts are yuan texts, times local texts of Asia/Shanghai that are absent until they happen, ids numbers with a `*_str`
twin. `payment` of a trade contains freight; of a line it does so exactly when the trade has one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from identity.phone import is_mobile
from pipelines.sources.amounts import fen, mask_tail, plain_phone, say_unstated, yuan
from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.evidence import deposit_or, first_known, observe, subject_of
from pipelines.sources.fields import (
    business_date,
    fen_of_yuan,
    flag,
    identifier,
    mapping,
    objects,
    required,
    text,
    top_time,
)
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import Id
from pipelines.sources.tmall import (
    DEPOSIT_HELD,
    PLATFORM,
    PUSHED,
    VOLATILE,
    as_mapping,
    buyer_ids,
    order_rank,
    platform_id,
    refund_rank,
    shop_of,
    split_answer,
)

ORDERS, LINES, PHONES = "silver.orders", "silver.order_lines", "silver.order_phones"

_TRADE_FIELDS = (
    "tid tid_str status type seller_nick buyer_open_uid ouid omid created modified pay_time consign_time end_time "
    "payment total_fee discount_fee post_fee platform_subsidy_fee step_trade_status step_paid_fee receiver_state "
    "receiver_city receiver_mobile receiver_phone"
)
_LINE_FIELDS = (
    "oid oid_str num_iid sku_id outer_sku_id outer_iid title price num payment divide_order_fee part_mjz_discount "
    "discount_fee refund_status status is_free_gift"
)
SHAPE = Shape("trade", (*_TRADE_FIELDS.split(), *(f"orders.order[].{name}" for name in _LINE_FIELDS.split())))

RECEIVER_SHAPE = Shape("receiver", ("tid", "mobile", "phone", "matched", "privacy_protection", "secret_no_expire_time"))

_ANSWERS = ("trades_sold_increment_get_response", "trades_sold_get_response", "trades_sold_incrementv_get_response")
_PATHS = (
    *((answer, "trades", "trade") for answer in _ANSWERS),
    ("trade_fullinfo_get_response", "trade"),
    ("trade_get_response", "trade"),
    ("top_oaid_decrypt_response", "receiver_list", "receiver"),
    ("receiver_list", "receiver"),
    ("trades", "trade"),
    ("trades",),
    ("trade",),
)
_FINAL_OPEN = DEPOSIT_HELD | {"FRONT_NOPAID_FINAL_NOPAID"}
_STEP = "step"


@dataclass(slots=True)
class _Trade:
    """What the lines of a trade need of it."""

    value: Mapping[str, Any]
    keys: dict[str, Any]
    status: str | None
    step: str | None
    created: int | None
    paid: int | None
    updated: int | None
    paid_fen: int
    freight_fen: int


def split_trades(payload: bytes, context: Context) -> Sequence[bytes]:
    """The trades of a page or of a single answer."""
    return split_answer(payload, _PATHS)


def parse_trades(record: Record) -> Parsed:
    """A trade as one row with its lines, and its buyer's open uid; or the decrypted phone of a trade's receiver."""
    value = _pushed(as_object(record.value, "trade"))
    if "oaid.decrypt" in record.context.method or ("matched" in value and "status" not in value):
        return _parse_receiver(value, record)
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    context = record.context
    tid = required(platform_id(value, "tid"), "tid")
    shop = shop_of(value, context)
    ids = buyer_ids(value, context, shop)
    trade = _read_trade(value, {"platform": PLATFORM, "shop_id": shop, "order_id": tid}, ids)
    found = _order_lines(value.get("orders"))
    lines = [_line(line, trade, record, parsed, alone=len(found) == 1) for line in found]
    if trade.paid is not None:
        say_unstated(parsed, value.get("payment"), "payment")
    parsed.rows.append((ORDERS, _order_row(trade, record, parsed, found)))
    parsed.rows.extend((LINES, line) for line in lines)
    observe(parsed, context, f"trade:{tid}", ids=ids, at=first_known(context, trade.created, trade.paid))
    return parsed


def _parse_receiver(value: Mapping[str, Any], record: Record) -> Parsed:
    """The receiver's own number becomes a row, in the role that the source's YAML gives it."""
    parsed = Parsed(unknown=RECEIVER_SHAPE.unknown(value, record.settings.ignored))
    tid = required(platform_id(value, "tid"), "tid")
    protected = flag(value.get("privacy_protection"), "privacy_protection")
    expires = text(value.get("secret_no_expire_time"))
    if flag(value.get("matched"), "matched") is False or protected or expires:
        return parsed
    phone = plain_phone(value.get("mobile")) or plain_phone(value.get("phone"))
    if phone is not None and is_mobile(phone):
        at = first_known(record.context)
        parsed.row(
            PHONES,
            platform=PLATFORM,
            order_id=tid,
            phone_token=Clear("phone", phone),
            role=str(record.settings.options.get("order_phone_role", "buyer")),
            event_at=at,
            version_key=version_key(at, record.digest),
        )
    return parsed


def _order_lines(orders: Any) -> list[dict[str, Any]]:
    """The lines, nested as the platform nests them (`orders.order[]`), or as a plain list, which some exports write."""
    if isinstance(orders, list):
        return objects(orders, "orders")
    return objects(mapping(orders, "orders").get("order"), "orders.order")


def _pushed(value: dict[str, Any]) -> dict[str, Any]:
    """The trade in a row of the order push database, which holds an answer as a text; other records are themselves."""
    inner = value.get(PUSHED)
    if inner is None:
        return value
    answer = as_mapping(inner, PUSHED)
    found = mapping(answer.get("trade_fullinfo_get_response", answer), PUSHED)
    return {"seller_nick": value.get("seller_nick"), **as_object(found.get("trade", found), PUSHED)}


def _read_trade(value: Mapping[str, Any], keys: dict[str, Any], ids: Sequence[Id]) -> _Trade:
    if ids:
        keys["subject"] = subject_of(ids)
    step = text(value.get("step_trade_status"))
    paid = None if step in _FINAL_OPEN else top_time(value.get("pay_time"), "pay_time")
    return _Trade(
        value=value,
        keys=keys,
        status=text(value.get("status")),
        step=step,
        created=top_time(value.get("created"), "created"),
        paid=paid,
        updated=top_time(value.get("modified"), "modified"),
        paid_fen=_when(paid, value, "payment"),
        freight_fen=_when(paid, value, "post_fee"),
    )


def _order_row(trade: _Trade, record: Record, parsed: Parsed, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    value, paid, settings = trade.value, trade.paid, record.settings
    deposit = _when(trade.step in DEPOSIT_HELD, value, "step_paid_fee")
    status = category(parsed, settings, "trade_status", trade.status, path="status") or UNKNOWN
    ended = top_time(value.get("end_time"), "end_time")
    if trade.step is not None:
        category(parsed, settings, "step_trade_status", trade.step, path="step_trade_status")
    return trade.keys | {
        "status": deposit_or(status, held=trade.step in DEPOSIT_HELD),
        "status_raw": trade.status,
        "order_type": text(value.get("type")),
        "is_paid": paid is not None,
        "is_presale": trade.step is not None or value.get("type") == _STEP,
        "created_at": trade.created,
        "paid_at": paid,
        "shipped_at": top_time(value.get("consign_time"), "consign_time"),
        "finished_at": None if status == "closed" else ended,
        "closed_at": ended if status == "closed" else None,
        "updated_at": trade.updated,
        "business_date": business_date(paid or trade.created),
        "list_fen": yuan(value.get("total_fee"), "total_fee"),
        "paid_fen": trade.paid_fen,
        "freight_fen": trade.freight_fen,
        "discount_fen": _discounts(value, lines),
        "platform_subsidy_fen": yuan(value.get("platform_subsidy_fee"), "platform_subsidy_fee"),
        "deposit_fen": deposit,
        "currency": "CNY",
        "channel_origin": UNKNOWN,
        "province": text(value.get("receiver_state")),
        "city": text(value.get("receiver_city")),
        "phone_tail": mask_tail(value.get("receiver_mobile")) or mask_tail(value.get("receiver_phone")),
        "is_internal": False,
        "version_key": version_key(
            trade.updated,
            record.digest,
            rank=order_rank(trade.status, trade.step),
            refund_rank=max((refund_rank(text(line.get("refund_status"))) for line in lines), default=0),
        ),
    }


def _when(counts: object, value: Mapping[str, Any], name: str) -> int:
    """The amount where it counts, else 0; it is read in any case, so that a broken one never passes."""
    amount = yuan(value.get(name), name)
    return amount if counts and amount else 0


def _discounts(value: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> int:
    """Discounts of the trade and of its lines; a line's part_mjz_discount is its share of the trade's own."""
    total = fen_of_yuan(value.get("discount_fee"), "discount_fee") or 0
    return total + sum(fen_of_yuan(line.get("discount_fee"), "orders.order[].discount_fee") or 0 for line in lines)


def _line(line: Mapping[str, Any], trade: _Trade, record: Record, parsed: Parsed, *, alone: bool) -> dict[str, Any]:
    get, settings = line.get, record.settings
    gift = flag(get("is_free_gift"), "orders.order[].is_free_gift") or False
    status_raw = text(get("status")) or trade.status
    refund_raw = text(get("refund_status"))
    status = category(parsed, settings, "trade_status", status_raw, path="orders.order[].status") or UNKNOWN
    refund = category(parsed, settings, "line_refund_state", refund_raw, path="orders.order[].refund_status")
    share = _line_share(line, trade, alone=alone)
    price, quantity = yuan(get("price"), "orders.order[].price"), fen(get("num"), "orders.order[].num")
    return trade.keys | {
        "line_id": required(platform_id(line, "oid"), "orders.order[].oid"),
        "product_id": identifier(get("num_iid")),
        "sku_id": identifier(get("sku_id")),
        "brand_sku": text(get("outer_sku_id")) or text(get("outer_iid")),
        "product_name": text(get("title")),
        "quantity": quantity,
        "unit_price_fen": price,
        "list_fen": None if price is None or quantity is None else price * quantity,
        "paid_fen": share if trade.paid and not gift else 0,
        "is_gift": gift,
        "is_paid": trade.paid is not None,
        "status": deposit_or(status, held=trade.step in DEPOSIT_HELD),
        "status_raw": status_raw,
        "refund_state": refund or "none",
        "created_at": trade.created,
        "paid_at": trade.paid,
        "updated_at": trade.updated,
        "business_date": business_date(trade.paid or trade.created),
        "channel_origin": UNKNOWN,
        "version_key": version_key(
            trade.updated, record.digest, rank=order_rank(status_raw, trade.step), refund_rank=refund_rank(refund_raw)
        ),
    }


def _line_share(line: Mapping[str, Any], trade: _Trade, *, alone: bool) -> int:
    """What the buyer paid for the line without freight.

    `divide_order_fee` is the line's share; without it `payment` less the line's share of the trade's discounts. In a
    trade of one line either may still hold the freight: what is more than the trade's payment without it, is.
    """
    share = yuan(line.get("divide_order_fee"), "orders.order[].divide_order_fee")
    if share is None:
        share = yuan(line.get("payment"), "orders.order[].payment")
        if share is not None and not alone:
            share -= fen_of_yuan(line.get("part_mjz_discount"), "orders.order[].part_mjz_discount") or 0
    goods = max(trade.paid_fen - trade.freight_fen, 0)
    if share is None:
        return goods if alone else 0
    return max(min(share, goods) if alone else share, 0)


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="tmall_trades",
        source="tmall",
        split=split_trades,
        parse=parse_trades,
        tables=(ORDERS, LINES, PHONES),
        volatile=VOLATILE,
    ),
)

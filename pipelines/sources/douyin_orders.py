"""Douyin shop orders and decrypted order phones: `order.searchList`, `order.orderDetail`, `order.batchDecrypt`.

Amounts are int64 fen, times epoch seconds with 0 for "not happened", ids texts (the `*_str` form where there is one).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.sources.amounts import fen, mask_tail, plain_phone, say_unstated
from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, Settings, Subject, version_key
from pipelines.sources.categories import as_object
from pipelines.sources.douyin import (
    CIPHERS,
    PLATFORM,
    Codes,
    buyer,
    order_rank,
    order_status,
    refund_state,
    refund_state_rank,
    shown_refund_state,
    split_answer,
    unknown_states,
)
from pipelines.sources.evidence import deposit_or, first_known, observe
from pipelines.sources.fields import business_date, epoch_s, flag, identifier, mapping, objects, required, text
from pipelines.sources.shape import Shape

ORDERS, LINES, PHONES = "silver.orders", "silver.order_lines", "silver.order_phones"

_PATHS = (("data", "shop_order_list"), ("data", "shop_order_detail"), ("data", "decrypt_infos"))
_ORDER_FIELDS = (
    "order_id shop_id open_id doudian_open_id order_status main_status order_type create_time update_time pay_time "
    "ship_time finish_time order_amount pay_amount post_amount promotion_amount promotion_platform_amount post_tel "
    "mask_post_tel post_addr.province.name post_addr.city.name order_phase_list[].pay_success "
    "order_phase_list[].phase_pay_time order_phase_list[].phase_pay_amount order_phase_list[].phase_payable_price"
)
_LINE_FIELDS = (
    "order_id order_status main_status update_time pay_time trade_type product_id product_id_str sku_id "
    "sku_id_str code out_sku_id product_name item_num origin_amount sum_amount pay_amount given_product_type author_id "
    "room_id room_id_str video_id theme_type cid c_biz ad_env_type after_sale_info.after_sale_status "
    "after_sale_info.after_sale_type after_sale_info.refund_status"
)
MOST_LINES = 40
"""The platform returns no more lines of an order; the payment of those left out stays with the order."""

ORDER_SHAPE = Shape("order", (*_ORDER_FIELDS.split(), *(f"sku_order_list[].{name}" for name in _LINE_FIELDS.split())))
DECRYPTED_SHAPE = Shape("decrypted", ["auth_id", "decrypt_text", "is_virtual_tel", "data_type", "err_no"])

_DEPOSIT_TRADE = "2"
_PHONE_DATA = "3"
_ORIGINS = ("live", "short_video", "ad", "talent", "mall")
"""Where a sale began, the strongest claim first: the content seen, then the ad, then who recommended it."""


@dataclass(slots=True)
class _Order:
    """What the lines of an order need of it."""

    value: Mapping[str, Any]
    keys: dict[str, Any]
    codes: Codes
    created: int | None
    paid: int | None
    updated: int | None
    lines: Sequence[Mapping[str, Any]]
    subject: Subject | None
    phases: Sequence[Mapping[str, Any]]

    @property
    def deposit_held(self) -> bool:
        """Whether a phase of a presale was paid whose final payment is open."""
        return self.paid is None and any(map(_phase_paid, self.phases))


def split_orders(payload: bytes, context: Context) -> Sequence[bytes]:
    """The orders of a page or detail, or the items of a decryption answer."""
    return split_answer(payload, _PATHS)


def parse_orders(record: Record) -> Parsed:
    """An order as one row with its lines and its buyer's identifiers, or a decrypted phone of an order."""
    value = as_object(record.value, "order")
    if "order_id" not in value and ("auth_id" in value or "decrypt_text" in value):
        return _parse_decrypted(value, record)
    return _parse_order(value, record)


def _parse_order(value: Mapping[str, Any], record: Record) -> Parsed:
    parsed = Parsed(unknown=ORDER_SHAPE.unknown(value, record.settings.ignored))
    context, settings = record.context, record.settings
    order_id = required(identifier(value.get("order_id")), "order_id")
    ids, subject = buyer(value, context)
    paid = epoch_s(value.get("pay_time"), "pay_time")
    order = _Order(
        value=value,
        keys={
            "platform": PLATFORM,
            "shop_id": identifier(value.get("shop_id")) or context.shop_id,
            "order_id": order_id,
        },
        codes=(text(value.get("order_status")), text(value.get("main_status"))),
        created=epoch_s(value.get("create_time"), "create_time"),
        paid=paid,
        updated=epoch_s(value.get("update_time"), "update_time"),
        lines=objects(value.get("sku_order_list"), "sku_order_list"),
        subject=subject,
        phases=objects(value.get("order_phase_list"), "order_phase_list"),
    )
    if subject is not None:
        order.keys["subject"] = subject
    unknown_states(order.codes, settings.value_maps, parsed, "")
    lines = [_line(line, order, record, parsed) for line in order.lines]
    if len(lines) >= MOST_LINES:
        parsed.unknown_values.append(("sku_order_list", f"{len(lines)} lines: the platform may have left out more"))
    if paid is not None:
        say_unstated(parsed, value.get("pay_amount"), "pay_amount")
    parsed.rows.append((ORDERS, _order_row(order, record, lines)))
    parsed.rows.extend((LINES, line) for line in lines)
    observe(parsed, context, f"order:{order_id}", ids=ids, at=first_known(context, order.created, order.paid))
    _plain_tel(order, record, parsed)
    return parsed


def _order_row(order: _Order, record: Record, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    value, paid, maps = order.value, order.paid, record.settings.value_maps
    deposit = 0 if paid else _deposit(order.phases)
    status = order_status(order.codes, maps, paid=paid is not None)
    address = mapping(value.get("post_addr"), "post_addr")
    finished = epoch_s(value.get("finish_time"), "finish_time")
    trades = {text(line.get("trade_type")) for line in order.lines}
    return {
        **order.keys,
        "status": deposit_or(status, held=order.deposit_held),
        "status_raw": _raw(order.codes),
        "order_type": text(value.get("order_type")),
        "is_paid": paid is not None,
        "is_presale": bool(order.phases) or _DEPOSIT_TRADE in trades,
        "created_at": order.created,
        "paid_at": paid,
        "shipped_at": epoch_s(value.get("ship_time"), "ship_time"),
        "finished_at": finished,
        "closed_at": order.updated if status == "closed" else None,
        "updated_at": order.updated,
        "business_date": business_date(paid or order.created),
        "list_fen": fen(value.get("order_amount"), "order_amount"),
        "paid_fen": _when(paid, value, "pay_amount"),
        "freight_fen": _when(paid, value, "post_amount"),
        "discount_fen": fen(value.get("promotion_amount"), "promotion_amount"),
        "platform_subsidy_fen": fen(value.get("promotion_platform_amount"), "promotion_platform_amount"),
        "deposit_fen": deposit,
        "currency": "CNY",
        "channel_origin": _strongest(line["channel_origin"] for line in lines if not line["is_gift"]),
        "province": _name(address, "province"),
        "city": _name(address, "city"),
        "phone_tail": mask_tail(value.get("mask_post_tel")),
        "is_internal": _is_internal(order.lines, lines, record.settings),
        "version_key": version_key(
            order.updated,
            record.digest,
            rank=order_rank(order.codes),
            refund_rank=max((refund_state_rank(line["refund_state"]) for line in lines), default=0),
        ),
    }


def _line(line: Mapping[str, Any], order: _Order, record: Record, parsed: Parsed) -> dict[str, Any]:
    get, maps = line.get, record.settings.value_maps
    own = (text(get("order_status")), text(get("main_status")))
    codes = own if any(own) else order.codes
    unknown_states(codes, maps, parsed, "sku_order_list[].")
    state, strange = refund_state(mapping(get("after_sale_info"), "after_sale_info"), maps.get("after_sale_state", {}))
    if strange is not None:
        parsed.unknown_values.append(("sku_order_list[].after_sale_info.after_sale_status", strange))
    gift = _is_gift(text(get("given_product_type")), maps.get("given_product_type", {}), parsed)
    paid = order.paid and (epoch_s(get("pay_time"), "pay_time") or order.paid)
    updated = epoch_s(get("update_time"), "update_time") or order.updated
    # Whichever changed last: a refund of a line leaves the order's time as it was, a change of the order its lines'.
    version = max(updated or 0, order.updated or 0)
    talent, room, video, creative = _attribution(line)
    if paid is not None and not gift:
        say_unstated(parsed, get("pay_amount"), "sku_order_list[].pay_amount")
    return {
        **order.keys,
        "line_id": required(identifier(get("order_id")), "sku_order_list[].order_id"),
        "product_id": text(get("product_id_str")) or identifier(get("product_id")),
        "sku_id": text(get("sku_id_str")) or identifier(get("sku_id")),
        "brand_sku": text(get("code")) or text(get("out_sku_id")),
        "product_name": text(get("product_name")),
        "quantity": fen(get("item_num"), "item_num"),
        "unit_price_fen": fen(get("origin_amount"), "origin_amount"),
        "list_fen": fen(get("sum_amount"), "sum_amount"),
        "paid_fen": _when(paid and not gift, line, "pay_amount"),
        "is_gift": gift,
        "is_paid": paid is not None,
        "status": deposit_or(order_status(codes, maps, paid=paid is not None), held=order.deposit_held),
        "status_raw": _raw(codes),
        "refund_state": shown_refund_state(state, codes[1]),
        "created_at": order.created,
        "paid_at": paid,
        "updated_at": updated,
        "business_date": business_date(paid or order.created),
        "channel_origin": _origin(line, (talent, room, video, creative), maps.get("channel_of_c_biz", {}), parsed),
        "room_id": room,
        "video_id": video,
        "talent_id": talent,
        "ad_creative_id": creative,
        "version_key": version_key(
            version, record.digest, rank=order_rank(codes), refund_rank=refund_state_rank(state)
        ),
    }


def _parse_decrypted(value: Mapping[str, Any], record: Record) -> Parsed:
    """Only a phone (data_type 3) decrypted without error and not virtual becomes a row; other items say nothing."""
    parsed = Parsed(unknown=DECRYPTED_SHAPE.unknown(value, record.settings.ignored))
    error = text(value.get("err_no")) or "0"
    if error != "0":
        parsed.unknown_values.append(("err_no", error))
        return parsed
    if text(value.get("data_type")) != _PHONE_DATA or flag(value.get("is_virtual_tel"), "is_virtual_tel"):
        return parsed
    phone = plain_phone(value.get("decrypt_text"))
    if phone is None:
        return parsed
    order_id = required(identifier(value.get("auth_id")), "auth_id")
    _phone_row(parsed, record, order_id=order_id, phone=phone, at=first_known(record.context))
    return parsed


def _plain_tel(order: _Order, record: Record, parsed: Parsed) -> None:
    """Older answers still carry the receiver's number in clear: it counts like a decrypted one."""
    phone = plain_phone(order.value.get("post_tel"))
    if phone is not None:
        at = first_known(record.context, order.created, order.paid)
        _phone_row(parsed, record, order_id=order.keys["order_id"], phone=phone, at=at)


def _phone_row(parsed: Parsed, record: Record, *, order_id: str, phone: str, at: int) -> None:
    parsed.row(
        PHONES,
        platform=PLATFORM,
        order_id=order_id,
        phone_token=Clear("phone", phone),
        role=str(record.settings.options.get("order_phone_role", "buyer")),
        event_at=at,
        version_key=version_key(at, record.digest),
    )


def _phase_paid(phase: Mapping[str, Any]) -> bool:
    """Whether a phase of a deposit presale was paid."""
    happened = flag(phase.get("pay_success"), "pay_success") or epoch_s(phase.get("phase_pay_time"), "phase_pay_time")
    return bool(happened)


def _deposit(phases: Sequence[Mapping[str, Any]]) -> int:
    """What was paid in the phases of an order whose final payment is open."""
    total = 0
    for phase in phases:
        if _phase_paid(phase):
            amount = fen(phase.get("phase_pay_amount"), "phase_pay_amount")
            total += amount or fen(phase.get("phase_payable_price"), "phase_payable_price") or 0
    return total


def _is_gift(kind: str | None, kinds: Mapping[str, str], parsed: Parsed) -> bool:
    if kind is None:
        return False
    known = kinds.get(kind)
    if known is None:
        parsed.unknown_values.append(("sku_order_list[].given_product_type", kind))
    return known == "gift"


def _is_internal(lines: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], settings: Settings) -> bool:
    """Samples that talents receive are no customers' purchases: the trade types the source's YAML names. Gifts among
    them have types of their own."""
    trades = {text(line.get("trade_type")) for line, row in zip(lines, rows, strict=True) if not row["is_gift"]}
    return bool(trades) and trades <= set(settings.options.get("internal_trade_types", ()))


def _attribution(line: Mapping[str, Any]) -> tuple[str | None, str | None, str | None, str | None]:
    get = line.get
    room = identifier(get("room_id_str")) or identifier(get("room_id"))
    return identifier(get("author_id")), room, identifier(get("video_id")), identifier(get("cid"))


def _origin(
    line: Mapping[str, Any],
    ids: tuple[str | None, str | None, str | None, str | None],
    business: Mapping[str, str],
    parsed: Parsed,
) -> str:
    talent, room, video, creative = ids
    biz = text(line.get("c_biz"))
    claimed = "unknown" if biz is None else business.get(biz)
    if claimed is None:
        parsed.unknown_values.append(("sku_order_list[].c_biz", str(biz)))
    place = text(line.get("ad_env_type"))
    if room or text(line.get("theme_type")) == "1" or place == "live":
        return "live"
    if video or place == "video":
        return "short_video"
    if creative or claimed == "ad":
        return "ad"
    return "talent" if talent else claimed or "unknown"


def _strongest(origins: Iterable[str]) -> str:
    seen = set(origins)
    return next((origin for origin in _ORIGINS if origin in seen), "unknown")


def _when(counts: object, value: Mapping[str, Any], name: str) -> int:
    """The amount where it counts, else 0; it is read in any case, so that a broken one never passes."""
    amount = fen(value.get(name), name)
    return amount if counts and amount else 0


def _name(address: Mapping[str, Any], part: str) -> str | None:
    return text(mapping(address.get(part), part).get("name"))


def _raw(codes: Codes) -> str:
    return f"{codes[0] or ''}/{codes[1] or ''}"


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="douyin_orders",
        source="douyin",
        split=split_orders,
        parse=parse_orders,
        tables=(ORDERS, LINES, PHONES),
        volatile=CIPHERS,
    ),
)

"""Douyin after-sales: `afterSale.List`. Amounts are fen and contain freight, numbers may come as (quoted) texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipelines.sources.amounts import any_time, fen
from pipelines.sources.base import Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.douyin import CIPHERS, PLATFORM, aftersale_rank, aftersale_status, split_answer
from pipelines.sources.fields import business_date, identifier, mapping, objects, required, text
from pipelines.sources.refunds import REFUNDS, line_alone, refund_place
from pipelines.sources.shape import Shape

PULLED = 1
"""A pulled case outranks a push of the same second and state: the push tells less."""

_CASE_FIELDS = (
    "aftersale_id aftersale_type aftersale_status related_id apply_time create_time update_time refund_amount "
    "refund_post_amount refund_status reason_code reason_second_labels[].code"
)
_ORDER_FIELDS = "shop_order_id related_order_info[].sku_order_id related_order_info[].aftersale_pay_amount"
SHAPE = Shape(
    "refund",
    (
        *(f"aftersale_info.{name}" for name in _CASE_FIELDS.split()),
        *(f"order_info.{name}" for name in _ORDER_FIELDS.split()),
    ),
)

_PATHS = (("data", "items"),)


def split_refunds(payload: bytes, context: Context) -> Sequence[bytes]:
    """The cases of a page."""
    return split_answer(payload, _PATHS)


def parse_refunds(record: Record) -> Parsed:
    """A case in its state; its line is named when it concerns one line only, the amounts of its
    lines when it concerns several."""
    value = as_object(record.value, "refund")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    settings = record.settings
    case = mapping(value.get("aftersale_info"), "aftersale_info")
    order = mapping(value.get("order_info"), "order_info")
    applied = any_time(case.get("apply_time") or case.get("create_time"), "aftersale_info.apply_time")
    updated = any_time(case.get("update_time"), "aftersale_info.update_time") or applied
    lines, order_id = _line_amounts(order), identifier(order.get("shop_order_id"))
    alone = line_alone(identifier(case.get("related_id")), order_id)
    kind = category(
        parsed, settings, "aftersale_type", case.get("aftersale_type"), path="aftersale_info.aftersale_type"
    )
    raw = text(case.get("aftersale_status"))
    stated = category(parsed, settings, "aftersale_status", raw, path="aftersale_info.aftersale_status")
    status = aftersale_status(stated or UNKNOWN, kind or UNKNOWN, money=text(case.get("refund_status")))
    succeeded = updated if status == "success" else None
    parsed.row(
        REFUNDS,
        **refund_place(PLATFORM, record.context.shop_id),
        refund_id=required(identifier(case.get("aftersale_id")), "aftersale_info.aftersale_id"),
        order_id=order_id,
        line_id=next(iter(lines)) if len(lines) == 1 else None if lines else alone,
        line_amounts=orjson.dumps(lines, option=orjson.OPT_SORT_KEYS).decode() if len(lines) > 1 else None,
        status=status,
        status_raw=raw,
        refund_type=kind or UNKNOWN,
        amount_fen=fen(case.get("refund_amount"), "aftersale_info.refund_amount"),
        freight_fen=fen(case.get("refund_post_amount"), "aftersale_info.refund_post_amount"),
        applied_at=applied,
        updated_at=updated,
        success_at=succeeded,
        business_date=business_date(succeeded),
        reason_code=_reason(case),
        version_key=version_key(updated, record.digest, rank=aftersale_rank(status), refund_rank=PULLED),
    )
    return parsed


def _line_amounts(order: Mapping[str, Any]) -> dict[str, int]:
    """The lines of a case, each with what is given back for its goods; a line named twice counts both times."""
    found: dict[str, int] = {}
    path = "order_info.related_order_info"
    for line in objects(order.get("related_order_info"), path):
        name = identifier(line.get("sku_order_id"))
        if name:
            paid = fen(line.get("aftersale_pay_amount"), f"{path}[].aftersale_pay_amount") or 0
            found[name] = found.get(name, 0) + paid
    return found


def _reason(case: Mapping[str, Any]) -> str | None:
    code = text(case.get("reason_code"))
    labels = objects(case.get("reason_second_labels"), "aftersale_info.reason_second_labels")
    return code or next((text(label.get("code")) for label in labels), None)


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="douyin_refunds",
        source="douyin",
        split=split_refunds,
        parse=parse_refunds,
        tables=(REFUNDS,),
        volatile=CIPHERS,
    ),
)

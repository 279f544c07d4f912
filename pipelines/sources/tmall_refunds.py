"""Tmall refunds: `refunds.receive.get`, `refund.get`: the one answer where both account ids of a buyer meet.

Amounts are yuan texts (`refund_fee` is what the buyer gets back, freight included), times local texts of Asia/Shanghai.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.amounts import yuan
from pipelines.sources.base import Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.evidence import first_known, observe
from pipelines.sources.fields import business_date, flag, required, text, top_time
from pipelines.sources.refunds import REFUNDS, refund_place
from pipelines.sources.shape import Shape
from pipelines.sources.tmall import PLATFORM, VOLATILE, buyer_ids, platform_id, refund_rank, shop_of, split_answer

PULLED = 1
"""A pulled refund outranks a message of the same second and state: the message tells less."""

_FIELDS = (
    "refund_id tid tid_str oid oid_str status refund_fee created modified order_status dispute_type has_good_return "
    "ouid omid buyer_open_uid seller_nick reason"
)
SHAPE = Shape("refund", _FIELDS.split())

_PATHS = (
    ("refunds_receive_get_response", "refunds", "refund"),
    ("refund_get_response", "refund"),
    ("refunds", "refund"),
    ("refunds",),
    ("refund",),
)
_NOT_SHIPPED = frozenset({"WAIT_SELLER_SEND_GOODS", "PAID_FORBID_CONSIGN"})


def split_refunds(payload: bytes, context: Context) -> Sequence[bytes]:
    """The refunds of a page or of a single answer."""
    return split_answer(payload, _PATHS)


def parse_refunds(record: Record) -> Parsed:
    """A refund in its state, and the buyer's ids that it joins."""
    value = as_object(record.value, "refund")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    context = record.context
    refund_id = required(platform_id(value, "refund_id"), "refund_id")
    shop = shop_of(value, context)
    created = top_time(value.get("created"), "created")
    updated = top_time(value.get("modified"), "modified") or created
    raw = text(value.get("status"))
    refund_type = _refund_type(value, record, parsed)
    stated = category(parsed, record.settings, "refund_status", raw, path="status") or UNKNOWN
    status = refund_status(stated, refund_type)
    succeeded = updated if status == "success" else None
    parsed.row(
        REFUNDS,
        **refund_place(PLATFORM, shop),
        refund_id=refund_id,
        order_id=platform_id(value, "tid"),
        line_id=platform_id(value, "oid"),
        status=status,
        status_raw=raw,
        refund_type=refund_type,
        amount_fen=yuan(value.get("refund_fee"), "refund_fee"),
        applied_at=created,
        updated_at=updated,
        success_at=succeeded,
        business_date=business_date(succeeded),
        reason_code=text(value.get("reason")),
        version_key=version_key(updated, record.digest, rank=refund_rank(raw), refund_rank=PULLED),
    )
    ids = buyer_ids(value, context, shop)
    observe(parsed, context, f"refund:{refund_id}", ids=ids, at=first_known(context, created, updated))
    return parsed


def refund_status(status: str, refund_type: str) -> str:
    """The status in our words: a case that ends without money (exchange, re-send, repair) is no success of a refund.

    >>> refund_status("success", "exchange"), refund_status("success", "return_refund")
    ('exchange', 'success')
    """
    return "exchange" if status == "success" and refund_type in ("exchange", "resend", "repair") else status


def _refund_type(value: Mapping[str, Any], record: Record, parsed: Parsed) -> str:
    kind = category(parsed, record.settings, "dispute_type", value.get("dispute_type"), path="dispute_type")
    if kind is None:
        kind = "return_refund" if flag(value.get("has_good_return"), "has_good_return") else "refund_only"
    if kind == "refund_only" and text(value.get("order_status")) in _NOT_SHIPPED:
        return "before_shipping"
    return kind


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="tmall_refunds",
        source="tmall",
        split=split_refunds,
        parse=parse_refunds,
        tables=(REFUNDS,),
        volatile=VOLATILE,
    ),
)

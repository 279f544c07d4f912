"""Points: Tmall's PointChange frames, WeChat mall notices, and the rows of the brand's own ledger.

A ledger row: `{"record_id", "subject": {"namespace", "scope", "value"}, "points" (signed), "reason", "order_id", "at",
"expires_at"}`; sent again with other values, it is corrected. Its number counts within the brand of its context; those
of Tmall and WeChat are unique there. Payments and refunds at a mall move no points by themselves; they are kept as
events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipelines.sources.amounts import fen
from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, Subject, version_key
from pipelines.sources.categories import as_object
from pipelines.sources.evidence import first_known
from pipelines.sources.fields import flag, identifier, integer, required, rfc3339, text, top_time
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import (
    brand_record,
    day_of,
    moment,
    observe_day,
    observe_subject,
    read_subject,
    seen_ms,
    sighting_day,
    stable_id,
)
from pipelines.sources.tmall import MESSAGE_PATHS, as_mapping, split_answer
from pipelines.sources.tmall_points import FIELDS as CHANGE_FIELDS
from pipelines.sources.tmall_points import LEDGER, point_change

FEED = "points_events"
LEDGER_ROW = Shape("ledger", ["record_id", "subject", "points", "reason", "order_id", "at", "expires_at"])
FRAME = Shape("frame", ["topic", "outtime", "pub_time", *(f"content.{name}" for name in CHANGE_FIELDS)])
_MALL = ("openid", "appid", "transaction_id")
_MALL_FACTS = ("amount", "pay_amount", "refund_amount", "mchid", "merchant_name", "shop_name", "shop_number")
NOTICE = Shape("mall_points", [*_MALL, "earn_points", "increased_points", "points_update_time"])
PAYMENT = Shape("mall_payment", [*_MALL, *_MALL_FACTS, "refund_id", "time_end", "refund_time"])


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """Every notice, row or message of an answer is one record; a notice inside its envelope is taken out of it."""
    return split_answer(payload, [("resource",), *MESSAGE_PATHS])


def parse(record: Record) -> Parsed:
    """One movement of points and whose it is, or a payment at a mall; told apart by their fields."""
    value = as_object(record.value, "points")
    if "content" in value:
        return _parse_frame(record, value)
    if "point" in value:
        return _parse_change(record, {"content": value})
    if "earn_points" in value or "increased_points" in value:
        return _parse_notice(record, value)
    if "transaction_id" in value:
        return _parse_payment(record, value)
    return _parse_ledger(record, value)


def _parse_frame(record: Record, value: Mapping[str, Any]) -> Parsed:
    content = as_mapping(value.get("content"), "content")
    return _parse_change(record, {**value, "content": content})


def _parse_change(record: Record, frame: dict[str, Any]) -> Parsed:
    parsed = Parsed(unknown=FRAME.unknown(frame, record.settings.ignored))
    topic = text(frame.get("topic"))
    if topic is not None and not topic.endswith("PointChange"):
        raise RecordRefusedError("bad_value", "topic: a message that moves no points; expected PointChange")
    sent = top_time(frame.get("outtime") or frame.get("pub_time"), "outtime")
    point_change(parsed, record, frame["content"], at=first_known(record.context, sent))
    return parsed


def _parse_ledger(record: Record, value: dict[str, Any]) -> Parsed:
    parsed = Parsed(unknown=LEDGER_ROW.unknown(value, record.settings.ignored))
    record_id = required(identifier(value.get("record_id")), "record_id")
    subject = read_subject(value.get("subject"), "subject")
    points = integer(value.get("points"), "points")
    at_ms = moment(value.get("at"), "at")
    if points is None or at_ms is None:
        raise RecordRefusedError("missing_field", "points and at are required")
    parsed.row(
        LEDGER,
        source="brand",
        record_scope=record.context.brand,
        record_id=record_id,
        subject=subject,
        points=points,
        reason=text(value.get("reason")),
        order_id=identifier(value.get("order_id")),
        moved_at=at_ms,
        expires_at=moment(value.get("expires_at"), "expires_at"),
        business_date=day_of(at_ms),
        # A row states no time of its change: what the brand sent last counts, also where it moved `at` back.
        version_key=version_key(seen_ms(record.context), record.digest),
    )
    observe_subject(parsed, record.context, brand_record("ledger", record.context, record_id), subject, at_ms)
    return parsed


def _shopper(parsed: Parsed, record: Record, value: Mapping[str, Any], at_ms: int) -> Subject:
    context = record.context
    openid = required(identifier(value.get("openid")), "openid")
    key = ("wx_openid", text(value.get("appid")) or context.app_id, openid)
    observe_day(parsed, context.feed, [key], sighting_day(at_ms, context))
    return Subject(*key)


def _parse_notice(record: Record, value: dict[str, Any]) -> Parsed:
    """The points of a payment; one that earned none moves nothing."""
    parsed = Parsed(unknown=NOTICE.unknown(value, record.settings.ignored))
    transaction = required(identifier(value.get("transaction_id")), "transaction_id")
    at_ms = rfc3339(value.get("points_update_time"), "points_update_time") or seen_ms(record.context)
    subject = _shopper(parsed, record, value, at_ms)
    points = integer(value.get("increased_points"), "increased_points")
    if points is None or flag(value.get("earn_points"), "earn_points") is False:
        return parsed
    parsed.row(
        LEDGER,
        source="wechat_mall",
        record_scope="",
        record_id=transaction,
        subject=subject,
        points=points,
        reason="mall_payment",
        order_id=transaction,
        moved_at=at_ms,
        expires_at=None,
        business_date=day_of(at_ms),
        version_key=version_key(at_ms, record.digest),
    )
    return parsed


def _parse_payment(record: Record, value: dict[str, Any]) -> Parsed:
    """A payment or refund at a mall, amounts in fen."""
    parsed = Parsed(unknown=PAYMENT.unknown(value, record.settings.ignored))
    transaction = required(identifier(value.get("transaction_id")), "transaction_id")
    refund = identifier(value.get("refund_id"))
    stated = rfc3339(value.get("refund_time" if refund else "time_end"), "refund_time" if refund else "time_end")
    at_ms = stated or seen_ms(record.context)
    facts = {name: text(value.get(name)) for name in ("mchid", "merchant_name", "shop_name", "shop_number")}
    amounts = {f"{name}_fen": fen(value.get(name), name) for name in ("amount", "pay_amount", "refund_amount")}
    kept = {"transaction_id": transaction, "refund_id": refund, **facts, **amounts}
    told = {name: found for name, found in kept.items() if found is not None}
    parsed.row(
        "silver.events",
        event_id=stable_id("wechat_mall", transaction, refund or ""),
        source="wechat_mall",
        app_id=text(value.get("appid")) or record.context.app_id,
        subject=_shopper(parsed, record, value, at_ms),
        event="mall_refund" if refund else "mall_payment",
        event_at=at_ms,
        clock_flag="ok",
        business_date=day_of(at_ms),
        properties=orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode(),
        version_key=version_key(at_ms, record.digest),
    )
    return parsed


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="points",
        split=split,
        parse=parse,
        tables=(LEDGER, "silver.events"),
        hash_context=("brand",),
    ),
)

"""Tmall messages (TMC): frames of the socket and messages of the HTTP call, with their content as JSON text or object.

Trade messages are hints, kept as events; refund messages bring a refund's state; a PointChange moves points. `outtime`
(HTTP: `pub_time`) is local text of Asia/Shanghai; ids inside the content are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipelines.sources.amounts import yuan
from pipelines.sources.base import Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.evidence import first_known, subject_of
from pipelines.sources.fields import business_date, identifier, required, text, top_time
from pipelines.sources.refunds import REFUNDS, refund_place
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import observe_day, sighting_day, stable_id
from pipelines.sources.tmall import (
    MESSAGE_PATHS,
    PLATFORM,
    VOLATILE,
    as_mapping,
    buyer_ids,
    platform_id,
    refund_rank,
    split_answer,
)
from pipelines.sources.tmall_points import FIELDS as POINT_FIELDS
from pipelines.sources.tmall_points import LEDGER, point_change
from pipelines.sources.tmall_refunds import refund_status

EVENTS = "silver.events"
_FRAME = ("id", "topic", "outtime", "pub_time", "user_nick")
_TRADE = ("tid", "oid", "buyer_open_uid", "seller_nick", "payment", "type")
_REFUND = ("refund_id", "refund_fee", "bill_type", "modified")
SHAPE = Shape("message", (*_FRAME, *(f"content.{name}" for name in {*_TRADE, *_REFUND, *POINT_FIELDS})))

_POINT_CHANGE = "PointChange"


def split_messages(payload: bytes, context: Context) -> Sequence[bytes]:
    """The messages of an HTTP answer, or the single frame."""
    return split_answer(payload, MESSAGE_PATHS)


def parse_messages(record: Record) -> Parsed:
    """A refund's state, a movement of points, or an event; a topic that nobody mapped is an event and a signal."""
    frame = as_object(record.value, "message")
    content = as_mapping(frame.get("content"), "content")
    parsed = Parsed(unknown=SHAPE.unknown({**frame, "content": content}, record.settings.ignored))
    topic = required(text(frame.get("topic")), "topic")
    sent = top_time(frame.get("outtime") or frame.get("pub_time"), "outtime")
    modified = top_time(content.get("modified"), "content.modified")
    at = first_known(record.context, modified, sent)
    family = category(parsed, record.settings, "message_topic", topic, path="topic")
    if topic.endswith(_POINT_CHANGE):
        point_change(parsed, record, content, at=at)
    elif family in (None, UNKNOWN, "event") or "refund_id" not in content:
        _event(parsed, record, frame, content, at=at)
    else:
        _refund(parsed, record, content, shop=_shop(content, record, frame), told=(topic, str(family)), at=at)
    return parsed


def _shop(content: Mapping[str, Any], record: Record, frame: Mapping[str, Any]) -> str:
    context = record.context
    nick = text(content.get("seller_nick")) or text(frame.get("user_nick")) or context.seller_nick
    return nick or context.shop_id


def _refund(
    parsed: Parsed, record: Record, content: Mapping[str, Any], *, shop: str, told: tuple[str, str], at: int
) -> None:
    """The state that the topic tells; the pulled refund of the same second outranks it."""
    topic, stated = told
    kind = category(parsed, record.settings, "bill_type", content.get("bill_type"), path="content.bill_type")
    status = refund_status(stated, kind or UNKNOWN)
    succeeded = at if status == "success" else None
    raw = _PULLED_NAMES.get(stated)
    parsed.row(
        REFUNDS,
        **refund_place(PLATFORM, shop),
        refund_id=required(platform_id(content, "refund_id"), "content.refund_id"),
        order_id=platform_id(content, "tid"),
        line_id=platform_id(content, "oid"),
        status=status,
        status_raw=topic,
        refund_type=None if kind == UNKNOWN else kind,
        amount_fen=yuan(content.get("refund_fee"), "content.refund_fee"),
        applied_at=at if stated == "applied" else None,
        updated_at=at,
        success_at=succeeded,
        business_date=business_date(succeeded),
        version_key=version_key(at, record.digest, rank=refund_rank(raw)),
    )


_PULLED_NAMES = {
    "applied": "WAIT_SELLER_AGREE",
    "processing": "WAIT_BUYER_RETURN_GOODS",
    "failed": "SELLER_REFUSE_BUYER",
    "closed": "CLOSED",
    "success": "SUCCESS",
}
"""The pulled state that ranks like what a topic tells."""


def _event(parsed: Parsed, record: Record, frame: Mapping[str, Any], content: Mapping[str, Any], *, at: int) -> None:
    ids = buyer_ids(content, record.context, _shop(content, record, frame))
    hint = {
        "order_id": platform_id(content, "tid"),
        "line_id": platform_id(content, "oid"),
        "payment_fen": yuan(content.get("payment"), "content.payment"),
        "trade_type" if "tid" in content else "type": text(content.get("type")),
        "refund_id": platform_id(content, "refund_id"),
    }
    told = {name: value for name, value in hint.items() if value is not None}
    row: dict[str, Any] = {
        "event_id": stable_id(PLATFORM, identifier(frame.get("id")) or record.digest),
        "source": PLATFORM,
        "app_id": record.context.app_key or None,
        "event": text(frame.get("topic")),
        "event_at": at,
        "clock_flag": "ok",
        "business_date": business_date(at),
        "properties": orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode() if told else None,
        "version_key": version_key(at, record.digest),
    }
    if ids:
        row["subject"] = subject_of(ids)
        keys = [(one["namespace"], one["scope"], one["value"]) for one in ids]
        observe_day(parsed, record.context.feed, keys, sighting_day(at, record.context))
    parsed.rows.append((EVENTS, row))


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="tmall_messages",
        source="tmall",
        split=split_messages,
        parse=parse_messages,
        tables=(EVENTS, REFUNDS, LEDGER),
        volatile=(*VOLATILE, "outtime", "pub_time"),
    ),
)

"""Douyin pushes: shop messages (a JSON array of tag, msg_id and data) and the open platform's webhooks (event).

Shop messages name no buyer and tell a part of the amounts: about a trade they are hints, kept as events; about a refund
they bring its state. `tag` comes as number or text, `data` as object or as JSON text, ids as numbers or texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipelines.sources.amounts import any_time, fen
from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, Subject, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.douyin import MP_OPEN_ID, PLATFORM, aftersale_rank, aftersale_status
from pipelines.sources.evidence import first_known
from pipelines.sources.fields import business_date, identifier, items, mapping, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.refunds import REFUNDS, line_alone, refund_place
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import observe_day, sighting_day, stable_id

EVENTS = "silver.events"

_TIMES = ("create_time", "pay_time", "cancel_time", "complete_time", "update_time", "apply_time", "success_time")
_DATA = (
    "p_id s_ids s_id shop_id store_id order_status pay_amount pay_type aftersale_id aftersale_status aftersale_type "
    "refund_amount refund_post_amount reason_code"
)
MESSAGE_SHAPE = Shape("message", ("tag", "msg_id", "msgId", *(f"data.{name}" for name in (*_DATA.split(), *_TIMES))))
WEBHOOK_SHAPE = Shape("webhook", ("event", "client_key", "from_user_id", "content"))
"""Of the content only its time is read: the rest is free text and personal data."""

_TEST_TAG = "0"
_ID_SECOND = re.compile(r"^(?:[^:]*:){3}(\d{10}):", re.ASCII)
_DECIDING = frozenset({"success", "closed"})


def split_messages(payload: bytes, context: Context) -> Sequence[bytes]:
    """The messages of an array, or a single one."""
    return split_pages(payload, ())


def parse_messages(record: Record) -> Parsed:
    """A refund's state, a trade's event, or a webhook's event."""
    value = as_object(record.value, "message")
    if "event" in value and "tag" not in value:
        return _parse_webhook(value, record)
    tag = required(text(value.get("tag")), "tag")
    if tag == _TEST_TAG:
        return Parsed(unknown_values=[("tag", tag)])
    data = _as_mapping(value.get("data"), "data")
    parsed = Parsed(unknown=MESSAGE_SHAPE.unknown({**value, "data": data}, record.settings.ignored))
    message_id = text(value.get("msg_id")) or text(value.get("msgId"))
    at = first_known(record.context, _stated_time(data), _time_of_id(message_id))
    if not _refund_row(parsed, record, data, tag=tag, at=at):
        event = category(parsed, record.settings, "message_tag", tag, path="tag")
        _event_row(
            parsed,
            record,
            key=("message", tag, message_id or record.digest),
            event=tag if event in (None, UNKNOWN) else event,
            at=at,
            app_id=record.context.app_key or None,
            properties=_hint(data),
        )
    return parsed


def _as_mapping(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise RecordRefusedError("bad_json", f"{name} is no valid JSON") from None
    return dict(mapping(value, name))


def _stated_time(data: Mapping[str, Any]) -> int | None:
    """When what a message tells was reached: its `update_time`, else the latest of the other times it states.

    The others may lie ahead of the change, by another clock, and would outrank later versions.
    """
    stated = {name: any_time(data.get(name), f"data.{name}") for name in _TIMES}
    known = [time for time in stated.values() if time is not None]
    return stated["update_time"] or max(known, default=None)


def _time_of_id(message_id: str | None) -> int | None:
    """The fourth part of a message id is its second: `<order>:0:101:1735700530:<shop>:<n>`."""
    parts = (message_id or "").split(":")
    return (
        int(parts[3]) * 1000
        if len(parts) > 3 and parts[3].isascii() and len(parts[3]) == 10 and parts[3].isdigit()
        else None
    )


def _refund_row(parsed: Parsed, record: Record, data: Mapping[str, Any], *, tag: str, at: int) -> bool:
    """Whether the message told a refund's state. Success and closing are told by the tag, else by the case's status."""
    maps = record.settings.value_maps
    told = maps.get("refund_tag", {}).get(tag)
    if told is None and "aftersale_id" not in data:
        return False
    refund_id = required(identifier(data.get("aftersale_id")), "data.aftersale_id")
    raw = text(data.get("aftersale_status"))
    kind = category(parsed, record.settings, "aftersale_type", data.get("aftersale_type"), path="data.aftersale_type")
    stated = category(parsed, record.settings, "aftersale_status", raw, path="data.aftersale_status")
    state = told if told in _DECIDING or stated in (None, UNKNOWN) else stated
    if state in (None, "none"):
        return False
    status = aftersale_status(state or UNKNOWN, kind or UNKNOWN)
    succeeded = at if status == "success" else None
    order_id = identifier(data.get("p_id"))
    parsed.row(
        REFUNDS,
        **refund_place(PLATFORM, identifier(data.get("shop_id")) or record.context.shop_id),
        refund_id=refund_id,
        order_id=order_id,
        line_id=line_alone(identifier(data.get("s_id")), order_id),
        status=status,
        status_raw=raw,
        refund_type=kind,
        amount_fen=fen(data.get("refund_amount"), "data.refund_amount"),
        freight_fen=fen(data.get("refund_post_amount"), "data.refund_post_amount"),
        applied_at=any_time(data.get("apply_time"), "data.apply_time"),
        updated_at=at,
        success_at=succeeded,
        business_date=business_date(succeeded),
        reason_code=text(data.get("reason_code")),
        version_key=version_key(at, record.digest, rank=aftersale_rank(status)),
    )
    return True


def _hint(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a trade message tells beside its time, without people and free text."""
    told = {
        "order_id": identifier(data.get("p_id")),
        "line_ids": [found for line in items(data.get("s_ids"), "data.s_ids") if (found := identifier(line))] or None,
        "shop_id": identifier(data.get("shop_id")),
        "store_id": identifier(data.get("store_id")),
        "order_status": text(data.get("order_status")),
        "pay_fen": fen(data.get("pay_amount"), "data.pay_amount"),
        "pay_type": text(data.get("pay_type")),
        "refund_id": identifier(data.get("aftersale_id")),
    }
    return {name: value for name, value in told.items() if value is not None}


def _parse_webhook(value: Mapping[str, Any], record: Record) -> Parsed:
    """A webhook of the open platform. The sender is a person for the interactions that the source's YAML names."""
    content = value.get("content")
    inner = _as_mapping(content, "content") if isinstance(content, str) and content[:1] == "{" else content
    parsed = Parsed(unknown=WEBHOOK_SHAPE.unknown({**value, "content": inner}, record.settings.ignored))
    event = required(text(value.get("event")), "event")
    if event in record.settings.options.get("technical_events", ()):
        return parsed
    context = record.context
    stated = inner.get("create_time") if isinstance(inner, dict) else None
    at = first_known(context, any_time(stated, "content.create_time"))
    app_id = context.app_id or text(value.get("client_key")) or ""
    sender = identifier(value.get("from_user_id"))
    subject = None
    if sender and event in record.settings.options.get("interaction_events", ()):
        subject = Subject(MP_OPEN_ID, app_id, sender)
        observe_day(parsed, context.feed, [(MP_OPEN_ID, app_id, sender)], sighting_day(at, context))
    key = ("webhook", text(context.params.get("msg_id")) or record.digest)
    _event_row(parsed, record, key=key, event=event, at=at, app_id=app_id or None, subject=subject)
    return parsed


def _event_row(
    parsed: Parsed, record: Record, *, key: tuple[str, ...], event: str, at: int, app_id: str | None, **told: Any
) -> None:
    row: dict[str, Any] = {
        "event_id": stable_id(PLATFORM, *key),
        "source": PLATFORM,
        "app_id": app_id,
        "event": event,
        "event_at": at,
        "clock_flag": "ok",
        "business_date": business_date(at),
        "version_key": version_key(at, record.digest),
    }
    if told.get("subject") is not None:
        row["subject"] = told["subject"]
    if told.get("properties"):
        row["properties"] = orjson.dumps(told["properties"], option=orjson.OPT_SORT_KEYS).decode()
    parsed.rows.append((EVENTS, row))


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="douyin_messages",
        source="douyin",
        split=split_messages,
        parse=parse_messages,
        tables=(EVENTS, REFUNDS),
    ),
)

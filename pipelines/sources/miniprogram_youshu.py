"""Tencent 有数 events (`sr-sdk-wxapp`): `{type, props}` or the same fields flat; times are 13-digit milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from pipelines.sources.base import Parsed, Record, RecordRefusedError, Subject, version_key
from pipelines.sources.categories import known_code
from pipelines.sources.fields import epoch_ms, items, mapping, required, text
from pipelines.sources.miniprogram_clock import device_moment
from pipelines.sources.miniprogram_identities import subject_of
from pipelines.sources.miniprogram_privacy import Properties, clean_address
from pipelines.sources.miniprogram_sensors import first_said, said
from pipelines.sources.miniprogram_visitors import RULES, observe_visit
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import IdKey, day_of, stable_id

_USER = ("app_id", "open_id", "union_id", "user_id", "local_id")
_LIFTED = frozenset({"type", "page", "time", "wx_user", "chan", "order", "sub_orders"})
MAX_FEN = 10**15
SHAPE = Shape("youshu", [f"wx_user.{name}" for name in _USER])
"""Only the user has a fixed form; properties are the brand's own."""
_PROPERTIES = Properties()


def is_youshu(value: Mapping[str, Any]) -> bool:
    """Whether an event is written in this dialect."""
    return "wx_user" in value or isinstance(value.get("props"), Mapping)


def parse_youshu(record: Record) -> Parsed:
    """One behaviour row of the event and the sighting of its user; properties nobody named are kept as they are."""
    value: dict[str, Any] = record.value
    event = required(text(value.get("type")), "type")
    # Either form, or parts of each: what stands beside `props` is said unless they say it too.
    flat = {name: inner for name, inner in value.items() if name not in ("type", "props")}
    props = {**flat, **mapping(value.get("props"), "props")}
    parsed = Parsed(unknown=SHAPE.unknown({"wx_user": props.get("wx_user")}, record.settings.ignored))
    ids = _identifiers(record, props)
    if not ids:
        required(None, "wx_user.open_id")
    row = _row(parsed, record, event, props)
    subject = subject_of(ids)
    if subject is not None:
        row["subject"] = Subject(*subject)
    parsed.rows.append(("silver.events", row))
    observe_visit(parsed, record.context, ids, row["event_at"])
    return parsed


def _identifiers(record: Record, props: Mapping[str, Any]) -> list[IdKey]:
    """The user's ids: the openid and 有数's own id belong to the app that the event names."""
    context = record.context
    user = mapping(props.get("wx_user"), "wx_user")
    app_id = text(user.get("app_id")) or context.app_id
    given = (
        ("wx_openid", app_id, user.get("open_id")),
        ("wx_unionid", context.open_platform_id, user.get("union_id")),
        ("login_id", context.brand, user.get("user_id")),
        ("mp_anonymous_id", app_id, user.get("local_id")),
        ("phone_sha256", "", props.get("sha256_phone_number")),
        ("phone", "", props.get("phone_number")),
    )
    return [(namespace, scope, found) for namespace, scope, raw in given if (found := said(raw))]


def _row(parsed: Parsed, record: Record, event: str, props: Mapping[str, Any]) -> dict[str, Any]:
    context, rules = record.context, RULES.of(record.settings)
    device_ms = epoch_ms(props.get("time"), "time")
    moment = device_moment(device_ms, None, context, rules.limits)
    channel = mapping(props.get("chan"), "chan")
    page, _, query = (text(props.get("page")) or "").partition("?")
    free = (
        {name: inner for name, inner in props.items() if name not in _LIFTED}
        | _flat(channel)
        | _order(parsed, record, props)
    )
    if query:
        free["url_query"] = clean_address(f"?{query}")
    return {
        "event_id": stable_id("youshu", record.digest),
        "source": "youshu",
        "app_id": text(mapping(props.get("wx_user"), "wx_user").get("app_id")) or context.app_id,
        "event": event,
        "event_at": moment.at_ms,
        "device_at": device_ms,
        "clock_flag": moment.flag,
        "business_date": day_of(moment.at_ms),
        "url_path": clean_address(page) or None,
        "scene": said(channel.get("chan_wxapp_scene")),
        "utm_source": said(channel.get("chan_id")),
        "utm_campaign": said(mapping(channel.get("chan_custom"), "chan_custom").get("chan_custom_id")),
        "product_id": _product(props, rules.product_keys),
        "properties": _PROPERTIES.json(free),
        "version_key": version_key(device_ms, record.digest),
    }


def _flat(channel: Mapping[str, Any]) -> dict[str, Any]:
    """The channel's plain fields; those with columns of their own are left out."""
    taken = ("chan_wxapp_scene", "chan_id", "chan_custom")
    return {name: inner for name, inner in channel.items() if name not in taken and not isinstance(inner, (dict, list))}


def _product(props: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for part, name in (("sku", "sku_id"), ("spu", "spu_id")):
        inner = props.get(part)
        if isinstance(inner, Mapping) and (found := said(inner.get(name))):
            return found
    return first_said(props, names)


def _order(parsed: Parsed, record: Record, props: Mapping[str, Any]) -> dict[str, Any]:
    """What a `custom_order` event says of its order, amounts in fen."""
    order = mapping(props.get("order"), "order")
    if not order:
        return {}
    subs = [mapping(sub, "sub_orders[]") for sub in items(props.get("sub_orders"), "sub_orders")]
    status = known_code(
        parsed, record.settings, "youshu_order_status", order.get("order_status"), path="order.order_status"
    )
    return {
        "order_id": text(order.get("order_id")),
        "order_status": status,
        "order_type": text(order.get("order_type")),
        "order_time": epoch_ms(order.get("order_time"), "order.order_time"),
        "order_fen": sum(fen_of_float(sub.get("order_amt"), "sub_orders[].order_amt") for sub in subs),
        "pay_fen": sum(fen_of_float(sub.get("pay_amt"), "sub_orders[].pay_amt") for sub in subs),
    }


def fen_of_float(value: Any, name: str) -> int:
    """A yuan amount that came as a binary fraction, to the nearest fen; 0 when not set.

    >>> fen_of_float(19.9, "a"), fen_of_float(0.1 + 0.2, "a"), fen_of_float(None, "a")
    (1990, 30, 0)
    """
    raw = text(value)
    try:
        amount = Decimal(raw or "0") * 100
        rounded = int(amount.quantize(Decimal(1), ROUND_HALF_UP))
    except InvalidOperation:
        raise RecordRefusedError("bad_value", f"{name}: not an amount in yuan") from None
    if abs(rounded) > MAX_FEN:
        raise RecordRefusedError("bad_value", f"{name}: an amount beyond all reason")
    return rounded

"""SensorsData events of the mini-program: behaviour rows, sightings of visitors, binds and unbinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from identity.identifier import key64
from identity.phone import is_mobile
from pipelines.sources.base import Context, Parsed, PlainRow, Record, Settings, version_key
from pipelines.sources.fields import MAX_MS, integer, mapping, required, text
from pipelines.sources.miniprogram_clock import device_moment
from pipelines.sources.miniprogram_identities import (
    as_ids,
    distinct_identifier,
)
from pipelines.sources.miniprogram_privacy import Properties, clean_address
from pipelines.sources.miniprogram_visitors import (
    NAMES_ITSELF,
    RULES,
    Event,
    SensorsRules,
    identifiers_of,
    observe_visit,
    plain_distinct,
    subject_column,
    visitor_at_hand,
    visitor_of,
)
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import (
    IdKey,
    day_of,
    is_phone,
    observe_once,
    stable_id,
)

TRACKS = frozenset({"track", "track_signup", "track_id_bind", "track_id_unbind"})
PROFILES = frozenset(
    {"profile_set", "profile_set_once", "profile_append", "profile_increment", "profile_unset", "profile_delete"}
)
VISITS = (TRACKS | PROFILES) - NAMES_ITSELF
"""Types that say nothing of a person but that he was there."""
NO_VALUE = frozenset({"未取到值", "取值异常", "url的domain解析失败"})
"""What the SDK writes where it found nothing."""

SHAPE = Shape(
    "sensors",
    (
        *("distinct_id", "anonymous_id", "login_id", "original_id", "identities"),
        *("type", "event", "time", "_flush_time", "_track_id", "time_free", "properties"),
    ),
)
UTM_SOURCE = ("$utm_source", "$latest_utm_source")
UTM_CAMPAIGN = ("$utm_campaign", "$latest_utm_campaign")
"""The event's own campaign comes before the latest one that is remembered."""

ROW = (
    *("event_id", "source", "app_id", "event", "event_at", "device_at", "clock_flag", "business_date", "url_path"),
    *("scene", "utm_source", "utm_campaign", "product_id", "duration_ms", "sharer_key", "properties", "version_key"),
)
"""The columns of silver.events that an event fills."""
_EVENT_AT = ROW.index("event_at")

_PROPERTIES = Properties(
    taken=(
        *("$url_path", "$scene", "$latest_scene", *UTM_SOURCE, *UTM_CAMPAIGN),
        *("$event_duration", "event_duration", "$app_id"),
    )
)


def parse_sensors(record: Record) -> Parsed:
    """One behaviour row of the event, and what it says about identities."""
    value: dict[str, Any] = record.value
    context, rules = record.context, RULES.of(record.settings)
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    about = _about(value)
    distinct_id, kind, _ = about
    if kind not in TRACKS and kind not in PROFILES:
        parsed.unknown_values.append(("type", kind))
    event = Event(value, context, rules, parsed, kind, distinct_id)
    row = dict(zip(ROW, _row(value, context, rules, about, record.digest), strict=True))
    if kind in NAMES_ITSELF:
        ids = identifiers_of(event)
        subject = subject_column(ids)
        if ids:
            _observe(event, ids, row)
    else:
        visitor = visitor_of(event)
        subject = visitor.subject
        parsed.observations += visitor.seen(context, row["event_at"])
    if subject is not None:
        row["subject"] = subject
    parsed.rows.append(("silver.events", row))
    return parsed


def plain_sensors(value: dict[str, Any], context: Context, settings: Settings, digest: str) -> PlainRow | None:
    """The row of a visit by a visitor at hand, with what the visit says of him; None for any other event."""
    if value.get("type") not in VISITS or SHAPE.unknown(value, settings.ignored):
        return None
    about, rules = _about(value), RULES.of(settings)
    visitor = visitor_at_hand(value, about.distinct_id, rules, context)
    if visitor is None:
        return None
    row = _row(value, context, rules, about, digest)
    return row, visitor.subject, visitor.seen(context, row[_EVENT_AT])


class About(NamedTuple):
    """What an event is, in the words of the SDK."""

    distinct_id: str
    kind: str
    name: str


def _about(value: Mapping[str, Any]) -> About:
    distinct_id = required(text(value.get("distinct_id")), "distinct_id")
    kind = required(text(value.get("type")), "type")
    name = text(value.get("event")) or (required(None, "event") if kind in TRACKS else kind)
    return About(distinct_id, kind, name)


def _row(value: dict[str, Any], context: Context, rules: SensorsRules, about: About, digest: str) -> tuple[Any, ...]:
    """The event's row in the order of ROW."""
    distinct_id, kind, name = about
    device_ms, stated = _device_time(value.get("time"), "time")
    flush_ms, _ = _device_time(value.get("_flush_time"), "_flush_time")
    moment = device_moment(device_ms, None if value.get("time_free") is True else flush_ms, context, rules.limits)
    properties = mapping(value.get("properties"), "properties")
    return (
        stable_id("sensors", distinct_id, text(value.get("_track_id")) or "", stated, kind, name),
        "sensors",
        context.app_id or text(properties.get("$app_id")),
        name,
        moment.at_ms,
        device_ms,
        moment.flag,
        day_of(moment.at_ms),
        _path(properties.get("$url_path")),
        scene_code(properties.get("$scene")) or scene_code(properties.get("$latest_scene")),
        first_said(properties, UTM_SOURCE),
        first_said(properties, UTM_CAMPAIGN),
        first_said(properties, rules.product_keys),
        _duration_ms(properties),
        _sharer_key(properties, context),
        _PROPERTIES.json(properties),
        version_key(device_ms, digest),
    )


def _device_time(raw: Any, name: str) -> tuple[int | None, str]:
    """The device's time as far as it can be one, and as it was written (part of the deduplication key)."""
    millis = raw if type(raw) is int else integer(raw, name)
    if millis is None or not 0 < millis <= MAX_MS:
        return None, "" if millis is None else str(millis)
    return millis, str(millis)


def scene_code(raw: Any) -> str | None:
    """The scene as WeChat numbers it.

    >>> scene_code("wx-1047"), scene_code("未取到值"), scene_code(1089)
    ('1047', None, '1089')
    """
    scene = None if raw is None else said(raw)
    return scene.rpartition("-")[2] if scene else None


def said(raw: Any) -> str | None:
    """The value as text, None where the SDK found nothing.

    >>> said("wecom"), said("取值异常")
    ('wecom', None)
    """
    if raw is None:
        return None
    value = text(raw)
    return None if value in NO_VALUE else value


def first_said(properties: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of the named properties that has a value."""
    for name in names:
        found = properties.get(name)
        if found is not None and (value := said(found)) is not None:
            return value
    return None


def _path(raw: Any) -> str | None:
    path = said(raw)
    return clean_address(path) or None if path else None


def _duration_ms(properties: Mapping[str, Any]) -> int | None:
    """`$event_duration` is in seconds, with decimals."""
    seconds = properties.get("$event_duration", properties.get("event_duration"))
    if seconds is None:
        return None
    try:
        duration = round(float(seconds) * 1000)
    except (TypeError, ValueError, OverflowError):
        return None
    return duration if 0 <= duration <= MAX_MS else None


def _sharer_key(properties: Mapping[str, Any], context: Context) -> int | None:
    """Whose share led here, for referral trees; it never links, and a login id that is a phone is left out."""
    sharer = said(properties.get("$share_distinct_id"))
    if sharer is None or is_mobile(sharer):
        return None
    return key64(*distinct_identifier(sharer, context))


def _observe(event: Event, ids: list[IdKey], row: Mapping[str, Any]) -> None:
    if event.kind == "track_id_bind":
        _observe_bind(event, ids, row)
    elif event.kind == "track_id_unbind":
        _observe_unbind(event, ids, row)
    else:
        observe_visit(event.parsed, event.context, ids, row["event_at"])


def _observe_bind(event: Event, ids: list[IdKey], row: Mapping[str, Any]) -> None:
    """A phone is bound to the one id that names the person, so that taking it off again leaves no other link behind;
    a bind without a phone binds all its ids."""
    at_ms, feed, event_id = row["event_at"], event.context.feed, row["event_id"]
    phones = [one for one in ids if is_phone(one[0])]
    accounts = [one for one in ids if not is_phone(one[0])]
    if not phones:
        observe_once(event.parsed, feed, event_id, at_ms=at_ms, ids=as_ids(accounts), kind="bind")
        return
    observe_visit(event.parsed, event.context, accounts, at_ms)
    holder = _holder(event, accounts)
    for number, phone in enumerate(phones):
        bound = as_ids([holder, phone], phone_role="verified")
        observe_once(event.parsed, feed, f"{event_id}:{number}", at_ms=at_ms, ids=bound, kind="bind")


def _holder(event: Event, accounts: list[IdKey]) -> IdKey:
    """The id by which the event names the person: the login id, else the distinct id, which is always among them; one
    without a scope, which is refused, only where there is no other."""
    logins = [one for one in accounts if one[0] == "login_id"]
    named = [one for one in accounts if one[2] == plain_distinct(event)]
    ranked = [*logins, *named, *accounts]
    return next((one for one in ranked if one[1]), ranked[0])


def _observe_unbind(event: Event, ids: list[IdKey], row: Mapping[str, Any]) -> None:
    """What `identities` names is taken off the person: a phone, or a single id, from all others of the event; else the
    ids named from each other."""
    stated = mapping(event.value.get("identities"), "identities")
    named = [event.rules.keys.identifier(key, raw, event.context) for key, raw in stated.items()]
    gone = [one for one in named if one is not None and (one[0] == "phone" or len(stated) == 1)]
    at_ms, feed = row["event_at"], event.context.feed
    if not gone:
        ended = as_ids(ids) if len(ids) > 1 else []
        observe_once(event.parsed, feed, row["event_id"], at_ms=at_ms, ids=ended, kind="unbind")
        return
    pairs = [(one, other) for one in gone for other in ids if other not in gone]
    for number, pair in enumerate(pairs):
        ended = as_ids(list(pair), phone_role="verified")
        observe_once(event.parsed, feed, f"{row['event_id']}:{number}", at_ms=at_ms, ids=ended, kind="unbind")

"""SensorsData events of the mini-program: behaviour rows, sightings of visitors, binds and unbinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from identity.identifier import key64
from identity.phone import is_mobile
from pipelines.sources.base import Context, Parsed, Record, Settings, Subject, version_key
from pipelines.sources.fields import MAX_MS, integer, mapping, required, text
from pipelines.sources.miniprogram_clock import ClockLimits, device_moment
from pipelines.sources.miniprogram_identities import (
    IdentityKeys,
    as_ids,
    distinct_identifier,
    reads_as_openid,
    subject_of,
)
from pipelines.sources.miniprogram_privacy import clean_address, properties_json
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import (
    IdKey,
    day_of,
    day_start_ms,
    is_phone,
    observe_day,
    observe_once,
    sighting_day,
    stable_id,
)

TRACKS = frozenset({"track", "track_signup", "track_id_bind", "track_id_unbind"})
PROFILES = frozenset(
    {"profile_set", "profile_set_once", "profile_append", "profile_increment", "profile_unset", "profile_delete"}
)
NAMES_ITSELF = frozenset({"track_signup", "track_id_bind", "track_id_unbind"})
"""Types whose distinct id takes part although other ids are given."""

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

_TAKEN = frozenset(
    {
        "$url_path",
        "$scene",
        "$latest_scene",
        "$utm_source",
        "$latest_utm_source",
        "$utm_campaign",
        "$latest_utm_campaign",
    }
    | {"$event_duration", "event_duration", "$app_id"}
)


_VISITORS = 8192
"""How many visitors are kept at hand: the events of a visit stand close together."""


class SensorsRules:
    """A source's settings for behaviour events, read once."""

    def __init__(self, settings: Settings) -> None:
        options = settings.options
        self.settings = settings
        self.keys = IdentityKeys(options.get("identities", {}))
        self.limits = ClockLimits(**options.get("clock", {}))
        self.product_keys: tuple[str, ...] = tuple(options.get("product_keys", ()))


class _RulesCache:
    """The rules of the settings used last; a process reads events under one set of settings."""

    def __init__(self) -> None:
        self._last: SensorsRules | None = None

    def of(self, settings: Settings) -> SensorsRules:
        last = self._last
        if last is None or last.settings is not settings:
            last = self._last = SensorsRules(settings)
        return last


RULES = _RulesCache()


@dataclass(slots=True)
class _Event:
    """One event on its way to rows and observations."""

    value: dict[str, Any]
    context: Context
    rules: SensorsRules
    parsed: Parsed
    kind: str
    distinct_id: str


def parse_sensors(record: Record) -> Parsed:
    """One behaviour row of the event, and what it says about identities."""
    value: dict[str, Any] = record.value
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    distinct_id = required(text(value.get("distinct_id")), "distinct_id")
    kind = required(text(value.get("type")), "type")
    if kind not in TRACKS and kind not in PROFILES:
        parsed.unknown_values.append(("type", kind))
    event = _Event(value, record.context, RULES.of(record.settings), parsed, kind, distinct_id)
    if kind in NAMES_ITSELF:
        ids = _identifiers(event)
        row = _row(record, event, _subject(ids))
        if ids:
            _observe(event, ids, row)
    else:
        visitor = _visitor(event)
        row = _row(record, event, visitor.subject)
        parsed.observations += visitor.seen(record.context, row["event_at"])
    parsed.rows.append(("silver.events", row))
    return parsed


class _Visitor:
    """Whose an event is by its ids, and what those state on a day: worked out once for all events of a visit."""

    def __init__(self, ids: list[IdKey]) -> None:
        self.ids = ids
        self.subject = _subject(ids)
        self._seen: tuple[str, list[dict[str, Any]]] | None = None

    def seen(self, context: Context, at_ms: int) -> list[dict[str, Any]]:
        """The observations that the visitor was there at the time."""
        day = sighting_day(at_ms, context)
        seen = self._seen
        if seen is None or seen[0] != day:
            parsed = Parsed()
            observe_visit(parsed, context, self.ids, at_ms)
            seen = self._seen = day, parsed.observations
        return seen[1]


def _visitor(event: _Event) -> _Visitor:
    """The visitor that the event's ids name; kept at hand unless an id of theirs is a signal, which each event tells.

    The ids are compared as JSON, where 1, 1.0, "1" and true differ.
    """
    value, places = event.value, event.rules.keys.places(event.context)
    ids = (event.distinct_id, value.get("anonymous_id"), value.get("login_id"), value.get("identities"))
    try:
        stated = orjson.dumps(ids)
    except TypeError:  # a number beyond 64 bits
        return _Visitor(_identifiers(event))
    known = places.visitors.get(stated)
    if known is None:
        signals = len(event.parsed.unknown) + len(event.parsed.unknown_values)
        known = _Visitor(_identifiers(event))
        if len(event.parsed.unknown) + len(event.parsed.unknown_values) == signals:
            if len(places.visitors) >= _VISITORS:
                places.visitors.clear()
            places.visitors[stated] = known
    return known


def _subject(ids: list[IdKey]) -> Subject | None:
    found = subject_of(ids)
    return None if found is None else Subject(*found)


def _row(record: Record, event: _Event, subject: Subject | None) -> dict[str, Any]:
    value, context = event.value, event.context
    name = text(value.get("event")) or (required(None, "event") if event.kind in TRACKS else event.kind)
    device_ms, stated = _device_time(value.get("time"), "time")
    flush_ms, _ = _device_time(value.get("_flush_time"), "_flush_time")
    moment = device_moment(device_ms, None if value.get("time_free") is True else flush_ms, context, event.rules.limits)
    properties = mapping(value.get("properties"), "properties")
    row: dict[str, Any] = {
        "event_id": stable_id(
            "sensors", event.distinct_id, text(value.get("_track_id")) or "", stated, event.kind, name
        ),
        "source": "sensors",
        "app_id": context.app_id or text(properties.get("$app_id")),
        "event": name,
        "event_at": moment.at_ms,
        "device_at": device_ms,
        "clock_flag": moment.flag,
        "business_date": day_of(moment.at_ms),
        "url_path": _path(properties.get("$url_path")),
        "scene": scene_code(properties.get("$scene")) or scene_code(properties.get("$latest_scene")),
        "utm_source": first_said(properties, UTM_SOURCE),
        "utm_campaign": first_said(properties, UTM_CAMPAIGN),
        "product_id": first_said(properties, event.rules.product_keys),
        "duration_ms": _duration_ms(properties),
        "sharer_key": _sharer_key(properties, context),
        "properties": properties_json(properties, _TAKEN),
        "version_key": version_key(device_ms, record.digest),
    }
    if subject is not None:
        row["subject"] = subject
    return row


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


def _identifiers(event: _Event) -> list[IdKey]:
    """The event's identifiers: its identities, its own login and anonymous id, and its distinct id where no other
    says whose the event is or where it is the openid that they leave out."""
    places = event.rules.keys.places(event.context)
    found: list[IdKey] = []
    stated = event.value.get("identities")
    if stated:
        for key, raw in mapping(stated, "identities").items():
            place, value = places[key], text(raw)
            if place is None:
                event.parsed.unknown[f"identities.{key}"] = raw
            elif value is not None:
                found.append((*place, value))
    for one in _own_ids(event):
        if one not in found:
            found.append(one)
    if event.kind in NAMES_ITSELF or all(one[0] == "phone" for one in found):
        _add_distinct(found, event)
    elif reads_as_openid(event.distinct_id, event.context) and not _holds_openid(found, event):
        found.append(distinct_identifier(event.distinct_id, event.context))
    return found


def _holds_openid(found: list[IdKey], event: _Event) -> bool:
    """Whether the ids hold an openid of the app, or the distinct id as something else (a unionid has an openid's form).

    A form is a guess: it never joins a second openid to one that was stated.
    """
    openid_of_app = ("wx_openid", event.context.app_id)
    return any(one[2] == event.distinct_id or one[:2] == openid_of_app for one in found)


def _own_ids(event: _Event) -> list[IdKey]:
    own: list[IdKey] = []
    anonymous, login = text(event.value.get("anonymous_id")), text(event.value.get("login_id"))
    if anonymous:
        own.append(distinct_identifier(anonymous, event.context))
    if login:
        key, joined, rest = login.partition("+")
        one = event.rules.keys.identifier(key, rest, event.context) if joined else None
        if one is not None:
            own.append(one)
        elif joined and key.startswith("$identity_"):
            event.parsed.unknown_values.append(("login_id", key))
        else:
            own.append(("login_id", event.context.brand, plain_id(login, event.value.get("identities"))))
    return own


def _add_distinct(found: list[IdKey], event: _Event) -> None:
    """The distinct id, where it has a part of its own: at a sign-up it is the login id, joined with the original id."""
    held = {one[2] for one in found}
    signup = event.kind == "track_signup"
    plain = _plain_distinct(event)
    if plain not in held:
        found.append(("login_id", event.context.brand, plain) if signup else distinct_identifier(plain, event.context))
    original = text(event.value.get("original_id"))
    if signup and original and original not in held:
        found.append(distinct_identifier(original, event.context))


def _plain_distinct(event: _Event) -> str:
    return plain_id(event.distinct_id, event.value.get("identities"))


def plain_id(stated: str, identities: Any = None) -> str:
    """The id inside an id of the joined form `key+id`, else the id itself. A key is SensorsData's own, or one that
    `identities` holds with that very id.

    >>> plain_id("$identity_login_id+u88"), plain_id("mykey+u88", {"mykey": "u88"}), plain_id("a+b", {"a": "c"})
    ('u88', 'u88', 'a+b')
    """
    key, joined, rest = stated.partition("+")
    if not joined or not rest:
        return stated
    held = text(identities.get(key)) if isinstance(identities, Mapping) else None
    return rest if key.startswith("$identity_") or held == rest else stated


def _observe(event: _Event, ids: list[IdKey], row: Mapping[str, Any]) -> None:
    if event.kind == "track_id_bind":
        _observe_bind(event, ids, row)
    elif event.kind == "track_id_unbind":
        _observe_unbind(event, ids, row)
    else:
        observe_visit(event.parsed, event.context, ids, row["event_at"])


def observe_visit(parsed: Parsed, context: Context, ids: list[IdKey], at_ms: int) -> None:
    """The accounts were seen together on the day; a phone among them only makes a candidate, in a row of its own."""
    day = sighting_day(at_ms, context)
    accounts = [one for one in ids if not is_phone(one[0])]
    observe_day(parsed, context.feed, accounts, day)
    holder = subject_of(accounts) if len(accounts) < len(ids) else None
    if holder is None:
        return
    for one in ids:
        if is_phone(one[0]):
            name = f"{stable_id(one[0], *holder)}:{day}"
            observe_once(parsed, context.feed, name, at_ms=day_start_ms(day), ids=as_ids([holder, one]))


def _observe_bind(event: _Event, ids: list[IdKey], row: Mapping[str, Any]) -> None:
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


def _holder(event: _Event, accounts: list[IdKey]) -> IdKey:
    """The id by which the event names the person: the login id, else the distinct id, which is always among them; one
    without a scope, which is refused, only where there is no other."""
    logins = [one for one in accounts if one[0] == "login_id"]
    named = [one for one in accounts if one[2] == _plain_distinct(event)]
    ranked = [*logins, *named, *accounts]
    return next((one for one in ranked if one[1]), ranked[0])


def _observe_unbind(event: _Event, ids: list[IdKey], row: Mapping[str, Any]) -> None:
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

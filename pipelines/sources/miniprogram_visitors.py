"""Who a mini-program event is about: its identifiers, the visitor they name, and what a visit says about identities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pipelines.sources.base import Context, Parsed, Settings, Subject
from pipelines.sources.fields import mapping, text
from pipelines.sources.miniprogram_clock import ClockLimits
from pipelines.sources.miniprogram_identities import (
    IdentityKeys,
    as_ids,
    distinct_identifier,
    reads_as_openid,
    subject_of,
)
from pipelines.sources.sightings import (
    IdKey,
    day_start_ms,
    is_phone,
    observe_day,
    observe_once,
    sighting_day,
    stable_id,
)

NAMES_ITSELF = frozenset({"track_signup", "track_id_bind", "track_id_unbind"})
"""Types whose distinct id takes part although other ids are given."""

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
class Event:
    """One event on its way to rows and observations."""

    value: dict[str, Any]
    context: Context
    rules: SensorsRules
    parsed: Parsed
    kind: str
    distinct_id: str


class Visitor:
    """Whose an event is by its ids, and what those state on a day: worked out once for all events of a visit."""

    def __init__(self, ids: list[IdKey]) -> None:
        self.ids = ids
        self.subject = subject_column(ids)
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


def visitor_of(event: Event) -> Visitor:
    """The visitor that the event's ids name; kept at hand unless an id is a signal, which each event tells."""
    stated = _stated_ids(event.value, event.distinct_id)
    visitors = event.rules.keys.places(event.context).visitors
    known: Visitor | None = None if stated is None else visitors.get(stated)
    if known is not None:
        return known
    signals = len(event.parsed.unknown) + len(event.parsed.unknown_values)
    visitor = Visitor(identifiers_of(event))
    if stated is not None and len(event.parsed.unknown) + len(event.parsed.unknown_values) == signals:
        if len(visitors) >= _VISITORS:
            visitors.clear()
        visitors[stated] = visitor
    return visitor


def visitor_at_hand(
    value: Mapping[str, Any], distinct_id: str, rules: SensorsRules, context: Context
) -> Visitor | None:
    """The visitor, where an event with the same ids was read a short while ago."""
    stated = _stated_ids(value, distinct_id)
    known: Visitor | None = None if stated is None else rules.keys.places(context).visitors.get(stated)
    return known


def _stated_ids(value: Mapping[str, Any], distinct_id: str) -> bytes | None:
    """The ids as JSON, where 1, 1.0, "1" and true differ; None where a number beyond 64 bits is among them."""
    try:
        return orjson.dumps((distinct_id, value.get("anonymous_id"), value.get("login_id"), value.get("identities")))
    except TypeError:
        return None


def subject_column(ids: list[IdKey]) -> Subject | None:
    """Whose event it is, as a row states it."""
    found = subject_of(ids)
    return None if found is None else Subject(*found)


def identifiers_of(event: Event) -> list[IdKey]:
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


def _holds_openid(found: list[IdKey], event: Event) -> bool:
    """Whether the ids hold an openid of the app, or the distinct id as something else (a unionid has an openid's form).

    A form is a guess: it never joins a second openid to one that was stated.
    """
    openid_of_app = ("wx_openid", event.context.app_id)
    return any(one[2] == event.distinct_id or one[:2] == openid_of_app for one in found)


def _own_ids(event: Event) -> list[IdKey]:
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


def _add_distinct(found: list[IdKey], event: Event) -> None:
    """The distinct id, where it has a part of its own: at a sign-up it is the login id, joined with the original id."""
    held = {one[2] for one in found}
    signup = event.kind == "track_signup"
    plain = plain_distinct(event)
    if plain not in held:
        found.append(("login_id", event.context.brand, plain) if signup else distinct_identifier(plain, event.context))
    original = text(event.value.get("original_id"))
    if signup and original and original not in held:
        found.append(distinct_identifier(original, event.context))


def plain_distinct(event: Event) -> str:
    """The event's distinct id without the key it may be joined with."""
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

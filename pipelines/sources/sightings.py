"""Identity evidence of the private domain: which day a sighting counts for, and observations that stay the same when
they are seen again.

Two kinds of evidence are told apart. What happens once and says when (a phone given, a bind) keeps its exact time.
What is repeated all day long (an event of a known visitor, a contact in a daily pull) is one observation per set of
identifiers and business day, at the start of that day: however many rows repeat it and in whatever order they are
read, the observation is the same, and it is never later than the sighting itself. Ids of observations hold no phone,
because a plain digest of a phone can be reversed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from pipelines.sources.base import Context, Parsed, RecordRefusedError, Sighting, Subject
from pipelines.sources.fields import rfc3339, text

DAY_MS = 86_400_000
SHANGHAI_MS = 28_800_000
_EPOCH = date(1970, 1, 1)
_MOBILE_DIGITS = 11
_LONGEST_PHONE = 15
_LONGEST_MS = 253_402_300_799_000
_SIGHTINGS = 8192
"""How many sightings are kept at hand: what one visitor does in a day stands close together."""

IdKey = tuple[str, str, str]
"""An identifier in short: namespace, scope, value."""
Id = dict[str, str]
"""An identifier as an observation states it: namespace, scope, value and, for phones, role."""


def stable_id(*parts: str) -> str:
    """The parts as one id of 32 hex characters.

    >>> stable_id("a", "b") == stable_id("a", "b"), stable_id("ab") == stable_id("a", "b")
    (True, False)
    """
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=4096)
def day_start_ms(day: str) -> int:
    """The first instant of a business day in Asia/Shanghai, UTC epoch ms.

    >>> day_start_ms("2025-01-01")
    1735660800000
    """
    try:
        return (date.fromisoformat(day) - _EPOCH).days * DAY_MS - SHANGHAI_MS
    except ValueError:
        raise RecordRefusedError("bad_value", "interval: not a day of the form YYYY-MM-DD") from None


def day_end_ms(day: str) -> int:
    """The last instant of a business day in Asia/Shanghai, UTC epoch ms."""
    return day_start_ms(day) + DAY_MS - 1


@lru_cache(maxsize=8192)
def _day_of_index(index: int) -> str:
    return (_EPOCH + timedelta(days=index)).isoformat()


def day_of(moment_ms: int) -> str:
    """The business day of an instant.

    >>> day_of(1735660800000), day_of(1735660799999)
    ('2025-01-01', '2024-12-31')
    """
    return _day_of_index((moment_ms + SHANGHAI_MS) // DAY_MS)


def seen_ms(context: Context) -> int:
    """When a state was seen: on receipt, else at the end of the day that was pulled."""
    return context.received_ms if context.received_ms is not None else day_end_ms(context.interval)


def sighting_day(moment_ms: int, context: Context) -> str:
    """The day a repeated sighting counts for: its own, at the latest the day of its arrival."""
    return min(day_of(moment_ms), context.interval)


def moment(value: Any, name: str) -> int | None:
    """A time as UTC epoch ms, given as epoch milliseconds (number or digits), as RFC 3339 text or as a day.

    >>> moment(1735700731000, "at"), moment("2025-01-01T11:05:31+08:00", "at"), moment("2025-01-01", "at")
    (1735700731000, 1735700731000, 1735660800000)
    """
    raw = text(value)
    if raw is None or raw == "0":
        return None
    if raw.isascii() and raw.lstrip("-").isdigit():
        millis = int(raw)
    elif len(raw) == len("2025-01-01") and not isinstance(value, (int, float)):
        millis = _day_text_ms(raw, name)
    else:
        millis = rfc3339(raw, name) or 0
    if not 0 < millis <= _LONGEST_MS:
        raise RecordRefusedError("bad_value", f"{name}: a time outside 1970 to 9999")
    return millis


def _day_text_ms(raw: str, name: str) -> int:
    try:
        return day_start_ms(raw)
    except RecordRefusedError:
        raise RecordRefusedError("bad_value", f"{name}: neither epoch milliseconds nor RFC 3339 nor a day") from None


def make_id(namespace: str, scope: str, value: str, role: str = "") -> Id:
    """One identifier of an observation; an empty scope is refused downstream, with a row in the rejections."""
    made = {"namespace": namespace, "scope": scope, "value": value}
    if role:
        made["role"] = role
    return made


def observe_subject(parsed: Parsed, context: Context, record_id: str, subject: Subject, at_ms: int) -> None:
    """The one a fact belongs to was seen: whoever is new gets a OneID. A phone stated there is the person's own."""
    if is_phone(subject.namespace):
        ids = [make_id(subject.namespace, subject.scope, subject.value, "verified")]
        observe_once(parsed, context.feed, record_id, at_ms=at_ms, ids=ids)
    else:
        key = (subject.namespace, subject.scope, subject.value)
        observe_day(parsed, context.feed, [key], sighting_day(at_ms, context))


def brand_record(kind: str, context: Context, number: str) -> str:
    """The id of an observation made by one of a brand's own records, whose number counts within the brand.

    >>> brand_record("ledger", Context("points_events", "2025-01-01", brand="brandA"), "L1")
    'ledger@brandA:L1'
    """
    return f"{kind}@{context.brand}:{number}" if context.brand else f"{kind}:{number}"


def is_phone(namespace: str) -> bool:
    """Whether the namespace holds phones, in clear or hashed.

    >>> is_phone("phone_sha256"), is_phone("tmall_mix_mobile"), is_phone("member_id")
    (True, True, False)
    """
    return namespace.startswith("phone") or namespace == "tmall_mix_mobile"


def read_subject(value: Any, name: str) -> Subject:
    """The subject `{namespace, scope, value}` of one of the brand's own records; without it the record is refused."""
    if not isinstance(value, dict):
        raise RecordRefusedError("missing_field", f"{name} is required, an object of namespace, scope and value")
    namespace, found = text(value.get("namespace")), text(value.get("value"))
    if not namespace or not found:
        raise RecordRefusedError("missing_field", f"{name}.namespace and {name}.value are required")
    return Subject(namespace, text(value.get("scope")) or "", found)


def observe_day(parsed: Parsed, feed: str, keys: Iterable[IdKey], day: str) -> None:
    """The identifiers, none of them a phone, were seen together on a day: one observation however often it is said."""
    order = tuple(sorted(set(keys)))
    if order:
        parsed.observations.append(_sighting(feed, order, day))


@lru_cache(maxsize=_SIGHTINGS)
def _sighting(feed: str, order: tuple[IdKey, ...], day: str) -> Sighting:
    """The observation that these identifiers were seen together on a day."""
    return Sighting(
        observation_id=f"{_digest_of(order)}:{day}",
        source=feed,
        kind="link",
        event_time=day_start_ms(day),
        ids=[{"namespace": namespace, "scope": scope, "value": value} for namespace, scope, value in order],
    )


def _digest_of(order: Iterable[IdKey]) -> str:
    """One id for identifiers in order; a member or login id that may be a mobile number takes no part in it."""
    parts: list[str] = []
    for namespace, scope, value in order:
        may_be_phone = (
            len(value) <= _LONGEST_PHONE and len(value) >= _MOBILE_DIGITS and value[-_MOBILE_DIGITS:].isdigit()
        )
        parts += (namespace, scope, "" if may_be_phone else value)
    return stable_id(*parts)


def observe_once(
    parsed: Parsed, feed: str, observation_id: str, *, at_ms: int, ids: list[Id], kind: str = "link"
) -> None:
    """The identifiers belong together (or, for an unbind, no longer do) at a time that the source states itself."""
    if ids:
        parsed.observe(observation_id=observation_id, source=feed, kind=kind, event_time=at_ms, ids=ids)

"""Identity evidence of the public domain: one observation per order, refund or member call, however often it is sent.

The id of an observation is made of the source's record and of the evidence itself: a version that names the same
identifiers is the same observation, a version that names others (an id that came late) is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pipelines.sources.base import Context, Parsed, Subject
from pipelines.sources.sightings import Id, day_start_ms, is_phone, make_id

_CHECK_BYTES = 2
_OWN_ROLES = frozenset({"buyer", "verified"})
"""Roles in which a phone is the person's own; a recipient's says nothing of whose a fact is."""


def named(namespace: str, scope: str, value: str | None, role: str = "") -> list[Id]:
    """The identifier as an observation names it, in a list; an empty list when there is none."""
    return [make_id(namespace, scope, value, role)] if value else []


def subject_of(ids: Sequence[Id]) -> Subject | None:
    """The identifier that a fact of these ids belongs to: the first that has a scope, or is a phone and needs none.

    Without a scope an identifier is refused, and the fact would be nobody's although another one names the person.
    """
    usable = (one for one in ids if one["scope"] or (is_phone(one["namespace"]) and one.get("role", "") in _OWN_ROLES))
    found = next(usable, ids[0] if ids else None)
    return None if found is None else Subject(found["namespace"], found["scope"], found["value"])


def deposit_or(status: str, *, held: bool) -> str:
    """The state of an order, which is `deposit_paid` while its deposit is held and nothing more happened.

    >>> deposit_or("created", held=True), deposit_or("created", held=False), deposit_or("closed", held=True)
    ('deposit_paid', 'created', 'closed')
    """
    return "deposit_paid" if held and status == "created" else status


def first_known(context: Context, *candidates: int | None) -> int:
    """The first time that is known, UTC ms: of the record, else of its receipt, else the start of its interval."""
    for candidate in (*candidates, context.received_ms):
        if candidate is not None:
            return candidate
    return day_start_ms(context.interval)


def listed(at_ms: int) -> int:
    """The version time of a row out of a listing: listings are ordered among themselves, and below every stated change.

    A listing only shows that somebody is there (a buyer in a member list, a member who asked); what a call stated (a
    membership begun or ended) must not be undone by it, so its seconds stand where a stated change has milliseconds.
    """
    return at_ms // 1000


def member_rank(status: str) -> int:
    """Rank of a membership's state among versions of one time: of what began and ended together, the end counts."""
    return 1 if status == "left" else 0


def observe(parsed: Parsed, context: Context, about: str, *, ids: Sequence[Id], at: int, kind: str = "link") -> None:
    """The observation is added unless it names nobody. `about` is the source's record (`order:6923`), `at` UTC ms."""
    if not ids:
        return
    observation: dict[str, Any] = {
        "observation_id": f"{about}:{_evidence_digest(kind, at, ids)}",
        "source": context.feed,
        "kind": kind,
        "event_time": at,
        "ids": list(ids),
    }
    parsed.observations.append(observation)


def _evidence_digest(kind: str, at: int, ids: Sequence[Id]) -> str:
    """Personal values (those with a role) take part by a 16-bit check only, so that trying all numbers finds nobody."""
    parts = [kind, str(at)]
    for one in ids:
        role = one.get("role", "")
        value = hashlib.blake2b(one["value"].encode(), digest_size=_CHECK_BYTES).hexdigest() if role else one["value"]
        parts += (one["namespace"], one["scope"], value, role)
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()

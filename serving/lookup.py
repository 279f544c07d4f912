"""Whose an identifier is: the rules that turn what a user typed into an answer from a snapshot.

Identifiers are normalised by the policy the snapshot was made with and personal values become tokens, so that no clear
value is compared or kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from identity.identifier import Identifier, key64, parse_identifier
from identity.namespace import PHONE
from identity.normalise import normalise_identifier
from identity.phone import normalise_phone
from identity.token import is_personal, node_token, phone_forms, pii_token
from serving.contract import key_check
from serving.errors import ConfigRefusedError
from serving.store import Period, Snapshot

MASK = "••••"
"""Shown for a personal identifier whose mask the snapshot does not hold."""


@dataclass(frozen=True)
class Answer:
    """Whose an identifier is.

    `status`: active, contested, held, hub or expired as in the map; `ambiguous` when what was typed fits several people
    (`candidates`); `unowned` for an order without OneID; `unknown`; `refused` with the `rule` that refuses the value.
    `display` never shows personal data.
    """

    status: str
    one_id: str | None = None
    candidates: tuple[str, ...] = ()
    matched_by: str | None = None
    namespace: str | None = None
    scope: str | None = None
    display: str | None = None
    rule: str | None = None
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    first_seen_ms: int | None = None
    last_seen_ms: int | None = None


UNKNOWN = Answer("unknown")


class Finder:
    """Answers look-ups from one snapshot; `identity_key` is needed for personal values only."""

    def __init__(self, snapshot: Snapshot, identity_key: str | None) -> None:
        self._snapshot = snapshot
        self._identity_key = identity_key

    def find(self, identifier: Identifier, at_ms: int | None = None) -> Answer:
        """Whose the identifier is (at that time); ConfigRefusedError when it is personal and no key is at hand."""
        reading = normalise_identifier(identifier, self._snapshot.policy)
        if reading.refusal:
            return Answer("refused", namespace=identifier.namespace, rule=reading.refusal)
        periods = self._periods(reading.identifier)
        answers = [self._answer(period, "identifier") for period in periods if _holds(period, at_ms)]
        return _joined(answers)

    def find_text(self, text: str, at_ms: int | None = None) -> Answer:
        """Whose what was typed is: `namespace:scope:value`, a phone, an order number, or any identifier's value."""
        identifier = self._as_identifier(text)
        if identifier is not None:
            return self.find(identifier, at_ms)
        trimmed = text.strip()
        if not trimmed:
            return Answer("refused", rule="reject_value")
        answers = [*self._by_phone(trimmed, at_ms), *self._by_order(trimmed), *self._by_value(trimmed, at_ms)]
        return _joined(answers)

    def _as_identifier(self, text: str) -> Identifier | None:
        if text.count(":") < 2:
            return None
        identifier = parse_identifier(text)
        return identifier if self._snapshot.policy.spec(identifier.namespace.strip()) else None

    def _periods(self, identifier: Identifier) -> list[Period]:
        namespace, scope, _ = identifier
        spec = self._snapshot.policy.spec(namespace)
        value = node_token(self._key(), identifier, spec) if is_personal(identifier, spec) else identifier.value
        found = self._periods_of(Identifier(namespace, scope, value))
        if found or namespace != PHONE:
            return found
        forms = phone_forms(self._key(), identifier.value, {})
        hashed = (Identifier(form, "", token) for form, tokens in forms.items() for token in tokens)
        return next(filter(None, map(self._periods_of, hashed)), [])

    def _periods_of(self, node: Identifier) -> list[Period]:
        """Periods of the identifier, found by itself or by the form it is an alias of; equal keys are compared."""
        key = key64(*node)
        found = [period for period in self._snapshot.periods(key) if period[:3] == node]
        if found:
            return found
        return [period for target in self._snapshot.alias_targets(key) for period in self._snapshot.periods(target)]

    def _by_phone(self, text: str, at_ms: int | None) -> Iterator[Answer]:
        number = normalise_phone(text).number
        if not number:
            return
        yield replace(self.find(Identifier(PHONE, "", number), at_ms), matched_by="phone")
        for spec in self._snapshot.policy.namespaces.values():
            if spec.holds_person:
                yield from self._by_value(pii_token(self._key(), spec.name, text), at_ms)

    def _by_order(self, text: str) -> Iterator[Answer]:
        for owner in self._snapshot.order_owners(text):
            if owner is None:
                yield Answer("unowned", matched_by="order")
            else:
                yield Answer("active", one_id=self._snapshot.profile_of(owner).one_id, matched_by="order")

    def _by_value(self, value: str, at_ms: int | None) -> Iterator[Answer]:
        for period in self._snapshot.periods_by_value(value):
            if _holds(period, at_ms):
                yield self._answer(period, "identifier")

    def _answer(self, period: Period, matched_by: str) -> Answer:
        return Answer(
            period.status,
            one_id=self._owner(period),
            candidates=tuple(json.loads(period.candidates)) if period.candidates else (),
            matched_by=matched_by,
            namespace=period.namespace,
            scope=period.scope,
            display=shown(period),
            valid_from_ms=period.valid_from_ms,
            valid_to_ms=period.valid_to_ms,
            first_seen_ms=period.first_seen_ms,
            last_seen_ms=period.last_seen_ms,
        )

    def _owner(self, period: Period) -> str | None:
        if period.one_id is not None:
            return period.one_id
        return self._snapshot.living(period.former_one_id) if period.former_one_id else None

    def _key(self) -> str:
        key = self._identity_key
        if key is None:
            raise ConfigRefusedError(
                "phones cannot be looked up: the API has no identity key",
                where="CDP_IDENTITY_KEY",
                hint="start it with the lake's identity.key, or set CDP_IDENTITY_KEY",
            )
        if self._snapshot.key_check and key_check(key) != self._snapshot.key_check:
            raise ConfigRefusedError(
                "phones cannot be looked up: the API's identity key is not the one of the snapshot",
                where="CDP_IDENTITY_KEY",
                hint="start it with the identity.key of the lake that published the snapshot",
            )
        return key


def shown(period: Period) -> str:
    """An identifier's value as it may be shown: platform ids as they are, personal data as its mask."""
    return (period.display or MASK) if period.personal else period.value


def _holds(period: Period, at_ms: int | None) -> bool:
    if at_ms is None:
        return period.valid_to_ms is None
    begins = period.valid_from_ms is None or period.valid_from_ms <= at_ms
    return begins and (period.valid_to_ms is None or at_ms < period.valid_to_ms)


def _joined(answers: Sequence[Answer]) -> Answer:
    """One answer out of several: the only one with an owner, or all owners as candidates."""
    known = [answer for answer in answers if answer.status not in ("unknown", "refused")]
    if not known:
        return answers[0] if answers else UNKNOWN
    owners = sorted({answer.one_id for answer in known if answer.one_id is not None})
    if len(owners) > 1:
        return Answer("ambiguous", candidates=tuple(owners))
    return next((answer for answer in known if answer.one_id is not None), known[0])

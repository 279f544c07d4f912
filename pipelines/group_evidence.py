"""The evidence of a few groups, read from the lake without a JVM: for look-ups, explanations and decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from identity.business_time import day_end_ms
from identity.claims import RULE, SOURCE, claim_record
from identity.decision import Decision
from identity.evidence import rename
from identity.identifier import Identifier, key64, parse_identifier
from identity.namespace import PHONE, PHONE_FORMS
from identity.normalise import Reading, normalise_identifier
from identity.order import Order
from identity.policy import Policy
from identity.registry import RegistryState
from identity.resolution import Resolution
from identity.resolve import resolve_evidence
from identity.token import node_token, phone_forms
from pipelines.jobs.s3_special import GroupRows, read_evidence, read_registry
from pipelines.jobs.s3_unlinks import root_targets
from pipelines.jobs.s3_work import decision_ends
from pipelines.store.versions import rows_of

_TOKEN = re.compile(r"[0-9a-f]{32}")
Row = dict[str, Any]
Versions = dict[str, int]
OBSERVATIONS = "silver.identity_observations"


def written(text: str) -> Identifier:
    """What a text names as it is written: namespace:scope:value, or a bare number, which is a phone.

    >>> str(written("13912345678")), written("openid:wx1:o1").namespace
    ('phone::13912345678', 'openid')
    """
    return parse_identifier(text if text.count(":") >= 2 else f"{PHONE}::{text}")


@dataclass(frozen=True)
class LakeReader:
    """A lake as look-ups see it: its folder, the policy, and the keys that make tokens."""

    lake: Path
    policy: Policy
    identity_key: str
    mix_keys: Mapping[str, str] = field(default_factory=dict)

    def names(self, text: str) -> tuple[Identifier, ...]:
        """The names the lake may have for what a text means, the likeliest first; none when the rules refuse it.

        A bare number is a phone; a number of which only hashes were seen goes by those. A phone may also be named by
        its token, which is all that the review queue, explanations and exports show of it.
        """
        reading = self._reading(text)
        if reading.refusal:
            return (reading.identifier,) if self._is_token(reading) else ()
        spec = self.policy.spec(reading.identifier.namespace)
        stored = reading.identifier._replace(value=node_token(self.identity_key, reading.identifier, spec))
        if stored.namespace != PHONE:
            return (stored, reading.identifier) if self._is_token(reading) else (stored,)
        forms = phone_forms(self.identity_key, reading.identifier.value, self.mix_keys)
        return (stored, *(Identifier(form, "", token) for form in PHONE_FORMS for token in forms[form]))

    def refusal(self, text: str) -> str:
        """The rule that refuses what a text means, empty when none does."""
        reading = self._reading(text)
        return "" if self._is_token(reading) else reading.refusal

    def _is_token(self, reading: Reading) -> bool:
        """Whether a value may be a phone's token, be it no value of its namespace or also a hash."""
        spec = self.policy.spec(reading.identifier.namespace)
        written = reading.refusal in ("", "malformed") and _TOKEN.fullmatch(reading.identifier.value)
        return spec is not None and spec.is_phone and bool(written)

    def _reading(self, text: str) -> Reading:
        return normalise_identifier(written(text), self.policy)

    def stored(self, text: str) -> Identifier | None:
        """What a text means, by the name the lake has or would have for it; None when the rules refuse it."""
        names = self.names(text)
        known = self.current(names[:1]) or self.present(names[1:])
        return next((name for name in names if name in known), names[0] if names else None)

    def order(self) -> Order:
        """The order key of stored identifiers: personal values are tokens already."""
        return Order(self.policy, lambda identifier: identifier.value)

    def rows(self, name: str, where: str, parameters: dict[str, object] | None = None) -> list[Row]:
        """The rows of a table that a condition holds for."""
        return rows_of(self.lake, name, f"SELECT * FROM t WHERE {where}", parameters)

    def present(self, identifiers: Iterable[Identifier]) -> dict[Identifier, Row]:
        """The present rows of the map for these identifiers, by these very names."""
        keys = {key64(*identifier): identifier for identifier in identifiers}
        if not keys:
            return {}
        found = self.rows(
            "identity.oneid_map", "valid_to IS NULL AND identifier_key IN (SELECT unnest($keys))", {"keys": list(keys)}
        )
        return {keys[row["identifier_key"]]: row for row in found}

    def current(self, identifiers: Iterable[Identifier]) -> dict[Identifier, Row]:
        """The present rows of the map for these identifiers, a number's also by a form that was never seen."""
        wanted = list(identifiers)
        rows = self.present(wanted)
        numbers = self.numbers_of(identifier for identifier in wanted if identifier not in rows)
        known = self.present(numbers.values())
        return rows | {form: known[number] for form, number in numbers.items() if number in known}

    def numbers_of(self, identifiers: Iterable[Identifier]) -> dict[Identifier, Identifier]:
        """The numbers that the hashed forms among these belong to, as the vault knows them, looked through once."""
        forms = [identifier for identifier in identifiers if identifier.namespace in PHONE_FORMS]
        if not forms:
            return {}
        found = rows_of(
            self.lake,
            "silver.pii_vault",
            "SELECT token, forms FROM t WHERE list_has_any(list_transform(forms, f -> f.value), $values)",
            {"values": sorted({form.value for form in forms})},
        )
        tokens = {(form["namespace"], form["value"]): row["token"] for row in found for form in row["forms"]}
        known = {form: tokens.get((form.namespace, form.value)) for form in forms}
        return {form: Identifier(PHONE, "", token) for form, token in known.items() if token is not None}


@dataclass(frozen=True)
class GroupEvidence:
    """Some whole groups: their rows of evidence, the names of hashed forms, all decisions about them."""

    rows: tuple[Row, ...]
    names: dict[Identifier, Identifier]
    decisions: tuple[Decision, ...]

    @property
    def stated(self) -> list[Row]:
        """Every identifier of every row."""
        return [stated for row in self.rows for stated in row["ids"] or ()]

    def resolve(
        self, reader: LakeReader, as_of: str, *, until: str | None = None, more: Sequence[Decision] = ()
    ) -> Resolution:
        """What the rules say of the groups; `until`: what was valid on a day; `more`: decisions to try."""
        evidence = rename(list(read_evidence(self.rows, reader.policy)), self.names)
        return resolve_evidence(
            evidence,
            [*self.decisions, *more],
            reader.policy,
            as_of=as_of,
            order_value=lambda identifier: identifier.value,
            until=None if until is None else day_end_ms(until),
        )

    def registry(self, reader: LakeReader) -> RegistryState:
        """What the registry knows of the groups' identifiers."""
        known = {
            stated["key"]: Identifier(stated["namespace"], stated["scope"], stated["value"]) for stated in self.stated
        }
        homes = reader.rows("identity.homes", "identifier_key IN (SELECT unnest($k))", {"k": list(known)})
        ids = sorted({row["home"] for row in homes})
        records = reader.rows(
            "identity.oneids", "one_id IN (SELECT unnest($i)) OR merged_into IN (SELECT unnest($i))", {"i": ids}
        )
        rows = GroupRows(homes=[{"key": row["identifier_key"], "home": row["home"]} for row in homes], records=records)
        return read_registry(rows, known)


def read_groups(reader: LakeReader, identifiers: Iterable[Identifier], decisions: Iterable[Decision]) -> GroupEvidence:
    """The evidence of the groups that these identifiers are in, and of the identifiers themselves as candidates."""
    wanted = list(identifiers)
    components = sorted({row["component"] for row in reader.current(wanted).values()})
    members = reader.rows("identity.oneid_map", "component IN (SELECT unnest($c))", {"c": components})
    inside = {Identifier(row["namespace"], row["scope"], row["value"]) for row in members} | set(wanted)
    keys = sorted(key64(*identifier) for identifier in inside)
    overlap = "list_has_any(list_transform({}, x -> x.key), $keys)"
    rows = reader.rows(OBSERVATIONS, overlap.format("ids"), {"keys": keys})
    stated = [_observed(row) for row in rows]
    stated += _unlinks(reader, {(row["source"], row["observation_id"]) for row in rows})
    claims = reader.rows("identity.claims", overlap.format("list_concat(claimant, buyer)"), {"keys": keys})
    stated += [one for row in claims for one in _claimed(row)]
    about = tuple(one for one in decisions if inside.intersection(decision_ends(one)))
    return GroupEvidence(tuple(stated), _names(reader, inside), about)


def _observed(row: Row) -> Row:
    return row | {"interval": str(row["interval"]), "rule": "", "is_new": False}


def _unlinks(reader: LakeReader, records: set[tuple[str, str]]) -> list[Row]:
    """The unlinks that finally withdraw one of the records."""
    unlinks = reader.rows(OBSERVATIONS, "kind = 'unlink'")
    roots = root_targets((row["source"], row["observation_id"], row["retracts"]) for row in unlinks)
    chosen = {(source, name) for source, name, root in roots if (source, root) in records}
    return [_observed(row) for row in unlinks if (row["source"], row["observation_id"]) in chosen]


def _claimed(row: Row) -> list[Row]:
    base = {
        "source": SOURCE,
        "observation_id": claim_record(row["claim_scope"], row["claim_id"]),
        "kind": "link",
        "event_ms": row["event_ms"],
        "interval": str(row["interval"]),
        "retracts": "",
        "valid_to_ms": None,
        "is_new": False,
    }
    found = [base | {"ids": row["claimant"], "rule": ""}]
    if row["verdict"] == "link":
        found.append(base | {"ids": [*row["claimant"], *row["buyer"]], "rule": RULE})
    return found


def _names(reader: LakeReader, inside: Iterable[Identifier]) -> dict[Identifier, Identifier]:
    held = set(inside)
    return {form: number for form, number in reader.numbers_of(held).items() if number in held}

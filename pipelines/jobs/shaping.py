"""Parsed records as final silver rows: identifiers normalised, personal values tokenised, lineage added.

The same code runs in Spark's Arrow batches and in the API's receivers; it reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from identity.errors import ObservationError
from identity.identifier import Identifier, key64
from identity.normalise import Reading, normalise_identifier
from identity.observation import NormalisedObservation, normalise_observation
from identity.policy import Policy
from identity.token import is_personal, phone_forms, pii_token
from pipelines.jobs.records import UNREADABLE, unreadable
from pipelines.keys import Keys, seal
from pipelines.sources.base import (
    Clear,
    FeedParser,
    Parsed,
    Record,
    RecordRefusedError,
    Sighting,
    Subject,
    content_digest,
)
from pipelines.tables import ALL

Row = dict[str, Any]
OBSERVATIONS = "silver.identity_observations"
REJECTIONS = "identity.rejections"
VAULT = "silver.pii_vault"
MIN_INT, MAX_INT = -(2**63), 2**63 - 1
SMALL = 1_000_000
"""Numbers below cannot be a phone, a document or an account."""

SEALED = "sealed:"
"""What stands before a sealed value in `rescued`; it opens with the vault key and the row's record_hash."""


class Shaped(msgspec.Struct):
    """Final rows by full table name; unknown fields by path and unknown values by (path, value), counted."""

    rows: dict[str, list[Row]] = msgspec.field(default_factory=dict)
    unknown: dict[str, int] = msgspec.field(default_factory=dict)
    unknown_values: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)

    def add(self, table: str, row: Row) -> None:
        """A row is added to its table."""
        rows = self.rows.get(table)
        if rows is None:
            self.rows[table] = [row]
        else:
            rows.append(row)


class Shaper:
    """Turns parsed records into rows under one policy and one set of keys; a batch gives each vault entry once."""

    def __init__(self, policy: Policy, keys: Keys, mix_keys: Mapping[str, str]) -> None:
        self.policy = policy
        self.keys = keys
        self.mix_keys = dict(mix_keys)
        self._batch = ""
        self._vaulted: set[str] = set()
        self._fresh: list[str] = []
        self._observed: set[bytes] = set()
        self._token = lru_cache(maxsize=200_000)(self.token)
        self._reading = lru_cache(maxsize=200_000)(self._read)
        self._keeping = lru_cache(maxsize=200_000)(self._keep)
        self.named = lru_cache(maxsize=50_000)(self._name_of)

    def begin_batch(self, batch: str) -> None:
        """What follows belongs to this batch: it brings its own vault entries, as the one before may be refused."""
        if batch != self._batch:
            self._batch = batch
            self._vaulted.clear()
            self._observed.clear()

    def has_observed(self, observations: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the batch has said all of this before."""
        observed = self._observed
        return all(type(raw) is Sighting and raw.digest in observed for raw in observations)

    def shape(self, record: Record, parser: FeedParser, into: Shaped) -> None:
        """The record's rows are added to the empty `into`; raises RecordRefusedError where the record is refused."""
        self._fresh = []
        try:
            self._shape(record, parser, into)
        except UNREADABLE as error:
            raise unreadable(error) from None
        self._vaulted.update(self._fresh)

    def _shape(self, record: Record, parser: FeedParser, into: Shaped) -> None:
        parsed = parser.parse(record)
        # A person's repeated sightings of one day are one observation: most of a day's events state what was stated.
        new: dict[bytes, dict[str, Any]] = {}
        for raw in parsed.observations:
            digest = raw.digest if type(raw) is Sighting else content_digest(raw)
            if digest not in self._observed:
                new[digest] = raw
        observations = [self._normalised(raw, record) for raw in new.values()]
        lineage = self._lineage(record, parsed)
        for table, row in parsed.rows:
            final = self._row(row, lineage, into)
            refused = self._refused_key(table, row, final)
            if refused is None:
                into.add(table, final)
            else:
                self._refuse_key(refused, record, into)
        if new:
            for observation in observations:
                self._observe(observation, record, into)
            self._observed.update(new)
        for path in parsed.unknown:
            into.unknown[path] = into.unknown.get(path, 0) + 1
        for seen in parsed.unknown_values:
            into.unknown_values[seen] = into.unknown_values.get(seen, 0) + 1

    def _refused_key(self, table: str, row: Row, final: Row) -> Clear | None:
        """A personal value of the row's key that was refused."""
        for name in ALL.by_name[table].key:
            if final.get(name) is None:
                clear = row.get(name)
                if type(clear) is Clear:
                    return clear
        return None

    def _refuse_key(self, clear: Clear, record: Record, into: Shaped) -> None:
        """A row that is about a refused value alone (a placeholder as an order's phone) is a rejection, not a row."""
        reading = normalise_identifier(Identifier(clear.kind, "", clear.value), self.policy)
        refused = {"namespace": clear.kind, "scope": "", "value_token": self._token("rejected", clear.value)}
        place = {"source": record.context.feed, "observation_id": record.digest, "interval": record.context.interval}
        into.add(REJECTIONS, {**place, **refused, "rule": reading.refusal or "reject_value"})

    def _row(self, row: Mapping[str, Any], lineage: Row, into: Shaped) -> Row:
        final: Row = {**lineage, **row}
        for name, value in row.items():
            kind = type(value)
            if kind is str or value is None:
                continue
            if kind is int:
                if not MIN_INT <= value <= MAX_INT:
                    raise RecordRefusedError("bad_value", f"{name}: a number beyond 64 bits")
            elif kind is Subject:
                del final[name]
                self._name(final, value, into)
            elif kind is Clear:
                final[name] = self._tokenise(value, into)
        return final

    def _name(self, row: Row, subject: Subject, into: Shaped) -> None:
        """The row has the columns of its subject; none of them where its value is refused."""
        if subject.namespace == "phone":
            self._tokenise(Clear("phone", subject.value), into)
        named = self.named(subject)
        if named is not None:
            row["subject_namespace"], row["subject_scope"], row["subject_value"], row["subject_key"] = named

    def _name_of(self, subject: Subject) -> tuple[str, str, str, int] | None:
        """The subject as the lake keeps it, with its key."""
        node, refusal = self._reading(Identifier(subject.namespace, subject.scope, subject.value))
        if refusal:
            return None
        kept = self._keeping(node)
        return node.namespace, node.scope, kept, key64(node.namespace, node.scope, kept)

    def _normalised(self, raw: Mapping[str, Any], record: Record) -> NormalisedObservation:
        try:
            return normalise_observation(raw, self.policy, record.context.interval, read=self._reading)
        except ObservationError as error:
            raise RecordRefusedError("bad_observation", str(error)) from None

    def _observe(self, observation: NormalisedObservation, record: Record, into: Shaped) -> None:
        ids = []
        for seen in observation.ids:
            namespace, scope, value = self._stored(seen.identifier, into)
            ids.append(
                {
                    "namespace": namespace,
                    "scope": scope,
                    "value": value,
                    "role": seen.role,
                    "linking": seen.linking,
                    "key": key64(namespace, scope, value),
                }
            )
        row: Row = {
            "source": observation.source,
            "observation_id": observation.observation_id,
            "kind": observation.kind,
            "event_ms": observation.event_ms,
            "interval": record.context.interval,
            "ids": ids,
            "retracts": observation.retracts,
            "valid_to_ms": observation.valid_to_ms,
            "clamped": observation.clamped,
        }
        seen_ids = [(stated["key"], stated["role"], stated["linking"]) for stated in ids]
        signature = content_digest([row["source"], row["kind"], seen_ids, row["retracts"], row["valid_to_ms"]])
        row["signature"] = int.from_bytes(signature[:8], "big", signed=True)
        row["content_hash"] = self.token("observation", observation.content)
        into.add(OBSERVATIONS, row)
        for rejection in observation.rejections:
            namespace, scope, value = rejection.identifier
            refused = {
                "namespace": namespace,
                "scope": scope,
                "value_token": self._token("rejected", value),
                "rule": rejection.rule,
            }
            place = {
                "source": observation.source,
                "observation_id": observation.observation_id,
                "interval": record.context.interval,
            }
            into.add(REJECTIONS, {**place, **refused})

    def _stored(self, node: Identifier, into: Shaped) -> tuple[str, str, str]:
        """The identifier as the lake keeps it: a personal value becomes its token, its clear text a vault entry."""
        kept = self._keeping(node)
        if node.namespace == "phone":
            self._vault(kept, "phone", node.value, into)
        return node.namespace, node.scope, kept

    def _keep(self, node: Identifier) -> str:
        """The value as the lake keeps it."""
        personal = is_personal(node, self.policy.spec(node.namespace))
        return self._token(node.namespace, node.value) if personal else node.value

    def _tokenise(self, clear: Clear, into: Shaped) -> str | None:
        if not clear.value:
            return None
        if clear.kind == "phone":
            reading = self._reading(Identifier("phone", "", clear.value))
            return None if reading.refusal else self._stored(reading.identifier, into)[2]
        token = self._token(clear.kind, clear.value)
        self._vault(token, clear.kind, clear.value, into)
        return token

    def _lineage(self, record: Record, parsed: Parsed) -> Row:
        return {
            "feed": record.context.feed,
            "interval": record.context.interval,
            "record_hash": record.digest,
            "rescued": self._rescued(record, parsed.unknown) if parsed.unknown else None,
        }

    def _rescued(self, record: Record, unknown: Mapping[str, Any]) -> str:
        """Unknown fields by path. Nobody knows what they hold, so texts, lists and great numbers are sealed."""
        return orjson.dumps(
            {path: self._sealed(record.digest, value) for path, value in unknown.items()}, option=orjson.OPT_SORT_KEYS
        ).decode()

    def _sealed(self, digest: str, value: Any) -> Any:
        if value is None or isinstance(value, bool) or (isinstance(value, (int, float)) and abs(value) < SMALL):
            return value
        return SEALED + seal(self.keys.vault, digest, orjson.dumps(value).decode())

    def _read(self, identifier: Identifier) -> Reading:
        return normalise_identifier(identifier, self.policy)

    def token(self, family: str, value: str) -> str:
        """The keyed digest of a value, 32 hex characters."""
        return pii_token(self.keys.identity, family, value)

    def _vault(self, token: str, kind: str, clear: str, into: Shaped) -> None:
        if token in self._vaulted or token in self._fresh:
            return
        self._fresh.append(token)
        forms: list[Row] = []
        if kind == "phone" and len(clear) == 11 and clear.isdigit():
            given = phone_forms(self.keys.identity, clear, self.mix_keys)
            forms = [
                {"namespace": namespace, "scope": "", "value": value}
                for namespace in sorted(given)
                for value in sorted(given[namespace])
            ]
        cipher = seal(self.keys.vault, token, clear)
        into.add(VAULT, {"token": token, "kind": kind, "cipher": cipher, "key_id": self.keys.vault_id, "forms": forms})

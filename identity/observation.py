"""Observations: one source row saying that some identifiers belong together at a time, in its one form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from identity.business_time import day_end_ms, parse_instant
from identity.errors import ObservationError
from identity.identifier import Identifier
from identity.namespace import Strength
from identity.normalise import Reading, normalise_identifier
from identity.policy import Policy
from identity.token import TOKEN_LENGTH, is_personal, pii_token

Read = Callable[[Identifier], Reading]
Kind = Literal["link", "unlink", "bind", "unbind", "replace"]
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)
KINDS: tuple[Kind, ...] = ("link", "unlink", "bind", "unbind", "replace")


class StatedId(NamedTuple):
    """An identifier as one row states it; `linking` says whether this sighting makes links or only a candidate."""

    identifier: Identifier
    role: str
    linking: bool


class Rejection(NamedTuple):
    """A refused identifier of a row, as it was written, and the rule; it is shown by `rejection_label` only."""

    rule: str
    identifier: Identifier


@dataclass(frozen=True, slots=True)
class NormalisedObservation:
    """One row after normalisation: what it states, and what of it was refused.

    `event_ms`: UTC epoch ms, clamped to the end of the interval's business day (`clamped` says so); `retracts`: the
    observation of the same source an unlink withdraws; `content`: digest of the row as it came, for duplicates.
    """

    observation_id: str
    source: str
    kind: Kind
    event_ms: int
    interval: str
    ids: tuple[StatedId, ...]
    clamped: bool = False
    retracts: str = ""
    valid_to_ms: int | None = None
    rejections: tuple[Rejection, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""


def normalise_observation(
    raw: Mapping[str, Any], policy: Policy, interval: str, *, read: Read | None = None
) -> NormalisedObservation:
    """The row in its one form. Raises ObservationError for a row that is none: it goes to quarantine.

    A refused value drops that identifier only. `interval` is the business day of the run the row arrived in. `read` is
    `normalise_identifier` under the policy, for a caller that remembers what it read.
    """
    if not isinstance(raw, Mapping):
        raise ObservationError("row", type(raw).__name__, "an object")
    kind = _kind(raw)
    reading = read or (lambda written: normalise_identifier(written, policy))
    ids, rejections = _read_ids(_id_rows(raw, kind), policy, reading, every_role=kind == "replace")
    event_ms = parse_instant(raw.get("event_time"), "event_time")
    latest = day_end_ms(interval)
    valid_to = raw.get("valid_to")
    attributes = raw.get("attributes")
    return NormalisedObservation(
        observation_id=_text(raw, "observation_id"),
        source=_text(raw, "source"),
        kind=kind,
        event_ms=min(event_ms, latest),
        interval=interval,
        ids=ids,
        clamped=event_ms > latest,
        retracts=_text(raw, "retracts") if kind == "unlink" else "",
        valid_to_ms=None if valid_to in (None, "") else parse_instant(valid_to, "valid_to"),
        rejections=rejections,
        attributes=attributes if isinstance(attributes, Mapping) else {},
        content=content_digest(raw),
    )


def content_digest(raw: Mapping[str, Any]) -> str:
    """32 hex characters over the row's content, whatever the order of its keys: equal rows are duplicates.

    Unkeyed, so for comparison in memory only; a lake stores a keyed digest.
    """
    text = _ENCODER.encode(raw)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:TOKEN_LENGTH]


def rejection_label(rejection: Rejection, policy: Policy, identity_key: str | bytes) -> str:
    """The refused identifier as namespace:scope:value, with the value's token where it is or may be personal data."""
    namespace, scope, value = rejection.identifier
    spec = policy.spec(namespace)
    if is_personal(rejection.identifier, spec) or rejection.rule == "never":
        value = pii_token(identity_key, namespace, value.strip())
    return str(Identifier(namespace, scope, value))


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        received = "nothing" if value in (None, "") else type(value).__name__
        raise ObservationError(key, received, "a text that is not empty")
    return value.strip()


def _kind(raw: Mapping[str, Any]) -> Kind:
    kind = raw.get("kind")
    if kind not in KINDS:
        raise ObservationError("kind", "another value", ", ".join(KINDS))
    return cast(Kind, kind)


def _id_rows(raw: Mapping[str, Any], kind: Kind) -> Sequence[Mapping[str, Any]]:
    rows = raw.get("ids")
    if rows is None and kind == "unlink":
        return ()
    if isinstance(rows, str) or not isinstance(rows, Sequence):
        raise ObservationError("ids", type(rows).__name__, "a list of identifiers")
    if not all(isinstance(row, Mapping) for row in rows):
        raise ObservationError("ids", "an element of another form", "objects with namespace, scope, value, role")
    least, most = {"replace": (2, 2), "unbind": (2, None), "unlink": (0, None)}.get(kind, (1, None))
    if len(rows) < least or (most is not None and len(rows) > most):
        allowed = f"exactly {least}" if most else f"at least {least}"
        raise ObservationError("ids", f"{len(rows)} identifiers", f"{allowed} for {kind}")
    return rows


def _read_ids(
    rows: Sequence[Mapping[str, Any]], policy: Policy, read: Read, *, every_role: bool
) -> tuple[tuple[StatedId, ...], tuple[Rejection, ...]]:
    stated: dict[tuple[Identifier, str], StatedId] = {}
    rejections: dict[Rejection, None] = {}
    for row in rows:
        written = Identifier(_field(row, "namespace"), _field(row, "scope"), _field(row, "value"))
        reading = read(written)
        if reading.refusal:
            rejections[Rejection(reading.refusal, written)] = None
            continue
        role = _field(row, "role").strip()
        spec = policy.namespaces[written.namespace]
        linking = spec.links(role) or (every_role and spec.strength < Strength.WEAK)
        stated[reading.identifier, role] = StatedId(reading.identifier, role, linking)
    return tuple(stated.values()), tuple(rejections)


def _field(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ObservationError(f"ids.{key}", type(value).__name__, "a text")

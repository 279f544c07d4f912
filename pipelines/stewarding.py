"""Steward decisions on the lake: checked by the rules of `identity` before they are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from identity.business_time import parse_day
from identity.decision import Decision, DecisionKind
from identity.difference import partition_difference
from identity.errors import DecisionRefused
from identity.identifier import Identifier
from identity.masking import hide_contacts
from identity.registry import assign
from identity.steward import KINDS, Desk, check, find_revocable, refuse_name
from pipelines.group_evidence import GroupEvidence, LakeReader, read_groups


@dataclass(frozen=True)
class Request:
    """What a steward asks for. `kind`: must_link, cannot_link, detach (`a` only) or revoke (`a` is a decision id)."""

    kind: str
    a: str
    b: str | None
    actor: str
    reason: str
    as_of: str


def decide(reader: LakeReader, decisions: Sequence[Decision], request: Request, as_of: str) -> Decision:
    """The decision as it would be recorded (a revoked one with who revoked it and when).

    `as_of`: business day of the last stitch. Raises DecisionRefused where it cannot stand or would change nothing, and
    BusinessDateError.
    """
    parse_day(request.as_of)
    if request.kind not in KINDS:
        raise DecisionRefused(request.kind, "unknown kind of decision", hint=", ".join(KINDS))
    if not request.actor.strip() or not request.reason.strip():
        raise DecisionRefused(request.kind, "a decision names its actor and its reason")
    if request.kind == "revoke":
        standing = find_revocable(decisions, request.a)
        return standing.revoked(actor=request.actor, reason=request.reason, as_of=request.as_of)
    kind: DecisionKind = request.kind  # type: ignore[assignment]  # checked above
    if kind != "detach" and request.b is None:
        raise refuse_name(kind, None, "")
    ends = [_named(reader, request.kind, text) for text in (request.a, request.b) if text is not None]
    groups = read_groups(reader, ends, decisions)
    first, *rest = (groups.names.get(end, end) for end in (ends[:1] if kind == "detach" else ends))
    desk = Desk(groups.resolve(reader, as_of), list(groups.decisions), reader.order())
    second = rest[0] if rest else None
    others = check(desk, kind, first, second)
    number = 1 + max((int(one.decision_id.rpartition("-")[2]) for one in decisions), default=0)
    reason = hide_contacts(request.reason)
    return Decision(f"dec-{number:06d}", kind, first, second, others, request.actor, reason, request.as_of)


def preview(
    reader: LakeReader, before: Sequence[Decision], after: Sequence[Decision], decision: Decision, as_of: str
) -> dict[str, Any]:
    """What a decision would merge and split, nothing changed; `before`, `after`: all decisions without and with it."""
    ends = [decision.a, *(other for _, other in decision.pairs)]
    groups = read_groups(reader, ends, [*before, decision])
    resolutions = [
        replace(groups, decisions=_about(groups, decisions)).resolve(reader, as_of) for decisions in (before, after)
    ]
    state = groups.registry(reader)
    outcomes = []
    for run, resolution in enumerate(resolutions, start=1):
        found = assign(resolution.parts, state, run=run, identity_key=reader.identity_key, order_value=_stored)
        outcomes.append(found)
        state = found.state
    return partition_difference(resolutions[0], outcomes[0], resolutions[1], outcomes[1])


def with_decision(decisions: Sequence[Decision], decision: Decision) -> list[Decision]:
    """All decisions with a new one, or with a known one as it is now."""
    return [*(one for one in decisions if one.decision_id != decision.decision_id), decision]


def _about(groups: GroupEvidence, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    ids = {one.decision_id for one in groups.decisions}
    return tuple(one for one in decisions if one.decision_id in ids)


def _stored(identifier: Identifier) -> str:
    return identifier.value


def _named(reader: LakeReader, kind: str, text: str) -> Identifier:
    found = reader.stored(text)
    if found is None:
        raise refuse_name(kind, text, reader.refusal(text))
    return found


def decision_row(decision: Decision) -> dict[str, Any]:
    """The decision as a row of identity.steward_decisions."""
    return {
        "decision_id": decision.decision_id,
        "kind": decision.kind,
        "a": str(decision.a),
        "b": None if decision.b is None else str(decision.b),
        "detached_from": [str(other) for other in decision.others],
        "actor": decision.actor,
        "reason": decision.reason,
        "as_of": decision.as_of,
        "revoked_as_of": decision.revoked_as_of or None,
        "revoked_by": decision.revoked_by or None,
        "revoked_reason": decision.revoked_reason or None,
    }

"""The review queue: what the rules leave open for a person to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from identity.claims import ClaimReview
from identity.identifier import Identifier
from identity.pairs import CandidateSighting
from identity.policy import ReviewCounts
from identity.resolution import Resolution

QueueKind = Literal["contested", "staff_phone", "recipient", "held", "rival_claim"]
Placed = Mapping[Identifier, str]


def build_queue(
    resolution: Resolution,
    claims: Iterable[ClaimReview],
    one_ids: Sequence[str],
    placed: Placed,
    counts: ReviewCounts,
) -> list[dict[str, Any]]:
    """All open questions, by kind, then in the order of the identifiers.

    `one_ids`: the OneID of every part; `placed`: of every identifier that has one.
    """
    return [
        *_contested(resolution, one_ids),
        *_candidates(resolution.candidates, placed, counts),
        *_held(resolution, placed),
        *_claims(claims, placed),
    ]


def _item(kind: QueueKind, identifier: Identifier, candidates: Iterable[str], evidence: Any) -> dict[str, Any]:
    return {"kind": kind, "identifier": str(identifier), "candidates": sorted(set(candidates)), "evidence": evidence}


def _contested(resolution: Resolution, one_ids: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Identifiers that stand between several people, with the observations of the suspended links."""
    contested = {i: placement for i, placement in resolution.placements.items() if placement.status == "contested"}
    observations: dict[Identifier, list[str]] = {identifier: [] for identifier in contested}
    for edge in resolution.edges:
        if edge.refusal.startswith("contested") or edge.refusal == "cannot_link":
            for end in (edge.a, edge.b):
                if end in observations:
                    observations[end] += [observation for _, observation in edge.observations]
    for identifier, placement in contested.items():
        yield _item("contested", identifier, (one_ids[part] for part in placement.candidates), observations[identifier])


def _candidates(
    sightings: Iterable[CandidateSighting], placed: Placed, counts: ReviewCounts
) -> Iterable[dict[str, Any]]:
    """Numbers seen often enough with a person they do not belong to, per role and number."""
    seen: dict[tuple[Identifier, QueueKind], dict[str, set[tuple[str, str]]]] = {}
    for one in sightings:
        kind: QueueKind = "staff_phone" if one.role == "staff" else "recipient"
        people = {placed[partner] for partner in one.partners if partner in placed}
        for one_id in people - {placed.get(one.identifier)}:
            by_person = seen.setdefault((one.identifier, kind), {})
            by_person.setdefault(one_id, set()).add((one.source, one.observation_id))
    least = {"staff_phone": counts.staff_min_sightings, "recipient": counts.recipient_min_orders}
    for (identifier, kind), by_person in sorted(seen.items()):
        often = {one_id: records for one_id, records in by_person.items() if len(records) >= least[kind]}
        if often:
            records = sorted(record for one in often.values() for record in one)
            yield _item(kind, identifier, often, [observation for _, observation in records])


def _held(resolution: Resolution, placed: Placed) -> Iterable[dict[str, Any]]:
    """Clusters over the size cap, one question each, named by their strongest identifier."""
    for identifiers in resolution.oversize:
        candidates = [placed[identifier] for identifier in identifiers if identifier in placed]
        yield _item("held", identifiers[0], candidates, {"identifiers": len(identifiers)})


def _claims(claims: Iterable[ClaimReview], placed: Placed) -> Iterable[dict[str, Any]]:
    """Claims on an order that several people make, or whose number is not the order's."""
    for review in claims:
        claimant = review.claim.claimant[-1]
        candidates = [placed[name] for name in (*review.claim.claimant, *review.buyer) if name in placed]
        evidence = {
            "order": review.order_key,
            "rule": review.rule,
            "claim": review.claim.claim_id,
            "observation": review.claim.observation_id,
        }
        yield _item("rival_claim", claimant, candidates, evidence)

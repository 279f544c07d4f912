"""Order claims: a mini-program user says that a platform order is theirs.

How claims reach the stitcher. A claim is an observation of source `order_claims`, kind `link`, whose ids are the
claimant's (openid, unionid) and whose attributes hold what was claimed; every new status is an observation of its own:

    {"claim": {"claim_id": "c1", "order_key": "douyin:6923456789012345678", "status": "pending|approved|rejected",
               "phone": "13912345670"}}

The order's own observations, of any source, carry the buyer's ids, and in their attributes what shows of the number:

    {"order": {"order_key": "douyin:6923456789012345678", "mask": "1********70", "phone": "13912345670 once decrypted"}}

`claim_verdict` decides all claims of one order together, because rivals are decided per order; a confirmed claim
becomes evidence of the rule `order_claim` that joins claimant and buyer. The number typed in a claim is a check value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from identity.evidence import Evidence, Sighting, expand, gather_evidence
from identity.identifier import Identifier
from identity.namespace import PHONE
from identity.observation import NormalisedObservation, StatedId
from identity.phone import normalise_phone
from identity.standing import withdrawn_records

SOURCE = "order_claims"
RULE = "order_claim"
UNIONID = "wx_unionid"
LEAST_END_DIGITS = 2
Outcome = Literal["link", "none", "review"]
_STATUS_RANK = {"pending": 0, "approved": 1, "rejected": 2}


@dataclass(frozen=True, slots=True)
class Claim:
    """One status of one claim. `claimant`: the ids the claim came with; `phone`: the number typed in, as written."""

    claim_id: str
    order_key: str
    claimant: tuple[Identifier, ...]
    status: str
    event_ms: int
    interval: str
    observation_id: str
    phone: str = ""

    @property
    def recency(self) -> tuple[int, str, int, str]:
        """The later the greater: by time, arrival, then status, which only moves on."""
        return self.event_ms, self.interval, _STATUS_RANK.get(self.status, 0), self.observation_id


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What is known of the order: the buyer's ids, the masks of the number, and the decrypted number."""

    order_key: str
    buyer: tuple[Identifier, ...] = ()
    masks: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()

    @property
    def numbers(self) -> list[str]:
        """The decrypted numbers in their one form; virtual ones are none."""
        return [reading.number for reading in map(normalise_phone, self.phones) if reading.number]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a claimant's latest claim does. Rules: `approved`, `mask_agrees` (link), `pending`, `rejected` (none),
    `rival_claim`, `contradicts_order` (review)."""

    claim: Claim
    outcome: Outcome
    rule: str


def claim_record(scope: str, claim_id: str) -> str:
    """The id of the observation that a claim makes; its number counts within a scope, empty where none is known.

    >>> claim_record("wx0000000000000001", "c1"), claim_record("", "c1")
    ('wx0000000000000001:c1', 'c1')
    """
    return f"{scope}:{claim_id}" if scope else claim_id


def claim_verdict(
    claims_of_one_order: Sequence[Claim],
    order_facts: OrderFacts,
    claimant_verified_phones: Mapping[Identifier, Collection[str]],
) -> list[Verdict]:
    """One verdict per claimant of an order, in the order of the claimants' names.

    Claimants are distinct unionids, else openids; two of them, not counting those whose latest status is rejected,
    link neither. A claim whose number contradicts the order links nothing, whatever its status.
    `claimant_verified_phones`: normalised numbers somebody verified, by the claimant's ids.
    """
    latest = _latest_by_claimant(claims_of_one_order)
    rivals = [claimant for claimant, claim in latest.items() if claim.status != "rejected"]
    verdicts = []
    for _, claim in sorted(latest.items()):
        verified = {phone for name in claim.claimant for phone in claimant_verified_phones.get(name, ())}
        verdicts.append(_judge(claim, order_facts, verified, rivals=len(rivals)))
    return verdicts


def _judge(claim: Claim, facts: OrderFacts, verified: Collection[str], *, rivals: int) -> Verdict:
    if claim.status == "rejected":
        return Verdict(claim, "none", "rejected")
    if contradicts(claim.phone, facts):
        return Verdict(claim, "review", "contradicts_order")
    if rivals > 1:
        return Verdict(claim, "review", "rival_claim")
    if claim.status == "approved":
        return Verdict(claim, "link", "approved")
    if any(confirms(number, facts) for number in verified):
        return Verdict(claim, "link", "mask_agrees")
    return Verdict(claim, "none", "pending")


def _latest_by_claimant(claims: Iterable[Claim]) -> dict[Identifier, Claim]:
    ordered = sorted(claims, key=lambda claim: claim.recency)
    people: dict[Identifier, Identifier] = {}
    for claim in ordered:
        for unionid in (name for name in sorted(claim.claimant) if name.namespace == UNIONID):
            people |= dict.fromkeys((name for name in claim.claimant if name.namespace != UNIONID), unionid)
    latest: dict[Identifier, Claim] = {}
    for claim in ordered:
        unionids = [name for name in sorted(claim.claimant) if name.namespace == UNIONID]
        name = unionids[0] if unionids else min(claim.claimant)
        latest[people.get(name, name)] = claim
    return latest


def contradicts(phone: str, facts: OrderFacts) -> bool:
    """Whether a typed number cannot be the order's: another one was decrypted, or a visible digit differs."""
    number = normalise_phone(phone).number
    if not number:
        return False
    known = facts.numbers
    return (bool(known) and number not in known) or any(agreeing_end(mask, number) is None for mask in facts.masks)


def confirms(number: str, facts: OrderFacts) -> bool:
    """Whether a verified number agrees with all that is visible of the order's, with at least two digits at the end."""
    ends = [agreeing_end(shown, number) for shown in (*facts.masks, *facts.numbers)]
    return None not in ends and any(end >= LEAST_END_DIGITS for end in ends if end is not None)


def agreeing_end(mask: str, number: str) -> int | None:
    """How many visible digits at the end of a mask agree with a number; None when any visible digit differs.

    >>> agreeing_end("1********70", "13912345670"), agreeing_end("*******5671", "13912345670")
    (2, None)
    >>> agreeing_end("139****", "13912345670")
    0
    """
    text = mask.strip()
    end = text.rsplit("*", 1)[-1]
    begin = text.split("*", 1)[0] if "*" in text else ""
    if not number.endswith(end) or not number.startswith(begin):
        return None
    middle_differs = len(text) == len(number) and any(
        shown not in ("*", digit) for shown, digit in zip(text, number, strict=True)
    )
    return None if middle_differs else len(end)


@dataclass(frozen=True, slots=True)
class ClaimReview:
    """A claim for a steward to look at."""

    order_key: str
    claim: Claim
    buyer: tuple[Identifier, ...]
    rule: str


def derive_claims(observations: Sequence[NormalisedObservation]) -> tuple[list[Evidence], tuple[ClaimReview, ...]]:
    """The evidence that confirmed claims make, and the claims to review, from the rows as they stand."""
    claims = _claims(observations)
    if not claims:
        return [], ()
    gone = withdrawn_records(expand(gather_evidence(observations)))
    standing = [row for row in observations if (row.source, row.observation_id) not in gone]
    facts = _facts(standing)
    verified = _verified(standing)
    evidence: list[Evidence] = []
    reviews: list[ClaimReview] = []
    for order_key, of_order in sorted(_claims(standing).items()):
        order = facts.get(order_key, OrderFacts(order_key))
        for verdict in claim_verdict(of_order, order, verified):
            if verdict.outcome == "review":
                reviews.append(ClaimReview(order_key, verdict.claim, order.buyer, verdict.rule))
            elif verdict.outcome == "link" and order.buyer:
                evidence.append(claim_evidence(verdict.claim, order))
    return evidence, tuple(reviews)


def order_keys(row: NormalisedObservation) -> list[str]:
    """The order a row claims or describes, if any: all such rows are judged together."""
    bodies = (row.attributes.get(name) for name in ("claim", "order"))
    return [key for body in bodies if isinstance(body, Mapping) and (key := _text(body, "order_key"))]


def claim_evidence(claim: Claim, facts: OrderFacts) -> Evidence:
    """The evidence that claimant and buyer are one person."""
    ids = tuple(StatedId(name, "", True) for name in sorted({*claim.claimant, *facts.buyer}))
    return Evidence(SOURCE, "link", ids, (Sighting(claim.event_ms, claim.observation_id, claim.interval),), rule=RULE)


def _claims(observations: Iterable[NormalisedObservation]) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    for row in observations:
        body = row.attributes.get("claim")
        claimant = tuple(sorted(stated.identifier for stated in row.ids if stated.linking))
        if row.source != SOURCE or not isinstance(body, Mapping) or not claimant or not _text(body, "order_key"):
            continue
        claim = Claim(
            claim_id=_text(body, "claim_id") or row.observation_id,
            order_key=_text(body, "order_key"),
            claimant=claimant,
            status=_text(body, "status"),
            event_ms=row.event_ms,
            interval=row.interval,
            observation_id=row.observation_id,
            phone=_text(body, "phone"),
        )
        found.setdefault(claim.order_key, []).append(claim)
    return found


def _facts(observations: Iterable[NormalisedObservation]) -> dict[str, OrderFacts]:
    found: dict[str, dict[str, set[Any]]] = {}
    for row in observations:
        body = row.attributes.get("order")
        if row.source == SOURCE or not isinstance(body, Mapping) or not _text(body, "order_key"):
            continue
        known = found.setdefault(_text(body, "order_key"), {"buyer": set(), "mask": set(), "phone": set()})
        known["buyer"] |= {s.identifier for s in row.ids if s.linking and not s.role}
        for key in ("mask", "phone"):
            known[key] |= {_text(body, key)} - {""}
    return {
        key: OrderFacts(key, tuple(sorted(k["buyer"])), tuple(sorted(k["mask"])), tuple(sorted(k["phone"])))
        for key, k in found.items()
    }


def _verified(observations: Iterable[NormalisedObservation]) -> dict[Identifier, set[str]]:
    found: dict[Identifier, set[str]] = {}
    for row in observations:
        if row.kind not in ("link", "bind"):
            continue
        numbers = {s.identifier.value for s in row.ids if s.identifier.namespace == PHONE and s.role == "verified"}
        for stated in row.ids if numbers else ():
            found.setdefault(stated.identifier, set()).update(numbers)
    return found


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value.strip() if isinstance(value, str) else ""

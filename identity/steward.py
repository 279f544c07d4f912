"""Whether a steward's decision can stand: not against limits, not against another decision, never without effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from identity.decision import Decision, DecisionKind, Decisions, in_force
from identity.errors import DecisionRefused
from identity.fusion import GuardedUnion, Guards
from identity.identifier import Identifier
from identity.masking import hide_numbers
from identity.order import Order
from identity.resolution import NOBODY, Resolution

KINDS: tuple[str, ...] = ("must_link", "cannot_link", "detach", "revoke")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a decision is checked against: the present resolution and the decisions so far, in canonical names."""

    resolution: Resolution
    decisions: Sequence[Decision]
    order: Order

    @property
    def standing(self) -> Decisions:
        """The decisions in force."""
        return in_force(self.decisions)

    def known(self, identifier: Identifier) -> bool:
        """Whether any row ever named the identifier, also as a candidate."""
        seen_as_candidate = any(one.identifier == identifier for one in self.resolution.candidates)
        return identifier in self.resolution.placements or seen_as_candidate

    def is_hub(self, identifier: Identifier) -> bool:
        """Whether all links of the identifier are suspended because it has too many partners."""
        placement = self.resolution.placements.get(identifier)
        return placement is not None and placement.status == "hub"

    def cluster(self, identifier: Identifier) -> tuple[Identifier, ...]:
        """The identifiers it belongs together with, itself included; alone when nobody owns it."""
        part = self.resolution.part_of(identifier)
        return (identifier,) if part == NOBODY else self.resolution.parts[part].identifiers


def check(desk: Desk, kind: DecisionKind, a: Identifier, b: Identifier | None) -> tuple[Identifier, ...]:
    """A decision can stand; the cluster that a detach takes the identifier out of. Raises DecisionRefused."""
    if kind == "detach" or b is None:
        return check_detach(desk, a)
    (check_must_link if kind == "must_link" else check_cannot_link)(desk, a, b)
    return ()


def check_must_link(desk: Desk, a: Identifier, b: Identifier) -> None:
    """A must-link can stand: raises DecisionRefused where it breaks a limit or a decision, or changes nothing."""
    _refuse_same(desk, "must_link", a, b)
    for end in (a, b):
        if not desk.known(end):
            raise DecisionRefused("must_link", "one of the identifiers was never seen", hint="check its spelling")
    forbidding = desk.standing.forbidding().get(frozenset((a, b)))
    if forbidding is not None:
        raise DecisionRefused(
            "must_link", f"it contradicts {forbidding.decision_id}", hint="revoke that decision first"
        )
    ours, theirs = desk.cluster(a), desk.cluster(b)
    if b in ours:
        raise DecisionRefused("must_link", "the two are one person already, it would change nothing")
    if desk.is_hub(a) and desk.is_hub(b):
        raise DecisionRefused(
            "must_link",
            "both are hubs, which belong to nobody, it would change nothing",
            hint="link each to the account it belongs to",
        )
    _refuse_broken_limit(desk, (*ours, *theirs))


def check_cannot_link(desk: Desk, a: Identifier, b: Identifier) -> None:
    """A cannot-link can stand: raises DecisionRefused when must-links join the two, or when it is in force already."""
    _refuse_same(desk, "cannot_link", a, b)
    joining = _joining(desk.standing.must, a, b)
    if joining:
        raise DecisionRefused("cannot_link", f"it contradicts {joining}", hint="revoke that decision first")


def check_detach(desk: Desk, a: Identifier) -> tuple[Identifier, ...]:
    """A detach can stand; the cluster the identifier is taken out of. Raises DecisionRefused where it stands alone."""
    others = tuple(other for other in desk.cluster(a) if other != a)
    if not others:
        raise DecisionRefused("detach", "the identifier stands alone, it would change nothing")
    for other in others:
        joining = _joining(desk.standing.must, a, other)
        if joining:
            raise DecisionRefused("detach", f"it contradicts {joining}", hint="revoke that decision first")
    return others


def find_revocable(decisions: Sequence[Decision], decision_id: str) -> Decision:
    """The decision of that id, in force; raises DecisionRefused for another."""
    for decision in decisions:
        if decision.decision_id == decision_id and decision.in_force:
            return decision
    told = hide_numbers(decision_id)
    revoked = next((one for one in decisions if one.decision_id == decision_id), None)
    if revoked is not None:
        told += f", which {revoked.revoked_by} revoked on {revoked.revoked_as_of}"
    raise DecisionRefused(
        "revoke", f"no decision of that id is in force: {told}", hint="`cdp steward list` shows them with their ids"
    )


def refuse_name(kind: str, text: str | None, rule: str) -> DecisionRefused:
    """The refusal of a name that no identifier has; `rule`: the rule that refuses its value, empty for a wrong form."""
    if text is None:
        return DecisionRefused(kind, "it needs two identifiers", hint="name both, namespace:scope:value")
    if not rule:
        return DecisionRefused(kind, "an identifier cannot be read", hint="write namespace:scope:value")
    return DecisionRefused(
        kind,
        f"an identifier cannot be read: it is refused by the rule {rule}",
        hint="see `namespaces` and `reject` in the identity policy",
    )


def _refuse_same(desk: Desk, kind: DecisionKind, a: Identifier, b: Identifier) -> None:
    if a == b:
        raise DecisionRefused(kind, "both names are one identifier")
    for decision in desk.decisions:
        if decision.in_force and decision.kind == kind and {decision.a, decision.b} == {a, b}:
            raise DecisionRefused(kind, f"{decision.decision_id} says so already, it would change nothing")


def _refuse_broken_limit(desk: Desk, together: Sequence[Identifier]) -> None:
    guards = Guards(desk.order, desk.resolution.replaced, desk.standing.cannot)
    union = GuardedUnion({place: guards.of(identifier) for place, identifier in enumerate(together)})
    for place in range(1, len(together)):
        broken = union.broken_by(0, place)
        if broken is None:
            union.unite(0, place)
        elif broken.decision_id:
            raise DecisionRefused(
                "must_link", f"it contradicts {broken.decision_id}", hint="revoke that decision first"
            )
        else:
            namespace = broken.label.removeprefix("limit:")
            raise DecisionRefused(
                "must_link",
                f"one OneID would hold more than {broken.maximum} value(s) of {namespace} in one scope",
                hint="record a `replace` if one id superseded the other",
            )


def _joining(must: Iterable[Decision], a: Identifier, b: Identifier) -> str:
    """The must-link that completes a chain of must-links between the two, empty when there is none."""
    reached = {a: ""}
    growing = True
    while growing and b not in reached:
        growing = False
        for decision in must:
            for here, there in ((decision.a, decision.b), (decision.b, decision.a)):
                if here in reached and there is not None and there not in reached:
                    reached[there] = decision.decision_id
                    growing = True
    return reached.get(b, "")

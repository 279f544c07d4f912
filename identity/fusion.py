"""Limits as the rules count them, and unions that never break one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from identity.decision import Decision
from identity.identifier import Identifier
from identity.namespace import PolicyName
from identity.order import Order

LimitKey = tuple[str, str, str]
Counted = tuple["Limit", Identifier]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` distinct values in one OneID: of a guarded namespace in a scope, or of a cannot-link's ends.

    `rank`: decisions first, then namespaces by priority; `label` names it in refusals.
    """

    key: LimitKey
    rank: tuple[int, int, int, str, str]
    maximum: int
    policy: PolicyName
    label: str
    decision_id: str = ""


class Guards:
    """Which limits an identifier counts for; replaced values do not count."""

    def __init__(self, order: Order, replaced: frozenset[Identifier], cannot: Iterable[Decision]) -> None:
        self._order = order
        self._replaced = replaced
        self._cannot: dict[Identifier, list[Limit]] = {}
        self._scopes: dict[tuple[str, str], Limit] = {}
        for place, decision in enumerate(cannot):
            limit = _decided(decision, place, order)
            for end in (end for pair in decision.pairs for end in pair):
                self._cannot.setdefault(end, []).append(limit)

    def of(self, identifier: Identifier) -> list[Counted]:
        """The limits the identifier counts for, each with the value it counts as: itself."""
        found: list[Counted] = [(limit, identifier) for limit in self._cannot.get(identifier, ())]
        spec = self._order.spec(identifier)
        if spec.max_per_person is not None and identifier not in self._replaced:
            found.append((self._scope_limit(identifier), identifier))
        return found

    def _scope_limit(self, identifier: Identifier) -> Limit:
        namespace, scope, _ = identifier
        limit = self._scopes.get((namespace, scope))
        if limit is None:
            spec = self._order.spec(identifier)
            limit = Limit(
                key=("namespace", namespace, scope),
                rank=(1, spec.priority, int(spec.strength), namespace, scope),
                maximum=spec.max_per_person or 0,
                policy=self._order.policy.policy_for(namespace),
                label=f"limit:{namespace}",
            )
            self._scopes[namespace, scope] = limit
        return limit


def _decided(decision: Decision, place: int, order: Order) -> Limit:
    """A cannot-link as a limit; two values of one namespace follow that namespace's own policy."""
    same = decision.b is not None and decision.a.namespace == decision.b.namespace
    policy = order.policy.policy_for(decision.a.namespace) if same else order.policy.policy
    return Limit(
        key=("decision", decision.decision_id, ""),
        rank=(0, place, 0, "", ""),
        maximum=1,
        policy=policy,
        label="cannot_link",
        decision_id=decision.decision_id,
    )


class GuardedUnion:
    """Sets of nodes that grow together as long as no limit breaks."""

    def __init__(self, counted: Mapping[int, Sequence[Counted]]) -> None:
        self._parent: dict[int, int] = {}
        self._values: dict[int, dict[Limit, set[Identifier]]] = {}
        for node, values in counted.items():
            self._parent[node] = node
            for limit, value in values:
                self._values.setdefault(node, {}).setdefault(limit, set()).add(value)

    def find(self, node: int) -> int:
        """The smallest node of the set."""
        root = node
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[node] != root:
            self._parent[node], node = root, self._parent[node]
        return root

    def broken_by(self, a: int, b: int) -> Limit | None:
        """The first limit in rank that would break if the sets of both grew together, None when none would."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return None
        ours, theirs = self._values.get(a, {}), self._values.get(b, {})
        shared = ours.keys() & theirs.keys()
        broken = [limit for limit in shared if len(ours[limit] | theirs[limit]) > limit.maximum]
        return min(broken, key=lambda limit: limit.rank, default=None)

    def unite(self, a: int, b: int) -> None:
        """The sets of both are one, whatever breaks."""
        a, b = sorted((self.find(a), self.find(b)))
        if a == b:
            return
        self._parent[b] = a
        if b in self._values:
            ours = self._values.setdefault(a, {})
            for limit, values in self._values.pop(b).items():
                ours.setdefault(limit, set()).update(values)

    def values(self, node: int) -> Mapping[Limit, set[Identifier]]:
        """What the set of the node counts for."""
        return self._values.get(self.find(node), {})

    def sets(self) -> dict[int, list[int]]:
        """All sets by their smallest node, each in order."""
        found: dict[int, list[int]] = {}
        for node in sorted(self._parent):
            found.setdefault(self.find(node), []).append(node)
        return found

"""Replaced identifiers: the same account under a new id. Chains resolve, cycles are refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from identity.decision import Decision
from identity.evidence import Row
from identity.identifier import Identifier
from identity.order import Order


class RefusedReplace(NamedTuple):
    """A replace that does not stand, the rule, and the decision behind it (None: none)."""

    row: Row
    rule: str
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Replaces:
    """Which identifiers are superseded, and which are one account."""

    accepted: tuple[Row, ...]
    refused: tuple[RefusedReplace, ...]
    replaced: frozenset[Identifier]
    accounts: dict[Identifier, Identifier]

    def account(self, identifier: Identifier) -> Identifier:
        """The name of the account an identifier belongs to, equal for all its ids over time."""
        return self.accounts.get(identifier, identifier)


class _Chains:
    """Accounts growing row by row, in order of time."""

    def __init__(self, order: Order, forbidden: dict[frozenset[Identifier], Decision]) -> None:
        self.members: dict[Identifier, set[Identifier]] = {}
        self.successors: dict[Identifier, set[Identifier]] = {}
        self._order = order
        self._forbidden = forbidden

    def refusal(self, old: Identifier, new: Identifier) -> tuple[str, Decision | None]:
        """Why `new` cannot supersede `old`; an empty rule when it can."""
        if self._leads_to(new, old):
            return "replace_cycle", None
        joined = self._account(old) | self._account(new)
        for pair, decision in self._forbidden.items():
            if pair <= joined:
                return decision.kind, decision
        return self._broken_limit(joined, {*self.successors, old}), None

    def add(self, old: Identifier, new: Identifier) -> None:
        """`old` is superseded by `new` from here on."""
        self.successors.setdefault(old, set()).add(new)
        joined = self._account(old) | self._account(new)
        self.members |= dict.fromkeys(joined, joined)

    def _account(self, identifier: Identifier) -> set[Identifier]:
        return self.members.get(identifier, {identifier})

    def _leads_to(self, start: Identifier, goal: Identifier) -> bool:
        waiting, seen = [start], {start}
        while waiting:
            here = waiting.pop()
            if here == goal:
                return True
            new = self.successors.get(here, set()) - seen
            seen |= new
            waiting += new
        return False

    def _broken_limit(self, joined: set[Identifier], replaced: set[Identifier]) -> str:
        counts: dict[tuple[str, str], int] = {}
        for identifier in joined - replaced:
            counts[identifier[:2]] = counts.get(identifier[:2], 0) + 1
        for (namespace, _), count in sorted(counts.items()):
            spec = self._order.policy.spec(namespace)
            if spec is not None and spec.max_per_person is not None and count > spec.max_per_person:
                return f"limit:{namespace}"
        return ""


def settle_replaces(rows: Iterable[Row], order: Order, forbidden: dict[frozenset[Identifier], Decision]) -> Replaces:
    """The replaces that stand, read in order of time: a cycle, a second current value or a decision refuses one.

    `rows` come in order of time; only those of kind `replace` count of which neither id was refused.
    """
    chains = _Chains(order, forbidden)
    accepted: list[Row] = []
    refused: list[RefusedReplace] = []
    for row in rows:
        if row.kind != "replace" or len(row.linking) != 2:
            continue
        old, new = row.linking
        rule, decision = chains.refusal(old, new)
        if rule:
            refused.append(RefusedReplace(row, rule, decision))
        else:
            accepted.append(row)
            chains.add(old, new)
    accounts = {identifier: min(members) for identifier, members in chains.members.items()}
    return Replaces(tuple(accepted), tuple(refused), frozenset(chains.successors), accounts)

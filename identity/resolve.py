"""Resolving evidence: the guards in their order, from rows to persons.

Refusals, periods, hubs, decisions, limits, size cap. A pure function of evidence, decisions and policy: the state is
always rebuilt, never patched, and two groups that share no identifier resolve to the union of their results.
"""

from __future__ import annotations

from collections.abc import Iterable

from identity.business_time import day_end_ms
from identity.decision import Decision, Decisions, in_force
from identity.evidence import Evidence
from identity.fusion import GuardedUnion, Guards
from identity.hubs import find_hubs
from identity.identifier import Identifier
from identity.inference import add_inferred
from identity.limits import Bond, Settlement, connected, settle
from identity.merging import merge_resolutions
from identity.order import Order, OrderValue
from identity.outcome import Ground, Outcome, build_resolution
from identity.pairs import Link, Pair, PairBuilder, Pairs, candidate_sightings
from identity.periods import Node, Periods, find_periods
from identity.policy import Policy
from identity.resolution import Resolution
from identity.standing import Standing, sift


def resolve_evidence(
    evidence: Iterable[Evidence],
    decisions: Iterable[Decision],
    policy: Policy,
    *,
    as_of: str,
    order_value: OrderValue,
    until: int | None = None,
) -> Resolution:
    """Who belongs together by all evidence and decisions, as of the end of a business day.

    `order_value` gives the value by which identifiers are ordered (personal data: their token). `until` (UTC epoch
    ms) leaves out sightings and endings after it: what was valid then by what is known today; periods and hubs are
    those of today.
    """
    return resolve_in_order(evidence, decisions, Order(policy, order_value), as_of=as_of, until=until)


def resolve_in_order(
    evidence: Iterable[Evidence], decisions: Iterable[Decision], order: Order, *, as_of: str, until: int | None = None
) -> Resolution:
    """The same as `resolve_evidence`, under an order whose keys are shared by many groups."""
    policy = order.policy
    standing_decisions = in_force(decisions)
    standing = sift(evidence, standing_decisions, order)
    periods = find_periods(standing, order)
    pairs = PairBuilder(standing, periods, order).build()
    hubs = find_hubs(pairs.links, standing.replaces.replaced, order)
    if until is not None:
        pairs = PairBuilder(standing, periods, order, until=until).build()
    candidates = candidate_sightings(standing, order)
    if policy.promote_recipient_phone:
        known = [one for one in candidates if until is None or one.event_ms <= until]
        add_inferred(pairs, known, policy, standing_decisions.forbidding())
    ground = Ground(order, standing, periods, pairs, hubs, standing_decisions, day_end_ms(as_of), tuple(candidates))
    return merge_resolutions([build_resolution(ground, Assembly(ground, until).assemble())], order)


class Assembly:
    """Units (identifiers that nothing may part), the bonds between them, and what the limits make of them."""

    def __init__(self, ground: Ground, until: int | None) -> None:
        self._ground = ground
        self._order = ground.order
        self._pairs: Pairs = ground.pairs
        self._periods: Periods = ground.periods
        self._standing: Standing = ground.standing
        self._decisions: Decisions = ground.decisions
        self._until = until
        self._register_decided()
        self._nodes = sorted(self._pairs.registered, key=self._rank)
        self._place = {node: place for place, node in enumerate(self._nodes)}
        guards = Guards(self._order, self._standing.replaces.replaced, self._decisions.cannot)
        self._union = GuardedUnion({place: guards.of(node.identifier) for place, node in enumerate(self._nodes)})
        self._outcome = Outcome(self._nodes)

    def assemble(self) -> Outcome:
        """The groups with their status, and every link live or refused."""
        self._fuse_replaced()
        self._fuse_must_links()
        live = self._live_links()
        units = self._union.sets()
        unit_of = {place: unit for unit, places in units.items() for place in places}
        self._outcome.units = units
        bonds = [
            Bond(unit_of[self._place[a]], unit_of[self._place[b]], self._bond_rank((a, b)), place)
            for place, (a, b) in enumerate(live)
            if unit_of[self._place[a]] != unit_of[self._place[b]]
        ]
        self._settle(bonds, live)
        return self._outcome

    def _rank(self, node: Node) -> tuple[object, ...]:
        return (*self._order.key(node.identifier), node.period)

    def _register_decided(self) -> None:
        """A must-link also takes in a number that was only seen as a candidate, while the other end is there."""
        if not self._decisions.must:
            return
        present = {node.identifier for node in self._pairs.registered} | self._pairs.candidates.keys()
        for decision in self._decisions.must:
            ends = [end for pair in decision.pairs for end in pair]
            for end in ends if present.issuperset(ends) else ():
                if end in self._pairs.candidates:
                    node = self._node_of(end, decision)
                    self._pairs.registered.setdefault(node, self._pairs.candidates[end])

    def _node_of(self, identifier: Identifier, decision: Decision) -> Node:
        """The identifier in the period the decision was made in."""
        return self._periods.node(identifier, day_end_ms(decision.as_of))

    def _fuse_replaced(self) -> None:
        for row in self._standing.replaces.accepted:
            if self._until is not None and row.event_ms > self._until:
                continue
            old, new = (self._periods.node(identifier, row.event_ms) for identifier in row.linking)
            self._union.unite(self._place[old], self._place[new])
            sighting = (row.event_ms, row.source, row.observation_id)
            self._outcome.fused.append((self._ordered(old, new), Link("replace", [sighting]), ""))

    def _fuse_must_links(self) -> None:
        for decision in self._decisions.must:
            a, b = (self._node_of(end, decision) for pair in decision.pairs for end in pair)
            if a not in self._place or b not in self._place:
                continue
            pair, link = self._ordered(a, b), Link("must_link")
            broken = self._union.broken_by(self._place[a], self._place[b])
            if broken is not None:
                self._outcome.refused.append((pair, link, broken.label, decision.decision_id))
            else:
                self._union.unite(self._place[a], self._place[b])
                self._outcome.fused.append((pair, link, decision.decision_id))

    def _ordered(self, a: Node, b: Node) -> Pair:
        return (a, b) if self._rank(a) <= self._rank(b) else (b, a)

    def _live_links(self) -> list[Pair]:
        """The links that no hub and no detachment suspends; the others are noted as refused."""
        detached = {
            frozenset(pair): decision for decision in reversed(self._decisions.detached) for pair in decision.pairs
        }
        live: list[Pair] = []
        for pair in sorted(self._pairs.links, key=lambda pair: (self._rank(pair[0]), self._rank(pair[1]))):
            link = self._pairs.links[pair]
            decision = detached.get(frozenset((pair[0].identifier, pair[1].identifier)))
            if pair[0] in self._ground.hubs or pair[1] in self._ground.hubs:
                self._outcome.refused.append((pair, link, "hub", ""))
            elif decision is not None:
                self._outcome.refused.append((pair, link, "detach", decision.decision_id))
            else:
                live.append(pair)
        return live

    def _bond_rank(self, pair: Pair) -> tuple[object, ...]:
        """For `last`: strength and priority of the weaker end, then newest last sighting, then order key."""
        stronger, weaker = self._rank(pair[0]), self._rank(pair[1])
        return (*weaker[:2], -self._pairs.links[pair].last_ms, stronger, weaker)

    def _settle(self, bonds: list[Bond], live: list[Pair]) -> None:
        cut: dict[int, tuple[str, str]] = {}
        values = {unit: self._union.values(unit) for unit in self._outcome.units}
        for group, inside in _components(self._outcome.units, bonds):
            settled = settle(group, inside, values)
            cut |= {one.link: (one.rule, one.decision_id) for one in settled.cuts}
            self._outcome.contested |= settled.contested
            for part in settled.groups:
                self._place_part(part, settled)
        unit_held = {unit for unit, status in self._outcome.status.items() if status == "held"}
        unit_of = {place: unit for unit, places in self._outcome.units.items() for place in places}
        for place, pair in enumerate(live):
            a, b = (unit_of[self._place[node]] for node in pair)
            rule, decision_id = cut.get(place, ("", ""))
            if not rule and a != b and a in unit_held:
                rule = "size_cap"
            self._outcome.note(pair, self._pairs.links[pair], rule, decision_id)

    def _place_part(self, part: list[int], settled: Settlement) -> None:
        """A part as a group of units, taken apart unit by unit where it is over the size cap."""
        cap = self._order.policy.size_cap
        identifiers = {self._nodes[place].identifier for unit in part for place in self._outcome.units[unit]}
        if cap and len(identifiers) > cap:
            self._outcome.oversize.append(sorted(identifiers, key=self._order.key))
            self._outcome.groups += [[unit] for unit in part]
            self._outcome.status |= dict.fromkeys(part, "held")
            return
        self._outcome.groups.append(part)
        status = "contested" if part[0] in settled.contested else "active"
        if len(part) == 1 and self._is_bare_hub(part[0]):
            status = "hub"
        self._outcome.status |= dict.fromkeys(part, status)

    def _is_bare_hub(self, unit: int) -> bool:
        """A hub that no decision and no replace joins to anybody."""
        return all(self._nodes[place] in self._ground.hubs for place in self._outcome.units[unit])


def _components(units: dict[int, list[int]], bonds: list[Bond]) -> list[tuple[list[int], list[Bond]]]:
    neighbours: dict[int, set[int]] = {unit: set() for unit in units}
    for bond in bonds:
        neighbours[bond.a].add(bond.b)
        neighbours[bond.b].add(bond.a)
    groups = connected(units, neighbours, dict.fromkeys(units, 0))
    group_of = {unit: place for place, group in enumerate(groups) for unit in group}
    inside: list[list[Bond]] = [[] for _ in groups]
    for bond in bonds:
        inside[group_of[bond.a]].append(bond)
    return list(zip(groups, inside, strict=True))

"""The rules once more, as slowly and plainly as they are written down: what the engine must agree with.

Knows links, bindings and their ends, withdrawals, replaces, roles, hubs, decisions, both policies, the size cap and the
registry; not periods, validity, hashed numbers and claims. Shares no code with the engine but the reading of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import networkx as nx

from identity.decision import Decision
from identity.identifier import Identifier
from identity.namespace import Strength
from identity.observation import NormalisedObservation
from identity.policy import Policy

Pair = frozenset[Identifier]
Group = frozenset[Identifier]
DAY = 86_400_000


@dataclass
class Told:
    """What the rules say of some evidence: groups with a OneID, and for each contested identifier its rivals."""

    groups: list[Group] = field(default_factory=list)
    rivals: dict[Identifier, set[Identifier]] = field(default_factory=dict)
    hubs: set[Identifier] = field(default_factory=set)
    first: dict[Identifier, int] = field(default_factory=dict)
    replaced: list[tuple[Identifier, Identifier]] = field(default_factory=list)

    @property
    def superseded(self) -> set[Identifier]:
        """What does not count any more."""
        return {old for old, _ in self.replaced}

    def account(self, one: Identifier) -> Group:
        """All ids an account ever had."""
        graph: nx.Graph[Identifier] = nx.Graph(self.replaced)
        return frozenset(nx.node_connected_component(graph, one)) if one in graph else frozenset([one])


@dataclass(frozen=True)
class Rule:
    """At most `most` of some values together."""

    values: Group
    most: int
    policy: str


class Oracle:
    """Answers for one policy; `value` gives the value by which an identifier is ordered."""

    def __init__(self, policy: Policy, value: dict[Identifier, str]) -> None:
        self.policy = policy
        self._value = value

    def key(self, one: Identifier) -> tuple[object, ...]:
        spec = self.policy.namespaces[one.namespace]
        return (int(spec.strength), spec.priority, one.namespace, one.scope, self._value.get(one, one.value))

    def tell(self, rows: Sequence[NormalisedObservation], decisions: Sequence[Decision]) -> Told:
        """Who is one person."""
        told = Told()
        standing = _standing(rows)
        self._replace(standing, decisions, told)
        links = self._links(standing, told)
        told.hubs = {one for one in told.first if self._is_hub(one, links, told.superseded)}
        live = {pair: at for pair, at in links.items() if not pair & told.hubs}
        off = {frozenset((d.a, other)) for d in decisions if d.kind == "detach" for other in d.others}
        live = {pair: at for pair, at in live.items() if pair not in off}
        for one in standing:
            for stated in one.ids:
                if one.kind != "unbind" and not stated.linking:
                    told.first.setdefault(stated.identifier, -one.event_ms)
        self._settle(live, decisions, told)
        return told

    def _replace(self, rows: Sequence[NormalisedObservation], decisions: Sequence[Decision], told: Told) -> None:
        """The replaces that stand: no cycle, no decision against it, no second current value of a limit."""
        apart = [{d.a, other} for d in decisions if d.kind == "detach" for other in d.others]
        apart += [{d.a, d.b} for d in decisions if d.kind == "cannot_link"]
        for row in sorted(rows, key=lambda row: (row.event_ms, row.source, row.observation_id)):
            ids = [stated.identifier for stated in row.ids]
            if row.kind != "replace":
                continue
            for one in ids:
                told.first[one] = min(row.event_ms, told.first.get(one, row.event_ms))
            if len(ids) < 2:
                continue
            old, new = ids
            chain: nx.DiGraph[Identifier] = nx.DiGraph([*told.replaced, (old, new)])
            joined = told.account(old) | told.account(new)
            current = joined - told.superseded - {old}
            crowded = any(
                sum(other[:2] == one[:2] for other in current)
                > (self.policy.namespaces[one.namespace].max_per_person or len(current))
                for one in current
            )
            if nx.is_directed_acyclic_graph(chain) and not crowded and not any(pair <= joined for pair in apart):
                told.replaced.append((old, new))

    def _links(self, rows: Sequence[NormalisedObservation], told: Told) -> dict[Pair, list[int]]:
        links: dict[Pair, list[int]] = {}
        for row in rows:
            if row.kind not in ("link", "bind"):
                continue
            ids = sorted({s.identifier for s in row.ids if s.linking}, key=self.key)
            for one in ids:
                told.first[one] = min(row.event_ms, told.first.get(one, row.event_ms))
            if self._contradicts(ids, told):
                continue
            for a, b in combinations(ids, 2):
                if (len(ids) <= 8 or a == ids[0]) and not self._ended(row, a, b, rows):
                    links.setdefault(frozenset((a, b)), []).append(row.event_ms)
        return links

    def _contradicts(self, ids: Sequence[Identifier], told: Told) -> bool:
        specs = self.policy.namespaces
        anchors = [one for one in ids if specs[one.namespace].strength is Strength.ANCHOR]
        same = [len({told.account(other) for other in anchors if other[:2] == one[:2]}) for one in anchors]
        return any(n > (specs[one.namespace].max_per_person or n) for n, one in zip(same, anchors, strict=True))

    def _ended(
        self, row: NormalisedObservation, a: Identifier, b: Identifier, rows: Iterable[NormalisedObservation]
    ) -> bool:
        groups = [{*sources} for sources in self.policy.source_groups.values() if row.source in sources]
        sources = groups[0] if groups else {row.source}
        return any(
            end.kind == "unbind"
            and end.source in sources
            and {a, b} <= {s.identifier for s in end.ids}
            and end.event_ms >= row.event_ms
            for end in rows
        )

    def _is_hub(self, one: Identifier, links: dict[Pair, list[int]], superseded: set[Identifier]) -> bool:
        if self.policy.namespaces[one.namespace].strength is Strength.ANCHOR:
            return False
        met = [(at, next(iter(pair - {one}))) for pair, times in links.items() if one in pair for at in times]
        met = [(at, other) for at, other in met if other not in superseded]
        for begin, _ in met:
            here = {other for at, other in met if begin <= at <= begin + self.policy.hub.window_days * DAY}
            of_one = max(sum(other[:2] == scope for other in here) for scope in {other[:2] for other in here})
            if of_one > self.policy.hub.max_accounts or len(here) > self.policy.hub.max_total:
                return True
        return False

    # Decisions and limits: identifiers that a must-link joins are one node

    def _settle(self, live: dict[Pair, list[int]], decisions: Sequence[Decision], told: Told) -> None:
        rules = [
            Rule(frozenset((d.a, d.b)), 1, self._policy_of(d)) for d in decisions if d.kind == "cannot_link" and d.b
        ]
        namespaces = sorted(
            {one[:2] for one in told.first if self.policy.namespaces[one.namespace].max_per_person},
            key=lambda scope: (self.policy.namespaces[scope[0]].priority, *scope),
        )
        for namespace, scope in namespaces:
            values = frozenset(one for one in told.first if one[:2] == (namespace, scope)) - told.superseded
            most = self.policy.namespaces[namespace].max_per_person or 0
            rules.append(Rule(values, most, self.policy.policy_for(namespace)))
        node = self._fused(decisions, rules, told)
        graph: nx.Graph[Group] = nx.Graph()
        graph.add_nodes_from(node.values())
        for pair, times in live.items():
            a, b = sorted(pair, key=self.key)
            if node[a] != node[b]:
                bonds = graph.edges[node[a], node[b]]["bonds"] if graph.has_edge(node[a], node[b]) else []
                graph.add_edge(node[a], node[b], bonds=[*bonds, self._rank(a, b, max(times))])
        for component in list(nx.connected_components(graph)):
            parts = [set(component)]
            contested: dict[Group, set[Identifier]] = {}
            newest = [rule for rule in rules if rule.policy == "last"]
            for rule in rules:
                asked = [rule] if rule.policy == "hold" else newest
                parts = [small for part in parts for small in self._apart(part, graph, rule, asked, contested)]
            for part in parts:
                self._place(part, contested, told)

    def _policy_of(self, decision: Decision) -> str:
        same = decision.b is not None and decision.a.namespace == decision.b.namespace
        return self.policy.policy_for(decision.a.namespace) if same else self.policy.policy

    def _rank(self, a: Identifier, b: Identifier, last: int) -> tuple[object, ...]:
        return (*self.key(b)[:2], -last, self.key(a), self.key(b))

    def _fused(self, decisions: Sequence[Decision], rules: Sequence[Rule], told: Told) -> dict[Identifier, Group]:
        """The node of every identifier; a candidate (its time is negative) is there when a must-link takes it in."""
        must = [(d.a, d.b) for d in decisions if d.kind == "must_link" and d.b]
        taken = {end for pair in must if all(x in told.first for x in pair) for end in pair if end is not None}
        told.first = {one: abs(at) for one, at in told.first.items() if at > 0 or one in taken}
        node = {one: told.account(one) for one in told.first}
        for a, b in must:
            if a in node and b in node:
                joined = node[a] | node[b]
                if all(len(joined & rule.values) <= rule.most for rule in rules):
                    node |= dict.fromkeys(joined, joined)
        return node

    def _apart(
        self,
        part: set[Group],
        graph: nx.Graph[Group],
        rule: Rule,
        newest: Sequence[Rule],
        contested: dict[Group, set[Identifier]],
    ) -> list[set[Group]]:
        """`newest`: the rules that a replay counts, all with the policy `last`."""
        if len(frozenset().union(*part) & rule.values) <= rule.most:
            return [part]
        inside = graph.subgraph(part)
        return self._hold(inside, rule, contested) if rule.policy == "hold" else self._last(inside, newest)

    @staticmethod
    def _last(inside: nx.Graph[Group], rules: Sequence[Rule]) -> list[set[Group]]:
        kept: nx.Graph[Group] = nx.Graph()
        kept.add_nodes_from(inside)
        ranked = sorted((rank, a, b) for a, b, bonds in inside.edges(data="bonds") for rank in bonds)
        for _, a, b in ranked:
            joined = nx.node_connected_component(kept, a) | nx.node_connected_component(kept, b)
            held = frozenset().union(*joined)
            if nx.has_path(kept, a, b) or all(len(held & rule.values) <= rule.most for rule in rules):
                kept.add_edge(a, b)
        return [set(part) for part in nx.connected_components(kept)]

    @staticmethod
    def _hold(inside: nx.Graph[Group], rule: Rule, contested: dict[Group, set[Identifier]]) -> list[set[Group]]:
        seeds = [node for node in inside if node & rule.values]
        far = {seed: nx.single_source_shortest_path_length(inside, seed) for seed in seeds}
        nearest = {
            node: {seed for seed in seeds if far[seed][node] == min(far[other][node] for other in seeds)}
            for node in inside
        }
        owned = {node for node in inside if len(nearest[node]) == 1}
        between = {node for node in inside if node not in owned and owned & set(inside[node])}
        for node in between:
            contested[node] = {one for seed in nearest[node] for one in seed}
        parts = [{node for node in owned if nearest[node] == {seed}} for seed in seeds]
        behind = nx.connected_components(inside.subgraph(set(inside) - owned - between))
        return [*parts, *({node} for node in between), *(set(part) for part in behind)]

    def _place(self, part: set[Group], contested: dict[Group, set[Identifier]], told: Told) -> None:
        everyone = frozenset().union(*part)
        cap = self.policy.size_cap
        groups = [*part] if cap and len(everyone) > cap else [everyone]
        alone = len(part) == 1 and (everyone <= told.hubs or next(iter(part)) in contested)
        for group in groups:
            if len(part) == 1 and group in contested:
                told.rivals |= dict.fromkeys(group, contested[group])
            person = any(self.policy.namespaces[one.namespace].strength <= Strength.ACCOUNT for one in group)
            held = cap and len(everyone) > cap
            if everyone <= told.hubs or ((alone or held) and not person):
                continue
            told.groups.append(group)


def _standing(rows: Sequence[NormalisedObservation]) -> list[NormalisedObservation]:
    """Rows nobody withdrew; an unlink that was itself withdrawn withdraws nothing."""
    gone: set[tuple[str, str]] = set()
    unlinks = sorted((row for row in rows if row.kind == "unlink"), key=lambda row: row.observation_id)
    for _ in range(len(unlinks) + 1):
        effective = [row for row in unlinks if (row.source, row.observation_id) not in gone]
        gone = {(row.source, row.retracts) for row in effective}
    return [row for row in rows if row.kind != "unlink" and (row.source, row.observation_id) not in gone]


@dataclass
class Minted:
    """One OneID of the slow registry: its number says when it was minted."""

    living: bool = True
    into: int | None = None


class SlowRegistry:
    """OneIDs as numbers in the order of minting."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self.homes: dict[Identifier, int] = {}
        self.ids: list[Minted] = []

    def run(self, told: Told, decisions: Sequence[Decision]) -> dict[int, Group]:
        """By OneID its group after a run."""
        detached = {d.a for d in decisions if d.kind == "detach"}
        won: dict[int, list[int]] = {}
        for one_id, minted in enumerate(self.ids):
            claims = [
                (self._claim(home, told, detached), place)
                for place, group in enumerate(told.groups)
                if (home := [one for one in group if self.homes.get(one) == one_id])
            ]
            minted.living, minted.into = False, minted.into if not claims else None
            if claims:
                won.setdefault(min(claims)[1], []).append(one_id)
        held = {place: min(ids) for place, ids in won.items()}
        new = [place for place in range(len(told.groups)) if place not in held]
        for place in sorted(new, key=lambda place: self._age(told.groups[place], told)):
            held[place] = len(self.ids)
            self.ids.append(Minted())
            self.homes |= dict.fromkeys(told.groups[place], held[place])
        for place, one_id in held.items():
            self.ids[one_id].living = True
            for other in won.get(place, ()):
                self.ids[other].into = None if other == one_id else one_id
            for one in told.groups[place]:
                self.homes.setdefault(one, one_id)
        for minted in self.ids:
            while minted.into is not None and self.ids[minted.into].into is not None:
                minted.into = self.ids[minted.into].into
            if minted.into is not None and not self.ids[minted.into].living:
                minted.into = None
        return {one_id: told.groups[place] for place, one_id in held.items()}

    def _claim(self, home: list[Identifier], told: Told, detached: set[Identifier]) -> tuple[object, ...]:
        specs = self._oracle.policy.namespaces
        persons = sum(specs[one.namespace].strength <= Strength.ACCOUNT for one in home)
        leaving = all(one in detached for one in home)
        oldest = min(told.first[one] for one in home)
        return -persons, persons - len(home), leaving, oldest, min(self._oracle.key(one) for one in home)

    def _age(self, group: Group, told: Told) -> tuple[object, ...]:
        return min((told.first[one], self._oracle.key(one)) for one in group)

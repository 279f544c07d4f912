"""Pairs: which identifiers the standing rows join directly, with all the evidence, and which pairs are refused why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from identity.evidence import Row
from identity.identifier import Identifier
from identity.namespace import Strength
from identity.order import Order
from identity.periods import Node, Periods
from identity.replaces import Replaces
from identity.standing import Standing

LARGEST_FULL_ROW = 8
Pair = tuple[Node, Node]
Ending = tuple[str, Identifier, Identifier]


@dataclass(slots=True)
class Link:
    """All the evidence of one pair: sightings in order of time as (UTC epoch ms, source, observation), and the rule."""

    rule: str
    sightings: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def first_ms(self) -> int:
        """The first sighting."""
        return self.sightings[0][0]

    @property
    def last_ms(self) -> int:
        """The last sighting."""
        return self.sightings[-1][0]


@dataclass(slots=True)
class Pairs:
    """What the rows say, pair by pair.

    `registered`: first and last linking sighting of every node; `candidates`: of every identifier seen as a candidate
    only; `refused`: by pair and rule.
    """

    registered: dict[Node, tuple[int, int]] = field(default_factory=dict)
    candidates: dict[Identifier, tuple[int, int]] = field(default_factory=dict)
    links: dict[Pair, Link] = field(default_factory=dict)
    refused: dict[tuple[Node, Node, str], Link] = field(default_factory=dict)

    def refuse(self, pair: Pair, rule: str, link: Link) -> None:
        """The pair is kept with its evidence as refused."""
        kept = self.refused.setdefault((*pair, rule), Link(link.rule))
        kept.sightings.extend(link.sightings)


@dataclass(frozen=True, slots=True)
class CandidateSighting:
    """A number seen with somebody in a role that only makes a candidate."""

    identifier: Identifier
    role: str
    partners: tuple[Identifier, ...]
    event_ms: int
    source: str
    observation_id: str


class PairBuilder:
    """Reads the standing rows in order of time into pairs."""

    def __init__(self, standing: Standing, periods: Periods, order: Order, *, until: int | None = None) -> None:
        self._standing = standing
        self._periods = periods
        self._order = order
        self._rows = [row for row in standing.rows if until is None or row.event_ms <= until]
        self._ended = _Endings(self._rows, standing.replaces, order)

    def build(self) -> Pairs:
        """The pairs of all rows, refused ones included."""
        pairs = Pairs()
        for row in self._rows:
            if row.kind == "unbind":
                continue
            nodes = [self._periods.node(identifier, row.event_ms) for identifier in row.linking]
            for node in nodes:
                _extend(pairs.registered, node, row.event_ms)
            for stated in row.ids:
                if not stated.linking:
                    _extend(pairs.candidates, stated.identifier, row.event_ms)
            if row.kind != "replace":
                self._read_links(row, nodes, pairs)
            self._read_candidates(row, nodes, pairs)
        return pairs

    def _read_links(self, row: Row, nodes: list[Node], pairs: Pairs) -> None:
        rule = self._row_refusal(row)
        for pair in self._pairs_of(nodes):
            link = Link(_link_rule(row, pair, self._order), [_sighting(row)])
            refusal = rule or self._ending(row, pair)
            if refusal:
                pairs.refuse(pair, refusal, link)
            else:
                pairs.links.setdefault(pair, Link(link.rule)).sightings.extend(link.sightings)

    def _row_refusal(self, row: Row) -> str:
        if row.record in self._standing.contradicting:
            return "two_anchor_values"
        return "expired" if row.valid_to is not None and row.valid_to <= row.event_ms else ""

    def _ending(self, row: Row, pair: Pair) -> str:
        return "unbind" if self._ended.covers(row, pair[0].identifier, pair[1].identifier) else ""

    def _pairs_of(self, nodes: list[Node]) -> Iterator[Pair]:
        """All pairs of a row; those of a long row only with its first identifier in the order key."""
        ranked = sorted(nodes, key=self._rank)
        if len(ranked) <= LARGEST_FULL_ROW:
            yield from combinations(ranked, 2)
        else:
            yield from ((ranked[0], other) for other in ranked[1:])

    def _rank(self, node: Node) -> tuple[object, ...]:
        return (*self._order.key(node.identifier), node.period)

    def _read_candidates(self, row: Row, nodes: list[Node], pairs: Pairs) -> None:
        for stated in row.ids:
            if stated.linking:
                continue
            weak = self._order.spec(stated.identifier).strength is Strength.WEAK
            rule = "weak" if weak else f"candidate:{stated.role or 'recipient'}"
            there = self._periods.node(stated.identifier, row.event_ms)
            for node in nodes:
                if node != there:
                    pair = (node, there) if self._rank(node) <= self._rank(there) else (there, node)
                    pairs.refuse(pair, self._ending(row, pair) or rule, Link(rule, [_sighting(row)]))


def candidate_sightings(standing: Standing, order: Order) -> list[CandidateSighting]:
    """Every sighting of a number in a candidate's role, in order of time, without partners an unbind took from it."""
    ended = _Endings(standing.rows, standing.replaces, order)
    found = []
    for row in standing.rows:
        if row.kind == "unbind":
            continue
        for stated in row.ids:
            if stated.linking or order.spec(stated.identifier).strength is Strength.WEAK:
                continue
            others = [one for one in row.linking if one != stated.identifier]
            partners = [other for other in others if not ended.covers(row, other, stated.identifier)]
            ranked = tuple(sorted(partners, key=order.key))
            role = stated.role or "recipient"
            found.append(
                CandidateSighting(stated.identifier, role, ranked, row.event_ms, row.source, row.observation_id)
            )
    return found


class _Endings:
    """Until when unbinds end the links of each pair, their own instant included, by group of sources.

    An id that was replaced is the same account as its successor: to unbind one ends the links of the other.
    """

    def __init__(self, rows: Iterable[Row], replaces: Replaces, order: Order) -> None:
        self._account = replaces.account
        self._group = order.policy.group_of
        self._until: dict[Ending, int] = {}
        for row in rows:
            if row.kind != "unbind":
                continue
            group = self._group(row.source)
            for a, b in combinations(sorted({self._account(stated.identifier) for stated in row.ids}), 2):
                self._until[group, a, b] = max(row.event_ms, self._until.get((group, a, b), row.event_ms))

    def covers(self, row: Row, a: Identifier, b: Identifier) -> bool:
        """Whether the row's link of two identifiers is ended."""
        first, second = sorted((self._account(a), self._account(b)))
        ended = self._until.get((self._group(row.source), first, second))
        return ended is not None and row.event_ms <= ended


def _link_rule(row: Row, pair: Pair, order: Order) -> str:
    """The rule that made a link: the one that derived the row, a number with its role, or the kind of the row."""
    if row.rule:
        return row.rule
    roles = {stated.identifier: stated.role for stated in row.ids if stated.linking}
    for node in pair:
        spec = order.spec(node.identifier)
        if spec.roles:
            return f"{'phone' if spec.is_phone else spec.name}_{roles[node.identifier]}"
    return row.kind


def _sighting(row: Row) -> tuple[int, str, str]:
    return row.event_ms, row.source, row.observation_id


def _extend(spans: dict[Node, tuple[int, int]] | dict[Identifier, tuple[int, int]], key: object, at: int) -> None:
    first, last = spans.get(key, (at, at))  # type: ignore[call-overload]  # one span map or the other
    spans[key] = (min(first, at), max(last, at))  # type: ignore[index]  # as above

"""From groups of nodes to the result: parts, placements, periods and edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from identity.decision import Decisions
from identity.identifier import Identifier
from identity.order import Order
from identity.pairs import CandidateSighting, Link, Pair, Pairs
from identity.periods import Node, Periods
from identity.resolution import NOBODY, Edge, HeldPeriod, Hub, Member, Part, Placement, Resolution, Status
from identity.standing import Standing


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything the groups are made from; `day_end`: end of the run's business day, UTC epoch ms."""

    order: Order
    standing: Standing
    periods: Periods
    pairs: Pairs
    hubs: dict[Node, int]
    decisions: Decisions
    day_end: int
    candidates: tuple[CandidateSighting, ...]


@dataclass(slots=True)
class Outcome:
    """The groups of units with the status of each unit, and what became of every link.

    `units`: nodes by unit, as places in `nodes`; `contested`: the units a unit stands between; `fused`: links that
    nothing parts, with the decision behind them.
    """

    nodes: list[Node]
    units: dict[int, list[int]] = field(default_factory=dict)
    groups: list[list[int]] = field(default_factory=list)
    status: dict[int, str] = field(default_factory=dict)
    contested: dict[int, tuple[int, ...]] = field(default_factory=dict)
    oversize: list[list[Identifier]] = field(default_factory=list)
    live: list[tuple[Pair, Link]] = field(default_factory=list)
    fused: list[tuple[Pair, Link, str]] = field(default_factory=list)
    refused: list[tuple[Pair, Link, str, str]] = field(default_factory=list)

    def note(self, pair: Pair, link: Link, rule: str, decision_id: str) -> None:
        """The link is live, or refused by a rule."""
        if rule:
            self.refused.append((pair, link, rule, decision_id))
        else:
            self.live.append((pair, link))


@dataclass(slots=True)
class _Places:
    """Which part every unit belongs to, which unit every node, and when each identifier was first and last seen."""

    parts: list[Part] = field(default_factory=list)
    part_of_unit: dict[int, int] = field(default_factory=dict)
    unit_of: dict[Node, int] = field(default_factory=dict)
    seen: dict[Identifier, tuple[int, int]] = field(default_factory=dict)


def build_resolution(ground: Ground, outcome: Outcome) -> Resolution:
    """The result; its canonical order is given by `merge_resolutions`."""
    present = {node.identifier: node for node in sorted(outcome.nodes, key=lambda node: node.period)}
    places = _Places(unit_of={outcome.nodes[place]: unit for unit, group in outcome.units.items() for place in group})
    for group in sorted(outcome.groups):
        _add_part(group, present, ground, outcome, places)
    for node, (first, last) in ground.pairs.registered.items():
        so_far = places.seen.get(node.identifier, (first, last))
        places.seen[node.identifier] = (min(first, so_far[0]), max(last, so_far[1]))
    placements = {identifier: _placement(node, ground, outcome, places) for identifier, node in present.items()}
    hubs = [Hub(node.identifier, count) for node, count in ground.hubs.items() if present.get(node.identifier) == node]
    return Resolution(
        parts=tuple(places.parts),
        placements=placements,
        periods=tuple(_periods(ground, outcome, places)),
        edges=tuple(_edges(ground, outcome)),
        hubs=tuple(hubs),
        oversize=tuple(tuple(identifiers) for identifiers in outcome.oversize),
        refusals=ground.standing.refusals,
        candidates=_open_candidates(ground, placements),
        replaced=ground.standing.replaces.replaced,
    )


def _add_part(
    group: list[int], present: dict[Identifier, Node], ground: Ground, outcome: Outcome, places: _Places
) -> None:
    """A group as a part; contested or held contacts and hubs belong to nobody, and so does what only was here once."""
    nodes = [outcome.nodes[place] for unit in group for place in outcome.units[unit]]
    status = outcome.status[group[0]]
    owned = status == "active" or any(ground.order.holds_person(node.identifier) for node in nodes)
    here = [node for node in nodes if present[node.identifier] == node]
    now = sorted(here, key=lambda node: ground.order.key(node.identifier))
    if status == "hub" or not owned or not now:
        places.part_of_unit |= dict.fromkeys(group, NOBODY)
        return
    detached = {decision.a for decision in ground.decisions.detached}
    members = [_member(node, ground, detached=node.identifier in detached) for node in now]
    places.part_of_unit |= dict.fromkeys(group, len(places.parts))
    places.parts.append(Part(tuple(members), _status(status)))


def _status(name: str) -> Status:
    return name if name in ("active", "contested", "held", "hub", "expired") else "active"  # type: ignore[return-value]


def _member(node: Node, ground: Ground, *, detached: bool) -> Member:
    spec = ground.order.spec(node.identifier)
    return Member(
        identifier=node.identifier,
        order=ground.order.key(node.identifier),
        person=spec.holds_person,
        anonymous=spec.anonymous,
        first_ms=ground.pairs.registered[node][0],
        detached=detached,
    )


def _placement(node: Node, ground: Ground, outcome: Outcome, places: _Places) -> Placement:
    unit = places.unit_of[node]
    status = outcome.status[unit]
    ended = ground.periods.ends.get(node.identifier)
    if status == "active" and ended is not None and ended <= ground.day_end:
        status = "expired"
    first, last = places.seen[node.identifier]
    begin, _ = ground.periods.span(node)
    rivals = {places.part_of_unit.get(seed, NOBODY) for seed in outcome.contested.get(unit, ())} - {NOBODY}
    return Placement(
        part=places.part_of_unit[unit],
        status=_status(status),
        first_ms=first,
        last_ms=last,
        from_ms=first if begin is None else begin,
        ended_ms=ended,
        candidates=tuple(sorted(rivals)),
    )


def _periods(ground: Ground, outcome: Outcome, places: _Places) -> Iterable[HeldPeriod]:
    several = [node for node in outcome.nodes if node.identifier in ground.periods.starts]
    for node in several:
        begin, end = ground.periods.span(node)
        unit = places.unit_of[node]
        first = ground.pairs.registered[node][0]
        reason = ground.periods.reasons.get(node, "")
        yield HeldPeriod(
            node.identifier,
            node.period,
            first if begin is None else begin,
            end,
            places.part_of_unit[unit],
            _status(outcome.status[unit]),
            reason,
        )


def _edges(ground: Ground, outcome: Outcome) -> list[Edge]:
    found = [_edge(pair, link, "", "") for pair, link in outcome.live]
    found += [_edge(pair, link, "", decision_id) for pair, link, decision_id in outcome.fused]
    found += [_edge(pair, link, rule, decision_id) for pair, link, rule, decision_id in outcome.refused]
    for (a, b, rule), link in ground.pairs.refused.items():
        found.append(_edge((a, b), link, rule, ""))
    for one in ground.standing.replaces.refused:
        old, new = (ground.periods.node(identifier, one.row.event_ms) for identifier in one.row.linking)
        link = Link("replace", [(one.row.event_ms, one.row.source, one.row.observation_id)])
        found.append(_edge((old, new), link, one.rule, one.decision.decision_id if one.decision else ""))
    for row in ground.standing.withdrawn:
        found += _withdrawn(row.linking, (row.event_ms, row.source, row.observation_id), ground, row.kind)
    return found


def _open_candidates(ground: Ground, placements: Mapping[Identifier, Placement]) -> tuple[CandidateSighting, ...]:
    """The candidates' sightings without partners of whom a decision says that the number is not theirs."""
    apart: dict[Identifier, set[Identifier]] = {}
    for pair in ground.decisions.forbidding():
        for end in pair:
            apart.setdefault(end, set()).update(pair - {end})

    def person(identifier: Identifier) -> int | Identifier:
        part = placements[identifier].part if identifier in placements else NOBODY
        return identifier if part == NOBODY else part

    found = []
    for one in ground.candidates:
        others = {person(other) for other in apart.get(one.identifier, ())}
        partners = tuple(partner for partner in one.partners if person(partner) not in others)
        found.append(replace(one, partners=partners) if others else one)
    return tuple(found)


def _withdrawn(
    identifiers: tuple[Identifier, ...], sighting: tuple[int, str, str], ground: Ground, kind: str
) -> list[Edge]:
    nodes = [ground.periods.node(identifier, sighting[0]) for identifier in sorted(identifiers, key=ground.order.key)]
    return [_edge((nodes[0], node), Link(kind, [sighting]), "unlink", "") for node in nodes[1:]]


def _edge(pair: Pair, link: Link, refusal: str, decision_id: str) -> Edge:
    a, b = pair
    return Edge(
        a=a.identifier,
        b=b.identifier,
        a_period=a.period,
        b_period=b.period,
        rule=link.rule,
        observations=tuple((source, observation) for _, source, observation in link.sightings),
        first_ms=link.first_ms if link.sightings else None,
        last_ms=link.last_ms if link.sightings else None,
        refusal=refusal,
        decision_id=decision_id,
    )

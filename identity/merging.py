"""Putting results of separate groups together, in one canonical order: whatever was resolved together or apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from identity.identifier import Identifier
from identity.order import Order
from identity.resolution import NOBODY, Edge, HeldPeriod, Part, Placement, Resolution


def merge_resolutions(resolutions: Iterable[Resolution], order: Order) -> Resolution:
    """The resolution of groups that share no identifier, as if they had been resolved together."""
    rest = list(resolutions)
    parts: list[Part] = [part for one in rest for part in one.parts]
    ranked = sorted(range(len(parts)), key=lambda place: parts[place].members[0].order)
    now = {old: new for new, old in enumerate(ranked)} | {NOBODY: NOBODY}
    placements: dict[Identifier, Placement] = {}
    periods: list[HeldPeriod] = []
    shift = 0
    for one in rest:
        there = {place: now[place + shift] if place != NOBODY else NOBODY for place in range(NOBODY, len(one.parts))}
        for identifier, found in one.placements.items():
            rivals = tuple(sorted(there[rival] for rival in found.candidates))
            placements[identifier] = replace(found, part=there[found.part], candidates=rivals)
        periods += [replace(held, part=there[held.part]) for held in one.periods]
        shift += len(one.parts)
    key = order.key
    edges = [edge for one in rest for edge in one.edges]
    sightings = [sighting for one in rest for sighting in one.candidates]
    return Resolution(
        parts=tuple(parts[place] for place in ranked),
        placements={identifier: placements[identifier] for identifier in sorted(placements, key=key)},
        periods=tuple(sorted(periods, key=lambda held: (key(held.identifier), held.period))),
        edges=tuple(sorted(edges, key=lambda edge: _edge_rank(edge, order))),
        hubs=tuple(sorted((hub for one in rest for hub in one.hubs), key=lambda hub: key(hub.identifier))),
        oversize=tuple(sorted((group for one in rest for group in one.oversize), key=lambda group: key(group[0]))),
        refusals=tuple(sorted(refusal for one in rest for refusal in one.refusals)),
        candidates=tuple(
            sorted(sightings, key=lambda s: (s.event_ms, s.source, s.observation_id, s.identifier, s.role))
        ),
        replaced=frozenset(identifier for one in rest for identifier in one.replaced),
    )


def _edge_rank(edge: Edge, order: Order) -> tuple[object, ...]:
    ends = (order.key(edge.a), order.key(edge.b), edge.a_period, edge.b_period)
    return (*ends, edge.refusal, edge.rule, edge.first_ms or 0, edge.observations, edge.decision_id)

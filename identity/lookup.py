"""Finding identifiers: one node by any of its names, who held it on a day, and the graph around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from identity.engine import Engine, View
from identity.identifier import Identifier
from identity.namespace import PHONE
from identity.order import Order
from identity.registry import RegistryState, winners
from identity.resolution import NOBODY, HeldPeriod, Member, Part, Resolution

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class KnownToday:
    """What is known today: who belongs together, the OneID of every part, and the registry.

    `with_aliases`: a member with the names under which it was placed before.
    """

    resolution: Resolution
    one_ids: Sequence[str]
    registry: RegistryState
    with_aliases: Callable[[Member], Member]


class Finder:
    """Names in one view: a number is found by its hashes, and hashes seen alone by the number."""

    def __init__(self, view: View, engine: Engine) -> None:
        self._view = view
        self._engine = engine

    def names(self, identifier: Identifier) -> list[Identifier]:
        """All names under which the node of an identifier may be known, its present one first."""
        number = self._view.names.get(identifier, identifier)
        names = [number]
        if number.namespace == PHONE:
            names += self._engine.forms(number.value)
        return list(dict.fromkeys((*names, identifier)))

    def canonical(self, identifier: Identifier) -> Identifier:
        """The name the node has in the view, the identifier itself when it is unknown."""
        known = self._view.resolution.placements
        return next((name for name in self.names(identifier) if name in known), self.names(identifier)[0])

    def graph(self, identifier: Identifier | None) -> nx.MultiGraph[str]:
        """The identifiers of a node's cluster, and those whose link to it is refused, with all edges between them."""
        import networkx as nx  # costs a quarter of a second, and few ask for graphs

        graph: nx.MultiGraph[str] = nx.MultiGraph()
        resolution = self._view.resolution
        part = NOBODY if identifier is None else resolution.part_of(identifier)
        inside = set(resolution.parts[part].identifiers) if part != NOBODY else {identifier} - {None}
        for edge in resolution.edges:
            if edge.a in inside or edge.b in inside:
                records = [f"{source}/{observation}" for source, observation in edge.observations]
                graph.add_edge(str(edge.a), str(edge.b), rule=edge.rule, refusal=edge.refusal, observations=records)
        for name in inside:
            graph.add_node(str(name))
        for name, placement in resolution.placements.items():
            if str(name) in graph:
                graph.add_node(str(name), status=placement.status, inside=name in inside)
        return graph


def holder_at(names: Sequence[Identifier], day_end: int, then: Resolution, now: KnownToday) -> str:
    """The OneID that held a node on a day, by a view `then` of what was valid; empty for nobody.

    `names`: all names of the node; `day_end`: the day's end, UTC epoch ms. The parts of that day are given OneIDs as
    the registry gives them today; a number that went to somebody else since says nothing there. What is left alone is
    answered by the holder of its period, else by where it is at home: no run ever saw it on its own.
    """
    part = _part_of(names, then)
    if part == NOBODY:
        return ""
    parts = [_without_past(one, day_end, now) for one in then.parts]
    won = [one_id for one_id, place in winners(parts, now.registry).items() if place == part]
    period = next((one for name in names if (one := _past_period(name, day_end, now.resolution))), None)
    if period is not None and not won:
        return "" if period.part == NOBODY else now.one_ids[period.part]
    homes = {now.registry.homes.get(identifier, "") for identifier in parts[part].identifiers}
    known = [now.registry.records[one_id] for one_id in won or homes if one_id in now.registry.records]
    first = min(known, key=lambda record: record.mint_seq, default=None)
    return "" if first is None else now.registry.living(first.one_id)


def _part_of(names: Sequence[Identifier], resolution: Resolution) -> int:
    name = next((name for name in names if name in resolution.placements), None)
    return NOBODY if name is None else resolution.part_of(name)


def _past_period(name: Identifier, day_end: int, resolution: Resolution) -> HeldPeriod | None:
    """The period of a number that covers a day, None where it is the present one."""
    periods = sorted((one for one in resolution.periods if one.identifier == name), key=lambda one: one.period)
    begun = [one for one in periods if one.from_ms <= day_end]
    return None if not begun or begun[-1] is periods[-1] else begun[-1]


def _without_past(part: Part, day_end: int, now: KnownToday) -> Part:
    """The part without numbers that have gone to somebody else since: their homes are the later holder's."""
    kept = [one for one in part.members if _past_period(one.identifier, day_end, now.resolution) is None]
    members = (now.with_aliases(one) for one in kept)
    return replace(part, members=tuple(members))


def answer_at(names: Sequence[Identifier], view: View, answers: Mapping[Identifier, str], order: Order) -> str:
    """The OneID that a past run would have answered for a day, by a view of what that run knew of it.

    `answers`: what the run answered for the members of the part. Most of the part's anchors and accounts decide, then
    most of its contacts, then the order key.
    """
    part = _part_of(names, view.resolution)
    if part == NOBODY:
        return ""
    persons: Counter[str] = Counter()
    contacts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for place, member in enumerate(view.resolution.parts[part].members):
        one_id = answers.get(member.identifier, "")
        if one_id:
            (persons if order.holds_person(member.identifier) else contacts)[one_id] += 1
            first.setdefault(one_id, place)
    return min(first, key=lambda one_id: (-persons[one_id], -contacts[one_id], first[one_id]), default="")

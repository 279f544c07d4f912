"""Finding identifiers: one node by any of its names, who held it on a day, and the graph around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from identity.engine import Engine, View
from identity.identifier import Identifier
from identity.namespace import PHONE
from identity.order import Order
from identity.resolution import NOBODY

if TYPE_CHECKING:
    import networkx as nx


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


def holder_at(names: Iterable[Identifier], view: View, answers: Mapping[Identifier, str], order: Order) -> str:
    """The OneID that held a node, by a view of what was valid at the time asked for; empty for nobody.

    `answers`: the OneID of every identifier to answer with. The holder is who most of the part's anchors and accounts
    belong to now, then most of its contacts, then the order key.
    """
    resolution = view.resolution
    name = next((name for name in names if name in resolution.placements), None)
    if name is None:
        return ""
    part = resolution.part_of(name)
    if part == NOBODY:
        return ""
    persons: Counter[str] = Counter()
    contacts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for place, member in enumerate(resolution.parts[part].members):
        one_id = answers.get(member.identifier, "")
        if one_id:
            (persons if order.holds_person(member.identifier) else contacts)[one_id] += 1
            first.setdefault(one_id, place)
    return min(first, key=lambda one_id: (-persons[one_id], -contacts[one_id], first[one_id]), default="")

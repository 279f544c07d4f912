"""Explanations: the shortest chain of evidence between two identifiers, or why there is none."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from identity.decision import Decision
from identity.identifier import Identifier
from identity.observation import NormalisedObservation, Rejection
from identity.periods import Node
from identity.resolution import NOBODY, Edge, Resolution

_LIVE, _SUSPENDED, _ENDED, _CANDIDATE = 0, 100, 101, 103
_ENDINGS = ("unlink", "unbind", "expired", "reissued")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a chain from one node to the next; `edge` is None between two periods of one identifier."""

    start: Node
    end: Node
    cost: int
    edge: Edge | None
    refusal: str


class Explainer:
    """Answers from one resolution. `decisions`: all of them, to show who decided."""

    def __init__(self, resolution: Resolution, decisions: Iterable[Decision]) -> None:
        self._resolution = resolution
        self._decisions = {decision.decision_id: decision for decision in decisions}
        self._last: dict[Identifier, int] = {}
        self._steps: dict[Node, list[Step]] = {}
        for edge in resolution.edges:
            a, b = Node(edge.a, edge.a_period), Node(edge.b, edge.b_period)
            self._add(a, b, _cost(edge.refusal), edge, edge.refusal)
        for held in resolution.periods:
            self._last[held.identifier] = held.period
            if held.period:
                before, here = Node(held.identifier, held.period - 1), Node(held.identifier, held.period)
                self._add(before, here, _ENDED, None, held.reason)

    def explain(self, a: Identifier, b: Identifier) -> dict[str, Any]:
        """`linked` with the `path`, or the `refused` links of the shortest chain of all that was ever stated."""
        linked = self._resolution.part_of(a) != NOBODY and self._resolution.part_of(a) == self._resolution.part_of(b)
        chain = self._chain(a, b, live_only=linked)
        if linked:
            return {"linked": True, "path": [self._shown_step(step) for step in chain], "refused": []}
        refused = [self._refused(chain, place) for place, step in enumerate(chain) if step.cost]
        return {"linked": False, "path": [], "refused": self._with_decisions(a, b, refused)}

    def _add(self, a: Node, b: Node, cost: int, edge: Edge | None, refusal: str) -> None:
        self._steps.setdefault(a, []).append(Step(a, b, cost, edge, refusal))
        self._steps.setdefault(b, []).append(Step(b, a, cost, edge, refusal))

    def _chain(self, a: Identifier, b: Identifier, *, live_only: bool) -> list[Step]:
        """The chain with the fewest refused steps, then the fewest steps; empty when nothing was ever stated."""
        start, goal = Node(a, self._last.get(a, 0)), Node(b, self._last.get(b, 0))
        best: dict[Node, tuple[int, int]] = {start: (0, 0)}
        came: dict[Node, Step] = {}
        waiting = [(0, 0, start)]
        while waiting:
            cost, length, here = heapq.heappop(waiting)
            if (cost, length) > best[here]:
                continue
            if here == goal:
                return _walk_back(here, start, came)
            for step in self._steps.get(here, ()):
                if live_only and step.cost:
                    continue
                reached = (cost + step.cost, length + 1)
                if step.end not in best or reached < best[step.end]:
                    best[step.end] = reached
                    came[step.end] = step
                    heapq.heappush(waiting, (*reached, step.end))
        return []

    def _shown_step(self, step: Step) -> dict[str, Any]:
        """A step with its evidence; one that a steward made, with the decision."""
        edge = step.edge
        observations = edge.observations if edge else ()
        decision = _shown_decision(self._decisions.get(edge.decision_id) if edge else None)
        shown = {
            "from": str(step.start.identifier),
            "to": str(step.end.identifier),
            "rule": edge.rule if edge else step.refusal,
            "observations": [observation for _, observation in observations],
            "sources": sorted({source for source, _ in observations}),
            "first_seen": edge.first_ms if edge else None,
            "last_seen": edge.last_ms if edge else None,
        }
        return shown | {"decision": decision} if decision else shown

    def _refused(self, chain: list[Step], place: int) -> dict[str, Any]:
        """A refused step; the break between two periods is shown at the link of the earlier one."""
        step = chain[place]
        edge = step.edge
        if edge is None:
            earlier = place + 1 if step.end.period < step.start.period else place - 1
            edge = chain[earlier].edge if 0 <= earlier < len(chain) else None
        decision = self._decisions.get(edge.decision_id) if edge else None
        ends = (edge.a, edge.b) if edge else (step.start.identifier, step.end.identifier)
        return {
            "link": [str(end) for end in ends],
            "rule": step.refusal,
            "observations": [observation for _, observation in edge.observations] if edge else [],
            "decision": _shown_decision(decision),
        }

    def _with_decisions(self, a: Identifier, b: Identifier, refused: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A decision about just these two is shown also where no evidence ever joined them."""
        shown = {one["decision"]["id"] for one in refused if one["decision"]}
        for decision in self._decisions.values():
            about = any({a, b} == set(pair) for pair in decision.pairs)
            if about and decision.in_force and decision.kind != "must_link" and decision.decision_id not in shown:
                refused.append(
                    {
                        "link": [str(a), str(b)],
                        "rule": decision.kind,
                        "observations": [],
                        "decision": _shown_decision(decision),
                    }
                )
        return refused


def is_allowed(edge: Edge) -> bool:
    """Whether an edge is evidence that may join two, be it suspended: not withdrawn, expired, weak or a candidate."""
    return _cost(edge.refusal) < _ENDED


def _walk_back(end: Node, start: Node, came: Mapping[Node, Step]) -> list[Step]:
    chain: list[Step] = []
    while end != start:
        chain.append(came[end])
        end = came[end].start
    return chain[::-1]


def _cost(refusal: str) -> int:
    if not refusal:
        return _LIVE
    if refusal in _ENDINGS:
        return _ENDED
    return _CANDIDATE if refusal == "weak" or refusal.startswith("candidate:") else _SUSPENDED


def _shown_decision(decision: Decision | None) -> dict[str, str] | None:
    if decision is None:
        return None
    return {"id": decision.decision_id, "actor": decision.actor, "reason": decision.reason}


def refused_values(
    observations: Iterable[NormalisedObservation], ends: tuple[Identifier, Identifier]
) -> list[dict[str, Any]]:
    """Why a value that was refused joins nobody: the rows that named both ends, one of them by a refused value."""
    found: dict[str, list[str]] = {}
    for row in observations:
        written = {one.identifier: one.rule for one in row.rejections}
        stated = {str(one.identifier) for one in row.ids} | {str(identifier) for identifier in written}
        if all(str(end) in stated for end in ends):
            for end in ends:
                if end in written:
                    found.setdefault(written[end], []).append(row.observation_id)
    link = [str(end) for end in ends]
    return [
        {"link": link, "rule": rule, "observations": seen, "decision": None} for rule, seen in sorted(found.items())
    ]


def shared_refusals(
    observations: Iterable[NormalisedObservation],
    ends: Sequence[AbstractSet[Identifier]],
    label: Callable[[Rejection], str],
) -> list[dict[str, Any]]:
    """Why a value that rows named with either of two joins nobody: one link per end, by value and rule.

    `ends`: all names of either; `label`: the refused value as it may be shown.
    """
    found: dict[tuple[str, str], list[dict[str, list[str]]]] = {}
    for row in observations:
        stated = {one.identifier for one in row.ids} if row.rejections else set()
        for place, names in enumerate(ends):
            for name in sorted(stated & names):
                for one in row.rejections:
                    seen = found.setdefault((label(one), one.rule), [{} for _ in ends])
                    seen[place].setdefault(str(name), []).append(row.observation_id)
    return [
        {"link": [name, value], "rule": rule, "observations": records, "decision": None}
        for (value, rule), seen in sorted(found.items())
        if all(seen)
        for by_name in seen
        for name, records in sorted(by_name.items())
    ]

"""Why identifiers changed their OneID in a run: an observation, a rule, a decision or the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from identity.changes import ChangeKind
from identity.identifier import Identifier
from identity.resolution import Edge, Resolution

Record = tuple[str, str]
EdgesAt = Mapping[Identifier, list[Edge]]
_PARTING = ("split", "move")
_NO_CAUSE = ("weak", "candidate:")
"""Refusals of what never joined anybody: a candidate's sighting elsewhere explains nothing."""


class Causes:
    """Answers for one run, from the resolutions before and after it and the records that arrived in it.

    `stated`: by new record, in order of time, the identifiers it links; `trigger`: what caused every change of a run
    that no evidence started (`decision:...`, `configuration:...`), else empty.
    """

    def __init__(
        self,
        before: Resolution,
        after: Resolution,
        stated: Mapping[Record, Iterable[Identifier]],
        trigger: str = "",
    ) -> None:
        self._trigger = trigger
        self._before = before
        self._after = after
        self._new = set(stated)
        self._records: dict[Identifier, Record] = {}
        for record, identifiers in stated.items():
            for identifier in identifiers:
                self._records.setdefault(identifier, record)

    def of(self, change: ChangeKind, identifiers: tuple[Identifier, ...]) -> str:
        """The cause as text: `rule:...`, `observation:source/id`, both, `decision:...` or `configuration:...`."""
        if self._trigger:
            return self._trigger
        joining = (edge for identifier in identifiers for edge in self._edges.get(identifier, ()))
        edges = [edge for edge in joining if not edge.refusal.startswith(_NO_CAUSE)]
        causes = self._rules(edges) if change in _PARTING else []
        record = self._new_record(edges, identifiers)
        if record:
            causes.append(f"observation:{record[0]}/{record[1]}")
        return "; ".join(causes) or "rule:evidence_withdrawn"

    @cached_property
    def _edges(self) -> EdgesAt:
        return _index(self._after.edges)

    @cached_property
    def _known_refusals(self) -> set[tuple[Identifier, Identifier, str, str]]:
        return {_refusal(edge) for edge in self._before.edges if edge.refusal}

    def _new_record(self, edges: Iterable[Edge], identifiers: Iterable[Identifier]) -> Record | None:
        seen = [(edge.last_ms or 0, record) for edge in edges for record in edge.observations if record in self._new]
        if seen:
            return min(seen)[1]
        named = [self._records[identifier] for identifier in identifiers if identifier in self._records]
        return min(named, default=None)

    def _rules(self, edges: Iterable[Edge]) -> list[str]:
        """The rule of the refused edges, those refused since the run before first."""
        refused = [edge for edge in edges if edge.refusal]
        if not refused:
            return []
        telling = max(refused, key=self._telling)
        decision = [f"decision:{telling.decision_id}"] if telling.decision_id else []
        return [f"rule:{telling.refusal}", *decision]

    def _telling(self, edge: Edge) -> tuple[bool, int, str]:
        return _refusal(edge) not in self._known_refusals, edge.last_ms or 0, edge.refusal


def _index(edges: Iterable[Edge]) -> EdgesAt:
    found: dict[Identifier, list[Edge]] = {}
    for edge in edges:
        found.setdefault(edge.a, []).append(edge)
        found.setdefault(edge.b, []).append(edge)
    return found


def _refusal(edge: Edge) -> tuple[Identifier, Identifier, str, str]:
    return edge.a, edge.b, edge.refusal, edge.decision_id

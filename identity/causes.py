"""Why identifiers changed their OneID in a run: an observation, a rule, a decision or the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from identity.changes import ChangeKind
from identity.identifier import Identifier
from identity.resolution import Edge, Resolution

Record = tuple[str, str]
_PARTING = ("split", "move")
_NO_CAUSE = ("weak", "candidate:")


class Causes:
    """Answers for one run, from its resolution and the records that arrived in it.

    `stated`: by new record, in order of time, the identifiers it names; `trigger`: what caused every change of a run
    that no evidence started (`decision:...`, `configuration:...`), else empty.
    """

    def __init__(
        self, resolution: Resolution, stated: Mapping[Record, Iterable[Identifier]], trigger: str = ""
    ) -> None:
        self._trigger = trigger
        self._new = set(stated)
        self._edges: dict[Identifier, list[Edge]] = {}
        self._records: dict[Identifier, Record] = {}
        for record, identifiers in stated.items():
            for identifier in identifiers:
                self._records.setdefault(identifier, record)
        if not trigger:
            for edge in resolution.edges:
                self._edges.setdefault(edge.a, []).append(edge)
                self._edges.setdefault(edge.b, []).append(edge)

    def of(self, change: ChangeKind, identifiers: tuple[Identifier, ...]) -> str:
        """The cause as text: `rule:...`, `observation:source/id`, both, `decision:...` or `configuration:...`."""
        if self._trigger:
            return self._trigger
        edges = [edge for identifier in identifiers for edge in self._edges.get(identifier, ())]
        causes = []
        if change in _PARTING:
            causes += _rules(edges)
        record = self._new_record(edges, identifiers)
        if record:
            causes.append(f"observation:{record[0]}/{record[1]}")
        return "; ".join(causes) or "rule:evidence_withdrawn"

    def _new_record(self, edges: Iterable[Edge], identifiers: Iterable[Identifier]) -> Record | None:
        seen = [(edge.last_ms or 0, record) for edge in edges for record in edge.observations if record in self._new]
        if seen:
            return min(seen)[1]
        named = [self._records[identifier] for identifier in identifiers if identifier in self._records]
        return min(named, default=None)


def _rules(edges: Iterable[Edge]) -> list[str]:
    """The refusals at the identifiers' edges, the newest first named; candidates never joined anybody."""
    refused = [edge for edge in edges if edge.refusal and not edge.refusal.startswith(_NO_CAUSE)]
    if not refused:
        return []
    newest = max(refused, key=lambda edge: (edge.last_ms or 0, edge.refusal))
    decision = [f"decision:{newest.decision_id}"] if newest.decision_id else []
    return [f"rule:{newest.refusal}", *decision]

"""Incremental resolution: only groups touched by new, changed, expired or withdrawn evidence are resolved again.

Groups share no identifier, so the results of the untouched ones still stand; all of them together are the resolution
of everything. A full rebuild does not come here, and must give the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from identity.claims import order_keys
from identity.decision import Decision
from identity.evidence import Evidence, gather_evidence, rename
from identity.identifier import Identifier
from identity.merging import merge_resolutions
from identity.observation import NormalisedObservation
from identity.order import Order
from identity.resolution import Resolution
from identity.resolve import resolve_in_order

Key = tuple[str, tuple[int, ...], tuple[Evidence, ...], tuple[Decision, ...]]


@dataclass(slots=True)
class _Group:
    rows: list[int] = field(default_factory=list)
    derived: list[Evidence] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A group's result; `as_of` is the day it was made for where validity makes it depend on the day, else empty."""

    resolution: Resolution
    as_of: str


class _Union:
    """Sets of anything hashable."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, one: Hashable) -> Hashable:
        parent = self._parent
        root = one
        while (above := parent.setdefault(root, root)) != root:
            root = above
        while (above := parent[one]) != root:
            parent[one] = root
            one = above
        return root

    def unite(self, items: Sequence[Hashable]) -> None:
        first = self.find(items[0]) if items else None
        for other in items[1:]:
            self._parent[self.find(other)] = first


class GroupCache:
    """The results of groups, kept from run to run for one policy at a time."""

    def __init__(self) -> None:
        self._kept: dict[Key, _Kept] = {}
        self._rows: dict[Identifier, tuple[int, ...]] | None = None
        self._last: tuple[Sequence[NormalisedObservation], Mapping[Identifier, Identifier]] = ((), {})
        self.resolved = 0

    def rows_of(self, identifiers: Iterable[Identifier]) -> list[int]:
        """The places of all rows that hang together with any of the identifiers, as of the last resolution."""
        if self._rows is None:
            observations, names = self._last
            self._rows = {
                names.get(stated.identifier, stated.identifier): rows
                for _, rows, _, _ in self._kept
                for row in rows
                for stated in observations[row].ids
            }
        return sorted({row for identifier in identifiers for row in self._rows.get(identifier, ())})

    def resolve(
        self,
        observations: Sequence[NormalisedObservation],
        derived: Sequence[Evidence],
        decisions: Sequence[Decision],
        names: Mapping[Identifier, Identifier],
        *,
        order: Order,
        as_of: str,
    ) -> Resolution:
        """The resolution of everything, from kept results where nothing changed; `resolved` counts the others.

        `observations` only ever grow at the end; `decisions` and `derived` come in canonical names.
        """
        kept: dict[Key, _Kept] = {}
        self.resolved = 0
        for group in _groups(observations, derived, decisions, names):
            key = (order.policy.digest(), tuple(group.rows), tuple(group.derived), tuple(group.decisions))
            found = self._kept.get(key)
            if found is None or found.as_of not in ("", as_of):
                found = self._fresh(group, observations, names, order, as_of)
            kept[key] = found
        self._kept = kept
        self._rows, self._last = None, (observations, names)
        return merge_resolutions([one.resolution for one in kept.values()], order)

    def _fresh(
        self,
        group: _Group,
        observations: Sequence[NormalisedObservation],
        names: Mapping[Identifier, Identifier],
        order: Order,
        as_of: str,
    ) -> _Kept:
        self.resolved += 1
        stated = gather_evidence(observations[row] for row in group.rows)
        evidence = [*rename(stated, names), *group.derived]
        found = resolve_in_order(evidence, group.decisions, order, as_of=as_of)
        limited = any(placement.ended_ms is not None for placement in found.placements.values())
        return _Kept(found, as_of if limited else "")


def _groups(
    observations: Sequence[NormalisedObservation],
    derived: Iterable[Evidence],
    decisions: Iterable[Decision],
    names: Mapping[Identifier, Identifier],
) -> list[_Group]:
    """Rows, derived evidence and decisions that hang together: by identifier, claimed order, or what is withdrawn."""
    union = _Union()
    withdrawn = {(row.source, row.retracts) for row in observations if row.kind == "unlink"}
    anchors: list[Hashable] = []
    for row in observations:
        tied: list[Hashable] = [names.get(stated.identifier, stated.identifier) for stated in row.ids]
        record = (row.source, row.observation_id)
        if row.kind == "unlink":
            tied = [("record", *record), ("record", row.source, row.retracts)]
        elif record in withdrawn or not tied:
            tied.append(("record", *record))
        tied += [("order", order_key) for order_key in order_keys(row)]
        union.unite(tied)
        anchors.append(tied[0])
    pairs = [(one, [stated.identifier for stated in one.ids]) for one in derived]
    decided = [(one, [end for pair in one.pairs for end in pair]) for one in decisions]
    for _, ends in (*pairs, *decided):
        union.unite(ends)
    groups: dict[Hashable, _Group] = {}
    for place, anchor in enumerate(anchors):
        groups.setdefault(union.find(anchor), _Group()).rows.append(place)
    for one, ends in pairs:
        groups.setdefault(union.find(ends[0]), _Group()).derived.append(one)
    for decision, ends in decided:
        if union.find(ends[0]) in groups:
            groups[union.find(ends[0])].decisions.append(decision)
    return list(groups.values())

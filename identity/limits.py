"""Where evidence would put too many values of one limit together: who goes with whom, by the declared policy.

Works on small graphs of integers, smaller ones stronger in the order key: nothing here depends on the order of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from identity.fusion import GuardedUnion, Limit
from identity.identifier import Identifier

Values = Mapping[int, Mapping[Limit, set[Identifier]]]
Rank = tuple[object, ...]
BEHIND = -1


@dataclass(frozen=True, slots=True)
class Bond:
    """A live link between two units. `rank` orders bonds for `last`: the first is the one to keep; `link` is its place
    in the caller's list."""

    a: int
    b: int
    rank: Rank
    link: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A bond that is suspended or dropped, and by which limit."""

    link: int
    rule: str
    decision_id: str


@dataclass(slots=True)
class Settlement:
    """What a component comes apart into.

    `contested`: units equally near to several owners, with the units that hold the values they stand between.
    """

    groups: list[list[int]]
    contested: dict[int, tuple[int, ...]] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a group. `contested`: by unit the seeds it stands between; `broken`: by dropped link the limit that
    it would have broken, where that is not the one the group was split for."""

    parts: list[list[int]]
    contested: dict[int, tuple[int, ...]] = field(default_factory=dict)
    broken: dict[int, Limit] = field(default_factory=dict)


def settle(units: Iterable[int], bonds: Sequence[Bond], values: Values) -> Settlement:
    """A connected component taken apart until no limit is broken: by limits in rank, each inside the parts so far."""
    found = Settlement([sorted(units)])
    live = list(bonds)
    for limit in _broken_limits(found.groups[0], values):
        groups: list[list[int]] = []
        for group in found.groups:
            if _count(group, limit, values) <= limit.maximum:
                groups.append(group)
                continue
            inside = _bonds_inside(group, live)
            split = _split(group, inside, limit, values)
            groups += split.parts
            found.contested |= split.contested
            live = _cut_between(split, inside, live, limit, found)
        found.groups = groups
    return found


def _broken_limits(group: Iterable[int], values: Values) -> list[Limit]:
    together: dict[Limit, set[Identifier]] = {}
    for unit in group:
        for limit, held in values.get(unit, {}).items():
            together.setdefault(limit, set()).update(held)
    broken = [limit for limit, held in together.items() if len(held) > limit.maximum]
    return sorted(broken, key=lambda limit: limit.rank)


def _count(group: Iterable[int], limit: Limit, values: Values) -> int:
    return len({value for unit in group for value in values.get(unit, {}).get(limit, ())})


def _bonds_inside(group: Iterable[int], bonds: Iterable[Bond]) -> list[Bond]:
    members = set(group)
    return [bond for bond in bonds if bond.a in members and bond.b in members]


def _cut_between(split: Split, inside: list[Bond], live: list[Bond], limit: Limit, found: Settlement) -> list[Bond]:
    """Bonds between the parts are noted as cut; the bonds that stay are returned."""
    part_of = {unit: place for place, part in enumerate(split.parts) for unit in part}
    gone = {bond.link for bond in inside if part_of[bond.a] != part_of[bond.b]}
    for bond in inside:
        if bond.link in gone:
            broken = split.broken.get(bond.link, limit)
            disputed = not limit.decision_id and (bond.a in found.contested or bond.b in found.contested)
            rule = broken.label.replace("limit:", "contested:") if disputed else broken.label
            found.cuts.append(Cut(bond.link, rule, broken.decision_id))
    return [bond for bond in live if bond.link not in gone]


def _split(group: list[int], bonds: list[Bond], limit: Limit, values: Values) -> Split:
    if limit.policy == "last":
        return replay_newest(group, bonds, values)
    return hold_apart(group, bonds, limit, values)


def replay_newest(group: list[int], bonds: Iterable[Bond], values: Values) -> Split:
    """`last`: bonds are made again in rank; one that would break a limit with this policy is dropped.

    All such limits count at once: a bond that another limit drops must not stand in the way of a third one.
    """
    counted = {
        unit: [(limit, one) for limit, held in values.get(unit, {}).items() if limit.policy == "last" for one in held]
        for unit in group
    }
    union, broken = GuardedUnion(counted), {}
    for bond in sorted(bonds, key=lambda bond: bond.rank):
        limit = union.broken_by(bond.a, bond.b)
        if limit is None:
            union.unite(bond.a, bond.b)
        else:
            broken[bond.link] = limit
    return Split(list(union.sets().values()), broken=broken)


def hold_apart(group: list[int], bonds: Sequence[Bond], limit: Limit, values: Values) -> Split:
    """`hold`: each unit goes with the nearest seed; those between several next to somebody's are contested and stand
    alone, what hangs behind them stays together.

    Contested units are among the parts.
    """
    neighbours = _neighbours(group, bonds)
    nearest = _nearest(_seeds(group, limit, values), neighbours)
    owned = {unit for unit in group if len(nearest[unit]) == 1}
    contested = {unit: tuple(sorted(nearest[unit])) for unit in group if unit not in owned and neighbours[unit] & owned}
    side = {unit: min(nearest[unit]) if unit in owned else BEHIND for unit in group}
    side |= {unit: BEHIND - 1 - unit for unit in contested}
    return Split(connected(group, neighbours, side), contested)


def _neighbours(group: Iterable[int], bonds: Iterable[Bond]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {unit: set() for unit in group}
    for bond in bonds:
        found[bond.a].add(bond.b)
        found[bond.b].add(bond.a)
    return found


def _seeds(group: Iterable[int], limit: Limit, values: Values) -> dict[int, int]:
    """Units holding values of the limit, each with its label: units sharing a value have the same."""
    label_of: dict[Identifier, int] = {}
    union = GuardedUnion({unit: () for unit in group if values.get(unit, {}).get(limit)})
    for unit in group:
        for value in sorted(values.get(unit, {}).get(limit, ())):
            union.unite(unit, label_of.setdefault(value, unit))
    return {unit: label for label, units in union.sets().items() for unit in units}


def _nearest(seeds: Mapping[int, int], neighbours: Mapping[int, set[int]]) -> dict[int, frozenset[int]]:
    """By unit the labels of all seeds at the smallest distance, counted once over all live bonds."""
    found = {unit: frozenset([label]) for unit, label in seeds.items()}
    front = sorted(found)
    while front:
        reached: dict[int, set[int]] = {}
        for unit in front:
            for other in neighbours[unit]:
                if other not in found:
                    reached.setdefault(other, set()).update(found[unit])
        found |= {unit: frozenset(labels) for unit, labels in reached.items()}
        front = sorted(reached)
    return found


def connected(units: Iterable[int], neighbours: Mapping[int, set[int]], side: Mapping[int, int]) -> list[list[int]]:
    """The connected parts of units that are on the same side, each in order, in order of their smallest unit."""
    parts: list[list[int]] = []
    seen: set[int] = set()
    for start in sorted(units):
        if start in seen:
            continue
        seen.add(start)
        part, waiting = [start], [start]
        while waiting:
            here = waiting.pop()
            new = {other for other in neighbours[here] if other not in seen and side[other] == side[here]}
            seen |= new
            part += new
            waiting += new
        parts.append(sorted(part))
    return parts

"""Periods: stretches of time in which an identifier belongs to one holder.

A number breaks where it was silent for longer than `reissue_days` and comes back with another person's anchor. Any
identifier breaks where all its earlier sightings had ended (`valid_to`, `valid_days`) before the next one: they never
met. Everything else has one period for ever.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from identity.business_time import DAY_MS
from identity.evidence import Row
from identity.identifier import Identifier
from identity.namespace import Strength
from identity.order import Order
from identity.standing import Standing

Scope = tuple[str, str]
Anchors = dict[Scope, set[Identifier]]


class Node(NamedTuple):
    """An identifier in one of its periods: what evidence joins."""

    identifier: Identifier
    period: int


class Seen(NamedTuple):
    """A linking sighting of a number with the anchors of its row."""

    event_ms: int
    anchors: tuple[tuple[Scope, Identifier], ...]


@dataclass(frozen=True, slots=True)
class Periods:
    """When the periods of the identifiers with several begin (UTC epoch ms), why, and when validity ends.

    `ends`: end of validity of an identifier's last period, for those whose every sighting there ends.
    """

    starts: Mapping[Identifier, tuple[int, ...]]
    reasons: Mapping[Node, str]
    ends: Mapping[Identifier, int]

    def node(self, identifier: Identifier, event_ms: int) -> Node:
        """The identifier in the period an instant falls into; before the first, the first."""
        starts = self.starts.get(identifier)
        return Node(identifier, 0 if starts is None else max(0, bisect_right(starts, event_ms) - 1))

    def span(self, node: Node) -> tuple[int | None, int | None]:
        """Begin of the period and begin of the next; None for what is open."""
        starts = self.starts.get(node.identifier)
        if starts is None:
            return None, None
        following = starts[node.period + 1] if node.period + 1 < len(starts) else None
        return starts[node.period], following


def find_periods(standing: Standing, order: Order) -> Periods:
    """The periods of all identifiers, from every linking sighting that stands."""
    numbers: dict[Identifier, list[Seen]] = {}
    spans: dict[Identifier, list[tuple[int, int | None]]] = {}
    limited: set[Identifier] = set()
    for row in standing.rows:
        if row.kind == "unbind":
            continue
        ends = validity(row, order)
        limited |= {identifier for identifier, end in ends.items() if end is not None}
        for identifier, end in ends.items():
            spans.setdefault(identifier, []).append((row.event_ms, end))
            if order.spec(identifier).is_phone:
                numbers.setdefault(identifier, []).append(Seen(row.event_ms, _anchors(row, standing, order)))
    starts: dict[Identifier, dict[int, str]] = {}
    gap = order.policy.reissue_days * DAY_MS
    for identifier, seen in numbers.items():
        starts[identifier] = dict.fromkeys(reissue_starts(seen, gap), "reissued")
    for identifier in sorted(limited):
        expired = dict.fromkeys(validity_starts(spans[identifier]), "expired")
        starts[identifier] = expired | starts.get(identifier, {})
    return _build(starts, spans, limited)


def _build(
    starts: Mapping[Identifier, Mapping[int, str]],
    spans: Mapping[Identifier, list[tuple[int, int | None]]],
    limited: Iterable[Identifier],
) -> Periods:
    begins: dict[Identifier, tuple[int, ...]] = {}
    reasons: dict[Node, str] = {}
    for identifier, breaks in starts.items():
        if breaks:
            begins[identifier] = (spans[identifier][0][0], *sorted(breaks))
            reasons |= {Node(identifier, n): breaks[at] for n, at in enumerate(sorted(breaks), start=1)}
    ends: dict[Identifier, int] = {}
    for identifier in limited:
        last = begins.get(identifier, (0,))[-1]
        closing = [end for begin, end in spans[identifier] if begin >= last]
        finite = [end for end in closing if end is not None]
        if len(finite) == len(closing):
            ends[identifier] = max(finite)
    return Periods(begins, reasons, ends)


def validity(row: Row, order: Order) -> dict[Identifier, int | None]:
    """When each linking identifier's sighting in a row ends, UTC epoch ms; None for never.

    `valid_days` limits the sightings of its namespace. `valid_to` ends the row's links: the weaker ends are free for
    another holder from then on, while the strongest identifier of the row stays what it is.
    """
    linking = row.linking
    if row.valid_to is None and not any(identifier.namespace in order.valid_days for identifier in linking):
        return dict.fromkeys(linking)
    strongest = min(linking, key=order.key, default=None)
    found: dict[Identifier, int | None] = {}
    for identifier in linking:
        days = order.valid_days.get(identifier.namespace)
        ends = [] if days is None else [row.event_ms + days * DAY_MS]
        if row.valid_to is not None and identifier != strongest:
            ends.append(row.valid_to)
        found[identifier] = min(ends, default=None)
    return found


def validity_starts(spans: Sequence[tuple[int, int | None]]) -> list[int]:
    """Where sightings in order of time begin anew because all before them had ended.

    >>> validity_starts([(0, 10), (5, 20), (20, 30), (29, None), (90, None)])
    [20]
    """
    starts: list[int] = []
    reach: int | None = spans[0][1] if spans else None
    for begin, end in spans[1:]:
        if reach is None:
            break
        if begin >= reach:
            starts.append(begin)
            reach = end
        else:
            reach = None if end is None else max(reach, end)
    return starts


def reissue_starts(seen: Sequence[Seen], gap_ms: int) -> list[int]:
    """Where a number changed hands: the first sighting after a gap longer than `gap_ms` which, with what follows it,
    knows an anchor where the holder before knew another one.

    Sightings come in order of time. A stretch that knows no anchor, or only ones the holder may have had as well,
    continues the period, unless the next stretch shows that the number was re-issued before it.
    """
    starts: list[int] = []
    held: Anchors = {}
    undecided: int | None = None
    for stretch in _stretches(seen, gap_ms):
        found: Anchors = {}
        for scope, anchor in (pair for one in stretch for pair in one.anchors):
            found.setdefault(scope, set()).add(anchor)
        begin = stretch[0].event_ms if undecided is None else undecided
        if any(scope in held and not values & held[scope] for scope, values in found.items()):
            starts.append(begin)
            held = found
            undecided = None
        elif found or not held:
            for scope, values in found.items():
                held.setdefault(scope, set()).update(values)
            undecided = None
        else:
            undecided = begin
    return starts


def _stretches(seen: Sequence[Seen], gap_ms: int) -> list[list[Seen]]:
    stretches: list[list[Seen]] = []
    for one in seen:
        if stretches and one.event_ms - stretches[-1][-1].event_ms <= gap_ms:
            stretches[-1].append(one)
        else:
            stretches.append([one])
    return stretches


def _anchors(row: Row, standing: Standing, order: Order) -> tuple[tuple[Scope, Identifier], ...]:
    if row.record in standing.contradicting:
        return ()
    return tuple(
        (identifier[:2], standing.replaces.account(identifier))
        for identifier in row.linking
        if order.spec(identifier).strength is Strength.ANCHOR
    )

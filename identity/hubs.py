"""Hubs: identifiers that link directly to more partners than one person has; all their links are suspended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from identity.business_time import DAY_MS
from identity.identifier import Identifier
from identity.namespace import Strength
from identity.order import Order
from identity.pairs import Link, Pair
from identity.periods import Node
from identity.policy import HubLimits

Contact = tuple[int, Identifier]


def find_hubs(links: Mapping[Pair, Link], replaced: frozenset[Identifier], order: Order) -> dict[Node, int]:
    """The hubs with the number of partners that made them one: of one namespace and scope, or else in all.

    Anchors are none; replaced partners do not count; partners count within any `window_days` of event time, both
    ends included. A number is a hub in all its periods: it stays one whoever comes to hold it.
    """
    nodes: dict[Identifier, set[Node]] = {}
    partners: dict[Identifier, set[Identifier]] = {}
    contacts: dict[Identifier, list[Contact]] = {}
    for (a, b), link in links.items():
        for node, other in ((a, b.identifier), (b, a.identifier)):
            if order.spec(node.identifier).strength is Strength.ANCHOR:
                continue
            nodes.setdefault(node.identifier, set()).add(node)
            if other not in replaced:
                partners.setdefault(node.identifier, set()).add(other)
                contacts.setdefault(node.identifier, []).extend((at, other) for at, _, _ in link.sightings)
    limits = order.policy.hub
    least = min(limits.max_accounts, limits.max_total)
    counts = {
        identifier: partner_count(contacts[identifier], limits)
        for identifier, met in partners.items()
        if len(met) > least
    }
    return {node: count for identifier, count in counts.items() if count for node in nodes[identifier]}


def partner_count(contacts: Iterable[Contact], limits: HubLimits) -> int:
    """The most distinct partners inside a window where a limit is broken, 0 where none is.

    `contacts`: (event time in UTC epoch ms, partner), in any order.
    """
    window = sorted(contacts)
    here: Counter[Identifier] = Counter()
    scopes: Counter[tuple[str, str]] = Counter()
    most_of_one = most = begin = 0
    for at, partner in window:
        here[partner] += 1
        scopes[partner[:2]] += here[partner] == 1
        while window[begin][0] < at - limits.window_days * DAY_MS:
            gone = window[begin][1]
            here[gone] -= 1
            if not here[gone]:
                del here[gone]
                scopes[gone[:2]] -= 1
            begin += 1
        most_of_one = max(most_of_one, scopes[partner[:2]])
        most = max(most, len(here))
    if most_of_one > limits.max_accounts:
        return most_of_one
    return most if most > limits.max_total else 0

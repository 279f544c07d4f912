"""The one inference there is, off by default: a recipient's number that only one account ever orders to is its own."""

from __future__ import annotations

from collections.abc import Container, Iterable

from identity.identifier import Identifier
from identity.pairs import CandidateSighting, Link, Pairs
from identity.periods import Node
from identity.policy import Policy


def add_inferred(
    pairs: Pairs, sightings: Iterable[CandidateSighting], policy: Policy, forbidden: Container[frozenset[Identifier]]
) -> None:
    """Numbers seen as the recipient of one sole account, from `recipient_min_orders` on, are linked to it.

    A number that somebody verified is nobody's to infer. The link goes by itself when a second account appears, or by
    a decision (`forbidden`: the pairs that one keeps apart).
    """
    known = {node.identifier for node in pairs.registered}
    by_number: dict[Identifier, list[CandidateSighting]] = {}
    for one in sightings:
        if one.role == "recipient" and one.identifier not in known and one.partners:
            by_number.setdefault(one.identifier, []).append(one)
    for number, seen in sorted(by_number.items()):
        accounts = {one.partners[0] for one in seen}
        orders = {(one.source, one.observation_id) for one in seen}
        sole = min(accounts)
        if len(accounts) > 1 or frozenset((number, sole)) in forbidden:
            continue
        if len(orders) >= policy.review.recipient_min_orders:
            _link(pairs, number, sole, seen)


def _link(pairs: Pairs, number: Identifier, account: Identifier, seen: list[CandidateSighting]) -> None:
    holder = max((node for node in pairs.registered if node.identifier == account), key=lambda node: node.period)
    node = Node(number, 0)
    pairs.registered[node] = (seen[0].event_ms, seen[-1].event_ms)
    pairs.links[holder, node] = Link("inferred", [(one.event_ms, one.source, one.observation_id) for one in seen])

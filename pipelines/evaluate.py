"""How well the stitched OneIDs agree with a known truth, by pairs of identifiers.

Pairwise precision, recall and F1 as in the entity-resolution literature (Menestrina, Whang and Garcia-Molina 2010):
counted from cluster sizes, so that no pair is ever listed. Identifiers that belong to more than one person (shared or
re-issued phones) are nobody's in particular and left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from identity.accuracy import evaluate as score
from identity.identifier import Identifier
from identity.policy import Policy
from identity.token import node_token
from pipelines.errors import ConfigurationError
from pipelines.missed import missed_causes, read_edges
from pipelines.store.versions import rows_of

Accounts = defaultdict[tuple[str, str, str], list[int]]
"""Orders, paid and refunded fen by platform, shop and business day."""

SUMS = ("orders", "paid_fen", "refunded_fen")
PAID = """
SELECT platform, shop_id, business_date::VARCHAR AS day, count(*) AS orders, sum(paid_fen)::BIGINT AS fen
FROM t WHERE is_paid GROUP BY ALL
"""
REFUNDED = """
SELECT platform, shop_id, CASE WHEN shop_id IS NULL THEN order_id END AS order_id, business_date::VARCHAR AS day,
       sum(amount_fen)::BIGINT AS fen
FROM t WHERE status = 'success' GROUP BY ALL
"""
SHOPS = """
SELECT platform, order_id, min(shop_id) AS shop_id FROM t WHERE order_id IN $orders GROUP BY ALL HAVING count(*) = 1
"""
IDENTIFIERS, REACHABLE = "identifiers.jsonl", "reachable_pairs.jsonl"


@dataclass(frozen=True)
class Accuracy:
    """Pairs found, true and reachable, and the measures made of them."""

    found: int
    found_true: int
    reachable: int
    reachable_found: int
    identifiers: int
    one_ids: int

    @property
    def precision(self) -> float:
        """Share of the found pairs that are of one person."""
        return self.found_true / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the pairs that the allowed evidence can reach which were found."""
        return self.reachable_found / self.reachable if self.reachable else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def as_dict(self) -> dict[str, float | int]:
        """The measures as plain data, rounded to six places."""
        measures = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: round(value, 6) for name, value in measures.items()} | {
            "pairs_found": self.found,
            "pairs_reachable": self.reachable,
            "identifiers": self.identifiers,
            "one_ids": self.one_ids,
        }


def pairs(count: int) -> int:
    """Number of pairs among `count` things."""
    return count * (count - 1) // 2


def accuracy(owner: Mapping[str, str], person: Mapping[str, str], groups: Iterable[Iterable[str]]) -> Accuracy:
    """The accuracy of `owner` (identifier to OneID) against `person` (identifier to person).

    `groups`: per person the identifiers that allowed evidence connects; their pairs are the reachable ones.
    """
    cluster: dict[str, int] = defaultdict(int)
    agreed: dict[tuple[str, str], int] = defaultdict(int)
    for identifier, one_id in owner.items():
        who = person.get(identifier)
        if who is not None:
            cluster[one_id] += 1
            agreed[one_id, who] += 1
    reachable = reached = 0
    for group in groups:
        members = [identifier for identifier in group if identifier in person]
        inside: dict[str, int] = defaultdict(int)
        for identifier in members:
            if identifier in owner:
                inside[owner[identifier]] += 1
        reachable += pairs(len(members))
        reached += sum(pairs(count) for count in inside.values())
    found, true = sum(map(pairs, cluster.values())), sum(map(pairs, agreed.values()))
    return Accuracy(found, true, reachable, reached, sum(cluster.values()), len(cluster))


@dataclass(frozen=True)
class Truth:
    """Who is who in a simulated world: `person` of every identifier of one person, `groups` of identifiers that the
    allowed evidence connects, one per person."""

    person: Mapping[str, str]
    groups: Sequence[Sequence[str]]


def read_truth(truth: Path, policy: Policy, identity_key: str) -> Truth:
    """The truth of a world's folder, identifiers as the lake writes them."""

    def stored(namespace: str, scope: str, value: str) -> str:
        node = Identifier(namespace, scope, value)
        return f"{namespace}:{scope}:{node_token(identity_key, node, policy.spec(namespace))}"

    people: dict[str, set[str]] = defaultdict(set)
    for row in _lines(truth / IDENTIFIERS):
        people[stored(row["namespace"], row["scope"], row["value"])].add(row["person"])
    person = {identifier: next(iter(who)) for identifier, who in people.items() if len(who) == 1}
    groups = [[stored(*parts) for parts in row["identifiers"]] for row in _lines(truth / REACHABLE)]
    return Truth(person, [[identifier for identifier in group if identifier in person] for group in groups])


def evaluate(home: Path, truth: Path, policy: Policy, identity_key: str) -> dict[str, Any]:
    """The accuracy of the lake at `home` against a simulated world's truth folder, and why pairs were missed.

    Raises ConfigurationError for a folder that holds no truth.
    """
    for name in (IDENTIFIERS, REACHABLE):
        if not (truth / name).is_file():
            raise ConfigurationError(
                f"the truth folder lacks {name}", where=str(truth), hint="give the `truth` folder of `cdp simulate`"
            )
    known = read_truth(truth, policy, identity_key)
    query = (
        "SELECT namespace || ':' || scope || ':' || value AS identifier, one_id FROM t "
        "WHERE valid_to IS NULL AND one_id IS NOT NULL"
    )
    owner = {row["identifier"]: row["one_id"] for row in rows_of(home / "lake", "identity.oneid_map", query)}
    causes = missed_causes(known.groups, owner, read_edges(home / "lake"))
    return (
        accuracy(owner, known.person, known.groups).as_dict()
        | scores(owner, known)
        | {"missed_pairs_by_cause": dict(sorted(causes.items()))}
    )


def scores(owner: Mapping[str, str], truth: Truth) -> dict[str, Any]:
    """Pairwise and B-cubed precision, recall and F1 of the identifiers that have an owner and one true person: over
    `all` true pairs, and over those `reachable` by allowed evidence."""
    clusters: dict[str, set[str]] = defaultdict(set)
    for identifier, one_id in owner.items():
        clusters[one_id].add(identifier)
    groups = {identifier: str(n) for n, group in enumerate(truth.groups) for identifier in group}
    return dict(score(clusters, truth.person, groups))


def compare_books(home: Path, truth: Path) -> list[dict[str, object]]:
    """Orders, paid and refunded fen per platform in silver beside the world's books; equal when nothing was lost.

    `days`: how many business days of a shop either side has money on; `days_wrong`: on how many of them any of the
    three differs.
    """
    books, lake = _books(truth), _accounts(home / "lake")
    found = []
    for platform in sorted({account[0] for account in books}):
        days = [account for account in sorted(books.keys() | lake.keys()) if account[0] == platform]
        row: dict[str, object] = {"platform": platform}
        for place, name in enumerate(SUMS):
            row[f"{name}_books"] = sum(books[day][place] for day in days)
            row[f"{name}_lake"] = sum(lake[day][place] for day in days)
        found.append(row | {"days": len(days), "days_wrong": sum(books[day] != lake[day] for day in days)})
    return found


def _books(truth: Path) -> Accounts:
    books: Accounts = defaultdict(lambda: [0, 0, 0])
    for row in _lines(truth / "books.jsonl"):
        for place, name in enumerate(SUMS):
            books[row["platform"], row["shop"], row["day"]][place] += row[name]
    return _moved(books)


def _accounts(lake: Path) -> Accounts:
    """The same of a lake; a refund without a shop is one of the shop of its order."""
    found: Accounts = defaultdict(lambda: [0, 0, 0])
    orders = rows_of(lake, "silver.orders", PAID)
    for platform, shop, day, number, fen in (row.values() for row in orders):
        found[platform, shop, day][:2] = number, fen
    refunds = rows_of(lake, "silver.refunds", REFUNDED)
    silent = sorted({row["order_id"] for row in refunds if row["shop_id"] is None and row["order_id"]})
    named = rows_of(lake, "silver.orders", SHOPS, {"orders": silent}) if silent else []
    shops = {(row["platform"], row["order_id"]): row["shop_id"] for row in named}
    for platform, shop, order, day, fen in (row.values() for row in refunds):
        found[platform, shop or shops.get((platform, order), ""), day][2] += fen
    return _moved(found)


def _moved(accounts: Accounts) -> Accounts:
    """The days on which money moved."""
    return defaultdict(lambda: [0, 0, 0], {day: sums for day, sums in accounts.items() if any(sums)})


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    with path.open("rb") as handle:
        for line in handle:
            yield orjson.loads(line)

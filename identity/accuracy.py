"""How well a partition meets the truth: pairwise and B-cubed precision, recall and F1.

Pairwise counts pairs put together; B-cubed (Bagga and Baldwin, 1998) averages over identifiers and so is not ruled by
the largest clusters. Both are given over all true pairs and over those that allowed evidence can reach at all: no
engine can join what nothing ever stated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision (of what was joined, how much is true), recall (of what is true, how much was joined), F1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both, 0 where both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def to_dict(self) -> dict[str, float]:
        """The three figures as plain data."""
        return asdict(self) | {"f1": self.f1}


def evaluate(
    clusters: Mapping[str, Collection[str]], truth: Mapping[str, str], reachable: Mapping[str, str] | None = None
) -> dict[str, dict[str, dict[str, float]]]:
    """`{"all" | "reachable": {"pairwise" | "b_cubed": {"precision", "recall", "f1"}}}` of the identifiers in the truth.

    `truth`: person by identifier; one without a OneID counts as alone, one outside the truth does not count.
    `reachable`: by identifier a group inside its person; pairs inside a group can be reached by allowed evidence
    (missing: everything can). Precision is against the truth in both; recall against what is asked for.
    """
    found = {identifier: one_id for one_id, group in clusters.items() for identifier in group}
    labels = {identifier: found.get(identifier, ("alone", identifier)) for identifier in truth}
    scopes: dict[str, Mapping[str, Hashable]] = {"all": truth}
    scopes["reachable"] = truth if reachable is None else {i: (truth[i], reachable.get(i, ("alone", i))) for i in truth}
    return {
        name: {
            "pairwise": pairwise(labels, truth, wanted).to_dict(),
            "b_cubed": b_cubed(labels, truth, wanted).to_dict(),
        }
        for name, wanted in scopes.items()
    }


def reachable_groups(links: Iterable[tuple[str, str]], truth: Mapping[str, str]) -> dict[str, str]:
    """By identifier a group inside its person: those that links between no two people of the truth connect.

    `links`: pairs that allowed evidence joins, suspended ones included.

    >>> reachable_groups([("a", "x"), ("x", "b"), ("b", "c")], {"a": "p", "b": "p", "c": "q", "d": "p"})
    {'a': 'a', 'b': 'a', 'c': 'c', 'd': 'd'}
    """
    neighbours: dict[str, set[str]] = {identifier: set() for identifier in truth}
    for a, b in links:
        if a not in truth or b not in truth or truth[a] == truth[b]:
            neighbours.setdefault(a, set()).add(b)
            neighbours.setdefault(b, set()).add(a)
    group: dict[str, str] = {}
    for first in neighbours:
        waiting = [first] if first not in group else []
        while waiting:
            here = waiting.pop()
            group[here] = first
            waiting += [there for there in neighbours[here] if there not in group]
    return {identifier: group[identifier] for identifier in truth}


def pairwise(labels: Mapping[str, Hashable], truth: Mapping[str, Hashable], wanted: Mapping[str, Hashable]) -> Scores:
    """Pairwise scores of labels: precision against the truth, recall against the wanted grouping.

    >>> one = {"a": 1, "b": 1, "c": 2}
    >>> pairwise({"a": 7, "b": 7, "c": 7}, one, one)
    Scores(precision=0.3333333333333333, recall=1.0)
    """
    joined = _pairs(labels.values())
    true = _pairs((labels[item], truth[item]) for item in labels)
    reached = _pairs((labels[item], wanted[item]) for item in labels)
    possible = _pairs(wanted[item] for item in labels)
    return Scores(_share(true, joined), _share(reached, possible))


def b_cubed(labels: Mapping[str, Hashable], truth: Mapping[str, Hashable], wanted: Mapping[str, Hashable]) -> Scores:
    """B-cubed scores of labels: precision against the truth, recall against the wanted grouping.

    >>> one = {"a": 1, "b": 1, "c": 2}
    >>> b_cubed({"a": 7, "b": 8, "c": 9}, one, one)
    Scores(precision=1.0, recall=0.6666666666666666)
    """
    size = Counter(labels.values())
    wanted_size = Counter(wanted[item] for item in labels)
    true = Counter((labels[item], truth[item]) for item in labels)
    reached = Counter((labels[item], wanted[item]) for item in labels)
    precise = sum(true[labels[item], truth[item]] / size[labels[item]] for item in labels)
    recalled = sum(reached[labels[item], wanted[item]] / wanted_size[wanted[item]] for item in labels)
    return Scores(_share(precise, len(labels)), _share(recalled, len(labels)))


def _pairs(labels: Iterable[Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())


def _share(part: float, whole: float) -> float:
    """A share; of nothing, everything."""
    return part / whole if whole else 1.0

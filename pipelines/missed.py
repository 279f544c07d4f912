"""Why reachable pairs were not joined, told from edges and rejections alone.

A person's reachable identifiers that ended under several OneIDs are cut somewhere: at a suspended, dropped, expired or
withdrawn edge, at a refused value, or because no edge between them has arrived (late). Two sides that a live edge joins
all the same are `other`: a fault of ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pipelines.store.versions import rows_of

LATE = "late"
REFUSED = "refused value"
OTHER = "other"


@dataclass(frozen=True)
class Edges:
    """The lake's edges: `cut` gives the rule of every edge that joins nobody, `live` who is joined to whom."""

    cut: Mapping[str, Mapping[str, str]]
    live: Mapping[str, frozenset[str]]
    refused: frozenset[str]


def read_edges(lake: Path) -> Edges:
    """Edges and rejections of a lake, by identifier `namespace:scope:value`."""
    cut: dict[str, dict[str, str]] = defaultdict(dict)
    live: dict[str, set[str]] = defaultdict(set)
    for row in rows_of(lake, "identity.edges", "SELECT a_identifier AS a, b_identifier AS b, status, rule FROM t"):
        ends = (row["a"], row["b"])
        for one, two in (ends, ends[::-1]):
            if row["status"] == "live":
                live[one].add(two)
            else:
                cut[one][two] = f"{row['status']}: {row['rule']}"
    query = "SELECT DISTINCT namespace || ':' || scope || ':' || value_token AS identifier FROM t"
    refused = frozenset(row["identifier"] for row in rows_of(lake, "identity.rejections", query))
    return Edges(cut, {name: frozenset(others) for name, others in live.items()}, refused)


def missed_causes(groups: Iterable[Sequence[str]], owner: Mapping[str, str], edges: Edges) -> Counter[str]:
    """Missed pairs by cause; `groups`: per person the identifiers that allowed evidence connects."""
    causes: Counter[str] = Counter()
    for group in groups:
        sides: dict[str, list[str]] = defaultdict(list)
        for identifier in group:
            sides[owner.get(identifier, f"nobody {identifier}")].append(identifier)
        for one, two in combinations(sorted(sides), 2):
            causes[_cause(sides[one], sides[two], edges)] += len(sides[one]) * len(sides[two])
    return causes


def _cause(one: Sequence[str], two: Sequence[str], edges: Edges) -> str:
    """The first cause found: a cut edge at either side, a refused value, evidence that is not there."""
    between = [edges.cut[a][b] for a in one for b in two if b in edges.cut.get(a, {})]
    around = [rule for name in (*one, *two) for rule in edges.cut.get(name, {}).values()]
    if between or around:
        return min(between or around)
    if any(name in edges.refused for name in (*one, *two)):
        return REFUSED
    joined = any(b in edges.live.get(a, frozenset()) for a in one for b in two)
    return OTHER if joined else LATE

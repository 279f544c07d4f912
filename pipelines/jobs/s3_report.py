"""The figures of a stitching run, from the tables it left, and the gates they must pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from identity.identifier import Identifier
from identity.policy import Policy
from identity.report import LARGEST, broken_gates, channel
from pipelines.jobs.s3_work import HUBS, MAP, ONEIDS, REJECTIONS, REVIEW
from pipelines.spec import Table
from pipelines.store.versions import rows_of
from pipelines.tables import ALL

REPORT = ALL["identity.report"]
CURRENT = "valid_to IS NULL"
OWNED = f"{CURRENT} AND one_id IS NOT NULL"
WORD_BITS = 62
Figure = tuple[str, str, float]
"""Metric, dimension, value."""


def table_figures(lake: Path, policy: Policy) -> list[Figure]:
    """How many people, how sure, what was refused, and how far channels reach into each other, as the tables say."""
    status = _counts(lake, MAP, "status", CURRENT)
    people = _counts(lake, ONEIDS, "status")
    persons, visitors = people.get("active", 0.0), people.get("visitor", 0.0)
    living = "status IN ('active', 'visitor')"
    largest = rows_of(
        lake,
        ONEIDS.full_name,
        f"SELECT one_id, identifiers FROM t WHERE {living} ORDER BY identifiers DESC, one_id LIMIT {LARGEST}",
    )
    reviews = _counts(lake, REVIEW, "kind")
    return [
        ("identifiers", "", sum(status.values())),
        *((name, "", status.get(name, 0.0)) for name in ("contested", "held", "expired")),
        *(("one_ids", "", persons + visitors), ("persons", "", persons), ("visitors", "", visitors)),
        *(("identifiers_per_one_id", size, n) for size, n in _counts(lake, ONEIDS, "identifiers", living).items()),
        *(("largest_clusters", row["one_id"], float(row["identifiers"])) for row in largest),
        *(("refusals", rule, n) for rule, n in _counts(lake, REJECTIONS, "rule").items()),
        ("hubs", "", sum(_counts(lake, HUBS, "namespace").values())),
        ("oversize", "", reviews.get("held", 0.0)),
        *(("review", kind, n) for kind, n in reviews.items()),
        *_reach(lake, policy),
    ]


def _counts(lake: Path, table: Table, column: str, where: str = "true") -> dict[str, float]:
    query = f"SELECT {column} AS name, count(*) AS n FROM t WHERE {where} GROUP BY 1 ORDER BY 1"
    return {str(row["name"]): float(row["n"]) for row in rows_of(lake, table.full_name, query)}


def _reach(lake: Path, policy: Policy) -> list[Figure]:
    """By channel its persons, by pair of channels the persons in both and their share of the persons in either."""
    persons: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for names, n in _namespace_sets(lake):
        if not _visitor(names, policy):
            channels = sorted({channel(Identifier(name, "", "")) for name in names})
            persons.update(dict.fromkeys(channels, n))
            both.update(dict.fromkeys(combinations(channels, 2), n))
    figures: list[Figure] = [("reach", name, float(n)) for name, n in sorted(persons.items())]
    for a, b in combinations(sorted(persons), 2):
        figures += [
            ("reach", f"{a}+{b}", float(both[a, b])),
            ("reach_of_first", f"{a}+{b}", both[a, b] / persons[a]),
            ("reach_of_second", f"{a}+{b}", both[a, b] / persons[b]),
        ]
    return figures


def _namespace_sets(lake: Path) -> list[tuple[list[str], int]]:
    """The sets of namespaces that OneIDs hold, each with the number of those OneIDs."""
    names = list(_counts(lake, MAP, "namespace", OWNED))
    words = {f"w{start}": names[start : start + WORD_BITS] for start in range(0, len(names), WORD_BITS)}
    if not words:
        return []
    # A bit a namespace: lists of texts for each OneID would take ten times as long.
    bits = (f"coalesce(bit_or(1::BIGINT << (list_position(${w}, namespace) - 1)), 0) AS {w}" for w in words)
    held = f"SELECT {', '.join(bits)} FROM t WHERE {OWNED} GROUP BY one_id"
    query = f"SELECT {', '.join(words)}, count(*) AS n FROM ({held}) GROUP BY ALL"
    return [
        ([name for w, own in words.items() for bit, name in enumerate(own) if row[w] >> bit & 1], row["n"])
        for row in rows_of(lake, MAP.full_name, query, dict(words))
    ]


def _visitor(namespaces: Sequence[str], policy: Policy) -> bool:
    return all((spec := policy.spec(name)) is not None and spec.anonymous for name in namespaces)


def gates_broken(figures: Mapping[tuple[str, str], float], policy: Policy) -> list[str]:
    """The bounds of the configuration that the figures break, as texts."""
    report: dict[str, Any] = {
        name: figures.get((name, ""), 0.0) for name in ("oversize", "churn", "hubs", "contested", "held")
    }
    refusals = {rule: n for (metric, rule), n in figures.items() if metric == "refusals"}
    largest = [{"identifiers": n} for (metric, _), n in figures.items() if metric == "largest_clusters"]
    return broken_gates(report | {"refusals": refusals, "largest_clusters": largest}, policy)


def figures_of(lake: Path, run_id: str | None = None) -> dict[tuple[str, str], float]:
    """The figures of a run by metric and dimension, of the last finished one without a name; none when unknown."""
    rows = rows_of(lake, REPORT.full_name, "SELECT * FROM t")
    if run_id is None:
        runs = [row for row in rows if row["metric"] == "run"]
        run_id = max(runs, key=lambda row: row["value"])["run_id"] if runs else ""
    return {(row["metric"], row["dimension"]): row["value"] for row in rows if row["run_id"] == run_id}

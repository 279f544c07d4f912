"""The figures of a stitching run, from the tables it left, and the gates they must pass."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from identity.identifier import Identifier
from identity.policy import Policy
from identity.report import LARGEST, broken_gates, channel
from pipelines.jobs.s3_scope import MAP, ONEIDS
from pipelines.jobs.s3_tables import HUBS, REJECTIONS, REVIEW
from pipelines.store.lake import Lake

Figure = tuple[str, str, float]
"""Metric, dimension, value."""


def table_figures(lake: Lake, policy: Policy) -> list[Figure]:
    """How many people, how sure, what was refused, and how far channels reach into each other, as the tables say."""
    current = lake.read(MAP).where("valid_to IS NULL").persist()
    people = lake.read(ONEIDS).where("status IN ('active', 'visitor')").persist()
    figures = [("identifiers", "", float(current.count()))]
    status = _counts(current, "status")
    figures += [(name, "", status.get(name, 0.0)) for name in ("contested", "held", "expired")]
    living = _counts(people, "status")
    persons, visitors = living.get("active", 0.0), living.get("visitor", 0.0)
    figures += [("one_ids", "", persons + visitors), ("persons", "", persons), ("visitors", "", visitors)]
    figures += [("identifiers_per_one_id", size, n) for size, n in sorted(_counts(people, "identifiers").items())]
    largest = people.orderBy(F.desc("identifiers"), "one_id").limit(LARGEST).collect()
    figures += [("largest_clusters", row["one_id"], float(row["identifiers"])) for row in largest]
    figures += [("refusals", rule, n) for rule, n in sorted(_counts(lake.read(REJECTIONS), "rule").items())]
    figures += [("hubs", "", float(lake.read(HUBS).count()))]
    figures += [("oversize", "", float(lake.read(REVIEW).where("kind = 'held'").count()))]
    figures += [("review", kind, n) for kind, n in sorted(_counts(lake.read(REVIEW), "kind").items())]
    return figures + _reach(current, people, policy)


def _counts(frame: DataFrame, column: str) -> dict[str, float]:
    return {str(row[column]): float(row["count"]) for row in frame.groupBy(column).count().collect()}


def _reach(current: DataFrame, people: DataFrame, policy: Policy) -> list[Figure]:
    """By channel its persons, by pair of channels the persons in both and their share of the persons in either."""
    channels = sorted({channel(Identifier(name, "", "")) for name in policy.namespaces})
    named = F.create_map(
        *[F.lit(text) for name in policy.namespaces for text in (name, channel(Identifier(name, "", "")))]
    )
    persons = people.where("status = 'active'").select("one_id")
    seen = current.join(persons, "one_id", "left_semi").select(
        "one_id", F.element_at(named, F.col("namespace")).alias("channel")
    )
    flags = [F.max((F.col("channel") == name).cast("int")).alias(name) for name in channels]
    wide = seen.groupBy("one_id").agg(*flags)
    pairs = list(combinations(channels, 2))
    sums: list[Column] = [F.sum(name).alias(name) for name in channels]
    sums += [F.sum(F.col(a) * F.col(b)).alias(f"{a}+{b}") for a, b in pairs]
    row = wide.agg(*sums).collect()[0]
    figures = [("reach", name, float(row[name] or 0)) for name in channels if row[name]]
    for a, b in pairs:
        both = float(row[f"{a}+{b}"] or 0)
        if row[a] and row[b]:
            figures += [("reach", f"{a}+{b}", both)]
            figures += [("reach_of_first", f"{a}+{b}", both / row[a]), ("reach_of_second", f"{a}+{b}", both / row[b])]
    return figures


def gates_broken(figures: Mapping[tuple[str, str], float], policy: Policy) -> list[str]:
    """The bounds of the configuration that the figures break, as texts."""
    report = {name: figures.get((name, ""), 0.0) for name in ("oversize", "churn", "hubs", "contested", "held")}
    refusals = {rule: n for (metric, rule), n in figures.items() if metric == "refusals"}
    largest = [
        {"one_id": name, "identifiers": n} for (metric, name), n in figures.items() if metric == "largest_clusters"
    ]
    return broken_gates(report | {"refusals": refusals, "largest_clusters": largest}, policy)

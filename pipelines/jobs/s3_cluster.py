"""A stitch of a large lake carried out on the cluster: all groups, resolved on the executors."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import functions as F

from pipelines.jobs.s3_cluster_aliases import find_aliases
from pipelines.jobs.s3_cluster_groups import Inputs, gather, resolve_groups
from pipelines.jobs.s3_cluster_rows import observed, unlinks
from pipelines.jobs.s3_cluster_scope import alias_pairs, all_nodes
from pipelines.jobs.s3_cluster_tables import Answers, claims_to_review, write_all
from pipelines.jobs.s3_report import Figure
from pipelines.jobs.s3_work import Work
from pipelines.store.creation import WriteResult
from pipelines.store.history import small_rows
from pipelines.store.lake import Lake


@dataclass(frozen=True)
class ClusterRun:
    """What a stitch on the cluster wrote, and the figures that only its answers know."""

    writes: list[WriteResult]
    figures: list[Figure]


def resolve_on_cluster(lake: Lake, work: Work) -> Answers:
    """The answers for all groups of the lake, staged."""
    rows = observed(lake, work.last)
    aliases = find_aliases(lake, rows.rows)
    unlinked = unlinks(rows.rows, work.rules)
    evidence = gather(lake, work, rows.rows)
    nodes = all_nodes(lake, work, evidence.files.get("pairs", []), alias_pairs(aliases))
    staged = resolve_groups(work, Inputs(lake, rows, nodes, aliases, unlinked, evidence))
    return Answers(lake, work, staged, nodes, claims_to_review(lake))


def write_from_cluster(answers: Answers, run_id: str) -> ClusterRun:
    """Every table of the run is written; with the figures that only the answers know."""
    known = answers.known_before()
    moved = answers.moved
    churned = moved.where("was IS NOT NULL").count()
    changes = answers.get("changes").groupBy("change").agg(F.count("*").alias("n"))
    counted = [(row["change"], float(row["n"])) for row in small_rows(changes)]
    groups = answers.nodes.select("component").distinct().count()
    written = write_all(answers, run_id)
    figures: list[Figure] = [("churn", "", churned / known if known else 0.0), ("groups", "", float(groups))]
    figures += [("changes", name, n) for name, n in sorted(counted)]
    return ClusterRun(written, figures)

"""All groups of a large lake on the cluster: every identifier with the group it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from identity.identifier import key64
from pipelines.jobs.s3_components import find_components
from pipelines.jobs.s3_work import HOMES, ONEIDS, Work, decision_ends
from pipelines.spec import Table
from pipelines.store.lake import Lake
from pipelines.store.staging import stage_rows

PAIR = "src bigint, dst bigint"


def read_before(lake: Lake, work: Work, table: Table) -> DataFrame:
    """A table as it was before the run, also after the run has written it."""
    version = work.before.get(table.full_name, -1)
    return lake.read(table).limit(0) if version < 0 else lake.read(table, version=version)


def decision_pairs(lake: Lake, work: Work) -> DataFrame:
    """The ties that decisions make: `src`, `dst`."""
    ties = {(key64(*one.a), key64(*end)) for one in work.decisions for end in decision_ends(one)}
    return lake.spark.createDataFrame(sorted(ties), PAIR)


def alias_pairs(aliases: DataFrame | None) -> list[DataFrame]:
    """The ties between hashed forms and their number."""
    return [] if aliases is None else [aliases.select(F.col("form_key").alias("src"), F.col("key").alias("dst"))]


def registry_pairs(lake: Lake, work: Work) -> list[DataFrame]:
    """The ties of the registry: identifiers at home in one OneID, and OneIDs that redirect to another. They matter
    where the evidence that once tied them was erased."""
    homes = read_before(lake, work, HOMES)
    heads = homes.groupBy("home").agg(F.min("identifier_key").alias("src"))
    records = read_before(lake, work, ONEIDS).select("one_id", "merged_into", "founder_key")
    living = records.select(F.col("one_id").alias("merged_into"), F.col("founder_key").alias("dst"))
    redirects = records.where("merged_into IS NOT NULL").join(living, "merged_into")
    return [
        homes.join(heads, "home").select("src", F.col("identifier_key").alias("dst")),
        redirects.select(F.col("founder_key").alias("src"), "dst"),
    ]


def all_nodes(lake: Lake, work: Work, pairs: Sequence[str], further: Sequence[DataFrame]) -> DataFrame:
    """Every identifier with its group, from all ties there are: `key`, `component`.

    `pairs`: Parquet files of ties, `further`: ties as rows.
    """
    ties = union([*further, decision_pairs(lake, work), *registry_pairs(lake, work)])
    staged = stage_rows(ties.select("src", "dst"), "ties", work.staging)
    found = find_components(lake, [*pairs, *staged.files.get("ties", [])], work.staging, run=work.components)
    if not found:
        return lake.spark.createDataFrame([], "key bigint, component bigint")
    return lake.read_staged(found).select(F.col("node").alias("key"), "component")


def union(frames: Iterable[DataFrame]) -> DataFrame:
    """The rows of all frames."""
    return reduce(DataFrame.unionByName, frames)

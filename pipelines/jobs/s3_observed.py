"""The evidence of the lake as rows: observations with what derives from other facts, and which of it is new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.jobs.s3_compact import EVERY_ROLE, OBSERVED, LinkingRules
from pipelines.store.history import rows_since
from pipelines.store.lake import Lake
from pipelines.tables import ALL

OBSERVATIONS = ALL["silver.identity_observations"]
RECORD = ["source", "observation_id"]
ROWS = (*OBSERVED, "interval")


@dataclass(frozen=True)
class Observed:
    """All rows that state something, with `is_new` since the last run; `removed`: rows of then that are gone now."""

    rows: DataFrame
    removed: DataFrame | None


def observed(lake: Lake, since: int | None) -> Observed:
    """The observations of the lake; `since`: the version of the table that the last run saw, None before the first."""
    if since is None:
        return Observed(_shaped(lake.read(OBSERVATIONS), is_new=F.lit(True)), None)
    change = rows_since(lake, OBSERVATIONS, since)
    before = lake.read(OBSERVATIONS, version=since) if since >= 0 else lake.read(OBSERVATIONS).limit(0)
    if change.appended:
        old = _shaped(before, is_new=F.lit(False))
        return Observed(old.unionByName(_shaped(change.added, is_new=F.lit(True))), None)
    now = lake.read(OBSERVATIONS)
    known = before.select(*RECORD, F.lit(True).alias("known"))
    rows = now.join(known, RECORD, "left")
    removed = _shaped(before.join(now.select(*RECORD), RECORD, "left_anti"), is_new=F.lit(False))
    return Observed(_shaped(rows, is_new=F.col("known").isNull()), removed)


def _shaped(rows: DataFrame, *, is_new: Column) -> DataFrame:
    return rows.select(
        *RECORD,
        "kind",
        "event_ms",
        "ids",
        F.coalesce("retracts", F.lit("")).alias("retracts"),
        "valid_to_ms",
        "signature",
        F.lit("").alias("rule"),
        is_new.alias("is_new"),
        F.col("interval").cast("string").alias("interval"),
    )


def tied_keys(rules: LinkingRules) -> Column:
    """The keys of a row that must be looked at together, as an array; what `s3_compact` says, for rows of Spark."""

    def ties(stated: Column) -> Column:
        role = F.when(stated["role"] == "", F.lit("recipient")).otherwise(stated["role"])
        named = F.concat(stated["namespace"], F.lit("\x1f"), role)
        linking = stated["namespace"].isin(rules.always) | named.isin(rules.by_role)
        decided = stated["key"].isin(rules.decided) if rules.decided else F.lit(False)
        return F.lit(rules.candidates_tie) | F.col("kind").isin(*EVERY_ROLE) | linking | decided

    keys = F.transform(F.filter(F.coalesce("ids", F.array()), ties), lambda stated: stated["key"])
    return F.when(F.col("kind") == "unlink", F.array().cast("array<bigint>")).otherwise(keys)


def pairs_of(rows: DataFrame, rules: LinkingRules) -> DataFrame:
    """The ties of rows as a star around the least key of each: `src`, `dst`; a key alone is a loop."""
    tied = rows.select(tied_keys(rules).alias("tied")).where(F.size("tied") > 0)
    return tied.select(F.array_min("tied").alias("src"), F.explode("tied").alias("dst")).distinct()


def anchored(rows: DataFrame, rules: LinkingRules) -> DataFrame:
    """The rows that belong to a group, with the key that says to which as `anchor`."""
    return rows.withColumn("anchor", F.array_min(tied_keys(rules))).where(F.col("anchor").isNotNull())


def unlinks(rows: DataFrame, rules: LinkingRules) -> DataFrame | None:
    """The unlinks of all rows with the `anchor` of what they finally withdraw; None when there are none.

    An unlink belongs to the group of the row it withdraws, also over a chain of unlinks; one whose row has not come
    yet belongs to none.
    """
    found = rows.where(F.col("kind") == "unlink")
    if found.isEmpty():
        return None
    chains = found.select("source", "observation_id", "retracts").coalesce(1)
    roots = chains.mapInArrow(_root_batches, "source string, observation_id string, root string")
    targets = anchored(rows.where(F.col("kind") != "unlink"), rules)
    target = targets.select("source", F.col("observation_id").alias("root"), "anchor")
    placed = target.join(F.broadcast(roots), ["source", "root"]).drop("root")
    return found.join(placed, RECORD)


def _root_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    found = root_targets(tuple(row.values()) for batch in batches for row in batch.to_pylist())
    names = ["source", "observation_id", "root"]
    columns = [pa.array([row[place] for row in found], pa.string()) for place in range(len(names))]
    yield pa.RecordBatch.from_arrays(columns, names=names)


def root_targets(unlinks: Iterable[tuple[str, ...]]) -> list[tuple[str, str, str]]:
    """(source, unlink, retracted row) with the row at the end of each chain of unlinks; circles lead nowhere.

    >>> root_targets([("s", "u1", "o"), ("s", "u2", "u1"), ("s", "a", "b"), ("s", "b", "a")])
    [('s', 'u1', 'o'), ('s', 'u2', 'o')]
    """
    rows = list(unlinks)
    retracts = {(source, name): target for source, name, target in rows}
    found = []
    for source, name, _ in rows:
        seen, here = {name}, retracts[source, name]
        while (source, here) in retracts and here not in seen:
            seen.add(here)
            here = retracts[source, here]
        if (source, here) not in retracts:
            found.append((source, name, here))
    return sorted(found)

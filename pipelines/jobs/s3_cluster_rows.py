"""The evidence of the lake as rows: observations with what derives from other facts, and which of it is new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from identity.claims import RULE as CLAIM_RULE
from identity.claims import SOURCE as CLAIM_SOURCE
from pipelines.jobs.s3_compact import EVERY_ROLE, OBSERVED, LinkingRules
from pipelines.jobs.s3_marker import Marker
from pipelines.jobs.s3_unlinks import root_targets
from pipelines.jobs.s3_work import CLAIMS, OBSERVATIONS, RECORD
from pipelines.store.history import rows_since
from pipelines.store.lake import Lake

ROWS = (*OBSERVED, "interval")


@dataclass(frozen=True)
class Observed:
    """All rows that state something, with `is_new` since the last run; `removed`: rows of then that are gone now."""

    rows: DataFrame
    removed: DataFrame | None


def observed(lake: Lake, marker: Marker | None) -> Observed:
    """The evidence of the lake: observations, and what claims of orders say; `marker`: the last run, None before it."""
    stated = _observations(lake, marker)
    if not lake.exists(CLAIMS):
        return stated
    now = _claims(lake.read(CLAIMS)).persist()
    before = now.limit(0)
    if marker is not None and marker.version(CLAIMS) >= 0:
        before = _claims(lake.read(CLAIMS, version=marker.version(CLAIMS)))
    key = [*RECORD, "signature", "rule", "event_ms"]
    new = now.join(before.select(*key), key, "left_anti").withColumn("is_new", F.lit(True))
    kept = now.join(before.select(*key), key, "left_semi")
    gone = before.join(now.select(*key), key, "left_anti")
    rows = stated.rows.unionByName(kept).unionByName(new.select(kept.columns))
    return Observed(rows, gone if stated.removed is None else stated.removed.unionByName(gone))


def _observations(lake: Lake, marker: Marker | None) -> Observed:
    if marker is None:
        return Observed(_shaped(lake.read(OBSERVATIONS), is_new=F.lit(True)), None)
    since = marker.version(OBSERVATIONS)
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


def _claims(claims: DataFrame) -> DataFrame:
    """What claims state: every one its claimant's identifiers, a confirmed one also that the buyer is the same."""
    claimants = claims.withColumns({"rule": F.lit(""), "ids": F.col("claimant")})
    confirmed = claims.where("verdict = 'link'").withColumns(
        {"rule": F.lit(CLAIM_RULE), "ids": F.concat("claimant", "buyer")}
    )
    keys = F.transform("ids", lambda stated: stated["key"])
    scope = F.when(F.col("claim_scope") != "", F.col("claim_scope"))  # what `claim_record` says, for columns
    return claimants.unionByName(confirmed).select(
        F.lit(CLAIM_SOURCE).alias("source"),
        F.concat_ws(":", scope, "claim_id").alias("observation_id"),
        F.lit("link").alias("kind"),
        "event_ms",
        "ids",
        F.lit("").alias("retracts"),
        F.lit(None).cast("bigint").alias("valid_to_ms"),
        F.xxhash64(F.lit(CLAIM_SOURCE), "rule", keys).alias("signature"),
        "rule",
        F.lit(False).alias("is_new"),
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

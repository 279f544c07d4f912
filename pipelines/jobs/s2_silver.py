"""s2: bronze records become typed facts in their latest state, and identity observations.

The rows that s1 staged in this run are used as they are; any other batch that silver has not applied yet (an ingest
on its own, a run that was cut off, a parser that was mended) is parsed again from bronze. Which batches silver has
applied is kept in ops.progress, so the work follows the new data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from pipelines.jobs.context import DOUBLED, JobOutcome, RunContext
from pipelines.jobs.parsing import BatchKey, parse_bronze
from pipelines.jobs.refund_shops import NUMBER, buyers, refunded_numbers
from pipelines.jobs.s1_bronze import collect_results, staged_parts, staged_rows
from pipelines.jobs.snapshots import (
    CONTACT_LISTINGS,
    FOLLOWS,
    LISTINGS,
    MEMBERS,
    listings,
    members_who_left,
    relations_that_ended,
)
from pipelines.jobs.superseded import told_twice
from pipelines.jobs.worker import BATCH, PLACE, TABLE
from pipelines.spec import Table
from pipelines.store.creation import WriteResult
from pipelines.store.lake import collected
from pipelines.store.ledger import SILVER_JOB, unapplied_batches
from pipelines.tables import ALL, SILVER

OBSERVATIONS = ALL["silver.identity_observations"]
PROGRESS = ALL["ops.progress"]
REJECTIONS = ALL["identity.rejections"]
GROUPS, ORDERS, REFUNDS = "silver.groups", "silver.orders", "silver.refunds"
Rows = pl.DataFrame | DataFrame
"""Staged rows of a table, in this process or, where they are many, on the cluster."""


def run(context: RunContext) -> JobOutcome:
    """Silver holds every bronze batch of the run's days; the surrogate keys of new facts are in the run's state."""
    pending = _pending(context)
    if not pending:
        return JobOutcome(skipped="no batch that silver has not applied")
    unstaged = frozenset(pending) - context.state.staged_batches
    if unstaged:
        _stage_from_bronze(context, unstaged)
    outcome = JobOutcome(rows_in={"batches": len(pending)})
    staged = {
        table.full_name: _rows(context, table, files, frozenset(pending))
        for table in (*SILVER, REJECTIONS)
        if (files := context.state.staged.get(table.full_name))
    }
    outcome.writes += context.lake.each(lambda name: _write(context, ALL[name], staged[name]), list(staged))
    if OBSERVATIONS.full_name in staged:
        outcome.writes.append(_refuse_conflicts(context, staged[OBSERVATIONS.full_name]))
    outcome.writes += _write_leavers(context, staged)
    outcome.writes += _write_ended(context, staged)
    outcome.writes += _write_superseded(context, staged)
    touch(context, staged)
    outcome.writes.append(_record(context, pending))
    return outcome


def _pending(context: RunContext) -> list[BatchKey]:
    lake = Path(context.lake.root)
    return sorted(unapplied_batches(lake, context.first, context.last, ignore_ledger=context.ignore_ledger))


def _stage_from_bronze(context: RunContext, batches: frozenset[BatchKey]) -> None:
    """The silver rows of the batches are staged once more; their bronze rows stay as they are."""
    results = parse_bronze(context, batches)
    for name in [name for name in context.state.staged if name.startswith("bronze.")]:
        del context.state.staged[name]
    collect_results(context, results)


def _rows(context: RunContext, table: Table, files: list[str], batches: frozenset[BatchKey]) -> Rows:
    """The staged rows of a table: in this process up to the configured number, else on the cluster.

    A fact that came twice says nothing the second time, as it would if its one row in bronze were read again. Evidence
    and ciphers, which many records state alike, are staged for one of them, be it a double.
    """
    doubled = context.state.doubled if "record_hash" in table.column_names else context.state.doubled.clear()
    if sum(pq.read_metadata(file).num_rows for file in files) <= context.settings.ingest.in_process_rows:
        return pl.concat(staged_parts(files, batches, doubled=doubled))
    rows = staged_rows(context.lake, files, batches)
    if doubled.height:
        rows = rows.join(context.lake.spark.createDataFrame(doubled.to_arrow()), list(DOUBLED), "left_anti")
    return rows.drop(BATCH, TABLE, PLACE)


def _write(context: RunContext, table: Table, rows: Rows) -> WriteResult:
    lake: Any = context.lake.local if isinstance(rows, pl.DataFrame) else context.lake
    if table.version is not None:
        result = lake.upsert_latest(table, rows)
    elif "interval" in table.column_names:
        same = "content_hash" if "content_hash" in table.column_names else None
        result = lake.keep_earliest(table, rows, same=same)
    else:
        result = lake.append_new(table, rows, order=["key_id"] if "key_id" in table.column_names else [])
    written: WriteResult = result
    return written


def _refuse_conflicts(context: RunContext, rows: Rows) -> WriteResult:
    """An observation is kept as it first came; the same id with other content has a row in rejections.

    Written when the other tables are done: two writers at once could both add the same rejection.
    """
    record = ["source", "observation_id"]
    found = few(rows, *record, "content_hash", "interval")
    held = context.lake.local.scan(OBSERVATIONS).select(*record, held="content_hash")
    conflicts = held.join(found.lazy(), on=record).filter(pl.col("content_hash") != pl.col("held")).collect()
    nothing = [pl.lit("").alias(name) for name in ("namespace", "scope")]
    stated = [pl.col("content_hash").alias("value_token"), pl.lit("conflicting_content").alias("rule")]
    refused = conflicts.select(*record, "interval", *nothing, *stated)
    return context.lake.local.keep_earliest(REJECTIONS, refused)


def _write_leavers(context: RunContext, staged: Mapping[str, Rows]) -> list[WriteResult]:
    """Full listings are kept, and members they leave out have left; the leavers' features follow."""
    names = [name for name in (GROUPS, MEMBERS.full_name) if name in staged]
    if not names:
        return []
    lake, writes = context.lake.local, []
    if GROUPS in staged:
        given = few(staged[GROUPS], "corp_id", "chat_id", "snapshot_at")
        writes.append(lake.append_new(LISTINGS, listings(given)))
    groups = pl.concat([few(staged[name], "corp_id", "chat_id") for name in names]).unique()
    left = members_who_left(lake, groups)
    writes.append(lake.replace_keys(MEMBERS, left, left.select(MEMBERS.key)))
    touch(context, {MEMBERS.full_name: left})
    return writes


def _write_ended(context: RunContext, staged: Mapping[str, Rows]) -> list[WriteResult]:
    """Relations that a complete listing leaves out have ended; the customers' features follow."""
    names = [name for name in (FOLLOWS.full_name, CONTACT_LISTINGS.full_name) if name in staged]
    if not names or not context.lake.exists(CONTACT_LISTINGS):
        return []
    corps = pl.concat([few(staged[name], "corp_id") for name in names])["corp_id"].unique()
    ended = relations_that_ended(context.lake.local, corps.to_list())
    touch(context, {FOLLOWS.full_name: ended})
    return [context.lake.local.replace_keys(FOLLOWS, ended, ended.select(FOLLOWS.key))]


def _write_superseded(context: RunContext, staged: Mapping[str, Rows]) -> list[WriteResult]:
    """Of a refund that an export and its platform told of, one counts; what that changes is touched by its number."""
    if REFUNDS not in staged:
        return []
    lake, refunds = context.lake.local, ALL[REFUNDS]
    changed = told_twice(lake, refunded_numbers(lake, few(staged[REFUNDS], *refunds.key), None))
    return [lake.replace_keys(refunds, changed, changed.select(refunds.key))] if changed.height else []


def touch(context: RunContext, staged: Mapping[str, Rows]) -> None:
    """The keys whose facts may have changed are remembered for the features."""
    keys = [few(rows, "subject_key")["subject_key"] for name, rows in staged.items() if _has_subject(name)]
    if REFUNDS in staged or ORDERS in staged:
        told = few(staged[REFUNDS], *ALL[REFUNDS].key) if REFUNDS in staged else None
        arrived = few(staged[ORDERS], *NUMBER) if ORDERS in staged else None
        numbers = refunded_numbers(context.lake.local, told, arrived).collect()
        if numbers.height:
            context.state.refunded = pl.concat([context.state.refunded, numbers]).unique()
            keys.append(buyers(context.lake.local, numbers).collect()["subject_key"])
    if "silver.products" in staged:
        context.state.touch_all = True
    if keys:
        found = pl.concat(keys).drop_nulls().unique().sort().to_frame("identifier_key")
        context.state.touched.append(found)


def _has_subject(name: str) -> bool:
    return "subject_key" in ALL[name].column_names


def few(rows: Rows, *columns: str) -> pl.DataFrame:
    """A few columns of staged rows, in this process."""
    return rows.select(columns) if isinstance(rows, pl.DataFrame) else collected(rows.select(*columns))


def _record(context: RunContext, batches: list[BatchKey]) -> WriteResult:
    names = ("feed", "interval", "batch_id")
    return context.lake.add_rows(
        PROGRESS,
        [{"job": SILVER_JOB, **dict(zip(names, key, strict=True)), "run_id": context.run_id} for key in batches],
    )

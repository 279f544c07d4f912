"""s2: bronze records become typed facts in their latest state, and identity observations.

The rows that s1 staged in this run are used as they are; any other batch that silver has not applied yet (an ingest
on its own, a run that was cut off, a parser that was mended) is parsed again from bronze. Which batches silver has
applied is kept in ops.progress, so the work follows the new data.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.jobs.s1_bronze import LEDGER, BatchKey, collect_results, staged_rows
from pipelines.jobs.snapshots import LISTINGS, MEMBERS, listings, members_who_left
from pipelines.jobs.worker import BATCH, RESULT_SCHEMA, TABLE, read_bronze_row, run_task
from pipelines.spec import Table
from pipelines.store.lake import WriteResult
from pipelines.tables import ALL, SILVER

JOB = "s2_silver"
OBSERVATIONS = ALL["silver.identity_observations"]
PROGRESS = ALL["ops.progress"]
REJECTIONS = ALL["identity.rejections"]


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
        table.full_name: staged_rows(context.lake, files, frozenset(pending)).drop(BATCH, TABLE)
        for table in (*SILVER, REJECTIONS)
        if (files := context.state.staged.get(table.full_name))
    }
    outcome.writes += context.lake.each(lambda name: _write(context, ALL[name], staged[name]), list(staged))
    if OBSERVATIONS.full_name in staged:
        outcome.writes.append(_refuse_conflicts(context, staged[OBSERVATIONS.full_name]))
    outcome.writes += _write_leavers(context, staged)
    for name, rows in staged.items():
        _touch(context, ALL[name], rows)
    outcome.writes.append(_record(context, pending))
    return outcome


def _pending(context: RunContext) -> list[BatchKey]:
    columns = "SELECT feed, interval::VARCHAR AS day, batch_id FROM t WHERE"
    days: dict[str, object] = {"first": context.first, "last": context.last}
    brought = context.lake.query(LEDGER, f"{columns} interval BETWEEN $first::DATE AND $last::DATE", days)
    applied = [] if context.ignore_ledger else context.lake.query(PROGRESS, f"{columns} job = $job", {"job": JOB})
    return sorted({tuple(row.values()) for row in brought} - {tuple(row.values()) for row in applied})


def _stage_from_bronze(context: RunContext, batches: frozenset[BatchKey]) -> None:
    frames: list[DataFrame] = []
    for feed in sorted({feed for feed, _, _ in batches}):
        table = ALL[f"bronze.{feed}"]
        if not context.lake.exists(table):
            continue
        days = sorted({day for name, day, _ in batches if name == feed})
        ids = sorted({batch_id for name, _, batch_id in batches if name == feed})
        rows = context.lake.read(table).where(F.col("interval").isin(days) & F.col("batch_id").isin(ids))
        columns = [F.lit(feed).alias("feed"), F.col("interval").cast("string").alias("interval")]
        frames.append(rows.select(*columns, "batch_id", "source_file", "line", "element", "context", "payload"))
    if not frames:
        return
    union = frames[0]
    for frame in frames[1:]:
        union = union.unionByName(frame)
    results = union.mapInArrow(run_task(context.setup, read_bronze_row), RESULT_SCHEMA).collect()
    for name in [name for name in context.state.staged if name.startswith("bronze.")]:
        del context.state.staged[name]
    collect_results(context, results)


def _write(context: RunContext, table: Table, rows: DataFrame) -> WriteResult:
    if table.version is not None:
        return context.lake.upsert_latest(table, rows)
    if "interval" in table.column_names:
        same = "content_hash" if "content_hash" in table.column_names else None
        return context.lake.keep_earliest(table, rows, same=same)
    return context.lake.append_new(table, rows, order=["key_id"] if "key_id" in table.column_names else [])


def _refuse_conflicts(context: RunContext, rows: DataFrame) -> WriteResult:
    """An observation is kept as it first came; the same id with other content has a row in rejections.

    Written when the other tables are done: two writers at once could both add the same rejection.
    """
    held = context.lake.read(OBSERVATIONS).select("source", "observation_id", F.col("content_hash").alias("held"))
    conflicts = rows.join(held, ["source", "observation_id"]).where(F.col("content_hash") != F.col("held"))
    refused = conflicts.select(
        "source",
        "observation_id",
        F.lit("").alias("namespace"),
        F.lit("").alias("scope"),
        F.col("content_hash").alias("value_token"),
        F.lit("conflicting_content").alias("rule"),
        "interval",
    )
    return context.lake.keep_earliest(REJECTIONS, refused)


def _write_leavers(context: RunContext, staged: Mapping[str, DataFrame]) -> list[WriteResult]:
    """Full listings are kept, and members they leave out have left; the leavers' features follow."""
    groups = [
        staged[name].select("corp_id", "chat_id") for name in ("silver.groups", MEMBERS.full_name) if name in staged
    ]
    if not groups:
        return []
    writes = []
    if "silver.groups" in staged:
        writes.append(context.lake.append_new(LISTINGS, listings(staged["silver.groups"])))
    left = members_who_left(context.lake, reduce(DataFrame.unionByName, groups).distinct()).localCheckpoint()
    writes.append(context.lake.replace_keys(MEMBERS, left, left.select(*MEMBERS.key)))
    _touch(context, MEMBERS, left)
    return writes


def _touch(context: RunContext, table: Table, rows: DataFrame) -> None:
    """The keys whose facts may have changed are remembered for the features."""
    if "subject_key" in table.column_names:
        context.state.touched.append(
            rows.select(F.col("subject_key").alias("identifier_key")).where("identifier_key IS NOT NULL")
        )
    elif table.full_name == "silver.refunds":
        orders = context.lake.read(ALL["silver.orders"]).select("platform", "shop_id", "order_id", "subject_key")
        hit = orders.join(
            rows.select("platform", "shop_id", "order_id").distinct(), ["platform", "shop_id", "order_id"]
        )
        context.state.touched.append(
            hit.select(F.col("subject_key").alias("identifier_key")).where("identifier_key IS NOT NULL")
        )
    elif table.full_name == "silver.products":
        context.state.touch_all = True


def _record(context: RunContext, batches: list[BatchKey]) -> WriteResult:
    names = ("feed", "interval", "batch_id")
    return context.lake.add_rows(
        PROGRESS,
        [{"job": JOB, **dict(zip(names, key, strict=True)), "run_id": context.run_id} for key in batches],
    )

"""s1: landing files become bronze records; refused records go to quarantine; every batch's balance is kept.

A record counts once per feed and interval, whatever batch, file or page brings it: its digest decides. A batch that was
cut off is recognised by its id: its own records of the first try count as good, not as duplicates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import reduce
from hashlib import sha256
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipelines.errors import InputRefusedError
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.jobs.landing import Batch, chunks
from pipelines.jobs.worker import BATCH, QUARANTINE, RESULT_SCHEMA, TABLE, read_chunk_row, run_task
from pipelines.store.lake import Lake, WriteResult
from pipelines.store.marks import Marks
from pipelines.tables import ALL

CHUNK_SCHEMA = (
    "feed string, interval string, batch_id string, path string, name string,"
    " start bigint, end bigint, first_line bigint"
)
LEDGER = ALL["ops.batches"]
POSITION = ("batch_id", "source_file", "line", "element")
BatchKey = tuple[str, str, str]


@dataclass(frozen=True)
class Balance:
    """A batch's records: `records_in = good + duplicate + quarantined + suppressed`."""

    good: int = 0
    duplicate: int = 0
    quarantined: int = 0
    suppressed: int = 0

    @property
    def records_in(self) -> int:
        """All records the batch brought."""
        return self.good + self.duplicate + self.quarantined + self.suppressed


def run(context: RunContext) -> JobOutcome:
    """The context's batches are in bronze with their balance in ops.batches; their silver rows are staged.

    Raises InputRefusedError (exit 3) that names the batches whose refused share is above the bound; the other batches
    are in.
    """
    batches = _unknown_batches(context)
    if not batches:
        return JobOutcome(skipped="no new files")
    seen = parse_batches(context, batches)
    refused = _refused_batches(context, batches, seen)
    accepted = [batch for batch in batches if _key(batch) not in refused]
    outcome = JobOutcome(rows_in={"records": sum(sum(counts.values()) for counts in seen.values())})
    balances = {_key(batch): Balance() for batch in accepted}
    marks = Marks(context.settings.home)
    unsure = marks.is_set("bronze")
    marks.set("bronze")
    outcome.writes += _write_bronze(context, balances, unsure=unsure)
    outcome.writes.append(_write_quarantine(context, frozenset(balances), balances))
    outcome.writes.append(_write_ledger(context, accepted, balances))
    marks.clear("bronze")
    context.state.staged_batches = frozenset(balances)
    if refused:
        _raise_refused(refused)
    return outcome


def parse_batches(context: RunContext, batches: list[Batch]) -> dict[BatchKey, dict[str, int]]:
    """Every record of the batches is staged; gives, per batch, the number of good records and of each refusal."""
    rows = [asdict(chunk) for batch in batches for chunk in chunks(batch, context.settings.ingest.chunk_bytes)]
    rows.sort(key=lambda row: (-(row["end"] - row["start"]), row["path"], row["start"]))
    slices = max(
        2, min(len(rows), sum(row["end"] - row["start"] for row in rows) // context.settings.ingest.chunk_bytes + 2)
    )
    spark = context.lake.spark
    dealt = [rows[start::slices] for start in range(slices)]
    frame = spark.createDataFrame([tuple(row.values()) for part in dealt for row in part], CHUNK_SCHEMA)
    frame = frame.repartitionByRange(slices, F.col("path"), F.col("start")) if slices > 2 else frame.repartition(2)
    results = frame.mapInArrow(run_task(context.setup, read_chunk_row), RESULT_SCHEMA).collect()
    return collect_results(context, results)


def collect_results(context: RunContext, results: Sequence[Any]) -> dict[BatchKey, dict[str, int]]:
    """The staged files are known to the run; gives, per batch, the number of good records and of each refusal."""
    seen: dict[BatchKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    signals: dict[tuple[str, str, str], int] = defaultdict(int)
    for kind, name, file, feed, interval, batch_id, rows in results:
        if kind == "staged":
            context.state.staged.setdefault(name, []).append(file)
        elif kind in ("good", "quarantined"):
            seen[feed, interval, batch_id][name or "good"] += rows
        else:
            signals[kind, feed, name] += rows
    for (kind, feed, path), rows in sorted(signals.items()):
        context.say(f"{kind.replace('_', ' ')} in {feed}: {path} ({rows} records)")
    return {key: dict(counts) for key, counts in seen.items()}


def staged_rows(lake: Lake, files: list[str], batches: frozenset[BatchKey] | None) -> DataFrame:
    """The staged rows of these batches (None: all), with their batch in `__batch`."""
    frame = lake.read_staged(sorted(files))
    if batches is None:
        return frame
    ids = sorted({batch_id for _, _, batch_id in batches})
    return frame.where(F.col(BATCH).isin(ids)) if len(ids) < 2000 else _semi(lake, frame, ids)


def _semi(lake: Lake, frame: DataFrame, ids: list[str]) -> DataFrame:
    known = lake.spark.createDataFrame([(value,) for value in ids], f"{BATCH} string")
    return frame.join(F.broadcast(known), BATCH, "left_semi")


def _application_id(name: str, batches: frozenset[BatchKey]) -> str:
    """The same batches commit once, also when the answer to the first try was lost (Delta's txnAppId)."""
    own = sorted(key for key in batches if f"bronze.{key[0]}" == name)
    return f"{name}:{sha256(repr(own).encode()).hexdigest()[:32]}"


def _key(batch: Batch) -> BatchKey:
    return batch.feed, batch.interval, batch.batch_id


def _unknown_batches(context: RunContext) -> list[Batch]:
    if context.ignore_ledger:
        return list(context.batches)
    query = "SELECT feed, interval::VARCHAR AS day, batch_id, content_hash FROM t"
    known = {
        (row["feed"], row["day"], row["batch_id"]): row["content_hash"] for row in context.lake.query(LEDGER, query)
    }
    fresh: list[Batch] = []
    for batch in context.batches:
        content = known.get(_key(batch))
        if content is None:
            fresh.append(batch)
        elif content != batch.content_hash:
            raise InputRefusedError(
                f"batch {batch.batch_id!r} of {batch.feed} was ingested before with other content",
                where=f"{batch.feed}/{batch.interval}",
                hint="give changed files a new --batch-id",
            )
    return fresh


def _refused_batches(
    context: RunContext, batches: list[Batch], seen: dict[BatchKey, dict[str, int]]
) -> dict[BatchKey, str]:
    refused: dict[BatchKey, str] = {}
    for batch in batches:
        why = _why_refused(context, batch, seen.get(_key(batch), {}))
        if why:
            refused[_key(batch)] = why
    return refused


def _why_refused(context: RunContext, batch: Batch, counts: dict[str, int]) -> str:
    """Why the batch is refused as a whole, or nothing.

    A few bad rows in a small batch are no reason; more than half of any batch are. Error answers of the platform do not
    count: their window is pulled again.
    """
    empty = [file.name for file in batch.files if file.size == 0]
    if empty:
        return f"{len(empty)} of its files are empty, for example {empty[0]}"
    bounds = context.settings.ingest
    counts = {name: rows for name, rows in counts.items() if name != "platform_error"}
    total = sum(counts.values())
    bad = total - counts.get("good", 0)
    if bad <= bounds.max_refused_share * total or (bad <= bounds.min_refused_rows and bad * 2 <= total):
        return ""
    reasons = ", ".join(f"{name} {rows}" for name, rows in sorted(counts.items()) if name != "good")
    return f"{bad} of {total} records refused ({reasons}), allowed {bounds.max_refused_share:.1%}"


def _raise_refused(refused: dict[BatchKey, str]) -> None:
    (feed, interval, batch_id), why = sorted(refused.items())[0]
    more = f"; {len(refused) - 1} more batches likewise" if len(refused) > 1 else ""
    raise InputRefusedError(
        f"batch {batch_id} was refused: {why}{more}",
        where=f"{feed}/{interval}",
        hint="look at the files, or raise ingest.max_refused_share if this is expected",
    )


def _write_bronze(context: RunContext, balances: dict[BatchKey, Balance], *, unsure: bool) -> list[WriteResult]:
    """The new records of all feeds are in bronze; `unsure`: a run was cut off while it wrote there."""
    staged = context.state.staged
    names = sorted(name for name in staged if name.startswith("bronze."))
    files = [file for name in names for file in staged.pop(name)]
    if not files:
        return []
    rows = staged_rows(context.lake, files, frozenset(balances))
    verdicts = _verdicts(context, rows, _tables_to_check(context, frozenset(balances), unsure=unsure)).persist()
    try:
        counted = verdicts.groupBy(TABLE, "interval", "batch_id", "verdict").count().collect()
        new = _count(counted, balances)
        rows = _without(rows, verdicts, sum(row["count"] for row in counted if row["verdict"] != "new"))
        batches = frozenset(balances)

        def append(name: str) -> WriteResult:
            own = rows.where(F.col(TABLE) == name).drop(BATCH, TABLE)
            return context.lake.append(ALL[name], own, rows=new[name], app_id=_application_id(name, batches))

        return context.lake.each(append, sorted(new))
    finally:
        verdicts.unpersist()


def _tables_to_check(context: RunContext, batches: frozenset[BatchKey], *, unsure: bool) -> list[str]:
    """The bronze tables that may hold records of these intervals already."""
    feeds = {feed for feed, _, _ in batches}
    if not unsure and not context.ignore_ledger:
        found = context.lake.query(LEDGER, "SELECT DISTINCT feed, interval::VARCHAR AS day FROM t")
        known = {(row["feed"], row["day"]) for row in found}
        feeds = {feed for feed, interval, _ in batches if (feed, interval) in known}
    return sorted(f"bronze.{feed}" for feed in feeds if context.lake.exists(ALL[f"bronze.{feed}"]))


def _verdicts(context: RunContext, rows: DataFrame, check: list[str]) -> DataFrame:
    """Each staged record as new, again (its own batch brought it before) or duplicate."""
    window = Window.partitionBy(TABLE, "interval", "record_hash").orderBy(*POSITION)
    ranked = rows.select(TABLE, "interval", "record_hash", *POSITION).withColumn("n", F.row_number().over(window))
    if not check:
        return ranked.withColumn("verdict", F.when(F.col("n") > 1, "duplicate").otherwise("new")).drop("n")
    days = F.col("interval").between(context.first, context.last)
    owned = [
        context.lake.read(ALL[name])
        .where(days)
        .select(F.lit(name).alias(TABLE), "interval", "record_hash", F.col("batch_id").alias("owner"))
        for name in check
    ]
    known = reduce(DataFrame.unionByName, owned)
    verdict = (
        F.when(F.col("n") > 1, "duplicate")
        .when(F.col("owner").isNull(), "new")
        .when(F.col("owner") == F.col("batch_id"), "again")
        .otherwise("duplicate")
    )
    joined = ranked.join(known, [TABLE, "interval", "record_hash"], "left")
    return joined.withColumn("verdict", verdict).drop("n", "owner")


def _count(counted: Sequence[Any], balances: dict[BatchKey, Balance]) -> dict[str, int]:
    """The balances count the verdicts; gives the new records per table that has any."""
    new: dict[str, int] = defaultdict(int)
    for name, interval, batch_id, verdict, count in counted:
        key = (name.removeprefix("bronze."), str(interval), batch_id)
        old = balances[key]
        if verdict == "duplicate":
            balances[key] = replace(old, duplicate=old.duplicate + count)
        else:
            balances[key] = replace(old, good=old.good + count)
        if verdict == "new":
            new[name] += count
    return dict(new)


def _without(rows: DataFrame, verdicts: DataFrame, dropped: int) -> DataFrame:
    if not dropped:
        return rows
    known = verdicts.where(F.col("verdict") != "new").select(TABLE, "interval", *POSITION)
    if dropped < 1_000_000:
        known = F.broadcast(known)
    return rows.join(known, [TABLE, "interval", *POSITION], "left_anti")


def _write_quarantine(
    context: RunContext, batches: frozenset[BatchKey], balances: dict[BatchKey, Balance]
) -> WriteResult:
    table = ALL[QUARANTINE]
    files = context.state.staged.pop(QUARANTINE, [])
    if not files:
        return WriteResult(table.full_name, version=context.lake.version(table))
    rows = staged_rows(context.lake, files, batches).persist()
    window = Window.partitionBy("quarantine_id").orderBy(*POSITION)
    ranked = rows.withColumn("n", F.row_number().over(window)).where(F.col("n") > 1)
    repeated = {
        (r["feed"], str(r["interval"]), r["batch_id"]): r["count"]
        for r in ranked.groupBy("feed", "interval", "batch_id").count().collect()
    }
    for row in rows.groupBy("feed", "interval", "batch_id").count().collect():
        key = (row["feed"], str(row["interval"]), row["batch_id"])
        again = repeated.get(key, 0)
        old = balances[key]
        balances[key] = replace(
            old, duplicate=old.duplicate + again, quarantined=old.quarantined + row["count"] - again
        )
    result = context.lake.append_new(table, rows.drop(BATCH, TABLE), order=POSITION)
    rows.unpersist()
    return result


def _say_balances(context: RunContext, balances: dict[BatchKey, Balance]) -> None:
    """One line a batch; where a run brings many, one line a feed."""
    lines: dict[str, Balance] = {}
    for (feed, interval, batch_id), balance in sorted(balances.items()):
        name = f"{feed} {interval} {batch_id}" if len(balances) <= 40 else feed
        old = lines.get(name, Balance())
        lines[name] = Balance(*(a + b for a, b in zip(astuple(old), astuple(balance), strict=True)))
    for name, balance in lines.items():
        context.say(
            f"{name}: in {balance.records_in} = good {balance.good} + duplicate {balance.duplicate}"
            f" + quarantined {balance.quarantined} + suppressed {balance.suppressed}"
        )


def _write_ledger(context: RunContext, batches: list[Batch], balances: dict[BatchKey, Balance]) -> WriteResult:
    _say_balances(context, balances)
    rows, files = [], []
    for batch in batches:
        place = dict(zip(("feed", "interval", "batch_id"), _key(batch), strict=True))
        balance = balances[_key(batch)]
        facts = {"content_hash": batch.content_hash, "files": len(batch.files), "run_id": context.run_id}
        rows.append({**place, **facts, **asdict(balance), "records_in": balance.records_in})
        files += [{**place, "name": file.name, "sha256": file.sha256, "bytes": file.size} for file in batch.files]
    result = context.lake.add_rows(LEDGER, rows)
    context.lake.add_rows(ALL["ops.batch_files"], files)
    return result

"""s1: landing files become bronze records; refused records go to quarantine; every batch's balance is kept.

A record counts once per feed and interval, whatever batch, file or page brings it: its digest decides. A batch that was
cut off is recognised by its id: its own records of the first try count as good, not as duplicates.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.errors import InputRefusedError
from pipelines.jobs.context import DOUBLED, JobOutcome, RunContext
from pipelines.jobs.duplicates import POSITION, Days, find_duplicates
from pipelines.jobs.landing import Batch
from pipelines.jobs.parsing import BatchKey, parse_landing
from pipelines.jobs.worker import BATCH, PLACE, QUARANTINE, TABLE, Result, batch_name
from pipelines.settings import IngestSettings
from pipelines.sources.config import Bounds, load_bounds
from pipelines.store.begun import Begun, BegunBatch, begin, begun, finish
from pipelines.store.creation import WriteResult
from pipelines.store.lake import Lake
from pipelines.tables import ALL

LEDGER, FILES = ALL["ops.batches"], ALL["ops.batch_files"]


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


@dataclass
class Seen:
    """What reading a batch found: its records, good ones under `good` and refused ones under their reason, the files
    that had lines, and the files that could not be read to their end."""

    counts: Counter[str] = field(default_factory=Counter)
    files_read: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)


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
    outcome = JobOutcome(rows_in={"records": sum(found.counts.total() for found in seen.values())})
    balances = {_key(batch): Balance() for batch in accepted}
    before = begin(context.settings.home, [_begun(batch) for batch in accepted])
    outcome.writes += _write_bronze(context, balances, before)
    with context.state.spans.measure("quarantine"):
        outcome.writes.append(_write_quarantine(context, frozenset(balances), balances))
    outcome.writes.append(_write_ledger(context, accepted, balances))
    finish(context.settings.home, balances)
    context.state.staged_batches = frozenset(balances)
    if refused:
        _raise_refused(refused)
    return outcome


def parse_batches(context: RunContext, batches: list[Batch]) -> dict[BatchKey, Seen]:
    """Every record of the batches is staged; gives what was found per batch."""
    results = parse_landing(context, batches)
    return collect_results(context, results)


def collect_results(context: RunContext, results: Sequence[Result]) -> dict[BatchKey, Seen]:
    """The staged files are known to the run; gives what was found per batch."""
    seen: dict[BatchKey, Seen] = defaultdict(Seen)
    signals: Counter[tuple[str, str, str]] = Counter()
    for kind, name, file, feed, interval, batch_id, rows in results:
        found = seen[feed, interval, batch_id] if batch_id else Seen()
        if kind == "staged":
            context.state.staged.setdefault(name, []).append(file)
        elif kind in ("good", "quarantined"):
            found.counts[name or "good"] += rows
        elif kind == "lines":
            found.files_read.add(name)
        elif kind == "damaged":
            found.damaged.add(name)
        else:
            signals[kind, feed, name] += rows
    for (kind, feed, path), rows in sorted(signals.items()):
        context.say(f"{kind.replace('_', ' ')} in {feed}: {path} ({rows} records)")
    return dict(seen)


def staged_rows(lake: Lake, files: list[str], batches: frozenset[BatchKey]) -> DataFrame:
    """The staged rows of these batches, with their batch in `__batch`."""
    frame = lake.read_staged(sorted(files))
    names = sorted(batch_name(*key) for key in batches)
    return frame.where(F.col(BATCH).isin(names)) if len(names) < 2000 else _semi(lake, frame, names)


def staged_parts(
    files: Sequence[str],
    batches: frozenset[BatchKey],
    dropped: pa.Table | None = None,
    doubled: pl.DataFrame | None = None,
) -> Iterator[pl.DataFrame]:
    """The same rows file by file in this process, without those of the `dropped` positions or `doubled` records."""
    names = pl.DataFrame({BATCH: sorted(batch_name(*key) for key in batches)}, schema={BATCH: pl.String})
    for file in sorted(files):
        rows = pl.read_parquet(file).join(names, on=BATCH, how="semi")
        if dropped is not None:
            gone = pl.DataFrame(dropped)
            rows = rows.join(gone, on=["interval", *POSITION], how="anti")
        if doubled is not None:
            rows = rows.join(doubled, on=list(DOUBLED), how="anti")
        yield rows.drop(BATCH, TABLE, PLACE)


def _semi(lake: Lake, frame: DataFrame, names: list[str]) -> DataFrame:
    known = lake.spark.createDataFrame([(value,) for value in names], f"{BATCH} string")
    return frame.join(F.broadcast(known), BATCH, "left_semi")


def _application_id(lake: Lake, name: str, batches: frozenset[BatchKey]) -> str:
    """The same batches commit once over a version, also when the answer to the first try was lost (Delta's txnAppId).

    Without the version, records that a batch brings later (its parser was mended) would be dropped without a word.
    """
    own = sorted(key for key in batches if f"bronze.{key[0]}" == name)
    return f"{name}:{lake.version(ALL[name])}:{sha256(repr(own).encode()).hexdigest()[:32]}"


def _key(batch: Batch) -> BatchKey:
    return batch.feed, batch.interval, batch.batch_id


def _begun(batch: Batch) -> BegunBatch:
    return BegunBatch(*_key(batch), batch.content_hash, tuple(file.sha256 for file in batch.files))


def _unknown_batches(context: RunContext) -> list[Batch]:
    """The batches to read: those the ledger does not know, or all; a known id with other content is refused.

    So is the id of a batch that was cut off: some of its records may be in bronze.
    """
    query = "SELECT feed, interval::VARCHAR AS day, batch_id, content_hash FROM t"
    known = {
        (row["feed"], row["day"], row["batch_id"]): row["content_hash"] for row in context.lake.query(LEDGER, query)
    }
    contents = {batch.key: batch.content_hash for batch in begun(context.settings.home).batches} | known
    for batch in context.batches:
        if contents.get(_key(batch), batch.content_hash) != batch.content_hash:
            raise InputRefusedError(
                f"batch {batch.batch_id!r} of {batch.feed} was ingested before with other content",
                where=f"{batch.feed}/{batch.interval}",
                hint="give changed files a new --batch-id",
            )
    return [batch for batch in context.batches if context.ignore_ledger or _key(batch) not in known]


def _refused_batches(context: RunContext, batches: list[Batch], seen: dict[BatchKey, Seen]) -> dict[BatchKey, str]:
    refused: dict[BatchKey, str] = {}
    expected = load_bounds(context.settings.conf)
    volumes = _volumes(context, seen)
    for batch in batches:
        bounds = expected.get(batch.feed, Bounds())
        records = volumes[batch.feed, batch.interval]
        why = _why_refused(context, batch, seen.get(_key(batch), Seen()), bounds)
        if not why and records < bounds.min:
            why = f"the day has {records} records, expected are at least {bounds.min}"
        if why:
            refused[_key(batch)] = why
        elif bounds.max is not None and records > bounds.max:
            context.say(f"warning: {batch.feed} {batch.interval} has {records} records, expected at most {bounds.max}")
    return refused


def _volumes(context: RunContext, seen: dict[BatchKey, Seen]) -> Counter[tuple[str, str]]:
    """Records of each feed and interval: those the ledger knows and those of this run."""
    query = "SELECT feed, interval::VARCHAR AS day, batch_id, records_in FROM t"
    known = {
        (row["feed"], row["day"], row["batch_id"]): int(row["records_in"]) for row in context.lake.query(LEDGER, query)
    }
    known |= {key: found.counts.total() for key, found in seen.items()}
    volumes: Counter[tuple[str, str]] = Counter()
    for (feed, interval, _), records in known.items():
        volumes[feed, interval] += records
    return volumes


def _why_refused(context: RunContext, batch: Batch, seen: Seen, bounds: Bounds) -> str:
    """Why the batch is refused as a whole, or nothing."""
    if seen.damaged:
        return f"{len(seen.damaged)} of its files are cut or broken, for example {min(seen.damaged)}"
    empty = [file.name for file in batch.files if file.name not in seen.files_read]
    if empty:
        return f"{len(empty)} of its files are empty, for example {empty[0]}"
    return why_refused(seen.counts, bounds, context.settings.ingest)


def why_refused(counted: Mapping[str, int], bounds: Bounds, allowed: IngestSettings) -> str:
    """Why too many records are refused, by reason, good ones counted as `good`; nothing when few are.

    A few bad rows among few are no reason; more than half always are. Error answers of the platform do not count: their
    window is pulled again.
    """
    share = allowed.max_refused_share if bounds.max_refused_share is None else bounds.max_refused_share
    counts = {name: rows for name, rows in counted.items() if name != "platform_error"}
    total = sum(counts.values())
    bad = total - counts.get("good", 0)
    if bad <= share * total or (bad <= allowed.min_refused_rows and bad * 2 <= total):
        return ""
    reasons = ", ".join(f"{name} {rows}" for name, rows in sorted(counts.items()) if name != "good")
    return f"{bad} of {total} records refused ({reasons}), allowed {share:.1%}"


def _raise_refused(refused: dict[BatchKey, str]) -> None:
    (feed, interval, batch_id), why = sorted(refused.items())[0]
    more = f"; {len(refused) - 1} more batches likewise" if len(refused) > 1 else ""
    raise InputRefusedError(
        f"batch {batch_id} was refused: {why}{more}",
        where=f"{feed}/{interval}",
        hint="look at the files, or change the feed's bounds in conf/sources if this is expected",
    )


def _write_bronze(context: RunContext, balances: dict[BatchKey, Balance], before: Begun) -> list[WriteResult]:
    """The new records of all feeds are in bronze; `before`: what runs that were cut off may have written there."""
    staged = context.state.staged
    names = sorted(name for name in staged if name.startswith("bronze."))
    files = {name: staged.pop(name) for name in names}
    if not files:
        return []
    batches = frozenset(balances)
    verdicts = find_duplicates(
        files,
        sorted(batch_name(*key) for key in batches),
        lake=Path(context.lake.root),
        check=_tables_to_check(context, batches, before),
        days=Days(context.first, context.last),
    )
    context.state.doubled = pl.DataFrame(verdicts.doubled, schema=DOUBLED)
    new = _count(verdicts.counted, balances)

    def append(name: str) -> WriteResult:
        table, lake = ALL[name], context.lake.local
        parts = staged_parts(files[name], batches, verdicts.dropped.get(name))
        added = lake.append_once(table, parts, app_id=_application_id(context.lake, name, batches))
        return WriteResult(name, inserted=added, version=lake.version(table))

    return context.lake.each(append, sorted(new))


def _tables_to_check(context: RunContext, batches: frozenset[BatchKey], before: Begun) -> list[str]:
    """The bronze tables that may hold records of these intervals already."""
    feeds = {feed for feed, _, _ in batches}
    if not before.anything and not context.ignore_ledger:
        found = context.lake.query(LEDGER, "SELECT DISTINCT feed, interval::VARCHAR AS day FROM t")
        known = {(row["feed"], row["day"]) for row in found} | {batch.key[:2] for batch in before.batches}
        feeds = {feed for feed, interval, _ in batches if (feed, interval) in known}
    return sorted(f"bronze.{feed}" for feed in feeds if context.lake.exists(ALL[f"bronze.{feed}"]))


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


def _write_quarantine(
    context: RunContext, batches: frozenset[BatchKey], balances: dict[BatchKey, Balance]
) -> WriteResult:
    table = ALL[QUARANTINE]
    files = context.state.staged.pop(QUARANTINE, [])
    if not files:
        return WriteResult(table.full_name, version=context.lake.version(table))
    rows = pl.concat(staged_parts(files, batches)).sort("quarantine_id", *POSITION)
    places = ["feed", "interval", "batch_id"]
    first = rows.with_columns(first=pl.col("quarantine_id").is_first_distinct())
    counted = first.group_by(places).agg(pl.len(), pl.col("first").sum().alias("kept"))
    for feed, interval, batch_id, everything, kept in counted.iter_rows():
        key = (feed, str(interval), batch_id)
        old = balances[key]
        balances[key] = replace(old, duplicate=old.duplicate + everything - kept, quarantined=old.quarantined + kept)
    return context.lake.local.append_new(table, rows, order=POSITION)


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
    refused = sorted({feed for (feed, _, _), balance in balances.items() if balance.quarantined})
    for feed in refused:
        context.say(f"refused records of {feed} wait with their reasons: `cdp quarantine list --feed {feed}`")


def _write_ledger(context: RunContext, batches: list[Batch], balances: dict[BatchKey, Balance]) -> WriteResult:
    """The batches are in the ledger: their files first, as a batch counts as ingested once ops.batches has it."""
    _say_balances(context, balances)
    rows, files = [], []
    for batch in batches:
        place = dict(zip(("feed", "interval", "batch_id"), _key(batch), strict=True))
        balance = balances[_key(batch)]
        facts = {"content_hash": batch.content_hash, "files": len(batch.files), "run_id": context.run_id}
        rows.append({**place, **facts, **asdict(balance), "records_in": balance.records_in})
        files += [{**place, "name": file.name, "sha256": file.sha256, "bytes": file.size} for file in batch.files]
    context.lake.add_rows(FILES, files)
    return context.lake.add_rows(LEDGER, rows)

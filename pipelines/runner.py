"""Runs the jobs of the catalog for a range of business days, records each, and says what happened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from identity import Policy
from pipelines.catalog import JOBS, Job
from pipelines.clock import clock_of, stopwatch, utc
from pipelines.embedded import connected, embedded_session
from pipelines.errors import CdpError
from pipelines.jobs.context import JobOutcome, RunContext, RunState, Say
from pipelines.jobs.landing import Batch, landing_batches
from pipelines.jobs.parsing import BatchKey
from pipelines.jobs.reread import every_batch, is_due
from pipelines.jobs.s7_publish import publish_snapshot
from pipelines.jobs.worker import WorkerSetup
from pipelines.keys import Keys, load_keys
from pipelines.memory import PeakMemory
from pipelines.quality import check_tables
from pipelines.settings import Settings
from pipelines.sources.config import load_mix_keys, load_sources
from pipelines.spans import Spans
from pipelines.store.begun import begun
from pipelines.store.lake import Lake
from pipelines.store.ledger import known_files, unapplied_batches
from pipelines.store.local import LocalLake
from pipelines.store.marks import Marks
from pipelines.tables import ALL

RUNS = ALL["ops.job_runs"]
REBUILT_FROM = ("silver.events", "silver.order_lines", "silver.identity_observations")


@dataclass(frozen=True)
class RunReport:
    """A finished run: its jobs as written to ops.job_runs."""

    run_id: str
    first: str
    last: str
    jobs: tuple[dict[str, object], ...]
    changed_rows: int
    snapshot: str = ""

    def as_dict(self) -> dict[str, object]:
        """The report as plain data."""
        jobs = [
            {**job, "inputs": json.loads(str(job["inputs"])), "outputs": json.loads(str(job["outputs"]))}
            for job in self.jobs
        ]
        days = {"from": self.first, "to": self.last}
        return {
            "run_id": self.run_id,
            **days,
            "changed_rows": self.changed_rows,
            "snapshot": self.snapshot,
            "jobs": jobs,
        }


@dataclass(frozen=True)
class RunRequest:
    """What to run: the days, whether to rebuild (`reread`: from bronze on), and batches given on the command line (else
    landing is looked at)."""

    first: str
    last: str
    full: bool = False
    ignore_ledger: bool = False
    reread: bool = False
    batches: tuple[Batch, ...] | None = None
    only: tuple[str, ...] = ()
    keep_newest: bool = False


Cluster = Callable[[], SparkSession]
"""Gives the cluster's session, starting it when it is first asked for."""


def run_pipeline(
    cluster: Cluster,
    settings: Settings,
    request: RunRequest,
    say: Say,
    *,
    publish: bool = True,
    spans: Spans | None = None,
) -> dict[str, object]:
    """The days ran and, unless only some jobs were asked for, the snapshot is published; gives the report as data.

    With `keep_newest` the run answers for the newest business day the lake has seen, not for its own last day. `spans`:
    what was measured before.
    """
    keys = load_keys(settings.keys)
    context = make_context(cluster, settings, keys, request, say)
    context.state.spans = spans or context.state.spans
    started = utc(context.clock)
    report = run_jobs(context, request.only)
    if publish and not request.only:
        report = replace(report, snapshot=publish_snapshot(context))
    spent = _record_spans(context, started)
    return report.as_dict() | {"spans": spent}


def waiting_batches(settings: Settings, first: str, last: str) -> tuple[Batch, ...]:
    """The landing files of the days that no run has read yet, without starting Spark."""
    known = known_files(settings.lake, first, last)
    return landing_batches(settings.landing, days(first, last), known, begun(settings.home).batches)


def make_context(cluster: Cluster, settings: Settings, keys: Keys, request: RunRequest, say: Say) -> RunContext:
    """Everything the jobs of a run need, with the run's staging folder empty."""
    policy = Policy.load(settings.conf / settings.identity.policy_file)
    staging = settings.home / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    sources = load_sources(settings.conf)
    setup = WorkerSetup(
        str(staging), policy, keys, load_mix_keys(settings.keys), sources, settings.ingest.max_line_bytes
    )
    clock = clock_of(settings.clock)
    batches = request.batches
    if batches is None:
        known = frozenset() if request.ignore_ledger else known_files(settings.lake, request.first, request.last)
        unfinished = begun(settings.home).batches
        batches = landing_batches(settings.landing, days(request.first, request.last), known, unfinished)
    reread = is_due(settings.home, asked=request.reread)
    request = replace(request, full=request.full or reread, reread=reread)
    lake = open_lake(cluster, settings, request, batches)
    run_id = next_run_id(lake, request.last)
    return RunContext(
        lake=lake,
        cluster=lambda: clustered_lake(cluster, settings),
        settings=settings,
        keys=keys,
        policy=policy,
        setup=setup,
        run_id=run_id,
        first=request.first,
        last=request.last,
        as_of=max(request.last, newest_day(lake)) if request.keep_newest else request.last,
        clock=clock,
        say=say,
        full=request.full,
        batches=batches,
        ignore_ledger=request.ignore_ledger,
        reread=request.reread,
        state=RunState(),
    )


def open_lake(cluster: Cluster, settings: Settings, request: RunRequest, batches: Sequence[Batch]) -> Lake:
    """The lake with a session that suits the run: this process for a day's work, the cluster for more."""
    local, ingest = LocalLake(settings.lake), settings.ingest
    arriving = sum(file.size for batch in batches for file in batch.files)
    rebuilt = standing_facts(local) if request.full else 0
    again = sum(_read_again(settings.lake, request).values())
    if arriving < ingest.in_process_bytes and rebuilt + again <= ingest.in_process_rows:
        return Lake(embedded_session(), settings.lake, in_process=True)
    return clustered_lake(cluster, settings)


def _read_again(lake: Path, request: RunRequest) -> Mapping[BatchKey, int]:
    """The batches whose records a run parses from bronze, with their number."""
    if request.reread:
        return every_batch(lake)
    return unapplied_batches(lake, request.first, request.last, ignore_ledger=request.ignore_ledger)


def clustered_lake(cluster: Cluster, settings: Settings) -> Lake:
    """The lake with the cluster's session."""
    return Lake(cluster(), settings.lake)


def derived_lake(context: RunContext) -> Lake:
    """The lake for what follows from facts: this process where few stand, or few people of many are looked at."""
    settings = context.settings
    if standing_facts(context.lake.local) <= settings.ingest.in_process_rows:
        own = context.lake.in_process or settings.ingest.in_process_bytes > 0
    else:
        own = context.lake.in_process and not context.state.touch_all
    if own == context.lake.in_process:
        return context.lake
    return Lake(embedded_session(), settings.lake, in_process=True) if own else context.cluster()


def standing_facts(lake: LocalLake) -> int:
    """Rows of the greatest tables that a rebuild looks at in full."""
    return sum(lake.rows(ALL[name]) for name in REBUILT_FROM)


def run_jobs(context: RunContext, only: tuple[str, ...] = ()) -> RunReport:
    """The jobs ran in their order; the first failure stops the run after what is done was recorded.

    A mark on disk says that facts were written whose features may not follow yet, or whose checks did not pass: a run
    that finds the mark of another looks at all people and checks all tables.
    """
    marks = Marks(context.settings.home)
    unsure = marks.is_set("downstream")
    context.state.touch_all = context.state.touch_all or context.full or unsure
    records: list[dict[str, object]] = []
    changed = 0
    written: set[str] = set()
    try:
        for job in JOBS.jobs:
            if only and job.name not in only:
                continue
            if job.name == "s2_silver":
                marks.set("downstream")
            lake = derived_lake(context) if job.derives else context.lake
            outcome, record = _run_one(replace(context, lake=lake), job)
            records.append(record)
            changed += sum(write.changed for write in outcome.writes)
            written |= {write.table for write in outcome.writes if write.changed}
        if not only:
            with context.state.spans.measure("quality"):
                check_tables(context, _existing(context.lake) if unsure else written)
            marks.clear("downstream")
    finally:
        _record(context, records)
        shutil.rmtree(context.staging, ignore_errors=True)
    return RunReport(context.run_id, context.first, context.last, tuple(records), changed)


def _existing(lake: Lake) -> set[str]:
    return {table.full_name for table in ALL.tables if table.layer != "ops" and lake.exists(table)}


def next_run_id(lake: Lake, as_of: str) -> str:
    """The run's name: a running number over the lake's history and its last business day."""
    newest = lake.query(RUNS, "SELECT max(substr(run_id, 2, 6)::INTEGER) AS n FROM t")
    number = int(newest[0]["n"] or 0) if newest else 0
    return f"r{number + 1:06d}-{as_of}"


def newest_day(lake: Lake) -> str:
    """The newest business day any run answered for, empty before the first."""
    rows = lake.query(RUNS, "SELECT max(interval_to)::VARCHAR AS day FROM t")
    return str(rows[0]["day"] or "") if rows else ""


def days(first: str, last: str) -> list[str]:
    """Every business day from first to last, both included."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1)]


def _run_one(context: RunContext, job: Job) -> tuple[JobOutcome, dict[str, object]]:
    context.say(f"{job.name}: {job.doc}")
    started, watch, peak = utc(context.clock), stopwatch(), PeakMemory()
    status, outcome = "failed", JobOutcome()
    try:
        with peak, connected(on=context.lake.in_process):
            outcome = job.run(context)
        status = "skipped" if outcome.skipped else "done"
    except CdpError as error:
        outcome.detail = error.message
        _record(context, [_row(context, job, outcome, status=status, started=started, figures=(watch(), peak.mib))])
        raise
    row = _row(context, job, outcome, status=status, started=started, figures=(watch(), peak.mib))
    written = ", ".join(
        f"{w.table.split('.')[1]} +{w.inserted} ~{w.updated} -{w.deleted}" for w in outcome.writes if w.changed
    )
    context.say(f"{job.name}: {outcome.skipped or written or 'nothing changed'} ({row['seconds']:.1f} s)")
    return outcome, row


def _row(
    context: RunContext, job: Job, outcome: JobOutcome, *, status: str, started: object, figures: tuple[float, float]
) -> dict[str, object]:
    outputs = {
        w.table: {"version": w.version, "inserted": w.inserted, "updated": w.updated, "deleted": w.deleted}
        for w in outcome.writes
    }
    return {
        "run_id": context.run_id,
        "job": job.name,
        "interval_from": context.first,
        "interval_to": context.last,
        "status": status,
        "started_at": started,
        "seconds": round(figures[0], 3),
        "inputs": json.dumps(outcome.rows_in, sort_keys=True),
        "outputs": json.dumps(outputs, sort_keys=True),
        "peak_mib": figures[1],
        "detail": outcome.skipped or outcome.detail,
    }


def _record_spans(context: RunContext, started: datetime) -> dict[str, float]:
    """The run's spans stand beside its jobs; gives them."""
    spent = {name: round(seconds, 3) for name, seconds in sorted(context.state.spans.seconds.items())}
    shared = {"run_id": context.run_id, "interval_from": context.first, "interval_to": context.last}
    kept = {"status": "done", "started_at": started, "inputs": "{}", "outputs": "{}"}
    _record(context, [{**shared, **kept, "job": name, "seconds": seconds} for name, seconds in spent.items()])
    return spent


def _record(context: RunContext, records: list[dict[str, object]]) -> None:
    if records:
        context.lake.add_rows(RUNS, records)

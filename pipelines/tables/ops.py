"""Ops: what ran, what came in, what was checked."""

from __future__ import annotations

from pipelines.spec import Check, Column, Table

JOB_RUNS = Table(
    layer="ops",
    name="job_runs",
    doc="Each job of each run with versions, rows and times, and what the run spent beside its jobs.",
    grain="one job or span of one run",
    key=("run_id", "job"),
    columns=(
        Column("run_id", "string", "Run", required=True),
        Column("job", "string", "Job, or span: lock, verify, quarantine, quality, manifest, serving", required=True),
        Column("interval_from", "date", "First business day", required=True),
        Column("interval_to", "date", "Last business day", required=True),
        Column("status", "string", "done, skipped or failed", required=True),
        Column("started_at", "timestamp", "Start by the injected clock", required=True),
        Column("seconds", "double", "Duration", required=True),
        Column("inputs", "string", "Input versions and rows as JSON"),
        Column("outputs", "string", "Output versions and rows as JSON"),
        Column("peak_mib", "double", "Peak memory of the process tree, MiB"),
        Column("detail", "string", "What happened"),
    ),
    checks=(Check("known_status", "status IN ('done','skipped','failed')"),),
)

BATCHES = Table(
    layer="ops",
    name="batches",
    doc="Each ingested batch with its balance: records_in = good + duplicate + quarantined + suppressed.",
    grain="one batch of one feed and interval",
    key=("feed", "interval", "batch_id"),
    columns=(
        Column("feed", "string", "Feed", required=True),
        Column("interval", "date", "Arrival interval", required=True),
        Column("batch_id", "string", "Batch", required=True),
        Column("content_hash", "string", "Digest of the batch's files", required=True),
        Column("files", "int", "Files", required=True),
        Column("records_in", "bigint", "Records read", required=True),
        Column("good", "bigint", "Records accepted", required=True),
        Column("duplicate", "bigint", "Records already known in the interval", required=True),
        Column("quarantined", "bigint", "Records refused", required=True),
        Column("suppressed", "bigint", "Records of erased people", required=True),
        Column("run_id", "string", "Run that ingested it", required=True),
    ),
    checks=(Check("balance", "records_in = good + duplicate + quarantined + suppressed"),),
)

BATCH_FILES = Table(
    layer="ops",
    name="batch_files",
    doc="The files of each ingested batch, so that landing is read once.",
    grain="one file of one batch",
    key=("feed", "interval", "batch_id", "name"),
    columns=(
        Column("feed", "string", "Feed", required=True),
        Column("interval", "date", "Arrival interval", required=True),
        Column("batch_id", "string", "Batch", required=True),
        Column("name", "string", "Path inside the batch", required=True),
        Column("sha256", "string", "Digest of the content", required=True),
        Column("bytes", "bigint", "Size", required=True),
    ),
    checks=(Check("digest_form", "length(sha256) = 64"),),
)

PROGRESS = Table(
    layer="ops",
    name="progress",
    doc="Which job has applied which batch, so that work follows the new data.",
    grain="one batch applied by one job",
    key=("job", "feed", "interval", "batch_id"),
    columns=(
        Column("job", "string", "Job, or span: lock, verify, quarantine, quality, manifest, serving", required=True),
        Column("feed", "string", "Feed", required=True),
        Column("interval", "date", "Arrival interval", required=True),
        Column("batch_id", "string", "Batch", required=True),
        Column("run_id", "string", "Run that applied it", required=True),
    ),
    checks=(Check("has_run", "length(run_id) > 0"),),
)

QUALITY_RESULTS = Table(
    layer="ops",
    name="quality_results",
    doc="Result of each check on each table and interval.",
    grain="one check of one run",
    key=("run_id", "table_name", "check_name"),
    columns=(
        Column("run_id", "string", "Run", required=True),
        Column("table_name", "string", "Table", required=True),
        Column("check_name", "string", "Check", required=True),
        Column("severity", "string", "block or warn", required=True),
        Column("rows", "bigint", "Rows looked at", required=True),
        Column("failed", "bigint", "Rows that broke the rule", required=True),
        Column("samples", "string", "Masked samples as JSON"),
    ),
    checks=(Check("not_negative", "failed >= 0"),),
)

AUDIT = Table(
    layer="ops",
    name="audit",
    doc="Reads of clear personal data and privileged actions, chained by digest.",
    grain="one entry",
    key=("seq",),
    columns=(
        Column("seq", "bigint", "Position in the chain", required=True),
        Column("at", "timestamp", "When", required=True),
        Column("actor", "string", "Who", required=True),
        Column("action", "string", "What", required=True),
        Column("subject", "string", "OneID or object", pii="pseudonym"),
        Column("reason", "string", "Why"),
        Column("previous", "string", "Digest of the entry before", required=True),
        Column("digest", "string", "Digest of this entry", required=True),
    ),
    checks=(Check("has_digest", "length(digest) = 64"),),
)

TABLES: tuple[Table, ...] = (JOB_RUNS, BATCHES, BATCH_FILES, PROGRESS, QUALITY_RESULTS, AUDIT)

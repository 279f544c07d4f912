"""Quality gates: the declared checks of every table a run wrote, counted in one pass per table.

A broken blocking rule stops publishing with exit 4. Great Expectations suites with Data Docs are made from the same
declarations in `pipelines/quality_docs.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import functions as F

from pipelines.errors import IntegrityError
from pipelines.jobs.context import RunContext
from pipelines.spec import Check, Table
from pipelines.store.lake import Lake
from pipelines.tables import ALL

RESULTS = ALL["ops.quality_results"]
SAMPLES = 3


@dataclass(frozen=True)
class CheckResult:
    """One check on one table: rows looked at, rows that broke the rule, and masked samples of their keys."""

    table: str
    check: str
    severity: str
    rows: int
    failed: int
    samples: tuple[dict[str, str], ...]


def checks_of(table: Table) -> tuple[Check, ...]:
    """The declared checks, and that required columns and the key are present."""
    required = tuple(
        Check(f"{column.name}_present", f"`{column.name}` IS NOT NULL") for column in table.columns if column.required
    )
    return (*table.checks, *required)


def check_table(lake: Lake, table: Table) -> list[CheckResult]:
    """Every check of the table, counted in one pass; samples are only read for broken rules."""
    frame = lake.read(table)
    checks = checks_of(table)
    broken = [F.sum(F.when(F.expr(f"NOT ({check.predicate})"), 1).otherwise(0)).alias(check.name) for check in checks]
    row = frame.agg(F.count("*").alias("__rows"), *broken).first()
    counts = row.asDict() if row else {}
    results = []
    for check in checks:
        failed = int(counts.get(check.name) or 0)
        samples = _samples(lake, table, check) if failed else ()
        results.append(
            CheckResult(table.full_name, check.name, check.severity, int(counts.get("__rows") or 0), failed, samples)
        )
    return results


def check_tables(context: RunContext, written: Iterable[str]) -> list[CheckResult]:
    """The checks of the tables this run wrote hold; their results are in ops.quality_results.

    Raises IntegrityError (exit 4) that names rule, table, count and masked samples of the first broken blocking rule.
    """
    results = [result for name in sorted(set(written)) for result in check_table(context.lake, ALL[name])]
    _record(context, results)
    for result in results:
        if result.failed and result.severity == "warn":
            context.say(f"warning: {result.table} breaks {result.check} in {result.failed} of {result.rows} rows")
    blocking = [result for result in results if result.failed and result.severity == "block"]
    if blocking:
        first = blocking[0]
        raise IntegrityError(
            f"{first.table} breaks the rule {first.check} in {first.failed} of {first.rows} rows,"
            f" for example {json.dumps(first.samples)}",
            where=first.table,
            hint="nothing was published; look at the rows, mend their source and run again",
        )
    return results


def mask(value: object) -> str:
    """A sample value with its middle hidden.

    >>> mask("6923456789012345678"), mask("ab")
    ('692***678', '***')
    """
    text = str(value)
    return f"{text[:3]}***{text[-3:]}" if len(text) > 8 else "***"


def _samples(lake: Lake, table: Table, check: Check) -> tuple[dict[str, str], ...]:
    rows = (
        lake.read(table)
        .where(f"NOT ({check.predicate})")
        .select(*table.key)
        .orderBy(*table.key)
        .limit(SAMPLES)
        .collect()
    )
    return tuple({name: mask(row[name]) for name in table.key} for row in rows)


def _record(context: RunContext, results: list[CheckResult]) -> None:
    rows = [
        {
            "run_id": context.run_id,
            "table_name": result.table,
            "check_name": result.check,
            "severity": result.severity,
            "rows": result.rows,
            "failed": result.failed,
            "samples": json.dumps(result.samples) if result.samples else None,
        }
        for result in results
    ]
    if rows:
        context.lake.add_rows(RESULTS, rows)

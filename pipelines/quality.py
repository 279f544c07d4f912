"""Quality gates of a run: the declared checks of every table it wrote, counted in one pass per table, and suites.

A broken blocking rule stops publishing with exit 4. The Great Expectations suites with their Data Docs
(`pipelines/quality_docs.py`) look at the rows of the run's days; `quality.data_docs` turns them off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from pipelines.jobs.context import RunContext
from pipelines.quality_docs import Extent, Sitting, docs_folder, run_suites
from pipelines.quality_rules import SAMPLES, CheckResult, checks_of, mask, refuse_broken
from pipelines.spec import Check, Table
from pipelines.store.lake import Lake
from pipelines.tables import ALL

RESULTS = ALL["ops.quality_results"]


def check_table(lake: Lake, table: Table) -> list[CheckResult]:
    """Every check of the table, counted in one pass; samples are only read for broken rules."""
    checks = checks_of(table)
    broken = [f'count(*) FILTER (NOT ({check.predicate})) AS "{check.name}"' for check in checks]
    found = lake.query(table, f"SELECT {', '.join(['count(*) AS __rows', *broken])} FROM t")
    counts = found[0] if found else {}
    results = []
    for check in checks:
        failed = int(counts.get(check.name) or 0)
        samples = _samples(lake, table, check) if failed else ()
        results.append(
            CheckResult(table.full_name, check.name, check.severity, int(counts.get("__rows") or 0), failed, samples)
        )
    return results


def check_tables(context: RunContext, written: Iterable[str]) -> list[CheckResult]:
    """The checks and suites of the tables this run wrote hold; their results are in ops.quality_results.

    Raises IntegrityError (exit 4) that names rule, table, count and masked samples of the first broken blocking rule.
    """
    names = sorted(set(written))
    results = [result for name in names for result in check_table(context.lake, ALL[name])]
    results += _check_suites(context, names)
    _record(context, results)
    for result in results:
        if result.failed and result.severity == "warn":
            context.say(f"warning: {result.table} breaks {result.check} in {result.failed} of {result.rows} rows")
    refuse_broken(results)
    return results


def _check_suites(context: RunContext, names: list[str]) -> list[CheckResult]:
    settings = context.settings
    if not settings.quality.data_docs:
        return []
    versions = {name: context.lake.version(ALL[name]) for name in names}
    extent = Extent((context.first, context.last), settings.quality.max_rows, versions)
    results = run_suites(settings.home, names, extent, Sitting(context.run_id, context.clock()))
    if results:
        context.say(f"data docs: {docs_folder(settings.home) / 'index.html'} ({len(results)} expectations)")
    return results


def _samples(lake: Lake, table: Table, check: Check) -> tuple[dict[str, str], ...]:
    key = ", ".join(f'"{name}"' for name in table.key)
    query = f"SELECT {key} FROM t WHERE NOT ({check.predicate}) ORDER BY {key} LIMIT {SAMPLES}"
    rows = lake.query(table, query)
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

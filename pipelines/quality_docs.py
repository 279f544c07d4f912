"""Great Expectations suites over the rows of an interval, with Data Docs under `<home>/quality/docs`.

The suites are made from the table declarations. Rows are read without a JVM at given table versions, at most
`quality.max_rows` of a table, chosen by a digest of the key so that equal keys stay together; all rows are held to the
same rules by `pipelines/quality.py`. Results and documents show counts and never a value.
"""

from __future__ import annotations

import importlib
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.clock import clock_of
from pipelines.publish import current
from pipelines.quality_rules import SAMPLES, CheckResult, Rule, mask, rules_of
from pipelines.settings import Settings
from pipelines.spec import Table
from pipelines.store.versions import dataset
from pipelines.tables import ALL

SUITES = (
    "silver.orders",
    "silver.order_lines",
    "silver.refunds",
    "silver.contact_follows",
    "silver.events",
    "silver.points_ledger",
    "silver.consents",
    "gold.dim_customer",
    "gold.fact_order_line",
    "gold.fact_refund",
    "gold.fact_event",
    "gold.fact_points",
    "gold.bridge_customer_tag",
    "gold.agg_funnel_daily",
)
"""The facts that people and money are counted from."""

OF_COLUMN = {
    "present": "ExpectColumnValuesToNotBeNull",
    "unique": "ExpectColumnValuesToBeUnique",
    "in_set": "ExpectColumnValuesToBeInSet",
    "between": "ExpectColumnValuesToBeBetween",
    "lengths": "ExpectColumnValueLengthsToBeBetween",
}
"""The core expectations about one column, by kind of rule."""

DAY_COLUMNS = ("interval", "business_date")
PREFIX = "suite_"
"""What stands before a suite's rules in ops.quality_results."""


@dataclass(frozen=True)
class Extent:
    """Which rows are looked at: days first to last (None: all), at most so many of a table, at these versions."""

    days: tuple[str, str] | None
    max_rows: int
    versions: Mapping[str, int]


@dataclass(frozen=True)
class Sitting:
    """One look at the lake: the name under which its results are shown, and its time (UTC epoch ms)."""

    name: str
    at_ms: int


def docs_folder(home: Path) -> Path:
    """Where the Data Docs lie; `index.html` in it is their first page."""
    return home / "quality" / "docs"


def run_suites(home: Path, tables: Sequence[str], extent: Extent, sitting: Sitting) -> list[CheckResult]:
    """The results of every rule of the tables that have rows in the extent; the Data Docs show just these.

    Without such rows nothing is loaded and written, and the documents of the last look stay.
    """
    with duckdb.connect(":memory:") as connection:
        found = [name for name in tables if name in SUITES and _register(connection, home / "lake", name, extent)]
        if not found:
            return []
        results: list[CheckResult] = []
        with _documents(docs_folder(home)) as context:
            for name in found:
                results += _check(connection, context, ALL[name], sitting)
        return results


def inspect(settings: Settings, days: tuple[str, str] | None) -> list[CheckResult]:
    """The results of all suites: published tables at their published versions, others as they stand."""
    manifest = current(settings.home)
    versions = {name: int(state["version"]) for name, state in manifest.tables.items()} if manifest else {}
    extent = Extent(days, settings.quality.max_rows, versions)
    name = manifest.snapshot_id if manifest else "unpublished"
    return run_suites(settings.home, SUITES, extent, Sitting(name, clock_of(settings.clock)()))


def rows_query(table: Table, rules: Sequence[Rule]) -> str:
    """The columns the rules look at, and a boolean column per rule that compares columns of a row."""
    columns = dict.fromkeys(column for rule in rules for column in rule.columns)
    parts = [f'"{column}"' for column in columns]
    parts += [f'({rule.arguments["predicate"]}) AS "{rule.name}"' for rule in rules if rule.kind == "holds"]
    return f"SELECT {', '.join(parts)} FROM {_view(table)}"


def _view(table: Table) -> str:
    return f'"{table.full_name}"'


def _register(connection: duckdb.DuckDBPyConnection, lake: Path, name: str, extent: Extent) -> bool:
    """The rows of the extent are a table of the connection; whether there are any."""
    table = ALL[name]
    rows = dataset(lake, name, extent.versions.get(name))
    if rows is None:
        return False
    connection.register("source", rows)
    where, parameters = _days(table, extent)
    counted = connection.execute(f"SELECT count(*) FROM source WHERE {where}", parameters).fetchone()
    count = int(counted[0]) if counted else 0
    share = -(-count // extent.max_rows)
    if share > 1:
        where += f" AND hash({', '.join(table.key)}) % {share} = 0"
    connection.execute(f"CREATE TABLE {_view(table)} AS SELECT * FROM source WHERE {where}", parameters)
    connection.unregister("source")
    return count > 0


def _days(table: Table, extent: Extent) -> tuple[str, dict[str, str]]:
    column = next((name for name in DAY_COLUMNS if name in table.column_names), None)
    if column is None or extent.days is None:
        return "true", {}
    return f"{column} BETWEEN $first::DATE AND $last::DATE", {"first": extent.days[0], "last": extent.days[1]}


def _library(name: str = "great_expectations") -> Any:
    """The library or a part of it, loaded when it is needed: that takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that the library itself still uses
        return importlib.import_module(name)


@contextmanager
def _documents(folder: Path) -> Iterator[Any]:
    """A Great Expectations context in memory whose documents stand in the folder afterwards, replaced whole."""
    context = _library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    place = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(partial)}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    config = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": place}
    context.add_data_docs_site(site_name="docs", site_config=config | {"show_how_to_buttons": False})
    yield context
    context.build_data_docs()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _check(connection: duckdb.DuckDBPyConnection, context: Any, table: Table, sitting: Sitting) -> list[CheckResult]:
    gx = _library()
    rules = {rule.name: rule for rule in rules_of(table)}
    frame = connection.execute(rows_query(table, list(rules.values()))).df()
    source = context.data_sources.add_or_update_pandas(name=table.full_name)
    rows = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("extent")
    suite = gx.ExpectationSuite(name=table.full_name, expectations=[_expectation(rule) for rule in rules.values()])
    definition = gx.ValidationDefinition(name=table.full_name, data=rows, suite=context.suites.add(suite))
    moment = datetime.fromtimestamp(sitting.at_ms / 1000, UTC)
    outcome = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        run_id=_library("great_expectations.core.run_identifier").RunIdentifier(sitting.name, moment),
    )
    return [
        _result(connection, table, rules[result.expectation_config.meta["rule"]], result, rows=len(frame))
        for result in outcome.results
    ]


def _expectation(rule: Rule) -> Any:
    """The core expectation that says the rule; where columns are compared, over the boolean column made for it."""
    severity = "critical" if rule.severity == "block" else "warning"
    named = {"meta": {"rule": rule.name}, "severity": severity}
    if rule.kind == "holds":
        return _core("ExpectColumnValuesToBeInSet", column=rule.name, value_set=[True], **named)
    if rule.kind == "rows":
        return _core("ExpectTableRowCountToBeBetween", **rule.arguments, **named)
    if len(rule.columns) > 1:
        return _core("ExpectCompoundColumnsToBeUnique", column_list=list(rule.columns), **named)
    return _core(OF_COLUMN[rule.kind], column=rule.columns[0], **rule.arguments, **named)


def _core(name: str, **arguments: Any) -> Any:
    return getattr(_library("great_expectations.expectations"), name)(**arguments)


def _result(connection: duckdb.DuckDBPyConnection, table: Table, rule: Rule, result: Any, rows: int) -> CheckResult:
    failed = 0 if result.success else int(result.result.get("unexpected_count") or 1)
    samples = _samples(connection, table, rule) if failed else ()
    return CheckResult(table.full_name, PREFIX + rule.name, rule.severity, rows, failed, samples)


def _samples(connection: duckdb.DuckDBPyConnection, table: Table, rule: Rule) -> tuple[dict[str, str], ...]:
    keys = ", ".join(f'"{name}"' for name in table.key)
    query = f"SELECT {keys} FROM {_view(table)} QUALIFY {rule.broken} ORDER BY ALL LIMIT {SAMPLES}"
    if "OVER" not in rule.broken:
        query = query.replace("QUALIFY", "WHERE")
    found = connection.execute(query).fetchall()
    return tuple({name: mask(value) for name, value in zip(table.key, row, strict=True)} for row in found)

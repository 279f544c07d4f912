"""Rows past their time go: raw records, refused records and behaviour, each after its own number of days."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from pipelines.errors import ConfigurationError
from pipelines.settings import RetentionSettings, Settings
from pipelines.spec import Table
from pipelines.store.aging import delete_before
from pipelines.store.marks import Marks
from pipelines.store.versions import rows_of, table_path
from pipelines.tables import ALL

EVENTS = ALL["silver.events"]


@dataclass(frozen=True)
class Rule:
    """Rows of a table go when their business date is older than so many days."""

    table: Table
    column: str
    days: int


@dataclass(frozen=True)
class Expired:
    """What a rule took, or with a dry run would take: rows (of `landing/...`: folders) before a day."""

    table: str
    before: str
    days: int
    rows: int

    def as_dict(self) -> dict[str, object]:
        """The result as plain data."""
        return asdict(self)


def rules(periods: RetentionSettings) -> Iterator[Rule]:
    """The rules of the configuration; a table without a period keeps its rows."""
    if periods.bronze_days is not None:
        for table in ALL.layer("bronze"):
            yield Rule(table, "interval", periods.bronze_days)
    if periods.quarantine_days is not None:
        yield Rule(ALL["silver.quarantine"], "interval", periods.quarantine_days)
    if periods.events_days is not None:
        yield Rule(EVENTS, "business_date", periods.events_days)


def newest_day(lake: Path) -> str:
    """The newest business day that came in; periods are counted back from it, whatever the machine's clock says."""
    rows = rows_of(lake, "ops.batches", "SELECT max(interval)::VARCHAR AS day FROM t")
    if not rows or not rows[0]["day"]:
        raise ConfigurationError("the lake holds no day yet", where=str(lake), hint="run `cdp run` first")
    return str(rows[0]["day"])


def retain(settings: Settings, as_of: str, *, dry_run: bool) -> list[Expired]:
    """Rows older than their period at a business day are gone from the newest versions; gives what each rule took.

    Landing folders go with bronze, or a run that reads landing again would bring their records back. Files of older
    versions go with `cdp vacuum` once no kept snapshot pins them. The caller holds the lake's lock.
    """
    done = []
    for rule in rules(settings.retention):
        before = _before(as_of, rule.days)
        query = f'SELECT count(*) AS n FROM t WHERE "{rule.column}" < $day::DATE'
        found = rows_of(settings.lake, rule.table.full_name, query, {"day": before})
        rows = int(found[0]["n"]) if found else 0
        if rows and not dry_run:
            if rule.table is EVENTS:
                # Features and facts were made from these rows: the next run has to look at everybody.
                Marks(settings.home).set("downstream")
            delete_before(table_path(settings.lake, rule.table), rule.column, before)
        if rows:
            done.append(Expired(rule.table.full_name, before, rule.days, rows))
    days = settings.retention.bronze_days
    return done if days is None else done + _age_landing(settings.landing, as_of, days, dry_run=dry_run)


def _age_landing(landing: Path, as_of: str, days: int, *, dry_run: bool) -> list[Expired]:
    done: list[Expired] = []
    before = _before(as_of, days)
    for feed in sorted(path for path in landing.glob("*") if path.is_dir()):
        old = [day for day in sorted(feed.glob("????-??-??")) if day.name < before]
        for day in old if not dry_run else ():
            shutil.rmtree(day)
        if old:
            done.append(Expired(f"landing/{feed.name}", before, days, len(old)))
    return done


def _before(as_of: str, days: int) -> str:
    return (date.fromisoformat(as_of) - timedelta(days=days)).isoformat()

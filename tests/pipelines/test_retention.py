"""Rows go when their period is over, counted back from the newest business day, and no day sooner."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ConfigurationError
from pipelines.retention import Expired, newest_day, retain
from pipelines.settings import Settings
from pipelines.store.marks import Marks
from pipelines.store.versions import rows_of
from tests.pipelines.published import write

DAYS = ("2025-03-01", "2025-03-02", "2025-03-03")
BRONZE, QUARANTINE, EVENTS = "bronze.staff", "silver.quarantine", "silver.events"


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of rows and what brought them; not to be changed."""
    home = tmp_path_factory.mktemp("brought")
    for number, day in enumerate(DAYS):
        write(home, BRONZE, [{"record_hash": day, "interval": day}])
        write(home, QUARANTINE, [{"quarantine_id": day, "interval": day, "status": "open"}])
        write(home, EVENTS, [{"event_id": f"e{number}", "business_date": day}])
        write(home, "ops.batches", [{"batch_id": day, "interval": day}])
        folder = home / "landing" / "staff" / day
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text("{}\n")
    return home


@pytest.fixture
def home(brought: Path, tmp_path: Path) -> Path:
    """Those days in a home of the test's own."""
    shutil.copytree(brought, tmp_path, dirs_exist_ok=True)
    return tmp_path


def settings(home: Path, **periods: int | None) -> Settings:
    given: dict[str, Any] = {"bronze_days": None, "quarantine_days": None, "events_days": None} | periods
    return Settings(home=home, retention=given)  # type: ignore[call-arg]  # the rest has defaults


def days_of(home: Path, name: str, column: str = "interval") -> list[str]:
    return [row["day"] for row in rows_of(home / "lake", name, f"SELECT {column}::VARCHAR AS day FROM t ORDER BY 1")]


def test_rows_older_than_their_period_go_and_the_last_day_of_it_stays(home: Path) -> None:
    done = retain(settings(home, quarantine_days=1), "2025-03-03", dry_run=False)
    assert done == [Expired(QUARANTINE, "2025-03-02", 1, 1)]
    assert days_of(home, QUARANTINE) == list(DAYS[1:])
    assert days_of(home, BRONZE) == list(DAYS)


def test_landing_folders_go_with_bronze(home: Path) -> None:
    done = retain(settings(home, bronze_days=1), "2025-03-03", dry_run=False)
    assert done == [Expired(BRONZE, "2025-03-02", 1, 1), Expired("landing/staff", "2025-03-02", 1, 1)]
    assert [path.name for path in sorted((home / "landing" / "staff").iterdir())] == list(DAYS[1:])


def test_after_behaviour_went_the_next_run_looks_at_everybody(home: Path) -> None:
    retain(settings(home, events_days=1), "2025-03-03", dry_run=False)
    assert days_of(home, EVENTS, "business_date") == list(DAYS[1:])
    assert Marks(home).is_set("downstream")
    assert rows_of(home / "lake", EVENTS, "SELECT event_id FROM t WHERE event_id > 'e1'") == [{"event_id": "e2"}]


def test_other_tables_ask_for_no_second_look(home: Path) -> None:
    retain(settings(home, bronze_days=1, quarantine_days=1), "2025-03-03", dry_run=False)
    assert not Marks(home).is_set("downstream")


def test_a_dry_run_tells_the_same_and_changes_nothing(home: Path) -> None:
    given = settings(home, bronze_days=1, quarantine_days=1, events_days=1)
    told = retain(given, "2025-03-03", dry_run=True)
    assert (days_of(home, BRONZE), days_of(home, EVENTS, "business_date")) == (list(DAYS), list(DAYS))
    assert retain(given, "2025-03-03", dry_run=False) == told
    assert retain(given, "2025-03-03", dry_run=False) == []


def test_without_a_period_rows_stay(home: Path) -> None:
    assert retain(settings(home), "2099-01-01", dry_run=False) == []


def test_periods_count_back_from_the_newest_day_that_came_in(home: Path) -> None:
    assert newest_day(home / "lake") == "2025-03-03"


def test_a_lake_without_a_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no day"):
        newest_day(tmp_path)

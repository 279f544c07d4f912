"""A run records every job, stops at the first failure, and lets nothing unchecked be published by a later run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pipelines.runner as runner
from pipelines.catalog import Catalog, Job
from pipelines.errors import InputRefusedError, IntegrityError
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.settings import QualitySettings, Settings
from pipelines.store.lake import Lake
from pipelines.store.marks import Marks
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import DAY1, DAY2, ROOT, run_context
from tests.pipelines.published import complete, write

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONSENTS = ALL["silver.consents"]


def unstarted(home: Path) -> Lake:
    """A lake that only its own readers look at."""
    return Lake(None, home / "lake")  # type: ignore[arg-type]  # no session is needed to read the log


def test_a_range_of_days_holds_both_its_ends() -> None:
    assert runner.days("2025-02-27", "2025-03-01") == ["2025-02-27", "2025-02-28", "2025-03-01"]
    assert runner.days(DAY1, DAY1) == [DAY1]


def test_runs_are_numbered_over_the_history_of_the_lake(tmp_path: Path) -> None:
    assert runner.next_run_id(unstarted(tmp_path), DAY1) == f"r000001-{DAY1}"
    write(tmp_path, "ops.job_runs", [{"run_id": f"r{number:06d}-{DAY1}", "job": "a"} for number in (9, 10, 2)])
    assert runner.next_run_id(unstarted(tmp_path), DAY2) == f"r000011-{DAY2}"


def test_the_newest_day_is_the_last_any_run_answered_for(tmp_path: Path) -> None:
    assert runner.newest_day(unstarted(tmp_path)) == ""
    write(tmp_path, "ops.job_runs", [{"run_id": "a", "interval_to": day} for day in (DAY2, DAY1)])
    assert runner.newest_day(unstarted(tmp_path)) == DAY2


def brings(*statuses: str) -> Callable[[RunContext], JobOutcome]:
    """A job that adds a consent per status."""

    def run(context: RunContext) -> JobOutcome:
        rows = [complete(CONSENTS, {"consent_id": f"n-{status}", "status": status}) for status in statuses]
        write_result = context.lake.add_rows(CONSENTS, rows)
        return JobOutcome(writes=[write_result], rows_in={"records": len(rows)})

    return run


def refuses(context: RunContext) -> JobOutcome:
    raise InputRefusedError("the batch was refused", where="consents")


def run(
    spark: SparkSession, home: Path, monkeypatch: pytest.MonkeyPatch, *work: Callable[[RunContext], JobOutcome]
) -> runner.RunReport:
    names = ("s1_bronze", "s2_silver", "s3_identity")
    jobs = [Job(names[place], "A job", job, (), ()) for place, job in enumerate(work)]
    monkeypatch.setattr(runner, "JOBS", Catalog(tuple(jobs)))
    settings = Settings(home=home, conf=ROOT / "conf", quality=QualitySettings(data_docs=False))  # type: ignore[call-arg]
    lake = Lake(spark, home / "lake")
    known: dict[str, Any] = {"settings": settings, "run_id": runner.next_run_id(lake, DAY1)}
    return runner.run_jobs(run_context(lake, home, (DAY1,), **known))


def jobs_of(home: Path) -> list[tuple[str, str, str]]:
    rows = unstarted(home).query(ALL["ops.job_runs"], "SELECT run_id, job, status FROM t ORDER BY run_id, job")
    return [(row["run_id"][:7], row["job"], row["status"]) for row in rows]


@pytest.mark.spark
def test_each_job_is_recorded_with_its_rows_and_versions(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run(spark, tmp_path, monkeypatch, brings("granted"), brings("granted", "withdrawn"))
    assert report.changed_rows == 2
    first, second = report.as_dict()["jobs"]  # type: ignore[misc]  # a list of jobs
    assert first["outputs"]["silver.consents"] == {"version": 1, "inserted": 1, "updated": 0, "deleted": 0}
    assert second["inputs"] == {"records": 2}
    assert jobs_of(tmp_path) == [("r000001", "s1_bronze", "done"), ("r000001", "s2_silver", "done")]
    assert not Marks(tmp_path).is_set("downstream")


@pytest.mark.spark
def test_the_first_failure_stops_the_run_and_is_recorded(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputRefusedError):
        run(spark, tmp_path, monkeypatch, brings("granted"), refuses, brings("withdrawn"))
    assert jobs_of(tmp_path) == [("r000001", "s1_bronze", "done"), ("r000001", "s2_silver", "failed")]
    assert Marks(tmp_path).is_set("downstream")


@pytest.mark.spark
def test_what_did_not_pass_its_checks_is_checked_again_by_the_next_run(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in (brings("maybe"), brings()):
        with pytest.raises(IntegrityError, match="known_status in 1 of 1"):
            run(spark, tmp_path, monkeypatch, brings(), job)
    lake = Lake(spark, tmp_path / "lake")
    lake.delete_keys(CONSENTS, lake.read(CONSENTS).select("consent_id"))
    run(spark, tmp_path, monkeypatch, brings(), brings())
    assert not Marks(tmp_path).is_set("downstream")

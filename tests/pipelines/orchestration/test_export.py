"""The exported plan follows the catalog, and the thin definitions do what it says, whatever their scheduler."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pipelines.catalog import JOBS
from pipelines.errors import ExitCode
from pipelines.orchestration.export import as_json, as_mermaid, edges, plan, write_definitions

Codes = Callable[[int], list[list[str]]]


def test_every_job_and_every_table_of_the_catalog_is_in_the_plan() -> None:
    made = plan()
    assert [job["job"] for job in made["jobs"]] == [job.name for job in JOBS.jobs]
    run = made["schedules"][0]["tasks"][1]
    assert set(run["writes"]) == {table for job in JOBS.jobs for table in job.writes}


def test_edges_name_the_tables_between_two_jobs() -> None:
    found = {(edge["from"], edge["to"]): edge["tables"] for edge in edges()}
    assert "bronze.douyin_orders" in found["s1_bronze", "s2_silver"]
    assert ("s2_silver", "s1_bronze") not in found


def test_the_plan_is_the_same_text_each_time_and_plain_json() -> None:
    assert as_json() == as_json()
    assert json.loads(as_json())["retry_codes"] == [ExitCode.LOCKED, ExitCode.STORAGE]


def test_the_chart_shows_every_job() -> None:
    assert all(job.name in as_mermaid() for job in JOBS.jobs)


class Recorder:
    """Takes every call and attribute, and remembers what it was called with."""

    def __init__(self, name: str, made: list[tuple[str, Any, Any]]) -> None:
        self.name, self.made = name, made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.made.append((self.name, args, kwargs))
        if len(args) == 1 and callable(args[0]) and not kwargs:
            return args[0]
        return Recorder(self.name, self.made)

    def __getattr__(self, name: str) -> Any:
        return Recorder(f"{self.name}.{name}", self.made)

    def __rshift__(self, other: Any) -> Any:
        self.made.append((">>", (), {}))
        return other

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        return None


class RetryError(Exception):
    """Stands for what a scheduler retries."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, kwargs)


class FailError(RetryError):
    """Stands for what a scheduler gives up."""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"exported_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def made() -> list[tuple[str, Any, Any]]:
    return []


@pytest.fixture
def airflow(tmp_path: Path, made: list[tuple[str, Any, Any]], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The exported DAG file, loaded beside stand-ins of Airflow's modules and away from this project."""
    tasks: dict[str, Any] = {}

    def task(**known: Any) -> Any:
        def keep(function: Any) -> Any:
            tasks[known["task_id"]] = function
            return Recorder(known["task_id"], made)

        return keep

    now = datetime(2025, 3, 1, 16, 0, tzinfo=UTC)
    sdk = SimpleNamespace(
        DAG=Recorder("DAG", made), task=task, get_current_context=lambda: {"data_interval_start": now}, tasks=tasks
    )
    interval = SimpleNamespace(CronDataIntervalTimetable=Recorder("timetable", made))
    exceptions = SimpleNamespace(AirflowException=RetryError, AirflowFailException=FailError)
    for name, module in (
        ("airflow", SimpleNamespace()), ("airflow.sdk", sdk), ("airflow.exceptions", exceptions),
        ("airflow.timetables", SimpleNamespace()), ("airflow.timetables.interval", interval),
    ):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)
    _, path = write_definitions(tmp_path / "dags", "airflow")
    loaded = load(path)
    loaded.tasks = tasks  # type: ignore[attr-defined]
    return loaded


@pytest.fixture
def dagster(tmp_path: Path, made: list[tuple[str, Any, Any]], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The exported definitions, loaded beside a stand-in of Dagster."""
    stand_in = Recorder("dg", made)
    stand_in.RetryRequested, stand_in.Failure = RetryError, FailError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dagster", stand_in)  # type: ignore[arg-type]
    _, path = write_definitions(tmp_path / "defs", "dagster")
    return load(path)


def calls(monkeypatch: pytest.MonkeyPatch, module: ModuleType, code: int) -> list[list[str]]:
    seen: list[list[str]] = []

    def ran(words: list[str], check: bool) -> Any:
        seen.append(words)
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=ran))
    return seen


def test_airflow_has_a_dag_per_schedule_with_business_days_of_shanghai(
    airflow: ModuleType, made: list[tuple[str, Any, Any]]
) -> None:
    dags = [known for name, _, known in made if name == "DAG"]
    assert [known["dag_id"] for known in dags] == ["oneid_daily", "oneid_weekly"]
    assert next((args, known) for name, args, known in made if name == "timetable") == (
        ("0 0 * * *",),
        {"timezone": "Asia/Shanghai"},
    )
    assert sum(name == ">>" for name, _, _ in made) == 3


def test_airflow_runs_the_business_day_of_the_data_interval(
    airflow: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = calls(monkeypatch, airflow, 0)
    airflow.tasks["run"]()
    assert seen == [["cdp", "run", "--date", "2025-03-02", "--wait", "1800"]]


@pytest.mark.parametrize("scheduler", ["airflow", "dagster"])
@pytest.mark.parametrize("code", [code for code in ExitCode if code])
def test_exit_codes_decide_between_retry_and_failure(
    scheduler: str, code: ExitCode, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = request.getfixturevalue(scheduler)
    calls(monkeypatch, module, int(code))
    with pytest.raises(RetryError) as caught:
        module.call(["cdp", "run"], "2025-03-01")
    retried = caught.type is RetryError
    assert retried == (code in (ExitCode.LOCKED, ExitCode.STORAGE))


def test_success_is_no_failure(dagster: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = calls(monkeypatch, dagster, 0)
    dagster.call(["cdp", "run", "--date", "{day}"], "2025-03-01")
    assert seen == [["cdp", "run", "--date", "2025-03-01"]]


def test_dagster_has_an_asset_per_table_in_daily_partitions_of_shanghai(
    dagster: ModuleType, made: list[tuple[str, Any, Any]]
) -> None:
    partitions = [known for name, _, known in made if name == "dg.DailyPartitionsDefinition"]
    assert partitions == [{"start_date": "2025-01-01", "timezone": "Asia/Shanghai"}]
    assert len(dagster.TABLES) == len({table for job in JOBS.jobs for table in job.writes})


@pytest.mark.parametrize("scheduler", ["airflow", "dagster"])
def test_a_definition_needs_nothing_of_this_project(tmp_path: Path, scheduler: str) -> None:
    _, path = write_definitions(tmp_path, scheduler)
    text = path.read_text(encoding="utf-8")
    assert not any(name in text for name in ("import pipelines", "from pipelines", "import identity", "from serving"))

"""The exported schedules do in real Airflow and Dagster what they say: days, order, retries by exit code.

Each scheduler runs in an environment of its own, which `make test-orchestration` installs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.errors import ExitCode
from pipelines.orchestration.export import PLAN, write_definitions

pytestmark = pytest.mark.orchestration
ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CDP_CACHE", ROOT / ".cache")).resolve()
DAYS = ("2025-01-01", "2025-01-02")
AFTER_THE_FIRST = "2025-01-02T01:00:00+08:00"
RECORDER = """#!/bin/sh
echo "$@" >> {calls}
code=$(head -n 1 {codes})
sed -i 1d {codes}
exit ${{code:-0}}
"""


@dataclass(frozen=True)
class Scheduler:
    """A scheduler's program in its environment, with `cdp` on its path."""

    program: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        assert self.program.is_file(), f"{self.program} is missing: make test-orchestration installs it"
        return subprocess.run(
            [str(self.program), *words], env=self.variables, capture_output=True, text=True, check=False, timeout=300
        )

    def well(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


def scheduler_of(name: str, bin_folder: Path, home: Path, **variables: str) -> Scheduler:
    path = f"{bin_folder}:/usr/local/bin:/usr/bin:/bin"
    given = {"PATH": path, "LANG": "C.UTF-8", "HOME": str(home), **variables}
    return Scheduler(CACHE / "schedulers" / name / "bin" / name, given)


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two days of a small brand in its landing, and the `cdp` of this tree beside it under `bin`."""
    home = tmp_path_factory.mktemp("brand")
    script(
        home / "bin" / "cdp",
        f"#!/bin/sh\nPYTHONPATH={ROOT} CDP_HOME={home} JAVA_HOME={os.environ.get('JAVA_HOME', '')} "
        f'exec {sys.executable} -m pipelines.cli "$@"\n',
    )
    for words in (["init"], ["simulate", "--people", "40", "--days", "2", "--start", DAYS[0], "--out", str(home)]):
        subprocess.run([home / "bin" / "cdp", *words], check=True, capture_output=True)
    return home


@pytest.fixture
def recorder(tmp_path: Path) -> Callable[[Sequence[int]], Path]:
    """A `cdp` that notes how it is called and ends with one given exit code after the other, then with 0."""

    def make(codes: Sequence[int]) -> Path:
        (tmp_path / "codes").write_text("".join(f"{code}\n" for code in codes), encoding="utf-8")
        (tmp_path / "calls").touch()
        script(tmp_path / "bin" / "cdp", RECORDER.format(calls=tmp_path / "calls", codes=tmp_path / "codes"))
        return tmp_path / "bin"

    return make


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text(encoding="utf-8").splitlines()


def impatient(folder: Path) -> None:
    """What is retried is retried at once."""
    plan: dict[str, Any] = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    (folder / PLAN).write_text(json.dumps(plan | {"retry_minutes": 0}), encoding="utf-8")


def airflow(tmp_path: Path, bin_folder: Path, *, pull: bool) -> Scheduler:
    """Airflow with the exported definitions in its folder of DAGs and a database of its own."""
    write_definitions(tmp_path / "dags", "airflow", pull=pull)
    found = scheduler_of(
        "airflow",
        bin_folder,
        tmp_path,
        AIRFLOW_HOME=str(tmp_path / "airflow"),
        AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path / "dags"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
    )
    found.well("db", "migrate")
    return found


def dagster(tmp_path: Path, bin_folder: Path, *, pull: bool) -> Scheduler:
    """Dagster with the exported definitions and an instance of its own."""
    write_definitions(tmp_path / "defs", "dagster", pull=pull)
    (tmp_path / "dagster").mkdir()
    # It would tell its maker about each run, and leave an id for that in the home.
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    return scheduler_of("dagster", bin_folder, tmp_path, DAGSTER_HOME=str(tmp_path / "dagster"))


def materialize(tmp_path: Path, day: str) -> list[str]:
    return ["asset", "materialize", "--select", "*", "--partition", day, "-f", str(tmp_path / "defs/dagster_defs.py")]


def days_run(home: Path) -> set[str]:
    """The business days whose gold this brand's lake holds, by its own records."""
    runs = pl.read_delta(str(home / "lake/ops/job_runs"))
    return {str(day) for day in runs.filter(job="s6_gold", status="done")["interval_to"]}


def told(output: str) -> Any:
    """The JSON that Airflow prints last, after its warnings."""
    return json.loads(output.splitlines()[-1])


def test_airflow_runs_a_brands_business_day(tmp_path: Path, brand: Path) -> None:
    scheduler = airflow(tmp_path, brand / "bin", pull=False)
    scheduler.well("dags", "reserialize")
    assert told(scheduler.well("dags", "list-import-errors", "-o", "json")) == []
    assert {dag["dag_id"] for dag in told(scheduler.well("dags", "list", "-o", "json"))} == {
        "oneid_daily",
        "oneid_weekly",
    }
    scheduler.well("dags", "test", "oneid_daily", AFTER_THE_FIRST)
    assert DAYS[0] in days_run(brand)
    scheduler.well("dags", "test", "oneid_weekly", AFTER_THE_FIRST)


def test_airflow_keeps_the_order_and_tries_again_what_may_pass(
    tmp_path: Path, recorder: Callable[[Sequence[int]], Path]
) -> None:
    scheduler = airflow(tmp_path, recorder([0, ExitCode.LOCKED, ExitCode.STORAGE]), pull=True)
    impatient(tmp_path / "dags")
    scheduler.well("dags", "test", "oneid_daily", AFTER_THE_FIRST)
    run = f"run --date {DAYS[0]} --wait 1800"
    assert calls(tmp_path) == ["pull", run, run, run, "verify"]


def test_airflow_gives_up_what_needs_somebody(tmp_path: Path, recorder: Callable[[Sequence[int]], Path]) -> None:
    scheduler = airflow(tmp_path, recorder([0, ExitCode.INTEGRITY]), pull=True)
    impatient(tmp_path / "dags")
    done = scheduler.run("dags", "test", "oneid_daily", AFTER_THE_FIRST)
    assert "DagRun failed" in done.stdout + done.stderr or done.returncode
    assert [call.split()[0] for call in calls(tmp_path)] == ["pull", "run"]


def test_dagster_makes_a_brands_tables_of_a_business_day(tmp_path: Path, brand: Path) -> None:
    scheduler = dagster(tmp_path, brand / "bin", pull=False)
    scheduler.well("definitions", "validate", "-f", str(tmp_path / "defs/dagster_defs.py"))
    scheduler.well(*materialize(tmp_path, DAYS[1]))
    assert DAYS[1] in days_run(brand)
    weekly = ["job", "execute", "-f", str(tmp_path / "defs/dagster_defs.py"), "-j", "oneid_weekly_job"]
    scheduler.well(*weekly)


def test_dagster_keeps_the_order_and_tries_again_what_may_pass(
    tmp_path: Path, recorder: Callable[[Sequence[int]], Path]
) -> None:
    scheduler = dagster(tmp_path, recorder([0, ExitCode.LOCKED]), pull=True)
    impatient(tmp_path / "defs")
    scheduler.well(*materialize(tmp_path, DAYS[0]))
    run = f"run --date {DAYS[0]} --wait 1800"
    assert calls(tmp_path) == ["pull", run, "pull", run, "verify"]


def test_dagster_gives_up_what_needs_somebody(tmp_path: Path, recorder: Callable[[Sequence[int]], Path]) -> None:
    scheduler = dagster(tmp_path, recorder([0, ExitCode.INTEGRITY]), pull=True)
    impatient(tmp_path / "defs")
    assert scheduler.run(*materialize(tmp_path, DAYS[0])).returncode
    assert [call.split()[0] for call in calls(tmp_path)] == ["pull", "run"]

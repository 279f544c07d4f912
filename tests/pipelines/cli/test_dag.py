"""`cdp dag export` prints the plan or writes a scheduler's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from tests.pipelines.cli.test_refusals import assert_refused, cdp

pytestmark = pytest.mark.e2e


def test_the_plan_is_printed_as_json(tmp_path: Path) -> None:
    done = cdp(tmp_path, "dag", "export")
    assert [schedule["name"] for schedule in json.loads(done.out)["schedules"]] == ["oneid_daily", "oneid_weekly"]


def test_definitions_are_written_into_the_folder(tmp_path: Path) -> None:
    done = cdp(tmp_path, "dag", "export", "--format", "airflow", "--output", str(tmp_path / "dags"), "--json")
    assert json.loads(done.out)["files"] == [str(tmp_path / "dags" / n) for n in ("dag.json", "airflow_dag.py")]
    assert (tmp_path / "dags" / "airflow_dag.py").is_file()


def test_definitions_without_a_folder_are_refused(tmp_path: Path) -> None:
    assert_refused(cdp(tmp_path, "dag", "export", "--format", "dagster"), ExitCode.USAGE, "needs a folder")

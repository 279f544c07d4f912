"""Airflow 3: the schedules of `dag.json`, one DAG each, one task per command.

The data interval is a business day in Asia/Shanghai. Exit codes that may pass by themselves are retried, all others
fail the task at once. Needs `cdp` on the worker's PATH and nothing else of the product.
"""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.exceptions import AirflowException, AirflowFailException  # type: ignore[import-not-found]  # not ours
from airflow.sdk import DAG, get_current_context, task  # type: ignore[import-not-found]  # lives in Airflow alone
from airflow.timetables.interval import CronDataIntervalTimetable  # type: ignore[import-not-found]  # likewise

PLAN: dict[str, Any] = json.loads(Path(__file__).with_name("dag.json").read_text(encoding="utf-8"))
ZONE = ZoneInfo(PLAN["timezone"])


def call(command: list[str], day: str) -> None:
    """The command ran for the day; raises what Airflow retries or gives up."""
    done = subprocess.run([word.format(day=day) for word in command], check=False)
    if done.returncode in PLAN["retry_codes"]:
        raise AirflowException(f"{command[1]} ended with exit code {done.returncode}; it may succeed later")
    if done.returncode:
        raise AirflowFailException(f"{command[1]} ended with exit code {done.returncode}; see its last line")


def make_dag(schedule: dict[str, Any]) -> Any:
    """The DAG of one schedule."""
    retries = {"retries": PLAN["retries"], "retry_delay": timedelta(minutes=PLAN["retry_minutes"])}
    start = datetime.fromisoformat(PLAN["start"]).replace(tzinfo=ZONE)
    timetable = CronDataIntervalTimetable(schedule["cron"], timezone=PLAN["timezone"])
    with DAG(
        dag_id=schedule["name"],
        description=schedule["doc"],
        schedule=timetable,
        start_date=start,
        catchup=False,
        max_active_runs=1,
        default_args=retries,
        tags=["oneid"],
    ) as dag:
        made: dict[str, Any] = {}
        for step in schedule["tasks"]:
            made[step["name"]] = _make_task(step)
            for earlier in step["after"]:
                made[earlier] >> made[step["name"]]
    return dag


def _make_task(step: dict[str, Any]) -> Any:
    @task(task_id=step["name"], doc_md=step["doc"])  # type: ignore[untyped-decorator]  # Airflow has no types here
    def run_command() -> None:
        day = get_current_context()["data_interval_start"].astimezone(ZONE).date().isoformat()
        call(step["command"], day)

    return run_command()


for one in PLAN["schedules"]:
    globals()[one["name"]] = make_dag(one)

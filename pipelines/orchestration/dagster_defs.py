"""Dagster: the daily schedule of `dag.json` as one multi-asset of all tables, partitioned by business day.

Exit codes that may pass by themselves are retried, all others fail at once. Needs `cdp` on the PATH and nothing else of
the product. Dagster looks at annotations as they are when a function is decorated, so none is postponed here.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg  # type: ignore[import-not-found]  # lives in Dagster's environment alone

PLAN: dict[str, Any] = json.loads(Path(__file__).with_name("dag.json").read_text(encoding="utf-8"))
DAILY, WEEKLY = PLAN["schedules"]
RUN: dict[str, Any] = next(step for step in DAILY["tasks"] if step["writes"])
DAYS = dg.DailyPartitionsDefinition(start_date=PLAN["start"], timezone=PLAN["timezone"])


def call(command: list[str], day: str) -> None:
    """The command ran for the day; raises what Dagster retries or gives up."""
    done = subprocess.run([word.format(day=day) for word in command], check=False)
    if done.returncode in PLAN["retry_codes"]:
        raise dg.RetryRequested(max_retries=PLAN["retries"], seconds_to_wait=PLAN["retry_minutes"] * 60)
    if done.returncode:
        raise dg.Failure(f"{command[1]} ended with exit code {done.returncode}", allow_retries=False)


FEEDS = [dg.AssetSpec(dg.AssetKey(name.split("."))) for name in RUN["reads"]]
TABLES = [
    dg.AssetSpec(dg.AssetKey(name.split(".")), deps=[feed.key for feed in FEEDS] if name.startswith("bronze.") else [])
    for name in RUN["writes"]
]


@dg.multi_asset(specs=TABLES, partitions_def=DAYS, name=DAILY["name"], can_subset=False)  # type: ignore[untyped-decorator]
def tables(context: dg.AssetExecutionContext) -> Any:
    """All tables of the lake for one business day."""
    for step in DAILY["tasks"]:
        call(step["command"], context.partition_key)
    for spec in TABLES:
        yield dg.MaterializeResult(asset_key=spec.key)


@dg.op(name=WEEKLY["name"])  # type: ignore[untyped-decorator]  # Dagster has no types here
def housekeeping() -> None:
    """Retention and vacuum."""
    for step in WEEKLY["tasks"]:
        call(step["command"], "")


@dg.job(name=f"{WEEKLY['name']}_job")  # type: ignore[untyped-decorator]  # likewise
def weekly() -> None:
    """The housekeeping as a job."""
    housekeeping()


daily = dg.define_asset_job(f"{DAILY['name']}_job", selection=[tables], partitions_def=DAYS)
defs = dg.Definitions(
    assets=[tables, *FEEDS],
    jobs=[daily, weekly],
    schedules=[
        dg.build_schedule_from_partitioned_job(daily),
        dg.ScheduleDefinition(job=weekly, cron_schedule=WEEKLY["cron"], execution_timezone=PLAN["timezone"]),
    ],
)

"""The plan of all schedules as plain data: which commands run when, for which day, and what they read and write.

A scheduler needs nothing of this package: the definitions beside this module read the exported plan and call `cdp`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pipelines.catalog import JOBS, Catalog
from pipelines.errors import ExitCode

PLAN = "dag.json"
DEFINITIONS = {"airflow": "airflow_dag.py", "dagster": "dagster_defs.py"}
TIMEZONE = "Asia/Shanghai"
RETRY_CODES = (int(ExitCode.LOCKED), int(ExitCode.STORAGE))
"""Exit codes after which the same command may succeed later; any other failure needs somebody."""
DAY = "{day}"
LOCK_WAIT_S = 1800


def plan(catalog: Catalog = JOBS, *, pull: bool = True) -> dict[str, Any]:
    """The schedules with their tasks, and the jobs of a run with the edges between them.

    A task's `command` holds `{day}`, the business day of its data interval in Asia/Shanghai. Without `pull` nothing is
    fetched from the platforms: all feeds come as files.
    """
    reads, writes = _interface(catalog)
    wait = ("--wait", str(LOCK_WAIT_S))
    pulled = [_task("pull", "What the platforms changed comes to the landing.", ("cdp", "pull"))] if pull else []
    after = tuple(task["name"] for task in pulled)
    run = _task("run", "Landing to published snapshot.", ("cdp", "run", "--date", DAY, *wait), after=after)
    whole = _task("verify", "The lake and its snapshots are whole.", ("cdp", "verify"), after=("run",))
    daily = [*pulled, run | {"reads": reads, "writes": writes}, whole]
    weekly = [
        _task("retention", "Rows past their time go.", ("cdp", "retention", *wait)),
        _task("vacuum", "Files that nobody needs go.", ("cdp", "vacuum", *wait), after=("retention",)),
    ]
    return {
        "timezone": TIMEZONE,
        "start": "2025-01-01",
        "retry_codes": list(RETRY_CODES),
        "retries": 3,
        "retry_minutes": 10,
        "schedules": [
            {"name": "oneid_daily", "cron": "0 0 * * *", "doc": "One business day.", "tasks": daily},
            {"name": "oneid_weekly", "cron": "0 0 * * 1", "doc": "Housekeeping.", "tasks": weekly},
        ],
        "jobs": [{"job": job.name, "doc": job.doc, "reads": job.reads, "writes": job.writes} for job in catalog.jobs],
        "edges": edges(catalog),
    }


def edges(catalog: Catalog = JOBS) -> list[dict[str, Any]]:
    """Which job feeds which, with the tables between them, in the order of the jobs."""
    found = []
    for place, later in enumerate(catalog.jobs):
        for earlier in catalog.jobs[:place]:
            tables = sorted(set(later.reads) & {*earlier.writes, *earlier.shared})
            if tables:
                found.append({"from": earlier.name, "to": later.name, "tables": tables})
    return found


def as_json(catalog: Catalog = JOBS, *, pull: bool = True) -> str:
    """The plan as stable JSON."""
    return json.dumps(plan(catalog, pull=pull), indent=1) + "\n"


def as_mermaid(catalog: Catalog = JOBS) -> str:
    """The jobs and their edges as a Mermaid chart."""
    lines = ["flowchart LR", *(f'  {job.name}["{job.name}: {job.doc}"]' for job in catalog.jobs)]
    lines += [f"  {edge['from']} -- {len(edge['tables'])} tables --> {edge['to']}" for edge in edges(catalog)]
    return "\n".join(lines) + "\n"


def write_definitions(folder: Path, scheduler: str, *, pull: bool = True) -> list[Path]:
    """The plan and the scheduler's thin definition stand in the folder, where the scheduler looks for them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PLAN).write_text(as_json(pull=pull), encoding="utf-8")
    target = folder / DEFINITIONS[scheduler]
    shutil.copyfile(Path(__file__).with_name(DEFINITIONS[scheduler]), target)
    return [folder / PLAN, target]


def _task(name: str, doc: str, command: tuple[str, ...], *, after: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "doc": doc, "command": list(command), "after": list(after), "reads": [], "writes": []}


def _interface(catalog: Catalog) -> tuple[list[str], list[str]]:
    """What a run takes from outside (landing feeds) and the tables it leaves."""
    writes = dict.fromkeys(table for job in catalog.jobs for table in job.writes)
    feeds = [f"landing.{name.partition('.')[2]}" for name in writes if name.startswith("bronze.")]
    return feeds, list(writes)

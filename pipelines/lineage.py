"""What each job read and wrote, as OpenLineage run events: one JSON object a line in `<home>/lineage/events.jsonl`.

The events follow the OpenLineage specification (openlineage.io/spec), with facets for parent run, nominal time, error,
dataset version and output statistics. They are made from `ops.job_runs`, so they say what the lake says of itself.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.catalog import JOBS, Catalog, Job
from pipelines.spans import SPANS
from pipelines.store.versions import rows_of

NAMESPACE = "oneid-cdp"
PRODUCER = "urn:oneid-cdp:pipelines"
SPEC = "https://openlineage.io/spec"
EVENT_SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
SHANGHAI = ZoneInfo("Asia/Shanghai")
ENDS = {"done": "COMPLETE", "skipped": "COMPLETE", "failed": "FAIL"}
Event = dict[str, Any]


def write_events(home: Path, lake: Path, run_ids: Iterable[str] | None = None) -> int:
    """The events of these runs (None: of the newest) are on disk after those that were there; gives their number.

    A run whose events are there already adds none.
    """
    newest = "run_id = (SELECT max(run_id) FROM t)"
    wanted = newest if run_ids is None else "list_contains($ids, run_id)"
    query = f"SELECT * FROM t WHERE {wanted} AND NOT list_contains($spans, job) ORDER BY run_id, job"
    given: dict[str, object] = {"spans": list(SPANS)}
    if run_ids is not None:
        given["ids"] = list(run_ids)
    rows = rows_of(lake, "ops.job_runs", query, given)
    path = home / "lineage" / "events.jsonl"
    known = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = [json.dumps(event, sort_keys=True) for row in rows for event in events_of(row, str(lake))]
    new = [line for line in lines if json.loads(line)["run"]["runId"] not in known]
    if new:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as handle:
            handle.write("".join(f"{line}\n" for line in new))
            handle.flush()
            os.fsync(handle.fileno())
    return len(new)


def events_of(row: Mapping[str, Any], lake: str, catalog: Catalog = JOBS) -> list[Event]:
    """The start and the end of one job of one run, from its row in ops.job_runs."""
    job = next((job for job in catalog.jobs if job.name == row["job"]), None)
    run_id, facets = _uuid(row["run_id"], row["job"]), _run_facets(row)
    about = {"namespace": NAMESPACE, "name": f"run.{row['job']}"}
    begun: datetime = row["started_at"].astimezone(UTC)
    ended = begun + timedelta(seconds=float(row["seconds"]))
    inputs = [{"namespace": f"file://{lake}", "name": name} for name in (job.reads if job else ())]
    base = {"job": about, "producer": PRODUCER, "schemaURL": EVENT_SCHEMA, "inputs": inputs}
    start = base | {"eventType": "START", "eventTime": begun.isoformat(), "outputs": []}
    start["run"] = {"runId": run_id, "facets": facets}
    facets = facets | _error(row) if row["status"] == "failed" else facets
    end = base | {
        "eventType": ENDS[row["status"]],
        "eventTime": ended.isoformat(),
        "run": {"runId": run_id, "facets": facets},
        "outputs": _outputs(row, lake, job),
    }
    return [start, end]


def _outputs(row: Mapping[str, Any], lake: str, job: Job | None) -> list[Event]:
    """The tables the job wrote to, with version and rows; of a job of the catalog those it left alone too."""
    written: dict[str, dict[str, int]] = json.loads(row["outputs"] or "{}")
    names = dict.fromkeys((*(job.writes if job else ()), *sorted(written)))
    found: list[Event] = []
    for name in names:
        output: Event = {"namespace": f"file://{lake}", "name": name}
        if name in written:
            wrote = written[name]
            count = {"rowCount": wrote["inserted"] + wrote["updated"]}
            version = _facet("1-0-1/DatasetVersionDatasetFacet", {"datasetVersion": str(wrote["version"])})
            rows = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", count)
            output |= {"facets": {"version": version}, "outputFacets": {"outputStatistics": rows}}
        found.append(output)
    return found


def _run_facets(row: Mapping[str, Any]) -> Event:
    parent = {"run": {"runId": _uuid(row["run_id"], "")}, "job": {"namespace": NAMESPACE, "name": "run"}}
    nominal = {
        "nominalStartTime": _day_start(row["interval_from"]),
        "nominalEndTime": _day_start(row["interval_to"] + timedelta(days=1)),
    }
    return {
        "parent": _facet("1-0-1/ParentRunFacet", parent),
        "nominalTime": _facet("1-0-1/NominalTimeRunFacet", nominal),
    }


def _error(row: Mapping[str, Any]) -> Event:
    body = {"message": str(row["detail"] or "failed"), "programmingLanguage": "PYTHON"}
    return {"errorMessage": _facet("1-0-1/ErrorMessageRunFacet", body)}


def _facet(name: str, body: Event) -> Event:
    kind = name.partition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{name}.json#/$defs/{kind}", **body}


def _day_start(day: date) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).isoformat()


def _uuid(run_id: str, job: str) -> str:
    """The same id for the same job of the same run, whoever asks."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}:{run_id}:{job}"))

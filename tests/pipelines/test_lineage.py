"""Each job of a run leaves a start and an end event as OpenLineage describes them, once."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest

from pipelines.lineage import events_of, write_events
from pipelines.store.versions import rows_of
from tests.pipelines.published import write

FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {
        "_producer": {"type": "string", "pattern": "^(urn:|https?://)"},
        "_schemaURL": {
            "type": "string",
            "pattern": r"^https://openlineage\.io/spec/facets/\d-\d-\d/(\w+)\.json#/\$defs/\1$",
        },
    },
}
FACETS = {"type": "object", "additionalProperties": FACET}
NAMED = {"type": "object", "required": ["namespace", "name"]}
DATASET = NAMED | {"properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS}}
OUTPUT = DATASET | {"properties": {**DATASET["properties"], "outputFacets": FACETS}}  # type: ignore[dict-item]
EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string"},
        "run": {"type": "object", "required": ["runId"], "properties": {"runId": {"type": "string"}, "facets": FACETS}},
        "job": NAMED,
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": OUTPUT},
    },
}
"""What the specification asks of a run event."""

Row = dict[str, Any]
OUTPUTS = {"silver.orders": {"version": 4, "inserted": 10, "updated": 2, "deleted": 1}}


def job(
    name: str = "s2_silver", status: str = "done", run_id: str = "r000001-2025-03-01", **known: Any
) -> dict[str, Any]:
    days = {"interval_from": "2025-03-01", "interval_to": "2025-03-02"}
    row = {"run_id": run_id, "job": name, "status": status, "seconds": 1.5, "started_at": 1740812400000}
    return row | days | {"outputs": json.dumps(OUTPUTS)} | known


def events(home: Path, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    write(home, "ops.job_runs", rows)
    found = rows_of(home / "lake", "ops.job_runs", "SELECT * FROM t ORDER BY job")
    return [event for row in found for event in events_of(row, "/lake")]


@pytest.mark.parametrize("status", ["done", "skipped", "failed"])
@pytest.mark.parametrize("name", ["s1_bronze", "s2_silver", "s6_gold", "unheard_of"])
def test_every_event_has_the_form_of_the_specification(tmp_path: Path, name: str, status: str) -> None:
    for event in events(tmp_path, job(name, status, detail="why")):
        jsonschema.validate(event, EVENT)
        UUID(event["run"]["runId"])
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None


def test_the_form_is_not_met_by_anything_else() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"eventType": "DONE", "eventTime": "", "producer": "", "schemaURL": "", "run": {}}, EVENT)


def test_a_job_starts_and_ends_under_one_run_id(tmp_path: Path) -> None:
    start, end = events(tmp_path, job())
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    begun, ended = (datetime.fromisoformat(event["eventTime"]) for event in (start, end))
    assert (ended - begun).total_seconds() == 1.5


def test_what_a_job_reads_and_wrote_is_named_with_version_and_rows(tmp_path: Path) -> None:
    _, end = events(tmp_path, job())
    assert "bronze.douyin_orders" in {item["name"] for item in end["inputs"]}
    (orders,) = (item for item in end["outputs"] if item["name"] == "silver.orders")
    assert orders["facets"]["version"]["datasetVersion"] == "4"
    assert orders["outputFacets"]["outputStatistics"]["rowCount"] == 12


def test_a_failed_job_says_why(tmp_path: Path) -> None:
    _, end = events(tmp_path, job(status="failed", detail="batch b1 was refused"))
    assert end["eventType"] == "FAIL"
    assert end["run"]["facets"]["errorMessage"]["message"] == "batch b1 was refused"


def test_the_business_days_are_the_nominal_time_in_shanghai(tmp_path: Path) -> None:
    start, _ = events(tmp_path, job())
    nominal = start["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == "2025-03-01T00:00:00+08:00"
    assert nominal["nominalEndTime"] == "2025-03-03T00:00:00+08:00"


def test_jobs_of_one_run_share_their_parent(tmp_path: Path) -> None:
    parents = {e["run"]["facets"]["parent"]["run"]["runId"] for e in events(tmp_path, job(), job("s6_gold"))}
    assert len(parents) == 1


def test_the_newest_run_is_written_once(tmp_path: Path) -> None:
    write(tmp_path, "ops.job_runs", [job(), job("s6_gold"), job(run_id="r000002-2025-03-02")])
    assert [write_events(tmp_path, tmp_path / "lake") for _ in range(2)] == [2, 0]
    assert write_events(tmp_path, tmp_path / "lake", ["r000001-2025-03-01"]) == 4
    lines = (tmp_path / "lineage" / "events.jsonl").read_text().splitlines()
    assert len({json.loads(line)["run"]["runId"] for line in lines}) == 3


def test_a_lake_without_runs_writes_nothing(tmp_path: Path) -> None:
    assert write_events(tmp_path, tmp_path / "lake") == 0
    assert not (tmp_path / "lineage").exists()

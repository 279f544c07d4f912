"""What the last stitch worked with, kept as figures of its report: the next one starts from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.spec import Table
from pipelines.store.local import LocalLake
from pipelines.store.versions import rows_of
from pipelines.tables import ALL

REPORT = ALL["identity.report"]
RUN, VERSION, POLICY = "run", "version", "policy"
OWN = tuple(
    ALL[f"identity.{name}"]
    for name in ("edges", "oneid_map", "oneids", "homes", "hubs", "review_queue", "oneid_changes")
)
"""The tables that a stitch alone writes."""
READ = (
    *OWN,
    *(ALL[name] for name in ("silver.identity_observations", "identity.claims", "identity.steward_decisions")),
)


@dataclass(frozen=True)
class Marker:
    """The last finished run: its number, business day and policy digest, and the version of each table after it."""

    run: int
    as_of: str
    policy: str
    versions: Mapping[str, int]

    def version(self, table: Table) -> int:
        """The version of a table after that run; -1 when it did not exist."""
        return self.versions.get(table.full_name, -1)


def marker_of(lake: Path) -> Marker | None:
    """The last finished run of the lake in a folder, None before the first; needs no JVM."""
    wanted = f"SELECT * FROM t WHERE metric IN ('{RUN}', '{VERSION}', '{POLICY}')"
    rows = rows_of(lake, REPORT.full_name, wanted)
    runs = [row for row in rows if row["metric"] == RUN]
    if not runs:
        return None
    last = max(runs, key=lambda row: row["value"])
    mine = [row for row in rows if row["run_id"] == last["run_id"]]
    return Marker(
        run=int(last["value"]),
        as_of=str(last["as_of"]),
        policy=next((row["dimension"] for row in mine if row["metric"] == POLICY), ""),
        versions={row["dimension"]: int(row["value"]) for row in mine if row["metric"] == VERSION},
    )


def marker_figures(lake: LocalLake, run: int, policy: str) -> list[tuple[str, str, float]]:
    """The marker of a finished run as figures of its report: metric, dimension, value."""
    versions = [(VERSION, table.full_name, float(lake.version(table))) for table in READ]
    return [(RUN, "", float(run)), (POLICY, policy, 1.0), *versions]


def undo_unfinished(lake: LocalLake, marker: Marker | None) -> None:
    """The tables of the stitcher are as the last finished run left them: a run was cut off among its writes."""
    for table in OWN:
        lake.restore(table, marker.version(table) if marker else -1)

"""The stitcher: identity tables follow all evidence and decisions of a lake.

The state is rebuilt from evidence and decisions for every group that a run looks at, never patched; only the registry
of OneIDs is kept. Small lakes and every day's work are stitched in this process; all groups of a large lake on the
cluster. Both ways use the rules of `identity` and leave the same tables.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from identity.policy import Policy
from pipelines.jobs.s3_components import ComponentsRun
from pipelines.jobs.s3_local import LocalAnswers, resolve_local
from pipelines.jobs.s3_local_scope import Evidence, read_evidence_rows
from pipelines.jobs.s3_local_tables import LocalTables, group_count, write_all
from pipelines.jobs.s3_marker import OWN, Marker, marker_figures, marker_of, undo_unfinished
from pipelines.jobs.s3_report import REPORT, Figure, figures_of, gates_broken, table_figures
from pipelines.jobs.s3_work import OBSERVATIONS, Work, with_decisions
from pipelines.settings import Settings
from pipelines.store.creation import WriteResult
from pipelines.store.local import LocalLake
from pipelines.store.marks import Marks

if TYPE_CHECKING:
    from pipelines.store.lake import Lake

UNFINISHED = "identity"
LOCAL_ROWS = 6_000_000


@dataclass(frozen=True)
class StitchSettings:
    """How a lake is stitched: policy, identity key, a folder for staged files, marks beside the lake.

    `local_rows`: up to how many observations all groups are looked at in this process; `components`: how the cluster
    finds groups.
    """

    policy: Policy
    identity_key: str
    staging: Path
    marks: Marks
    local_rows: int = LOCAL_ROWS
    components: ComponentsRun = field(default_factory=ComponentsRun)


@dataclass(frozen=True)
class StitchRequest:
    """One stitch: the business day it answers for and its name.

    `full` looks at all groups with the registry kept, and changes nothing when all is well. `trigger` names what causes
    every change (`configuration:...`, `rule:rebuild`).
    """

    as_of: str
    run_id: str
    full: bool = False
    trigger: str = ""


@dataclass
class StitchResult:
    """What a stitch did. `moved`: identifiers whose OneID changed (`identifier_key`, `was`, `now`), None where all may
    have; `gates`: bounds of the configuration that are broken; `figures`: the report."""

    run: int
    writes: list[WriteResult] = field(default_factory=list)
    moved: pl.DataFrame | None = None
    gates: list[str] = field(default_factory=list)
    figures: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def changed_keys(self) -> set[int] | None:
        """The surrogate keys of the identifiers whose OneID changed, None where all may have."""
        return None if self.moved is None else set(self.moved["identifier_key"].to_list())


def stitch_settings(settings: Settings, policy: Policy, identity_key: str) -> StitchSettings:
    """How the lake of these settings is stitched."""
    from identity.components import EngineLimits

    limit = settings.identity.distributed_above_edges
    return StitchSettings(
        policy=policy,
        identity_key=identity_key,
        staging=settings.home / "staging" / "identity",
        marks=Marks(settings.home),
        components=ComponentsRun(EngineLimits(one_task_edges=limit, partitioned_edges=limit)),
    )


def stitch(
    root: Path, settings: StitchSettings, request: StitchRequest, cluster: Callable[[], Lake] | None = None
) -> StitchResult:
    """The identity tables of the lake in a folder follow all its evidence and decisions as of a business day.

    Only groups touched since the last stitch are looked at, all of them where the policy changed. `cluster` gives the
    lake with a Spark session; without one everything is done in this process.
    """
    lake = LocalLake(root)
    marker = marker_of(root)
    if settings.marks.is_set(UNFINISHED):
        undo_unfinished(lake, marker)
    work = make_work(lake, settings, request, marker)
    large = work.everything and lake.rows(OBSERVATIONS) > settings.local_rows
    shutil.rmtree(settings.staging, ignore_errors=True)
    try:
        if large and cluster is not None:
            return _on_cluster(lake, cluster(), work, settings, request.run_id)
        return _in_process(lake, work, settings, request.run_id)
    finally:
        shutil.rmtree(settings.staging, ignore_errors=True)


def make_work(lake: LocalLake, settings: StitchSettings, request: StitchRequest, marker: Marker | None) -> Work:
    """The work of a stitch, with the lake's decisions and the versions its tables have now."""
    trigger = request.trigger
    if not trigger and marker is not None and marker.policy != settings.policy.digest():
        trigger = f"configuration:{settings.policy.digest()}"
    return with_decisions(
        Work(
            root=lake.root,
            policy=settings.policy,
            identity_key=settings.identity_key,
            as_of=max(request.as_of, marker.as_of) if marker else request.as_of,
            run=marker.run + 1 if marker else 1,
            staging=settings.staging,
            last=marker,
            full=request.full,
            trigger=trigger,
            components=settings.components,
            before={table.full_name: lake.version(table) for table in OWN},
        )
    )


def resolve(lake: LocalLake, work: Work, evidence: Evidence | None = None) -> LocalTables | None:
    """The tables as the work leaves them, nothing written yet; None when there is nothing to look at."""
    answers: LocalAnswers | None = resolve_local(lake, work, evidence or read_evidence_rows(lake, work.last))
    return None if answers is None else LocalTables(lake, answers)


def _in_process(lake: LocalLake, work: Work, settings: StitchSettings, run_id: str) -> StitchResult:
    tables = resolve(lake, work)
    if tables is None:
        standing = figures_of(work.root)
        return StitchResult(work.run, figures=standing, gates=gates_broken(standing, work.policy))
    known = tables.owned_before()
    churned = tables.moved.drop_nulls("was").height
    counts = tables.get("changes").group_by("change").len().sort("change")
    figures: list[Figure] = [("churn", "", churned / known if known else 0.0)]
    figures += [("groups", "", float(group_count(tables)))]
    figures += [("changes", name, float(n)) for name, n in counts.iter_rows()]
    settings.marks.set(UNFINISHED)
    writes = write_all(tables, run_id)
    return _finished(lake, work, settings, run_id, StitchResult(work.run, writes, tables.moved), figures)


def _on_cluster(lake: LocalLake, cluster: Lake, work: Work, settings: StitchSettings, run_id: str) -> StitchResult:
    from pipelines.jobs.s3_cluster import resolve_on_cluster, write_from_cluster

    answers = resolve_on_cluster(cluster, work)
    settings.marks.set(UNFINISHED)
    done = write_from_cluster(answers, run_id)
    return _finished(lake, work, settings, run_id, StitchResult(work.run, done.writes), done.figures)


def _finished(
    lake: LocalLake,
    work: Work,
    settings: StitchSettings,
    run_id: str,
    result: StitchResult,
    figures: list[Figure],
) -> StitchResult:
    """The report is written; with it the run is finished."""
    told = [*table_figures(work.root, work.policy), *figures]
    rows = told + marker_figures(lake, work.run, work.policy.digest())
    names = ("run_id", "as_of", "metric", "dimension", "value")
    report = pl.DataFrame([dict(zip(names, (run_id, work.as_of, *row), strict=True)) for row in rows])
    lake.append(REPORT, report.with_columns(pl.col("as_of").str.to_date()))
    settings.marks.clear(UNFINISHED)
    result.figures = {(metric, dimension): value for metric, dimension, value in told}
    result.gates = gates_broken(result.figures, work.policy)
    return result

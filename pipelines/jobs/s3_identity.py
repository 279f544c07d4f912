"""s3: observations become OneIDs.

The state is rebuilt from evidence and decisions for every group that a run looks at, never patched; only the registry
of OneIDs is kept. The rules are those of `identity`, called on the executors; plain groups are worked out in columns.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame

from identity.components import EngineLimits
from identity.policy import Policy
from pipelines.errors import IntegrityError
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.jobs.s3_aliases import find_aliases
from pipelines.jobs.s3_components import ComponentsRun
from pipelines.jobs.s3_derived import Days, judge_claims, observe_order_phones
from pipelines.jobs.s3_groups import Inputs, gather, resolve_groups
from pipelines.jobs.s3_marker import OWN, Marker, last_marker, marker_figures, undo_unfinished
from pipelines.jobs.s3_observed import Observed, observed, unlinks
from pipelines.jobs.s3_report import REPORT, Figure, figures_of, gates_broken, table_figures
from pipelines.jobs.s3_scope import (
    MAP,
    Work,
    alias_pairs,
    all_nodes,
    ended,
    touched_nodes,
    touching_ties,
    with_decisions,
)
from pipelines.jobs.s3_tables import Answers, claims_to_review, write_all
from pipelines.settings import Settings
from pipelines.store.lake import Lake, WriteResult
from pipelines.store.marks import Marks
from pipelines.store.staging import Staged

UNFINISHED = "identity"


@dataclass(frozen=True)
class StitchSettings:
    """How a lake is stitched: policy, identity key, a folder for staged files, marks beside the lake, components."""

    policy: Policy
    identity_key: str
    staging: Path
    marks: Marks
    components: ComponentsRun = field(default_factory=ComponentsRun)


def stitch_settings(settings: Settings, policy: Policy, identity_key: str) -> StitchSettings:
    """How the lake of these settings is stitched."""
    limit = settings.identity.distributed_above_edges
    return StitchSettings(
        policy=policy,
        identity_key=identity_key,
        staging=settings.home / "staging" / "identity",
        marks=Marks(settings.home),
        components=ComponentsRun(EngineLimits(one_task_edges=limit, partitioned_edges=limit)),
    )


@dataclass
class StitchResult:
    """What a stitch did. `moved`: identifiers whose OneID changed (`identifier_key`, `was`, `now`), None when nothing
    was looked at; `gates`: bounds of the configuration that are broken; `figures`: the report."""

    run: int
    writes: list[WriteResult] = field(default_factory=list)
    moved: DataFrame | None = None
    gates: list[str] = field(default_factory=list)
    figures: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def changed_keys(self) -> DataFrame | None:
        """The identifiers whose OneID changed: `identifier_key`."""
        return None if self.moved is None else self.moved.select("identifier_key")


def derive(lake: Lake, settings: StitchSettings, vault_key: str, days: Days) -> list[WriteResult]:
    """Evidence that follows from two facts is in the lake: decrypted order phones, and verdicts on claims."""
    made = (observe_order_phones(lake, settings.policy, days), judge_claims(lake, settings.policy, vault_key))
    return [write for write in made if write is not None]


def run(context: RunContext) -> JobOutcome:
    """Every identifier of the lake has its OneID; the people whose identifiers moved are in the run's state.

    Raises IntegrityError (exit 4) when a bound of the configuration is broken; the tables hold what the report says.
    """
    settings = stitch_settings(context.settings, context.policy, context.keys.identity)
    days = Days() if context.full else Days(context.first, context.last)
    derived = derive(context.lake, settings, context.keys.vault, days)
    result = stitch(context.lake, settings, as_of=context.as_of, run_id=context.run_id, full=context.full)
    if result.moved is not None:
        context.state.touched.append(result.moved.select("identifier_key"))
        context.state.changed_one_ids = result.moved.selectExpr("explode(array(was, now)) AS one_id").where(
            "one_id IS NOT NULL"
        )
    if result.gates:
        raise IntegrityError(
            f"the identity report breaks its bounds: {'; '.join(result.gates)}",
            where="identity.report",
            hint="see `cdp identity report`, then decide in the review queue or change the bound in conf/identity.yaml",
        )
    return JobOutcome(
        writes=[*derived, *result.writes], skipped="" if result.writes else "no new evidence and no new decision"
    )


def stitch(
    lake: Lake, settings: StitchSettings, *, as_of: str, run_id: str, full: bool = False, trigger: str = ""
) -> StitchResult:
    """The identity tables follow all evidence and decisions of the lake as of a business day.

    Only groups touched since the last stitch are looked at; `full` looks at all with the registry kept, and changes
    nothing when all is well. `trigger` names what causes every change (`configuration:...`, `rule:rebuild`).
    """
    marker = last_marker(lake)
    if settings.marks.is_set(UNFINISHED):
        undo_unfinished(lake, marker)
    work = make_work(lake, settings, marker, as_of=as_of, full=full, trigger=trigger)
    shutil.rmtree(settings.staging, ignore_errors=True)
    try:
        return _stitch(work, settings, run_id)
    finally:
        shutil.rmtree(settings.staging, ignore_errors=True)


def make_work(
    lake: Lake, settings: StitchSettings, marker: Marker | None, *, as_of: str, full: bool = False, trigger: str = ""
) -> Work:
    """The work of a stitch, with the lake's decisions and the versions its tables have now."""
    if not trigger and marker is not None and marker.policy != settings.policy.digest():
        trigger = f"configuration:{settings.policy.digest()}"
    return with_decisions(
        Work(
            lake=lake,
            policy=settings.policy,
            identity_key=settings.identity_key,
            as_of=max(as_of, marker.as_of) if marker else as_of,
            run=marker.run + 1 if marker else 1,
            staging=settings.staging,
            last=marker,
            full=full,
            trigger=trigger,
            components=settings.components,
            before={table.full_name: lake.version(table) for table in OWN},
        )
    )


def _stitch(work: Work, settings: StitchSettings, run_id: str) -> StitchResult:
    rows = observed(work.lake, work.last)
    answers = resolve(work, rows)
    if answers is None:
        standing = figures_of(Path(work.lake.root))
        return StitchResult(work.run, figures=standing, gates=gates_broken(standing, work.policy))
    moved = answers.moved
    known = answers.work.read(MAP).where("valid_to IS NULL AND one_id IS NOT NULL").count() if work.last else 0
    churned = moved.where("was IS NOT NULL").count()
    settings.marks.set(UNFINISHED)
    writes = write_all(answers, run_id)
    figures = [*table_figures(work.lake, work.policy), ("churn", "", churned / known if known else 0.0)]
    figures += _change_figures(answers)
    write_report(work, figures + marker_figures(work.lake, work.run, work.policy.digest()), run_id)
    settings.marks.clear(UNFINISHED)
    by_name = {(metric, dimension): value for metric, dimension, value in figures}
    return StitchResult(work.run, writes, moved, gates_broken(by_name, work.policy), by_name)


def resolve(work: Work, rows: Observed) -> Answers | None:
    """The answers for every group the work looks at, staged; None when there is nothing to look at."""
    if not work.everything and _nothing_new(work, rows):
        return None
    aliases = find_aliases(work.lake, rows.rows)
    unlinked = unlinks(rows.rows, work.rules)
    evidence: Staged
    if work.everything:
        evidence = gather(work, rows.rows, None)
        pairs = evidence.read(work.lake, "pairs")
        nodes = all_nodes(work, [*([pairs] if pairs else []), *alias_pairs(aliases)]).persist()
    else:
        touched = touched_nodes(work, touching_ties(work, rows, aliases, unlinked))
        if touched is None:
            return None
        nodes = touched.persist()
        evidence = gather(work, rows.rows, nodes)
    staged = resolve_groups(work, Inputs(rows, nodes, aliases, unlinked, evidence))
    return Answers(work, staged, nodes, claims_to_review(work.lake))


def _nothing_new(work: Work, rows: Observed) -> bool:
    """Whether neither evidence nor decisions differ from those of the last run, and no validity ended since."""
    if work.new_decisions or not rows.rows.where("is_new").isEmpty():
        return False
    return (rows.removed is None or rows.removed.isEmpty()) and all(ties.isEmpty() for ties in ended(work, rows))


def _change_figures(answers: Answers) -> list[Figure]:
    counts = answers.get("changes").groupBy("change").count().collect()
    groups = answers.nodes.select("component").distinct().count()
    return [("groups", "", float(groups)), *(("changes", row["change"], float(row["count"])) for row in sorted(counts))]


def write_report(work: Work, figures: list[Figure], run_id: str) -> None:
    """The figures are in identity.report; with them the run is finished."""
    names = ("run_id", "as_of", "metric", "dimension", "value")
    work.lake.add_rows(REPORT, [dict(zip(names, (run_id, work.as_of, *figure), strict=True)) for figure in figures])

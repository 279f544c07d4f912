"""s4: facts become features, one row per living OneID, and touchpoints.

A run computes only the people touched by new facts or by a change of identity; a rebuild, or a changed declaration,
computes all. Both give the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from features.catalog import CATALOG, definition
from features.engine import build_features
from features.parameters import Parameters
from pipelines.jobs import s4_facts, s4_people
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.jobs.s4_relations import relation_spans
from pipelines.jobs.s4_touches import touchpoints
from pipelines.store.lake import Lake, WriteResult
from pipelines.tables import ALL

FEATURES = ALL["features.customer_features"]
TOUCHPOINTS = ALL["features.touchpoints"]
OBSERVATIONS = ALL["silver.identity_observations"]
LINES = ALL["gold.fact_order_line"]
READS = (
    "silver.orders",
    "silver.order_lines",
    "silver.refunds",
    "silver.products",
    "silver.events",
    "silver.contact_follows",
    "silver.group_members",
    "silver.members",
    "silver.consents",
    "silver.points_ledger",
    "identity.oneid_map",
    "identity.oneids",
    "identity.oneid_changes",
)

Frames = Mapping[str, DataFrame]
"""Rows by full table name."""


def run(context: RunContext) -> JobOutcome:
    """Features and touchpoints follow the run's facts and changes of identity; its state names the people looked at."""
    parameters = Parameters.load(context.settings.conf / "features")
    frames = read_frames(context.lake)
    people = touched_of(context, frames)
    if people is not None and defined_otherwise(context.lake, definition(parameters)):
        context.say("s4_features: the declarations changed, all people are computed again")
        people = None
    context.state.people = people
    if people is not None and people.isEmpty():
        return JobOutcome(skipped="nobody's facts or identity changed")
    touches = _write(context.lake, TOUCHPOINTS.full_name, touchpoint_rows(frames, people), people)
    frames = {**frames, TOUCHPOINTS.full_name: context.lake.read(TOUCHPOINTS)}
    features = _write(context.lake, FEATURES.full_name, feature_rows(frames, people, parameters), people)
    return JobOutcome(writes=[touches, features])


def read_frames(lake: Lake) -> dict[str, DataFrame]:
    """Every table the features are made from."""
    return {name: lake.read(ALL[name]) for name in READS}


def touched_of(context: RunContext, frames: Frames) -> DataFrame | None:
    """`one_id` of the people the run touched, computed once; None for all."""
    state = context.state
    if context.full or state.touch_all or not context.lake.exists(FEATURES):
        return None
    changes = s4_people.changes_of_run(frames["identity.oneid_changes"], run_id=context.run_id, as_of=context.as_of)
    former = [] if state.changed_one_ids is None else [state.changed_one_ids.select("one_id")]
    arrived = frames["silver.orders"].where(fn.col("interval").between(context.first, context.last))
    former.append(s4_people.former_owners(arrived, context.lake.read(LINES)))
    seen = context.lake.read(OBSERVATIONS).where(fn.col("interval").between(context.first, context.last))
    keys = [*state.touched, seen.select(fn.explode("ids.key").alias("identifier_key"))]
    return s4_people.touched_people(keys, frames["identity.oneid_map"], changes, former).persist()


def defined_otherwise(lake: Lake, expected: str) -> bool:
    """Whether the standing features were computed with other declarations or thresholds than the present ones."""
    first = lake.read(FEATURES).select("definition").first()
    return first is not None and first["definition"] != expected


def touchpoint_rows(frames: Frames, people: DataFrame | None) -> DataFrame:
    """Rows of features.touchpoints of the given people, or of all."""
    return touchpoints(
        frames["silver.orders"],
        frames["silver.events"],
        frames["silver.contact_follows"],
        frames["silver.group_members"],
        s4_facts.owners_of(frames["identity.oneid_map"], people),
    )


def feature_rows(frames: Frames, people: DataFrame | None, parameters: Parameters) -> DataFrame:
    """Rows of features.customer_features of the given people, or of all; touchpoints are read from `frames`."""
    living = s4_facts.living_people(frames["identity.oneids"], people)
    return build_features(living, fact_frames(frames, people, parameters), CATALOG, definition=definition(parameters))


def fact_frames(frames: Frames, people: DataFrame | None, parameters: Parameters) -> dict[str, DataFrame]:
    """Every fact frame the catalog names, of the given people or of all."""
    owners = s4_facts.owners_of(frames["identity.oneid_map"], people)
    touches = frames["features.touchpoints"]
    return {
        **_purchases(frames, people, owners, include_internal=parameters.orders.include_internal),
        "identifiers": s4_facts.identifier_facts(frames["identity.oneid_map"], people),
        "spans": relation_spans(
            frames["identity.oneid_map"],
            frames["silver.orders"],
            frames["silver.members"],
            frames["silver.contact_follows"],
            owners,
        ),
        "follows": s4_facts.follow_facts(frames["silver.contact_follows"], owners),
        "groups": s4_facts.group_facts(frames["silver.group_members"], owners),
        "members": s4_facts.member_facts(frames["silver.members"], owners),
        "touches": touches if people is None else touches.join(people, "one_id", "left_semi"),
        "points": s4_facts.point_facts(frames["silver.points_ledger"], owners),
        "consents": s4_facts.consent_facts(frames["silver.consents"], owners),
    }


def _purchases(
    frames: Frames, people: DataFrame | None, owners: DataFrame, *, include_internal: bool
) -> dict[str, DataFrame]:
    orders, lines, refunds = frames["silver.orders"], frames["silver.order_lines"], frames["silver.refunds"]
    left_out = orders.where("is_internal" if not include_internal else "false").select(*s4_facts.ORDER)
    bought = s4_facts.line_facts(lines, frames["silver.products"], left_out, owners)
    if people is not None:
        orders = orders.join(owners, "subject_key", "left_semi")
        keys = orders.select(*s4_facts.ORDER)
        lines, refunds = (frame.join(keys, s4_facts.ORDER, "left_semi") for frame in (lines, refunds))
    worth = s4_facts.order_worth(orders, lines, refunds, include_internal=include_internal)
    return {"orders": s4_facts.order_facts(worth, owners), "lines": bought}


def _write(lake: Lake, name: str, rows: DataFrame, people: DataFrame | None) -> WriteResult:
    return lake.replace(ALL[name], rows) if people is None else lake.replace_keys(ALL[name], rows, people)

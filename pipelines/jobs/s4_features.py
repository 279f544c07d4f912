"""s4: facts become features, one row per living OneID, and touchpoints.

A run computes only the people touched by new facts or by a change of identity; a rebuild, or a changed declaration,
computes all. Both give the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl
from pyspark.sql import DataFrame

from features.catalog import CATALOG, definition
from features.engine import Hold, build_features
from features.parameters import Parameters
from pipelines.jobs import s4_facts
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.jobs.holding import holding
from pipelines.jobs.refund_shops import NUMBER, with_shop
from pipelines.jobs.s4_relations import relation_spans
from pipelines.jobs.s4_touched import Arrival, defined_otherwise, touched_people
from pipelines.jobs.s4_touches import touchpoints
from pipelines.store.creation import WriteResult
from pipelines.store.lake import Lake
from pipelines.tables import ALL

FEATURES = ALL["features.customer_features"]
TOUCHPOINTS = ALL["features.touchpoints"]
READS = (
    "silver.orders",
    "silver.order_lines",
    "silver.refunds",
    "silver.products",
    "silver.events",
    "silver.contact_follows",
    "silver.contact_follow_changes",
    "silver.group_members",
    "silver.group_member_changes",
    "silver.members",
    "silver.consents",
    "silver.points_ledger",
    "identity.oneid_map",
    "identity.oneids",
    "identity.oneid_changes",
)

Frames = Mapping[str, DataFrame]
"""Rows by full table name."""


@dataclass(frozen=True)
class Population:
    """Whose features are wanted and from what: rows by table, `one_id` of the people (None: all), identifiers
    with their owners."""

    frames: Frames
    people: DataFrame | None
    owners: DataFrame
    hold: Hold

    def __getitem__(self, name: str) -> DataFrame:
        return self.frames[name]


def population(frames: Frames, people: DataFrame | None, hold: Hold = lambda frame: frame) -> Population:
    """The given people, or all, with the owners of their identifiers."""
    return Population(frames, people, hold(s4_facts.owners_of(frames["identity.oneid_map"], people)), hold)


def run(context: RunContext) -> JobOutcome:
    """Features and touchpoints follow the run's facts and changes of identity; its state names the people looked at."""
    lake, parameters = context.lake, Parameters.load(context.settings.conf / "features")
    frames = {name: lake.read(ALL[name]) for name in READS}
    touched = touched_of(context)
    if touched is not None and defined_otherwise(lake.local, definition(parameters)):
        context.say("s4_features: the declarations changed, all people are computed again")
        touched = None
    people = context.state.people = (
        None if touched is None else lake.spark.createDataFrame(touched.to_arrow(), "one_id string")
    )
    if touched is not None and not touched.height:
        return JobOutcome(skipped="nobody's facts or identity changed")
    with holding(context.lake, context.staging) as hold:
        known = population(frames, people, hold)
        touches = _write(lake, TOUCHPOINTS.full_name, touchpoint_rows(known), people)
        known = replace(known, frames={**frames, TOUCHPOINTS.full_name: lake.read(TOUCHPOINTS)})
        return JobOutcome(writes=[touches, _write(lake, FEATURES.full_name, feature_rows(known, parameters), people)])


def touched_of(context: RunContext) -> pl.DataFrame | None:
    """`one_id` of the people the run touched; None for all."""
    state = context.state
    if context.full or state.touch_all or not context.lake.exists(FEATURES):
        return None
    arrival = Arrival(context.run_id, context.as_of, context.first, context.last)
    owners = [state.moved.select(one_id="was"), state.moved.select(one_id="now")]
    return touched_people(context.lake.local, arrival, state.touched, owners)


def touchpoint_rows(of: Population) -> DataFrame:
    """Rows of features.touchpoints."""
    orders, events = of["silver.orders"], of["silver.events"]
    return touchpoints(orders, events, _relations(of), _groups(of), of.owners)


def feature_rows(of: Population, parameters: Parameters) -> DataFrame:
    """Rows of features.customer_features; touchpoints are read from the population's frames."""
    living = s4_facts.living_people(of["identity.oneids"], of.people)
    facts = fact_frames(of, include_internal=parameters.orders.include_internal)
    return build_features(living, facts, CATALOG, definition=definition(parameters), hold=of.hold)


def fact_frames(of: Population, *, include_internal: bool) -> dict[str, DataFrame]:
    """Every fact frame the catalog names."""
    oneid_map, follows, members = of["identity.oneid_map"], of["silver.contact_follows"], of["silver.members"]
    touches = of["features.touchpoints"]
    return {
        **_purchases(of, include_internal=include_internal),
        "identifiers": s4_facts.identifier_facts(oneid_map, of.people),
        "spans": relation_spans(oneid_map, of["silver.orders"], members, _relations(of), of.owners),
        "follows": s4_facts.follow_facts(follows, of.owners),
        "groups": s4_facts.group_facts(*_groups(of), of.owners),
        "members": s4_facts.member_facts(members, of.owners),
        "touches": touches if of.people is None else touches.join(of.people, "one_id", "left_semi"),
        "points": s4_facts.point_facts(of["silver.points_ledger"], of.owners),
        "consents": s4_facts.consent_facts(of["silver.consents"], of.owners),
    }


def _relations(of: Population) -> tuple[DataFrame, DataFrame]:
    return of["silver.contact_follows"], of["silver.contact_follow_changes"]


def _groups(of: Population) -> tuple[DataFrame, DataFrame]:
    return of["silver.group_members"], of["silver.group_member_changes"]


def _purchases(of: Population, *, include_internal: bool) -> dict[str, DataFrame]:
    orders, lines, refunds = of["silver.orders"], of["silver.order_lines"], of["silver.refunds"]
    left_out = orders.where("is_internal" if not include_internal else "false").select(*s4_facts.ORDER)
    every = lines
    if of.people is not None:
        orders = of.hold(orders.join(of.owners, "subject_key", "left_semi"))
        keys = orders.select(*s4_facts.ORDER)
        lines = lines.join(keys, s4_facts.ORDER, "left_semi")
        refunds = refunds.join(keys.select(*NUMBER).distinct(), NUMBER, "left_semi")
    shopped = with_shop(refunds, of["silver.orders"])
    worth = s4_facts.order_worth(orders, lines, shopped, include_internal=include_internal)
    bought = s4_facts.line_facts(every, shopped, of["silver.products"], left_out, of.owners)
    return {"orders": s4_facts.order_facts(worth, of.owners), "lines": bought}


def _write(lake: Lake, name: str, rows: DataFrame, people: DataFrame | None) -> WriteResult:
    return lake.replace(ALL[name], rows) if people is None else lake.replace_keys(ALL[name], rows, people)

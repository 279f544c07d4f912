"""s5: features become tags with reasons, and every change of a tag becomes history with its cause.

Tags that depend on the business day are looked at for everyone in one pass; the others for the people the run touched.
Only what differs is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from features.catalog import declared_tags
from features.parameters import Parameters
from features.spec import Tag
from features.tagging import build_tags, diff_tags
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.jobs.holding import holding
from pipelines.jobs.s4_people import changes_of_run, people_in_changes
from pipelines.store.creation import WriteResult
from pipelines.store.lake import Lake, collected
from pipelines.tables import ALL

FEATURES = ALL["features.customer_features"]
TAGS = ALL["features.customer_tags"]
CHANGES = ALL["features.tag_changes"]
ONEID_CHANGES = ALL["identity.oneid_changes"]
KEY = ["one_id", "tag"]


def run(context: RunContext) -> JobOutcome:
    """Tags hold for the run's business day; tag_changes says what changed and why."""
    tags = declared_tags(Parameters.load(context.settings.conf / "features"))
    lake = context.lake
    with holding(lake, context.staging) as hold:
        difference = hold(
            tag_difference(lake.read(FEATURES), lake.read(TAGS), tags, as_of=context.as_of, people=context.state.people)
        )
        if context.state.people is not None:
            context.state.retagged = collected(difference.select(*KEY))
        if difference.isEmpty():
            return JobOutcome(skipped="no tag changed")
        changes = changes_of_run(lake.read(ONEID_CHANGES), run_id=context.run_id, as_of=context.as_of)
        known = lake.read(CHANGES).where(fn.col("as_of") == fn.lit(context.as_of).cast("date"))
        history = tag_history(difference, change_causes(changes), known, tags, as_of=context.as_of)
        return JobOutcome(writes=write_tags(lake, difference, history))


def tag_difference(
    features: DataFrame, standing: DataFrame, tags: Sequence[Tag], *, as_of: str, people: DataFrame | None
) -> DataFrame:
    """What has to change in customer_tags, as `diff_tags`: all tags of `people`, and the timed tags of everyone."""
    if people is None:
        return diff_tags(standing, build_tags(features, tags, as_of=as_of), as_of=as_of)
    timed = [tag for tag in tags if tag.timed]
    names = [tag.name for tag in timed]
    own = diff_tags(
        standing.join(people, "one_id", "left_semi"),
        build_tags(features.join(people, "one_id", "left_semi"), tags, as_of=as_of),
        as_of=as_of,
    )
    rest = diff_tags(
        standing.where(fn.col("tag").isin(names)).join(people, "one_id", "left_anti"),
        build_tags(features.join(people, "one_id", "left_anti"), timed, as_of=as_of),
        as_of=as_of,
    )
    return own.unionByName(rest)


def change_causes(changes: DataFrame) -> DataFrame:
    """`one_id`, `identity_cause`: what happened to the identity of each person named in the changes; merge before split
    before move, where several happened."""
    rank = "CASE change WHEN 'merge' THEN 3 WHEN 'split' THEN 2 WHEN 'mint' THEN 0 ELSE 1 END"
    named = people_in_changes(changes).groupBy("one_id").agg(fn.max(fn.expr(rank)).alias("rank"))
    return named.where("rank > 0").select(
        "one_id", fn.expr("element_at(array('move', 'split', 'merge'), rank)").alias("identity_cause")
    )


def tag_history(
    difference: DataFrame, causes: DataFrame, known: DataFrame, tags: Sequence[Tag], *, as_of: str
) -> DataFrame:
    """The day's rows of features.tag_changes for every tag in the difference: key, old and new value, cause.

    `known`: the day's history so far: a second change on one day is told from the value the day began with. Where the
    tag goes back to that value nothing has changed: `old_value` equals `new_value` and the row is not to be kept.
    """
    changed = difference.where("NOT (old_value <=> new_value)").select(*KEY, "old_value", "new_value", "same_reason")
    earlier = known.select(*KEY, fn.col("old_value").alias("began_with"), fn.lit(True).alias("again"))
    joined = changed.join(causes, "one_id", "left").join(earlier, KEY, "left")
    timed = fn.col("tag").isin([tag.name for tag in tags if tag.timed]) & fn.col("same_reason")
    return joined.select(
        *KEY,
        fn.lit(as_of).cast("date").alias("as_of"),
        fn.when(fn.col("again"), fn.col("began_with")).otherwise(fn.col("old_value")).alias("old_value"),
        "new_value",
        fn.coalesce("identity_cause", fn.when(timed, "time").otherwise("facts")).alias("cause"),
    )


def write_tags(lake: Lake, difference: DataFrame, history: DataFrame) -> list[WriteResult]:
    """The standing tags and their history hold the difference."""
    rows = difference.where("new_value IS NOT NULL").withColumnRenamed("new_value", "value")
    told = history.where("NOT (old_value <=> new_value)")
    return [
        lake.replace_keys(CHANGES, told, history.select(*CHANGES.key)),
        lake.replace_keys(TAGS, rows, difference.select(*KEY)),
    ]

"""The staged answers of a run as the rows of the identity tables, and the writing of them.

The cluster looks at all groups, so the tables are replaced; only the registry and the history grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from identity.registry import mint_sequence
from pipelines.jobs.s3_cluster_scope import read_before
from pipelines.jobs.s3_work import (
    CHANGE_ORDER,
    CHANGES,
    CLAIMS,
    EDGES,
    HOMES,
    HUBS,
    MAP,
    ONEIDS,
    REJECTIONS,
    REVIEW,
    ROW_RULES,
    Work,
)
from pipelines.spec import Table
from pipelines.store.creation import WriteResult
from pipelines.store.lake import Lake
from pipelines.store.staging import Staged

NAME = ["namespace", "scope", "value"]
FRAMES = {
    "map": "identifier_key bigint, namespace string, scope string, value string, one_id string, status string,"
    " from_ms bigint, to_ms bigint, first_ms bigint, last_ms bigint, component bigint, candidates array<string>",
    "edges": EDGES.ddl().replace(" NOT NULL", ""),
    "homes": "identifier_key bigint, home string",
    "mints": "component bigint, one_id string, founder_key bigint, ordinal int, first_ms bigint, strength bigint,"
    " priority bigint, namespace string, scope string, value string",
    "people": "one_id string, status string, identifiers bigint",
    "records": "one_id string, status string, merged_into string",
    "changes": "change string, one_id string, others array<string>, identifiers array<string>, cause string",
    "hubs": "identifier_key bigint, namespace string, scope string, value string, partners bigint",
    "refusals": "identifier_key bigint, namespace string, scope string, value string, source string,"
    " observation_id string, rule string, interval string",
    "questions": "kind string, identifier string, identifier_key bigint, candidates array<string>, evidence string",
    "candidates": "key bigint, kind string, namespace string, scope string, value string, sightings bigint,"
    " first_ms bigint, last_ms bigint, one_id string",
}


@dataclass(frozen=True)
class Answers:
    """The staged answers of a run; `nodes`: every identifier it looked at (`key`, `component`); `claims`: rows of
    identity.claims that a steward should look at."""

    lake: Lake
    work: Work
    staged: Staged
    nodes: DataFrame
    claims: DataFrame | None = None

    def get(self, name: str) -> DataFrame:
        """Staged rows by name; without any, a frame of the declared columns."""
        found = self.staged.read(self.lake, name)
        return self.lake.spark.createDataFrame([], FRAMES[name]) if found is None else found

    def _before(self, table: Table) -> DataFrame:
        return read_before(self.lake, self.work, table)

    @cached_property
    def map(self) -> DataFrame:
        """Rows of identity.oneid_map."""
        times = {"valid_from": "from_ms", "valid_to": "to_ms", "first_seen": "first_ms", "last_seen": "last_ms"}
        return self.get("map").withColumns({name: F.timestamp_millis(source) for name, source in times.items()})

    @cached_property
    def oneids(self) -> DataFrame:
        """Rows of identity.oneids that the run changes: new ones, and known ones with their new state."""
        people = self.get("people")
        rank = F.row_number().over(Window.orderBy("first_ms", "strength", "priority", *NAME)) - 1
        minted = (
            self.get("mints")
            .withColumn("mint_seq", F.lit(mint_sequence(self.work.run, 0)) + rank)
            .join(people, "one_id")
            .withColumns({"minted_at": F.lit(self.work.as_of).cast("date"), "merged_into": F.lit(None).cast("string")})
        )
        living = people.withColumn("merged_into", F.lit(None).cast("string"))
        gone = self.get("records").withColumn("identifiers", F.lit(0).cast("bigint"))
        known = self._before(ONEIDS).drop("status", "identifiers", "merged_into")
        states = living.unionByName(gone)
        names = ONEIDS.column_names
        return minted.select(*names).unionByName(known.join(states, "one_id").select(*names))

    @cached_property
    def hubs(self) -> DataFrame:
        """Rows of identity.hubs; a hub keeps the day it was found."""
        before = self._before(HUBS).select("identifier_key", F.col("since").alias("found"))
        since = F.coalesce("found", F.lit(self.work.as_of).cast("date"))
        return self.get("hubs").join(before, "identifier_key", "left").withColumn("since", since)

    @cached_property
    def questions(self) -> DataFrame:
        """Rows of identity.review_queue; a question keeps the day it was first asked."""
        asked = self.get("questions").drop("identifier_key").unionByName(self._candidates())
        if self.claims is not None:
            asked = asked.unionByName(self._claimed(self.claims))
        asked = asked.withColumn("candidate_key", F.md5(F.concat_ws(",", "kind", F.concat_ws(",", "candidates"))))
        before = self._before(REVIEW).select(*REVIEW.key, F.col("as_of").alias("asked"))
        as_of = F.coalesce("asked", F.lit(self.work.as_of).cast("date"))
        return asked.dropDuplicates(list(REVIEW.key)).join(before, list(REVIEW.key), "left").withColumn("as_of", as_of)

    def _candidates(self) -> DataFrame:
        """Numbers seen often enough with a person they do not belong to."""
        counts = self.work.policy.review
        least = F.when(F.col("kind") == "staff_phone", counts.staff_min_sightings).otherwise(
            counts.recipient_min_orders
        )
        often = self.get("candidates").where(F.col("sightings") >= least)
        owned = often.join(self.owners.withColumnRenamed("identifier_key", "key"), "key", "left")
        other = owned.where("owner IS NULL OR owner <> one_id")
        return other.select(
            "kind",
            F.concat_ws(":", *NAME).alias("identifier"),
            F.array("one_id").alias("candidates"),
            F.to_json(F.struct("sightings", "first_ms", "last_ms")).alias("evidence"),
        )

    def _claimed(self, claims: DataFrame) -> DataFrame:
        """Claims to look at, with the people that claimant and buyer are now."""
        ends = claims.select(*CLAIMS.key, F.explode(F.concat("claimant", "buyer")).alias("one"))
        held = ends.select(*CLAIMS.key, F.col("one.key").alias("identifier_key")).join(self.owners, "identifier_key")
        people = held.groupBy(*CLAIMS.key).agg(F.sort_array(F.collect_set("owner")).alias("candidates"))
        last = F.element_at("claimant", -1)
        return claims.join(people, list(CLAIMS.key), "left").select(
            F.lit("rival_claim").alias("kind"),
            F.concat_ws(":", *[last[name] for name in NAME]).alias("identifier"),
            F.coalesce("candidates", F.array().cast("array<string>")).alias("candidates"),
            F.to_json(F.struct("order_key", "rule", "claim_id")).alias("evidence"),
        )

    @cached_property
    def owners(self) -> DataFrame:
        """Who holds which identifier after the run: `identifier_key`, `owner`."""
        return _holders(self.map)

    @cached_property
    def moved(self) -> DataFrame:
        """Identifiers whose OneID changed: `identifier_key`, `was`, `now`; null where nobody holds it."""
        was = self._before(MAP).where("valid_to IS NULL").select("identifier_key", F.col("one_id").alias("was"))
        now = self.map.where("valid_to IS NULL").select("identifier_key", F.col("one_id").alias("now"))
        joined = was.join(now, "identifier_key", "full_outer")
        return joined.where(~F.col("was").eqNullSafe(F.col("now"))).persist()

    def known_before(self) -> int:
        """How many identifiers belonged to somebody before the run."""
        return self._before(MAP).where("valid_to IS NULL AND one_id IS NOT NULL").count()

    @cached_property
    def changes(self) -> DataFrame:
        """Rows of identity.oneid_changes but for the run's name, in the order of kind, OneID and the others."""
        kinds = F.array_position(F.array(*[F.lit(kind) for kind in CHANGE_ORDER]), F.col("change"))
        order = Window.orderBy(kinds, "one_id", F.concat_ws(",", "others"), F.concat_ws(",", "identifiers"))
        as_of = F.lit(self.work.as_of).cast("date")
        return self.get("changes").withColumns({"seq": F.row_number().over(order).cast("bigint"), "as_of": as_of})


def claims_to_review(lake: Lake) -> DataFrame | None:
    """The claims whose verdict is left to a steward, None when there are no claims."""
    return lake.read(CLAIMS).where("verdict = 'review'") if lake.exists(CLAIMS) else None


def _holders(rows: DataFrame) -> DataFrame:
    return rows.where("valid_to IS NULL").select("identifier_key", F.col("one_id").alias("owner"))


Write = Callable[[], WriteResult]


def writes(answers: Answers, run_id: str) -> Mapping[str, Write]:
    """The writes of a run by table; each gives the same table when it is done again."""
    lake = answers.lake
    homes, oneids = answers.get("homes"), answers.oneids
    refusals = answers.get("refusals").withColumn("value_token", F.col("value"))
    own = F.col("rule").isin(*ROW_RULES) | F.col("rule").startswith("limit:")
    refused = lake.read(REJECTIONS).where(own).select(*REJECTIONS.key).union(refusals.select(*REJECTIONS.key))
    history = answers.changes.withColumn("run_id", F.lit(run_id))
    return {
        MAP.full_name: lambda: lake.replace(MAP, answers.map),
        EDGES.full_name: lambda: lake.replace(EDGES, answers.get("edges")),
        HUBS.full_name: lambda: lake.replace(HUBS, answers.hubs),
        REVIEW.full_name: lambda: lake.replace(REVIEW, answers.questions),
        ONEIDS.full_name: lambda: lake.replace_keys(ONEIDS, oneids, oneids.select("one_id")),
        HOMES.full_name: lambda: lake.replace_keys(HOMES, homes, homes.select("identifier_key")),
        REJECTIONS.full_name: lambda: lake.replace_keys(REJECTIONS, refusals, refused),
        CHANGES.full_name: lambda: lake.append_new(CHANGES, history),
    }


def write_all(answers: Answers, run_id: str) -> list[WriteResult]:
    """Every table of the run is written, a few at a time."""
    work = writes(answers, run_id)
    return answers.lake.each(lambda name: work[name](), list(work))

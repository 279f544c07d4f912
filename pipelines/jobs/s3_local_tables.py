"""The answers of a stitch in this process as rows of the identity tables, and the writing of them.

Rows of looked-at groups are replaced; everything else stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from identity.registry import mint_sequence
from pipelines.jobs.s3_answers import SCHEMAS
from pipelines.jobs.s3_local import LocalAnswers
from pipelines.jobs.s3_plain import NAMED, written
from pipelines.jobs.s3_screen import GROUP
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
)
from pipelines.spec import Table
from pipelines.store.creation import WriteResult
from pipelines.store.local import LocalLake, conform

WRITERS = 3
ASKED = ("kind", "identifier", "candidates", "evidence")
RANK = ("first_ms", "strength", "priority", *NAMED)
Write = Callable[[], WriteResult]


@dataclass(frozen=True)
class LocalTables:
    """The rows of the identity tables after a run, from its answers and the tables before it."""

    lake: LocalLake
    answers: LocalAnswers

    def get(self, name: str) -> pl.DataFrame:
        """Answers by name; without any, a frame of the declared columns."""
        found = self.answers.frames.get(name)
        return pl.DataFrame(schema=SCHEMAS[name]) if found is None else found

    def before(self, table: Table) -> pl.LazyFrame:
        """A table as it was before the run, also after the run has written it."""
        return self.lake.scan(table, self.answers.work.before.get(table.full_name, -1))

    @property
    def as_of(self) -> pl.Expr:
        """The business day of the run."""
        return pl.lit(self.answers.work.as_of).str.to_date()

    @cached_property
    def keys(self) -> pl.DataFrame:
        """The identifiers the run looked at."""
        return self.answers.nodes.select(identifier_key="key").unique()

    @cached_property
    def map(self) -> pl.DataFrame:
        """Rows of identity.oneid_map."""
        times = {"valid_from": "from_ms", "valid_to": "to_ms", "first_seen": "first_ms", "last_seen": "last_ms"}
        instant = pl.Datetime("us", "UTC")
        rows = self.get("map").with_columns(
            (pl.col(source) * 1000).cast(instant).alias(name) for name, source in times.items()
        )
        return conform(MAP, rows)

    @cached_property
    def map_before(self) -> pl.DataFrame:
        """The rows of the map before the run, of the identifiers it looked at."""
        return self.before(MAP).join(self.keys.lazy(), on="identifier_key", how="semi").collect()

    def owned_before(self) -> int:
        """How many identifiers of the whole lake belonged to somebody before the run."""
        held = self.before(MAP).filter(pl.col("valid_to").is_null() & pl.col("one_id").is_not_null())
        return int(held.select(pl.len()).collect().item())

    @cached_property
    def oneids(self) -> pl.DataFrame:
        """Rows of identity.oneids that the run changes: new ones, and known ones with their new state."""
        people = self.get("people").with_columns(merged_into=pl.lit(None, pl.String))
        gone = self.get("records").with_columns(identifiers=pl.lit(0, pl.Int64)).select(people.columns)
        first = mint_sequence(self.answers.work.run, 0)
        ranked = (
            self.get("mints").sort(*RANK).with_columns(mint_seq=first + pl.int_range(pl.len()), minted_at=self.as_of)
        )
        minted = ranked.join(people, on="one_id")
        known = self.before(ONEIDS).drop("status", "identifiers", "merged_into").collect()
        held = known.join(pl.concat([people, gone]), on="one_id")
        return pl.concat([conform(ONEIDS, minted), conform(ONEIDS, held)])

    @cached_property
    def hubs(self) -> pl.DataFrame:
        """Rows of identity.hubs; a hub keeps the day it was found."""
        before = self.before(HUBS).select("identifier_key", "since").collect()
        found = self.get("hubs").join(before, on="identifier_key", how="left")
        return conform(HUBS, found.with_columns(pl.col("since").fill_null(self.as_of)))

    @cached_property
    def owners(self) -> pl.DataFrame:
        """Who holds which identifier after the run: `identifier_key`, `owner`."""
        columns = ("identifier_key", "one_id")
        rest = self.before(MAP).filter(pl.col("valid_to").is_null()).select(columns)
        old = rest.join(self.keys.lazy(), on="identifier_key", how="anti").collect()
        new = self.map.filter(pl.col("valid_to").is_null()).select(columns)
        return pl.concat([new, old]).rename({"one_id": "owner"})

    @cached_property
    def questions(self) -> pl.DataFrame:
        """Rows of identity.review_queue; a question keeps the day it was first asked."""
        asked = pl.concat([self.get("questions").select(ASKED), self._candidates(), self._claims()])
        digests = [_digest(kind, ids) for kind, ids in asked.select("kind", "candidates").iter_rows()]
        keyed = asked.with_columns(pl.Series("candidate_key", digests, dtype=pl.String))
        before = self.before(REVIEW).select(*REVIEW.key, "as_of").collect()
        unique = keyed.unique(list(REVIEW.key), keep="first", maintain_order=True)
        dated = unique.join(before, on=list(REVIEW.key), how="left")
        return conform(REVIEW, dated.with_columns(pl.col("as_of").fill_null(self.as_of)))

    def _candidates(self) -> pl.DataFrame:
        """Numbers seen often enough with a person they do not belong to."""
        counts = self.answers.work.policy.review
        staff = pl.col("kind") == "staff_phone"
        least = pl.when(staff).then(counts.staff_min_sightings).otherwise(counts.recipient_min_orders)
        often = self.get("candidates").filter(pl.col("sightings") >= least)
        owned = often.join(self.owners, left_on="key", right_on="identifier_key", how="left")
        other = owned.filter(~pl.col("owner").eq_missing(pl.col("one_id")))
        evidence = pl.struct("sightings", "first_ms", "last_ms").struct.json_encode()
        return other.select(
            "kind",
            written().alias("identifier"),
            pl.concat_list("one_id").alias("candidates"),
            evidence.alias("evidence"),
        )

    def _claims(self) -> pl.DataFrame:
        """Claims to look at, with the people that claimant and buyer are now."""
        reviewed = self.lake.scan(CLAIMS).filter(pl.col("verdict") == "review").collect().to_dicts()
        keys = {one["key"] for row in reviewed for one in row["claimant"] + row["buyer"]}
        held = dict(self.owners.filter(pl.col("identifier_key").is_in(sorted(keys))).drop_nulls().iter_rows())
        rows = [
            {
                "kind": "rival_claim",
                "identifier": ":".join(row["claimant"][-1][name] for name in NAMED),
                "candidates": sorted({held[o["key"]] for o in row["claimant"] + row["buyer"] if o["key"] in held}),
                "evidence": json.dumps({name: row[name] for name in ("claim_id", "order_key", "rule")}, sort_keys=True),
            }
            for row in reviewed
        ]
        return pl.DataFrame(
            rows, schema={n: SCHEMAS["questions"][n] for n in ("kind", "identifier", "candidates", "evidence")}
        )

    def asked_before(self) -> pl.DataFrame:
        """The questions that the looked-at groups had before the run."""
        old = self.before(REVIEW).collect()
        names = self.map_before.select(identifier=written()).unique()
        people = self.map_before.select(candidates="one_id").drop_nulls().unique()
        of_person = pl.col("kind").is_in(("recipient", "staff_phone"))  # whoever may hold the number by now
        about = old.filter(~of_person).join(names, on="identifier", how="semi")
        among = old.explode("candidates").join(people, on="candidates", how="semi")
        keys = pl.concat([about.select(REVIEW.key), among.select(REVIEW.key)])
        claimed = old.filter(pl.col("kind") == "rival_claim").select(REVIEW.key)
        new = self.questions.select(REVIEW.key)
        return old.join(pl.concat([keys, claimed, new]), on=list(REVIEW.key), how="semi")

    @cached_property
    def refusals(self) -> pl.DataFrame:
        """Rows of identity.rejections that are refused for what their group is."""
        day, value = pl.col("interval").str.to_date(), pl.col("value").alias("value_token")
        rows = self.get("refusals").with_columns(day, value)
        return conform(REJECTIONS, rows).unique(list(REJECTIONS.key), maintain_order=True)

    def refused_before(self) -> pl.DataFrame:
        """Rows that were refused for what the looked-at groups were."""
        own = pl.col("rule").is_in(ROW_RULES) | pl.col("rule").str.starts_with("limit:")
        named = {"namespace": "namespace", "scope": "scope", "value_token": "value"}
        seen = pl.concat([frame.select(**named) for frame in (self.map, self.map_before)]).unique()
        old = self.lake.scan(REJECTIONS).filter(own).collect()
        return old.join(seen, on=list(named), how="semi")

    @cached_property
    def changes(self) -> pl.DataFrame:
        """Rows of identity.oneid_changes but for the run's name, in the order of kind, OneID and the others."""
        kinds = pl.col("change").replace_strict({kind: n for n, kind in enumerate(CHANGE_ORDER)}, return_dtype=pl.Int64)
        ids = (pl.col("others").list.join(","), pl.col("identifiers").list.join(","))
        ordered = self.get("changes").sort(kinds, "one_id", *ids)
        return ordered.with_columns(seq=1 + pl.int_range(pl.len()), as_of=self.as_of)

    @cached_property
    def moved(self) -> pl.DataFrame:
        """Identifiers whose OneID changed: `identifier_key`, `was`, `now`; null where nobody holds it."""
        present = pl.col("valid_to").is_null()
        was = self.map_before.filter(present).select("identifier_key", was="one_id")
        now = self.map.filter(present).select("identifier_key", now="one_id")
        joined = was.join(now, on="identifier_key", how="full", coalesce=True)
        return joined.filter(~pl.col("was").eq_missing(pl.col("now")))


def _digest(kind: str, candidates: list[str]) -> str:
    return hashlib.md5(",".join([kind, *candidates]).encode(), usedforsecurity=False).hexdigest()


def write_all(tables: LocalTables, run_id: str) -> list[WriteResult]:
    """Every table of the run is written, a few at a time."""
    work = writes(tables, run_id)
    with ThreadPoolExecutor(WRITERS) as pool:
        return [pending.result() for pending in [pool.submit(write) for write in work.values()]]


def writes(tables: LocalTables, run_id: str) -> Mapping[str, Write]:
    """The writes of a run by table; each gives the same table when it is done again."""
    lake, keys = tables.lake, tables.keys.lazy()

    def held(table: Table, name: str) -> pl.DataFrame:
        return tables.before(table).join(keys.rename({"identifier_key": name}), on=name, how="semi").collect()

    homes = conform(HOMES, tables.get("homes"))
    known = tables.before(HOMES).join(homes.lazy().select("identifier_key"), on="identifier_key", how="semi")
    people = tables.before(ONEIDS).join(tables.oneids.lazy().select("one_id"), on="one_id", how="semi")
    edges = conform(EDGES, tables.get("edges"))
    history = tables.changes.with_columns(run_id=pl.lit(run_id))
    return {
        MAP.full_name: lambda: lake.replace(MAP, tables.map_before, tables.map),
        EDGES.full_name: lambda: lake.replace(EDGES, held(EDGES, "a_key"), edges),
        ONEIDS.full_name: lambda: lake.replace(ONEIDS, people.collect(), tables.oneids),
        HOMES.full_name: lambda: lake.replace(HOMES, known.collect(), homes),
        HUBS.full_name: lambda: lake.replace(HUBS, held(HUBS, "identifier_key"), tables.hubs),
        REVIEW.full_name: lambda: lake.replace(REVIEW, tables.asked_before(), tables.questions),
        REJECTIONS.full_name: lambda: lake.replace(REJECTIONS, tables.refused_before(), tables.refusals),
        CHANGES.full_name: lambda: lake.append(CHANGES, history),
    }


def group_count(tables: LocalTables) -> int:
    """How many groups the run looked at."""
    return int(tables.answers.nodes.select(pl.col(GROUP).n_unique()).item())

"""Proofs and trials on the live lake: a rebuild that must change nothing, and what another policy would change.

Nothing is written: everything is resolved from all evidence with the registry kept, and compared with the tables.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from identity.policy import Policy
from pipelines.errors import ConfigurationError
from pipelines.jobs.s3_identity import StitchSettings, make_work, resolve
from pipelines.jobs.s3_marker import last_marker
from pipelines.jobs.s3_observed import Observed, observed
from pipelines.jobs.s3_scope import HOMES, MAP, ONEIDS
from pipelines.jobs.s3_tables import CHANGES, EDGES, HUBS, Answers
from pipelines.spec import Table
from pipelines.store.history import small_rows
from pipelines.store.lake import Lake

SAMPLES = 10
Result = TypeVar("Result")
COMPARED: dict[str, tuple[str, ...]] = {
    MAP.full_name: ("identifier_key", "one_id", "status", "valid_from", "valid_to", "first_seen", "last_seen"),
    EDGES.full_name: ("a_key", "b_key", "status", "rule", "first_ms", "last_ms", "sightings"),
    HUBS.full_name: ("identifier_key", "partners"),
}


@dataclass(frozen=True)
class Difference:
    """Rows of a table that a rebuild would make otherwise: how many, and the keys of a few."""

    table: str
    rows: int
    samples: tuple[str, ...]


def verify(lake: Lake, settings: StitchSettings) -> list[Difference]:
    """What a rebuild from all evidence, with the registry kept, would change: nothing when all is well."""

    def compare(answers: Answers) -> list[Difference]:
        made = {MAP.full_name: answers.map, EDGES.full_name: answers.get("edges"), HUBS.full_name: answers.get("hubs")}
        tables = {table.full_name: table for table in (MAP, EDGES, HUBS)}
        found = [_compare(tables[name], lake.read(tables[name]), made[name]) for name in COMPARED]
        found += [_people(lake, answers), _count(HOMES, answers.get("homes"), "identifier_key")]
        found += [_count(CHANGES, answers.get("changes"), "one_id")]
        return [one for one in found if one.rows]

    return _tried(lake, settings, compare)


def diff(lake: Lake, settings: StitchSettings, other: Policy) -> dict[str, Any]:
    """What another policy would merge and split on the whole history, nothing changed."""
    return _tried(lake, replace(settings, policy=other), _partition_changes)


def _tried(lake: Lake, settings: StitchSettings, look: Callable[[Answers], Result]) -> Result:
    marker = last_marker(lake)
    if marker is None:
        raise ConfigurationError("nothing was stitched yet", where="identity.report", hint="run `cdp run` first")
    work = make_work(lake, settings, marker, as_of=marker.as_of, full=True)
    known = observed(lake, marker).rows.where(~F.col("is_new"))
    shutil.rmtree(settings.staging, ignore_errors=True)
    try:
        answers = resolve(work, Observed(known, None))
        assert answers is not None, "a rebuild looks at everything"
        return look(answers)
    finally:
        shutil.rmtree(settings.staging, ignore_errors=True)


def _compare(table: Table, stands: DataFrame, made: DataFrame) -> Difference:
    columns = list(COMPARED[table.full_name])
    old, new = (frame.select(*columns) for frame in (stands, made))
    apart = old.exceptAll(new).unionByName(new.exceptAll(old)).select(*[F.col(c).alias(c) for c in columns])
    return _count(table, apart, *[name for name in table.key if name in columns])


def _people(lake: Lake, answers: Answers) -> Difference:
    """Living OneIDs that differ, and retired ones that live or lead elsewhere."""
    columns = ["one_id", "status", "merged_into", "identifiers"]
    old, new = lake.read(ONEIDS).select(*columns), answers.oneids.select(*columns)
    missing = old.where("status IN ('active', 'visitor')").join(new, "one_id", "left_anti")
    return _count(ONEIDS, new.exceptAll(old).unionByName(missing), "one_id")


def _count(table: Table, rows: DataFrame, *key: str) -> Difference:
    keys = rows.select(F.concat_ws(" ", *[F.col(name).cast("string") for name in key]).alias("key"))
    some = F.slice(F.sort_array(F.collect_set("key")), 1, SAMPLES).alias("some")
    row = keys.agg(F.count("*").alias("n"), some).first()
    return Difference(table.full_name, row["n"] if row else 0, tuple(row["some"]) if row else ())


def _partition_changes(answers: Answers) -> dict[str, Any]:
    """Merges: OneIDs whose people would be one. Splits: OneIDs whose identifiers would come apart."""
    names = F.concat_ws(":", "namespace", "scope", "value").alias("name")
    was = answers.work.read(MAP).where("valid_to IS NULL AND one_id IS NOT NULL")
    now = answers.map.where("valid_to IS NULL")
    goes = now.select("identifier_key", F.coalesce("one_id", F.col("identifier_key").cast("string")).alias("goes"))
    both = was.select("identifier_key", "one_id", names).join(goes, "identifier_key").persist()
    seniority = answers.work.read(ONEIDS).select("one_id", "mint_seq")
    joined = both.select("one_id", "goes").distinct().join(seniority, "one_id")
    merged = joined.groupBy("goes").agg(F.sort_array(F.collect_list(F.struct("mint_seq", "one_id"))).alias("ids"))
    merges = [
        _merge(row["goes"], [one["one_id"] for one in row["ids"]]) for row in small_rows(merged.where("size(ids) > 1"))
    ]
    parts = both.groupBy("one_id", "goes").agg(F.sort_array(F.collect_list("name")).alias("part"))
    apart = parts.groupBy("one_id").agg(F.sort_array(F.collect_list("part")).alias("parts")).where("size(parts) > 1")
    splits = [{"one_id": row["one_id"], "parts": [list(part) for part in row["parts"]]} for row in small_rows(apart)]
    return {
        "merges": sorted(merges, key=lambda one: str(one["one_id"])),
        "splits": sorted(splits, key=lambda one: str(one["one_id"])),
    }


def _merge(goes: str, by_age: Sequence[str]) -> dict[str, Any]:
    kept = goes if goes in by_age else by_age[0]
    return {"one_id": kept, "others": sorted(one for one in by_age if one != kept)}

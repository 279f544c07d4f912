"""Proofs and trials on the live lake: a rebuild that must change nothing, and what another policy would change.

Nothing is written: everything is resolved from all evidence with the registry kept, and compared with the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from identity.policy import Policy
from pipelines.errors import ConfigurationError
from pipelines.jobs.s3_local_scope import Evidence, read_evidence_rows
from pipelines.jobs.s3_local_tables import LocalTables
from pipelines.jobs.s3_marker import marker_of
from pipelines.jobs.s3_plain import written
from pipelines.jobs.s3_stitch import StitchRequest, StitchSettings, make_work, resolve
from pipelines.jobs.s3_work import CHANGES, EDGES, HOMES, HUBS, MAP, ONEIDS
from pipelines.spec import Table
from pipelines.store.local import LocalLake, conform

SAMPLES = 10
COMPARED: dict[str, tuple[str, ...]] = {
    MAP.full_name: ("identifier_key", "one_id", "status", "valid_from", "valid_to", "first_seen", "last_seen"),
    EDGES.full_name: ("a_key", "b_key", "status", "rule", "first_ms", "last_ms", "sightings"),
    HUBS.full_name: ("identifier_key", "partners"),
    ONEIDS.full_name: ("one_id", "status", "merged_into", "identifiers"),
}


@dataclass(frozen=True)
class Difference:
    """Rows of a table that a rebuild would make otherwise: how many, and the keys of a few."""

    table: str
    rows: int
    samples: tuple[str, ...]


def verify(root: Path, settings: StitchSettings) -> list[Difference]:
    """What a rebuild from all evidence, with the registry kept, would change: nothing when all is well."""
    tables = _rebuilt(root, settings)
    lake = tables.lake
    living = lake.scan(ONEIDS).filter(pl.col("status").is_in(["active", "visitor"])).select("one_id")
    known = pl.concat([living, tables.oneids.lazy().select("one_id")]).unique()
    found = [
        _apart(MAP, lake.scan(MAP).collect(), tables.map),
        _apart(EDGES, lake.scan(EDGES).collect(), conform(EDGES, tables.get("edges"))),
        _apart(HUBS, lake.scan(HUBS).collect(), tables.hubs),
        _apart(ONEIDS, lake.scan(ONEIDS).join(known, on="one_id", how="semi").collect(), tables.oneids),
        _named(HOMES, tables.get("homes").select(key=pl.col("identifier_key").cast(pl.String))),
        _named(CHANGES, tables.get("changes").select(key="one_id")),
    ]
    return [one for one in found if one.rows]


def diff(root: Path, settings: StitchSettings, other: Policy) -> dict[str, Any]:
    """What another policy would merge, split and whose owner it would find or take, on all history; nothing changed."""
    return partition_changes(_rebuilt(root, replace(settings, policy=other)))


def _rebuilt(root: Path, settings: StitchSettings) -> LocalTables:
    """All groups resolved from the evidence that the last stitch saw, with the registry as it is."""
    marker = marker_of(root)
    if marker is None:
        raise ConfigurationError("nothing was stitched yet", where="identity.report", hint="run `cdp run` first")
    lake = LocalLake(root)
    work = make_work(lake, settings, StitchRequest(marker.as_of, "", full=True, trigger="rule:rebuild"), marker)
    seen = read_evidence_rows(lake, marker)
    known = seen.rows.filter(~pl.col("is_new"))
    tables = resolve(lake, work, Evidence(known, seen.new.clear(), seen.removed.clear()))
    if tables is None:
        raise ConfigurationError("there is no evidence", where="silver.identity_observations", hint="run `cdp run`")
    return tables


def _apart(table: Table, stands: pl.DataFrame, made: pl.DataFrame) -> Difference:
    columns = list(COMPARED[table.full_name])
    old, new = stands.select(columns), made.select(columns)
    apart = pl.concat(
        [
            old.join(new, on=columns, how="anti", nulls_equal=True),
            new.join(old, on=columns, how="anti", nulls_equal=True),
        ]
    )
    key = pl.concat_str([pl.col(name).cast(pl.String) for name in table.key if name in columns], separator=" ")
    return _named(table, apart.select(key=key))


def _named(table: Table, keys: pl.DataFrame) -> Difference:
    some = keys["key"].drop_nulls().unique().sort().head(SAMPLES).to_list()
    return Difference(table.full_name, keys.height, tuple(some))


def partition_changes(tables: LocalTables) -> dict[str, Any]:
    """Merges: OneIDs whose people would be one. Splits: OneIDs whose identifiers would come apart. Owners: identifiers
    that somebody would own who are nobody's now, or the reverse."""
    present = pl.col("valid_to").is_null()
    was = tables.map_before.filter(present).drop_nulls("one_id").select("identifier_key", "one_id", name=written())
    goes = pl.coalesce("one_id", pl.col("identifier_key").cast(pl.String)).alias("goes")
    both = was.join(tables.map.filter(present).select("identifier_key", goes), on="identifier_key")
    seniority = tables.before(ONEIDS).select("one_id", "mint_seq").collect()
    joined = both.select("one_id", "goes").unique().join(seniority, on="one_id").sort("mint_seq")
    merged = joined.group_by("goes").agg(pl.col("one_id")).filter(pl.col("one_id").list.len() > 1)
    merges = [_merge(goes_to, ids) for goes_to, ids in merged.iter_rows()]
    parts = both.sort("name").group_by("one_id", "goes").agg(pl.col("name"))
    apart = parts.group_by("one_id").agg(pl.col("name")).filter(pl.col("name").list.len() > 1)
    splits = [{"one_id": one_id, "parts": sorted(names)} for one_id, names in apart.iter_rows()]
    return {
        "merges": sorted(merges, key=lambda one: str(one["one_id"])),
        "splits": sorted(splits, key=lambda one: str(one["one_id"])),
        "owners": _owners(tables),
    }


def _owners(tables: LocalTables) -> list[dict[str, Any]]:
    """Identifiers that belong to nobody now and would to somebody, or the reverse."""
    present = pl.col("valid_to").is_null()
    now = tables.map_before.filter(present).select("identifier_key", identifier=written(), before="one_id")
    then = tables.map.filter(present).select("identifier_key", after="one_id")
    both = now.join(then, on="identifier_key", how="left").sort("identifier")
    turned = both.filter(pl.col("before").is_null() != pl.col("after").is_null())
    return turned.select("identifier", "before", "after").to_dicts()


def _merge(goes_to: str, by_age: Sequence[str]) -> dict[str, Any]:
    kept = goes_to if goes_to in by_age else by_age[0]
    return {"one_id": kept, "others": sorted(one for one in by_age if one != kept)}

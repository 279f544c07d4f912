"""A lake in which numbers of own records counted over all brands comes up to what it had been within them from the
start: no row and no evidence twice, whatever comes afterwards."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.embedded import connected
from pipelines.errors import ConfigurationError
from pipelines.jobs import worker
from pipelines.jobs.s3_cluster_rows import observed
from pipelines.jobs.s3_local_scope import read_evidence_rows
from pipelines.jobs.s3_marker import marker_of
from pipelines.migrate import migrate, planned, refuse_other_schemas
from pipelines.rescoping import CLAIMS, CONSENTS, EVIDENCE, FACTS, LEDGER, VERDICTS
from pipelines.runner import RunRequest
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import FeedParser, Parsed, Record
from pipelines.store.creation import SCHEMA_VERSION
from pipelines.store.lake import Lake
from pipelines.store.local import LocalLake
from pipelines.store.versions import table_path
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import DAY1, DAY2, Files
from tests.pipelines.jobs.two_brands import BRANDS, Found, holders, kept, of_brand, play

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCOPES = {
    LEDGER.full_name: "record_scope",
    CONSENTS.full_name: "consent_scope",
    CLAIMS.full_name: "claim_scope",
    VERDICTS.full_name: "claim_scope",
    FACTS.full_name: "record_scope",
}
APP = BRANDS["brandA"]
OWN = {"points_events": {"brand": "brandA"}, "consents": {"brand": "brandA"}, "order_claims": {"app_id": APP}}
pytestmark = pytest.mark.e2e
FIRST, SECOND = RunRequest(DAY1, DAY1), RunRequest(DAY2, DAY2)


def unscoped(parser: FeedParser) -> FeedParser:
    """The parser as it was before it knew within what a number counts."""

    def parse(record: Record) -> Parsed:
        parsed = parser.parse(record)
        parsed.rows[:] = [(name, {**row, SCOPES[name]: ""} if name in SCOPES else row) for name, row in parsed.rows]
        parsed.observations[:] = [
            {**dict(one), "observation_id": re.sub("@brand.", "", one["observation_id"])} for one in parsed.observations
        ]
        return parsed

    names = tuple(name for name in parser.hash_context if name != "brand")
    return replace(parser, parse=parse, hash_context=names)


def age(lake: LocalLake) -> None:
    """The tables are as the program before declared and filled them."""
    for name, scope in SCOPES.items():
        path = str(table_path(Path(lake.root), ALL[name]))
        rows = DeltaTable(path).to_pyarrow_table().drop_columns([scope])
        write_deltalake(path, rows, mode="overwrite", schema_mode="overwrite")
    for name in (*SCOPES, EVIDENCE.full_name):
        DeltaTable(str(table_path(Path(lake.root), ALL[name]))).alter.set_table_properties(
            {SCHEMA_VERSION: "1"}, raise_if_not_exists=False
        )


def play_unscoped(home: Path, files: Files, run: RunRequest) -> None:
    """A run of the program before."""
    with pytest.MonkeyPatch.context() as patch:
        for feed in ("points_events", "consents", "order_claims"):
            patch.setitem(worker.FEED_PARSERS, feed, unscoped(FEED_PARSERS[feed]))
        play(home, files, run)


@pytest.fixture(scope="module")
def unaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that one brand's day reached by the program before, its tables declared as now."""
    home = tmp_path_factory.mktemp("unaged")
    play_unscoped(home, of_brand("brandA", DAY1), FIRST)
    return home


@pytest.fixture(scope="module")
def older(unaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the program before, which one brand's day reached."""
    home = shutil.copytree(unaged, tmp_path_factory.mktemp("older"), dirs_exist_ok=True)
    age(LocalLake(home / "lake"))
    return home


@pytest.fixture(scope="module")
def fresh(unaged: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalLake]:
    """Lakes of today's program under the same keys, by the brand that came on the second day; not to be changed."""
    begun = tmp_path_factory.mktemp("fresh")
    shutil.copytree(unaged / "keys", begun / "keys")
    play(begun, of_brand("brandA", DAY1), FIRST)
    homes = {brand: shutil.copytree(begun, tmp_path_factory.mktemp(brand), dirs_exist_ok=True) for brand in BRANDS}
    return {brand: play(home, of_brand(brand, DAY2), SECOND) for brand, home in homes.items()}


@pytest.fixture
def home(older: Path, tmp_path: Path) -> Path:
    """A copy of that home of the test's own."""
    return Path(shutil.copytree(older, tmp_path / "home"))


def evidence(lake: LocalLake) -> list[tuple[Any, ...]]:
    return lake.scan(EVIDENCE).select(EVIDENCE.key).sort(EVIDENCE.key).collect().rows()


def scopes(lake: LocalLake, *tables: str) -> dict[str, list[str]]:
    return {name: lake.scan(ALL[name]).sort(ALL[name].key).collect()[SCOPES[name]].to_list() for name in tables}


def test_a_run_waits_for_the_migration_and_a_second_changes_nothing(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="points_ledger has schema version 1"):
        refuse_other_schemas(home / "lake")
    changed = migrate(home / "lake")
    assert {one.table for one in changed} == {*SCOPES, EVIDENCE.full_name}
    assert planned(home / "lake") == []
    versions = [LocalLake(home / "lake").version(ALL[name]) for name in SCOPES]
    assert migrate(home / "lake") == []
    assert [LocalLake(home / "lake").version(ALL[name]) for name in SCOPES] == versions


def test_a_row_is_of_the_brand_that_its_raw_record_names(home: Path) -> None:
    migrate(home / "lake")
    assert scopes(LocalLake(home / "lake"), *SCOPES) == {
        LEDGER.full_name: ["brandA", "brandA", ""],
        CONSENTS.full_name: ["brandA"] * 3,
        CLAIMS.full_name: [APP],
        VERDICTS.full_name: [APP],
        FACTS.full_name: ["brandA", "brandA", ""],
    }


@pytest.mark.parametrize("again", ["brandA", "brandB"])
def test_it_goes_on_as_if_it_had_been_so_from_the_start(home: Path, fresh: dict[str, LocalLake], again: str) -> None:
    """The same brand's records come once more, or another brand's with the same numbers."""
    migrate(home / "lake")
    known = holders(LocalLake(home / "lake"))
    lake = play(home, of_brand(again, DAY2), SECOND)
    assert kept(lake) == kept(fresh[again])
    assert evidence(lake) == evidence(fresh[again])
    assert known.items() <= holders(lake).items()


def test_bronze_read_again_gives_the_evidence_that_the_lake_has(home: Path) -> None:
    migrate(home / "lake")
    lake = LocalLake(home / "lake")
    before: tuple[Found, list[tuple[Any, ...]], Mapping[Any, str]] = kept(lake), evidence(lake), holders(lake)
    play(home, {}, RunRequest(DAY1, DAY1, reread=True))
    assert (kept(lake), evidence(lake), holders(lake)) == before


def test_what_another_brand_had_replaced_comes_back_from_bronze(
    unaged: Path, fresh: dict[str, LocalLake], tmp_path: Path
) -> None:
    home = shutil.copytree(unaged, tmp_path / "old")
    play_unscoped(home, of_brand("brandB", DAY2), SECOND)
    lake = LocalLake(home / "lake")
    age(lake)
    migrate(home / "lake")
    assert scopes(lake, CONSENTS.full_name)[CONSENTS.full_name] == ["brandA", *["brandB"] * 2]  # `n3` says the same
    play(home, {}, RunRequest(DAY2, DAY2, reread=True))
    assert (kept(lake), evidence(lake)) == (kept(fresh["brandB"]), evidence(fresh["brandB"]))


def without(lake: LocalLake, feed: str, change: pl.Expr) -> None:
    """The raw records of a feed are others."""
    table = ALL[f"bronze.{feed}"]
    lake.replace_all(table, lake.scan(table).with_columns(context=change).collect())


@pytest.mark.parametrize(
    ("defaults", "points", "consents", "named"),
    [
        ({}, ["", "brandA", ""], ["", "", "brandA"], False),
        (OWN, ["brandA", "brandA", ""], ["brandA"] * 3, True),
    ],
    ids=["nobody", "configuration"],
)
def test_past_the_time_of_raw_records_a_members_row_is_of_its_brand_and_others_of_the_configured_one(
    home: Path, defaults: dict[str, dict[str, str]], points: list[str], consents: list[str], named: bool
) -> None:
    lake = LocalLake(home / "lake")
    for feed in ("points_events", "consents", "order_claims"):
        table = ALL[f"bronze.{feed}"]
        lake.replace_all(table, lake.scan(table).head(0).collect())
    migrate(home / "lake", defaults)
    found = scopes(lake, LEDGER.full_name, CONSENTS.full_name, CLAIMS.full_name)
    assert sorted(found[LEDGER.full_name]) == sorted(points)
    assert sorted(found[CONSENTS.full_name]) == sorted(consents)
    assert found[CLAIMS.full_name] == [APP]
    assert any("@brandA" in name for _, name in evidence(lake)) is named


@pytest.mark.parametrize("stated", ["configured", "stated empty"])
def test_a_context_that_names_no_brand_is_read_as_a_run_would_read_it(home: Path, stated: str) -> None:
    lake = LocalLake(home / "lake")
    for feed in ("points_events", "consents"):
        without(lake, feed, pl.lit("{}" if stated == "configured" else '{"brand":""}'))
    migrate(home / "lake", OWN)
    brand = "brandA" if stated == "configured" else ""
    assert scopes(lake, CONSENTS.full_name)[CONSENTS.full_name] == [brand] * 3
    assert any("@brandA" in name for _, name in evidence(lake)) is bool(brand)


@pytest.mark.spark
def test_both_engines_compare_claims_with_those_of_a_run_before_the_scope(spark: SparkSession, home: Path) -> None:
    local = LocalLake(home / "lake")
    aged = local.version(VERDICTS)
    migrate(home / "lake")
    marker = marker_of(home / "lake")
    assert marker is not None
    before = replace(marker, versions={**marker.versions, VERDICTS.full_name: aged})
    removed = read_evidence_rows(local, before).removed.select("observation_id").to_series().to_list()
    with connected(on=False):
        gone = observed(Lake(spark, home / "lake"), before).removed
        assert gone is not None
        found = [row.observation_id for row in gone.select("observation_id").collect()]
    assert sorted(found) == sorted(removed)
    assert "c1" in found

"""Records of two brands stay apart though they are numbered alike, in whatever order and by whichever engine."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.embedded import connected
from pipelines.jobs.s3_cluster_rows import observed
from pipelines.jobs.s3_local_scope import read_evidence_rows
from pipelines.publish import current
from pipelines.runner import RunRequest, run_pipeline
from pipelines.store.lake import Lake
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from serving.contract import SNAPSHOT_FILE
from tests.pipelines.jobs.composed import DAY1, DAY2, write_gold_only
from tests.pipelines.jobs.two_brands import (
    BRANDS,
    ORDERS,
    POINTS,
    Found,
    daily,
    holders,
    kept,
    of_brand,
    play,
    settings_of,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.e2e
FIRST, SECOND = RunRequest(DAY1, DAY1), RunRequest(DAY2, DAY2)
Homes = dict[str, Path]
"""Homes by the order in which the brands came."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """Homes that one brand's records reached on the first of two days; not to be changed."""
    homes = {order: tmp_path_factory.mktemp("begun") for order in ORDERS}
    for order, home in homes.items():
        play(home, daily(order), FIRST)
    return homes


@pytest.fixture(scope="module")
def homes(begun: Homes, tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """The same after the other brand's day, published; not to be changed."""
    homes = {order: tmp_path_factory.mktemp("home") for order in ORDERS}
    for order, home in homes.items():
        shutil.copytree(begun[order], home, dirs_exist_ok=True)
        play(home, {}, SECOND, publish=True)
    return homes


@pytest.fixture(params=list(ORDERS))
def home(request: pytest.FixtureRequest, homes: Homes) -> Path:
    """A home that one brand's records reached on each of two days."""
    return homes[request.param]


def numbered(found: Found, table: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in ALL[table].key) for row in found[table]]


def test_every_record_of_every_brand_is_kept(home: Path) -> None:
    found = kept(LocalLake(home / "lake"))
    own = [("brand", brand, number) for brand in BRANDS for number in ("L1", "L2")]
    assert numbered(found, "silver.points_ledger") == [*own, ("tmall", "", "L1")]
    assert numbered(found, "silver.consents") == [(brand, number) for brand in BRANDS for number in ("n1", "n2", "n3")]
    assert numbered(found, "silver.order_claims") == [(app, "c1") for app in BRANDS.values()]


def test_balances_add_up_each_brands_movements(home: Path) -> None:
    lake = LocalLake(home / "lake")
    found = kept(lake)
    points = {
        (row["source"], row["record_scope"], row["record_id"]): row["points"] for row in found["gold.fact_points"]
    }
    own = {("brand", brand, number): POINTS[brand] for brand in BRANDS for number in ("L1", "L2")}
    assert points == {**own, ("tmall", "", "L1"): 7}
    features = lake.scan(ALL["features.customer_features"]).collect()
    assert sorted(features["points_balance"].to_list()) == sorted([0, 0, 0, 7, *POINTS.values(), *POINTS.values()])


def test_whoever_a_brands_record_names_by_phone_has_a_oneid(home: Path) -> None:
    lake = LocalLake(home / "lake")
    phones = [one_id for (namespace, _, _), one_id in holders(lake).items() if namespace == "phone"]
    assert len(phones) == len(set(phones)) == 3
    assert lake.scan(ALL["identity.rejections"]).collect().is_empty()


def test_claims_with_one_number_are_weighed_as_the_rivals_they_are(home: Path) -> None:
    found = kept(LocalLake(home / "lake"))
    assert [(row["claim_scope"], row["rule"]) for row in found["identity.claims"]] == [
        (app, "rival_claim") for app in BRANDS.values()
    ]


def test_the_snapshot_tells_the_movements_and_consents_of_both(home: Path) -> None:
    manifest = current(home)
    assert manifest is not None
    with sqlite3.connect(home / "snapshots" / manifest.snapshot_id / SNAPSHOT_FILE) as rows:
        told = [ref for (ref,) in rows.execute("SELECT ref FROM timeline WHERE kind = 'points' ORDER BY ref")]
        states = [state for (state,) in rows.execute("SELECT status FROM consents ORDER BY status")]
    assert told == sorted([*(f"brand:{brand}:{number}" for brand in BRANDS for number in ("L1", "L2")), "tmall:L1"])
    assert states == [*["granted"] * 3, *["withdrawn"] * 2]


def test_one_run_over_both_days_gives_the_same(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "keys", tmp_path / "keys")
    shutil.copytree(home / "landing", tmp_path / "landing")
    assert kept(play(tmp_path, {}, RunRequest(DAY1, DAY2))) == kept(LocalLake(home / "lake"))


@pytest.mark.parametrize(("order", "how"), [("a first", "full"), ("b first", "reread")])
def test_a_rebuild_changes_nothing(homes: Homes, tmp_path: Path, order: str, how: str) -> None:
    shutil.copytree(homes[order], tmp_path, dirs_exist_ok=True)
    lake = LocalLake(tmp_path / "lake")
    before, known = kept(lake), holders(lake)
    play(tmp_path, {}, RunRequest(DAY2, DAY2, full=how == "full", reread=how == "reread"))
    assert (kept(lake), holders(lake)) == (before, known)


def test_brands_may_say_the_same_words_on_one_day(tmp_path: Path) -> None:
    files = {**of_brand("brandA", DAY1), **of_brand("brandB", DAY1)}
    found = kept(play(tmp_path, files, RunRequest(DAY1, DAY1)))
    assert len(found["silver.consents"]) == 2 * 3
    assert len(found["silver.points_ledger"]) == 2 * 2 + 1


@pytest.mark.spark
def test_the_cluster_adds_the_other_brands_day_alike(
    spark: SparkSession, begun: Homes, homes: Homes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run by the jobs that write what is compared: each further one costs a cluster seconds."""
    home = shutil.copytree(begun["b first"], tmp_path / "home")
    settings = settings_of(home, ingest={"in_process_bytes": 0, "in_process_rows": 0})
    write_gold_only(monkeypatch, "gold.fact_points")
    asked: list[SparkSession] = []

    def cluster() -> SparkSession:
        asked.append(spark)
        return spark

    run = replace(SECOND, only=("s1_bronze", "s2_silver", "s3_identity", "s6_gold"))
    with connected(on=False):
        run_pipeline(cluster, settings, run, lambda text: None, publish=False)
    assert asked, "the day was the cluster's"
    assert kept(LocalLake(settings.lake)) == kept(LocalLake(homes["b first"] / "lake"))


@pytest.mark.spark
def test_the_cluster_calls_the_evidence_of_claims_alike(spark: SparkSession, homes: Homes) -> None:
    home = homes["a first"]
    own = read_evidence_rows(LocalLake(home / "lake"), None).rows.select("source", "observation_id").collect().rows()
    with connected(on=False):
        found = observed(Lake(spark, home / "lake"), None).rows.select("source", "observation_id").collect()
    assert sorted(tuple(row) for row in found) == sorted(own)
    assert {("order_claims", f"{app}:c1") for app in BRANDS.values()} <= set(own)

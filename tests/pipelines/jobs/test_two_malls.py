"""Products stay each brand's own though they are numbered alike, in whatever order."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.embedded import connected
from pipelines.jobs.product_listings import with_listing
from pipelines.runner import RunRequest
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import DAY1, DAY2
from tests.pipelines.jobs.two_brands import ORDERS, Found, holders, kept, play
from tests.pipelines.jobs.two_malls import (
    BRANDS,
    CATEGORY,
    KEPT,
    bought,
    daily,
    landed,
    of_mall,
    product,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

pytestmark = pytest.mark.e2e

Rows = Callable[..., "DataFrame"]
BY_DAY = (RunRequest(DAY1, DAY1), RunRequest(DAY2, DAY2))
FACTS = "gold.fact_order_line"


@pytest.fixture(scope="module", params=list(ORDERS))
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that one brand's lists, orders and records reached on each of two days."""
    home = tmp_path_factory.mktemp("home")
    play(home, daily(request.param), *BY_DAY, publish=True)
    return home


def known(lake: LocalLake) -> tuple[Found, list[tuple[Any, ...]]]:
    """What the lake knows of products and lines."""
    return kept(lake, KEPT), lake.scan(ALL[FACTS]).drop("one_id").sort(ALL[FACTS].key).collect().rows()


def products_of(lake: LocalLake) -> dict[tuple[str, str, str], str]:
    rows = lake.scan(ALL["silver.products"]).collect().to_dicts()
    return {(row["platform"], row["product_scope"], row["product_id"]): row["category"] for row in rows}


def lines_of(lake: LocalLake) -> dict[tuple[str, str], str]:
    rows = lake.scan(ALL[FACTS]).collect().to_dicts()
    return {(row["order_id"], row["line_id"]): row["product_key"] for row in rows}


def test_each_brands_products_are_kept_and_the_platforms_are_its_own(home: Path) -> None:
    own = {("mall", brand, "p1"): CATEGORY[brand] for brand in BRANDS}
    same = {("mall", brand, "p2"): "same" for brand in BRANDS}
    assert products_of(LocalLake(home / "lake")) == {**own, **same, ("douyin", "", "d1"): "same"}


def test_every_line_joins_the_product_of_its_brand(home: Path) -> None:
    lake = LocalLake(home / "lake")
    keys = lines_of(lake)
    assert keys == {
        (f"o{brand}", number): f"mall@{brand}|{number}|k1" for brand in BRANDS for number in ("p1", "p2", "p3")
    }
    listed = {row["product_key"]: row for row in lake.scan(ALL["gold.dim_product"]).collect().to_dicts()}
    assert {brand: listed[keys[f"o{brand}", "p1"]]["category"] for brand in BRANDS} == CATEGORY
    assert [listed[keys[f"o{brand}", "p3"]]["is_listed"] for brand in BRANDS] == [False, False]
    assert listed["douyin|d1|k1"]["product_scope"] == ""


def test_features_know_what_each_brand_sold(home: Path) -> None:
    rows = LocalLake(home / "lake").scan(ALL["features.customer_features"]).collect()
    assert sorted(set(rows["favourite_category"].drop_nulls())) == sorted(CATEGORY.values())


def test_one_run_over_both_days_gives_the_same(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "keys", tmp_path / "keys")
    shutil.copytree(home / "landing", tmp_path / "landing")
    lake = play(tmp_path, {}, RunRequest(DAY1, DAY2))
    assert known(lake) == known(LocalLake(home / "lake"))


@pytest.mark.parametrize("how", ["full", "reread"])
def test_a_rebuild_changes_nothing(home: Path, tmp_path: Path, how: str) -> None:
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    lake = LocalLake(tmp_path / "lake")
    before, owned = known(lake), holders(lake)
    play(tmp_path, {}, RunRequest(DAY2, DAY2, full=how == "full", reread=how == "reread"))
    assert (known(lake), holders(lake)) == (before, owned)


def test_brands_may_say_the_same_words_on_one_day(tmp_path: Path) -> None:
    lake = play(tmp_path, {**of_mall("brandA", DAY1), **of_mall("brandB", DAY1)}, RunRequest(DAY1, DAY1))
    assert len(products_of(lake)) == 2 * 2 + 1
    before = known(lake)
    assert known(play(tmp_path, {}, RunRequest(DAY1, DAY1, reread=True))) == before


def test_a_list_that_comes_after_the_orders_is_joined_by_them(tmp_path: Path) -> None:
    orders = landed(DAY1, "brandA", bought("brandA", "p1")) + landed(DAY1, "", bought("none", "p2"))
    files = {
        f"shop_orders/{DAY1}/a.jsonl": orders,
        f"products/{DAY2}/bare.jsonl": landed(DAY2, "", product("mall", "p1", "tea")),
        f"products/{DAY2}/b.jsonl": landed(DAY2, "brandB", product("mall", "p2", "cups")),
    }
    lake = play(tmp_path, files, *BY_DAY)
    assert lines_of(lake) == {("obrandA", "p1"): "mall|p1|k1", ("onone", "p2"): "mall@brandB|p2|k1"}
    assert sorted(lake.scan(ALL["gold.dim_product"]).collect()["product_key"]) == ["mall@brandB|p2|k1", "mall|p1|k1"]


def test_tills_may_sell_alike_under_one_number(tmp_path: Path) -> None:
    sold = {**bought("brandA", "p1"), "shop_id": None}
    row = {"order_id": "1", "platform": "pos", "customer": "K1", "paid_at": "2025-01-01", "amount": "1"}
    files = {
        f"{feed}/{DAY1}/a.jsonl": [text for till in ("T1", "T2") for text in landed(DAY1, "brandA", said, shop_id=till)]
        for feed, said in (("shop_orders", sold), ("orders_file", row))
    }
    orders = play(tmp_path, files, RunRequest(DAY1, DAY1)).scan(ALL["silver.orders"]).collect()
    assert sorted(orders.select("platform", "shop_id").rows()) == [
        (platform, till) for platform in ("mall", "pos") for till in ("T1", "T2")
    ]


@pytest.mark.parametrize(
    ("listed_by", "of", "found"),
    [
        (["brandA", "brandB", ""], "brandA", "brandA"),
        (["brandB", ""], "brandA", ""),
        (["brandB"], "brandA", "brandA"),
        (["brandB"], None, "brandB"),
        (["brandA", "brandB"], None, ""),
        (["brandA", ""], None, ""),
        ([], "brandA", "brandA"),
    ],
    ids=["own", "list of no brand", "another's alone", "only one lists", "two list", "none and one", "nobody"],
)
def test_a_line_names_the_product_as_it_is_listed(
    embedded_rows: Rows, listed_by: list[str], of: str | None, found: str
) -> None:
    number = {"platform": "mall", "product_id": "p1"}
    with connected():
        listed = embedded_rows("silver.products", *({**number, "product_scope": name} for name in listed_by))
        (row,) = with_listing(embedded_rows("silver.order_lines", {**number, "product_scope": of}), listed).collect()
    assert row["product_scope"] == found


@pytest.mark.spark
def test_the_cluster_names_them_alike(rows: Rows) -> None:
    listed = [("p1", "brandA"), ("p1", "brandB"), ("p2", "brandB"), ("p2", ""), ("p3", "brandB")]
    sold = {
        ("p1", "brandA"): "brandA",
        ("p1", None): "",
        ("p2", "brandA"): "",
        ("p2", "brandB"): "brandB",
        ("p3", "brandA"): "brandA",
        ("p3", None): "brandB",
        ("p4", "brandA"): "brandA",
    }
    lists, lines = (
        rows(name, *({"platform": "mall", "product_id": number, "product_scope": of} for number, of in some))
        for name, some in (("silver.products", listed), ("silver.order_lines", sold))
    )
    found = with_listing(lines.withColumn("of", lines["product_scope"]), lists).collect()
    assert {(row["product_id"], row["of"]): row["product_scope"] for row in found} == sold

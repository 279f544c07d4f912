"""A lake in which products were numbered over all brands comes up to what it had been within them from the start."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.jobs import worker
from pipelines.migrate import migrate, planned
from pipelines.rekeying import rewrite
from pipelines.rescoping import DIM_PRODUCT, LINES, PRODUCTS
from pipelines.runner import RunRequest
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import FeedParser, Parsed, Record
from pipelines.store.creation import SCHEMA_VERSION
from pipelines.store.local import LocalLake
from pipelines.store.versions import table_path
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import DAY1, DAY2, Files
from tests.pipelines.jobs.test_two_malls import known, lines_of, products_of
from tests.pipelines.jobs.two_brands import holders, play
from tests.pipelines.jobs.two_malls import daily, of_mall

pytestmark = pytest.mark.e2e

FEEDS = ("products", "shop_orders")
SCOPED = {LINES.full_name: None, PRODUCTS.full_name: ""}
BEFORE = {LINES: 1, PRODUCTS: 1, DIM_PRODUCT: 1}
FEATURES = ALL["features.customer_features"]
FIRST, SECOND = RunRequest(DAY1, DAY1), RunRequest(DAY2, DAY2)


def unscoped(parser: FeedParser) -> FeedParser:
    """The parser as it was before it knew within what a number counts."""

    def parse(record: Record) -> Parsed:
        parsed = parser.parse(record)
        parsed.rows[:] = [
            (name, {**row, "product_scope": SCOPED[name]} if name in SCOPED else row) for name, row in parsed.rows
        ]
        return parsed

    return replace(parser, parse=parse, hash_context=())


def age(lake: LocalLake) -> None:
    """The tables are as the program before declared and filled them."""
    features = lake.scan(FEATURES).collect()
    lake.replace(FEATURES, features, features.with_columns(definition=pl.lit("older")))
    for table, version in BEFORE.items():
        lake.create(table)
        path = str(table_path(Path(lake.root), table))
        if "product_scope" in table.column_names:
            rows = DeltaTable(path).to_pyarrow_table().drop_columns(["product_scope"])
            write_deltalake(path, rows, mode="overwrite", schema_mode="overwrite")
        DeltaTable(path).alter.set_table_properties({SCHEMA_VERSION: str(version)}, raise_if_not_exists=False)


def aged(home: Path, files: Files, *runs: RunRequest) -> LocalLake:
    """A lake that the program before filled."""
    with pytest.MonkeyPatch.context() as patch:
        for feed in FEEDS:
            patch.setitem(worker.FEED_PARSERS, feed, unscoped(FEED_PARSERS[feed]))
        lake = play(home, files, *runs)
    age(lake)
    return lake


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the program before, which one brand's day reached."""
    home = tmp_path_factory.mktemp("older")
    aged(home, of_mall("brandA", DAY1), FIRST)
    return home


@pytest.fixture
def home(older: Path, tmp_path: Path) -> Path:
    """A copy of that home of the test's own."""
    return Path(shutil.copytree(older, tmp_path / "home"))


def fresh_like(home: Path, to: Path, *runs: RunRequest) -> LocalLake:
    """The lake that the same landing files give under the same keys."""
    for part in ("keys", "landing"):
        shutil.copytree(home / part, to / part)
    return play(to, {}, *runs)


def no_raw(lake: LocalLake) -> None:
    """The raw records are past their time."""
    for feed in FEEDS:
        lake.replace_all(ALL[f"bronze.{feed}"], lake.scan(ALL[f"bronze.{feed}"]).head(0).collect())


def test_rows_are_of_the_brand_that_the_raw_records_name(home: Path, tmp_path: Path) -> None:
    lake = LocalLake(home / "lake")
    assert {one.table for one in migrate(home / "lake")} == {table.full_name for table in BEFORE}
    fresh = fresh_like(home, tmp_path / "new", FIRST)
    assert products_of(lake) == products_of(fresh)
    assert lake.scan(LINES).collect()["product_scope"].to_list() == ["brandA"] * 3
    assert planned(home / "lake") == []


@pytest.mark.parametrize("raw", ["raw there", "raw gone"])
def test_it_may_be_cut_off_and_done_again(home: Path, raw: str) -> None:
    lake = LocalLake(home / "lake")
    if raw == "raw gone":
        no_raw(lake)
    migrate(home / "lake")
    before = {table: lake.scan(table).sort(table.key).collect() for table in BEFORE}
    for table, version in BEFORE.items():
        rewrite(home / "lake", table.full_name, version)
    assert all(lake.scan(table).sort(table.key).collect().equals(rows) for table, rows in before.items())


@pytest.mark.parametrize("again", ["brandA", "brandB"])
def test_it_goes_on_as_if_it_had_been_so_from_the_start(home: Path, tmp_path: Path, again: str) -> None:
    """The same brand's records come once more, or another brand's with the same numbers."""
    migrate(home / "lake")
    owned = holders(LocalLake(home / "lake"))
    lake = play(home, of_mall(again, DAY2), SECOND)
    fresh = fresh_like(home, tmp_path / "new", FIRST, SECOND)
    assert known(lake) == known(fresh)
    assert owned.items() <= holders(lake).items()


def test_what_another_brand_had_replaced_comes_back_from_bronze(tmp_path: Path) -> None:
    lake = aged(tmp_path / "old", daily("a first"), FIRST, SECOND)
    migrate(tmp_path / "old" / "lake")
    assert len(products_of(lake)) == 2 + 1
    play(tmp_path / "old", {}, replace(SECOND, reread=True))
    assert known(lake) == known(fresh_like(tmp_path / "old", tmp_path / "new", FIRST, SECOND))


def test_past_the_time_of_raw_records_the_orders_say_the_brand(home: Path) -> None:
    lake = LocalLake(home / "lake")
    no_raw(lake)
    migrate(home / "lake")
    assert lake.scan(LINES).collect()["product_scope"].to_list() == ["brandA"] * 3
    assert {scope for platform, scope, _ in products_of(lake) if platform == "mall"} == {"brandA"}


def test_past_it_the_configured_brand_counts_for_what_names_none(home: Path) -> None:
    lake = LocalLake(home / "lake")
    no_raw(lake)
    lake.replace_all(LINES, lake.scan(LINES).head(0).collect())
    migrate(home / "lake", {"products": {"brand": "brandC"}})
    assert {scope for platform, scope, _ in products_of(lake) if platform == "mall"} == {"brandC"}


def test_facts_join_their_products_before_the_next_run_and_after_it(home: Path) -> None:
    lake = LocalLake(home / "lake")
    migrate(home / "lake")
    for _ in range(2):
        keys = set(lake.scan(DIM_PRODUCT).collect()["product_key"])
        assert set(lines_of(lake).values()) <= keys
        assert "douyin|d1|k1" in keys
        play(home, {}, SECOND)
    assert "mall@brandA|p1|k1" in keys
    assert "mall|p1|k1" not in keys

"""A lake in which a refund's key held its shop comes up to one row a refund, as if all had come under the new key."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from pipelines.errors import ConfigurationError
from pipelines.migrate import Migration, migrate, planned, refuse_other_schemas
from pipelines.rekeying import GOLD, SILVER, rewrite, rewritings
from pipelines.rekeying import KEY as KEYED
from pipelines.spec import Table
from pipelines.store.arrow import arrow_table
from pipelines.store.creation import create_table
from pipelines.store.local import LocalLake, conform
from pipelines.store.schema import add_columns
from pipelines.store.versions import table_path
from tests.pipelines.published import complete

KEY = ("platform", "shop_id", "refund_id")


def older(table: Table, version: int, *required: str) -> Table:
    """The table as the version declared it that knew no scope."""
    columns = [
        replace(column, required=column.required or column.name in required)
        for column in table.columns
        if column.name != "refund_scope"
    ]
    return replace(table, columns=tuple(columns), key=KEY, schema_version=version)


OLD_SILVER, OLD_GOLD = older(SILVER, 2, "shop_id"), older(GOLD, 1, "shop_id", "shop_key")


def version(second: int, rank: int = 0) -> str:
    return f"{second:016d}|05|{rank:02d}|{'0' * 32}"


PUSHED = {
    **{"platform": "douyin", "shop_id": "", "refund_id": "7001", "status": "success", "version_key": version(2)},
    **{"amount_fen": 300, "order_id": "o1", "feed": "douyin_messages", "interval": "2025-01-02"},
}
PULLED = {
    **{"platform": "douyin", "shop_id": "s", "refund_id": "7001", "status": "applied", "version_key": version(1, 1)},
    **{"amount_fen": 250, "order_id": "o1", "line_id": "1", "line_amounts": '{"1":250}', "feed": "douyin_refunds"},
    **{"interval": "2025-01-03", "success_at": None, "applied_at": 1735700000000},
}
ALONE = {**PUSHED, "platform": "tmall", "refund_id": "90"}
OWN = [{**PULLED, "platform": "pos", "shop_id": name, "refund_id": "1"} for name in ("", "a", "b")]


def fill(lake: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    create_table(lake, table)
    content = arrow_table(table, [complete(table, row) for row in rows])
    write_deltalake(str(table_path(lake, table)), content, mode="append")


def held(lake: Path, table: Table) -> list[dict[str, Any]]:
    return LocalLake(lake).scan(table).sort(table.key).collect().to_dicts()


@pytest.fixture(scope="module")
def older_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the version before that knows a refund twice, another by its push alone, and three of own shops."""
    folder = tmp_path_factory.mktemp("older")
    fill(folder, OLD_SILVER, [PULLED, PUSHED, ALONE, *OWN])
    fact = {"platform": "douyin", "refund_id": "7001", "status": "success", "refunded_fen": 300, "channel": "douyin"}
    pushed = {**fact, "shop_id": "", "shop_key": "douyin|", "order_known": False}
    fill(folder, OLD_GOLD, [pushed, {**fact, "shop_id": "s", "shop_key": "douyin|s", "order_known": True}])
    return folder


@pytest.fixture
def lake(older_lake: Path, tmp_path: Path) -> Path:
    """A copy of that lake of the test's own."""
    return shutil.copytree(older_lake, tmp_path, dirs_exist_ok=True)


def test_two_rows_of_one_refund_become_the_newest_with_what_the_other_knew(lake: Path) -> None:
    migrate(lake)
    (row,) = [row for row in held(lake, SILVER) if row["refund_id"] == "7001"]
    names = ("refund_scope", "shop_id", "status", "amount_fen", "line_id", "line_amounts", "version_key")
    assert [row[name] for name in names] == ["", "s", "success", 300, "1", '{"1":250}', version(2)]
    assert '"shop_id"' in row["filled_from"]


def test_a_refund_that_only_a_push_told_of_has_no_shop(lake: Path) -> None:
    migrate(lake)
    (row,) = [row for row in held(lake, SILVER) if row["refund_id"] == "90"]
    assert (row["refund_scope"], row["shop_id"]) == ("", None)


def test_refunds_of_own_shops_stay_apart_by_their_shop(lake: Path) -> None:
    migrate(lake)
    rows = [row for row in held(lake, SILVER) if row["platform"] == "pos"]
    assert [(row["refund_scope"], row["shop_id"]) for row in rows] == [("", ""), ("a", "a"), ("b", "b")]


def test_the_rows_are_what_they_had_been_under_the_new_key_from_the_start(lake: Path) -> None:
    migrate(lake)
    scoped = [
        {**row, "refund_scope": row["shop_id"] if row["platform"] == "pos" else ""}
        | ({} if row["platform"] == "pos" else {"shop_id": row["shop_id"] or None})
        for row in (PULLED, PUSHED, ALONE, *OWN)
    ]
    found = held(lake, SILVER)
    for number, order in enumerate(permutations(scoped[:2])):
        local = LocalLake(lake / str(number))
        for row in (*order, *scoped[2:]):
            frame = pl.from_arrow(arrow_table(SILVER, [complete(SILVER, row)]))
            assert isinstance(frame, pl.DataFrame)
            local.upsert_latest(SILVER, conform(SILVER, frame))
        assert held(lake / str(number), SILVER) == found


def test_a_fact_of_a_doubled_refund_is_the_one_whose_order_is_known(lake: Path) -> None:
    migrate(lake)
    (row,) = held(lake, GOLD)
    assert (row["refund_scope"], row["shop_id"], row["shop_key"], row["order_known"]) == ("", "s", "douyin|s", True)


def test_a_run_waits_for_the_migration_and_it_is_done_once(lake: Path) -> None:
    with pytest.raises(ConfigurationError, match="columns refund_scope, with shop_id no longer required, with another"):
        refuse_other_schemas(lake)
    wanted = {SILVER.full_name: ("shop_id",), GOLD.full_name: ("shop_id", "shop_key")}
    assert migrate(lake) == [
        Migration(
            table.full_name,
            older.schema_version,
            table.schema_version,
            ("refund_scope",),
            wanted[table.full_name],
            tuple(step.what for step in rewritings(table.full_name, older.schema_version)),
        )
        for table, older in ((SILVER, OLD_SILVER), (GOLD, OLD_GOLD))
    ]
    refuse_other_schemas(lake)
    versions = [LocalLake(lake).version(table) for table in (SILVER, GOLD)]
    assert migrate(lake) == []
    assert [LocalLake(lake).version(table) for table in (SILVER, GOLD)] == versions


@pytest.mark.parametrize("steps", [1, 2])
def test_a_migration_cut_off_at_any_step_is_finished(lake: Path, steps: int) -> None:
    add_columns(lake, SILVER, ("refund_scope",), ("shop_id",))
    if steps > 1:
        rewrite(lake, SILVER.full_name, OLD_SILVER.schema_version)
    with pytest.raises(ConfigurationError, match=KEYED):
        refuse_other_schemas(lake)
    migrate(lake)
    assert planned(lake) == []
    assert len(held(lake, SILVER)) == 5


def test_a_table_without_rows_only_gets_the_new_columns(tmp_path: Path) -> None:
    create_table(tmp_path, OLD_SILVER)
    migrate(tmp_path)
    assert (held(tmp_path, SILVER), planned(tmp_path)) == ([], [])


def test_refunds_that_an_export_and_the_platform_told_of_are_marked(tmp_path: Path) -> None:
    own = {**PULLED, "status": "success", "refund_scope": ""}
    exported = {**own, "refund_id": "o1:1", "feed": "orders_file"}
    apart = {**exported, "refund_id": "o2:1", "order_id": "o2"}
    fill(tmp_path, replace(SILVER, schema_version=3), [own, exported, apart])
    with pytest.raises(ConfigurationError, match="version 3, this program writes 4 with refunds told twice marked"):
        refuse_other_schemas(tmp_path)
    migrate(tmp_path)
    states = {row["refund_id"]: row["status"] for row in held(tmp_path, SILVER)}
    assert states == {"7001": "success", "o1:1": "superseded", "o2:1": "success"}
    assert planned(tmp_path) == []

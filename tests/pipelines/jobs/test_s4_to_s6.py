"""Features, tags and gold over several runs: what a run touches equals a rebuild, and everything follows identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import duckdb
import duckdb_extension_delta
import polars
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from pipelines.embedded import connected, embedded_session
from pipelines.jobs import s4_features, s5_tags, s6_gold
from pipelines.jobs.context import JobOutcome, RunContext, RunState
from pipelines.quality import check_table
from pipelines.spec import Table
from pipelines.tables import ALL
from pipelines.tables.gold import TABLES as GOLD
from tests.pipelines.jobs.customer_days import DAY_FOUR, DAY_ONE, DAY_TWO, A, C, D

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Rows = Callable[..., "DataFrame"]
pytestmark = pytest.mark.spark
CONF = Path(__file__).resolve().parents[3] / "conf"


class World:
    """A lake that runs are played on; what each run left behind is kept by the run's name."""

    def __init__(self, spark: SparkSession, rows: Rows, home: Path) -> None:
        from pipelines.store.lake import Lake

        self.rows = rows
        self.lake, self.rebuilt = Lake(embedded_session(), home, in_process=True), Lake(spark, home)
        self.after: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.outcomes: dict[str, list[JobOutcome]] = {}

    def put(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        for name, given in tables.items():
            self.lake.replace(ALL[name], self.rows(name, *given))

    def play(
        self, run_id: str, day: str, *, keys: tuple[int, ...] = (), staged: tuple[str, ...] = (), full: bool = False
    ) -> None:
        touched = [polars.DataFrame({"identifier_key": list(keys)}, schema={"identifier_key": polars.Int64})]
        state = RunState(staged={name: [] for name in staged}, touched=touched)
        given = {
            "staging": Path(self.lake.root) / "staging",
            "run_id": run_id,
            "first": day,
            "last": day,
            "as_of": day,
            "full": full,
            "state": state,
        }
        context = cast(
            RunContext,
            SimpleNamespace(
                lake=self.rebuilt if full else self.lake, settings=SimpleNamespace(conf=CONF), say=str, **given
            ),
        )
        with connected(on=not full):
            self.outcomes[run_id] = [job.run(context) for job in (s4_features, s5_tags, s6_gold)]
        names = [
            "features.customer_features",
            "features.customer_tags",
            "features.tag_changes",
            *(t.full_name for t in GOLD),
        ]
        kept = [name for name in names if name != "gold.dim_date"]
        self.after[run_id] = {name: self.lake.local.scan(ALL[name]).collect().to_dicts() for name in kept}

    def features(self, run_id: str) -> dict[str, dict[str, Any]]:
        return {row["one_id"]: row for row in self.after[run_id]["features.customer_features"]}

    def tags(self, run_id: str, one_id: str) -> dict[str, str]:
        return {
            row["tag"]: row["value"] for row in self.after[run_id]["features.customer_tags"] if row["one_id"] == one_id
        }


@pytest.fixture(scope="module")
def world(spark: SparkSession, embedded_rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Day one; on day two a merge, a refund, a newcomer and a lost friend; a quiet rebuild; summer; a split."""
    world = World(spark, embedded_rows, tmp_path_factory.mktemp("lake"))
    world.put(DAY_ONE)
    world.play("r1", "2025-03-01")
    world.put(DAY_TWO)
    world.play(
        "r2",
        "2025-03-02",
        keys=(A, C, D),
        staged=("silver.orders", "silver.order_lines", "silver.refunds", "silver.contact_follows"),
    )
    world.play("rebuild", "2025-03-02", full=True)
    world.play("summer", "2025-07-01")
    world.put(DAY_FOUR)
    world.play("r4", "2025-07-02")
    return world


def test_a_rebuild_after_an_incremental_run_changes_no_row(world: World) -> None:
    changed = [
        (write.table, write.changed)
        for outcome in world.outcomes["rebuild"]
        for write in outcome.writes
        if write.changed
    ]
    assert changed == []


def test_net_revenue_leaves_refunds_and_internal_orders_out(world: World) -> None:
    assert world.features("r1")["A"]["net_revenue_fen"] == 10_100
    assert world.features("r2")["A"]["net_revenue_fen"] == 5_100


def test_a_merge_adds_both_sides_once(world: World) -> None:
    found = world.features("r2")
    assert "B" not in found
    assert (found["A"]["paid_fen_douyin"], found["A"]["paid_fen_tmall"], found["A"]["points_balance"]) == (
        10_100,
        5_100,
        50,
    )


def test_a_split_gives_both_sides_theirs_back(world: World) -> None:
    before, after = world.features("r1")["B"], world.features("r4")["B"]
    assert after == before
    assert world.features("r4")["A"]["paid_fen"] == 10_100


def test_the_most_restrictive_consent_holds_after_a_merge_and_shows_the_conflict(world: World) -> None:
    merged = world.features("r2")["A"]
    assert (merged["consent_marketing"], merged["consent_conflict"]) == ("withdrawn", True)
    assert world.features("r4")["A"]["consent_marketing"] == "granted"


def test_a_file_sources_orders_count_as_other(world: World) -> None:
    assert world.features("r2")["D"]["orders_other"] == 1


def test_visitors_have_features_and_neither_layer_nor_tags(world: World) -> None:
    visitor = world.features("r1")["V"]
    assert (visitor["is_visitor"], visitor["relation_layer"], visitor["visit_days"]) == (True, None, 1)
    assert world.tags("r1", "V") == {}


def test_layers_follow_the_facts(world: World) -> None:
    first, second = world.features("r1"), world.features("r2")
    assert (first["A"]["relation_layer"], first["C"]["relation_layer"]) == ("public", "friend")
    assert (second["C"]["relation_layer"], second["D"]["relation_layer"]) == ("none", "private")


def test_the_layer_of_the_features_is_the_last_of_the_history(world: World) -> None:
    last = {
        row["one_id"]: row["layer"] for row in world.after["r4"]["gold.fact_relation_daily"] if row["valid_to"] is None
    }
    layers = {one_id: row["relation_layer"] for one_id, row in world.features("r4").items() if not row["is_visitor"]}
    assert last == layers


def test_tag_changes_name_their_cause(world: World) -> None:
    told = {
        (row["one_id"], row["tag"], str(row["as_of"])): row["cause"]
        for row in world.after["r4"]["features.tag_changes"]
    }
    assert told["D", "aarrr", "2025-03-02"] == "facts"
    assert told["B", "lifecycle", "2025-03-02"] == "merge"
    assert told["A", "main_channel", "2025-03-02"] == "merge"
    assert told["D", "lifecycle", "2025-07-01"] == "time"
    assert told["B", "lifecycle", "2025-07-02"] == "split"


def test_a_tag_says_since_when_and_why(world: World) -> None:
    (tag,) = [
        row
        for row in world.after["summer"]["features.customer_tags"]
        if (row["one_id"], row["tag"]) == ("D", "lifecycle")
    ]
    assert (tag["value"], str(tag["as_of"])) == ("dormant", "2025-07-01")
    assert tag["reason"].startswith("首购 2025-03-02，最近购买 2025-03-02，净消费 21.00 元（1 单）")


def test_a_quiet_day_writes_only_what_the_calendar_changes(world: World) -> None:
    changed = {write.table for outcome in world.outcomes["summer"] for write in outcome.writes if write.changed}
    assert changed == {
        "features.customer_tags",
        "features.tag_changes",
        "gold.bridge_customer_tag",
        "gold.agg_funnel_daily",
        "gold.agg_oneid_daily",
    }


@pytest.mark.parametrize("run_id", ["r1", "r2", "r4", "summer"])
def test_gold_tells_of_the_tags_that_stand(world: World, run_id: str) -> None:
    told = {
        (row["one_id"], row["tag"], row["value"], row["reason"], row["since"])
        for row in world.after[run_id]["gold.bridge_customer_tag"]
    }
    standing = {
        (row["one_id"], row["tag"], row["value"], row["reason"], row["as_of"])
        for row in world.after[run_id]["features.customer_tags"]
    }
    assert told == standing


@pytest.mark.parametrize("run_id", ["r1", "r2", "r4"])
def test_gold_sums_equal_silver_facts_of_nobody_included(world: World, run_id: str) -> None:
    given = DAY_ONE if run_id == "r1" else {**DAY_ONE, **DAY_TWO}
    lines, refunds = world.after[run_id]["gold.fact_order_line"], world.after[run_id]["gold.fact_refund"]
    assert sum(row["revenue_fen"] for row in lines) == sum(row["paid_fen"] for row in given["silver.orders"])
    assert sum(row["refunded_fen"] for row in refunds) == sum(
        row["amount_fen"] for row in given.get("silver.refunds", [])
    )
    assert [row["order_id"] for row in lines if row["one_id"] is None] == ["o3"]


def test_gold_and_features_agree_person_by_person(world: World) -> None:
    gold: dict[str, int] = {}
    for row in world.after["r4"]["gold.fact_order_line"]:
        if row["one_id"] and not row["is_internal"]:
            gold[row["one_id"]] = gold.get(row["one_id"], 0) + row["revenue_fen"]
    for row in world.after["r4"]["gold.fact_refund"]:
        gold[row["one_id"]] -= row["refunded_fen"]
    features = {one_id: row["net_revenue_fen"] for one_id, row in world.features("r4").items()}
    assert {one_id: fen for one_id, fen in features.items() if fen} == {
        one_id: fen for one_id, fen in gold.items() if fen
    }


def test_facts_never_name_a_retired_person(world: World) -> None:
    for name in (
        "gold.fact_order_line",
        "gold.fact_points",
        "gold.fact_refund",
        "gold.bridge_customer_tag",
        "gold.dim_customer",
    ):
        assert "B" not in {row["one_id"] for row in world.after["r2"][name]}


def test_every_check_of_the_written_tables_holds(world: World) -> None:
    tables = (ALL["features.customer_features"], ALL["features.customer_tags"], ALL["features.tag_changes"], *GOLD)
    results = [result for table in tables for result in check_table(world.lake, table)]
    assert len(results) > 50
    assert [(result.table, result.check) for result in results if result.failed] == []


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the Delta extension that the environment carries."""
    (extension,) = Path(duckdb_extension_delta.__file__).parent.glob("extensions/*/delta.duckdb_extension")
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension}'")
        yield connection


@pytest.mark.parametrize("table", GOLD, ids=lambda table: table.name)
def test_every_client_reads_the_same_rows_and_sums(world: World, duck: duckdb.DuckDBPyConnection, table: Table) -> None:
    path, figures = world.lake.path(table), [column.name for column in table.columns if column.type == "bigint"]
    arrow, frame, relation = (
        DeltaTable(path).to_pyarrow_table(),
        polars.read_delta(path),
        duck.sql(f"FROM delta_scan('{path}')"),
    )
    kept = world.rebuilt.read(table).collect()
    expected = [len(kept), *(sum(row[name] or 0 for row in kept) for name in figures)]
    assert [arrow.num_rows, *(pc.sum(arrow[name]).as_py() or 0 for name in figures)] == expected
    assert [frame.height, *(frame[name].sum() for name in figures)] == expected
    sums = ", ".join(("count(*)", *(f'coalesce(sum("{name}"), 0)' for name in figures)))
    assert [int(value) for value in relation.aggregate(sums).fetchall()[0]] == expected

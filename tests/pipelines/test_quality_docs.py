"""Suites look at the rows of the days asked for, count what breaks a rule, and show no value anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.quality_docs import Extent, Sitting, docs_folder, inspect, run_suites
from pipelines.quality_rules import CheckResult
from pipelines.settings import Settings
from tests.pipelines.published import publish_run, write

SITTING = Sitting("r000001-2025-03-01", 1740812400000)
ORDERS, FACTS, EVENTS = "silver.orders", "gold.fact_points", "silver.events"


def order(number: int, day: str = "2025-03-01", **known: Any) -> dict[str, Any]:
    names = {"platform": "douyin", "shop_id": "s", "order_id": f"secretive{number}", "is_paid": False, "interval": day}
    return names | {"status": "created"} | known


def look(home: Path, *tables: str, days: tuple[str, str] | None = None, most: int = 1000) -> dict[str, CheckResult]:
    results = run_suites(home, tables, Extent(days, most, {}), SITTING)
    return {f"{result.table} {result.check.removeprefix('suite_')}": result for result in results}


def test_an_empty_lake_costs_nothing_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, ORDERS, [])
    assert look(tmp_path, ORDERS, FACTS) == {}
    assert not docs_folder(tmp_path).exists()


def test_a_table_without_a_suite_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "ops.batch_files", [{"name": "a"}])
    assert look(tmp_path, "ops.batch_files") == {}


@pytest.mark.e2e
def test_rows_that_keep_every_rule_have_no_failure_and_stand_in_the_documents(tmp_path: Path) -> None:
    write(tmp_path, ORDERS, [order(1), order(2)])
    write(tmp_path, FACTS, [{"source": "brand", "record_id": "1"}])
    found = look(tmp_path, ORDERS, FACTS)
    assert {result.failed for result in found.values()} == {0}
    assert found[f"{ORDERS} key_unique"].rows == 2
    index = (docs_folder(tmp_path) / "index.html").read_text(encoding="utf-8")
    assert SITTING.name in index
    assert {path.name for path in docs_folder(tmp_path).rglob("orders.html")} == {"orders.html"}


@pytest.mark.e2e
def test_broken_rules_are_counted_with_masked_samples(tmp_path: Path) -> None:
    rows = [order(1), order(1), order(2, is_paid=True), order(3, paid_fen=-5), order(4)]
    write(tmp_path, ORDERS, rows)
    found = {name.split()[1]: result for name, result in look(tmp_path, ORDERS).items() if result.failed}
    assert {name: (r.failed, r.rows, r.severity) for name, r in found.items()} == {
        "key_unique": (2, 5, "block"),
        "paid_has_time": (1, 5, "block"),
        "paid_not_negative": (1, 5, "block"),
    }
    assert found["paid_has_time"].samples == ({"platform": "***", "shop_id": "***", "order_id": "sec***ve2"},)


@pytest.mark.e2e
def test_no_value_of_a_row_reaches_the_documents(tmp_path: Path) -> None:
    write(tmp_path, ORDERS, [order(1), order(1), order(2, is_paid=True), order(3, paid_fen=-123456789)])
    look(tmp_path, ORDERS)
    text = "".join(path.read_text(encoding="utf-8") for path in docs_folder(tmp_path).rglob("*.html"))
    assert "paid_fen" in text
    assert [word for word in ("secretive", "123456789") if word in text] == []


@pytest.mark.e2e
def test_only_rows_of_the_days_are_looked_at(tmp_path: Path) -> None:
    write(tmp_path, ORDERS, [order(1, "2025-03-01", is_paid=True), order(2, "2025-03-02"), order(3, "2025-03-03")])
    found = look(tmp_path, ORDERS, days=("2025-03-02", "2025-03-03"))
    assert {(result.rows, result.failed) for result in found.values()} == {(2, 0)}
    assert look(tmp_path, ORDERS, days=("2025-03-04", "2025-03-04")) == {}


@pytest.mark.e2e
def test_of_many_rows_a_part_is_looked_at_and_equal_keys_stay_together(tmp_path: Path) -> None:
    write(tmp_path, ORDERS, [order(number % 400) for number in range(800)])
    result = look(tmp_path, ORDERS, most=100)[f"{ORDERS} key_unique"]
    assert 20 < result.rows < 200
    assert result.failed == result.rows


@pytest.mark.e2e
def test_a_partitioned_table_is_looked_at_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, EVENTS, [{"event_id": "e1", "event_at": 1740812400000}, {"event_id": "e2"}])
    found = look(tmp_path, EVENTS)
    assert found[f"{EVENTS} has_time"].failed == 1


@pytest.mark.e2e
def test_inspecting_follows_the_published_versions(tmp_path: Path) -> None:
    write(tmp_path, FACTS, [{"source": "brand", "record_id": "1"}])
    publish_run(tmp_path, 1)
    write(tmp_path, FACTS, [{"source": "brand", "record_id": "1"}])
    write(tmp_path, ORDERS, [order(1), order(1)])
    settings = Settings(home=tmp_path)  # type: ignore[call-arg]  # the rest has defaults
    found = {(result.table, result.failed) for result in inspect(settings, None) if result.failed}
    assert found == {(ORDERS, 2)}

"""Gold facts: sums equal silver's, whoever the facts belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.jobs import s6_aggregates, s6_dims, s6_facts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Rows = Callable[..., "DataFrame"]
Lines = dict[tuple[str, str], dict[str, Any]]
pytestmark = pytest.mark.spark

SHOP = {"platform": "tmall", "shop_id": "s"}


def order(order_id: str, **given: Any) -> dict[str, Any]:
    return {
        **SHOP,
        "order_id": order_id,
        "is_paid": True,
        "paid_fen": 1_000,
        "subject_key": 1,
        "status": "paid",
        **given,
    }


def line(order_id: str, line_id: str, **given: Any) -> dict[str, Any]:
    return {**SHOP, "order_id": order_id, "line_id": line_id, "is_paid": True, "status": "paid", **given}


def owners(rows: Rows) -> DataFrame:
    held = rows("identity.oneid_map", {"identifier_key": 1, "one_id": "A"})
    return held.selectExpr("identifier_key AS subject_key", "one_id")


@pytest.fixture(scope="module")
def lines(rows: Rows) -> Lines:
    """Rows of gold.fact_order_line by order and line."""
    orders = rows(
        "silver.orders",
        order("two", paid_fen=1_050, freight_fen=50, platform_subsidy_fen=7),
        order("bare"),
        order("hub", subject_key=9),
        order("unpaid", is_paid=False, paid_fen=0, deposit_fen=480),
        order("no_amount", paid_fen=None, freight_fen=5),
    )
    given = rows(
        "silver.order_lines",
        line("two", "1", is_gift=True, paid_fen=0),
        line("two", "2", paid_fen=600, product_id="p", sku_id="k"),
        line("two", "3", paid_fen=400, product_id="p"),
        line("hub", "1", paid_fen=1_000),
        line("unpaid", "1", is_paid=False, paid_fen=0),
        line("no_amount", "1", paid_fen=40),
        line("orphan", "1", paid_fen=70, subject_key=1),
    )
    back = {**SHOP, "refund_id": "r", "order_id": "two", "status": "success", "amount_fen": 450, "freight_fen": 50}
    refunds = rows("silver.refunds", {**back, "line_id": "3"}, {**back, "order_id": "unpaid", "line_id": "1"})
    found = s6_facts.order_lines(orders, given, refunds, owners(rows)).collect()
    return {(row["order_id"], row["line_id"]): row.asDict() for row in found}


def test_freight_lies_on_the_first_line_that_is_no_gift(lines: Lines) -> None:
    assert [lines["two", number]["order_rest_fen"] for number in "123"] == [0, 50, 0]


def test_the_lines_of_an_order_sum_to_its_payment(lines: Lines) -> None:
    assert sum(row["revenue_fen"] for (order_id, _), row in lines.items() if order_id == "two") == 1_050


def test_what_went_back_lies_on_its_line_and_its_freight_where_the_freight_is(lines: Lines) -> None:
    assert [lines["two", number]["refunded_fen"] for number in "123"] == [0, 50, 400]
    assert [lines["two", number]["net_fen"] for number in "123"] == [0, 600, 0]


def test_a_line_called_refunded_of_which_no_refund_is_known_is_pending(rows: Rows) -> None:
    said = {"refund_state": "success", "paid_fen": 400}
    given = rows(
        "silver.order_lines",
        line("told", "1", **said),
        line("told", "2", **said),
        line("told", "3", paid_fen=200),
        line("told", "4", refund_state="success", is_gift=True),
        line("told", "5", refund_state="success", paid_fen=0),
        line("open", "1", paid_fen=1_000, refund_state="open"),
        line("unpaid", "1", **said | {"is_paid": False}),
    )
    orders = rows("silver.orders", order("told"), order("open"), order("unpaid", is_paid=False, paid_fen=0))
    back = {**SHOP, "refund_id": "r", "order_id": "told", "line_id": "2", "status": "success", "amount_fen": 300}
    found = s6_facts.order_lines(orders, given, rows("silver.refunds", back), owners(rows)).collect()
    assert {(row["order_id"], row["line_id"]): row["net_fen"] for row in found if row["refund_pending"]} == {
        ("told", "1"): 400
    }


def test_nothing_went_back_of_an_order_that_was_never_paid(lines: Lines) -> None:
    assert (lines["unpaid", "1"]["refunded_fen"], lines["unpaid", "1"]["net_fen"]) == (0, 0)


def test_an_order_without_lines_has_one_row(lines: Lines) -> None:
    assert (lines["bare", ""]["revenue_fen"], lines["bare", ""]["order_count"], lines["bare", ""]["one_id"]) == (
        1_000,
        1,
        "A",
    )


def test_an_order_without_an_amount_is_worth_its_lines_and_freight(lines: Lines) -> None:
    assert lines["no_amount", "1"]["revenue_fen"] == 45


def test_an_order_of_nobody_is_counted_under_no_one(lines: Lines) -> None:
    assert (lines["hub", "1"]["one_id"], lines["hub", "1"]["revenue_fen"]) == (None, 1_000)


def test_an_unpaid_order_counts_nothing_and_keeps_what_is_left_of_its_deposit_apart(lines: Lines) -> None:
    assert (lines["unpaid", "1"]["revenue_fen"], lines["unpaid", "1"]["deposit_fen"]) == (0, 30)


def test_a_line_without_its_order_counts_its_own_payment(lines: Lines) -> None:
    assert (lines["orphan", "1"]["revenue_fen"], lines["orphan", "1"]["one_id"]) == (70, "A")


def test_orders_are_counted_once(lines: Lines) -> None:
    assert sum(row["order_count"] for row in lines.values()) == 6


def test_lines_join_their_product(lines: Lines) -> None:
    assert [lines["two", number]["product_key"] for number in "123"] == [None, "tmall|p|k", "tmall|p|"]


def test_a_refund_counts_when_it_succeeded_unless_its_order_was_never_paid(rows: Rows) -> None:
    refund = {**SHOP, "amount_fen": 10, "status": "success"}
    refunds = rows(
        "silver.refunds",
        {**refund, "refund_id": "a", "order_id": "paid"},
        {**refund, "refund_id": "b", "order_id": "paid", "status": "applied"},
        {**refund, "refund_id": "c", "order_id": "unpaid"},
        {**refund, "refund_id": "d", "order_id": "unknown"},
    )
    orders = rows("silver.orders", order("paid"), order("unpaid", is_paid=False))
    found = s6_facts.refunds(s6_facts.with_order(refunds, orders), owners(rows)).collect()
    assert {row["refund_id"]: (row["refunded_fen"], row["one_id"], row["order_known"]) for row in found} == {
        "a": (10, "A", True),
        "b": (0, "A", True),
        "c": (0, "A", True),
        "d": (10, None, False),
    }


def test_products_only_orders_name_are_in_the_dimension(rows: Rows) -> None:
    listed = rows(
        "silver.products", {"platform": "tmall", "product_id": "p", "sku_id": "", "category": "tea", "name": "Tea"}
    )
    seen = rows(
        "silver.order_lines",
        line("o", "1", product_id="p", sku_id="k", product_name="Tea 50 g"),
        line("o", "2", product_id="p"),
    )
    found = {
        row["product_key"]: (row["name"], row["category"], row["is_listed"])
        for row in s6_dims.products(listed, seen).collect()
    }
    assert found == {"tmall|p|": ("Tea", "tea", True), "tmall|p|k": ("Tea 50 g", "tea", False)}


def test_the_calendar_knows_weeks_and_festivals(rows: Rows) -> None:
    found = s6_dims.calendar(rows("silver.staff"), as_of="2025-03-01")
    (day,) = found.where("business_date = DATE'2025-11-11'").collect()
    assert (day["weekday_label"], str(day["iso_week_start"]), day["festival"], day["quarter"]) == (
        "周二",
        "2025-11-10",
        "1111",
        4,
    )
    assert found.count() == 6_574


def test_the_stock_of_a_layer_is_carried_over_quiet_days(rows: Rows) -> None:
    change = {"previous_layer": "none", "layer": "public", "direction": "up"}
    changes = rows(
        "gold.fact_relation_daily",
        {**change, "one_id": "A", "business_date": "2025-01-01"},
        {**change, "one_id": "B", "business_date": "2025-01-03"},
        {**change, "one_id": "A", "business_date": "2025-01-03", "previous_layer": "public", "layer": "friend"},
        {**change, "one_id": "C", "business_date": "2025-01-09"},
    )
    found = s6_aggregates.funnel(changes, as_of="2025-01-04").collect()
    public = [
        (row["people"], row["entered"], row["departed"])
        for row in sorted(found, key=lambda r: r["business_date"])
        if row["layer"] == "public"
    ]
    assert public == [(1, 1, 0), (1, 0, 0), (1, 1, 1), (1, 0, 0)]
    assert [
        (str(r["business_date"]), r["people"], r["from_public"])
        for r in found
        if r["layer"] == "friend" and r["entered"]
    ] == [("2025-01-03", 1, 1)]


def test_people_known_in_two_channels_are_counted_for_the_pair(rows: Rows) -> None:
    features = rows(
        "features.customer_features",
        {
            "one_id": "A",
            "first_seen_date": "2025-01-01",
            "known_douyin_since": "2025-01-01",
            "known_wecom_since": "2025-01-02",
        },
        {"one_id": "B", "first_seen_date": "2025-01-01", "known_douyin_since": "2025-01-01"},
        {"one_id": "V", "first_seen_date": "2025-01-01", "is_visitor": True},
    )
    changes = rows("identity.oneid_changes", {"as_of": "2025-01-02", "change": "merge", "one_id": "A"})
    found = (
        s6_aggregates.oneid_assets(features, changes, as_of="2025-01-02")
        .where("business_date = DATE'2025-01-02'")
        .collect()
    )
    counted = {
        (row["channel"], row["other_channel"]): (row["new_people"], row["people"], row["merged"]) for row in found
    }
    assert counted == {
        ("all", "all"): (0, 2, 1),
        ("douyin", "douyin"): (0, 2, 0),
        ("wecom", "wecom"): (1, 1, 0),
        ("douyin", "wecom"): (1, 1, 0),
    }

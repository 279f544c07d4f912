"""What orders are worth, and facts in the words of the features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.jobs import s4_facts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Rows = Callable[..., "DataFrame"]
Worths = dict[str, dict[str, Any]]
pytestmark = pytest.mark.spark

SHOP = {"platform": "tmall", "shop_id": "s"}
PAID = {**SHOP, "is_paid": True, "paid_fen": 10_000, "status": "paid", "subject_key": 1}


def line(order_id: str, line_id: str, **given: Any) -> dict[str, Any]:
    return {**SHOP, "order_id": order_id, "line_id": line_id, "is_paid": True, **given}


def refund(order_id: str, refund_id: str, **given: Any) -> dict[str, Any]:
    return {**SHOP, "order_id": order_id, "refund_id": refund_id, "status": "success", **given}


ORDERS = {
    "plain": {},
    "part_refunded": {},
    "refunded": {},
    "gifts": {"paid_fen": 0},
    "said_refunded": {},
    "closed": {"status": "closed"},
    "closed_and_known": {"status": "closed"},
    "internal": {"is_internal": True},
    "no_amount": {"paid_fen": None, "freight_fen": 10},
}
LINES = [
    line("gifts", "g", is_gift=True),
    line("said_refunded", "l", refund_state="success", paid_fen=10_000),
    line("no_amount", "a", paid_fen=400),
    line("no_amount", "b", paid_fen=500),
    line("no_amount", "g", is_gift=True),
]
REFUNDS = [
    refund("part_refunded", "a", amount_fen=300),
    refund("part_refunded", "b", amount_fen=700, status="applied"),
    refund("refunded", "c", amount_fen=10_000),
    refund("closed_and_known", "d", amount_fen=10_000),
]


@pytest.fixture(scope="module")
def worths(rows: Rows) -> Worths:
    """What each order is worth, by order number, with internal orders left out and counted."""
    frames = (
        rows("silver.orders", *({"order_id": name, **PAID, **order} for name, order in ORDERS.items())),
        rows("silver.order_lines", *LINES),
        rows("silver.refunds", *REFUNDS),
    )
    left_out = s4_facts.order_worth(*frames, include_internal=False).collect()
    (counted,) = s4_facts.order_worth(*frames, include_internal=True).where("is_internal").collect()
    return {**{row["order_id"]: row.asDict() for row in left_out}, "internal_counted": counted.asDict()}


def test_a_paid_order_is_worth_what_the_buyer_paid(worths: Worths) -> None:
    found = worths["plain"]
    assert (found["paid"], found["kept"], found["worth_fen"], found["refunded_fen"]) == (True, True, 10_000, 0)


def test_only_successful_refunds_are_taken_off(worths: Worths) -> None:
    assert (worths["part_refunded"]["refunded_fen"], worths["part_refunded"]["kept"]) == (300, True)


def test_a_wholly_refunded_order_is_no_purchase_kept(worths: Worths) -> None:
    assert (worths["refunded"]["paid"], worths["refunded"]["kept"]) == (True, False)


def test_an_order_of_gifts_alone_is_no_purchase(worths: Worths) -> None:
    assert worths["gifts"]["kept"] is False


def test_a_refund_the_line_speaks_of_is_pending_and_takes_no_amount_off(worths: Worths) -> None:
    found = worths["said_refunded"]
    assert (found["refund_pending"], found["refunded_fen"], found["kept"]) == (True, 0, True)


def test_a_closed_paid_order_is_pending_until_its_refund_is_known(worths: Worths) -> None:
    assert (worths["closed"]["refund_pending"], worths["closed_and_known"]["refund_pending"]) == (True, False)


def test_an_internal_order_is_left_out_unless_configured(worths: Worths) -> None:
    assert (worths["internal"]["paid"], worths["internal_counted"]["paid"]) == (False, True)


def test_an_order_without_an_amount_is_worth_its_lines_and_freight(worths: Worths) -> None:
    assert worths["no_amount"]["worth_fen"] == 910


def test_a_line_takes_its_category_from_the_sku_then_from_the_product(rows: Rows) -> None:
    bought = {**SHOP, "order_id": "o", "is_paid": True, "subject_key": 1, "product_id": "p"}
    lines = rows(
        "silver.order_lines", {**bought, "line_id": "1", "sku_id": "k"}, {**bought, "line_id": "2", "sku_id": "other"}
    )
    products = rows(
        "silver.products",
        {"platform": "tmall", "product_scope": "", "product_id": "p", "sku_id": "", "category": "tea"},
        {"platform": "tmall", "product_scope": "", "product_id": "p", "sku_id": "k", "category": "cup"},
    )
    owners = rows("identity.oneid_map", {"identifier_key": 1, "one_id": "A"}).selectExpr(
        "identifier_key AS subject_key", "one_id"
    )
    left_out = rows("silver.orders").select(*s4_facts.ORDER)
    found = s4_facts.line_facts(lines, products, left_out, owners)
    assert sorted(row["category"] for row in found.collect()) == ["cup", "tea"]


def test_gifts_refunded_lines_and_left_out_orders_are_no_line_facts(rows: Rows) -> None:
    bought = {**SHOP, "order_id": "o", "is_paid": True, "subject_key": 1, "product_id": "p"}
    lines = rows(
        "silver.order_lines",
        {**bought, "line_id": "1", "is_gift": True},
        {**bought, "line_id": "2", "refund_state": "success"},
        {**bought, "line_id": "3", "order_id": "internal"},
        {**bought, "line_id": "4", "is_paid": False},
        {**bought, "line_id": "5", "quantity": 7},
    )
    left_out = rows("silver.orders", {**SHOP, "order_id": "internal"}).select(*s4_facts.ORDER)
    owners = rows("identity.oneid_map", {"identifier_key": 1, "one_id": "A"}).selectExpr(
        "identifier_key AS subject_key", "one_id"
    )
    found = s4_facts.line_facts(lines, rows("silver.products"), left_out, owners)
    assert [row["quantity"] for row in found.collect()] == [7]


def test_of_one_identifier_the_latest_consent_counts(rows: Rows) -> None:
    consent = {"purpose": "marketing", "subject_key": 1}
    consents = rows(
        "silver.consents",
        {**consent, "consent_id": "1", "status": "withdrawn", "stated_at": "2025-01-01T00:00"},
        {**consent, "consent_id": "2", "status": "granted", "stated_at": "2025-01-02T00:00"},
    )
    owners = rows("identity.oneid_map", {"identifier_key": 1, "one_id": "A"}).selectExpr(
        "identifier_key AS subject_key", "one_id"
    )
    assert [row["status"] for row in s4_facts.consent_facts(consents, owners).collect()] == ["granted"]

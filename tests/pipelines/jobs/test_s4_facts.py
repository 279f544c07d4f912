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
    "goods_back": {"status": "closed", "freight_fen": 800},
    "price_protected": {"status": "finished"},
    "nothing_to_pay": {"paid_fen": 0},
    "nothing_to_pay_closed": {"paid_fen": 0, "status": "closed"},
    "free_line_back": {},
    "deposit": {"is_paid": False, "paid_fen": 0, "deposit_fen": 500, "status": "deposit_paid"},
    "deposit_back": {"is_paid": False, "paid_fen": 0, "deposit_fen": 500, "status": "closed"},
    "deposit_then_paid": {"deposit_fen": 0},
}
LINES = [
    line("gifts", "g", is_gift=True),
    line("said_refunded", "l", refund_state="success", paid_fen=10_000),
    line("no_amount", "a", paid_fen=400),
    line("no_amount", "b", paid_fen=500),
    line("no_amount", "g", is_gift=True),
    line("nothing_to_pay", "l", paid_fen=0),
    line("nothing_to_pay_closed", "l", paid_fen=0, refund_state="success"),
    line("free_line_back", "l", paid_fen=0, refund_state="success"),
    line("free_line_back", "m", paid_fen=10_000),
]
REFUNDS = [
    refund("part_refunded", "a", amount_fen=300),
    refund("part_refunded", "b", amount_fen=700, status="applied"),
    refund("refunded", "c", amount_fen=10_000),
    refund("closed_and_known", "d", amount_fen=10_000),
    refund("goods_back", "e", amount_fen=9_200),
    refund("price_protected", "f", amount_fen=9_200, refund_type="price_protection"),
    refund("deposit_back", "g", amount_fen=500),
    refund("deposit_then_paid", "h", amount_fen=500),
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


def test_a_closed_order_whose_freight_the_seller_keeps_is_no_purchase_kept(worths: Worths) -> None:
    assert (worths["goods_back"]["kept"], worths["goods_back"]["refunded_fen"]) == (False, 9_200)
    assert worths["price_protected"]["kept"] is True
    assert (worths["closed"]["kept"], worths["closed_and_known"]["kept"]) == (True, False)


def test_of_an_order_without_anything_to_pay_nothing_is_pending(worths: Worths) -> None:
    assert (worths["nothing_to_pay"]["kept"], worths["nothing_to_pay"]["refund_pending"]) == (True, False)
    closed = worths["nothing_to_pay_closed"]
    assert (closed["paid"], closed["kept"], closed["refund_pending"]) == (True, False, False)
    assert worths["free_line_back"]["refund_pending"] is False


def test_a_deposit_that_was_given_back_is_no_longer_held(worths: Worths) -> None:
    held = [worths[name]["held_fen"] for name in ("deposit", "deposit_back", "deposit_then_paid")]
    assert held == [500, 0, 0]


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
        {"platform": "tmall", "product_id": "p", "sku_id": "", "category": "tea"},
        {"platform": "tmall", "product_id": "p", "sku_id": "k", "category": "cup"},
    )
    owners = rows("identity.oneid_map", {"identifier_key": 1, "one_id": "A"}).selectExpr(
        "identifier_key AS subject_key", "one_id"
    )
    left_out = rows("silver.orders").select(*s4_facts.ORDER)
    found = s4_facts.line_facts(lines, rows("silver.refunds"), products, left_out, owners)
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
    found = s4_facts.line_facts(lines, rows("silver.refunds"), rows("silver.products"), left_out, owners)
    assert [row["quantity"] for row in found.collect()] == [7]


def test_a_line_is_refunded_when_all_that_was_paid_for_it_went_back(rows: Rows) -> None:
    said, silent = {"refund_state": "success"}, {"refund_state": None}
    stated = {
        ("o", "part"): (said, [refund("o", "1", amount_fen=300, line_id="part")]),
        ("o", "freight"): (said, [refund("o", "2", amount_fen=300, freight_fen=300, line_id="freight")]),
        ("o", "twice"): (silent, [refund("o", str(n), amount_fen=500, line_id="twice") for n in (3, 4)]),
        ("o", "goods"): (said, [refund("o", "5", amount_fen=1_100, freight_fen=100, line_id="goods")]),
        ("o", "closed"): (silent, [refund("o", "6", amount_fen=1_000, line_id="closed", status="closed")]),
        ("o", "said"): (said, []),
        ("p", "1"): (said, [refund("p", "7", amount_fen=300, line_id="1"), refund("p", "8", amount_fen=1_700)]),
    }
    owned = {"subject_key": 1, "product_id": "p", "paid_fen": 1_000}
    lines = [line(*name, **owned, **state, quantity=number) for number, (name, (state, _)) in enumerate(stated.items())]
    refunds = rows("silver.refunds", *(back for _, backs in stated.values() for back in backs))
    owners = rows("identity.oneid_map", {"identifier_key": 1, "one_id": "A"}).selectExpr(
        "identifier_key AS subject_key", "one_id"
    )
    nothing = rows("silver.orders").select(*s4_facts.ORDER)
    found = s4_facts.line_facts(rows("silver.order_lines", *lines), refunds, rows("silver.products"), nothing, owners)
    kept = {list(stated)[row["quantity"]][1] for row in found.collect()}
    assert kept == {"part", "freight", "closed"}


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

"""What went back for each line: on the lines that a case is about, in fair parts, and never a fen more or less."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.jobs.s6_refunds import line_refunds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Rows = Callable[..., "DataFrame"]
pytestmark = pytest.mark.spark

SHOP = {"platform": "douyin", "shop_id": "s"}
PAID = {"1": 600, "2": 300, "3": 100, "g": 0}
"""Payments of the order's lines; `g` is a gift."""

CASES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "of a line": ({"line_id": "2", "amount_fen": 300}, {"2": 300}),
    "in part": ({"line_id": "2", "amount_fen": 1}, {"2": 1}),
    "with freight, which lies on the first line": (
        {"line_id": "2", "amount_fen": 350, "freight_fen": 50},
        {"1": 50, "2": 300},
    ),
    "beyond the line's payment": ({"line_id": "3", "amount_fen": 112}, {"1": 12, "3": 100}),
    "of a gift": ({"line_id": "g", "amount_fen": 5}, {"1": 5}),
    "of lines with amounts": ({"line_amounts": {"2": 200, "3": 50}, "amount_fen": 250}, {"2": 200, "3": 50}),
    "of lines whose amounts are no whole": ({"line_amounts": {"1": 2, "2": 1}, "amount_fen": 100}, {"1": 66, "2": 34}),
    "of lines without amounts": ({"line_amounts": {"2": 0, "3": 0}, "amount_fen": 40}, {"2": 30, "3": 10}),
    "of a line that a push named beside": (
        {"line_id": "1", "line_amounts": {"2": 200, "3": 50}, "amount_fen": 250},
        {"2": 200, "3": 50},
    ),
    "of the order": ({"amount_fen": 101}, {"1": 60, "2": 30, "3": 11}),
    "of an unknown line": ({"line_id": "x", "amount_fen": 10}, {"1": 6, "2": 3, "3": 1}),
    "not yet made": ({"line_id": "2", "amount_fen": 300, "status": "processing"}, {}),
    "without an amount": ({"line_id": "2"}, {}),
}


def refund(refund_id: str, **given: Any) -> dict[str, Any]:
    amounts = given.pop("line_amounts", None)
    told = {"order_id": refund_id, "status": "success", "line_amounts": json.dumps(amounts) if amounts else None}
    return {**SHOP, "refund_id": refund_id, **told, **given}


def lines_of(order_id: str, paid: dict[str, int]) -> list[dict[str, Any]]:
    of_order = {**SHOP, "order_id": order_id}
    return [{**of_order, "line_id": name, "paid_fen": fen, "is_gift": name == "g"} for name, fen in paid.items()]


def found(rows: Rows, refunds: list[dict[str, Any]], lines: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What went back, by order and line; nothing is left out."""
    result: dict[str, dict[str, int]] = {}
    for row in line_refunds(rows("silver.refunds", *refunds), rows("silver.order_lines", *lines)).collect():
        if row["refunded_fen"]:
            result.setdefault(row["order_id"], {})[row["line_id"]] = row["refunded_fen"]
    return result


def test_a_refund_lies_on_the_lines_it_is_about(rows: Rows) -> None:
    refunds = [refund(name, **given) for name, (given, _) in CASES.items()]
    lines = [line for name in CASES for line in lines_of(name, PAID)]
    assert found(rows, refunds, lines) == {name: expected for name, (_, expected) in CASES.items() if expected}


def test_refunds_of_one_line_add_up_and_only_what_exceeds_it_moves(rows: Rows) -> None:
    two = [{**refund(name, line_id="2", amount_fen=200), "order_id": "o"} for name in ("a", "b")]
    assert found(rows, two, lines_of("o", PAID)) == {"o": {"1": 100, "2": 300}}


def test_an_order_without_lines_and_one_that_cost_nothing_keep_their_refund(rows: Rows) -> None:
    refunds = [refund("bare", amount_fen=7), refund("free", amount_fen=9)]
    assert found(rows, refunds, lines_of("free", {"1": 0, "2": 0})) == {"bare": {"": 7}, "free": {"1": 9}}


def test_great_amounts_do_not_overflow(rows: Rows) -> None:
    most = 10**15
    assert found(rows, [refund("o", amount_fen=most)], lines_of("o", {"1": most, "2": most})) == {
        "o": {"1": most // 2, "2": most // 2}
    }


def test_whatever_the_refunds_not_a_fen_is_lost_and_no_line_gets_more_than_it_cost_but_the_first(rows: Rows) -> None:
    rng = Random(5)
    refunds: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for order in range(60):
        paid = {str(number): rng.choice((0, 1, 99, 12_345)) for number in range(rng.randint(0, 5))}
        lines += lines_of(f"o{order}", paid)
        for number in range(rng.randint(0, 3)):
            amount = rng.randint(0, 20_000)
            told: dict[str, Any] = {"amount_fen": amount, "freight_fen": rng.choice((None, 0, amount // 7, amount + 3))}
            told |= {"line_id": rng.choice((None, "1", "9"))}
            told |= {"line_amounts": rng.choice((None, {"0": 3, "2": 7}, {"1": 0, "3": 0}, {"9": 4}))}
            refunds.append({**refund(f"{order}-{number}", **told), "order_id": f"o{order}"})
    result = found(rows, refunds, lines)
    due: dict[str, int] = {}
    for one in refunds:
        due[one["order_id"]] = due.get(one["order_id"], 0) + one["amount_fen"]
    assert {order: sum(parts.values()) for order, parts in result.items()} == {o: fen for o, fen in due.items() if fen}
    cost = {(line["order_id"], line["line_id"]): line["paid_fen"] for line in lines}
    over = {(o, line) for o, parts in result.items() for line, fen in parts.items() if fen > cost.get((o, line), -1)}
    assert {line for _, line in over} <= {"", "0"}
    assert min(fen for parts in result.values() for fen in parts.values()) > 0

"""Taobao's answers agree with themselves: yuan to the fen, postage in one-line payments, ids in their places."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from pipelines.simulate.wire_tmall import yuan

Json = dict[str, Any]


def trades(world: Any) -> list[Json]:
    return [trade for _, trade in world.elements("tmall_trades", "taobao.trades.sold.increment.get")]


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (1, "0.01"), (100, "1.00"), (1234567, "12345.67"), (-5, "-0.05")]
)
def test_yuan_keep_every_fen(fen: int, text: str) -> None:
    assert yuan(fen) == text


def test_one_line_payments_contain_the_postage(whole_world: Any) -> None:
    seen = set()
    for trade in trades(whole_world):
        (first, *others) = trade["orders"]["order"]
        if not others:
            assert first["oid"] == trade["tid"]
            assert first["payment"] == trade["payment"]
            seen.add(trade["post_fee"] != "0.00")
    assert seen == {True, False}


def test_several_lines_add_up_without_the_postage(whole_world: Any) -> None:
    for trade in trades(whole_world):
        lines = trade["orders"]["order"]
        if len(lines) > 1:
            total = sum(Decimal(line["payment"]) for line in lines) + Decimal(trade["post_fee"])
            assert total == Decimal(trade["payment"])


def test_gifts_are_marked_and_free(whole_world: Any) -> None:
    gifts = [line for t in trades(whole_world) for line in t["orders"]["order"] if line.get("is_free_gift")]
    assert gifts
    assert {(gift["payment"], gift["price"]) for gift in gifts} == {("0.00", "0.00")}


def test_trades_name_no_shop_or_brand_id_of_the_buyer(whole_world: Any) -> None:
    assert all("ouid" not in trade and "omid" not in trade for trade in trades(whole_world))


def test_refunds_name_both_ids_of_the_buyer(whole_world: Any) -> None:
    refunds = [refund for _, refund in whole_world.elements("tmall_refunds", "taobao.refunds.receive.get")]
    assert refunds
    assert all(refund["ouid"] and refund["buyer_open_uid"] for refund in refunds)


def test_a_closed_trade_was_paid_and_one_closed_by_taobao_was_not(whole_world: Any) -> None:
    paid = defaultdict(set)
    for trade in trades(whole_world):
        paid[trade["status"]].add("pay_time" in trade)
    assert paid["TRADE_CLOSED"] == {True}
    assert paid["TRADE_CLOSED_BY_TAOBAO"] == {False}


def test_a_refunded_line_keeps_its_payment(whole_world: Any) -> None:
    lines = [line for t in trades(whole_world) for line in t["orders"]["order"] if line["refund_status"] == "SUCCESS"]
    assert lines
    assert all(Decimal(line["payment"]) > 0 for line in lines)


def test_receiver_ids_change_by_week(whole_world: Any) -> None:
    weeks: defaultdict[str, set[str]] = defaultdict(set)
    for trade in trades(whole_world):
        weeks[trade["oaid"]].add(trade["created"][:10])
    spans = [sorted(days) for days in weeks.values()]
    assert all(int(days[-1][-2:]) - int(days[0][-2:]) <= 6 for days in spans if days[0][:7] == days[-1][:7])


def test_the_city_is_sometimes_absent(whole_world: Any) -> None:
    assert {"receiver_city" in trade for trade in trades(whole_world)} == {True, False}


def test_deposits_show_their_step(whole_world: Any) -> None:
    steps = {t["step_trade_status"] for t in trades(whole_world) if t["type"] == "step"}
    assert {"FRONT_PAID_FINAL_NOPAID", "FRONT_PAID_FINAL_PAID"} <= steps
    waiting = [t for t in trades(whole_world) if t.get("step_trade_status") == "FRONT_PAID_FINAL_NOPAID"]
    assert {(t["status"], "pay_time" in t) for t in waiting} == {("WAIT_BUYER_PAY", False)}

"""The books, written before anything is serialised, equal what the emitted records add up to."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

Json = dict[str, Any]
Sums = dict[tuple[str, str], int]
DOUYIN_RANK = {1: 0, 105: 1, 2: 2, 101: 3, 3: 4, 5: 5, 4: 6}
TMALL_RANK = {
    name: rank
    for rank, name in enumerate(
        (
            *("WAIT_BUYER_PAY", "WAIT_SELLER_SEND_GOODS", "SELLER_CONSIGNED_PART", "WAIT_BUYER_CONFIRM_GOODS"),
            *("TRADE_BUYER_SIGNED", "TRADE_FINISHED", "TRADE_CLOSED_BY_TAOBAO", "TRADE_CLOSED"),
        )
    )
}


def fen(yuan: str) -> int:
    return int(Decimal(yuan) * 100)


def day(seconds: int) -> str:
    return (datetime.fromtimestamp(seconds, UTC) + timedelta(hours=8)).date().isoformat()


def douyin_orders(world: Any) -> list[Json]:
    found = [element for _, element in world.elements("douyin_orders", "order.searchList")]
    for line in world.lines("douyin_orders"):
        if line.payload is not None and line.context["method"] == "order.orderDetail":
            found.append(line.payload["data"]["shop_order_detail"])
    whole = [o for o in found if isinstance(o, dict) and "order_id" in o and isinstance(o["pay_amount"], int)]
    last: dict[str, Json] = {}
    for order in sorted(whole, key=lambda o: (o["update_time"], DOUYIN_RANK[o["order_status"]])):
        last[order["order_id"]] = order
    return list(last.values())


def tmall_trades(world: Any) -> list[Json]:
    found = [element for _, element in world.elements("tmall_trades", "taobao.trades.sold.increment.get")]
    whole = [t for t in found if isinstance(t, dict) and "tid" in t and "x" not in t["payment"]]
    last: dict[int, Json] = {}
    for trade in sorted(whole, key=lambda t: (t["modified"], TMALL_RANK[t["status"]])):
        last[trade["tid"]] = trade
    return list(last.values())


def shop_orders(world: Any) -> list[Json]:
    last: dict[str, Json] = {}
    lines = [line.payload for line in world.lines("shop_orders") if line.payload is not None]
    whole = [o for o in lines if "order_id" in o and isinstance(o["paid_fen"], int)]
    for order in sorted(whole, key=lambda o: o["updated_at"]):
        last[order["order_id"]] = order
    return list(last.values())


def booked(world: Any, platforms: tuple[str, ...], column: str) -> Sums:
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in world.truth("books"):
        if row["platform"] in platforms and row[column]:
            sums[row["shop"], row["day"]] += row[column]
    return dict(sums)


def add(rows: list[tuple[str, str, int]]) -> Sums:
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for shop, date, amount in rows:
        if amount:
            sums[shop, date] += amount
    return dict(sums)


def test_paid_douyin_orders_add_up_by_shop_and_business_day(world: Any) -> None:
    rows = [(str(o["shop_id"]), day(o["pay_time"]), o["pay_amount"]) for o in douyin_orders(world) if o["pay_time"]]
    assert add(rows) == booked(world, ("douyin",), "paid_fen")


def test_paid_douyin_orders_are_as_many_as_booked(world: Any) -> None:
    rows = [(str(o["shop_id"]), day(o["pay_time"]), 1) for o in douyin_orders(world) if o["pay_time"]]
    assert add(rows) == booked(world, ("douyin",), "orders")


def test_paid_tmall_trades_add_up_by_shop_and_business_day(world: Any) -> None:
    rows = [(t["seller_nick"], t["pay_time"][:10], fen(t["payment"])) for t in tmall_trades(world) if "pay_time" in t]
    assert add(rows) == booked(world, ("tmall",), "paid_fen")


def test_own_orders_add_up_by_shop_and_business_day(world: Any) -> None:
    rows = [(o["shop_id"], day(o["paid_at"] // 1000), o["paid_fen"]) for o in shop_orders(world) if o["paid_at"]]
    assert add(rows) == booked(world, ("mall", "pos"), "paid_fen")


def test_douyin_refunds_fall_on_the_day_of_their_first_success(world: Any) -> None:
    first: dict[str, tuple[int, int, str]] = {}
    shops = {order["order_id"]: str(order["shop_id"]) for order in douyin_orders(world)}
    for _, item in world.elements("douyin_refunds", "afterSale.List"):
        info = item.get("aftersale_info", {}) if isinstance(item, dict) else {}
        whole = "aftersale_id" in info and str(info["refund_amount"]).isdigit()
        if whole and int(info["aftersale_status"]) == 12:
            case = (info["update_time"], int(info["refund_amount"]), shops[item["order_info"]["shop_order_id"]])
            first[info["aftersale_id"]] = min(case, first.get(info["aftersale_id"], case))
    rows = [(shop, day(moment), amount) for moment, amount, shop in first.values()]
    assert rows
    assert add(rows) == booked(world, ("douyin",), "refunded_fen")


def test_tmall_refunds_fall_on_the_day_of_their_first_success(world: Any) -> None:
    first: dict[str, tuple[str, int, str]] = {}
    for context, refund in world.elements("tmall_refunds", "taobao.refunds.receive.get"):
        whole = isinstance(refund, dict) and "refund_id" in refund and "x" not in refund["refund_fee"]
        if whole and refund["status"] == "SUCCESS":
            case = (refund["modified"], fen(refund["refund_fee"]), context["seller_nick"])
            first[refund["refund_id"]] = min(case, first.get(refund["refund_id"], case))
    assert first
    rows = [(shop, modified[:10], amount) for modified, amount, shop in first.values()]
    assert add(rows) == booked(world, ("tmall",), "refunded_fen")


def test_own_refunds_fall_on_the_day_the_money_went_back(world: Any) -> None:
    rows = [
        (order["shop_id"], day(refund["at"] // 1000), refund["amount_fen"])
        for order in shop_orders(world)
        for refund in order["refunds"]
        if refund["status"] == "success"
    ]
    assert rows
    assert add(rows) == booked(world, ("mall", "pos"), "refunded_fen")


def test_deposits_without_final_payment_stand_apart(world: Any) -> None:
    rows = [
        (str(order["shop_id"]), day(phase["phase_pay_time"]), phase["phase_pay_amount"])
        for order in douyin_orders(world)
        if not order["pay_time"]
        for phase in order.get("order_phase_list", [])[:1]
        if phase["pay_success"]
    ]
    assert rows
    assert add(rows) == booked(world, ("douyin",), "deposit_fen")


def test_books_name_the_buyer_not_the_receiver(clean_world: Any) -> None:
    owners = {(i["namespace"], i["scope"], i["value"]): i["person"] for i in clean_world.truth("identifiers")}
    paid: defaultdict[str, int] = defaultdict(int)
    keys = {"4463798": "7000001", "4463799": "7000001", "5571234": "7000002"}
    for order in douyin_orders(clean_world):
        if order["pay_time"]:
            buyer = owners["doudian_open_id", keys[str(order["shop_id"])], order["doudian_open_id"]]
            paid[buyer] += order["pay_amount"]
    books: defaultdict[str, int] = defaultdict(int)
    for row in clean_world.truth("books"):
        if row["platform"] == "douyin" and row["paid_fen"]:
            books[row["person"]] += row["paid_fen"]
    assert paid == books


@pytest.mark.parametrize("platform", ["douyin", "tmall", "mall", "pos"])
def test_no_platform_gives_back_more_than_it_took(world: Any, platform: str) -> None:
    book = world.report.books[platform]
    assert 0 <= book["refunded_fen"] < book["paid_fen"]

"""Douyin's answers agree with themselves: amounts add up, statuses tell refunded from unpaid orders."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Json = dict[str, Any]


def orders(world: Any) -> list[Json]:
    return [order for _, order in world.elements("douyin_orders", "order.searchList")]


def test_the_payment_is_list_price_with_freight_less_promotions(whole_world: Any) -> None:
    for order in orders(whole_world):
        assert order["pay_amount"] == order["order_amount"] - order["promotion_amount"]


def test_promotions_are_split_by_who_bears_them(whole_world: Any) -> None:
    for order in orders(whole_world):
        shares = [order[f"promotion_{who}_amount"] for who in ("shop", "platform", "talent")]
        assert order["promotion_amount"] == sum(shares)
        assert order["platform_cost_amount"] == order["only_platform_cost_amount"] + order["author_cost_amount"]


def test_children_add_up_to_the_parent_without_freight(whole_world: Any) -> None:
    freights = set()
    for order in orders(whole_world):
        children = sum(child["pay_amount"] for child in order["sku_order_list"])
        assert children == order["pay_amount"] - order["post_amount"]
        freights.add(order["post_amount"])
    assert len(freights) > 1


def test_gifts_cost_nothing_and_name_their_master(whole_world: Any) -> None:
    gifts = [
        child for o in orders(whole_world) for child in o["sku_order_list"] if child["given_product_type"] == "FREE"
    ]
    assert gifts
    assert {gift["pay_amount"] for gift in gifts} == {0}
    assert all(len(gift["master_sku_order_id_list"]) == 1 for gift in gifts)


def test_what_has_not_happened_is_zero(whole_world: Any) -> None:
    unpaid = [order for order in orders(whole_world) if order["order_status"] == 1]
    assert unpaid
    assert {(order["pay_time"], order["ship_time"], order["finish_time"]) for order in unpaid} == {(0, 0, 0)}


def test_no_time_lies_after_the_version_that_tells_it(whole_world: Any) -> None:
    for order in orders(whole_world):
        times = [order[name] for name in ("create_time", "pay_time", "ship_time", "finish_time")]
        assert max(times) <= order["update_time"]


def test_a_cancelled_order_was_paid_exactly_when_its_main_status_says_refunded(whole_world: Any) -> None:
    kinds = defaultdict(set)
    for order in orders(whole_world):
        if order["order_status"] == 4:
            kinds[order["main_status"]].add(order["pay_time"] > 0)
    assert kinds[4] == {False}
    assert {status for status, paid in kinds.items() if paid == {True}} >= {21, 22}


def test_orders_refunded_after_receipt_are_finished_or_cancelled(whole_world: Any) -> None:
    assert {order["order_status"] for order in orders(whole_world) if order["main_status"] == 39} <= {4, 5}


def test_ciphers_of_one_phone_differ_inside_one_order(whole_world: Any) -> None:
    for order in orders(whole_world)[:200]:
        ciphers = [order["encrypt_post_tel"], *(child["encrypt_post_tel"] for child in order["sku_order_list"])]
        assert len(set(ciphers)) == len(ciphers)


def test_receivers_are_told_apart_for_a_day_only(whole_world: Any) -> None:
    seen: defaultdict[str, set[int]] = defaultdict(set)
    for order in orders(whole_world):
        seen[order["open_address_id"]].add((order["create_time"] + 8 * 3600) // 86_400)
    assert all(len(days) == 1 for days in seen.values())


def test_one_buyer_has_one_id_over_the_shops_of_an_app_key(whole_world: Any) -> None:
    people = {(row["scope"], row["value"]): row["person"] for row in whole_world.truth("identifiers")}
    shops = defaultdict(set)
    for context, order in whole_world.elements("douyin_orders", "order.searchList"):
        shops[people[context["app_key"], order["doudian_open_id"]], context["app_key"]].add(context["shop_id"])
    assert {"4463798", "4463799"} in shops.values()


def test_one_line_orders_may_have_a_child_with_the_parents_number(whole_world: Any) -> None:
    same = {
        o["order_id"] == o["sku_order_list"][0]["order_id"]
        for o in orders(whole_world)
        if len(o["sku_order_list"]) == 1
    }
    assert same == {True, False}


def test_a_refund_before_shipping_gives_the_freight_back(whole_world: Any) -> None:
    infos = [item["aftersale_info"] for _, item in whole_world.elements("douyin_refunds", "afterSale.List")]
    with_post = [info for info in infos if int(info["refund_post_amount"])]
    assert with_post
    assert all(int(info["aftersale_type"]) == 2 for info in with_post)
    assert all(int(info["refund_amount"]) > int(info["refund_post_amount"]) for info in with_post)


def test_a_case_names_what_goes_back_for_each_line_and_some_cases_span_lines(whole_world: Any) -> None:
    several = 0
    for _, item in whole_world.elements("douyin_refunds", "afterSale.List"):
        info, lines = item["aftersale_info"], item["order_info"]["related_order_info"]
        goods = sum(int(line["aftersale_pay_amount"]) for line in lines)
        assert goods == int(info["refund_amount"]) - int(info["refund_post_amount"])
        several += len(lines) > 1
    assert several > 0

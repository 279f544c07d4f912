"""Douyin after-sales: states, kinds, money with freight, and the line a case is about."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.douyin_refunds import PARSERS
from tests.pipelines.sources.private_domain import one_row
from tests.pipelines.sources.public_domain import parse, read

(REFUNDS,) = PARSERS


def case(*lines: str, **facts: Any) -> dict[str, Any]:
    """A case of one line that waits for the seller; `facts` replace those of the case."""
    info = {
        "aftersale_id": "7001",
        "aftersale_type": 0,
        "aftersale_status": 6,
        "related_id": "6923456789012345679",
        "apply_time": 1735800000,
        "update_time": 1735810000,
        "refund_amount": 18700,
        "refund_post_amount": 800,
        "refund_status": 1,
    }
    related = [{"sku_order_id": line} for line in lines or ("6923456789012345679",)]
    made = {name: value for name, value in {**info, **facts}.items() if value is not ...}
    return {
        "aftersale_info": made,
        "order_info": {"shop_order_id": "6923456789012345678", "related_order_info": related},
    }


def test_the_items_of_a_page_are_records() -> None:
    page = {"code": 10000, "msg": "success", "data": {"has_more": False, "items": [case(), case(aftersale_id="7002")]}}
    assert [one_row(one, "refunds")["refund_id"] for one in read(REFUNDS, page)] == ["7001", "7002"]


def test_the_amount_contains_freight() -> None:
    row = one_row(parse(REFUNDS, case()), "refunds")
    assert (row["amount_fen"], row["freight_fen"]) == (18700, 800)


def test_quoted_texts_are_read_like_numbers() -> None:
    quoted = case('"9"', aftersale_id='"7001"', aftersale_status='"12"', refund_amount='"20"', refund_post_amount="0")
    row = one_row(parse(REFUNDS, quoted), "refunds")
    assert (row["refund_id"], row["line_id"], row["status"], row["amount_fen"]) == ("7001", "9", "success", 20)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (6, "applied"),
        (7, "processing"),
        (11, "processing"),
        (12, "success"),
        (27, "failed"),
        (28, "closed"),
        (29, "failed"),
    ],
)
def test_states_are_those_of_the_platform_in_our_words(code: int, status: str) -> None:
    row = one_row(parse(REFUNDS, case(aftersale_status=code)), "refunds")
    assert (row["status"], row["status_raw"]) == (status, str(code))


def test_a_buyer_who_withdraws_leaves_a_closed_case() -> None:
    row = one_row(parse(REFUNDS, case(aftersale_status=28, refund_status=1)), "refunds")
    assert (row["status"], row["success_at"]) == ("closed", None)


def test_an_exchange_that_ends_well_is_no_refund() -> None:
    row = one_row(parse(REFUNDS, case(aftersale_type=3, aftersale_status=12, refund_status=3)), "refunds")
    assert (row["status"], row["refund_type"], row["business_date"]) == ("exchange", "exchange", None)


@pytest.mark.parametrize("code", [6, 7, 13, 27, 28, 29, 51, 999])
def test_money_that_went_back_is_a_success_whatever_the_case_says(code: int) -> None:
    row = one_row(parse(REFUNDS, case(aftersale_status=code, refund_status=3)), "refunds")
    assert (row["status"], row["success_at"], row["status_raw"]) == ("success", 1735810000000, str(code))


def test_money_that_was_taken_back_again_is_what_the_case_says() -> None:
    states = [case(aftersale_status=code, refund_status=5) for code in (12, 28)]
    assert [one_row(parse(REFUNDS, one), "refunds")["status"] for one in states] == ["success", "closed"]


def test_money_that_did_not_go_through_is_no_refund() -> None:
    row = one_row(parse(REFUNDS, case(aftersale_status=12, refund_status=4)), "refunds")
    assert (row["status"], row["success_at"], row["business_date"]) == ("failed", None, None)


def test_an_unknown_state_is_counted() -> None:
    parsed = parse(REFUNDS, case(aftersale_status=999, aftersale_type=88))
    assert one_row(parsed, "refunds")["status"] == "unknown"
    assert sorted(parsed.unknown_values) == [
        ("aftersale_info.aftersale_status", "999"),
        ("aftersale_info.aftersale_type", "88"),
    ]


def test_success_counts_on_the_day_of_its_version() -> None:
    row = one_row(parse(REFUNDS, case(aftersale_status=12, update_time=1735920000)), "refunds")
    assert (row["success_at"], row["business_date"]) == (1735920000000, "2025-01-04")


def test_a_case_of_several_lines_is_of_the_whole_order() -> None:
    row = one_row(parse(REFUNDS, case("1", "2")), "refunds")
    assert (row["line_id"], row["line_amounts"]) == (None, '{"1":0,"2":0}')


def test_a_case_of_several_lines_keeps_what_goes_back_for_each() -> None:
    value = case("2", "1", "2")
    for line, amount in zip(value["order_info"]["related_order_info"], (10_000, "7900", 50), strict=True):
        line["aftersale_pay_amount"] = amount
    assert one_row(parse(REFUNDS, value), "refunds")["line_amounts"] == '{"1":7900,"2":10050}'


def test_a_case_of_one_line_names_it_and_needs_no_amounts() -> None:
    row = one_row(parse(REFUNDS, case("1")), "refunds")
    assert (row["line_id"], row["line_amounts"]) == ("1", None)


def test_a_case_without_lines_is_of_the_related_order() -> None:
    value = case(related_id="33")
    value["order_info"]["related_order_info"] = []
    assert one_row(parse(REFUNDS, value), "refunds")["line_id"] == "33"


@pytest.mark.parametrize(
    ("facts", "rule"), [({"aftersale_id": ...}, "missing_field"), ({"refund_amount": "12,3x"}, "bad_value")]
)
def test_a_broken_case_is_refused(facts: dict[str, Any], rule: str) -> None:
    with pytest.raises(RecordRefusedError, match=rule):
        parse(REFUNDS, case(**facts))


def test_times_are_read_as_epoch_seconds_and_as_rfc_3339_texts_alike() -> None:
    texts = case(apply_time="2025-01-02T14:40:00+08:00", update_time="2025-01-02T17:26:40+08:00")
    told, known = (one_row(parse(REFUNDS, value), "refunds") for value in (texts, case()))
    assert (told["applied_at"], told["updated_at"]) == (known["applied_at"], known["updated_at"])
    assert told["version_key"] == known["version_key"]

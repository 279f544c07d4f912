"""Tmall refunds: states, kinds, money, and the buyer's ids that meet in them."""

from __future__ import annotations

import pytest

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.tmall_refunds import PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row
from tests.pipelines.sources.public_domain import APP_KEY, NICK, changed, parse, read

(REFUNDS,) = PARSERS

REFUND = {
    "refund_id": "90123",
    "tid": 4123456789012345678,
    "oid": 4123456789012345678,
    "status": "WAIT_SELLER_AGREE",
    "refund_fee": "188.00",
    "created": "2025-01-03 10:00:00",
    "modified": "2025-01-03 10:00:00",
    "order_status": "TRADE_FINISHED",
    "dispute_type": "REFUND_AND_RETURN",
    "has_good_return": True,
    "ouid": "AAOcomposed",
    "buyer_open_uid": "AAHcomposed0001",
    "seller_nick": NICK,
    "reason": "七天无理由",
}


def test_a_pages_refunds_are_records() -> None:
    page = {"refunds_receive_get_response": {"refunds": {"refund": [REFUND]}, "has_next": False}}
    assert [one_row(one, "refunds")["refund_id"] for one in read(REFUNDS, page)] == ["90123"]


def test_a_refund_of_a_one_line_trade_names_that_line() -> None:
    row = one_row(parse(REFUNDS, REFUND), "refunds")
    assert (row["order_id"], row["line_id"]) == ("4123456789012345678", "4123456789012345678")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("WAIT_SELLER_AGREE", "applied"),
        ("WAIT_BUYER_RETURN_GOODS", "processing"),
        ("WAIT_SELLER_CONFIRM_GOODS", "processing"),
        ("SELLER_REFUSE_BUYER", "failed"),
        ("CLOSED", "closed"),
        ("SUCCESS", "success"),
        ("WAIT_BUYER_CONFIRM_EXCHANGE_SELLER_SEND_GOODS", "exchange"),
        ("BRAND_NEW", "unknown"),
    ],
)
def test_states_are_those_of_the_platform_in_our_words(raw: str, status: str) -> None:
    row = one_row(parse(REFUNDS, changed(REFUND, status=raw)), "refunds")
    assert (row["status"], row["status_raw"]) == (status, raw)


def test_success_has_its_day_and_other_states_have_none() -> None:
    done = one_row(parse(REFUNDS, changed(REFUND, status="SUCCESS", modified="2025-01-05 00:00:00")), "refunds")
    assert (done["success_at"], done["business_date"]) == (1736006400000, "2025-01-05")
    waiting = one_row(parse(REFUNDS, REFUND), "refunds")
    assert (waiting["success_at"], waiting["business_date"]) == (None, None)


def test_an_exchange_that_ends_well_is_no_refund() -> None:
    row = one_row(parse(REFUNDS, changed(REFUND, status="SUCCESS", dispute_type="TMALL_EXCHANGE")), "refunds")
    assert (row["status"], row["refund_type"], row["success_at"]) == ("exchange", "exchange", None)


def test_a_refund_before_shipping_is_told_by_the_trades_state() -> None:
    early = changed(REFUND, dispute_type="REFUND", order_status="WAIT_SELLER_SEND_GOODS")
    assert one_row(parse(REFUNDS, early), "refunds")["refund_type"] == "before_shipping"


def test_without_a_dispute_type_the_return_of_goods_tells_the_kind() -> None:
    assert one_row(parse(REFUNDS, changed(REFUND, dispute_type=...)), "refunds")["refund_type"] == "return_refund"
    kept = changed(REFUND, dispute_type=..., has_good_return="false")
    assert one_row(parse(REFUNDS, kept), "refunds")["refund_type"] == "refund_only"


def test_a_refund_joins_the_buyers_two_account_ids() -> None:
    (seen,) = parse(REFUNDS, REFUND).observations
    assert ids_of(seen) == [("tmall_open_uid", APP_KEY, "AAHcomposed0001"), ("tmall_ouid", NICK, "AAOcomposed")]
    assert seen["event_time"] == 1735869600000


def test_versions_of_a_refund_are_one_observation() -> None:
    later = changed(REFUND, status="SUCCESS", modified="2025-01-05 00:00:00")
    assert parse(REFUNDS, REFUND).observations == parse(REFUNDS, later, digest="1" * 32).observations


def test_a_refund_without_number_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: refund_id"):
        parse(REFUNDS, changed(REFUND, refund_id=...))


def test_a_broken_amount_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: refund_fee"):
        parse(REFUNDS, changed(REFUND, refund_fee="12,3x"))

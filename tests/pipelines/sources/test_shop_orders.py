"""The brand's own mall and till orders: amounts, buyers, gifts and refunds."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError, Subject
from pipelines.sources.shop_orders import PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row, rows
from tests.pipelines.sources.public_domain import changed, parse

(ORDERS,) = PARSERS
ORDER = {
    "order_id": "M000000000001",
    "channel": "mall",
    "shop_id": "mall-01",
    "member_id": "K1",
    "openid": "oComposed01",
    "unionid": "uComposed01",
    "phone": "13912345670",
    "status": "paid",
    "list_fen": 10000,
    "discount_fen": 500,
    "freight_fen": 800,
    "payable_fen": 10300,
    "paid_fen": 10300,
    "lines": [
        {"line_id": "1", "brand_sku": "SKU-01", "quantity": 2, "list_fen": 10000, "paid_fen": 9500, "gift": False},
        {"line_id": "2", "brand_sku": "SKU-02", "quantity": 1, "list_fen": 0, "paid_fen": 0, "gift": True},
    ],
    "created_at": 1735700500000,
    "paid_at": 1735700530000,
    "updated_at": 1735700731000,
    "refunds": [],
}


def said(**changes: Any) -> Parsed:
    """What an order with fields replaced says, pulled under a brand, an app and an open-platform account."""
    return parse(ORDERS, changed(ORDER, **changes), app_id="wx01", open_platform_id="op01")


def test_an_order_is_of_its_channel() -> None:
    order = one_row(said(), "orders")
    assert (order["platform"], order["channel_origin"], order["shop_id"]) == ("mall", "mall", "mall-01")
    assert one_row(said(channel="pos"), "orders")["platform"] == "pos"


def test_paid_contains_freight_and_lines_do_not() -> None:
    parsed = said()
    assert (one_row(parsed, "orders")["paid_fen"], one_row(parsed, "orders")["freight_fen"]) == (10300, 800)
    assert [line["paid_fen"] for line in rows(parsed, "order_lines")] == [9500, 0]


def test_an_unpaid_order_counts_nothing() -> None:
    parsed = said(status="created", paid_at=None, paid_fen=0)
    assert (one_row(parsed, "orders")["is_paid"], one_row(parsed, "orders")["paid_fen"]) == (False, 0)
    assert [line["paid_fen"] for line in rows(parsed, "order_lines")] == [0, 0]


def test_a_cancelled_order_is_closed() -> None:
    order = one_row(said(status="cancelled", paid_at=None), "orders")
    assert (order["status"], order["status_raw"]) == ("closed", "cancelled")


def test_all_the_buyers_ids_belong_together_and_the_phone_is_the_buyers() -> None:
    parsed = said()
    (seen,) = parsed.observations
    assert ids_of(seen) == [
        ("member_id", "brandA", "K1"),
        ("wx_unionid", "op01", "uComposed01"),
        ("wx_openid", "wx01", "oComposed01"),
        ("phone", "", "13912345670"),
    ]
    assert seen["ids"][3]["role"] == "buyer"
    assert one_row(parsed, "orders")["subject"] == Subject("member_id", "brandA", "K1")


def test_a_buyer_nobody_knows_is_no_evidence() -> None:
    parsed = said(member_id=..., openid=..., unionid=..., phone="")
    assert parsed.observations == []
    assert "subject" not in one_row(parsed, "orders")


def test_versions_of_an_order_are_one_observation() -> None:
    assert said().observations == said(status="shipped", updated_at=1735800000000).observations


def test_a_refund_is_a_row_of_its_order() -> None:
    refund = {"refund_id": "9", "line_id": "1", "amount_fen": 4000, "status": "success", "at": 1735920000000}
    row = one_row(said(refunds=[refund]), "refunds")
    assert (row["platform"], row["shop_id"], row["order_id"], row["line_id"]) == (
        "mall",
        "mall-01",
        "M000000000001",
        "1",
    )
    assert (row["status"], row["amount_fen"], row["business_date"]) == ("success", 4000, "2025-01-04")


def test_a_refused_refund_gives_nothing_back() -> None:
    refund = {"refund_id": "9", "amount_fen": 4000, "status": "refused", "at": 1735920000000}
    row = one_row(said(refunds=[refund]), "refunds")
    assert (row["status"], row["success_at"], row["line_id"]) == ("failed", None, None)


def test_later_states_of_one_moment_win() -> None:
    keys = [
        one_row(said(status=status), "orders")["version_key"] for status in ("created", "paid", "shipped", "closed")
    ]
    assert keys == sorted(keys)


def test_an_unknown_channel_is_kept_and_counted() -> None:
    parsed = said(channel="kiosk")
    assert (one_row(parsed, "orders")["platform"], one_row(parsed, "orders")["channel_origin"]) == ("kiosk", "unknown")
    assert parsed.unknown_values == [("channel", "kiosk")]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"order_id": ...}, "order_id"),
        ({"channel": ""}, "channel"),
        ({"paid_fen": "12,3x"}, "paid_fen"),
        ({"lines": ["x"]}, "lines"),
    ],
)
def test_a_broken_order_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(RecordRefusedError, match=rule):
        said(**changes)


def test_unknown_fields_are_signals() -> None:
    assert said(weather=1).unknown == {"weather": 1}


def test_without_its_brand_a_member_id_leaves_the_order_to_the_next_id() -> None:
    parsed = parse(ORDERS, changed(ORDER), app_id="wx01", open_platform_id="op01", brand="")
    assert one_row(parsed, "orders")["subject"] == Subject("wx_unionid", "op01", "uComposed01")


def test_what_was_paid_without_saying_how_much_is_a_signal() -> None:
    lines = [{"line_id": "1", "gift": False}, {"line_id": "2", "gift": True}]
    unsaid = said(paid_fen=None, lines=lines).unknown_values
    assert unsaid == [(path, "paid, without an amount") for path in ("paid_fen", "lines[].paid_fen")]
    assert said(paid_fen=0).unknown_values == said(paid_fen=None, paid_at=None, lines=lines).unknown_values == []

"""Tmall messages: events of trades, states of refunds, movements of points."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.sources.base import RecordRefusedError, Subject
from pipelines.sources.tmall_messages import PARSERS
from pipelines.sources.tmall_refunds import PARSERS as REFUND_PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row
from tests.pipelines.sources.public_domain import APP_KEY, BRAND, NICK, changed, parse, read
from tests.pipelines.sources.test_tmall_refunds import REFUND

(MESSAGES,) = PARSERS

PAID = {
    "tid": 4123456789012345678,
    "oid": 4123456789012345678,
    "buyer_open_uid": "AAHcomposed0001",
    "buyer_nick": "t**1",
    "seller_nick": NICK,
    "payment": "188.00",
    "type": "guarantee_trade",
}
POINTS = {
    "biz_type": "gift_exchange",
    "mix_mobile": "52164cc782f7af83d62d2cfe07a910bb",
    "ouid": "AAOcomposed",
    "omid": "AAMcomposed",
    "point": 30,
    "type": 1,
    "record_id": "T1",
    "seller_name": NICK,
}
BACK = {
    "refund_id": 90123,
    "tid": 41,
    "oid": 42,
    "refund_fee": "188.00",
    "bill_type": "return_bill",
    "seller_nick": NICK,
}


def frame(topic: str, content: Any, **changes: Any) -> dict[str, Any]:
    """A frame of the socket with its content as JSON text."""
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    made = {"id": "5123", "topic": topic, "userid": "22", "outtime": "2025-01-01 11:02:11", "content": text}
    return {**made, **changes}


def test_a_trade_message_is_an_event_of_its_buyer() -> None:
    parsed = parse(MESSAGES, frame("taobao_trade_TradeBuyerPay", PAID))
    event = one_row(parsed, "events")
    assert (event["source"], event["event_at"]) == ("tmall", 1735700531000)
    assert event["subject"] == Subject("tmall_open_uid", APP_KEY, "AAHcomposed0001")
    assert orjson.loads(event["properties"])["order_id"] == "4123456789012345678"


def test_nicks_stay_out_of_events() -> None:
    parsed = parse(MESSAGES, frame("taobao_trade_TradeBuyerPay", PAID))
    assert "t**1" not in str(parsed)
    assert parsed.unknown == {}


def test_a_repeated_frame_is_the_same_content() -> None:
    first = read(MESSAGES, frame("taobao_trade_TradeBuyerPay", PAID))
    again = read(MESSAGES, frame("taobao_trade_TradeBuyerPay", PAID, retried=2))
    assert first == again


def test_messages_of_the_http_answer_are_records() -> None:
    told = {"id": 5123, "topic": "taobao_trade_TradeClose", "user_nick": NICK, "pub_time": "2025-01-01 11:02:11"}
    page = {"tmc_messages_consume_response": {"messages": {"tmc_message": [{**told, "content": PAID}]}}}
    (parsed,) = read(MESSAGES, page)
    assert one_row(parsed, "events")["event_at"] == 1735700531000


def test_an_answer_without_messages_is_an_empty_page() -> None:
    assert read(MESSAGES, {"tmc_messages_consume_response": {"request_id": "1"}}) == []


@pytest.mark.parametrize(
    ("topic", "status"),
    [
        ("taobao_refund_RefundCreated", "applied"),
        ("taobao_refund_RefundSellerAgreeAgreement", "processing"),
        ("taobao_refund_RefundClosed", "closed"),
        ("taobao_refund_RefundSuccess", "success"),
    ],
)
def test_a_refund_message_brings_the_refunds_state(topic: str, status: str) -> None:
    row = one_row(parse(MESSAGES, frame(topic, {**BACK, "modified": "2025-01-05 00:00:00"})), "refunds")
    assert (row["status"], row["refund_id"], row["shop_id"], row["amount_fen"]) == (status, "90123", NICK, 18800)
    assert row["updated_at"] == 1736006400000
    assert (row["business_date"] == "2025-01-05") is (status == "success")


def test_a_replacement_is_no_refund() -> None:
    row = one_row(
        parse(MESSAGES, frame("taobao_refund_RefundSuccess", {**BACK, "bill_type": "replace_bill"})), "refunds"
    )
    assert (row["status"], row["success_at"]) == ("exchange", None)


def test_a_pulled_refund_outranks_the_message_of_its_second() -> None:
    told = frame("taobao_refund_RefundSuccess", {**BACK, "modified": "2025-01-05 00:00:00"})
    pushed = one_row(parse(MESSAGES, told, digest="f" * 32), "refunds")
    done = changed(REFUND, status="SUCCESS", modified="2025-01-05 00:00:00")
    assert pushed["version_key"] < one_row(parse(REFUND_PARSERS[0], done), "refunds")["version_key"]


@pytest.mark.parametrize(("kind", "points"), [(1, -30), ("2", 30)])
def test_the_sign_of_points_comes_from_their_type(kind: object, points: int) -> None:
    row = one_row(parse(MESSAGES, frame("tmall_mei_PointChange", {**POINTS, "type": kind})), "points_ledger")
    assert (row["source"], row["record_id"], row["points"]) == ("tmall", "T1", points)


def test_a_movement_of_points_joins_its_members_ids() -> None:
    parsed = parse(MESSAGES, frame("tmall_mei_PointChange", POINTS))
    assert ids_of(parsed.observations[0]) == [
        ("tmall_ouid", NICK, "AAOcomposed"),
        ("tmall_omid", BRAND, "AAMcomposed"),
        ("tmall_mix_mobile", "", "52164cc782f7af83d62d2cfe07a910bb"),
    ]
    assert one_row(parsed, "points_ledger")["subject"] == Subject("tmall_ouid", NICK, "AAOcomposed")


@pytest.mark.parametrize("broken", [{"type": 3}, {"record_id": ""}, {"point": None}, {"point": -5}])
def test_points_of_unknown_sign_number_or_amount_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(RecordRefusedError, match=r"type|record_id|point"):
        parse(MESSAGES, frame("tmall_mei_PointChange", {**POINTS, **broken}))


def test_a_bind_message_names_nobody_since_its_number_is_encrypted() -> None:
    content = {"mobile": "MTM5MTIz", "mix_taobao_nick": "x", "seller_name": NICK, "sequence": 1, "type": 1}
    parsed = parse(MESSAGES, frame("tmall_mei_CrmBind", content))
    assert parsed.observations == []
    assert "MTM5MTIz" not in str(parsed)
    row = one_row(parsed, "events")
    assert (row["event"], row["properties"]) == ("tmall_mei_CrmBind", '{"type":"1"}')


def test_an_unknown_topic_is_an_event_and_a_signal() -> None:
    parsed = parse(MESSAGES, frame("taobao_trade_BrandNew", PAID))
    assert one_row(parsed, "events")["event"] == "taobao_trade_BrandNew"
    assert ("topic", "taobao_trade_BrandNew") in parsed.unknown_values


@pytest.mark.parametrize("broken", [{"topic": ""}, {"content": "{broken"}, {"outtime": "yesterday"}])
def test_a_broken_frame_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(RecordRefusedError):
        parse(MESSAGES, {**frame("taobao_trade_TradeBuyerPay", PAID), **broken})

"""Points: Tmall messages, mall notices and the brand's own ledger."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from pipelines.sources.base import Parsed, RecordRefusedError, Subject
from pipelines.sources.points import PARSERS
from tests.pipelines.sources.private_domain import RECEIVED_MS, WECHAT_APP, ids_of, one_row, read, read_one, rows

PARSER = PARSERS[0]
OPENID = "oExampleOpenid000000000001"
MEMBER = {"namespace": "member_id", "scope": "brandA", "value": "K1"}
CHANGE = {
    "biz_type": "gift_exchange",
    "mix_mobile": "52164cc782f7af83d62d2cfe07a910bb",
    "mobile": "13912345678",
    "ouid": "AAExampleOuid",
    "omid": "AAExampleOmid",
    "point": 30,
    "type": 1,
    "record_id": "T1",
    "seller_name": "示例旗舰店",
}
PAYMENT = {
    "mchid": "1900000109",
    "merchant_name": "示例商圈",
    "shop_name": "示例门店",
    "shop_number": "pos-0001",
    "appid": WECHAT_APP,
    "openid": OPENID,
    "amount": 17900,
    "time_end": "2025-01-01T11:02:10+08:00",
    "transaction_id": "4200000001",
    "code": "secret-code",
    "auth_type": "OPEN",
}


def ledger(**known: Any) -> Parsed:
    row = {"record_id": "L1", "subject": MEMBER, "points": 100, "reason": "order", "at": "2025-01-01T11:02:10+08:00"}
    return read_one(PARSER, row | known)


@pytest.mark.parametrize("at", ["2025-01-01T11:02:10+08:00", "2024-12-31T11:02:10+08:00", "2025-01-02T11:02:10+08:00"])
def test_a_ledger_row_that_is_sent_again_is_corrected_whatever_time_it_names(at: str) -> None:
    first = one_row(ledger(), "points_ledger")
    for points in range(1, 20):
        again = {"record_id": "L1", "subject": MEMBER, "points": points, "at": at}
        later = one_row(read_one(PARSER, again, received_ms=RECEIVED_MS + 1), "points_ledger")
        assert later["version_key"] > first["version_key"]


def frame(**known: Any) -> Parsed:
    outer = {"id": "51", "topic": "tmall_mei_PointChange", "outtime": "2025-01-01 11:02:11", "dataid": "d1"}
    return read_one(PARSER, outer | {"content": json.dumps(CHANGE | known, ensure_ascii=False)})


def test_a_ledger_row_moves_signed_points_of_its_subject() -> None:
    row = one_row(ledger(points=-30, order_id="M1", expires_at=1767200530000), "points_ledger")
    assert (row["source"], row["record_id"], row["points"], row["reason"]) == ("brand", "L1", -30, "order")
    assert row["subject"] == Subject("member_id", "brandA", "K1")
    assert (row["moved_at"], row["business_date"]) == (1735700530000, "2025-01-01")
    assert (row["expires_at"], row["order_id"]) == (1767200530000, "M1")


def test_points_without_expiry_never_expire() -> None:
    assert one_row(ledger(expires_at=None), "points_ledger")["expires_at"] is None


def test_the_holder_of_points_counts_as_seen() -> None:
    assert ids_of(ledger().observations[0]) == [("member_id", "brandA", "K1")]


@pytest.mark.parametrize("field", ["record_id", "subject", "points", "at"])
def test_a_ledger_row_without_a_mandatory_field_is_refused(field: str) -> None:
    with pytest.raises(RecordRefusedError, match="missing_field"):
        ledger(**{field: None})


def test_points_that_are_no_whole_number_are_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: points"):
        ledger(points="1.5")


@pytest.mark.parametrize(("kind", "points"), [(1, -30), ("2", 30)])
def test_the_sign_of_a_tmall_change_comes_from_its_type(kind: object, points: int) -> None:
    row = one_row(frame(type=kind), "points_ledger")
    assert (row["source"], row["record_id"], row["points"]) == ("tmall", "T1", points)
    assert row["moved_at"] == 1735700531000


def test_a_change_whose_sign_is_not_known_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: type"):
        frame(type=3)


def test_a_tmall_change_links_the_member_with_the_phone() -> None:
    namespaces = {one["namespace"] for one in frame().observations[0]["ids"]}
    assert namespaces == {"tmall_ouid", "tmall_omid", "tmall_mix_mobile", "phone"}


@pytest.mark.parametrize(
    ("stated", "context", "shop"),
    [
        ({"seller_name": "甲", "seller_nick": "乙"}, {"seller_nick": "丙", "shop_id": "1"}, "甲"),
        ({"seller_name": "", "seller_nick": "乙"}, {"seller_nick": "丙", "shop_id": "1"}, "乙"),
        ({"seller_name": ""}, {"seller_nick": "丙", "shop_id": "1"}, "丙"),
        ({"seller_name": ""}, {"shop_id": "1"}, "1"),
    ],
)
def test_the_ouid_of_a_change_is_of_the_shop_that_is_named_nearest(
    stated: dict[str, str], context: dict[str, str], shop: str
) -> None:
    parsed = read_one(PARSER, CHANGE | stated, **context)
    assert one_row(parsed, "points_ledger")["subject"] == Subject("tmall_ouid", shop, "AAExampleOuid")
    assert ("tmall_ouid", shop, "AAExampleOuid") in ids_of(parsed.observations[0])
    assert parsed.unknown == {}


def test_a_change_without_its_frame_is_read_as_well() -> None:
    row = one_row(read_one(PARSER, CHANGE, seller_nick="示例旗舰店"), "points_ledger")
    assert (row["record_id"], row["moved_at"]) == ("T1", RECEIVED_MS)


def test_a_message_of_another_topic_is_refused() -> None:
    outer = {"topic": "taobao_trade_TradeCreate", "content": CHANGE}
    with pytest.raises(RecordRefusedError, match="bad_value: topic"):
        read_one(PARSER, outer)


def test_a_mall_notice_of_points_moves_them_for_its_transaction() -> None:
    notice = {"transaction_id": "4200000001", "openid": OPENID, "earn_points": True, "increased_points": 17}
    row = one_row(read_one(PARSER, notice | {"points_update_time": "2025-01-01T11:02:10+08:00"}), "points_ledger")
    assert (row["source"], row["record_id"], row["points"]) == ("wechat_mall", "4200000001", 17)
    assert row["subject"] == Subject("wx_openid", WECHAT_APP, OPENID)


def test_a_mall_notice_that_earned_nothing_moves_nothing() -> None:
    notice = {"transaction_id": "4200000001", "openid": OPENID, "earn_points": False, "increased_points": 0}
    parsed = read_one(PARSER, notice)
    assert rows(parsed, "points_ledger") == []
    assert ids_of(parsed.observations[0]) == [("wx_openid", WECHAT_APP, OPENID)]


def test_a_payment_at_a_mall_is_an_event_and_no_movement() -> None:
    parsed = read_one(PARSER, PAYMENT)
    row = one_row(parsed, "events")
    assert (row["event"], row["event_at"]) == ("mall_payment", 1735700530000)
    assert orjson.loads(row["properties"])["amount_fen"] == 17900
    assert rows(parsed, "points_ledger") == []
    assert "secret-code" not in str(parsed.rows)
    assert parsed.unknown == {}


def test_a_refund_at_a_mall_is_an_event_of_its_own() -> None:
    refund = {
        "refund_id": "50000001",
        "refund_amount": 900,
        "pay_amount": 17900,
        "refund_time": "2025-01-02T11:02:10+08:00",
    }
    row = one_row(read_one(PARSER, PAYMENT | refund), "events")
    assert (row["event"], row["business_date"]) == ("mall_refund", "2025-01-02")
    assert row["event_id"] != one_row(read_one(PARSER, PAYMENT), "events")["event_id"]


def test_a_notice_inside_its_envelope_is_taken_out_of_it() -> None:
    parsed = read_one(PARSER, {"id": "e1", "event_type": "MALL_TRANSACTION.SUCCESS", "resource": PAYMENT})
    assert one_row(parsed, "events")["event"] == "mall_payment"


def test_the_messages_of_a_consumed_page_are_records_of_their_own() -> None:
    sent = [
        {"id": number, "topic": "tmall_mei_PointChange", "content": json.dumps(CHANGE | {"record_id": f"T{number}"})}
        for number in (1, 2)
    ]
    page = {"tmc_messages_consume_response": {"messages": {"tmc_message": sent}, "request_id": "15q"}}
    assert [one_row(one, "points_ledger")["record_id"] for one in read(PARSER, page)] == ["T1", "T2"]
    assert read(PARSER, {"tmc_messages_consume_response": {"messages": {}}}) == []


def test_an_error_answer_is_no_movement() -> None:
    with pytest.raises(RecordRefusedError, match="platform_error: code 15"):
        read(PARSER, {"error_response": {"code": 15, "sub_code": "isv.x"}})


def test_a_payment_of_nobody_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: openid"):
        read_one(PARSER, PAYMENT | {"openid": ""})

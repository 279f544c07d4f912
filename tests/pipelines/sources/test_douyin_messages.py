"""Douyin pushes: refunds' states, trades' events, webhooks; in every form the platform sends them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.sources.base import RecordRefusedError, Subject
from pipelines.sources.douyin_messages import PARSERS
from pipelines.sources.douyin_refunds import PARSERS as REFUND_PARSERS
from tests.pipelines.sources.private_domain import one_row, rows
from tests.pipelines.sources.public_domain import RECEIVED_MS, parse, read
from tests.pipelines.sources.test_douyin_refunds import case

(MESSAGES,) = PARSERS

PAID = {"p_id": 6923456789012345678, "s_ids": [6923456789012345679], "shop_id": 4463798, "order_status": 2}
REFUND = {
    "aftersale_id": 7001,
    "p_id": 6923456789012345678,
    "s_id": 6923456789012345679,
    "shop_id": 4463798,
    "aftersale_status": 12,
    "aftersale_type": 0,
    "refund_amount": 18700,
    "refund_post_amount": 800,
    "reason_code": 15,
    "apply_time": 1735800000,
    "update_time": "2025-01-02T17:26:40+08:00",
}


def message(tag: object, data: object, **changes: Any) -> dict[str, Any]:
    """A push with its data as JSON text."""
    text = data if isinstance(data, str) else orjson.dumps(data).decode()
    return {"tag": tag, "msg_id": "6923:0:101:1735700530:4463798:42", "data": text, **changes}


def test_the_messages_of_an_array_are_records() -> None:
    body = [message("101", PAID), message("103", PAID)]
    events = [one_row(one, "events")["event"] for one in read(MESSAGES, body)]
    assert events == ["doudian_trade_TradePaid", "doudian_trade_TradeSuccess"]


def test_numbers_and_texts_objects_and_json_texts_mean_the_same() -> None:
    as_text = parse(MESSAGES, message("101", {**PAID, "pay_time": 1735700530}))
    data = {**PAID, "p_id": "6923456789012345678", "pay_time": "1735700530"}
    as_object = {"tag": 101, "msgId": "6923:0:101:1735700530:4463798:42", "data": data}
    assert parse(MESSAGES, as_object) == as_text


def test_a_trade_message_is_an_event_and_no_order() -> None:
    parsed = parse(MESSAGES, message("101", {**PAID, "pay_time": 1735700530, "pay_amount": 18700}))
    assert [table for table, _ in parsed.rows] == ["silver.events"]
    event = one_row(parsed, "events")
    assert (event["source"], event["event_at"], event["business_date"]) == ("douyin", 1735700530000, "2025-01-01")
    assert orjson.loads(event["properties"])["pay_fen"] == 18700


def test_an_event_is_known_by_its_message_id_and_tag() -> None:
    again = parse(MESSAGES, message("101", PAID), digest="1" * 32)
    first = parse(MESSAGES, message("101", PAID), digest="2" * 32)
    other = parse(MESSAGES, message("102", PAID))
    assert one_row(again, "events")["event_id"] == one_row(first, "events")["event_id"]
    assert one_row(other, "events")["event_id"] != one_row(first, "events")["event_id"]


def test_without_a_stated_time_the_message_id_tells_it() -> None:
    assert one_row(parse(MESSAGES, message("104", PAID)), "events")["event_at"] == 1735700530000
    silent = message("104", PAID, msg_id="1")
    assert one_row(parse(MESSAGES, silent), "events")["event_at"] == RECEIVED_MS


def test_free_text_and_receivers_stay_out_of_events() -> None:
    data = {**PAID, "cancel_reason": "composed text", "receiver_msg": {"tel": "13912345670"}}
    parsed = parse(MESSAGES, message("106", data))
    assert "composed text" not in str(parsed.rows)
    assert "13912345670" not in str(parsed.rows)
    assert parsed.unknown == {}


def test_a_refund_message_brings_the_refunds_state() -> None:
    parsed = parse(MESSAGES, message("206", REFUND))
    row = one_row(parsed, "refunds")
    assert (row["refund_id"], row["status"], row["amount_fen"], row["freight_fen"]) == ("7001", "success", 18700, 800)
    assert (row["success_at"], row["applied_at"], row["line_id"]) == (
        1735810000000,
        1735800000000,
        "6923456789012345679",
    )


def test_the_tag_tells_success_although_the_status_lags() -> None:
    row = one_row(parse(MESSAGES, message(206, {**REFUND, "aftersale_status": 6})), "refunds")
    assert (row["status"], row["status_raw"]) == ("success", "6")


def test_a_closed_case_is_told_by_its_tag() -> None:
    assert one_row(parse(MESSAGES, message(207, {**REFUND, "aftersale_status": 28})), "refunds")["status"] == "closed"


def test_an_exchange_is_no_refund() -> None:
    row = one_row(parse(MESSAGES, message(206, {**REFUND, "aftersale_type": 3})), "refunds")
    assert (row["status"], row["success_at"]) == ("exchange", None)


def test_a_pulled_case_outranks_the_message_of_its_second() -> None:
    pushed = one_row(parse(MESSAGES, message("206", REFUND), digest="f" * 32), "refunds")
    pulled = one_row(parse(REFUND_PARSERS[0], case(aftersale_status=12)), "refunds")
    assert pushed["updated_at"] == pulled["updated_at"]
    assert pushed["version_key"] < pulled["version_key"]


def test_an_arbitration_message_without_a_state_is_an_event() -> None:
    parsed = parse(MESSAGES, message("212", {"aftersale_id": 7001, "p_id": 1, "update_time": 1735810000}))
    assert [table for table, _ in parsed.rows] == ["silver.events"]


def test_a_refund_message_without_its_number_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: data\.aftersale_id"):
        parse(MESSAGES, message("206", {"p_id": 1}))


def test_an_unknown_tag_is_an_event_and_a_signal() -> None:
    parsed = parse(MESSAGES, message("900", PAID))
    assert one_row(parsed, "events")["event"] == "900"
    assert ("tag", "900") in parsed.unknown_values


def test_the_platforms_test_message_says_nothing() -> None:
    assert parse(MESSAGES, {"tag": "0", "msg_id": "0", "data": "2025-01-01 00:00:00"}).rows == []


def test_data_that_is_no_json_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_json: data"):
        parse(MESSAGES, message("101", "{broken"))


def test_a_webhook_of_an_interaction_names_its_sender() -> None:
    content = {"create_time": 1735700530123, "text": "composed"}
    hook = {
        "event": "im_receive_msg",
        "client_key": "ck",
        "from_user_id": "u-1",
        "to_user_id": "brand",
        "content": content,
    }
    parsed = parse(MESSAGES, hook)
    event = one_row(parsed, "events")
    assert event["subject"] == Subject("douyin_mp_open_id", "tt0000000000000001", "u-1")
    assert (event["event"], event["event_at"]) == ("im_receive_msg", 1735700530123)
    assert "composed" not in str(parsed)
    assert len(parsed.observations) == 1


def test_the_brands_own_doing_names_nobody() -> None:
    parsed = parse(MESSAGES, {"event": "create_video", "client_key": "ck", "from_user_id": "brand", "content": "{}"})
    assert parsed.observations == []
    assert "subject" not in one_row(parsed, "events")


@pytest.mark.parametrize("content", [{"challenge": 12345}, '{"challenge": 12345}', "12345"])
def test_a_verification_tells_of_nothing(content: object) -> None:
    parsed = parse(MESSAGES, {"event": "verify_webhook", "client_key": "ck", "content": content})
    assert rows(parsed, "events") == []


@pytest.mark.parametrize("ahead", ["apply_time", "success_time", "complete_time"])
def test_a_refund_message_is_versioned_by_its_update_time(ahead: str) -> None:
    row = one_row(parse(MESSAGES, message("206", {**REFUND, ahead: 1735900000})), "refunds")
    assert row["updated_at"] == 1735810000000
    assert row["version_key"].startswith("0001735810000000")


def test_a_message_without_update_time_is_of_the_latest_time_it_states() -> None:
    told = {**REFUND, "update_time": 0, "apply_time": 1735800000, "success_time": 1735805000}
    assert one_row(parse(MESSAGES, message("206", told)), "refunds")["updated_at"] == 1735805000000


def test_a_trade_message_happened_at_its_update_time() -> None:
    told = {**PAID, "update_time": 1735700600, "pay_time": 1735900000}
    assert one_row(parse(MESSAGES, message("101", told)), "events")["event_at"] == 1735700600000


@pytest.mark.parametrize(("lines", "known"), [(6923456789012345679, ["6923456789012345679"]), ("7", ["7"]), (0, None)])
def test_a_single_line_of_a_message_is_a_list_of_one(lines: object, known: list[str] | None) -> None:
    event = one_row(parse(MESSAGES, message("101", {**PAID, "s_ids": lines})), "events")
    assert orjson.loads(event["properties"]).get("line_ids") == known


def test_a_refund_of_the_orders_own_number_is_of_the_whole_order() -> None:
    row = one_row(parse(MESSAGES, message(206, {**REFUND, "s_id": str(REFUND["p_id"])})), "refunds")
    assert (row["order_id"], row["line_id"]) == (str(REFUND["p_id"]), None)

"""Tmall trades: money, states, deposits and buyers of a trade and its lines."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.sources.base import Clear, RecordRefusedError, Subject
from pipelines.sources.tmall_trades import PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row, records, rows
from tests.pipelines.sources.public_domain import APP_KEY, NICK, parse, read, read_one, tmall_line, tmall_trade

(TRADES,) = PARSERS


@pytest.mark.parametrize(
    "answer", ["trades_sold_get_response", "trades_sold_increment_get_response", "trades_sold_incrementv_get_response"]
)
def test_the_trades_of_a_doubly_nested_page_are_records(answer: str) -> None:
    page = {answer: {"has_next": False, "trades": {"trade": [tmall_trade(), tmall_trade(tid=2, tid_str="2")]}}}
    assert [one_row(one, "orders")["order_id"] for one in read(TRADES, page)] == ["4123456789012345678", "2"]


def test_a_single_answer_is_one_record() -> None:
    assert read_one(TRADES, {"trade_fullinfo_get_response": {"trade": tmall_trade()}}) == read_one(
        TRADES, tmall_trade()
    )


@pytest.mark.parametrize("empty", [{}, {"total_results": 0}, {"trades": {}}, {"trades": {"trade": []}}])
def test_an_answer_without_trades_is_an_empty_page(empty: object) -> None:
    assert read(TRADES, {"trades_sold_increment_get_response": empty}) == []


def test_an_error_answer_is_refused() -> None:
    answer = {"error_response": {"code": 15, "msg": "composed", "sub_code": "isp.top-remote-service-unavailable"}}
    with pytest.raises(RecordRefusedError, match=r"platform_error: code 15, sub_code isp\.top-remote"):
        read(TRADES, answer)


def test_a_row_of_the_push_database_holds_the_trade_as_text() -> None:
    inner = {"trade_fullinfo_get_response": {"trade": tmall_trade()}}
    row = {
        "tid": 4123456789012345678,
        "seller_nick": NICK,
        "jdp_hashcode": "1",
        "jdp_response": orjson.dumps(inner).decode(),
    }
    assert read_one(TRADES, row).rows[0][1]["paid_fen"] == 18800


def test_yuan_become_fen_exactly() -> None:
    trade = one_row(parse(TRADES, tmall_trade(payment="1128.29")), "orders")
    assert trade["paid_fen"] == 112829


@pytest.mark.parametrize("broken", ["12,3x", "1.005", "NaN"])
def test_an_amount_that_is_no_amount_is_refused(broken: str) -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: payment"):
        parse(TRADES, tmall_trade(payment=broken))


def test_times_are_those_of_shanghai() -> None:
    assert one_row(parse(TRADES, tmall_trade()), "orders")["paid_at"] == 1735700530000


def test_a_one_line_trades_freight_is_not_of_its_line() -> None:
    line = tmall_line(payment="198.00", divide_order_fee=...)
    parsed = parse(TRADES, tmall_trade(line, payment="198.00", post_fee="10.00"))
    assert (one_row(parsed, "orders")["paid_fen"], one_row(parsed, "orders")["freight_fen"]) == (19800, 1000)
    assert one_row(parsed, "order_lines")["paid_fen"] == 18800


def test_a_one_line_share_that_already_leaves_freight_out_is_kept() -> None:
    parsed = parse(TRADES, tmall_trade(tmall_line(payment="198.00"), payment="198.00", post_fee="10.00"))
    assert one_row(parsed, "order_lines")["paid_fen"] == 18800


def test_the_lines_share_of_a_trades_discount_is_off_where_no_share_is_stated() -> None:
    lines = (
        tmall_line(payment="100.00", divide_order_fee=..., part_mjz_discount="5.00"),
        tmall_line(oid=2, oid_str="2", payment="50.00", divide_order_fee="47.50"),
    )
    parsed = parse(TRADES, tmall_trade(*lines, payment="152.50", post_fee="10.00", discount_fee="7.50"))
    assert [line["paid_fen"] for line in rows(parsed, "order_lines")] == [9500, 4750]
    assert one_row(parsed, "orders")["discount_fen"] == 750 + 1100 + 1100


def test_an_unpaid_trade_counts_nothing() -> None:
    parsed = parse(TRADES, tmall_trade(status="WAIT_BUYER_PAY", pay_time=...))
    trade = one_row(parsed, "orders")
    assert (trade["is_paid"], trade["paid_fen"], trade["status"]) == (False, 0, "created")
    assert one_row(parsed, "order_lines")["paid_fen"] == 0


def test_a_deposit_is_received_money_of_an_unpaid_trade() -> None:
    step = {"type": "step", "step_trade_status": "FRONT_PAID_FINAL_NOPAID", "step_paid_fee": "50.00"}
    line = tmall_line(status="WAIT_BUYER_PAY")
    parsed = parse(TRADES, tmall_trade(line, status="WAIT_BUYER_PAY", **step))
    trade = one_row(parsed, "orders")
    assert (trade["is_paid"], trade["paid_fen"], trade["deposit_fen"]) == (False, 0, 5000)
    assert (trade["status"], one_row(parsed, "order_lines")["status"]) == ("deposit_paid", "deposit_paid")


def test_a_deposit_whose_amount_is_not_told_is_paid_on_the_trade_as_on_its_line() -> None:
    step = {"type": "step", "step_trade_status": "FRONT_PAID_FINAL_NOPAID"}
    parsed = parse(TRADES, tmall_trade(tmall_line(status="WAIT_BUYER_PAY"), status="WAIT_BUYER_PAY", **step))
    trade = one_row(parsed, "orders")
    assert (trade["status"], one_row(parsed, "order_lines")["status"]) == ("deposit_paid", "deposit_paid")
    assert (trade["deposit_fen"], trade["is_paid"]) == (0, False)


def test_a_finished_deposit_trade_is_paid_once() -> None:
    step = {"type": "step", "step_trade_status": "FRONT_PAID_FINAL_PAID", "step_paid_fee": "188.00"}
    trade = one_row(parse(TRADES, tmall_trade(**step)), "orders")
    assert (trade["is_presale"], trade["paid_fen"], trade["deposit_fen"]) == (True, 18800, 0)


def test_a_trade_closed_after_payment_was_paid() -> None:
    trade = one_row(parse(TRADES, tmall_trade(status="TRADE_CLOSED", end_time="2025-01-03 10:00:00")), "orders")
    assert (trade["status"], trade["is_paid"], trade["paid_fen"]) == ("closed", True, 18800)
    assert (trade["closed_at"], trade["finished_at"]) == (1735869600000, None)


def test_the_end_of_a_finished_trade_is_its_finish() -> None:
    trade = one_row(parse(TRADES, tmall_trade(status="TRADE_FINISHED", end_time="2025-01-03 10:00:00")), "orders")
    assert (trade["closed_at"], trade["finished_at"]) == (None, 1735869600000)


@pytest.mark.parametrize("flag", [True, "true", 1])
def test_a_free_gift_counts_nothing(flag: object) -> None:
    gift = tmall_line(oid=2, oid_str="2", is_free_gift=flag, payment="9.00", divide_order_fee="9.00")
    line = rows(parse(TRADES, tmall_trade(tmall_line(), gift)), "order_lines")[1]
    assert (line["is_gift"], line["paid_fen"]) == (True, 0)


def test_the_text_form_of_an_id_wins() -> None:
    trade = tmall_trade(tmall_line(oid=4123456789012345000), tid=4123456789012345000)
    parsed = parse(TRADES, trade)
    assert one_row(parsed, "orders")["order_id"] == "4123456789012345678"
    assert one_row(parsed, "order_lines")["line_id"] == "4123456789012345678"


def test_an_id_without_text_form_is_read_without_rounding() -> None:
    trade = one_row(read_one(TRADES, tmall_trade(tid_str=...)), "orders")
    assert trade["order_id"] == "4123456789012345678"


def test_a_trade_without_number_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: tid"):
        parse(TRADES, tmall_trade(tid=..., tid_str=...))


def test_lines_have_their_own_states() -> None:
    lines = (tmall_line(refund_status="SUCCESS", status="TRADE_CLOSED"), tmall_line(oid=2, oid_str="2"))
    found = rows(parse(TRADES, tmall_trade(*lines)), "order_lines")
    assert [(line["status"], line["refund_state"]) for line in found] == [("closed", "success"), ("paid", "none")]


def test_unknown_states_are_kept_raw_and_counted() -> None:
    parsed = parse(TRADES, tmall_trade(tmall_line(refund_status="NEW"), status="NEWER", step_trade_status="NEWEST"))
    assert (one_row(parsed, "orders")["status"], one_row(parsed, "orders")["status_raw"]) == ("unknown", "NEWER")
    assert sorted(parsed.unknown_values) == [
        ("orders.order[].refund_status", "NEW"),
        ("status", "NEWER"),
        ("step_trade_status", "NEWEST"),
    ]


def test_unknown_fields_are_signals() -> None:
    parsed = parse(TRADES, tmall_trade(tmall_line(mood="blue"), weather=1))
    assert parsed.unknown == {"weather": 1, "orders.order[].mood": "blue"}


def test_the_buyer_is_known_inside_the_app_key() -> None:
    parsed = parse(TRADES, tmall_trade())
    assert one_row(parsed, "orders")["subject"] == Subject("tmall_open_uid", APP_KEY, "AAHcomposed0001")
    assert ids_of(parsed.observations[0]) == [("tmall_open_uid", APP_KEY, "AAHcomposed0001")]


def test_versions_of_a_trade_are_one_observation() -> None:
    paid, shipped = tmall_trade(), tmall_trade(status="WAIT_BUYER_CONFIRM_GOODS", modified="2025-01-02 11:05:31")
    assert parse(TRADES, paid).observations == parse(TRADES, shipped, digest="1" * 32).observations


def test_receiver_ids_and_nicks_identify_nobody() -> None:
    parsed = parse(TRADES, tmall_trade(buyer_open_uid=..., oaid="1composed", buyer_nick="t**1"))
    assert parsed.observations == []
    assert "subject" not in one_row(parsed, "orders")


def test_a_new_receiver_id_of_the_week_is_no_new_content() -> None:
    assert read(TRADES, tmall_trade(oaid="1week-one")) == read(TRADES, tmall_trade(oaid="1week-two"))


def test_the_receiver_ids_of_a_trade_do_not_count_for_duplicates_also_inside_a_pushed_answer() -> None:
    def digest(receiver: str, **changes: Any) -> str:
        trade = tmall_trade(aid=receiver, oaid=receiver, **changes)
        answer = orjson.dumps({"trade_fullinfo_get_response": {"trade": trade}}).decode()
        return str([one.digest for row in (trade, {"jdp_response": answer}) for one in records(TRADES, row)])

    assert digest("1week-one") == digest("1week-two")
    assert digest("1week-one") != digest("1week-one", post_fee="1.00")


def test_the_shop_of_a_trade_without_seller_is_that_of_its_context() -> None:
    assert one_row(parse(TRADES, tmall_trade(seller_nick=...)), "orders")["shop_id"] == NICK


def test_lines_may_come_as_a_plain_list() -> None:
    plain = tmall_trade() | {"orders": [tmall_line()]}
    assert rows(parse(TRADES, plain), "order_lines") == rows(parse(TRADES, tmall_trade()), "order_lines")


def test_an_answer_to_another_call_is_refused_and_never_an_empty_page() -> None:
    with pytest.raises(RecordRefusedError, match="foreign_answer: trade_amount_get_response"):
        read(TRADES, {"trade_amount_get_response": {"trade_amount": {"tid": 1}}})


RECEIVER = {"tid": "4123456789012345678", "oaid": "1x", "mobile": "13912345670", "name": "李四", "matched": True}


def test_a_decrypted_receiver_is_a_phone_of_the_trade() -> None:
    answer = {"top_oaid_decrypt_response": {"receiver_list": {"receiver": [RECEIVER]}}}
    parsed = read_one(TRADES, answer, method="taobao.top.oaid.decrypt")
    (row,) = rows(parsed, "order_phones")
    assert (row["platform"], row["order_id"], row["role"]) == ("tmall", "4123456789012345678", "buyer")
    assert row["phone_token"] == Clear("phone", "13912345670")
    assert (parsed.unknown, rows(parsed, "orders")) == ({}, [])


@pytest.mark.parametrize(
    "said",
    [
        {"mobile": "18877771111-123", "secret_no_expire_time": "2025-02-01 00:00:00", "privacy_protection": True},
        {"mobile": "13912345670", "privacy_protection": "true"},
        {"mobile": "13912345670", "secret_no_expire_time": "2025-02-01 00:00:00"},
        {"matched": False},
        {"mobile": "*******5670"},
        {"mobile": "", "phone": "0571-8888666"},
    ],
)
def test_a_receiver_behind_a_protected_or_foreign_number_says_nothing(said: dict[str, object]) -> None:
    assert parse(TRADES, {**RECEIVER, **said}).rows == []


def test_without_an_app_key_the_trade_belongs_to_the_ouid() -> None:
    trade = one_row(parse(TRADES, tmall_trade(ouid="AAcomposedOuid"), app_key=""), "orders")
    assert trade["subject"] == Subject("tmall_ouid", NICK, "AAcomposedOuid")


def test_what_was_paid_without_saying_how_much_is_a_signal() -> None:
    assert ("payment", "paid, without an amount") in parse(TRADES, tmall_trade(payment="")).unknown_values
    assert parse(TRADES, tmall_trade(payment="0.00")).unknown_values == []
    assert parse(TRADES, tmall_trade(payment=None, pay_time=None)).unknown_values == []

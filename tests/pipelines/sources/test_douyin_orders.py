"""Douyin orders: what an order, its lines, its deposits and its decrypted phones become."""

from __future__ import annotations

import orjson
import pytest

from pipelines.sources.base import Clear, RecordRefusedError, Subject
from pipelines.sources.douyin_orders import PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row, records, rows
from tests.pipelines.sources.public_domain import (
    APP_KEY,
    RECEIVED_MS,
    douyin_line,
    douyin_order,
    parse,
    read,
    read_one,
)

(ORDERS,) = PARSERS

DECRYPTED = {
    "auth_id": "6923456789012345678",
    "cipher_text": "$$Y29tcG9zZWQ$1$$",
    "decrypt_text": "13912345670",
    "data_type": 3,
    "is_virtual_tel": False,
    "err_no": 0,
}


def test_a_page_gives_one_record_per_order() -> None:
    page = {"code": 10000, "data": {"page": 0, "shop_order_list": [douyin_order(), douyin_order(order_id="7")]}}
    assert [one_row(parsed, "orders")["order_id"] for parsed in read(ORDERS, page)] == ["6923456789012345678", "7"]


def test_a_detail_gives_the_same_order_as_a_page() -> None:
    order = douyin_order()
    detail = read_one(ORDERS, {"err_no": 0, "message": "success", "data": {"shop_order_detail": order}})
    assert detail == read_one(ORDERS, {"code": 10000, "msg": "success", "data": {"shop_order_list": [order]}})


@pytest.mark.parametrize("empty", [{"shop_order_list": []}, {"shop_order_list": None}, {"total": 0}, {}, None])
def test_an_empty_page_has_no_records(empty: object) -> None:
    assert read(ORDERS, {"code": 10000, "msg": "success", "data": empty}) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 20000, "msg": "composed", "sub_code": "isp.service-error:20000"},
        {"code": "40003", "msg": "composed", "data": {"shop_order_list": []}},
        {"err_no": 7, "message": "composed", "data": None},
    ],
)
def test_an_error_answer_is_refused_and_never_an_empty_page(answer: dict[str, object]) -> None:
    with pytest.raises(RecordRefusedError, match=r"^platform_error: (code|err_no) \d+, sub_code") as refusal:
        read(ORDERS, answer)
    assert "composed" not in refusal.value.detail


def test_paid_contains_freight_on_the_order_and_not_on_the_line() -> None:
    parsed = parse(ORDERS, douyin_order())
    assert (one_row(parsed, "orders")["paid_fen"], one_row(parsed, "orders")["freight_fen"]) == (18700, 800)
    assert one_row(parsed, "order_lines")["paid_fen"] == 17900


@pytest.mark.parametrize(("lines", "signals"), [(39, 0), (40, 1)])
def test_an_order_with_as_many_lines_as_the_platform_returns_is_a_signal(lines: int, signals: int) -> None:
    parsed = parse(ORDERS, douyin_order(*(douyin_line(order_id=str(number)) for number in range(1, lines + 1))))
    assert len(rows(parsed, "order_lines")) == lines
    assert len([path for path, _ in parsed.unknown_values if path == "sku_order_list"]) == signals


def test_an_unpaid_order_counts_nothing_whatever_it_would_cost() -> None:
    open_line = douyin_line(pay_time=0, order_status=1, main_status=1)
    parsed = parse(ORDERS, douyin_order(open_line, pay_time=0, order_status=1, main_status=1))
    order, line = one_row(parsed, "orders"), one_row(parsed, "order_lines")
    assert (order["is_paid"], order["paid_fen"], order["freight_fen"], order["paid_at"]) == (False, 0, 0, None)
    assert (line["is_paid"], line["paid_fen"], line["status"]) == (False, 0, "created")


def test_a_broken_amount_of_an_unpaid_order_is_refused_all_the_same() -> None:
    with pytest.raises(RecordRefusedError, match="pay_amount: not a whole number"):
        parse(ORDERS, douyin_order(pay_time=0, pay_amount="12,3x"))


def test_payment_is_decided_by_its_time_although_the_order_is_closed() -> None:
    order = one_row(parse(ORDERS, douyin_order(order_status=4, main_status=22)), "orders")
    assert (order["status"], order["is_paid"], order["paid_fen"]) == ("closed", True, 18700)


def test_a_refund_after_receipt_closes_an_order_that_still_says_finished() -> None:
    order = one_row(parse(ORDERS, douyin_order(order_status=5, main_status=39)), "orders")
    assert (order["status"], order["status_raw"], order["is_paid"]) == ("closed", "5/39", True)


def test_zero_empty_and_absent_times_are_all_not_happened() -> None:
    order = one_row(parse(ORDERS, douyin_order(ship_time=0, finish_time="", update_time="1735700731")), "orders")
    assert (order["shipped_at"], order["finished_at"], order["updated_at"]) == (None, None, 1735700731000)


def test_ids_are_texts_and_the_text_form_wins_over_a_rounded_number() -> None:
    line = one_row(parse(ORDERS, douyin_order()), "order_lines")
    assert (line["product_id"], line["sku_id"]) == ("3660207428038974001", "1751234567890123")


def test_an_id_that_arrived_as_a_fraction_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="rounded_id"):
        parse(ORDERS, douyin_order(order_id=6.923456789012346e18))


def test_quoted_numbers_are_read() -> None:
    order = one_row(parse(ORDERS, douyin_order(pay_amount='"18700"', order_status="2")), "orders")
    assert (order["paid_fen"], order["status"]) == (18700, "paid")


def test_an_order_without_a_number_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: order_id"):
        parse(ORDERS, douyin_order(order_id=...))


def test_an_element_that_is_no_object_is_refused_alone() -> None:
    payload = {"code": 10000, "data": {"shop_order_list": ["[object Object]"]}}
    with pytest.raises(RecordRefusedError, match="bad_shape: order"):
        read(ORDERS, payload)


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="amount_out_of_bounds: pay_amount"):
        parse(ORDERS, douyin_order(pay_amount=-1))


def test_the_business_day_is_that_of_payment_in_shanghai() -> None:
    late = douyin_order(create_time=1735660799, pay_time=1735660800)
    assert one_row(parse(ORDERS, late), "orders")["business_date"] == "2025-01-01"
    unpaid = douyin_order(create_time=1735660799, pay_time=0)
    assert one_row(parse(ORDERS, unpaid), "orders")["business_date"] == "2024-12-31"


def test_a_gift_line_counts_nothing() -> None:
    parsed = parse(ORDERS, douyin_order(douyin_line(given_product_type="FREE", pay_amount=100)))
    line = one_row(parsed, "order_lines")
    assert (line["is_gift"], line["paid_fen"]) == (True, 0)


def test_child_and_parent_have_their_own_states() -> None:
    parsed = parse(ORDERS, douyin_order(douyin_line(order_status=4, main_status=21), douyin_line(order_id="2")))
    assert one_row(parsed, "orders")["status"] == "paid"
    assert [line["status"] for line in rows(parsed, "order_lines")] == ["closed", "paid"]


def test_a_line_that_states_its_own_state_takes_none_of_its_orders() -> None:
    shipped = douyin_line(order_status=3, main_status=...)
    silent = douyin_line(order_id="2", order_status=..., main_status=...)
    parsed = parse(ORDERS, douyin_order(shipped, silent, order_status=4, main_status=22))
    told = [(line["status"], line["status_raw"]) for line in rows(parsed, "order_lines")]
    assert told == [("shipped", "3/"), ("closed", "4/22")]


@pytest.mark.parametrize(
    ("info", "state"),
    [
        ({"after_sale_status": 6, "after_sale_type": 1, "refund_status": 1}, "open"),
        ({"after_sale_status": 12, "after_sale_type": 1, "refund_status": 3}, "success"),
        ({"after_sale_status": 28, "after_sale_type": 1, "refund_status": 1}, "closed"),
        ({"after_sale_status": 12, "after_sale_type": 3, "refund_status": 0}, "closed"),
        ({"after_sale_status": 14, "after_sale_type": 3, "refund_status": 0}, "closed"),
        ({"after_sale_status": 12, "after_sale_type": 7, "refund_status": 0}, "closed"),
        ({"after_sale_status": 53, "after_sale_type": 8, "refund_status": 3}, "closed"),
        ({"after_sale_status": 14, "after_sale_type": 0, "refund_status": 3}, "success"),
        ({"after_sale_status": 28, "after_sale_type": 0, "refund_status": 5}, "closed"),
        ({"after_sale_status": 999, "after_sale_type": 3, "refund_status": 3}, "unknown"),
        ({"after_sale_status": 0}, "none"),
        (None, "none"),
    ],
)
def test_a_line_says_where_its_refund_stands(info: object, state: str) -> None:
    assert (
        one_row(parse(ORDERS, douyin_order(douyin_line(after_sale_info=info))), "order_lines")["refund_state"] == state
    )


@pytest.mark.parametrize("main", [21, "22", 39])
@pytest.mark.parametrize(
    ("info", "state"),
    [
        (None, "success"),
        ({"after_sale_status": 0}, "success"),
        ({"after_sale_status": 999}, "success"),
        ({"after_sale_status": 28, "after_sale_type": 1, "refund_status": 1}, "closed"),
    ],
)
def test_a_line_that_its_main_status_calls_refunded_is(main: object, info: object, state: str) -> None:
    line = douyin_line(after_sale_info=info, order_status=4, main_status=main)
    assert one_row(parse(ORDERS, douyin_order(line)), "order_lines")["refund_state"] == state


def test_a_deposit_is_money_apart_until_the_final_payment() -> None:
    phases = [
        {"current_phase": 1, "pay_success": True, "phase_pay_time": 1735700510, "phase_pay_amount": 5000},
        {"current_phase": 2, "pay_success": False, "phase_pay_time": 0, "phase_payable_price": 12900},
    ]
    waiting = douyin_order(
        douyin_line(pay_time=0), pay_time=0, order_status=1, main_status=103, order_phase_list=phases
    )
    order = one_row(parse(ORDERS, waiting), "orders")
    assert (order["deposit_fen"], order["paid_fen"], order["status"]) == (5000, 0, "deposit_paid")
    paid = one_row(parse(ORDERS, douyin_order(order_phase_list=phases)), "orders")
    assert (paid["deposit_fen"], paid["paid_fen"], paid["is_presale"]) == (0, 18700, True)


@pytest.mark.parametrize("told", [{"phase_pay_amount": 5000}, {}])
def test_a_line_of_an_order_whose_deposit_is_held_stands_as_the_order_does(told: dict[str, int]) -> None:
    phases = [{"current_phase": 1, "pay_success": True, **told}, {"current_phase": 2, "pay_success": False}]
    codes = {"pay_time": 0, "order_status": 1, "main_status": 1}
    parsed = parse(ORDERS, douyin_order(douyin_line(**codes), **codes, order_phase_list=phases))
    states = [one_row(parsed, table)["status"] for table in ("orders", "order_lines")]
    assert states == ["deposit_paid", "deposit_paid"]
    unpaid = parse(ORDERS, douyin_order(douyin_line(**codes), **codes, order_phase_list=phases[1:]))
    assert [one_row(unpaid, table)["status"] for table in ("orders", "order_lines")] == ["created", "created"]


@pytest.mark.parametrize(
    ("facts", "origin"),
    [
        ({"room_id_str": "73"}, "live"),
        ({"theme_type": "1"}, "live"),
        ({"video_id": "72", "cid": 17}, "short_video"),
        ({"cid": 17, "author_id": 9}, "ad"),
        ({"c_biz": 14}, "ad"),
        ({"author_id": 9, "c_biz": 2}, "talent"),
        ({"c_biz": 4}, "mall"),
        ({"room_id": 0, "video_id": "0", "author_id": 0, "c_biz": 8}, "unknown"),
    ],
)
def test_a_sale_began_where_its_content_says(facts: dict[str, object], origin: str) -> None:
    parsed = parse(ORDERS, douyin_order(douyin_line(**facts)))
    assert (one_row(parsed, "orders")["channel_origin"], one_row(parsed, "order_lines")["channel_origin"]) == (
        origin,
        origin,
    )


def test_a_gift_does_not_say_where_its_order_began() -> None:
    gift = douyin_line(order_id="2", given_product_type="FREE", room_id_str="73")
    parsed = parse(ORDERS, douyin_order(douyin_line(video_id="72"), gift))
    assert one_row(parsed, "orders")["channel_origin"] == "short_video"


def test_talent_samples_are_internal() -> None:
    assert one_row(parse(ORDERS, douyin_order(douyin_line(trade_type=8))), "orders")["is_internal"] is True
    mixed = douyin_order(douyin_line(trade_type=8), douyin_line(order_id="2"))
    assert one_row(parse(ORDERS, mixed), "orders")["is_internal"] is False
    gift = douyin_line(order_id="2", given_product_type="FREE")
    with_gift = douyin_order(douyin_line(trade_type=8), gift)
    assert one_row(parse(ORDERS, with_gift), "orders")["is_internal"] is True
    assert one_row(parse(ORDERS, douyin_order(gift)), "orders")["is_internal"] is False


def test_unknown_states_are_kept_raw_and_counted() -> None:
    parsed = parse(ORDERS, douyin_order(order_status=777, main_status=778))
    assert (one_row(parsed, "orders")["status"], one_row(parsed, "orders")["status_raw"]) == ("unknown", "777/778")
    assert parsed.unknown_values == [("order_status", "777"), ("main_status", "778")]


def test_unknown_categories_of_a_line_are_counted() -> None:
    line = douyin_line(c_biz=99, given_product_type="NEW", after_sale_info={"after_sale_status": 98})
    assert sorted(parse(ORDERS, douyin_order(line)).unknown_values) == [
        ("sku_order_list[].after_sale_info.after_sale_status", "98"),
        ("sku_order_list[].c_biz", "99"),
        ("sku_order_list[].given_product_type", "NEW"),
    ]


def test_an_unknown_field_is_a_signal_with_its_full_path() -> None:
    parsed = parse(ORDERS, douyin_order(douyin_line(mood="blue"), weather=1))
    assert parsed.unknown == {"weather": 1, "sku_order_list[].mood": "blue"}


def test_the_buyer_is_known_inside_the_app_key() -> None:
    parsed = parse(ORDERS, douyin_order(open_id="mp-1"))
    (seen,) = parsed.observations
    assert ids_of(seen) == [
        ("doudian_open_id", APP_KEY, "1@#Y29tcG9zZWQ="),
        ("douyin_mp_open_id", "tt0000000000000001", "mp-1"),
    ]
    assert one_row(parsed, "orders")["subject"] == Subject("doudian_open_id", APP_KEY, "1@#Y29tcG9zZWQ=")
    assert (seen["source"], seen["kind"], seen["event_time"]) == ("douyin_orders", "link", 1735700500000)


def test_versions_of_an_order_are_one_observation_unless_its_ids_change() -> None:
    first = parse(ORDERS, douyin_order(), digest="1" * 32).observations
    later = parse(ORDERS, douyin_order(order_status=3, update_time=1735800000), digest="2" * 32).observations
    other = parse(ORDERS, douyin_order(doudian_open_id="1@#b3RoZXI="), digest="3" * 32).observations
    assert first == later
    assert first[0]["observation_id"] != other[0]["observation_id"]


def test_ciphers_masks_and_receiver_groups_identify_nobody() -> None:
    parsed = parse(ORDERS, douyin_order(doudian_open_id="", open_id="0", mask_post_tel="1********78"))
    assert parsed.observations == []
    assert "subject" not in one_row(parsed, "orders")
    assert rows(parsed, "order_phones") == []


def test_the_masks_last_digits_are_kept_as_a_check() -> None:
    assert one_row(parse(ORDERS, douyin_order()), "orders")["phone_tail"] == "78"


def test_new_ciphertext_is_no_new_content() -> None:
    page = {"code": 10000, "data": {"shop_order_list": [douyin_order()]}}
    again = {"code": 10000, "data": {"shop_order_list": [douyin_order(encrypt_post_tel="$$b3RoZXI$1$$")]}}
    assert read(ORDERS, page) == read(ORDERS, again)


def test_a_decrypted_phone_gets_the_role_of_the_source() -> None:
    phone = one_row(parse(ORDERS, DECRYPTED), "order_phones")
    assert (phone["order_id"], phone["role"], phone["event_at"]) == ("6923456789012345678", "buyer", RECEIVED_MS)
    assert phone["phone_token"] == Clear("phone", "13912345670")


@pytest.mark.parametrize(
    "said",
    [
        {"data_type": 2, "decrypt_text": "13912345670"},
        {"data_type": ...},
        {"is_virtual_tel": True, "decrypt_text": "18400913965-7576"},
        {"is_virtual_tel": False, "decrypt_text": "18400913965-7576"},
        {"decrypt_text": "139****5670"},
        {"decrypt_text": ""},
    ],
)
def test_only_a_decrypted_plain_phone_is_one(said: dict[str, object]) -> None:
    value = {name: inner for name, inner in {**DECRYPTED, **said}.items() if inner is not ...}
    assert parse(ORDERS, value).rows == []


def test_a_failed_decryption_is_counted() -> None:
    parsed = parse(ORDERS, {**DECRYPTED, "err_no": 300008})
    assert (parsed.rows, parsed.unknown_values) == ([], [("err_no", "300008")])


def test_decryption_answers_are_pages_too() -> None:
    answer = {"err_no": 0, "message": "success", "data": {"decrypt_infos": [DECRYPTED, DECRYPTED | {"data_type": 2}]}}
    assert [len(parsed.rows) for parsed in read(ORDERS, answer)] == [1, 0]


def test_a_plain_receiver_phone_of_an_old_answer_counts_like_a_decrypted_one() -> None:
    phone = one_row(parse(ORDERS, douyin_order(post_tel="13912345670")), "order_phones")
    assert (phone["phone_token"], phone["event_at"]) == (Clear("phone", "13912345670"), 1735700500000)


def test_lines_may_come_as_a_single_object() -> None:
    alone = {**douyin_order(), "sku_order_list": douyin_line()}
    assert parse(ORDERS, alone).rows == parse(ORDERS, douyin_order()).rows


@pytest.mark.parametrize(("codes", "closed"), [((4, 4), True), ((4, 22), True), ((5, 39), True), ((5, 5), False)])
def test_a_closed_order_says_when_it_was_seen_closed(codes: tuple[int, int], closed: bool) -> None:
    order = one_row(parse(ORDERS, douyin_order(order_status=codes[0], main_status=codes[1])), "orders")
    assert order["closed_at"] == (1735700731000 if closed else None)


def test_without_an_app_key_the_order_belongs_to_the_mini_programs_open_id() -> None:
    order = one_row(parse(ORDERS, douyin_order(open_id="mp-1"), app_key=""), "orders")
    assert order["subject"] == Subject("douyin_mp_open_id", "tt0000000000000001", "mp-1")


def test_new_ciphertext_in_an_address_that_is_json_text_is_no_new_content() -> None:
    def digest(cipher: str, town: str = "余杭区") -> str:
        address = orjson.dumps({"town": {"name": town}, "encrypt_detail": cipher}).decode()
        return records(ORDERS, douyin_order(post_addr=address))[0].digest

    assert digest("##a#1##") == digest("##b#1##")
    assert digest("##a#1##") != digest("##a#1##", "西湖区")


def test_what_was_paid_without_saying_how_much_is_a_signal() -> None:
    told = parse(ORDERS, douyin_order(douyin_line(pay_amount=0), pay_amount=0)).unknown_values
    unsaid = parse(ORDERS, douyin_order(douyin_line(pay_amount=None), pay_amount="")).unknown_values
    unpaid = parse(ORDERS, douyin_order(douyin_line(pay_amount=None, pay_time=0), pay_amount=None, pay_time=0))
    gift = parse(ORDERS, douyin_order(douyin_line(pay_amount=None, given_product_type="FREE")))
    assert told == unpaid.unknown_values == gift.unknown_values == []
    assert unsaid == [(path, "paid, without an amount") for path in ("sku_order_list[].pay_amount", "pay_amount")]

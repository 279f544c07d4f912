"""Mini-program sessions and phone numbers: what the answers say about identities."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.miniprogram_users import PARSERS, phone_of
from tests.pipelines.sources.private_domain import (
    BRAND_PLATFORM,
    RECEIVED_MS,
    WECHAT_APP,
    ids_of,
    read,
    read_one,
    records,
)

PARSER = PARSERS[0]
OPENID, UNIONID = "oExampleOpenid000000000001", "oExampleUnion0000000000000001"
GIVEN_S = 1735700530


def phone(context: dict[str, Any] | None = None, **info: Any) -> Parsed:
    known = {"phoneNumber": "13912345678", "purePhoneNumber": "13912345678", "countryCode": "86"}
    answer = {"errcode": 0, "phone_info": known | {"watermark": {"timestamp": GIVEN_S, "appid": WECHAT_APP}} | info}
    return read_one(PARSER, answer, **({"openid": OPENID} | (context or {})))


def test_a_session_links_openid_and_unionid_in_their_scopes() -> None:
    parsed = read_one(PARSER, {"openid": OPENID, "unionid": UNIONID, "session_key": "<redacted>"})
    assert ids_of(parsed.observations[0]) == [
        ("wx_openid", WECHAT_APP, OPENID),
        ("wx_unionid", BRAND_PLATFORM, UNIONID),
    ]
    assert parsed.unknown == {}


def test_a_session_without_unionid_is_a_sighting_of_the_openid() -> None:
    parsed = read_one(PARSER, {"openid": OPENID, "session_key": "x"})
    assert ids_of(parsed.observations[0]) == [("wx_openid", WECHAT_APP, OPENID)]


def test_sessions_of_one_day_are_one_sighting() -> None:
    early = read_one(PARSER, {"openid": OPENID})
    late = read_one(PARSER, {"openid": OPENID}, received_ms=RECEIVED_MS + 3_600_000)
    assert early.observations == late.observations


def test_the_session_key_is_in_nothing_that_is_said() -> None:
    parsed = read_one(PARSER, {"openid": OPENID, "session_key": "s3cret"})
    assert "s3cret" not in str(parsed)


def test_session_keys_make_no_two_records_of_one() -> None:
    first, second = (records(PARSER, {"openid": OPENID, "session_key": key})[0].digest for key in ("a", "b"))
    assert first == second


@pytest.mark.parametrize(
    "data",
    [
        {"session_key": "x", "openid": "dy1", "anonymous_openid": "an1", "unionid": "un1"},
        {"session_key": "x", "open_id": "dy1", "anonymous_open_id": "an1", "union_id": "un1"},
    ],
)
def test_both_forms_of_a_douyin_session_are_read(data: dict[str, str]) -> None:
    parsed = read_one(PARSER, {"err_no": 0, "err_tips": "success", "data": data}, app_id="tt01", open_platform_id="dy")
    assert ids_of(parsed.observations[0]) == [
        ("douyin_mp_open_id", "tt01", "dy1"),
        ("douyin_union_id", "dy", "un1"),
        ("mp_anonymous_id", "tt01", "an1"),
    ]
    assert parsed.unknown == {}


def test_a_douyin_visitor_who_is_not_logged_in_has_an_anonymous_id_only() -> None:
    answer = {"err_no": 0, "data": {"openid": "", "anonymous_openid": "an1", "unionid": ""}}
    assert ids_of(read_one(PARSER, answer, app_id="tt01").observations[0]) == [("mp_anonymous_id", "tt01", "an1")]


def test_a_flat_session_of_a_douyin_app_is_no_wechat_openid() -> None:
    parsed = read_one(PARSER, {"openid": "x1", "unionid": "u1"}, platform="douyin", app_id="9", open_platform_id="dy")
    assert ids_of(parsed.observations[0]) == [("douyin_mp_open_id", "9", "x1"), ("douyin_union_id", "dy", "u1")]


def test_a_phone_is_verified_for_the_account_of_the_request_at_the_time_of_its_watermark() -> None:
    (seen,) = phone().observations
    assert seen["ids"] == [
        {"namespace": "wx_openid", "scope": WECHAT_APP, "value": OPENID},
        {"namespace": "phone", "scope": "", "value": "13912345678", "role": "verified"},
    ]
    assert seen["event_time"] == GIVEN_S * 1000


def test_a_phone_whose_account_is_not_known_is_verified_alone() -> None:
    assert ids_of(phone({"openid": ""}).observations[0]) == [("phone", "", "13912345678")]


def test_the_watermark_tells_the_app_where_the_context_does_not() -> None:
    assert ids_of(phone({"app_id": ""}).observations[0])[0] == ("wx_openid", WECHAT_APP, OPENID)


def test_a_watermark_of_another_app_is_a_signal() -> None:
    parsed = phone(watermark={"timestamp": GIVEN_S, "appid": "wx9"})
    assert parsed.unknown_values == [("phone_info.watermark.appid", "wx9")]


@pytest.mark.parametrize(
    ("info", "number"),
    [
        ({"purePhoneNumber": "13912345678", "countryCode": 86}, "13912345678"),
        ({"purePhoneNumber": "13912345678"}, "13912345678"),
        ({"phoneNumber": "13912345678", "countryCode": "86"}, "13912345678"),
        ({"phoneNumber": "+13005551234", "purePhoneNumber": "3005551234", "countryCode": 1}, "+13005551234"),
        ({"phoneNumber": "+85261234567", "countryCode": "852"}, "+85261234567"),
        ({"phoneNumber": "61234567", "countryCode": "+852"}, "+85261234567"),
    ],
)
def test_a_foreign_number_carries_its_country_and_a_mainland_one_does_not(info: dict[str, Any], number: str) -> None:
    assert phone_of(info) == number


def test_numbers_that_do_not_agree_are_a_signal_that_repeats_neither() -> None:
    parsed = phone(phoneNumber="13900000000")
    assert parsed.unknown_values == [("phone_info.phoneNumber", "another number than purePhoneNumber")]


@pytest.mark.parametrize("answer", [{"errcode": 40029, "errmsg": "invalid code"}, {"err_no": 40018, "err_tips": "bad"}])
def test_a_failed_call_is_the_platforms_error(answer: dict[str, Any]) -> None:
    with pytest.raises(RecordRefusedError, match="platform_error"):
        read(PARSER, answer)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({"session_key": "x"}, "openid"),
        ({"err_no": 0, "data": {}}, "data.openid"),
        ({"phone_info": {"countryCode": 86}}, "phone_info.phoneNumber"),
    ],
)
def test_an_answer_without_its_id_is_refused(answer: dict[str, Any], field: str) -> None:
    with pytest.raises(RecordRefusedError, match=f"missing_field: {field}"):
        read_one(PARSER, answer)


def test_two_people_who_give_the_same_number_are_no_duplicates() -> None:
    answer = {"phone_info": {"purePhoneNumber": "13912345678", "watermark": {"timestamp": GIVEN_S}}}
    one, other = (records(PARSER, answer, openid=openid)[0].digest for openid in ("o1", "o2"))
    assert one != other

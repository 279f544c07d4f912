"""Conversions and replacements of platform ids."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.id_conversions import PARSERS
from tests.pipelines.sources.private_domain import (
    BRAND_PLATFORM,
    CORP,
    DAY,
    SUITE,
    WECHAT_APP,
    ids_of,
    read,
    read_one,
    records,
)

PARSER = PARSERS[0]
OK = {"errcode": 0, "errmsg": "ok"}
UNIONID, OPENID = "oExampleUnion0000000000000001", "oExampleOpenid000000000001"
ASKED = {"unionid": UNIONID, "openid": OPENID}
UNIONID_ID, OPENID_ID = ("wx_unionid", BRAND_PLATFORM, UNIONID), ("wx_openid", WECHAT_APP, OPENID)
PROVIDER = {"suite_id": SUITE}


def linked(parsed: Parsed) -> set[tuple[str, str, str]]:
    (seen,) = parsed.observations
    assert seen["kind"] == "link"
    return set(ids_of(seen))


def replaced(parsed: Parsed) -> list[tuple[str, str, str]]:
    (seen,) = parsed.observations
    assert seen["kind"] == "replace"
    return ids_of(seen)


@pytest.mark.parametrize("name", ["doudian_open_id", "open_id"])
def test_a_mini_program_id_is_linked_with_the_shops(name: str) -> None:
    answer = {"code": 10000, "msg": "success", "log_id": "L1", "data": {name: "1@#abc"}}
    params = {"dy_open_id": "dy1", "dy_client_key": "tt01"}
    parsed = read_one(PARSER, answer, params=params, app_key="70", app_id="", method="user.getDoudianOpenID")
    assert linked(parsed) == {("douyin_mp_open_id", "tt01", "dy1"), ("doudian_open_id", "70", "1@#abc")}
    assert parsed.unknown == {}


def test_a_shop_id_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: context.params.dy_open_id"):
        read_one(PARSER, {"code": 10000, "data": {"doudian_open_id": "1@#abc"}})


def test_a_unionid_is_linked_with_the_contact_of_the_corp() -> None:
    parsed = read_one(PARSER, OK | {"external_userid": "wmA"}, params=ASKED)
    assert linked(parsed) == {UNIONID_ID, OPENID_ID, ("wecom_external_userid", CORP, "wmA")}


def test_a_unionid_is_linked_with_the_providers_contact() -> None:
    parsed = read_one(PARSER, OK | {"external_userid": "wmP", "pending_id": ""}, params=ASKED, **PROVIDER)
    assert linked(parsed) == {UNIONID_ID, OPENID_ID, ("wecom_isv_external_userid", SUITE, "wmP")}


def test_a_contact_to_come_has_a_pending_id_of_the_suite() -> None:
    parsed = read_one(PARSER, OK | {"external_userid": "", "pending_id": "p1"}, params=ASKED, **PROVIDER)
    assert linked(parsed) == {UNIONID_ID, OPENID_ID, ("wecom_pending_id", SUITE, "p1")}


def test_a_pending_id_is_linked_with_the_contact_it_became() -> None:
    pairs = [{"external_userid": "wmP", "pending_id": "p1"}, {"external_userid": "wmQ", "pending_id": "p2"}]
    first, second = read(PARSER, OK | {"result": pairs}, **PROVIDER)
    assert linked(first) == {("wecom_isv_external_userid", SUITE, "wmP"), ("wecom_pending_id", SUITE, "p1")}
    assert linked(second) == {("wecom_isv_external_userid", SUITE, "wmQ"), ("wecom_pending_id", SUITE, "p2")}


def test_contacts_of_several_corps_are_each_in_their_own() -> None:
    info = [{"corp_id": "WW01", "external_userid": "wmA"}, {"corpid": "wpB", "external_userid": "wmB"}]
    parsed = read_one(PARSER, OK | {"external_userid_info": info}, params={"unionid": UNIONID})
    assert linked(parsed) == {
        UNIONID_ID,
        ("wecom_external_userid", "ww01", "wmA"),
        ("wecom_external_userid", "wpB", "wmB"),
    }


@pytest.mark.parametrize("name", ["new_external_userid", "service_external_userid"])
def test_a_corps_and_a_providers_id_of_one_contact_are_linked(name: str) -> None:
    (parsed,) = read(PARSER, OK | {"items": [{"external_userid": "wmA", name: "wmP"}]}, **PROVIDER)
    assert linked(parsed) == {("wecom_external_userid", CORP, "wmA"), ("wecom_isv_external_userid", SUITE, "wmP")}


def test_nobody_found_says_nothing() -> None:
    assert read_one(PARSER, OK | {"external_userid": "", "pending_id": ""}, params=ASKED).observations == []


def test_an_app_that_moved_replaces_openids_between_two_scopes() -> None:
    answer = OK | {"result_list": [{"ori_openid": "o1", "new_openid": "o2", "err_msg": "ok"}]}
    (parsed,) = read(PARSER, answer, params={"from_appid": "wx9"})
    assert replaced(parsed) == [("wx_openid", "wx9", "o1"), ("wx_openid", WECHAT_APP, "o2")]
    assert parsed.unknown == {}


def test_an_id_that_could_not_be_replaced_is_refused_alone() -> None:
    answer = OK | {"result_list": [{"ori_openid": "o1", "err_msg": "ori_openid error"}]}
    (record,) = records(PARSER, answer)
    with pytest.raises(RecordRefusedError, match="platform_error: new_openid"):
        PARSER.parse(record)


@pytest.mark.parametrize(
    ("pair", "ids"),
    [
        (("doudian_open_id", {"app_key": "70"}), ("doudian_open_id", "70")),
        (("external_userid", {}), ("wecom_external_userid", CORP)),
        (("unionid", {}), ("wx_unionid", BRAND_PLATFORM)),
        (("open_uid", {"app_key": "21"}), ("tmall_open_uid", "21")),
        (("ouid", {"seller_nick": "示例旗舰店"}), ("tmall_ouid", "示例旗舰店")),
        (("openid", {"platform": "douyin", "app_id": "tt01"}), ("douyin_mp_open_id", "tt01")),
    ],
)
def test_pairs_of_old_and_new_ids_replace_in_their_scope(
    pair: tuple[str, dict[str, str]], ids: tuple[str, str]
) -> None:
    name, context = pair
    parsed = read_one(PARSER, {f"old_{name}": "a", f"new_{name}": "b"}, **context)
    assert replaced(parsed) == [(*ids, "a"), (*ids, "b")]


def test_the_general_form_states_both_sides_and_its_time() -> None:
    stated = {
        "namespace": "wx_openid",
        "old": {"scope": "wx8", "value": "o1"},
        "new": {"scope": "wx9", "value": "o2"},
        "at": "2025-01-01T10:00:00+08:00",
    }
    parsed = read_one(PARSER, stated)
    assert replaced(parsed) == [("wx_openid", "wx8", "o1"), ("wx_openid", "wx9", "o2")]
    assert parsed.observations[0]["event_time"] == 1735696800000


def test_bare_values_of_the_general_form_are_in_the_scope_of_the_context() -> None:
    parsed = read_one(PARSER, {"namespace": "member_id", "old": "K1", "new": "K2"})
    assert replaced(parsed) == [("member_id", "brandA", "K1"), ("member_id", "brandA", "K2")]


def test_a_replacement_without_time_holds_from_the_day_it_came() -> None:
    parsed = read_one(PARSER, {"old_openid": "o1", "new_openid": "o2"})
    assert parsed.observations[0]["event_time"] == 1735660800000
    assert parsed.observations[0]["observation_id"].endswith(":1735660800000")


def test_a_general_form_without_namespace_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: old.namespace"):
        read_one(PARSER, {"old": "a", "new": "b"})


@pytest.mark.parametrize("answer", [{"errcode": 84061}, {"code": 20000, "msg": "x"}, {"err_no": 30001}])
def test_an_error_answer_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(RecordRefusedError, match="platform_error"):
        read(PARSER, answer)


def test_a_partial_success_gives_what_is_there() -> None:
    answer = {"code": 10001, "msg": "partial success", "data": {"doudian_open_id": "1@#x"}}
    parsed = read_one(PARSER, answer, app_id="tt01", app_key="7000001", params={"dy_open_id": "mp-1"})
    assert linked(parsed) == {("douyin_mp_open_id", "tt01", "mp-1"), ("doudian_open_id", "7000001", "1@#x")}


def test_an_answer_of_another_form_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_shape"):
        read_one(PARSER, OK | {"userid": "lisi"})


def test_equal_answers_to_two_questions_are_no_duplicates() -> None:
    first, second = (
        records(PARSER, OK | {"external_userid": "wmA"}, params={"unionid": one})[0].digest for one in ("u1", "u2")
    )
    assert first != second


def test_conversions_of_one_day_are_one_sighting() -> None:
    seen = read_one(PARSER, OK | {"external_userid": "wmA"}, params=ASKED).observations[0]
    assert seen["observation_id"].endswith(DAY)

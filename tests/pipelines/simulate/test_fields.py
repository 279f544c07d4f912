"""Every kind of record has exactly the fields and types that the platforms' documentation gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from tests.pipelines.simulate.documented import (
    CALLBACK,
    CALLBACKS,
    EVENTS,
    PAGED,
    SESSION,
    SINGLE,
    TMC_CONTENTS,
)
from tests.pipelines.simulate.documented_shops import (
    DOUYIN_ORDER,
    DOUYIN_REFUND_PUSH,
    DOUYIN_TRADE_PUSH,
    LOCAL,
)

Json = dict[str, Any]


def differences(value: Any, form: Any, path: str) -> Iterator[str]:
    """Where the value is not of the form."""
    if form is ...:
        return
    if isinstance(form, dict):
        yield from dict_differences(value, form, path)
    elif isinstance(form, list):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for number, element in enumerate(value):
            yield from differences(element, form[0], f"{path}[{number}]")
    elif isinstance(form, set | frozenset):
        if value not in form:
            yield f"{path} is {value!r}"
    elif isinstance(form, re.Pattern):
        if not isinstance(value, str) or not form.fullmatch(value):
            yield f"{path} is {value!r}"
    elif type(value) not in (form if isinstance(form, tuple) else (form,)):
        yield f"{path} is a {type(value).__name__}"


def dict_differences(value: Any, form: Json, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is no object"
        return
    allowed = {name.removesuffix("?"): (name.endswith("?"), inner) for name, inner in form.items()}
    for name in value.keys() - allowed.keys():
        yield f"{path}.{name} is unknown"
    for name, (optional, inner) in allowed.items():
        if name in value:
            yield from differences(value[name], inner, f"{path}.{name}")
        elif not optional:
            yield f"{path}.{name} is missing"


def found_differences(values: list[Any], form: Any) -> list[str]:
    assert values
    return sorted({difference for value in values for difference in differences(value, form, "$")})


def payloads(world: Any, feed: str, method: str | None) -> list[Any]:
    return [line.payload for line in world.lines(feed) if line.context.get("method") == method]


@pytest.mark.parametrize(("feed", "method"), sorted(PAGED))
def test_elements_of_pages_have_their_platforms_fields(whole_world: Any, feed: str, method: str) -> None:
    values = [element for _, element in whole_world.elements(feed, method)]
    assert found_differences(values, PAGED[feed, method]) == []


@pytest.mark.parametrize(("feed", "method"), sorted(SINGLE, key=str))
def test_single_answers_have_their_platforms_fields(whole_world: Any, feed: str, method: str | None) -> None:
    assert found_differences(payloads(whole_world, feed, method), SINGLE[feed, method]) == []


def test_no_answer_of_a_method_without_a_table_is_written(whole_world: Any) -> None:
    found = {
        (feed, line.context.get("method")) for feed in whole_world.report.records for line in whole_world.lines(feed)
    }
    tested = {
        *(("douyin_orders", "order.orderDetail"), ("douyin_messages", "push"), ("wecom_events", "callback")),
        *(("miniprogram_users", "jscode2session"), ("miniprogram_events", None)),
    }
    assert found == {*PAGED, *SINGLE, *tested}


def test_an_order_detail_holds_the_order_of_the_list(whole_world: Any) -> None:
    details = payloads(whole_world, "douyin_orders", "order.orderDetail")
    assert found_differences([answer["data"]["shop_order_detail"] for answer in details], DOUYIN_ORDER) == []


def test_douyin_pages_carry_code_message_and_log_id(whole_world: Any) -> None:
    form = {"code": {10000}, "msg": str, "sub_code": str, "sub_msg": str, "log_id": str, "data": ...}
    assert found_differences(payloads(whole_world, "douyin_orders", "order.searchList"), form) == []
    assert found_differences(payloads(whole_world, "douyin_refunds", "afterSale.List"), form) == []


def test_older_douyin_answers_carry_err_no(whole_world: Any) -> None:
    form = {"err_no": {0}, "message": {"success"}, "log_id": str, "data": ...}
    assert found_differences(payloads(whole_world, "douyin_orders", "order.batchDecrypt"), form) == []


def test_douyin_pages_count_their_elements_and_start_at_zero(whole_world: Any) -> None:
    for answer in payloads(whole_world, "douyin_orders", "order.searchList"):
        data = answer["data"]
        assert (data["page"], data["total"]) == (0, len(data["shop_order_list"]))
        assert data["total"] <= data["size"] <= 100


def test_after_sale_numbers_are_all_numbers_or_all_quoted(whole_world: Any) -> None:
    kinds = set()
    for _, item in whole_world.elements("douyin_refunds", "afterSale.List"):
        info = item["aftersale_info"]
        named = ("aftersale_type", "aftersale_status", "refund_amount", "refund_post_amount", "refund_status")
        types = {type(info[name]) for name in named}
        assert len(types) == 1
        assert all(str(info[name]).isdigit() for name in named)
        kinds |= types
    assert kinds == {int, str}


def test_after_sale_values_are_those_of_the_documentation(whole_world: Any) -> None:
    infos = [item["aftersale_info"] for _, item in whole_world.elements("douyin_refunds", "afterSale.List")]
    assert {int(info["aftersale_type"]) for info in infos} <= {0, 1, 2, 3, 6, 7, 8}
    assert {int(info["aftersale_status"]) for info in infos} <= {6, 7, 8, 11, 12, 13, 14, 27, 28, 29}
    assert {int(info["refund_status"]) for info in infos} <= {0, 1, 2, 3, 4, 5}


def test_pushes_are_arrays_with_text_or_object_data(whole_world: Any) -> None:
    forms = set()
    for payload in payloads(whole_world, "douyin_messages", "push"):
        (message,) = payload
        as_text = {"tag": re.compile(r"\d{3}"), "msg_id": str, "data": str}
        as_object = {"tag": int, "msgId": str, "data": dict}
        textual = "msg_id" in message
        assert not list(differences(message, as_text if textual else as_object, "$"))
        data = orjson.loads(message["data"]) if textual else message["data"]
        form = DOUYIN_REFUND_PUSH if int(message["tag"]) >= 200 else DOUYIN_TRADE_PUSH
        assert list(differences(data, form, "$")) == []
        forms.add((textual, int(message["tag"]) >= 200))
    assert forms == {(True, True), (True, False), (False, True), (False, False)}


@pytest.mark.parametrize(("feed", "start"), [("tmall_messages", "taobao"), ("points_events", "tmall_mei")])
def test_message_contents_have_their_topics_fields(whole_world: Any, feed: str, start: str) -> None:
    frames = payloads(whole_world, feed, "tmc")
    assert frames
    for frame in frames:
        form = TMC_CONTENTS["_".join(frame["topic"].split("_")[:2])]
        assert frame["topic"].startswith(start)
        assert list(differences(orjson.loads(frame["content"]), form, "$")) == []


def test_sessions_name_openid_and_no_errcode(whole_world: Any) -> None:
    answers = payloads(whole_world, "miniprogram_users", "jscode2session")
    failed = [answer for answer in answers if "errcode" in answer]
    assert found_differences([answer for answer in answers if answer not in failed], SESSION) == []
    assert all(answer == {"errcode": 40029, "errmsg": "invalid code"} for answer in failed)


def test_events_have_the_fields_of_their_type(whole_world: Any) -> None:
    found = set()
    for record in payloads(whole_world, "miniprogram_events", None):
        assert list(differences(record, EVENTS[record["type"]], "$")) == []
        assert "_track_id" not in record or 0 < record["_track_id"] < 10**9
        found.add(record["type"])
    assert found == EVENTS.keys()


def test_event_properties_are_plain_values(whole_world: Any) -> None:
    for record in payloads(whole_world, "miniprogram_events", None):
        for name, value in record["properties"].items():
            assert isinstance(value, str | int | float | bool), name
        scene = record["properties"].get("$scene", "wx-1")
        assert re.fullmatch(r"wx-\d+|未取到值", scene)


def test_flight_mode_joins_carry_their_time(whole_world: Any) -> None:
    binds = payloads(whole_world, "tmall_members", "tmall.mei.crm.bind")
    extends = [orjson.loads(bind["extend"]) for bind in binds]
    form = {"alipay_user_id": str, "flightMode?": {"1"}, "flightJoinTime?": LOCAL}
    assert found_differences(extends, form) == []
    assert {"flightJoinTime" in extend for extend in extends} == {True, False}


def test_callbacks_have_the_fields_of_their_change(whole_world: Any) -> None:
    found = set()
    for payload in payloads(whole_world, "wecom_events", "callback"):
        root = ElementTree.fromstring(payload)
        names = {child.tag for child in root}
        change = root.findtext("ChangeType") or ""
        if root.findtext("SuiteId") is not None or root.findtext("Event") == "change_external_tag":
            continue
        optional = {name.rstrip("?") for name in CALLBACKS.get(change, ()) if name.endswith("?")}
        needed = {name for name in CALLBACKS.get(change, ()) if not name.endswith("?")}
        if change in CALLBACKS:
            assert names - optional == CALLBACK | needed
            found.add(change)
        else:
            assert (change, names) == ("create", CALLBACK | {"ChangeType", "ChatId"})
    assert found == CALLBACKS.keys()


def test_welcome_codes_and_session_keys_are_never_written(whole_world: Any) -> None:
    events = payloads(whole_world, "wecom_events", "callback")
    codes = {code for payload in events for code in re.findall(r"<WelcomeCode><!\[CDATA\[(.*?)\]\]>", payload)}
    assert codes == {"<redacted>"}


def test_provider_callbacks_have_the_third_party_form(whole_world: Any) -> None:
    roots = [ElementTree.fromstring(p) for p in payloads(whole_world, "wecom_events", "callback")]
    theirs = [root for root in roots if root.findtext("SuiteId") is not None]
    fields = {"SuiteId", "AuthCorpId", "InfoType", "TimeStamp", "ChangeType", "UserID", "ExternalUserID", "WelcomeCode"}
    assert theirs
    assert all({child.tag for child in root} == fields for root in theirs)

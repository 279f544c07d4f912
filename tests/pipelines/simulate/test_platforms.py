"""The simulated platforms: what the real ones refuse is refused, what they take is taken, and nothing is a crash."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.simulate.brand import CORPS, DOUYIN_APP, TMALL_SHOPS
from pipelines.simulate.clock import DAY
from pipelines.simulate.platform_data import secret_of
from pipelines.simulate.platform_tmall import session_of
from pipelines.simulate.server import PlatformRules, PlatformServer
from serving.contract.signatures import douyin_api_sign, douyin_api_sign_md5, top_sign
from tests.pipelines.connectors.trial import CONFIG, END, Now

APP, SHOP = "7000001", "4463798"
UPDATED = {"update_time_start": END - 5 * DAY, "order_by": "update_time", "order_asc": True, "page": 0, "size": 100}
SIGNS = {"hmac-sha256": douyin_api_sign, "md5": douyin_api_sign_md5}


@pytest.fixture(scope="module")
def server() -> PlatformServer:
    """The platforms, asked without HTTP."""
    return PlatformServer(CONFIG, Now())


def douyin(server: PlatformServer, method: str, params: Any, *, sign_method: str = "hmac-sha256", **query: str) -> Any:
    body = params if isinstance(params, bytes) else orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
    stamp = query.get("timestamp", str(server.data.now))
    known = {"app_key": APP, "method": method, "param_json": body.decode(), "timestamp": stamp}
    sign = SIGNS[sign_method](secret_of(APP), **known)
    asked = {"app_key": APP, "method": method, "timestamp": stamp, "v": "2", "sign_method": sign_method, "sign": sign}
    return server.douyin.answer(method, {**asked, **query}, body)


@pytest.fixture
def token(server: PlatformServer) -> str:
    params = {"code": "", "grant_type": "authorization_self", "shop_id": SHOP}
    return str(douyin(server, "token.create", params)["data"]["access_token"])


@pytest.mark.parametrize("sign_method", ["hmac-sha256", "md5"])
def test_both_signs_of_douyin_are_taken(server: PlatformServer, token: str, sign_method: str) -> None:
    answer = douyin(server, "order.searchList", UPDATED, sign_method=sign_method, access_token=token)
    assert answer["code"] == 10000
    assert len(answer["data"]["shop_order_list"]) > 10


@pytest.mark.parametrize(
    ("query", "sub_code"),
    [
        ({"sign": "0" * 64}, "isv.signature-invalid"),
        ({"timestamp": str(END - 601)}, "isv.timestamp-invalid"),
        ({"timestamp": str(END + 601)}, "isv.timestamp-invalid"),
        ({"access_token": "forged"}, "isv.access-token-no-existed"),
        ({"access_token": ""}, "isv.access-token-missing"),
        ({"app_key": "1"}, "isv.parameter-invalid:app-key"),
        ({"v": "1"}, "isv.parameter-invalid:common"),
    ],
)
def test_douyin_knows_its_callers(server: PlatformServer, token: str, query: dict[str, str], sub_code: str) -> None:
    answer = douyin(server, "order.searchList", UPDATED, **{"access_token": token, **query})
    assert (answer["code"] != 10000, answer["sub_code"]) == (True, sub_code)


def test_a_token_of_douyin_that_ended_is_refused_as_such() -> None:
    with PlatformServer(CONFIG, lambda: END * 1000, PlatformRules(token_calls=1)) as server:
        params = {"code": "", "grant_type": "authorization_self", "shop_id": SHOP}
        token = str(douyin(server, "token.create", params)["data"]["access_token"])
        codes = [
            (answer["code"], answer["sub_code"])
            for answer in [douyin(server, "order.searchList", UPDATED, access_token=token) for _ in range(2)]
        ]
    assert codes == [(10000, ""), (40003, "isv.access-token-expired")]


@pytest.mark.parametrize(
    ("changed", "sub_code"),
    [
        ({"size": 101}, "isv.parameter-invalid:page"),
        ({"size": 0}, "isv.parameter-invalid:page"),
        ({"page": -1}, "isv.parameter-invalid:page"),
        ({"page": "0"}, "isv.parameter-invalid:page"),
        ({"page": 501}, "isv.parameter-invalid:20013"),
        ({"page": 500}, ""),
        ({"update_time_start": END - 91 * DAY}, "isv.parameter-invalid:20011"),
        ({"update_time_start": None}, "isv.parameter-invalid:update_time_start"),
        ({"update_time_start": None, "create_time_start": END - 91 * DAY}, "isv.parameter-invalid:20011"),
        ({"update_time_start": None, "create_time_start": END - DAY}, ""),
        ({"update_time_start": "yesterday"}, "isv.parameter-invalid:update_time_start"),
    ],
)
def test_douyin_pages_and_windows(server: PlatformServer, token: str, changed: Any, sub_code: str) -> None:
    answer = douyin(server, "order.searchList", {**UPDATED, **changed}, access_token=token)
    assert answer["sub_code"] == sub_code


def test_douyin_lists_the_latest_created_first_unless_told_otherwise(server: PlatformServer, token: str) -> None:
    params = {"create_time_start": END - 5 * DAY, "create_time_end": END - DAY, "page": 0, "size": 100}
    rows = douyin(server, "order.searchList", params, access_token=token)["data"]["shop_order_list"]
    created = [row["create_time"] for row in rows]
    assert len(created) > 5
    assert created == sorted(created, reverse=True)
    assert max(created) <= END - DAY


def test_cases_of_the_last_half_year_are_listed_without_a_window(server: PlatformServer, token: str) -> None:
    listed = douyin(server, "afterSale.List", {"page": 0, "size": 100}, access_token=token)["data"]["items"]
    params = {"start_time": END - 5 * DAY, "order_by": ["apply_time asc"], "page": 0, "size": 100}
    applied = douyin(server, "afterSale.List", params, access_token=token)["data"]["items"]
    ids = [[item["aftersale_info"]["aftersale_id"] for item in items] for items in (listed, applied)]
    times = [int(item["aftersale_info"]["apply_time"]) for item in applied]
    assert ({*ids[0]}, times) == ({*ids[1]}, sorted(times))
    assert ids[0]


@pytest.mark.parametrize("infos", [[], [{}] * 51, ["odd"], "odd", [{"auth_id": "1", "cipher_text": "$$x$1$$"}]])
def test_ciphers_of_another_form_are_refused(server: PlatformServer, token: str, infos: Any) -> None:
    answer = douyin(server, "order.batchDecrypt", {"cipher_infos": infos}, access_token=token)
    assert answer["sub_code"].startswith("isv.parameter-invalid:cipher")


MEMBERS = {"app_id": DOUYIN_APP.app_id, "start_time": "2025-01-01 00:00:00", "end_time": "2025-01-05 00:00:00"}


@pytest.mark.parametrize(
    ("changed", "sub_code"),
    [
        ({"app_id": "tt0"}, "isv.parameter-invalid:app_id"),
        ({"app_id": None}, "isv.parameter-invalid:app_id"),
        ({"start_time": END - DAY}, "isv.parameter-invalid:start_time"),
        ({"start_time": "2024-09-01 00:00:00"}, "isv.parameter-invalid:start_time"),
        ({"end_time": "2024-12-31 00:00:00"}, "isv.parameter-invalid:start_time"),
        ({"size": 101}, "isv.parameter-invalid:page"),
        ({"page": -1}, "isv.parameter-invalid:page"),
    ],
)
def test_orders_of_members_are_told_for_their_app_and_in_pages(
    server: PlatformServer, token: str, changed: Any, sub_code: str
) -> None:
    good = {**MEMBERS, "page": 0, "size": 100}
    assert douyin(server, "member.searchList", good, access_token=token)["data"]["total"] > 3
    assert douyin(server, "member.searchList", {**good, **changed}, access_token=token)["sub_code"] == sub_code


def test_receivers_are_decrypted_up_to_the_days_quota() -> None:
    now = Now()
    server = PlatformServer(CONFIG, now, PlatformRules(decryptions=3))
    params = {"code": "", "grant_type": "authorization_self", "shop_id": SHOP}
    token = douyin(server, "token.create", params)["data"]["access_token"]
    orders = douyin(server, "order.searchList", UPDATED, access_token=token)["data"]["shop_order_list"]
    infos = [{"auth_id": order["order_id"], "cipher_text": order["encrypt_post_tel"]} for order in orders]

    def decrypt(some: list[dict[str, str]]) -> str:
        answer = douyin(server, "order.batchDecrypt", {"cipher_infos": some}, access_token=token)
        return str(answer.get("sub_code", ""))

    asked = [decrypt(infos[:4]), decrypt(infos[:2]), decrypt(infos[:2]), decrypt(infos[:1]), decrypt(infos[:1])]
    spent = "isv.decrypt-quota-exhausted"
    assert asked == [spent, "", spent, "", spent]
    now.second += DAY
    assert decrypt(infos[:3]) == ""
    server.douyin.decryptions = 0
    assert decrypt(infos[:1]) == "isv.no-permission"


TRADES = {"fields": "tid,status,orders", "start_modified": "2025-01-04 00:00:00", "end_modified": "2025-01-05 00:00:00"}


def top(server: PlatformServer, method: str, params: dict[str, str], *, sign_method: str = "hmac") -> Any:
    shop = TMALL_SHOPS[0]
    form = {"method": method, "app_key": shop.app_key, "timestamp": "2025-01-05 00:00:00", "format": "json"}
    form |= {"v": "2.0", "sign_method": sign_method, "session": session_of(shop.seller_nick), **params}
    form.setdefault("sign", top_sign(secret_of(shop.app_key), form, method=sign_method))
    return server.tmall.answer(form)


def listed(server: PlatformServer, **params: str) -> Any:
    return top(server, "taobao.trades.sold.increment.get", {**TRADES, **params})


@pytest.mark.parametrize("sign_method", ["md5", "hmac", "hmac-sha256"])
def test_all_signs_of_top_are_taken(server: PlatformServer, sign_method: str) -> None:
    answer = top(server, "taobao.trades.sold.increment.get", TRADES, sign_method=sign_method)
    assert "trades_sold_increment_get_response" in answer


def test_only_the_fields_that_were_asked_for_come(server: PlatformServer) -> None:
    trades = listed(server)["trades_sold_increment_get_response"]["trades"]["trade"]
    assert {name for trade in trades for name in trade} == {"tid", "status", "orders"}


@pytest.mark.parametrize(("include", "comes"), [("true", True), ("false", False)])
def test_the_receivers_id_comes_with_all_of_the_receivers_fields(
    server: PlatformServer, include: str, comes: bool
) -> None:
    tid = str(server.data.orders("tmall", 0)[0][1].number)
    fields = "receiver_name,receiver_address,created,receiver_mobile,receiver_phone"
    for asked, expected in ((fields, comes), (f"oaid,{fields.removesuffix(',receiver_phone')}", False)):
        params = {"tid": tid, "fields": asked, "include_oaid": include}
        trade = top(server, "taobao.trade.fullinfo.get", params)["trade_fullinfo_get_response"]["trade"]
        assert ("oaid" in trade) is expected


def test_top_tells_a_total_or_whether_more_follows(server: PlatformServer) -> None:
    total = listed(server)["trades_sold_increment_get_response"]["total_results"]
    last = -(-total // 10)
    for page in (1, last):
        answer = listed(server, use_has_next="true", page_no=str(page), page_size="10")
        response = answer["trades_sold_increment_get_response"]
        assert ("total_results" in response, response["has_next"]) == (False, page < last)


def test_a_page_of_top_holds_forty_trades_and_one_state_can_be_asked_for(server: PlatformServer) -> None:
    trades = listed(server)["trades_sold_increment_get_response"]["trades"]["trade"]
    assert len(trades) <= 40
    one = trades[0]["status"]
    found = listed(server, status=one)["trades_sold_increment_get_response"]["trades"]["trade"]
    assert {trade["status"] for trade in found} == {one}


@pytest.mark.parametrize(
    ("params", "sub_code"),
    [
        ({"fields": ""}, "isv.missing-parameter:fields"),
        ({"end_modified": "2025-01-05 00:00:01"}, "isv.invalid-parameter:end_modified"),
        ({"start_modified": "2024-09-01 00:00:00"}, "isv.invalid-parameter:end_modified"),
        (
            {"start_modified": "2024-09-01 00:00:00", "end_modified": "2024-09-01 12:00:00"},
            "isv.invalid-parameter:start_modified",
        ),
        ({"start_modified": "2025-01-04"}, "isv.invalid-parameter:start_modified"),
        ({"page_no": "0"}, "isv.invalid-parameter:page"),
        ({"page_size": "101"}, "isv.invalid-parameter:page"),
        ({"use_has_next": "maybe"}, "isv.invalid-parameter:use_has_next"),
        ({"status": "TRADE_FINISHED,TRADE_CLOSED"}, "isv.invalid-parameter:status"),
        ({"session": "x"}, "isv.invalid-session"),
        ({"sign": "X"}, "isv.invalid-signature"),
        ({"timestamp": "2025-01-05 00:10:01"}, "isv.invalid-timestamp"),
        ({"timestamp": "now"}, "isv.invalid-parameter:timestamp"),
    ],
)
def test_top_is_strict(server: PlatformServer, params: dict[str, str], sub_code: str) -> None:
    assert listed(server, **params)["error_response"]["sub_code"] == sub_code


@pytest.mark.parametrize(
    ("params", "sub_code"),
    [
        ({"fields": ""}, "isv.missing-parameter:fields"),
        ({"start_created": "2024-10-04 23:59:59"}, "isv.invalid-parameter:start_created"),
        ({"start_created": "2025-01-03 00:00:00"}, "isv.invalid-parameter:start_created"),
        ({"end_created": "yesterday"}, "isv.invalid-parameter:end_created"),
        ({"page_no": "0"}, "isv.invalid-parameter:page"),
        ({"status": "ALL"}, "isv.invalid-parameter:status"),
    ],
)
def test_trades_by_creation_go_three_months_back(server: PlatformServer, params: dict[str, str], sub_code: str) -> None:
    good = {"fields": "tid", "end_created": "2025-01-02 00:00:00"}
    assert top(server, "taobao.trades.sold.get", {**good, **params})["error_response"]["sub_code"] == sub_code


def test_the_three_months_of_tmall_are_those_of_the_calendar(server: PlatformServer) -> None:
    span = {"fields": "tid", "start_created": "2024-10-05 00:00:00", "end_created": "2024-10-06 00:00:00"}
    assert "error_response" not in top(server, "taobao.trades.sold.get", span)


def test_trades_by_creation_come_newest_first_and_by_that_time_alone(server: PlatformServer) -> None:
    span = {"start_created": "2025-01-02 00:00:00", "end_created": "2025-01-03 00:00:00", "page_size": "100"}
    answer = top(server, "taobao.trades.sold.get", {"fields": "tid,created", **span})["trades_sold_get_response"]
    times = [trade["created"] for trade in answer["trades"]["trade"]]
    assert times == sorted(times, reverse=True)
    assert answer["total_results"] == len(times) > 3
    assert {time[:10] for time in times} == {"2025-01-02"}
    whole = top(server, "taobao.trades.sold.get", {"fields": "tid"})["trades_sold_get_response"]
    assert whole["total_results"] > len(times)


def members(server: PlatformServer, **params: str) -> Any:
    return top(server, "taobao.crm.members.increment.get", {"current_page": "1", **params})


@pytest.mark.parametrize(
    ("params", "sub_code"),
    [
        ({"current_page": "0"}, "isv.invalid-parameter:page"),
        ({"current_page": "1001"}, "isv.invalid-parameter:page"),
        ({"page_size": "101"}, "isv.invalid-parameter:page"),
        ({"grade": "5"}, "isv.invalid-parameter:grade"),
        ({"start_modify": "now"}, "isv.invalid-parameter:start_modify"),
        (
            {"start_modify": "2025-01-02 00:00:00", "end_modify": "2025-01-01 00:00:00"},
            "isv.invalid-parameter:end_modify",
        ),
    ],
)
def test_customer_lists_are_strict(server: PlatformServer, params: dict[str, str], sub_code: str) -> None:
    assert members(server, **params)["error_response"]["sub_code"] == sub_code


def test_a_customer_list_counts_all_of_the_stretch_and_is_empty_past_its_last_page(server: PlatformServer) -> None:
    whole = members(server, page_size="100")["crm_members_increment_get_response"]
    graded = members(server, grade="1", page_size="100")["crm_members_increment_get_response"]
    late = members(server, start_modify="2025-01-04 00:00:00")["crm_members_increment_get_response"]
    past = members(server, current_page="99")["crm_members_increment_get_response"]
    assert whole["total_result"] == past["total_result"] == len(whole["members"]["basic_member"]) > 3
    assert past["members"]["basic_member"] == []
    assert {entry["grade"] for entry in graded["members"]["basic_member"]} == {1}
    assert 0 < late["total_result"] < whole["total_result"]
    missing = top(server, "taobao.crm.members.increment.get", {})["error_response"]["sub_code"]
    assert missing == "isv.missing-parameter:current_page"


def wecom(server: PlatformServer, method: str, params: Any) -> Any:
    corp_id = CORPS[0].corp_id
    known = server.wecom.answer("gettoken", {"corpid": corp_id, "corpsecret": secret_of(corp_id)}, b"")
    return server.wecom.answer(method, {"access_token": known["access_token"]}, orjson.dumps(params))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("externalcontact/batch/get_by_user", {"userid_list": ["x"], "limit": "100"}),
        ("externalcontact/batch/get_by_user", {"userid_list": [], "limit": 100}),
        ("externalcontact/batch/get_by_user", {"userid_list": ["x"], "limit": 101}),
        ("externalcontact/groupchat/list", {"limit": 1001}),
        ("externalcontact/groupchat/list", {"limit": True}),
        ("externalcontact/groupchat/list", {"limit": 10, "owner_filter": {"userid_list": ["x"] * 101}}),
        ("externalcontact/groupchat/list", {"limit": 10, "cursor": "forged"}),
        ("externalcontact/get_user_behavior_data", {"userid": ["x"], "start_time": END - 31 * DAY, "end_time": END}),
        ("externalcontact/get_user_behavior_data", {"userid": ["x"], "start_time": "1", "end_time": END}),
        ("externalcontact/get_unassigned_list", {"page_size": "x"}),
    ],
)
def test_wecom_refuses_parameters_of_another_form(server: PlatformServer, method: str, params: Any) -> None:
    assert wecom(server, method, params)["errcode"] == 40058


def test_groups_can_be_asked_for_by_owner(server: PlatformServer) -> None:
    owner = server.wecom.groups(0)[0].owner.userid
    answer = wecom(server, "externalcontact/groupchat/list", {"limit": 10, "owner_filter": {"userid_list": [owner]}})
    found = {row["chat_id"] for row in answer["group_chat_list"]}
    assert found == {group.chat_id for group in server.wecom.groups(0) if group.owner.userid == owner}


def test_figures_are_of_whole_days_whatever_time_is_named(server: PlatformServer) -> None:
    guide = server.wecom.staff(0)[0].userid
    params = {"userid": [guide], "start_time": END - 2 * DAY + 7, "end_time": END - DAY + 3_600}
    answer = wecom(server, "externalcontact/get_user_behavior_data", params)
    assert [row["stat_time"] for row in answer["behavior_data"]] == [END - 2 * DAY, END - DAY]


def test_a_corp_that_calls_a_method_too_often_is_blocked_for_a_minute() -> None:
    now = Now()
    server = PlatformServer(CONFIG, now)
    server.wecom.calls_per_minute = 3

    def ask(method: str) -> int:
        return int(wecom(server, method, {})["errcode"])

    tags = "externalcontact/get_corp_tag_list"
    assert [ask(tags) for _ in range(5)] == [0, 0, 0, 45009, 45009]
    assert ask("externalcontact/get_follow_user_list") == 0
    now.second += 59
    assert ask(tags) == 45009
    now.second += 1
    assert ask(tags) == 0

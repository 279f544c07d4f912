"""Receivers: nothing unsigned, old or forged comes in, nothing is acknowledged before it is on disk."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from identity.business_time import SHANGHAI
from serving.callbacks import FORGED, OLD
from serving.contract.pull_queue import FILE, Hint, enqueue, waiting
from serving.contract.signatures import douyin_event_sign, douyin_webhook_signature, top_spi_sign
from serving.contract.spool import collect
from serving.contract.wecom_crypto import CallbackKeys, signature
from tests.serving.client import Api, World

AES_KEY = base64.b64encode(bytes(range(32))).decode()[:43]
KEYS = CallbackKeys("tok3n", AES_KEY, "ww0000000000000001")
ACCOUNTS = f"""
douyin: [{{app_key: "7000001", app_secret: shop-secret}}]
douyin_open: [{{client_key: aw1, client_secret: open-secret, app_id: tt01, open_platform_id: dev1}}]
tmall: [{{app_key: "21000001", app_secret: top-secret, brand: b, shops: [{{seller_nick: shop, session: s}}]}}]
wecom: [{{corp_id: ww0000000000000001, open_platform_id: op1, token: tok3n, encoding_aes_key: "{AES_KEY}"}}]
"""
EVENT = (
    "<xml><ToUserName><![CDATA[ww0000000000000001]]></ToUserName><CreateTime>1735700530</CreateTime>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>"
    "<UserID><![CDATA[lisi]]></UserID><ExternalUserID><![CDATA[wmExampleAAAA0001]]></ExternalUserID>"
    "<WelcomeCode><![CDATA[WELCOME-EXAMPLE]]></WelcomeCode></xml>"
)
SHOP_BODY = (
    b'[{"tag":"101","msg_id":"m1","data":"{\\"p_id\\":6923456789012345678,\\"shop_id\\":4463798}"},\n {"tag":0}]'
)


@pytest.fixture
def taken(world: World) -> World:
    """A home that has accounts."""
    (world.home / "keys").mkdir()
    (world.home / "keys" / "platforms.yaml").write_text(ACCOUNTS, encoding="utf-8")
    return world


def stored(home: Path, feed: str) -> list[dict[str, Any]]:
    """What the next run will find in the landing."""
    collect(home, home / "landing")
    files = sorted((home / "landing" / feed).rglob("*.jsonl"))
    return [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]


def wecom_query(world: World, encrypt: str, **changed: str) -> dict[str, str]:
    timestamp = changed.pop("timestamp", str(world.wall() // 1000))
    signed = signature("tok3n", timestamp, "n0nce", encrypt)
    return {"msg_signature": signed, "timestamp": timestamp, "nonce": "n0nce", **changed}


def wecom_post(world: World, api: Api, message: str, keys: CallbackKeys = KEYS, **changed: str) -> Any:
    encrypt = keys.encrypt(message, bytes(16))
    body = f"<xml><ToUserName><![CDATA[x]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    query = wecom_query(world, encrypt, **changed)
    return api.ask("POST", "/webhooks/wecom/ww0000000000000001", params=query, content=body)


def shop_post(api: Api, body: bytes, sign: str | None = None) -> Any:
    sign = sign if sign is not None else douyin_event_sign("7000001", body, "shop-secret")
    return api.ask("POST", "/webhooks/douyin/shop/7000001", content=body, headers={"event-sign": sign})


def open_post(api: Api, body: bytes, **headers: str) -> Any:
    signed = {"X-Douyin-Signature": douyin_webhook_signature("open-secret", body), **headers}
    return api.ask("POST", "/webhooks/douyin/open/aw1", content=body, headers=signed)


def test_without_accounts_nothing_is_received(world: World) -> None:
    api = world.api_with(None)
    assert [shop_post(api, SHOP_BODY).status_code, open_post(api, b"{}").status_code] == [404, 404]
    assert api.get("/webhooks/wecom/ww0000000000000001").status_code == 404


def test_an_account_that_is_not_listed_receives_nothing(taken: World) -> None:
    assert taken.api_with(None).ask("POST", "/webhooks/douyin/shop/7999999", content=b"[]").status_code == 404


def test_the_address_check_of_wecom_gets_its_echo(taken: World) -> None:
    echo = KEYS.encrypt("1616140317555161061", bytes(16))
    query = {**wecom_query(taken, echo), "echostr": echo}
    answer = taken.api_with(None).ask("GET", "/webhooks/wecom/ww0000000000000001", params=query)
    assert (answer.status_code, answer.text) == (200, "1616140317555161061")


def test_a_callback_is_stored_decrypted_without_its_welcome_code(taken: World) -> None:
    answer = wecom_post(taken, taken.api_with(None), EVENT)
    assert (answer.status_code, answer.text) == (200, "success")
    [line] = stored(taken.home, "wecom_events")
    assert line["payload"] == EVENT.replace("WELCOME-EXAMPLE", "<redacted>")
    context = line["context"]
    assert context.pop("received_at").endswith("+08:00")
    assert context == {
        "platform": "wecom",
        "corp_id": "ww0000000000000001",
        "open_platform_id": "op1",
        "method": "callback",
    }


def test_a_callback_makes_the_contact_worth_pulling(taken: World) -> None:
    wecom_post(taken, taken.api_with(None), EVENT)
    [ticket] = waiting(taken.home)
    assert (ticket.hint.platform, ticket.hint.kind, ticket.hint.object_id) == ("wecom", "contact", "wmExampleAAAA0001")


def test_a_contact_that_ended_is_not_pulled(taken: World) -> None:
    wecom_post(taken, taken.api_with(None), EVENT.replace("add_external_contact", "del_follow_user"))
    assert waiting(taken.home) == ()


SECOND_AES_KEY = base64.b64encode(bytes(range(32, 64))).decode()[:43]
APPS = f"""
wecom:
- {{corp_id: ww0000000000000001, open_platform_id: op0}}
- {{corp_id: ww0000000000000001, open_platform_id: op1, token: tok3n, encoding_aes_key: "{AES_KEY}"}}
- {{corp_id: ww0000000000000001, open_platform_id: op2, token: tok3n, encoding_aes_key: "{SECOND_AES_KEY}"}}
- {{corp_id: ww0000000000000001, open_platform_id: op3, token: other, encoding_aes_key: "{AES_KEY}"}}
- {{corp_id: ww2, open_platform_id: op4, token: tok4n, encoding_aes_key: "{AES_KEY}"}}
"""


@pytest.fixture
def apps(taken: World) -> World:
    """A home whose corp has several apps, one without callbacks, two with one token, two with one key."""
    (taken.home / "keys" / "platforms.yaml").write_text(APPS, encoding="utf-8")
    return taken


def app_post(world: World, keys: CallbackKeys, message: str) -> Any:
    """A callback signed and sealed with an app's keys, to the address of the corp."""
    encrypt, timestamp = keys.encrypt(message, bytes(16)), str(world.wall() // 1000)
    signed = signature(keys.token, timestamp, "n0nce", encrypt)
    query = {"msg_signature": signed, "timestamp": timestamp, "nonce": "n0nce", "echostr": encrypt}
    body = f"<xml><AgentID>1</AgentID><Encrypt>{encrypt}</Encrypt></xml>"
    api = world.api_with(None)
    echoed = api.ask("GET", "/webhooks/wecom/ww0000000000000001", params=query)
    posted = api.ask("POST", "/webhooks/wecom/ww0000000000000001", params=query, content=body)
    assert (echoed.status_code, echoed.text) == ((200, message) if posted.status_code == 200 else (403, echoed.text))
    return posted


@pytest.mark.parametrize(
    ("token", "aes_key", "app"),
    [("tok3n", AES_KEY, "op1"), ("tok3n", SECOND_AES_KEY, "op2"), ("other", AES_KEY, "op3")],
)
def test_apps_of_one_corp_share_an_address_and_each_is_told_by_its_own_keys(
    apps: World, token: str, aes_key: str, app: str
) -> None:
    assert app_post(apps, CallbackKeys(token, aes_key, "ww0000000000000001"), EVENT).status_code == 200
    [line] = stored(apps.home, "wecom_events")
    assert line["context"]["open_platform_id"] == app


@pytest.mark.parametrize(
    "keys",
    [
        CallbackKeys("tok4n", AES_KEY, "ww0000000000000001"),
        CallbackKeys("tok4n", AES_KEY, "ww2"),
        CallbackKeys("other", SECOND_AES_KEY, "ww0000000000000001"),
        CallbackKeys("tok3n", AES_KEY, "ww2"),
    ],
)
def test_keys_of_no_app_of_the_corp_open_nothing(apps: World, keys: CallbackKeys) -> None:
    assert app_post(apps, keys, EVENT).status_code == 403
    assert stored(apps.home, "wecom_events") == []


def refused_callbacks(world: World, api: Api) -> dict[str, Any]:
    encrypt = KEYS.encrypt(EVENT, bytes(16))
    good = wecom_query(world, encrypt)
    bomb = f'<!DOCTYPE x [<!ENTITY e "{encrypt}">]><xml><Encrypt>&e;</Encrypt></xml>'

    def post(body: str | bytes, query: dict[str, str]) -> Any:
        return api.ask("POST", "/webhooks/wecom/ww0000000000000001", params=query, content=body)

    whole = f"<xml><Encrypt>{encrypt}</Encrypt></xml>"
    return {
        "forged": post(whole, {**good, "msg_signature": "0" * 40}),
        "unsigned": post(whole, {}),
        "another nonce": post(whole, {**good, "nonce": "x"}),
        "old": wecom_post(world, api, EVENT, timestamp=str(world.wall() // 1000 - 601)),
        "no time": wecom_post(world, api, EVENT, timestamp="now"),
        "another receiver": wecom_post(world, api, EVENT, CallbackKeys("tok3n", AES_KEY, "ww9")),
        "document type": post(bomb, good),
        "another encoding": post(bomb.encode("utf-16"), good),
        "no xml": post("<xml", good),
        "nothing": post("", good),
    }


def test_every_bad_callback_gets_the_same_answer_and_leaves_nothing(taken: World) -> None:
    answers = refused_callbacks(taken, taken.api_with(None))
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 403)
    bodies = [{k: v for k, v in answer.json().items() if "request" not in str(v)} for answer in answers.values()]
    assert all({**body, "request_id": ""} == {**bodies[0], "request_id": ""} for body in bodies)
    assert stored(taken.home, "wecom_events") == []
    assert waiting(taken.home) == ()


def test_the_log_says_why_a_callback_was_refused_and_its_sender_is_not_told(taken: World) -> None:
    with capture_logs() as lines:
        answers = refused_callbacks(taken, taken.api_with(None))
    told = [str(line["reason"]) for line in lines if line["event"] == "push refused"]
    assert len(told) == len(answers)
    why = dict(zip(answers, told, strict=True))
    assert [name for name, reason in why.items() if reason == FORGED] == ["forged", "another nonce"]
    assert why["old"] == why["no time"] == OLD
    assert why["another receiver"].startswith("it is for another receiver; look at encoding_aes_key, corp_id")
    assert not any(reason in answer.text for reason, answer in zip(told, answers.values(), strict=True))
    ids = {line["request_id"] for line in lines if line["event"] == "push refused"}
    assert ids == {answer.json()["request_id"] for answer in answers.values()}


def test_a_refused_push_is_no_matter_of_an_api_key(taken: World) -> None:
    document = shop_post(taken.api_with(None), SHOP_BODY, "0" * 32).json()
    assert (document["type"], "key" in document["title"]) == ("urn:oneid:problem:push-refused", False)


def test_shop_messages_are_stored_as_they_came(taken: World) -> None:
    answer = shop_post(taken.api_with(None), SHOP_BODY)
    assert (answer.status_code, answer.json()) == (200, {"code": 0, "msg": "success"})
    [line] = stored(taken.home, "douyin_messages")
    assert line["payload"] == json.loads(SHOP_BODY)
    assert (line["context"]["app_key"], line["context"]["method"]) == ("7000001", "push")


@pytest.mark.parametrize(
    "data",
    [{"p_id": 6923456789012345678}, '{"p_id":"6923456789012345678"}', {"p_id": '"6923456789012345678"'}],
)
def test_a_message_without_a_buyer_makes_its_order_worth_pulling(taken: World, data: object) -> None:
    shop_post(taken.api_with(None), orjson.dumps({"tag": 101, "msgId": "m1", "data": data}))
    assert [ticket.hint.object_id for ticket in waiting(taken.home)] == ["6923456789012345678"]


def test_a_push_sent_again_makes_one_hint(taken: World) -> None:
    api = taken.api_with(None)
    assert {shop_post(api, SHOP_BODY).status_code for _ in range(3)} == {200}
    assert len(waiting(taken.home)) == 1


@pytest.mark.parametrize("sign", ["", "0" * 32, douyin_event_sign("7000001", SHOP_BODY + b" ", "shop-secret")])
def test_unsigned_shop_messages_are_refused(taken: World, sign: str) -> None:
    assert shop_post(taken.api_with(None), SHOP_BODY, sign).status_code == 403
    assert stored(taken.home, "douyin_messages") == []


def test_a_signed_body_that_is_no_json_is_refused(taken: World) -> None:
    assert shop_post(taken.api_with(None), b"[{").status_code == 403


@pytest.mark.parametrize("content", [{"challenge": 12345}, '{"challenge":12345}'])
def test_the_challenge_of_the_open_platform_is_answered_and_not_stored(taken: World, content: object) -> None:
    answer = open_post(taken.api_with(None), orjson.dumps({"event": "verify_webhook", "content": content}))
    assert answer.json() == {"challenge": 12345}
    assert stored(taken.home, "douyin_messages") == []


@pytest.mark.parametrize(("content", "status"), [("n0nce-text", 200), ("12345", 200), (None, 403), ({}, 403)])
def test_a_bare_challenge_is_answered_and_none_is_refused(taken: World, content: object, status: int) -> None:
    answer = open_post(taken.api_with(None), orjson.dumps({"event": "verify_webhook", "content": content}))
    assert answer.status_code == status
    if status == 200:
        assert str(answer.json()["challenge"]) == content


def test_a_test_push_of_the_shop_platform_is_answered_and_hints_at_nothing(taken: World) -> None:
    body = b'[{"tag":"0","msg_id":"0","data":"2021-05-31 16:41:17"}]'
    answer = shop_post(taken.api_with(None), body)
    assert (answer.status_code, answer.json(), waiting(taken.home)) == (200, {"code": 0, "msg": "success"}, ())


@pytest.mark.parametrize("sign", ["\u00e9" * 32, "\u00b2" * 32])
def test_a_signature_of_odd_letters_is_refused_like_any_other(taken: World, sign: str) -> None:
    api = taken.api_with(None)
    answer = api.ask(
        "POST", "/webhooks/douyin/shop/7000001", content=b"[]", headers={"event-sign": sign.encode("latin-1")}
    )
    assert answer.status_code == 403
    query = {"msg_signature": sign, "timestamp": str(taken.wall() // 1000), "nonce": sign, "echostr": sign}
    assert api.ask("GET", "/webhooks/wecom/ww0000000000000001", params=query).status_code == 403


@pytest.mark.e2e
def test_a_push_waits_for_a_busy_queue_no_longer_than_the_platform_waits(taken: World) -> None:
    """WeCom gives up after five seconds; what it is told then nobody hears."""
    enqueue(taken.home, [Hint("wecom", "ww1", "contact", "wm0")])
    store = sqlite3.connect(taken.home / FILE, isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    begun = time.perf_counter()
    answer = wecom_post(taken, taken.api_with(None), EVENT)
    assert (answer.status_code, time.perf_counter() - begun < 4.5) == (503, True)
    store.close()
    assert wecom_post(taken, taken.api_with(None), EVENT).status_code == 200


def test_a_webhook_is_stored_with_its_message_id(taken: World) -> None:
    body = b'{"event":"new_follow_action","client_key":"aw1","from_user_id":"u1","content":"{}"}'
    assert open_post(taken.api_with(None), body, **{"Msg-Id": "w-1"}).status_code == 200
    [line] = stored(taken.home, "douyin_messages")
    assert line["context"]["params"] == {"msg_id": "w-1"}
    assert (line["context"]["client_key"], line["context"]["app_id"]) == ("aw1", "tt01")


def test_a_forged_webhook_is_refused(taken: World) -> None:
    assert open_post(taken.api_with(None), b"{}", **{"X-Douyin-Signature": "f" * 40}).status_code == 403


def test_a_push_that_cannot_be_stored_is_not_acknowledged(taken: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serving.inbox.append_line", full)
    assert shop_post(taken.api_with(None), SHOP_BODY).status_code == 503


def test_a_push_beyond_the_cap_is_not_read(taken: World) -> None:
    assert shop_post(taken.api_with(None), b"[" + b" " * 70_000 + b"]").status_code == 413


def frame(topic: str, **content: object) -> dict[str, object]:
    return {"id": "51", "topic": topic, "outtime": "2025-01-01 11:02:11", "content": orjson.dumps(content).decode()}


NAMELESS = frame("taobao_trade_TradeBuyerPay", tid=4123456789012345678)
NAMED = frame("taobao_trade_TradeBuyerPay", tid=4123456789012345679, buyer_open_uid="AA")
REFUND = frame("taobao_refund_RefundSuccess", tid=4123456789012345680, seller_nick="other shop")


def tmall_post(world: World, api: Api, document: object, **changed: str) -> Any:
    body = orjson.dumps(document)
    local = datetime.fromtimestamp(world.wall() / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    query = {"timestamp": changed.get("timestamp", local)}
    query["sign"] = top_spi_sign(changed.get("secret", "top-secret"), query, body)
    return api.ask("POST", "/webhooks/tmall/21000001", params=query, content=body)


@pytest.mark.parametrize(
    "document",
    [[NAMELESS, NAMED, REFUND], {"tmc_messages_consume_response": {"messages": {"tmc_message": [NAMELESS, REFUND]}}}],
)
def test_messages_of_tmall_are_stored_and_those_without_a_buyer_hint(taken: World, document: object) -> None:
    answer = tmall_post(taken, taken.api_with(None), document)
    assert (answer.status_code, answer.json()) == (200, {"code": 0, "msg": "success"})
    [line] = stored(taken.home, "tmall_messages")
    assert (line["payload"], line["context"]["app_key"]) == (document, "21000001")
    hints = {(ticket.hint.object_id, ticket.hint.place) for ticket in waiting(taken.home)}
    assert hints == {("4123456789012345678", "shop"), ("4123456789012345680", "other shop")}


@pytest.mark.parametrize("changed", [{"secret": "another"}, {"timestamp": "2025-01-01 00:00:00"}, {"timestamp": "now"}])
def test_forged_and_old_messages_of_tmall_are_refused(taken: World, changed: dict[str, str]) -> None:
    assert tmall_post(taken, taken.api_with(None), [NAMELESS], **changed).status_code == 403
    assert (stored(taken.home, "tmall_messages"), waiting(taken.home)) == ([], ())

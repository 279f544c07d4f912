"""Member calls of Tmall: signed ones are answered from the store and kept, others learn nothing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pyarrow as pa
import pytest

from identity.business_time import SHANGHAI
from identity.identifier import key64
from identity.token import phone_forms, phone_hashes, pii_token
from pipelines.sources import FEED_PARSERS
from pipelines.sources.fields import rfc3339
from serving.contract.signatures import top_spi_sign
from serving.contract.spool import collect
from serving.member_calls import ACTIVATE, BIND, QUERY, REGISTER, MemberCall, MemberDesk
from serving.member_store import MEMBER, Binding
from serving.routers import tmall
from serving.store import Snapshot
from tests.pipelines.sources.private_domain import records
from tests.serving.client import Api, World
from tests.serving.sample import BOB, KEY, PHONE, alias_rows, identifier, map_rows, publish, sample_inputs, table, token

SELLER, SECRET, MIX_KEY = "示例旗舰店", "top-secret", "demo_key"
ACCOUNTS = f"tmall: [{{app_key: '21000001', app_secret: {SECRET}, brand: brandA, " \
           f"shops: [{{seller_nick: {SELLER}, session: s}}]}}]"  # fmt: skip


def mix_of(phone: str) -> str:
    return phone_hashes(phone, {"shop": MIX_KEY})["tmall_mix_mobile"][0]


@pytest.fixture
def desk(world: World) -> World:
    """A home with members: Anna by her phone, Bob only as a buyer of the shop."""
    (world.home / "keys").mkdir()
    (world.home / "keys" / "platforms.yaml").write_text(ACCOUNTS, encoding="utf-8")
    rows = [*map_rows(), identifier("tmall_ouid", SELLER, "AAbob", BOB)]
    target = key64("phone", "", token(PHONE))
    forms = phone_forms(KEY, PHONE, {"shop": MIX_KEY})["tmall_mix_mobile"]
    aliases = [*alias_rows(), *({"key": key64("tmall_mix_mobile", "", one), "target_key": target} for one in forms)]
    publish(world.home, sample_inputs(oneid_map=table(rows, one_id=pa.string()), aliases=table(aliases)))
    return world


def call(world: World, api: Api, method: str, payload: Mapping[str, Any], **changed: Any) -> Any:
    """One signed call, as the platform makes it."""
    body = orjson.dumps({"seller_name": SELLER, **payload})
    query = {"method": method, "app_key": "12", "timestamp": changed.pop("timestamp", local(world)), "format": "json"}
    query["sign"] = changed.pop("sign", None) or top_spi_sign(changed.pop("secret", SECRET), query, body)
    headers = {"Content-Type": "application/json;charset=utf-8"}
    return api.ask("POST", changed.pop("path", "/spi/tmall/21000001"), params=query, content=body, headers=headers)


def local(world: World) -> str:
    return datetime.fromtimestamp(world.wall() / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def code(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json().get("bind_code") or answer.json().get("register_code"))


def kept(home: Path) -> list[dict[str, Any]]:
    collect(home, home / "landing")
    files = sorted((home / "landing" / "tmall_members").rglob("*.jsonl"))
    return [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]


ANNA = {"ouid": "AAanna", "mix_mobile": mix_of(PHONE)}
STRANGER = {"ouid": "AAnew", "mix_mobile": mix_of("13900000009")}


def test_a_member_is_found_by_the_hash_of_the_phone_and_may_be_bound(desk: World) -> None:
    answer = call(desk, desk.api_with(None), QUERY, ANNA)
    assert answer.json() == {"bind_code": "SUC", "bindable": True}


def test_nobody_by_that_phone_is_not_found(desk: World) -> None:
    assert call(desk, desk.api_with(None), QUERY, STRANGER).json() == {"bind_code": "E01", "bindable": False}


def test_a_buyer_who_is_no_member_cannot_be_bound(desk: World) -> None:
    api = desk.api_with(None)
    assert [code(call(desk, api, method, {"ouid": "AAbob"})) for method in (QUERY, BIND)] == ["E01", "E01"]


def test_a_bind_is_known_at_once_and_the_same_when_repeated(desk: World) -> None:
    api = desk.api_with(None)
    asked = [(BIND, ANNA), (BIND, ANNA), (QUERY, ANNA), (QUERY, {**ANNA, "ouid": "AAother"})]
    assert [code(call(desk, api, *one)) for one in asked] == ["SUC", "SUC", "SUC", "E02"]


def test_a_phone_that_is_bound_is_bound_to_one_account(desk: World) -> None:
    api = desk.api_with(None)
    codes = [code(call(desk, api, BIND, {**ANNA, "ouid": ouid})) for ouid in ("AAanna", "AAother")]
    assert codes == ["SUC", "E02"]


def test_after_an_unbind_the_phone_may_be_bound_again(desk: World) -> None:
    api = desk.api_with(None)
    steps = [(BIND, ANNA), (BIND, {**ANNA, "type": 2}), (BIND, {**ANNA, "type": "2"}), (QUERY, ANNA)]
    assert [code(call(desk, api, *step)) for step in steps] == ["SUC", "SUC", "E02", "SUC"]


def test_of_two_accounts_at_once_one_gets_the_phone(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = MemberDesk._is_member

    def answered_meanwhile(self: MemberDesk, call: MemberCall, snapshot: Snapshot) -> bool:
        """The other call is answered between a look at the store and what follows from it."""
        self._store.keep(Binding(SELLER, "AAother", MEMBER, pii_token(KEY, "tmall_mix_mobile", call.mix_mobile), 1))
        return asked(self, call, snapshot)

    monkeypatch.setattr(MemberDesk, "_is_member", answered_meanwhile)
    assert code(call(desk, desk.api_with(None), BIND, ANNA)) == "E02"


@pytest.mark.parametrize("extend", [{"flightJoinTime": 1735700520}, '{"flightJoinTime":"2025-01-01 11:02:00"}'])
def test_a_join_replayed_after_the_member_left_brings_nobody_back(desk: World, extend: object) -> None:
    api, joined = desk.api_with(None), {**STRANGER, "extend": extend}
    steps = [(REGISTER, joined), (BIND, {**joined, "type": 2}), (REGISTER, joined), (BIND, {**joined, "type": 2})]
    assert [code(call(desk, api, *step)) for step in steps] == ["SUC", "SUC", "SUC", "E02"]


def test_a_member_is_found_by_the_clear_phone_where_only_that_is_sent(desk: World) -> None:
    api = desk.api_with(None)
    assert code(call(desk, api, QUERY, {"ouid": "AAanna", "mobile": f"+86 {PHONE}"})) == "SUC"
    told = [code(call(desk, api, BIND, {"ouid": ouid, "mobile": PHONE})) for ouid in ("AAanna", "AAother")]
    assert told == ["SUC", "E02"]


def test_empty_values_of_a_form_take_part_in_its_sign(desk: World) -> None:
    form = {"seller_name": SELLER, "nick": "", **ANNA}
    query = {"method": QUERY, "timestamp": local(desk)}
    query["sign"] = top_spi_sign(SECRET, {**query, **form})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = desk.api_with(None).ask(
        "POST", "/spi/tmall/21000001", params=query, content=urlencode(form).encode(), headers=headers
    )
    assert code(answer) == "SUC"


def test_who_was_never_seen_cannot_be_unbound(desk: World) -> None:
    assert code(call(desk, desk.api_with(None), BIND, {**STRANGER, "type": 2})) == "E01"


@pytest.mark.parametrize("method", [REGISTER, ACTIVATE])
def test_a_registration_makes_a_member_once(desk: World, method: str) -> None:
    api = desk.api_with(None)
    assert [code(call(desk, api, method, STRANGER)) for _ in range(10)] == ["SUC"] * 10
    assert code(call(desk, api, QUERY, STRANGER)) == "SUC"
    assert code(call(desk, api, QUERY, {**STRANGER, "ouid": "AAother"})) == "E02"


def test_a_phone_that_was_registered_since_the_snapshot_is_taken_for_a_bind_too(desk: World) -> None:
    api = desk.api_with(None)
    asked = [(REGISTER, STRANGER), (BIND, {**STRANGER, "ouid": "AAother"}), (BIND, STRANGER)]
    assert [code(call(desk, api, *one)) for one in asked] == ["SUC", "E02", "SUC"]


def test_of_calls_within_a_second_the_landing_says_which_came_last(desk: World) -> None:
    api = desk.api_with(None)
    steps: list[tuple[str, Mapping[str, Any]]] = [
        (REGISTER, STRANGER),
        (BIND, {**STRANGER, "type": 2}),
        (BIND, {**STRANGER, "type": 1}),
    ]
    for step in steps:
        desk.wall.forward(7)
        assert code(call(desk, api, *step)) == "SUC"
    parser, told = FEED_PARSERS["tmall_members"], []
    for line in kept(desk.home):
        arrived = rfc3339(line["context"]["received_at"], "received_at")
        known = {"params": line["context"]["params"], "method": line["context"]["method"], "received_ms": arrived}
        told.append(parser.parse(records(parser, line["payload"], **known)[0]).rows[0][1])
    last = max(told, key=lambda row: str(row["version_key"]))
    assert ([row["status"] for row in told], last["status"]) == (["member", "left", "member"], "member")


def test_another_process_of_the_api_answers_the_same(desk: World) -> None:
    call(desk, desk.api_with(None), REGISTER, STRANGER)
    assert code(call(desk, desk.api_with(None), QUERY, STRANGER)) == "SUC"


def test_a_call_is_kept_with_its_answer_and_only_what_was_done_makes_a_member(desk: World) -> None:
    api = desk.api_with(None)
    for method, payload in ((REGISTER, STRANGER), (BIND, {"ouid": "AAbob"}), (BIND, ANNA)):
        call(desk, api, method, payload)
    lines = kept(desk.home)
    assert [line["context"]["params"]["answer"] for line in lines] == ["SUC", "E01", "SUC"]
    parser = FEED_PARSERS["tmall_members"]
    states = []
    for line in lines:
        context = {"params": line["context"]["params"], "method": line["context"]["method"]}
        ((record,),) = ([*records(parser, line["payload"], **context)],)
        states.append(parser.parse(record).rows[0][1]["status"])
    assert states == ["member", "seen", "member"]


def test_a_form_is_taken_as_a_json_body_is(desk: World) -> None:
    form = {"seller_name": SELLER, **ANNA}
    query = {"method": QUERY, "timestamp": local(desk), "sign_method": "md5"}
    query["sign"] = top_spi_sign(SECRET, {**query, **form})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    api = desk.api_with(None)
    answer = api.ask("POST", "/spi/tmall/21000001", params=query, content=urlencode(form).encode(), headers=headers)
    assert code(answer) == "SUC"
    assert set(kept(desk.home)[0]["payload"]) == {"seller_name", "ouid", "mix_mobile"}


def test_headers_that_the_sign_list_names_are_part_of_the_sign(desk: World) -> None:
    body = orjson.dumps({"seller_name": SELLER, **ANNA})
    query = {"method": QUERY, "timestamp": local(desk)}
    query["sign"] = top_spi_sign(SECRET, {**query, "x-top-user": "7"}, body)
    api = desk.api_with(None)
    sent = {"Content-Type": "application/json", "top-sign-list": "x-top-user"}
    told = [
        api.ask("POST", "/spi/tmall/21000001", params=query, content=body, headers={**sent, "x-top-user": user})
        for user in ("7", "8")
    ]
    assert [answer.status_code for answer in told] == [200, 403]


def test_the_last_part_of_the_address_may_name_the_call(desk: World) -> None:
    body = orjson.dumps({"seller_name": SELLER, **STRANGER})
    query = {"timestamp": local(desk)}
    query["sign"] = top_spi_sign(SECRET, query, body)
    answer = desk.api_with(None).ask("POST", "/spi/tmall/21000001/register", params=query, content=body)
    assert code(answer) == "SUC"


@pytest.mark.parametrize(
    "changed",
    [
        {"sign": "0" * 32},
        {"secret": "another"},
        {"timestamp": "2025-02-28 00:00:00"},
        {"timestamp": "now"},
        {"timestamp": ""},
    ],
)
def test_a_forged_or_old_call_is_refused_and_not_kept(desk: World, changed: dict[str, str]) -> None:
    answer = call(desk, desk.api_with(None), REGISTER, STRANGER, **changed)
    assert (answer.status_code, kept(desk.home)) == (403, [])


@pytest.mark.parametrize("payload", [{"ouid": ""}, {"ouid": "A", "seller_name": "another shop"}])
def test_a_call_about_nobody_or_another_shop_is_refused(desk: World, payload: dict[str, str]) -> None:
    assert call(desk, desk.api_with(None), QUERY, payload).status_code == 403


def test_an_unknown_method_or_app_is_refused(desk: World) -> None:
    api = desk.api_with(None)
    assert call(desk, api, "tmall.mei.crm.other", ANNA).status_code == 403
    assert call(desk, api, QUERY, ANNA, path="/spi/tmall/9").status_code == 404


def test_without_a_snapshot_the_platform_is_told_to_ask_again(world: World) -> None:
    (world.home / "keys").mkdir()
    (world.home / "keys" / "platforms.yaml").write_text(ACCOUNTS, encoding="utf-8")
    assert code(call(world, world.api_with(None), QUERY, ANNA)) == "E04"


def test_a_call_that_cannot_be_kept_is_to_be_made_again(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("serving.inbox.append_line", full)
    assert code(call(desk, desk.api_with(None), REGISTER, STRANGER)) == "E04"


def test_an_answer_that_is_late_is_ask_again(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tmall, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr("serving.member_calls.MemberDesk.answer", lambda *_, **__: time.sleep(0.3) or "SUC")
    assert code(call(desk, desk.api_with(None), QUERY, ANNA)) == "E04"


def test_no_phone_and_no_hash_of_one_is_in_the_store(desk: World) -> None:
    call(desk, desk.api_with(None), BIND, ANNA)
    content = b"".join(path.read_bytes() for path in desk.home.glob("member_calls.sqlite*"))
    assert b"AAanna" in content
    assert ANNA["mix_mobile"].encode() not in content


def test_answers_come_quickly(desk: World) -> None:
    api = desk.api_with(None)
    call(desk, api, QUERY, ANNA)
    begun = time.perf_counter()
    for number in range(20):
        call(desk, api, QUERY, {**STRANGER, "ouid": f"AA{number}"})
    assert (time.perf_counter() - begun) / 20 < 0.25

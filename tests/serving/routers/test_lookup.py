from __future__ import annotations

import hashlib
from typing import Any

import pytest

from identity.token import pii_token
from tests.serving.client import Api, World
from tests.serving.sample import (
    ANNA,
    BOB,
    CONTESTED,
    HUB,
    KEY,
    PHONE,
    REISSUED,
    VISITOR,
    identifier,
    map_rows,
    phone_forms,
    publish,
    sample_inputs,
    table,
    token,
)

CLEAR_PHONES = (PHONE, REISSUED, CONTESTED, HUB)


@pytest.mark.parametrize(
    "row", [row for row in map_rows() if row["namespace"] != "phone"], ids=lambda row: row["value"]
)
def test_every_identifier_is_found_as_the_map_has_it(sample_api: Api, row: dict[str, Any]) -> None:
    asked = {name: row[name] for name in ("namespace", "scope", "value")}
    answer = sample_api.lookup(asked)
    assert (answer["one_id"], answer["status"], answer["display"]) == (row["one_id"], row["status"], row["value"])


@pytest.mark.parametrize(
    "asked",
    [
        {"namespace": "phone", "value": PHONE},
        {"namespace": "phone", "scope": "", "value": f"+86 {PHONE[:3]}-{PHONE[3:7]}-{PHONE[7:]}"},
        {"identifier": f"phone::{PHONE}"},
        {"identifier": PHONE},
        {"identifier": f" 0086{PHONE} "},
    ],
    ids=["parts", "formatted", "text", "raw", "raw with country code"],
)
def test_a_phone_is_found_however_it_is_written(sample_api: Api, asked: dict[str, str]) -> None:
    assert sample_api.lookup(asked)["one_id"] == ANNA


@pytest.mark.parametrize("form", ["phone_sha256", "phone_md5"])
def test_a_phone_is_found_by_its_hashed_form(sample_api: Api, form: str) -> None:
    digest = hashlib.new(form.removeprefix("phone_"), PHONE.encode()).hexdigest()
    answer = sample_api.lookup({"namespace": form, "value": digest})
    assert (answer["one_id"], answer["display"]) == (ANNA, "139****5670")


def test_a_number_known_only_by_its_hash_is_found_by_the_number(world: World) -> None:
    hashed = phone_forms(KEY, "13412345679", {})["phone_sha256"][0]
    rows = [*map_rows(), identifier("phone_sha256", "", hashed, BOB)]
    publish(world.home, sample_inputs(oneid_map=table(rows)))
    assert world.api().lookup({"identifier": "13412345679"})["one_id"] == BOB


def test_an_order_number_leads_to_its_buyer(sample_api: Api) -> None:
    answer = sample_api.lookup({"identifier": "2000000000000000001"})
    assert (answer["one_id"], answer["matched_by"]) == (ANNA, "order")


def test_an_order_without_oneid_is_known_and_unowned(sample_api: Api) -> None:
    answer = sample_api.lookup({"identifier": "6900000000000000004"})
    assert (answer["one_id"], answer["status"]) == (None, "unowned")


def test_a_value_is_found_without_its_namespace(sample_api: Api) -> None:
    assert sample_api.lookup({"identifier": "oBob"})["one_id"] == BOB


def test_a_value_of_two_people_names_both(sample_api: Api) -> None:
    answer = sample_api.lookup({"identifier": "same"})
    assert (answer["status"], answer["candidates"]) == ("ambiguous", [ANNA, BOB])


def test_a_contested_contact_names_its_candidates(sample_api: Api) -> None:
    answer = sample_api.lookup({"identifier": CONTESTED})
    assert (answer["one_id"], answer["status"], answer["candidates"]) == (None, "contested", [ANNA, BOB])


def test_a_hub_belongs_to_nobody(sample_api: Api) -> None:
    answer = sample_api.lookup({"identifier": HUB})
    assert (answer["one_id"], answer["status"], answer["candidates"]) == (None, "hub", [])


def test_a_visitor_is_found_by_its_anonymous_id(sample_api: Api) -> None:
    assert sample_api.lookup({"identifier": "mp_anonymous_id:wxapp1:anon-1"})["one_id"] == VISITOR


@pytest.mark.parametrize(
    ("at", "owner"),
    [
        ("2025-06-30", BOB),
        ("2025-07-01", ANNA),
        ("2025-06-30T23:59:59+08:00", BOB),
        (1751299200000, ANNA),
        (None, ANNA),
    ],
)
def test_a_reissued_number_is_its_holders_of_that_day(sample_api: Api, at: str | int | None, owner: str) -> None:
    assert sample_api.lookup({"namespace": "phone", "value": REISSUED, "at": at})["one_id"] == owner


def test_a_day_before_the_first_period_knows_nobody(sample_api: Api) -> None:
    answer = sample_api.post("/v1/profiles/lookup", {"identifier": REISSUED, "at": "2024-01-01"})
    assert answer.status_code == 404


def test_a_member_id_that_is_a_phone_number_is_found_by_the_number(world: World) -> None:
    number = "13212345678"
    rows = [*map_rows(), identifier("member_id", "brandA", pii_token(KEY, "member_id", number), BOB)]
    publish(world.home, sample_inputs(oneid_map=table(rows)))
    answer = world.api().lookup({"identifier": number})
    assert (answer["one_id"], answer["namespace"], answer["display"]) == (BOB, "member_id", "••••")


def test_namespaces_of_the_published_policy_are_known(world: World) -> None:
    policy = {"namespaces": {"loyalty_card": {"strength": "anchor", "scoped": False, "normaliser": "lower"}}}
    rows = [identifier("loyalty_card", "", "abc-1", BOB)]
    publish(world.home, sample_inputs(oneid_map=table(rows), identity_policy=policy))
    api = world.api()
    assert api.lookup({"namespace": "loyalty_card", "value": " ABC-1 "})["one_id"] == BOB
    assert api.post("/v1/profiles/lookup", {"namespace": "wx_openid", "scope": "a", "value": "b"}).status_code == 422


def test_the_corp_of_a_contact_ignores_case(sample_api: Api) -> None:
    asked = {"namespace": "wecom_external_userid", "scope": "WW01", "value": "wmAnna"}
    assert sample_api.lookup(asked)["one_id"] == ANNA


def test_the_value_of_an_openid_heeds_case(sample_api: Api) -> None:
    asked = {"namespace": "wx_openid", "scope": "wxapp1", "value": "obob"}
    assert sample_api.post("/v1/profiles/lookup", asked).status_code == 404


def test_the_scope_is_part_of_the_identifier(sample_api: Api) -> None:
    asked = {"namespace": "wx_openid", "scope": "wxapp2", "value": "oBob"}
    assert sample_api.post("/v1/profiles/lookup", asked).status_code == 404


def test_a_list_is_answered_in_its_order(sample_api: Api) -> None:
    asked = {"identifiers": ["nobody", {"identifier": "oBob"}, {"namespace": "phone", "value": PHONE}, "phone::123"]}
    results = sample_api.lookup(asked)["results"]
    assert [(row["status"], row["one_id"]) for row in results] == [
        ("unknown", None),
        ("active", BOB),
        ("active", ANNA),
        ("refused", None),
    ]


def test_the_day_of_a_list_holds_for_those_without_their_own(sample_api: Api) -> None:
    asked = {"identifiers": [REISSUED, {"identifier": REISSUED, "at": "2025-12-01"}], "at": "2025-05-01"}
    assert [row["one_id"] for row in sample_api.lookup(asked)["results"]] == [BOB, ANNA]


def test_a_list_longer_than_allowed_is_refused(sample_api: Api) -> None:
    answer = sample_api.post("/v1/profiles/lookup", {"identifiers": ["x"] * 101})
    assert (answer.status_code, answer.json()["hint"]) == (422, "send at most 100")


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"namespace": "phone", "value": "139****5670"}, "masked"),
        ({"namespace": "phone", "value": "11111111111"}, "digit_run"),
        ({"namespace": "wx_openid", "value": "oBob"}, "missing_scope"),
        ({"namespace": "no_such_namespace", "value": "x"}, "undeclared_namespace"),
        ({"identifier": "   "}, "reject_value"),
        ({"identifier": "13800138000"}, "reject_value"),
        ({"namespace": "tmall_oaid", "scope": "s", "value": "x"}, "never"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_identifies_nobody_is_refused_with_its_rule(
    sample_api: Api, asked: dict[str, str], rule: str
) -> None:
    answer = sample_api.post("/v1/profiles/lookup", asked)
    assert answer.status_code == 422
    assert rule in answer.json()["detail"]


def test_no_answer_holds_a_clear_phone_or_its_token(sample_api: Api) -> None:
    text = sample_api.post("/v1/profiles/lookup", {"identifiers": list(CLEAR_PHONES)}).text
    assert [phone for phone in CLEAR_PHONES if phone in text or token(phone) in text] == []


@pytest.mark.parametrize(
    "asked",
    [{}, [], "x", {"identifier": 5}, {"identifiers": []}, {"namespace": "phone"}, {"identifier": "x", "more": 1}, None],
)
def test_a_question_of_another_form_is_refused(sample_api: Api, asked: Any) -> None:
    assert sample_api.post("/v1/profiles/lookup", asked).status_code == 422


@pytest.mark.parametrize("at", ["yesterday", "2025-02-30", "2025-13-01", -5, 2**70, "2025-01-01T00:00:00"])
def test_a_day_that_is_none_is_refused(sample_api: Api, at: str | int) -> None:
    answer = sample_api.post("/v1/profiles/lookup", {"identifier": "oBob", "at": at})
    assert (answer.status_code, answer.json()["detail"]) == (422, "`at` is no day or time")


def test_phones_cannot_be_looked_up_without_the_identity_key(published: World) -> None:
    published.settings = {"identity_key": None}
    answer = published.api().post("/v1/profiles/lookup", {"identifier": PHONE})
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "phones cannot be looked up: the API has no identity key",
    )


def test_platform_ids_are_looked_up_without_the_identity_key(published: World) -> None:
    published.settings = {"identity_key": None}
    assert published.api().lookup({"identifier": "member_id:brandA:K1"})["one_id"] == ANNA


def test_a_foreign_identity_key_is_noticed_instead_of_finding_nobody(published: World) -> None:
    published.settings = {"identity_key": "ab" * 32}
    answer = published.api().post("/v1/profiles/lookup", {"identifier": PHONE})
    assert answer.status_code == 503
    assert "not the one of the snapshot" in answer.json()["detail"]


def test_a_restricted_key_does_not_find_people_out_of_sight(published: World) -> None:
    api = published.api(restrict={"brand": ["brandA"]})
    assert api.lookup({"identifier": "member_id:brandA:K1"})["one_id"] == ANNA
    assert api.post("/v1/profiles/lookup", {"identifier": "oBob"}).status_code == 404


def test_a_restricted_key_sees_only_its_candidates(published: World) -> None:
    answer = published.api(restrict={"guide": ["lihua"]}).lookup({"identifier": CONTESTED})
    assert (answer["status"], answer["candidates"]) == ("contested", [ANNA])


def test_a_restricted_key_takes_a_value_of_two_people_as_that_of_the_one_in_sight(published: World) -> None:
    answer = published.api(restrict={"brand": ["brandB"]}).lookup({"identifier": "same"})
    assert (answer["status"], answer["one_id"]) == ("active", BOB)


def test_a_person_out_of_sight_answers_like_an_unknown_one(published: World) -> None:
    api = published.api(restrict={"guide": ["nobody"]})
    forbidden = api.lookup({"identifier": "oBob"})
    unknown = api.lookup({"identifier": "oNobody"})
    for document in (forbidden, unknown):
        document.pop("request_id"), document.pop("instance")
    assert forbidden == unknown


def test_in_a_list_a_person_out_of_sight_answers_like_an_unknown_one(published: World) -> None:
    api = published.api(restrict={"guide": ["nobody"]})
    forbidden, unknown = api.lookup({"identifiers": ["oBob", "oNobody"]})["results"]
    assert forbidden == unknown

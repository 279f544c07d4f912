"""Properties and addresses without identifiers and personal data."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.miniprogram_privacy import Properties, clean_address, has_personal_text, keeps_key

PHONES = [
    "13912345678",
    "+8613912345678",
    "86 139-1234-5678",
    "0086139 1234 5678",
    "１３９12345678",
    "%2B86%2013912345678",
]


@pytest.mark.parametrize("phone", PHONES)
def test_a_phone_is_found_in_any_form(phone: str) -> None:
    assert has_personal_text(f"call {phone} now")


@pytest.mark.parametrize(
    "text",
    ["1735700530123", "1735700530", "6923456789012345678", "12345678901", "id=88&t=1735700530123", "1.3912345678"],
)
def test_other_numbers_are_no_phones(text: str) -> None:
    assert not has_personal_text(text)


def test_a_mail_address_is_personal() -> None:
    assert has_personal_text("mail=li@example.org")
    assert not has_personal_text("@everyone")


PERSONAL = (
    *("phone", "userPhone", "$mp_openid", "$mp_unionid", "receiver_name", "nickName", "realName", "openId", "$ip"),
    *("$share_distinct_id", "userId", "member_id", "home_address"),
)
THINGS = (
    *("goods_id", "goods_name", "productName", "$title", "$scene", "telescope", "$share_depth", "shop_name", "skip"),
    *("$is_first_day", "coupon_id"),
)


@pytest.mark.parametrize("key", PERSONAL)
def test_properties_that_name_a_person_are_left_out(key: str) -> None:
    assert not keeps_key(key)


@pytest.mark.parametrize("key", THINGS)
def test_properties_that_name_things_are_kept(key: str) -> None:
    assert keeps_key(key)


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("id=88&phone=13912345678", "id=88"),
        ("?id=88", "?id=88"),
        ("pages/a?ref=13912345678&id=8", "pages/a?id=8"),
        ("pages/a?openid=o1", "pages/a"),
        ("scene=tel%3D13912345678", ""),
        ("pages/13912345678/x", ""),
        ("pages/a", "pages/a"),
        ("pages/a?next=pages/b?phone=1&id=2", "pages/a?next=pages/b&id=2"),
    ],
)
def test_parameters_of_an_address_are_judged_one_by_one(address: str, clean: str) -> None:
    assert clean_address(address) == clean


def test_properties_are_sorted_json_without_those_that_have_columns() -> None:
    text = Properties({"$scene"}).json({"b": 1, "a": "x", "$scene": "wx-1047", "empty": "", "none": None})
    assert text == '{"a":"x","b":1}'


def test_a_value_with_a_phone_takes_its_property_along_and_leaves_the_others() -> None:
    given = {"note": "my number is 13912345678", "goods_id": "88", "deep": {"x": ["139 1234 5678"]}}
    text = Properties().json(given)
    assert text == '{"goods_id":"88"}'


def test_properties_of_which_nothing_is_left_are_null() -> None:
    assert Properties().json({"phone": "x"}) is None
    assert Properties().json({"note": "13912345678"}) is None


@given(st.dictionaries(st.sampled_from(["a", "note", "$url_query", "goods"]), st.text() | st.sampled_from(PHONES)))
def test_no_phone_ever_stands_in_the_properties(properties: dict[str, str]) -> None:
    text = Properties().json({**properties, "tail": "13912345678"})
    assert text is None or not has_personal_text(text)


def test_an_address_inside_the_properties_is_cleaned() -> None:
    text = Properties().json({"$url_query": "id=88&mobile=13912345678", "$referrer": "pages/a?nick=x"})
    assert orjson.loads(text or "") == {"$url_query": "id=88", "$referrer": "pages/a"}

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from identity.identifier import Identifier, parse_identifier
from identity.normalise import normalise_identifier
from identity.policy import Policy


def read(text: str, policy: Policy) -> str:
    """The identifier's one form, or `!rule`."""
    reading = normalise_identifier(parse_identifier(text), policy)
    return f"!{reading.refusal}" if reading.refusal else str(reading.identifier)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("member_id:brandA: K1 ", "member_id:brandA:K1"),
        ("wx_openid:wx01:oAbC", "wx_openid:wx01:oAbC"),
        ("wecom_external_userid:WW01:wmA", "wecom_external_userid:ww01:wmA"),
        ("wecom_external_userid:wpAbC:wmA", "wecom_external_userid:wpAbC:wmA"),
        ("phone:anything:+86 139-1234-5670", "phone::13912345670"),
        (f"phone_sha256:shop:{'AB' * 32}", f"phone_sha256::{'ab' * 32}"),
        ("tmall_ouid:shop:v:1", "tmall_ouid:shop:v:1"),
    ],
)
def test_identifiers_are_compared_in_one_form(written: str, read_as: str, shipped: Policy) -> None:
    assert read(written, shipped) == read_as


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("member_id:b:", "reject_value"),
        ("member_id:b: NULL ", "reject_value"),
        ("member_id:b:Anonymous", "reject_value"),
        ("member_id:b:test01", "reject_value"),
        ("phone::0", "reject_value"),
        ("phone::13800138000", "reject_value"),
        ("phone::+86 138-0013-8000", "reject_value"),
        ("phone::11111111111", "digit_run"),
        ("phone::12345678901", "digit_run"),
        ("phone::139****5678", "masked"),
        ("phone::18400913965-7576", "virtual_number"),
        ("phone::0571-88881234", "landline"),
        ("phone::12912345678", "malformed"),
        ("phone_md5::13912345678", "malformed"),
        ("member_id::K1", "missing_scope"),
        ("member_id: :K1", "missing_scope"),
        ("member_id:null:K1", "missing_scope"),
        ("nickname::Li", "undeclared_namespace"),
        ("tmall_oaid:shop:x", "never"),
        (f"member_id:b:{'x' * 513}", "malformed"),
        ("login_id:b:138****5678", "masked"),
        ("login_id:b:t**t", "masked"),
        ("login_id:b:t＊＊t", "masked"),
    ],
)
def test_values_that_identify_nobody_are_refused_with_their_rule(written: str, rule: str, shipped: Policy) -> None:
    assert read(written, shipped) == f"!{rule}"


def test_a_placeholder_number_does_not_become_a_person_by_being_hashed(shipped: Policy) -> None:
    for number, rule in (("13800138000", "reject_value"), ("+8613800138000", "reject_value"), ("1" * 11, "digit_run")):
        assert read(f"phone_md5::{hashlib.md5(number.encode()).hexdigest()}", shipped) == f"!{rule}"
        assert read(f"phone_sha256::{hashlib.sha256(number.encode()).hexdigest().upper()}", shipped) == f"!{rule}"


def test_values_of_one_namespace_are_refused_in_it_only(shipped: Policy) -> None:
    assert read("login_id:b:TEST01", shipped) == "login_id:b:TEST01"


def test_patterns_are_searched_in_the_written_and_in_the_normal_form(policy: Callable[..., Policy]) -> None:
    given = policy(reject={"patterns": ["^demo"], "by_namespace": {"phone": {"patterns": ["^1391234"]}}})
    assert read("member_id:b:demo7", given) == "!reject_pattern"
    assert read("member_id:b:a demo", given) == "member_id:b:a demo"
    assert read("phone::+86 139 1234 5670", given) == "!reject_pattern"


def test_digit_runs_pass_where_nobody_asked_for_the_rule(policy: Callable[..., Policy]) -> None:
    given = policy(reject={"by_namespace": {"phone": {"digit_runs": False}}})
    assert read("phone::11111111111", given) == "!malformed"


def test_a_lower_case_namespace_and_scope_ignore_case(policy: Callable[..., Policy]) -> None:
    given = policy(namespaces={"mail": {"normaliser": "lower", "scoped": True, "scope_normaliser": "lower"}})
    assert read("mail:SHOP:A@B.c", given) == "mail:shop:a@b.c"


def test_a_scope_with_a_colon_stays_one_scope(shipped: Policy) -> None:
    reading = normalise_identifier(Identifier("tmall_ouid", "shop:desk", "v"), shipped)
    assert parse_identifier(str(reading.identifier)) == reading.identifier


def test_a_foreign_number_is_no_malformed_one(shipped: Policy) -> None:
    assert read("phone::+1 300 555 1234", shipped) == "phone::+13005551234"


def test_an_empty_value_names_nobody_whatever_the_lists_say(policy: Callable[..., Policy]) -> None:
    given = policy(reject={"values": ["x"]})
    assert [read(text, given) for text in ("login_id:b:", "login_id:b: ", "wx_openid: :o1")] == [
        "!malformed",
        "!malformed",
        "!missing_scope",
    ]


def test_one_asterisk_is_no_mask(shipped: Policy) -> None:
    assert read("login_id:b:a*b", shipped) == "login_id:b:a*b"

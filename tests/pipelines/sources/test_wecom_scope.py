"""Whose ids a WeCom answer holds."""

from __future__ import annotations

import pytest

from pipelines.sources.base import Subject
from pipelines.sources.wecom_scope import corp_key, is_external, scope_of, wecom_error
from tests.pipelines.sources.private_domain import make_context


def test_a_plain_corp_id_ignores_case_and_an_encrypted_one_does_not() -> None:
    assert corp_key("WwAbC") == "wwabc"
    assert corp_key("wpAbC") == "wpAbC"


def test_a_corps_ids_are_scoped_by_the_corp() -> None:
    scope = scope_of(make_context("wecom_contacts", corp_id="WW01"))
    assert scope.subject("wmA") == Subject("wecom_external_userid", "ww01", "wmA")


def test_a_providers_ids_are_scoped_by_the_suite_whatever_the_corp() -> None:
    scope = scope_of(make_context("wecom_contacts", corp_id="ww01", suite_id="ww5U"))
    assert scope.contact_key("wmA") == ("wecom_isv_external_userid", "ww5U", "wmA")


def test_what_the_record_says_of_its_corp_comes_before_the_context() -> None:
    scope = scope_of(make_context("wecom_events", corp_id="ww01"), corp_id="ww02")
    assert scope.tenant == "ww02"


def test_without_corp_and_suite_the_scope_is_empty_and_left_to_be_refused() -> None:
    assert scope_of(make_context("wecom_contacts", corp_id="")).contact_key("wmA") == (
        "wecom_external_userid",
        "",
        "wmA",
    )


@pytest.mark.parametrize(
    ("member_id", "external"),
    [("wmExampleAAAA0001", True), ("woExampleAAAA0001", True), ("lisi", False), ("wmx", False)],
)
def test_members_of_group_callbacks_are_told_apart_by_their_form(member_id: str, external: bool) -> None:
    assert is_external(member_id) is external


@pytest.mark.parametrize(
    ("member_id", "customer"), [("wmExampleAAAA0001", True), ("woExampleAAAA0001", None), ("lisi", False)]
)
def test_towards_a_provider_the_form_does_not_tell_guides_from_wecom_users(
    member_id: str, customer: bool | None
) -> None:
    assert scope_of(make_context("wecom_events"), suite_id="ww5u1te").is_customer(member_id) is customer
    assert scope_of(make_context("wecom_events")).is_customer(member_id) is (customer is not False)


def test_an_error_answer_gives_its_code_and_never_its_message() -> None:
    assert wecom_error({"errcode": "45009", "errmsg": "from ip 10.0.0.1"}) == "errcode 45009"
    assert wecom_error({"errcode": 0, "errmsg": "ok"}) is None

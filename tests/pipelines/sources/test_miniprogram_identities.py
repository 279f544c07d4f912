"""The identity keys of behaviour events."""

from __future__ import annotations

import pytest

from pipelines.errors import ConfigurationError
from pipelines.sources.base import Context
from pipelines.sources.miniprogram_identities import IdentityKeys, IdKey, as_ids, distinct_identifier, subject_of
from tests.pipelines.sources.private_domain import BRAND_PLATFORM, SETTINGS, WECHAT_APP, make_context

KEYS = IdentityKeys(SETTINGS["miniprogram"].options["identities"])
WECHAT = make_context("miniprogram_events")
DOUYIN = make_context("miniprogram_events", app_id="tt01", open_platform_id="dy", platform="douyin")


@pytest.mark.parametrize(
    ("key", "identifier"),
    [
        ("$identity_mp_id", ("mp_anonymous_id", WECHAT_APP, "v")),
        ("$identity_anonymous_id", ("mp_anonymous_id", WECHAT_APP, "v")),
        ("$identity_mp_openid", ("wx_openid", WECHAT_APP, "v")),
        ("$identity_mp_wx9_openid", ("wx_openid", "wx9", "v")),
        ("$identity_mp_unionid", ("wx_unionid", BRAND_PLATFORM, "v")),
        ("$identity_login_id", ("login_id", "brandA", "v")),
        ("$identity_mobile", ("phone", "", "v")),
        ("$identity_wecom_WW02_external_user_id", ("wecom_external_userid", "ww02", "v")),
        ("$identity_wecom_wpAbC_external_user_id", ("wecom_external_userid", "wpAbC", "v")),
        ("$identity_wecom_wpAb-C_d_external_user_id", ("wecom_external_userid", "wpAb-C_d", "v")),
        ("$identity_mp_wx-9_x_openid", ("wx_openid", "wx-9_x", "v")),
        ("$identity_taobao_ouid", ("tmall_ouid", "", "v")),
        ("$identity_byte_unionid", ("douyin_union_id", "", "v")),
    ],
)
def test_each_key_has_its_namespace_and_scope_in_a_wechat_program(key: str, identifier: IdKey) -> None:
    assert KEYS.identifier(key, "v", WECHAT) == identifier


@pytest.mark.parametrize(
    ("key", "identifier"),
    [
        ("$identity_mp_openid", ("douyin_mp_open_id", "tt01", "v")),
        ("$identity_mp_unionid", ("douyin_union_id", "dy", "v")),
        ("$identity_byte_unionid", ("douyin_union_id", "dy", "v")),
    ],
)
def test_in_a_douyin_program_the_general_keys_are_douyins(key: str, identifier: IdKey) -> None:
    assert KEYS.identifier(key, "v", DOUYIN) == identifier


@pytest.mark.parametrize("context", [WECHAT, DOUYIN])
def test_the_app_in_a_key_tells_its_platform_whatever_the_context(context: Context) -> None:
    assert KEYS.identifier("$identity_mp_tt9_openid", "v", context) == ("douyin_mp_open_id", "tt9", "v")
    assert KEYS.identifier("$identity_mp_wx9_openid", "v", context) == ("wx_openid", "wx9", "v")


def test_contexts_do_not_share_their_scopes() -> None:
    other = make_context("miniprogram_events", app_id="wx9")
    assert KEYS.identifier("$identity_mp_openid", "v", WECHAT) != KEYS.identifier("$identity_mp_openid", "v", other)


def test_a_key_nobody_declared_is_no_identifier() -> None:
    assert KEYS.identifier("$identity_shoe_size", "42", WECHAT) is None
    assert KEYS.rule("$identity_shoe_size") is None


def test_a_key_without_value_is_no_identifier() -> None:
    assert KEYS.identifier("$identity_mp_openid", "", WECHAT) is None


@pytest.mark.parametrize("meaning", ["wx_openid", "wx_openid@nowhere", "@app"])
def test_a_declaration_of_another_form_is_refused_naming_the_key(meaning: str) -> None:
    with pytest.raises(ConfigurationError, match=r"options.identities\['k'\]"):
        IdentityKeys({"k": meaning})


def test_the_account_that_acted_comes_before_what_it_was_logged_in_as() -> None:
    ids = [("login_id", "b", "l1"), ("mp_anonymous_id", "wx1", "a1"), ("wx_openid", "wx1", "o1")]
    assert subject_of(ids) == ("wx_openid", "wx1", "o1")


def test_an_identifier_without_scope_is_the_subject_only_where_there_is_no_other() -> None:
    assert subject_of([("wx_openid", "", "o1"), ("mp_anonymous_id", "wx1", "a1")]) == ("mp_anonymous_id", "wx1", "a1")
    assert subject_of([("wx_openid", "", "o1")]) == ("wx_openid", "", "o1")
    assert subject_of([]) is None


def test_a_bare_distinct_id_is_an_openid_by_its_form_only_in_wechat() -> None:
    openid = "o" + "A1_-" * 6 + "xyz"
    assert distinct_identifier(openid, WECHAT)[0] == "wx_openid"
    assert distinct_identifier(openid, DOUYIN)[0] == "mp_anonymous_id"
    assert distinct_identifier("o-short", WECHAT)[0] == "mp_anonymous_id"


@pytest.mark.parametrize(
    ("length", "openid"), [(20, False), (21, True), (26, True), (28, True), (32, True), (33, False)]
)
def test_an_openid_reads_as_one_by_its_first_letter_and_its_length(length: int, openid: bool) -> None:
    assert (distinct_identifier("o" + "x" * (length - 1), WECHAT)[0] == "wx_openid") is openid
    assert distinct_identifier("p" + "x" * (length - 1), WECHAT)[0] == "mp_anonymous_id"


def test_only_phones_take_the_role() -> None:
    ids = as_ids([("login_id", "b", "l1"), ("phone", "", "13912345678")], phone_role="verified")
    assert [one.get("role") for one in ids] == [None, "verified"]

"""Signatures of pushes and calls: the vectors of the platforms, and that a changed byte breaks them."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from serving.contract.signatures import (
    douyin_api_sign,
    douyin_event_sign,
    douyin_webhook_signature,
    is_signed,
    top_sign,
)

BODY = (
    b'[{"tag":"101","msg_id":"7012345678901234567:0:101:1735700530:4463798:42",'
    b'"data":"{\\"p_id\\":6923456789012345678}"}]'
)


def test_a_shop_push_is_signed_over_its_raw_bytes() -> None:
    assert douyin_event_sign("demo_key", BODY, "demo_secret") == "53b27c995ab003da013d14917a121982"
    assert douyin_event_sign("demo_key", BODY + b" ", "demo_secret") != "53b27c995ab003da013d14917a121982"


def test_a_webhook_is_signed_with_the_client_secret() -> None:
    signed = douyin_webhook_signature("demo_secret", b'{"event":"x"}')
    assert signed == "58aff1c69676044a6e0c7abf7ffe1390ab3a47d1"
    assert douyin_webhook_signature("other_secret", b'{"event":"x"}') != signed


def test_a_shop_call_is_signed_over_its_parts_between_the_secret() -> None:
    text = "s3cretapp_key70methodorder.searchListparam_json{}timestamp1735700530v2s3cret"
    expected = hmac.new(b"s3cret", text.encode(), hashlib.sha256).hexdigest()
    signed = douyin_api_sign("s3cret", app_key="70", method="order.searchList", param_json="{}", timestamp="1735700530")
    assert signed == expected


def test_a_message_connection_is_signed_over_its_sorted_parameters() -> None:
    params = {"timestamp": "1735700530000", "group_name": "default", "app_key": "21000001", "sign": "old", "empty": ""}
    plain = "s3cretapp_key21000001group_namedefaulttimestamp1735700530000s3cret"
    assert top_sign("s3cret", params) == hashlib.md5(plain.encode()).hexdigest().upper()


@pytest.mark.parametrize(("method", "digest"), [("hmac", hashlib.md5), ("hmac-sha256", hashlib.sha256)])
def test_calls_may_be_signed_with_the_secret_as_key(method: str, digest: object) -> None:
    expected = hmac.new(b"s3cret", b"a1b2", digest).hexdigest().upper()  # type: ignore[arg-type]
    assert top_sign("s3cret", {"b": "2", "a": "1"}, method=method) == expected


def test_an_unknown_sign_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known: md5, hmac, hmac-sha256"):
        top_sign("s3cret", {}, method="sha1")


@pytest.mark.parametrize(("given", "right"), [("AB12", True), ("ab12", True), ("ab13", False), ("", False)])
def test_a_signature_is_right_or_not_whatever_its_letters(given: str, right: bool) -> None:
    assert is_signed("ab12", given) is right

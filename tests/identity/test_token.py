from __future__ import annotations

import re

from identity.identifier import Identifier
from identity.policy import Policy
from identity.token import is_personal, keyed_digest, node_token, phone_forms, phone_hashes, pii_token

NUMBER = "13912345678"


def test_a_token_is_32_hex_characters_of_a_keyed_digest() -> None:
    assert re.fullmatch("[0-9a-f]{32}", pii_token("key", "phone", NUMBER))
    assert pii_token("key", "phone", NUMBER) != pii_token("other", "phone", NUMBER)
    assert pii_token("key", "phone", NUMBER) != pii_token("key", "login_id", NUMBER)


def test_parts_of_a_digest_cannot_run_into_each_other() -> None:
    digests = {
        keyed_digest("k", *parts) for parts in [("a", "bc"), ("ab", "c"), ("abc",), ("a\x1fbc",), ("a", "b", "c")]
    }
    assert len(digests) == 5


def test_the_published_hash_vectors_are_met() -> None:
    hashes = phone_hashes(NUMBER, {"shop": "demo_key"})
    assert hashes["phone_md5"] == ["535381ec9d5ab7a390db0a30860600f2", "f32e39f04d0aaef96c9a55c26c101cb0"]
    assert hashes["phone_sha256"][0] == "ba6c167e885ea4be8252fb01c61fc55439089f389ee1b0592fc8c4f417196403"
    assert hashes["tmall_mix_mobile"] == ["52164cc782f7af83d62d2cfe07a910bb"]


def test_a_foreign_number_is_hashed_in_its_one_form() -> None:
    assert [len(values) for values in phone_hashes("+13005551234").values()] == [1, 1, 0]


def test_the_forms_of_a_number_are_the_tokens_of_its_hashes() -> None:
    forms = phone_forms("key", NUMBER, {"shop": "demo_key"})
    assert forms["tmall_mix_mobile"] == [pii_token("key", "tmall_mix_mobile", "52164cc782f7af83d62d2cfe07a910bb")]
    assert {name: len(tokens) for name, tokens in forms.items()} == {
        "phone_sha256": 2,
        "phone_md5": 2,
        "tmall_mix_mobile": 1,
    }


def test_phones_and_ids_that_are_phones_are_personal_and_platform_ids_are_not(shipped: Policy) -> None:
    def personal(namespace: str, value: str) -> bool:
        return is_personal(Identifier(namespace, "s", value), shipped.spec(namespace))

    assert personal("phone", NUMBER)
    assert personal("phone_md5", "0" * 32)
    assert personal("member_id", NUMBER)
    assert personal("login_id", "+86 " + NUMBER)
    assert personal("nobody_declared_this", "x")
    assert not personal("member_id", "K1")


def test_order_and_digests_see_personal_values_by_their_token_only(shipped: Policy) -> None:
    phone, member = Identifier("phone", "", NUMBER), Identifier("member_id", "b", "K1")
    assert node_token("key", phone, shipped.spec("phone")) == pii_token("key", "phone", NUMBER)
    assert node_token("key", member, shipped.spec("member_id")) == "K1"

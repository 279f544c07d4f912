"""The envelope of WeCom callbacks: known vectors, round trips, and everything that must be refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contract.wecom_crypto import CallbackKeys, CallbackRefusedError, signature

KEYS = CallbackKeys("tok3n", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "ww0000000000000001")
RANDOM = bytes(range(16))
STAMP = {"timestamp": "1735700530", "nonce": "n0nce"}


def sealed(message: str = "<xml/>", keys: CallbackKeys = KEYS) -> dict[str, str]:
    encrypt = keys.encrypt(message, RANDOM)
    return {**STAMP, "encrypt": encrypt, "msg_signature": signature(keys.token, *STAMP.values(), encrypt)}


def test_the_documented_signature_is_made() -> None:
    assert signature("tok3n", "1735700530", "n0nce", "ENCRYPT==") == "968ab1bf1491b8ed091828641258f7c9bd62f8b4"


@pytest.mark.reference
@pytest.mark.parametrize("number", [0, 1])
def test_the_platforms_own_samples_are_opened(shared_data: Path, number: int) -> None:
    vectors: dict[str, Any] = json.loads(
        (shared_data / "payloads/wecom/callback_crypto_vectors.json").read_text("utf-8")
    )
    vector = vectors["vectors"][number]
    keys = CallbackKeys(vector["token"], vector["encoding_aes_key"], vector["receive_id"])
    given_parts = {name: vector[name] for name in ("timestamp", "nonce", "encrypt", "msg_signature")}
    assert keys.open(**given_parts) == vector["expected_plaintext"]


@given(st.text(max_size=200))
def test_what_was_sealed_is_opened_again(message: str) -> None:
    assert KEYS.open(**sealed(message)) == message


@pytest.mark.parametrize("name", ["timestamp", "nonce", "encrypt", "msg_signature"])
def test_a_part_that_was_changed_is_refused(name: str) -> None:
    parts = sealed()
    parts[name] = ("x" if parts[name][0] != "x" else "y") + parts[name][1:]
    with pytest.raises(CallbackRefusedError, match="signature"):
        KEYS.open(**parts)


def test_a_callback_for_another_receiver_is_refused() -> None:
    with pytest.raises(CallbackRefusedError, match="another receiver"):
        replace(KEYS, receive_id="ww0000000000000002").open(**sealed())


def test_a_callback_sealed_with_another_key_is_refused() -> None:
    other = replace(KEYS, encoding_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
    with pytest.raises(CallbackRefusedError):
        KEYS.decrypt(other.encrypt("<xml/>", RANDOM))


@pytest.mark.parametrize("encrypt", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_what_is_no_envelope_is_refused(encrypt: str) -> None:
    with pytest.raises(CallbackRefusedError):
        KEYS.decrypt(encrypt)


def test_a_flipped_bit_in_the_last_block_is_refused() -> None:
    raw = bytearray(base64.b64decode(KEYS.encrypt("<xml>hello</xml>", RANDOM)))
    raw[-1] ^= 1
    with pytest.raises(CallbackRefusedError):
        KEYS.decrypt(base64.b64encode(bytes(raw)).decode())


def test_a_length_beyond_the_message_is_refused() -> None:
    with pytest.raises(CallbackRefusedError, match="length"):
        KEYS._unwrap(RANDOM + (1000).to_bytes(4, "big") + b"short")


def test_a_message_that_is_no_text_is_refused() -> None:
    with pytest.raises(CallbackRefusedError, match="UTF-8"):
        KEYS._unwrap(RANDOM + (1).to_bytes(4, "big") + b"\xff" + KEYS.receive_id.encode())


@pytest.mark.parametrize("key", ["short", "!" * 43])
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(CallbackRefusedError, match="EncodingAESKey"):
        replace(KEYS, encoding_aes_key=key).decrypt(sealed()["encrypt"])


def test_the_random_part_must_be_whole() -> None:
    with pytest.raises(CallbackRefusedError, match="random"):
        KEYS.encrypt("<xml/>", b"short")


def test_a_refusal_never_repeats_the_message() -> None:
    parts = sealed("<xml>13912345678</xml>") | {"msg_signature": "0" * 40}
    with pytest.raises(CallbackRefusedError) as refusal:
        KEYS.open(**parts)
    assert "13912345678" not in str(refusal.value)

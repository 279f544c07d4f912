"""Tokens: keyed digests that stand for personal values wherever they are compared, sorted or stored.

A plain hash of a mobile number can be reversed in minutes; these cannot without the identity key. The same key makes
the OneIDs, so that two lakes with one key and the same evidence mint alike.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from identity.identifier import Identifier
from identity.namespace import NamespaceSpec
from identity.phone import is_mobile

TEST_KEY = "a fixed identity key, for tests and notebooks only"
TOKEN_LENGTH = 32


def keyed_digest(identity_key: str | bytes, *parts: str) -> str:
    """64 lower-case hex characters of HMAC-SHA256 over the parts, which cannot run into each other."""
    key = identity_key.encode() if isinstance(identity_key, str) else identity_key
    text = "\x1f".join(part.replace("\x1f", "\x1f\x1f") for part in parts)
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def pii_token(identity_key: str | bytes, family: str, value: str) -> str:
    """The token of a personal value: 32 lower-case hex characters, HMAC-SHA256 cut to 128 bits.

    `family` is the namespace of the value, so that equal texts of different meaning have different tokens.

    >>> pii_token("k", "phone", "13912345670") == pii_token(b"k", "phone", "13912345670")
    True
    """
    return keyed_digest(identity_key, "pii", family, value)[:TOKEN_LENGTH]


def is_personal(identifier: Identifier, spec: NamespaceSpec | None) -> bool:
    """Whether the value is personal data: a phone in any form, any other id that is itself a mobile number,
    and every value of a namespace nobody declared, since nobody can say what it is."""
    if spec is None or spec.is_phone or identifier.namespace == "phone":
        return True
    return is_mobile(identifier.value)


def node_token(identity_key: str | bytes, identifier: Identifier, spec: NamespaceSpec | None) -> str:
    """The value by which an identifier takes part in orders and digests: its token where it is personal data."""
    if is_personal(identifier, spec):
        return pii_token(identity_key, identifier.namespace, identifier.value)
    return identifier.value


def phone_hashes(number: str, mix_keys: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """The hashed forms under which a normalised number may be seen, by namespace, in lower-case hex.

    A mainland number is hashed as its 11 digits and with +86; `mix_keys` holds the Tmall key of each merchant.

    >>> phone_hashes("13912345678")["phone_md5"][0]
    '535381ec9d5ab7a390db0a30860600f2'
    >>> phone_hashes("13912345678", {"shop": "demo_key"})["tmall_mix_mobile"]
    ['52164cc782f7af83d62d2cfe07a910bb']
    """
    forms = [number] if number.startswith("+") else [number, f"+86{number}"]
    mixes = sorted({_mix(number, key) for key in (mix_keys or {}).values()})
    return {
        "phone_sha256": [hashlib.sha256(form.encode()).hexdigest() for form in forms],
        "phone_md5": [_md5(form) for form in forms],
        "tmall_mix_mobile": mixes,
    }


def phone_forms(identity_key: str | bytes, digits11: str, mix_keys: Mapping[str, str]) -> dict[str, list[str]]:
    """The tokens of a number's hashed forms by namespace: a hash seen alone is later known as the same node by them."""
    hashes = phone_hashes(digits11, mix_keys)
    return {name: [pii_token(identity_key, name, value) for value in values] for name, values in hashes.items()}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _mix(number: str, key: str) -> str:
    return _md5(_md5(f"tmall{number}{key}"))

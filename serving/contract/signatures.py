"""Signatures of the platforms' pushes and calls: how each is made, and checked over the bytes as they came.

A push is checked before anything of it is read; comparisons take the same time whatever differs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping


def douyin_event_sign(app_key: str, body: bytes, app_secret: str) -> str:
    """The `event-sign` header of a Douyin shop push: MD5 over key, raw body and secret.

    >>> body = b'[{"tag":"101","msg_id":"7012345678901234567:0:101:1735700530:4463798:42",'
    >>> body += b'"data":"{\\\\"p_id\\\\":6923456789012345678}"}]'
    >>> douyin_event_sign("demo_key", body, "demo_secret")
    '53b27c995ab003da013d14917a121982'
    """
    return _md5(app_key.encode() + body + app_secret.encode())


def douyin_webhook_signature(client_secret: str, body: bytes) -> str:
    """The `X-Douyin-Signature` header of an open-platform webhook: SHA-1 over secret and raw body.

    >>> douyin_webhook_signature("demo_secret", b'{"event":"x"}')
    '58aff1c69676044a6e0c7abf7ffe1390ab3a47d1'
    """
    return hashlib.sha1(client_secret.encode() + body, usedforsecurity=False).hexdigest()


def douyin_api_sign(app_secret: str, *, app_key: str, method: str, param_json: str, timestamp: str) -> str:
    """The sign of a Douyin shop call: HMAC-SHA256 over the named parts between the secret, `sign_method` hmac-sha256.

    `param_json`: the body with sorted keys and no blanks, as it is sent; `timestamp`: epoch seconds.
    """
    text = _between(app_secret, f"app_key{app_key}method{method}param_json{param_json}timestamp{timestamp}v2")
    return hmac.new(app_secret.encode(), text, hashlib.sha256).hexdigest()


def douyin_api_sign_md5(app_secret: str, *, app_key: str, method: str, param_json: str, timestamp: str) -> str:
    """The same for `sign_method` md5, which the platform takes too.

    >>> douyin_api_sign_md5("s", app_key="k", method="m", param_json="{}", timestamp="1")
    'd7797c049ea61430c617d13d0999023f'
    """
    return _md5(_between(app_secret, f"app_key{app_key}method{method}param_json{param_json}timestamp{timestamp}v2"))


def top_sign(app_secret: str, params: Mapping[str, str], *, method: str = "md5") -> str:
    """The sign of a Taobao TOP call or of a TMC connection: upper-case hex over the sorted keys with their values.

    `md5` puts the secret before and behind them; `hmac` (HMAC-MD5) and `hmac-sha256` use it as key. `sign` itself and
    values that are not set take no part.

    >>> top_sign("demo_secret", {"app_key": "21000001", "group_name": "default", "timestamp": "1735700530000"})
    'D37929966269054477D5047FB9E53C32'
    """
    joined = "".join(f"{key}{params[key]}" for key in sorted(params) if key != "sign" and params[key])
    if method == "md5":
        return _md5(f"{app_secret}{joined}{app_secret}".encode()).upper()
    digest = {"hmac": hashlib.md5, "hmac-sha256": hashlib.sha256}.get(method)
    if digest is None:
        raise ValueError(f"unknown sign method {method!r}; known: md5, hmac, hmac-sha256")
    return hmac.new(app_secret.encode(), joined.encode(), digest).hexdigest().upper()


def top_spi_sign(app_secret: str, params: Mapping[str, str], body: bytes = b"") -> str:
    """The sign of a call that Taobao makes to a merchant: upper-case MD5 over secret, sorted parameters, body, secret.

    `params`: those of the address, of a form, and the headers that `top-sign-list` names; `body`: a JSON or XML body as
    it came, empty for a form. `sign` itself takes no part.

    >>> top_spi_sign("demo_secret", {"method": "m", "sign": "x"}, b"{}")
    'F4C2A12078400B42B255C6A3858E1192'
    """
    joined = "".join(f"{key}{params[key]}" for key in sorted(params) if key != "sign")
    return _md5(app_secret.encode() + joined.encode() + body + app_secret.encode()).upper()


def is_signed(expected: str, given: str) -> bool:
    """Whether a signature is the expected one; letters may differ in case, nothing given is never right.

    >>> is_signed("ab12", "AB12"), is_signed("ab12", ""), is_signed("ab12", "ab13")
    (True, False, False)
    """
    if not given:
        return False
    return hmac.compare_digest(expected.lower().encode(), given.lower().encode("utf-8", "surrogatepass"))


def _between(secret: str, text: str) -> bytes:
    return f"{secret}{text}{secret}".encode()


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

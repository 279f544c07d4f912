"""Event properties and addresses without identifiers and personal data.

Left out are keys that name a person (phone, name, address, any id of an account), values in which a phone or mail
address stands, and the parameters of an address for the same reasons. The rules look at form, not at meaning: what
looks like a phone goes, even if it is a number of goods.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import orjson

PHONE = re.compile(r"(?<!\d)(?:(?:\+|00)?86[-\s]?)?[1１][3-9３-９]\d[-\s]?\d{4}[-\s]?\d{4}(?!\d)")
_MAYBE = re.compile(r"1[3-9３-９]\d[-\s]?\d{4}[-\s]?\d{4}")
_MAYBE_WIDE = re.compile(r"１[3-9３-９]\d[-\s]?\d{4}[-\s]?\d{4}")
"""Both begin with a fixed letter, which makes the search for nothing a fast one: this runs for every event."""
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w")
_PERSONAL_KEY = re.compile(
    r"(?:^|_)(?:phone|mobile|tel|telephone|name|real_?name|user_?name|nick|nick_?name|contact|consignee|receiver|recipient"
    r"|addr|address|email|mail|id_?card|avatar|birthday|remark|ip|latitude|longitude"
    r"|open_?id|union_?id|user_?id|external_user_?id|member_?id|login_?id|anonymous_?id|distinct_id|device_?id|oaid|idfa|imei)(?:$|_)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAMED_THINGS = re.compile(
    r"(?:goods|product|sku|spu|event|element|screen|page|brand|shop|store|coupon|activity|category|campaign)_name$"
)
_ADDRESSES = frozenset(
    {"$url", "$url_query", "$referrer", "$latest_referrer", "$share_url_path", "url", "referrer", "page", "query"}
)
_KEY_LIMIT = 4096
_ADDRESS_LIMIT = 8192


class _Names(dict[str, bool]):
    """Whether a property may be kept by its name, for each name judged at its first use."""

    def __missing__(self, key: str) -> bool:
        plain = _CAMEL.sub("_", key).lower().lstrip("$")
        keeps = _NAMED_THINGS.search(plain) is not None or _PERSONAL_KEY.search(plain) is None
        if len(self) < _KEY_LIMIT:
            self[key] = keeps
        return keeps


_KEEPS = _Names()


def keeps_key(key: str) -> bool:
    """Whether a property may be kept by its name.

    >>> keeps_key("goods_id"), keeps_key("goods_name"), keeps_key("receiverName"), keeps_key("$mp_openid")
    (True, True, False, False)
    """
    return _KEEPS[key]


def has_personal_text(value: str) -> bool:
    """Whether a phone or a mail address stands in the text, plain or percent-encoded.

    >>> has_personal_text("tel=%2B8613912345678"), has_personal_text("id=88"), has_personal_text("t=1735700530123")
    (True, False, False)
    """
    if "%" in value:
        value = unquote(value)
    if (_MAYBE.search(value) or _MAYBE_WIDE.search(value)) and PHONE.search(value):
        return True
    return "@" in value and MAIL.search(value) is not None


@lru_cache(maxsize=_ADDRESS_LIMIT)
def clean_address(address: str) -> str:
    """The address, or bare query, without parameters that name or contain personal data; an escaped address inside is
    judged as a whole.

    >>> clean_address("pages/pay?id=88&phone=13912345678&tel=%2B86139")
    'pages/pay?id=88'
    """
    path, mark, query = address.partition("?")
    if not mark and "=" in path:
        path, query = "", path
    if has_personal_text(path):
        path = ""
    if not query:
        return path
    kept = [
        part for part in re.split("[&?]", query) if keeps_key(part.partition("=")[0]) and not has_personal_text(part)
    ]
    return path + mark + "&".join(kept) if kept else path


class Properties:
    """The properties of events as JSON, without those that `taken` columns hold and without personal data."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._kept = _Names(dict.fromkeys(taken, False))

    def json(self, properties: Mapping[str, Any]) -> str | None:
        """The properties that are left; None when none is."""
        keeps = self._kept
        kept = {key: value for key, value in properties.items() if keeps[key] and value is not None and value != ""}
        if not kept:
            return None
        for key in _ADDRESSES.intersection(kept):
            value = kept[key]
            if isinstance(value, str) and ("?" in value or "=" in value):
                kept[key] = clean_address(value)
        dumped = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()
        if has_personal_text(dumped):
            kept = {key: value for key, value in kept.items() if not has_personal_text(orjson.dumps(value).decode())}
            return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode() if kept else None
        return dumped

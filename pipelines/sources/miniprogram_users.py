"""Mini-program sessions and phone numbers: `jscode2session` of WeChat and Douyin, WeChat `getuserphonenumber`.

The answers become identity observations only. `session_key` is a secret and is never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pipelines.sources.base import Context, FeedParser, Parsed, Record
from pipelines.sources.categories import as_object
from pipelines.sources.fields import epoch_s, identifier, integer, mapping, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import IdKey, make_id, observe_day, observe_once, seen_ms, sighting_day

FEED = "miniprogram_users"
CHINA = "86"
DOUYIN_PLATFORMS = frozenset({"douyin", "bytedance", "toutiao"})

_DOUYIN_IDS = ("openid", "open_id", "anonymous_openid", "anonymous_open_id", "unionid", "union_id")
SESSION = Shape("session", ["openid", "unionid"])
DOUYIN_SESSION = Shape("douyin_session", [f"data.{name}" for name in _DOUYIN_IDS])
PHONE = Shape(
    "phone",
    [f"phone_info.{name}" for name in ("phoneNumber", "purePhoneNumber", "countryCode")]
    + [f"phone_info.watermark.{name}" for name in ("timestamp", "appid")],
)


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """Every answer is one record."""
    return split_pages(payload, [], _session_error)


def _session_error(envelope: Mapping[str, Any]) -> str | None:
    for name in ("errcode", "err_no"):
        code = integer(envelope.get(name), name)
        if code:
            return f"{name} {code}"
    return None


def parse(record: Record) -> Parsed:
    """The ids of one visitor that belong together, or a phone number with the account that gave it."""
    value = as_object(record.value, "session")
    if "phone_info" in value:
        return _parse_phone(record, value)
    if "data" in value:
        return _parse_douyin(record, value)
    return _parse_wechat(record, value)


def _parse_wechat(record: Record, value: dict[str, Any]) -> Parsed:
    parsed = Parsed(unknown=SESSION.unknown(value, record.settings.ignored))
    context = record.context
    ids = [_openid(context, required(identifier(value.get("openid")), "openid"))]
    unionid = identifier(value.get("unionid"))
    if unionid:
        namespace = "douyin_union_id" if is_douyin(context) else "wx_unionid"
        ids.append((namespace, context.open_platform_id, unionid))
    _observe_session(parsed, context, ids)
    return parsed


def _parse_douyin(record: Record, value: dict[str, Any]) -> Parsed:
    """Version 2 writes `openid`, the newer one `open_id`; a visitor who is not logged in has an anonymous id only."""
    parsed = Parsed(unknown=DOUYIN_SESSION.unknown(value, record.settings.ignored))
    context = record.context
    data = mapping(value["data"], "data")
    openid, anonymous, unionid = (
        identifier(data.get(old)) or identifier(data.get(new))
        for old, new in (("openid", "open_id"), ("anonymous_openid", "anonymous_open_id"), ("unionid", "union_id"))
    )
    required(openid or anonymous, "data.openid")
    ids = [("douyin_mp_open_id", context.app_id, openid)] if openid else []
    if anonymous:
        ids.append(("mp_anonymous_id", context.app_id, anonymous))
    if unionid:
        ids.append(("douyin_union_id", context.open_platform_id, unionid))
    _observe_session(parsed, context, ids)
    return parsed


def _parse_phone(record: Record, value: dict[str, Any]) -> Parsed:
    """The number counts as verified by the platform at the time of its watermark, for the account the context names."""
    parsed = Parsed(unknown=PHONE.unknown(value, record.settings.ignored))
    context = record.context
    info = mapping(value["phone_info"], "phone_info")
    watermark = mapping(info.get("watermark"), "phone_info.watermark")
    given_ms = epoch_s(watermark.get("timestamp"), "phone_info.watermark.timestamp") or seen_ms(context)
    app_id = text(watermark.get("appid"))
    if app_id and context.app_id and app_id != context.app_id:
        parsed.unknown_values.append(("phone_info.watermark.appid", app_id))
    if not _agrees(info):
        parsed.unknown_values.append(("phone_info.phoneNumber", "another number than purePhoneNumber"))
    ids = [make_id("phone", "", required(phone_of(info), "phone_info.phoneNumber"), "verified")]
    if context.openid:
        scope = context.app_id or app_id or ""
        ids.insert(0, make_id("douyin_mp_open_id" if is_douyin(context) else "wx_openid", scope, context.openid))
    observe_once(parsed, context.feed, f"phone:{record.digest}", at_ms=given_ms, ids=ids)
    return parsed


def phone_of(info: Mapping[str, Any]) -> str | None:
    """The number as it is dialled at home in China, else with its country code (E.164).

    >>> phone_of({"purePhoneNumber": "13912345678", "countryCode": 86})
    '13912345678'
    >>> phone_of({"phoneNumber": "+13005551234", "purePhoneNumber": "3005551234", "countryCode": "1"})
    '+13005551234'
    """
    pure, full = text(info.get("purePhoneNumber")), text(info.get("phoneNumber"))
    country = (text(info.get("countryCode")) or CHINA).lstrip("+").lstrip("0")
    if country == CHINA:
        return pure or full
    if pure:
        return f"+{country}{pure}"
    if full is None:
        return None
    digits = full.lstrip("+")
    return f"+{digits}" if digits.startswith(country) else f"+{country}{digits}"


def _agrees(info: Mapping[str, Any]) -> bool:
    """Whether the full number ends with the one without country code, where both are given."""
    pure, full = text(info.get("purePhoneNumber")), text(info.get("phoneNumber"))
    return pure is None or full is None or full.endswith(pure)


def is_douyin(context: Context) -> bool:
    """Whether the mini-program runs in Douyin: its open ids never equal WeChat's."""
    return _is_douyin(context.platform, context.app_id)


@lru_cache(maxsize=256)
def _is_douyin(platform: str, app_id: str) -> bool:
    return platform.lower() in DOUYIN_PLATFORMS or app_id.startswith("tt")


def _openid(context: Context, openid: str) -> IdKey:
    return "douyin_mp_open_id" if is_douyin(context) else "wx_openid", context.app_id, openid


def _observe_session(parsed: Parsed, context: Context, ids: list[IdKey]) -> None:
    observe_day(parsed, context.feed, ids, sighting_day(seen_ms(context), context))


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="miniprogram",
        split=split,
        parse=parse,
        tables=(),
        volatile=("session_key",),
        hash_context=("app_id", "openid"),
    ),
)

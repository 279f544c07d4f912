"""Answers that convert one platform id into another, and maps of ids that were replaced.

- Douyin `user.getDoudianOpenID`: a mini-program's open id (in the request) and the shop's.
- WeCom `unionid_to_external_userid` and `idconvert`: a unionid (and openid, in the request) and a contact, or the
  pending id of one who is no contact yet; `external_userid_to_pending_id`; `get_new_external_userid` and
  `to_service_external_userid`, a corp's id of a contact and the provider's.
- Replaced ids, one account under a new name: WeChat `changeopenid` (`ori_openid`, `new_openid`, from `from_appid`),
  pairs `old_<id>`, `new_<id>` of any known id, and in general
  `{"namespace", "old": {"scope", "value"}, "new": {"scope", "value"}, "at"}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError
from pipelines.sources.categories import as_object
from pipelines.sources.fields import identifier, integer, items, mapping, required, text
from pipelines.sources.miniprogram_users import is_douyin
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import (
    IdKey,
    day_start_ms,
    make_id,
    moment,
    observe_day,
    observe_once,
    seen_ms,
    sighting_day,
    stable_id,
)
from pipelines.sources.wecom_scope import WecomScope, scope_of

FEED = "id_conversions"
FINE = frozenset({0, 10000, 10001})  # 10001: partial success, what is there is good
LISTS = (("result",), ("result_list",), ("items",), ("list",), ("replacements",))


class Replaced(NamedTuple):
    """The fields of an old and a new id, and the namespace they belong to."""

    old: str
    new: str
    namespace: str


REPLACED = (
    Replaced("ori_openid", "new_openid", "wx_openid"),
    Replaced("old_openid", "new_openid", "wx_openid"),
    Replaced("old_unionid", "new_unionid", "wx_unionid"),
    Replaced("old_external_userid", "new_external_userid", "wecom_external_userid"),
    Replaced("old_doudian_open_id", "new_doudian_open_id", "doudian_open_id"),
    Replaced("old_open_id", "new_open_id", "douyin_mp_open_id"),
    Replaced("old_union_id", "new_union_id", "douyin_union_id"),
    Replaced("old_open_uid", "new_open_uid", "tmall_open_uid"),
    Replaced("old_ouid", "new_ouid", "tmall_ouid"),
    Replaced("old_omid", "new_omid", "tmall_omid"),
)
_PAIRS = {name for pair in REPLACED for name in (pair.old, pair.new)}

DOUDIAN = Shape("doudian", ["data.doudian_open_id", "data.open_id"])
WECOM = Shape(
    "wecom",
    [
        *("external_userid", "pending_id", "new_external_userid", "service_external_userid"),
        *("external_userid_info[].external_userid", "external_userid_info[].corp_id", "external_userid_info[].corpid"),
    ],
)
REPLACEMENT = Shape("replacement", [*_PAIRS, "from_appid", "namespace", "old", "new", "at", "old_scope", "new_scope"])


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """The pairs of a list, or the single answer."""
    return split_pages(payload, LISTS, _error)


def _error(envelope: Mapping[str, Any]) -> str | None:
    for name in ("errcode", "err_no", "code"):
        code = integer(envelope.get(name), name)
        if code is not None and code not in FINE:
            return f"{name} {code}"
    return None


def parse(record: Record) -> Parsed:
    """Ids that belong to one account: linked where both stay valid, replaced where the new one takes over."""
    value = as_object(record.value, "conversion")
    pair = next((pair for pair in REPLACED if pair.old in value), None)
    if pair is not None:
        return _parse_pair(record, value, pair)
    if "old" in value and "new" in value:
        return _parse_general(record, value)
    if "data" in value:
        return _parse_doudian(record, value)
    return _parse_wecom(record, value)


def _link(parsed: Parsed, record: Record, keys: list[IdKey]) -> Parsed:
    context = record.context
    observe_day(parsed, context.feed, keys, sighting_day(seen_ms(context), context))
    return parsed


def _parse_doudian(record: Record, value: dict[str, Any]) -> Parsed:
    """The shop's open id answers for the mini-program's of the request; one app key, one mini-program."""
    parsed = Parsed(unknown=DOUDIAN.unknown(value, record.settings.ignored))
    context, params = record.context, record.context.params
    data = mapping(value["data"], "data")
    found = required(identifier(data.get("doudian_open_id")) or identifier(data.get("open_id")), "data.doudian_open_id")
    asked = required(identifier(params.get("dy_open_id")), "context.params.dy_open_id")
    app_id = context.app_id or text(params.get("dy_client_key")) or context.client_key
    return _link(parsed, record, [("douyin_mp_open_id", app_id, asked), ("doudian_open_id", context.app_key, found)])


def _parse_wecom(record: Record, value: dict[str, Any]) -> Parsed:
    """The contact, or the pending id of one to come, with the ids that were asked for; nobody found says nothing."""
    parsed = Parsed(unknown=WECOM.unknown(value, record.settings.ignored))
    scope = scope_of(record.context)
    keys = _asked(record.context, scope) + _answered(record.context, value, scope)
    answered = [key for key in keys if key[0].startswith("wecom_")]
    if not answered:
        if "external_userid" not in value and "pending_id" not in value and "external_userid_info" not in value:
            raise RecordRefusedError("bad_shape", "no conversion that is known: expected one of the documented answers")
        return parsed
    return _link(parsed, record, keys)


def _asked(context: Context, scope: WecomScope) -> list[IdKey]:
    """The ids of the request."""
    unionid, openid = (identifier(context.params.get(name)) for name in ("unionid", "openid"))
    keys: list[IdKey] = [("wx_unionid", context.open_platform_id, unionid)] if unionid else []
    if openid:
        keys.append(("wx_openid", context.app_id, openid))
    external = identifier(context.params.get("external_userid"))
    if external:
        keys.append(_corp_scope(context).contact_key(external))
    return keys


def _answered(context: Context, value: Mapping[str, Any], scope: WecomScope) -> list[IdKey]:
    """The ids of the answer; a contact that is given a provider's id is there in its corp's scope."""
    given, pending = identifier(value.get("external_userid")), identifier(value.get("pending_id"))
    renamed = identifier(value.get("new_external_userid")) or identifier(value.get("service_external_userid"))
    keys: list[IdKey] = []
    if given:
        keys.append((_corp_scope(context) if renamed else scope).contact_key(given))
    if renamed:
        keys.append(scope.contact_key(renamed))
    if pending:
        keys.append(("wecom_pending_id", context.suite_id, pending))
    for one in items(value.get("external_userid_info"), "external_userid_info"):
        info = mapping(one, "external_userid_info[]")
        listed = identifier(info.get("external_userid"))
        if listed:
            corp = "" if context.suite_id else text(info.get("corp_id")) or text(info.get("corpid")) or ""
            keys.append(scope_of(context, corp_id=corp).contact_key(listed))
    return keys


def _corp_scope(context: Context) -> WecomScope:
    return scope_of(context, corp_id=context.corp_id) if context.corp_id else scope_of(context)


def _parse_pair(record: Record, value: dict[str, Any], pair: Replaced) -> Parsed:
    parsed = Parsed(unknown=REPLACEMENT.unknown(value, record.settings.ignored))
    context = record.context
    old = required(identifier(value.get(pair.old)), pair.old)
    new = identifier(value.get(pair.new))
    if new is None:
        raise RecordRefusedError("platform_error", f"{pair.new}: the platform gave no new id")
    namespace = "douyin_mp_open_id" if pair.namespace == "wx_openid" and is_douyin(context) else pair.namespace
    new_scope = text(value.get("new_scope")) or _scope(namespace, context)
    old_scope = text(value.get("old_scope")) or _old_app(value, context) or new_scope
    return _replace(parsed, record, (namespace, old_scope, old), (namespace, new_scope, new), at=value.get("at"))


def _old_app(value: Mapping[str, Any], context: Context) -> str | None:
    """The app that an openid was moved away from."""
    return text(value.get("from_appid")) or text(context.params.get("from_appid"))


def _scope(namespace: str, context: Context) -> str:
    """Where ids of the namespace are valid, by the context."""
    if namespace.startswith("wecom_"):
        return scope_of(context).tenant
    by_context = {
        "wx_openid": context.app_id,
        "douyin_mp_open_id": context.app_id,
        "mp_anonymous_id": context.app_id,
        "wx_unionid": context.open_platform_id,
        "douyin_union_id": context.open_platform_id,
        "doudian_open_id": context.app_key,
        "tmall_open_uid": context.app_key,
        "tmall_ouid": context.seller_nick or context.shop_id,
        "tmall_omid": context.brand,
        "member_id": context.brand,
        "login_id": context.brand,
    }
    return by_context.get(namespace, "")


def _parse_general(record: Record, value: dict[str, Any]) -> Parsed:
    parsed = Parsed(unknown=REPLACEMENT.unknown(value, record.settings.ignored))
    namespace = text(value.get("namespace")) or ""
    old, new = (_side(value[name], name, namespace, record.context) for name in ("old", "new"))
    return _replace(parsed, record, old, new, at=value.get("at"))


def _side(value: Any, name: str, namespace: str, context: Context) -> IdKey:
    """One side of a replacement: an object, or the bare value in the scope of the context."""
    stated = value if isinstance(value, Mapping) else {"value": value}
    kind = required(text(stated.get("namespace")) or namespace, f"{name}.namespace")
    found = required(identifier(stated.get("value")), f"{name}.value")
    return kind, text(stated.get("scope")) or _scope(kind, context), found


def _replace(parsed: Parsed, record: Record, old: IdKey, new: IdKey, *, at: Any) -> Parsed:
    """The old id is superseded by the new one. Without a time of its own it holds from the day that it arrived."""
    context = record.context
    at_ms = moment(at, "at") or day_start_ms(sighting_day(seen_ms(context), context))
    observe_once(
        parsed,
        context.feed,
        f"replace:{stable_id(*old, *new)}:{at_ms}",
        at_ms=at_ms,
        ids=[make_id(*old), make_id(*new)],
        kind="replace",
    )
    return parsed


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="id_conversions",
        split=split,
        parse=parse,
        tables=(),
        volatile=("log_id",),
        hash_context=("app_id", "app_key", "corp_id", "suite_id", "open_platform_id", "params"),
    ),
)

"""The identity keys of SensorsData events: which namespace and scope each has.

The keys are declared in the source's YAML (`options.identities`): key to `namespace@scope`, where scope is `app`,
`open` (the open-platform account), `brand`, `none` or `key`: a key such as `$identity_mp_{key}_openid` carries its own.
Ids in properties never link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import ConfigurationError
from pipelines.sources.base import Context
from pipelines.sources.fields import text
from pipelines.sources.miniprogram_users import is_douyin
from pipelines.sources.sightings import Id, IdKey
from pipelines.sources.wecom_scope import corp_key

SCOPES = ("app", "open", "brand", "none", "key")
DOUYIN_TWINS = {"wx_openid": "douyin_mp_open_id", "wx_unionid": "douyin_union_id"}
"""What WeChat's general keys mean inside a Douyin mini-program."""

SUBJECT_ORDER = (
    "wx_openid",
    "douyin_mp_open_id",
    "wx_unionid",
    "douyin_union_id",
    "wecom_external_userid",
    "login_id",
    "mp_anonymous_id",
    "phone",
)
"""Whose event it is, where several ids are known: the account that acted before what it was logged in as."""

_OPENID = re.compile(r"o[A-Za-z0-9_-]{20,31}")
_HOLE = "{key}"
_RESOLVED_LIMIT = 4096


@dataclass(frozen=True)
class KeyRule:
    """What one identity key stands for; `own_scope` comes from the key itself."""

    namespace: str
    scope: str
    own_scope: str = ""


class IdentityKeys:
    """The declared identity keys, ready to be looked up for every event."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._rules: dict[str, KeyRule | None] = {}
        self._patterns: list[tuple[re.Pattern[str], KeyRule]] = []
        self._places: dict[tuple[str, str, str, str], Places] = {}
        for key, meaning in declared.items():
            namespace, _, scope = meaning.partition("@")
            if not namespace or scope not in SCOPES:
                raise ConfigurationError(
                    f"options.identities[{key!r}] is {meaning!r}; expected namespace@ and one of {', '.join(SCOPES)}",
                    where="conf/sources/miniprogram.yaml",
                    hint="correct the entry",
                )
            if _HOLE in key:
                before, after = key.split(_HOLE, 1)
                pattern = re.compile(re.escape(before) + "([A-Za-z0-9][A-Za-z0-9_-]*)" + re.escape(after))
                self._patterns.append((pattern, KeyRule(namespace, scope)))
            else:
                self._rules[key] = KeyRule(namespace, scope)

    def rule(self, key: str) -> KeyRule | None:
        """What the key stands for; None for a key that nobody declared."""
        try:
            return self._rules[key]
        except KeyError:
            found = self._match(key)
            if len(self._rules) < _RESOLVED_LIMIT:
                self._rules[key] = found
            return found

    def places(self, context: Context) -> Places:
        """Namespace and scope of every key in a context, each worked out at its first use."""
        about = (context.platform, context.app_id, context.brand, context.open_platform_id)
        known = self._places.get(about)
        if known is None:
            if len(self._places) >= _RESOLVED_LIMIT:
                self._places.clear()
            known = self._places[about] = Places(self, context)
        return known

    def identifier(self, key: str, raw: Any, context: Context) -> IdKey | None:
        """The identifier under the key; None where the key is not declared or has no value.

        An identifier whose scope nobody knows has an empty one: it is refused downstream, where it is counted.
        """
        place = self.places(context)[key]
        value = text(raw) if place is not None else None
        return None if place is None or value is None else (*place, value)

    def _match(self, key: str) -> KeyRule | None:
        for pattern, rule in self._patterns:
            match = pattern.fullmatch(key)
            if match:
                return KeyRule(rule.namespace, rule.scope, match.group(1))
        return None


class Places(dict[str, tuple[str, str] | None]):
    """Namespace and scope by identity key in one context; None for keys that nobody declared."""

    def __init__(self, keys: IdentityKeys, context: Context) -> None:
        super().__init__()
        self.visitors: dict[bytes, Any] = {}
        """What parsers keep of those whose events stand close together, by the ids that name them."""
        self._keys = keys
        self._context = context

    def __missing__(self, key: str) -> tuple[str, str] | None:
        rule = self._keys.rule(key)
        place = None if rule is None else _place(rule, self._context)
        if len(self) < _RESOLVED_LIMIT:
            self[key] = place
        return place


def _place(rule: KeyRule, context: Context) -> tuple[str, str]:
    """A key's own app or corp wins over the context; ids of the other platform have no scope here."""
    own = rule.scope == "key"
    douyin = rule.own_scope.startswith("tt") if own else is_douyin(context)
    namespace = DOUYIN_TWINS.get(rule.namespace, rule.namespace) if douyin else rule.namespace
    if own:
        return namespace, corp_key(rule.own_scope) if namespace == "wecom_external_userid" else rule.own_scope
    foreign = namespace.startswith("douyin_") is not douyin
    scopes = {"app": context.app_id, "brand": context.brand, "open": "" if foreign else context.open_platform_id}
    return namespace, scopes.get(rule.scope, "")


def reads_as_openid(value: str, context: Context) -> bool:
    """Whether an id without a key has the form of a WeChat openid; Douyin's have no form of their own.

    >>> context = Context("miniprogram_events", "2025-01-01", app_id="wx1")
    >>> reads_as_openid("oExampleOpenid000000000001", context), reads_as_openid("o-short", context)
    (True, False)
    """
    return value[:1] == "o" and _OPENID.fullmatch(value) is not None and not is_douyin(context)


def distinct_identifier(value: str, context: Context) -> IdKey:
    """What a bare distinct id is: an openid by its form, else the id of an anonymous visitor.

    >>> context = Context("miniprogram_events", "2025-01-01", app_id="wx1")
    >>> distinct_identifier("1735700000000-1234567-0abc", context)
    ('mp_anonymous_id', 'wx1', '1735700000000-1234567-0abc')
    """
    if reads_as_openid(value, context):
        return "wx_openid", context.app_id, value
    return "mp_anonymous_id", context.app_id, value


def subject_of(ids: list[IdKey]) -> IdKey | None:
    """Whose event it is; an id without a scope only where there is no other."""
    best: IdKey | None = None
    best_rank = 2 * len(SUBJECT_ORDER) + 2
    for one in ids:
        rank = _RANK.get(one[0], len(SUBJECT_ORDER)) + (0 if one[1] or one[0] == "phone" else len(SUBJECT_ORDER) + 1)
        if rank < best_rank:
            best, best_rank = one, rank
    return best


_RANK = {namespace: rank for rank, namespace in enumerate(SUBJECT_ORDER)}


def as_ids(keys: list[IdKey], *, phone_role: str = "") -> list[Id]:
    """The identifiers as an observation states them, phones with a role where one is given."""
    ids: list[Id] = []
    for namespace, scope, value in keys:
        one = {"namespace": namespace, "scope": scope, "value": value}
        if phone_role and namespace == "phone":
            one["role"] = phone_role
        ids.append(one)
    return ids

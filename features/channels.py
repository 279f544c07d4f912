"""Channels in which people buy and are met, and which namespaces show that a person is known there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SALES_CHANNELS: Mapping[str, str] = {
    "douyin": "抖音",
    "tmall": "天猫",
    "mall": "小程序商城",
    "pos": "门店",
    "other": "其他",
}
"""Channels that sell, with their labels; orders of file sources are `other`."""

TOUCH_CHANNELS: Mapping[str, str] = {**SALES_CHANNELS, "miniprogram": "小程序", "wecom": "企业微信"}
"""Channels in which people are met, with their labels."""

IDENTITY_CHANNELS: Mapping[str, Sequence[str]] = {
    "douyin": ("doudian_open_id", "douyin_union_id", "douyin_allied_id"),
    "tmall": ("tmall_ouid", "tmall_omid", "tmall_open_uid"),
    "miniprogram": ("wx_openid", "douyin_mp_open_id", "login_id"),
    "wecom": ("wecom_external_userid", "wecom_isv_external_userid"),
    "member": ("member_id",),
    "phone": ("phone", "phone_sha256", "phone_md5", "tmall_mix_mobile"),
}
"""Channels of identity: holding an identifier of one of these namespaces, a person is known there."""

IDENTITY_LABELS: Mapping[str, str] = {
    "douyin": "抖音",
    "tmall": "天猫",
    "miniprogram": "小程序",
    "wecom": "企业微信",
    "member": "会员",
    "phone": "手机号",
}
"""Labels of the channels of identity."""

PUBLIC_CHANNELS = ("douyin", "tmall")
"""Channels of identity that make a public relation."""

PRIVATE_CHANNELS = ("miniprogram", "member")
"""Channels of identity that make a private relation: the mini-program and membership."""

LAYERS: Mapping[str, str] = {"none": "未分层", "public": "公域关系", "private": "私域关系", "friend": "好友关系"}
"""Relation layers from low to high, with their labels; `none` is known by an identifier alone."""


def sales_channel_sql(platform: str) -> str:
    """The SQL that turns a platform into its sales channel.

    >>> sales_channel_sql("p")
    "CASE WHEN p IN ('douyin', 'tmall', 'mall', 'pos') THEN p ELSE 'other' END"
    """
    known = ", ".join(f"'{name}'" for name in SALES_CHANNELS if name != "other")
    return f"CASE WHEN {platform} IN ({known}) THEN {platform} ELSE 'other' END"


def identity_channel_sql(namespace: str) -> str:
    """The SQL that turns a namespace into its channel of identity; null for a namespace that shows none."""
    steps = []
    for channel, namespaces in IDENTITY_CHANNELS.items():
        names = ", ".join(f"'{name}'" for name in namespaces)
        steps.append(f"WHEN {namespace} IN ({names}) THEN '{channel}'")
    return f"CASE {' '.join(steps)} END"


def quoted(names: Sequence[str]) -> str:
    """Names as a SQL list.

    >>> quoted(("a", "b"))
    "'a', 'b'"
    """
    return ", ".join(f"'{name}'" for name in names)

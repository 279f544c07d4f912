"""The shipped identity configuration; `conf/identity.yaml` holds the same and a test keeps them equal."""

from __future__ import annotations

from typing import Any

PHONE_ROLES: dict[str, str] = {"verified": "link", "buyer": "link", "recipient": "candidate", "staff": "candidate"}


def _account(priority: int, **more: Any) -> dict[str, Any]:
    return {"strength": "account", "scoped": True, "priority": priority, "normaliser": "exact", **more}


def _anchor(priority: int) -> dict[str, Any]:
    return {"strength": "anchor", "scoped": True, "max_per_person": 1, "priority": priority, "normaliser": "exact"}


def _phone(normaliser: str) -> dict[str, Any]:
    return {"strength": "contact", "scoped": False, "normaliser": normaliser, "roles": dict(PHONE_ROLES)}


SHIPPED: dict[str, Any] = {
    "policy": "hold",
    "hub": {"max_accounts": 10, "max_total": 25, "window_days": 90},
    "reissue_days": 90,
    "size_cap": 200,
    "max_oversize": 0,
    "gates": {},
    "source_groups": {"douyin": ["douyin_orders", "douyin_members", "douyin_messages"]},
    "reject": {
        "values": ["", "null", "undefined", "anonymous", "0", "-1", "1970"],
        "patterns": [],
        "by_namespace": {
            "member_id": {"values": ["TEST01"]},
            "phone": {"values": ["13800138000"], "digit_runs": True},
        },
    },
    "review": {"recipient_min_orders": 3, "staff_min_sightings": 2},
    "inference": {"promote_recipient_phone": False},
    "namespaces": {
        "member_id": _anchor(1),
        "wx_unionid": _anchor(2),
        "doudian_open_id": _account(3),
        "login_id": _account(4),
        "tmall_omid": _account(5),
        "wx_openid": _account(6),
        "douyin_mp_open_id": _account(6),
        "douyin_union_id": _account(6),
        "douyin_allied_id": _account(6),
        "tmall_ouid": _account(6),
        "tmall_open_uid": _account(6),
        "wecom_external_userid": _account(6, scope_normaliser="corp"),
        "wecom_isv_external_userid": _account(7),
        "wecom_pending_id": _account(9, valid_days=90),
        "mp_anonymous_id": _account(20, anonymous=True),
        "phone": _phone("phone_cn"),
        "phone_sha256": _phone("sha256_hex"),
        "phone_md5": _phone("md5_hex"),
        "tmall_mix_mobile": _phone("md5_hex"),
        "tmall_oaid": {"strength": "never", "scoped": True},
    },
}

"""A few customers over some days, as ingest and stitch leave them: orders, a merge, a refund, a split."""

from __future__ import annotations

from typing import Any

DOUYIN, TMALL = {"platform": "douyin", "shop_id": "d"}, {"platform": "tmall", "shop_id": "t"}
A, B, C, V, D, HUB = range(1, 7)
NAMESPACES = {
    A: "doudian_open_id",
    B: "tmall_ouid",
    C: "wecom_external_userid",
    V: "mp_anonymous_id",
    D: "wx_openid",
    HUB: "phone",
}


def order(shop: dict[str, str], order_id: str, person: int, day: str, fen: int, **given: Any) -> dict[str, Any]:
    at = {"created_at": f"{day}T02:00", "paid_at": f"{day}T03:00", "business_date": day}
    money = {"is_paid": True, "paid_fen": fen, "freight_fen": 100, "status": "paid", "currency": "CNY"}
    return {**shop, "order_id": order_id, "subject_key": person, **at, **money, "interval": day, **given}


def line(parent: dict[str, Any], **given: Any) -> dict[str, Any]:
    same = {
        k: parent[k]
        for k in ("platform", "shop_id", "order_id", "subject_key", "is_paid", "business_date", "interval", "status")
    }
    return {**same, "line_id": "1", "product_id": "p", "quantity": 1, "paid_fen": parent["paid_fen"] - 100, **given}


def identifier(key: int, one_id: str | None, status: str = "active") -> dict[str, Any]:
    name = {"namespace": NAMESPACES[key], "scope": "s", "value": str(key), "first_seen": "2025-03-01T02:00"}
    return {"identifier_key": key, "one_id": one_id, "status": status, **name}


def person(one_id: str, status: str = "active") -> dict[str, Any]:
    return {"one_id": one_id, "status": status, "minted_at": "2025-03-01"}


FIRST = order(DOUYIN, "o1", A, "2025-03-01", 10_100)
SECOND = order(TMALL, "o2", B, "2025-03-01", 5_100)
OF_HUB = order(TMALL, "o3", HUB, "2025-03-01", 700)
INTERNAL = order(DOUYIN, "o4", A, "2025-03-01", 900, is_internal=True)
NEWCOMER = order({"platform": "retail_file", "shop_id": "f"}, "o5", D, "2025-03-02", 2_100)
EVENT = {
    "event_id": "e",
    "source": "sensors",
    "event": "$MPViewScreen",
    "event_at": "2025-03-01T02:00",
    "business_date": "2025-03-01",
    "interval": "2025-03-01",
}
FOLLOW = {
    "corp_id": "c",
    "external_userid": "w",
    "userid": "g",
    "subject_key": C,
    "status": "active",
    "added_at": "2025-03-01T02:00",
}
CONSENT = {"purpose": "marketing", "stated_at": "2025-03-01T02:00", "interval": "2025-03-01"}
DAY_ONE = {
    "silver.orders": [FIRST, SECOND, OF_HUB, INTERNAL],
    "silver.order_lines": [line(FIRST), line(SECOND), line(OF_HUB), line(INTERNAL)],
    "silver.products": [
        {"platform": name, "product_id": "p", "product_scope": "", "sku_id": "", "category": f"{name}-tea"}
        for name in ("douyin", "tmall")
    ],
    "silver.events": [{**EVENT, "subject_key": V}],
    "silver.contact_follows": [FOLLOW],
    "silver.points_ledger": [
        {"source": "brand", "record_id": "p1", "subject_key": B, "points": 50, "interval": "2025-03-01"}
    ],
    "silver.consents": [
        {**CONSENT, "consent_id": "1", "subject_key": A, "status": "granted"},
        {**CONSENT, "consent_id": "2", "subject_key": B, "status": "withdrawn"},
    ],
    "identity.oneid_map": [
        *(identifier(key, name) for key, name in ((A, "A"), (B, "B"), (C, "C"), (V, "V"))),
        identifier(HUB, None, "hub"),
    ],
    "identity.oneids": [person("A"), person("B"), person("C"), person("V", "visitor")],
}
MERGED = [
    *(identifier(key, name) for key, name in ((A, "A"), (B, "A"), (C, "C"), (V, "V"), (D, "D"))),
    identifier(HUB, None, "hub"),
]
MERGE = {
    "run_id": "r2",
    "seq": 1,
    "as_of": "2025-03-02",
    "change": "merge",
    "one_id": "A",
    "others": ["B"],
    "cause": "claim",
}
DAY_TWO = {
    "silver.orders": [*DAY_ONE["silver.orders"], NEWCOMER],
    "silver.order_lines": [*DAY_ONE["silver.order_lines"], line(NEWCOMER)],
    "silver.refunds": [
        {
            **DOUYIN,
            "refund_id": "r",
            "order_id": "o1",
            "status": "success",
            "amount_fen": 10_100,
            "interval": "2025-03-02",
        }
    ],
    "silver.contact_follows": [{**FOLLOW, "status": "deleted_by_customer", "ended_at": "2025-03-02T02:00"}],
    "identity.oneid_map": MERGED,
    "identity.oneids": [
        person("A"),
        {**person("B", "merged"), "merged_into": "A"},
        person("C"),
        person("V", "visitor"),
        person("D"),
    ],
    "identity.oneid_changes": [MERGE],
}
SPLIT = {
    "run_id": "r4",
    "seq": 1,
    "as_of": "2025-07-02",
    "change": "split",
    "one_id": "A",
    "others": ["B"],
    "cause": "decision",
}
DAY_FOUR = {
    "identity.oneid_map": [identifier(key, name) for key, name in ((A, "A"), (B, "B"), (C, "C"), (V, "V"), (D, "D"))]
    + [identifier(HUB, None, "hub")],
    "identity.oneids": [person("A"), person("B"), person("C"), person("V", "visitor"), person("D")],
    "identity.oneid_changes": [MERGE, SPLIT],
}

"""Two brands whose malls number products alike, and whose customer systems have one name and number records alike."""

from __future__ import annotations

from typing import Any

from tests.pipelines.jobs.composed import DAY1, DAY2, Files, line
from tests.pipelines.jobs.two_brands import ORDERS, PHONES

BRANDS = ("brandA", "brandB")
OTHER_PHONES = {"brandA": "13712345671", "brandB": "13612345672"}
CATEGORY = {"brandA": "tea", "brandB": "cups"}
AT = "2025-01-01T10:00:00+08:00"
KEPT = ("silver.products", "silver.order_lines", "silver.members", "gold.dim_product")


def product(platform: str, number: str, category: str) -> dict[str, Any]:
    """A listed SKU."""
    named = {"platform": platform, "product_id": number, "sku_id": "k1", "name": f"{category} {number}"}
    return {**named, "category": category, "price_fen": 100, "updated_at": AT}


def bought(brand: str, *numbers: str) -> dict[str, Any]:
    """A paid order of a brand's mall, one line a product; most was paid for the first."""
    lines = [
        {
            "line_id": number,
            "product_id": number,
            "sku_id": "k1",
            "name": number,
            "quantity": 1,
            "paid_fen": 100 // place,
        }
        for place, number in enumerate(numbers, start=1)
    ]
    order = {"order_id": f"o{brand}", "channel": "mall", "shop_id": f"S{brand}", "member_id": "K1", "status": "paid"}
    return {**order, "paid_fen": 200, "created_at": AT, "paid_at": AT, "updated_at": AT, "lines": lines}


def stated(brand: str, number: str, member: str, phone: str, **changes: Any) -> dict[str, Any]:
    """A registration in a brand's customer system."""
    ids = [
        {"namespace": "member_id", "scope": brand, "value": member},
        {"namespace": "phone", "value": phone, "role": "verified"},
    ]
    return {"observation_id": number, "source": "crm", "kind": "link", "event_time": AT, "ids": ids, **changes}


def withdrawn(number: str, target: str) -> dict[str, Any]:
    """The withdrawal of a record of the same system."""
    return {"observation_id": number, "source": "crm", "kind": "unlink", "event_time": AT, "retracts": target}


def landed(day: str, brand: str, *payloads: dict[str, Any], **context: str) -> list[str]:
    """Landing lines of a brand; without a name of no brand."""
    named = {"brand": brand} if brand else {}
    return [line(one, **named, **context, received_at=f"{day}T23:00:00+08:00") for one in payloads]


def of_mall(brand: str, day: str, *, unlink: bool = True) -> Files:
    """What one brand lands: `p1` differs by brand, `p2` both list in the same words, `p3` nobody lists."""
    listed = [product("mall", "p1", CATEGORY[brand]), product("mall", "p2", "same"), product("douyin", "d1", "same")]
    said = [stated(brand, "R1", "K1", PHONES[brand]), stated(brand, "R2", "K2", OTHER_PHONES[brand])]
    taken_back = [withdrawn("U1", "R2")] if unlink else []
    return {
        f"products/{day}/{brand}.jsonl": landed(day, brand, *listed),
        f"shop_orders/{day}/{brand}.jsonl": landed(day, brand, bought(brand, "p1", "p2", "p3")),
        f"observations/{day}/{brand}.jsonl": landed(day, brand, *said, *taken_back),
    }


def daily(order: str) -> Files:
    """One brand a day, in an order of arrival."""
    first, second = ORDERS[order]
    return {**of_mall(first, DAY1), **of_mall(second, DAY2)}

"""Two brands whose malls number products alike."""

from __future__ import annotations

from typing import Any

from tests.pipelines.jobs.composed import DAY1, DAY2, Files, line
from tests.pipelines.jobs.two_brands import ORDERS

BRANDS = ("brandA", "brandB")
CATEGORY = {"brandA": "tea", "brandB": "cups"}
AT = "2025-01-01T10:00:00+08:00"
KEPT = ("silver.products", "silver.order_lines", "gold.dim_product")


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


def landed(day: str, brand: str, *payloads: dict[str, Any], **context: str) -> list[str]:
    """Landing lines of a brand; without a name of no brand."""
    named = {"brand": brand} if brand else {}
    return [line(one, **named, **context, received_at=f"{day}T23:00:00+08:00") for one in payloads]


def of_mall(brand: str, day: str) -> Files:
    """What one brand lands: `p1` differs by brand, `p2` both list in the same words, `p3` nobody lists."""
    listed = [product("mall", "p1", CATEGORY[brand]), product("mall", "p2", "same"), product("douyin", "d1", "same")]
    return {
        f"products/{day}/{brand}.jsonl": landed(day, brand, *listed),
        f"shop_orders/{day}/{brand}.jsonl": landed(day, brand, bought(brand, "p1", "p2", "p3")),
    }


def daily(order: str) -> Files:
    """One brand a day, in an order of arrival."""
    first, second = ORDERS[order]
    return {**of_mall(first, DAY1), **of_mall(second, DAY2)}

"""A lake's money beside the world's books: by shop and business day, so that no sum hides a wrong day."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from pipelines.evaluate import compare_books
from pipelines.store.local import LocalLake, conform, empty
from pipelines.tables import ALL

DAYS = ("2025-01-01", "2025-01-02")
PAID = (("s1", DAYS[0], 1000), ("s1", DAYS[1], 500), ("s2", DAYS[0], 300))


def write(lake: LocalLake, name: str, rows: list[dict[str, Any]]) -> None:
    """Rows of a table with what it requires and the test does not say."""
    table = ALL[name]
    filled = {"string": "x", "bigint": 0, "int": 0, "boolean": True, "date": date(2025, 1, 1)}
    needed = {column.name: filled.get(column.type) for column in table.columns if column.required}
    lake.append(table, conform(table, pl.DataFrame([needed | row for row in rows], schema=empty(table).schema)))


def brand(home: Path, *, order_shop: str = "s1", moved_fen: int = 0, refund_shop: str | None = None) -> Path:
    """A lake with three paid orders, an unpaid one and two refunds, beside its books."""
    lake = LocalLake(home / "lake")
    orders: list[dict[str, Any]] = [
        {"platform": "douyin", "order_id": f"o{place}", "shop_id": shop, "business_date": date.fromisoformat(day)}
        | {"is_paid": True, "paid_fen": fen + (moved_fen, -moved_fen, 0)[place]}
        for place, (shop, day, fen) in enumerate(PAID)
    ]
    unpaid = orders[0] | {"order_id": "o9", "is_paid": False, "paid_fen": 77}
    write(lake, "silver.orders", [*orders, unpaid])
    refund = {"platform": "douyin", "refund_scope": "", "order_id": "o0", "business_date": date.fromisoformat(DAYS[1])}
    success = refund | {"refund_id": "r1", "shop_id": refund_shop, "status": "success", "amount_fen": 40}
    write(lake, "silver.refunds", [success, success | {"refund_id": "r2", "status": "closed"}])
    books = [
        {
            "platform": "douyin",
            "shop": shop,
            "day": day,
            "person": "p1",
            "orders": 1,
            "paid_fen": fen,
            "refunded_fen": 0,
        }
        for shop, day, fen in PAID
    ]
    books.append(books[1] | {"person": "p2", "shop": order_shop, "orders": 0, "paid_fen": 0, "refunded_fen": 40})
    (home / "truth").mkdir()
    (home / "truth" / "books.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in books))
    return home


def wrong(home: Path) -> object:
    """On how many days of its shops the only platform differs."""
    (row,) = compare_books(home, home / "truth")
    return row["days_wrong"]


@pytest.mark.parametrize("refund_shop", [None, "s1"])
def test_books_agree_also_on_a_refund_whose_shop_only_its_order_tells(tmp_path: Path, refund_shop: str | None) -> None:
    (row,) = compare_books(brand(tmp_path, refund_shop=refund_shop), tmp_path / "truth")
    sums = {"orders": 3, "paid_fen": 1800, "refunded_fen": 40}
    told = {f"{name}_{side}": value for name, value in sums.items() for side in ("books", "lake")}
    assert row == {"platform": "douyin", **told, "days": 3, "days_wrong": 0}


def test_money_on_another_day_is_wrong_though_the_sums_agree(tmp_path: Path) -> None:
    assert wrong(brand(tmp_path, moved_fen=1)) == 2


def test_money_given_back_in_another_shop_is_wrong_though_the_sums_agree(tmp_path: Path) -> None:
    assert wrong(brand(tmp_path, order_shop="s2")) == 2

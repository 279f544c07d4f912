"""The ready mappings: composed exports of merchant back offices, end to end to silver rows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.sources.base import Clear, Parsed
from tests.pipelines.imports.reading import FIXTURES, ready, silver
from tests.pipelines.sources.private_domain import ids_of, one_row, rows

MS_1102 = 1735700530000
"""2025-01-01 11:02:10 in Shanghai."""


def read(name: str, mapping: str = "", **context: str) -> tuple[list[Parsed], list[str]]:
    with TemporaryDirectory() as folder:
        return silver(FIXTURES / f"{name}.csv", ready(mapping or name, **context), Path(folder))


def picked(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def test_a_douyin_report_gives_the_order_that_the_shop_api_gives() -> None:
    parsed, _ = read("douyin_orders_export", shop_id="4463798")
    order = one_row(parsed[0], "orders")
    assert picked(order, "platform", "shop_id", "order_id") == ("douyin", "4463798", "6923456789012345678")
    assert picked(order, "status", "status_raw", "paid_at") == ("finished", "finished", MS_1102)
    assert picked(order, "paid_fen", "freight_fen", "discount_fen", "platform_subsidy_fen") == (
        128700,
        800,
        12000,
        2000,
    )
    assert picked(order, "province", "city", "phone_tail") == ("浙江省", "杭州市", "35")
    assert order["business_date"] == "2025-01-01"


def test_lines_of_a_douyin_report_leave_their_freight_to_the_order() -> None:
    parsed, _ = read("douyin_orders_export", shop_id="4463798")
    first, second = rows(parsed[0], "order_lines")
    names = ("line_id", "product_id", "brand_sku", "quantity", "unit_price_fen", "paid_fen")
    assert picked(first, *names) == ("6923456789012345678", "3660207428038974001", "SKU-01", 1, 129900, 117900)
    assert picked(second, *names) == ("6923456789012345679", "3660207428038974002", "SKU-02", 2, 5000, 10000)
    assert picked(first, "channel_origin", "talent_id", "refund_state") == ("live", "2345678901234", None)
    assert picked(second, "channel_origin", "talent_id", "refund_state") == ("mall", None, "success")


def test_a_broken_line_of_a_douyin_report_is_refused_and_the_next_order_is_whole() -> None:
    parsed, refused = read("douyin_orders_export", shop_id="4463798")
    assert [one.split(":")[0] for one in refused] == ["csv_fields line 4 of the file"]
    closed = one_row(parsed[1], "orders")
    assert picked(closed, "order_id", "status", "is_paid", "paid_fen") == ("6923456789012345680", "closed", False, 0)


def test_no_category_of_the_composed_reports_is_unknown() -> None:
    names = ("douyin_orders_export", "tmall_orders_export", "tmall_order_lines_export", "member_list")
    parsed = [one for name in names for one in read(name, brand="brandA", shop_id="s")[0]]
    values = [said for one in parsed for said in one.unknown_values]
    assert [one.unknown for one in parsed] == [{}] * len(parsed)
    # The Douyin report calls a line refunded and has no column for what went back.
    assert values == [("rows[].refund_amount", "refunded, without an amount")]


def test_a_tmall_report_gives_the_trade_without_lines() -> None:
    parsed, refused = read("tmall_orders_export")
    order = one_row(parsed[0], "orders")
    assert refused == []
    assert picked(order, "platform", "shop_id", "order_id") == ("tmall", "示例旗舰店", "4123456789012345678")
    assert picked(order, "status", "paid_fen", "freight_fen", "list_fen") == ("paid", 19800, 1000, 19900)
    assert picked(order, "province", "city", "phone_tail", "discount_fen") == ("浙江省", "杭州市", "5678", 1100)
    assert [row for one in parsed for row in rows(one, "order_lines")] == []


def test_an_unpaid_trade_of_a_tmall_report_counts_nothing() -> None:
    order = one_row(read("tmall_orders_export")[0][1], "orders")
    assert picked(order, "status", "is_paid", "paid_fen", "list_fen") == ("created", False, 0, 168800)
    assert order["created_at"] == 1735693500000


def test_the_business_day_of_a_late_payment_is_shanghais() -> None:
    order = one_row(read("tmall_orders_export")[0][2], "orders")
    assert picked(order, "business_date", "status", "finished_at") == ("2024-12-31", "finished", 1736380800000)


def test_a_tmall_lines_report_gives_lines_without_an_order() -> None:
    parsed, _ = read("tmall_order_lines_export", shop_id="示例旗舰店")
    sold, gift = rows(parsed[0], "order_lines")
    names = ("order_id", "line_id", "product_id", "brand_sku", "paid_fen", "is_paid")
    assert picked(sold, *names) == (
        "4123456789012345678",
        "4123456789012345681",
        "712345678901",
        "SKU-01-A",
        18800,
        True,
    )
    assert picked(gift, "paid_fen", "brand_sku") == (0, "GIFT-01") or gift["brand_sku"] is None
    assert [row for one in parsed for row in rows(one, "orders")] == []


def test_a_refunded_line_of_a_tmall_report_is_a_refund_of_its_amount() -> None:
    parsed, _ = read("tmall_order_lines_export", shop_id="示例旗舰店")
    refund = one_row(parsed[1], "refunds")
    names = ("order_id", "line_id", "status", "amount_fen", "shop_id")
    assert picked(refund, *names) == ("4123456789012345680", "4123456789012345680", "success", 3050, "示例旗舰店")
    assert rows(parsed[0], "refunds") == []


def test_lines_of_the_older_tmall_report_are_counted_within_their_order() -> None:
    ((parsed,), refused) = read("tmall_order_lines_old", "tmall_order_lines_export", shop_id="示例旗舰店")
    lines = rows(parsed, "order_lines")
    assert refused == []
    assert [picked(line, "line_id", "paid_fen", "is_paid", "status") for line in lines] == [
        ("1", 19900, True, "paid"),
        ("2", 0, True, "paid"),
    ]


def test_a_member_list_gives_registrations_with_their_phones() -> None:
    parsed, refused = read("member_list", brand="brandA")
    member = one_row(parsed[0], "members")
    assert picked(member, "programme", "programme_scope", "member_value") == ("crm", "brandA", "M0001")
    assert picked(member, "level", "points", "joined_at") == ("金卡", 1250, 1709863200000)
    assert ids_of(parsed[0].observations[0]) == [("member_id", "brandA", "M0001"), ("phone", "", "13912345670")]
    assert [one.split(" of")[0] for one in refused] == ["missing_field line 4"]


def test_a_member_list_needs_its_brand() -> None:
    parsed, refused = read("member_list")
    assert parsed == []
    assert "member_id needs the context's brand" in refused[0]


def test_a_member_number_that_is_a_phone_is_sealed() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("会员号,等级\n13912345670,金卡\n", encoding="utf-8")
        ((parsed,), _) = silver(path, ready("member_list", brand="brandA"), Path(folder))
    assert one_row(parsed, "members")["member_value"] == Clear("phone", "13912345670")
    assert "13912345670" not in parsed.observations[0]["observation_id"]


def test_a_receivers_phone_alone_names_no_buyer(tmp_path: Path) -> None:
    text = (FIXTURES / "tmall_orders_export.csv").read_bytes().decode("gb18030").replace("*******5678", "13912345670")
    (tmp_path / "a.csv").write_bytes(text.encode("gb18030"))
    parsed, _ = silver(tmp_path / "a.csv", ready("tmall_orders_export"), tmp_path)
    assert [one.observations for one in parsed] == [[]] * len(parsed)
    assert "subject" not in one_row(parsed[0], "orders")


def test_what_a_member_list_lacks_is_told_with_the_flag_that_gives_it() -> None:
    _, refused = read("member_list")
    assert "import the file again with --context brand=..." in refused[0]

"""Cells and headings freed from what spreadsheets and back offices put around them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pipelines.imports.cells import as_id, clean, heading_of, is_rounded, place_of


@pytest.mark.parametrize(
    "cell",
    ["'6923456789012345678", "\t6923456789012345678", "6923456789012345678\t", '="6923456789012345678"',
     "=6923456789012345678", "`6923456789012345678", "\ufeff6923456789012345678", "\u30006923456789012345678\u00a0"],
)  # fmt: skip
def test_an_id_is_the_same_whatever_is_put_around_it(cell: str) -> None:
    assert clean(cell) == "6923456789012345678"


@pytest.mark.parametrize("cell", ["", " ", "-", "--", "'", "NULL", "nan", float("nan"), None, '=""'])
def test_a_cell_that_says_nothing_is_none(cell: object) -> None:
    assert clean(cell) is None


def test_numbers_of_a_sheet_keep_their_value() -> None:
    assert (clean(17850.0), clean(0.1), clean(12), clean(True)) == (17850, "0.1", 12, True)


def test_dates_of_a_sheet_are_local_times_and_instants_keep_their_offset() -> None:
    assert clean(datetime(2025, 1, 1, 11, 2, 3)) == "2025-01-01 11:02:03"  # noqa: DTZ001  # sheets have no zone
    assert clean(date(2025, 1, 1)) == "2025-01-01"
    assert clean(datetime(2025, 1, 1, 3, 2, tzinfo=UTC)) == "2025-01-01 03:02:00.000+00:00"


@pytest.mark.parametrize("cell", ["6.92346E+18", "4.12E18", 6.923456789012345e18, 1e15])
def test_an_id_that_was_a_rounded_number_is_told(cell: object) -> None:
    assert is_rounded(clean(cell))


def test_a_code_with_an_e_is_no_rounded_number() -> None:
    assert [is_rounded(clean(code)) for code in ("12E5", "SKU-1E+10")] == [False, False]


def test_an_id_loses_the_decimals_of_a_number_format() -> None:
    assert (as_id("17850.0"), as_id("17850.5"), as_id("A.0")) == ("17850", "17850.5", "A.0")


def test_headings_are_freed_of_marks() -> None:
    assert [heading_of(name) for name in ("\ufeff订单编号", "'标题", '"收货地址 "', None)] == [
        "订单编号",
        "标题",
        "收货地址",
        "",
    ]


def test_of_an_address_only_province_and_city_are_kept() -> None:
    assert place_of("浙江省 杭州市 余杭区 某某路 1 号") == ("浙江省", "杭州市")

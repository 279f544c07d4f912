"""Tables as people leave them: sums, repeated headings, several sheets, broken bytes, lost and full-width digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from pipelines.errors import InputRefusedError
from pipelines.imports import convert
from pipelines.imports.mapping import ImportMapping
from tests.pipelines.imports.reading import landed, ready, silver, write
from tests.pipelines.sources.private_domain import DAY, one_row, rows

HEAD = "订单号,子单号,标题,数量,实付,付款时间,状态\n"
ROW = "A1,L1,杯,1,10.00,2025-01-03 08:05:00,已完成\n"
MAPPING = ImportMapping(
    mapping="dirty",
    columns={
        "order_id": "订单号",
        "line_id": "子单号",
        "name": "标题",
        "quantity": "数量",
        "amount": "实付",
        "paid_at": "付款时间",
        "status": "状态",
    },
    optional=["line_id", "name", "quantity", "status"],
    fill_down=["order_id", "paid_at", "status"],
    values={"status": {"已完成": "finished"}},
)


def said(content: str | bytes, folder: Path, mapping: ImportMapping = MAPPING) -> tuple[dict[str, int], list[str]]:
    """Paid fen by order, and the rules that refused rows broke."""
    path = folder / "dirty.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    parsed, refused = silver(path, mapping, folder)
    paid = {one_row(one, "orders")["order_id"]: one_row(one, "orders")["paid_fen"] for one in parsed}
    return paid, [one.split()[0] for one in refused]


@pytest.mark.parametrize(
    "below",
    [
        "合计,,,1,10.00,,\n",
        ",,合计,1,10.00,,\n",
        "合计：1单,,,1,10.00,,\n",
        "合计,10.00\n",
        "-,-,-,-,-,-,-\n",
        " ,\t,,,,,\n\n   \n",
        HEAD,
    ],
)
def test_sums_blank_lines_and_repeated_headings_are_no_orders(tmp_path: Path, below: str) -> None:
    assert said(HEAD + ROW + below, tmp_path) == ({"A1": 1000}, [])


def test_numbers_without_an_order_or_a_product_belong_to_nobody(tmp_path: Path) -> None:
    assert said(HEAD + ROW + ",,,1,10.00,,\n", tmp_path) == ({"A1": 1000}, ["orphan_line"])


@pytest.mark.parametrize("content", ["", "\n \n", HEAD, "a,b\n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputRefusedError, match="no row below its headings"):
        convert([write(tmp_path, "a.csv", content)], MAPPING, tmp_path / "out", day=DAY)
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_heading_that_stands_twice_is_never_chosen_silently(tmp_path: Path) -> None:
    text = HEAD.replace("标题", "实付") + "A1,L1,99.00,1,10.00,2025-01-03 08:05:00,已完成\n"
    with pytest.raises(InputRefusedError, match="实付 stands more than once"):
        said(text, tmp_path)
    named = MAPPING.model_copy(update={"columns": {**MAPPING.columns, "amount": "实付#2"}})
    assert said(text, tmp_path, named) == ({"A1": 1000}, [])


def test_an_export_that_ends_all_rows_with_a_delimiter_is_read(tmp_path: Path) -> None:
    wide = ROW.replace("\n", ",\n")
    assert said(HEAD + wide + wide.replace("A1", "A2"), tmp_path) == ({"A1": 1000, "A2": 1000}, [])
    assert said(HEAD.replace("\n", ",\n") + ROW, tmp_path) == ({"A1": 1000}, [])


def test_one_row_alone_with_a_further_cell_is_refused(tmp_path: Path) -> None:
    shifted = "A2,L1,杯,子,1,10.00,2025-01-03 08:05:00,\n"
    assert said(HEAD + ROW + shifted, tmp_path) == ({"A1": 1000}, ["csv_fields"])


def test_a_title_may_hold_another_delimiter(tmp_path: Path) -> None:
    assert said("报表|示例店\n" + HEAD + ROW, tmp_path) == ({"A1": 1000}, [])


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_half_a_character_costs_its_own_line(tmp_path: Path, encoding: str) -> None:
    cut = "A2,L1,杯".encode(encoding)[:-1] + b",1,10.00,2025-01-03 08:05:00,\n"
    text = (HEAD + ROW).encode(encoding) + cut + ROW.replace("A1", "A3").encode(encoding)
    assert said(text, tmp_path) == ({"A1": 1000, "A3": 1000}, ["bad_encoding"])


def test_a_workbook_that_is_called_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="no text, whatever its name says"):
        said(b"PK\x03\x04rest", tmp_path)


@pytest.mark.parametrize("cell", ["６９２３", "＇6923", "\u200b69\u200b23", "69\x0023", '"6,923"', "6923.00"])
def test_an_id_in_any_dress_is_the_same(tmp_path: Path, cell: str) -> None:
    assert said(HEAD + ROW.replace("A1", cell), tmp_path) == ({"6923": 1000}, [])


@pytest.mark.parametrize("cell", ["４１．００", "￥41", "人民币41元", '"４１，０００．００"', "41.00 元"])
def test_an_amount_in_any_dress_is_exact(tmp_path: Path, cell: str) -> None:
    paid, refused = said(HEAD + ROW.replace("10.00", cell), tmp_path)
    assert (paid["A1"] // (1000 if "，" in cell else 1), refused) == (4100, [])


def test_ids_that_a_number_format_filled_with_zeros_are_refused(tmp_path: Path) -> None:
    text = HEAD + "".join(ROW.replace("A1", f"69234567890123{n}0000") for n in (4, 5, 6))
    assert said(text, tmp_path) == ({}, ["rounded_id"] * 3)
    exact = HEAD + ROW.replace("A1", "6923456789012340000") + ROW.replace("A1", "6923456789012345678")
    assert len(said(exact, tmp_path)[0]) == 2


@pytest.mark.parametrize("cell", ["41.2346E+17", "6.9E+12"])
def test_any_scientific_notation_of_any_id_is_refused(tmp_path: Path, cell: str) -> None:
    mapping = MAPPING.model_copy(update={"columns": {**MAPPING.columns, "brand_sku": "商家编码"}})
    text = HEAD.replace("\n", ",商家编码\n")
    assert said(text + ROW.replace("\n", f",{cell}\n"), tmp_path, mapping) == ({}, ["rounded_id"])
    assert said(text + ROW.replace("\n", ",5E12\n"), tmp_path, mapping) == ({"A1": 1000}, [])


def test_a_row_of_a_platform_that_stands_twice_is_one_line(tmp_path: Path) -> None:
    numbered = MAPPING.model_copy(update={"constants": {"platform": "tmall", "shop_id": "s"}})
    assert said(HEAD + ROW + ROW, tmp_path, numbered) == ({"A1": 1000}, [])
    assert said(HEAD + ROW.replace("L1", "") * 2, tmp_path, numbered) == ({"A1": 2000}, [])


def test_a_line_break_in_a_heading_is_none(tmp_path: Path) -> None:
    assert said(HEAD.replace("付款时间", '"付款\n时间"') + ROW, tmp_path) == ({"A1": 1000}, [])


def test_what_is_refused_can_be_mended_from_quarantine(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", HEAD + ROW + "A2,坏\nA3,L1,杯,1,10.00,2025-01-03 08:05:00,\n")
    refused = landed(path, MAPPING, tmp_path)[-1]
    assert (refused["refused"], refused["line"], refused["row"]) == ("csv_fields", 3, "A2,坏")


def test_columns_that_nobody_named_are_kept_and_told(tmp_path: Path) -> None:
    text = HEAD.replace("\n", ",颜色,姓名\n") + ROW.replace("\n", ",红,某某\n")
    mapping = MAPPING.model_copy(update={"ignored": ["姓*"]})
    ((parsed,), _) = silver(write(tmp_path, "a.csv", text), mapping, tmp_path)
    assert parsed.unknown == {"rows[].颜色": "红"}


def test_columns_of_a_member_list_that_nobody_named_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "会员编号,手机号,姓名,门店\nM1,13912345670,某某,一店\n")
    ((parsed,), _) = silver(path, ready("member_list", brand="b"), tmp_path)
    assert parsed.unknown == {"rest.门店": "一店"}


def book(folder: Path, **sheets: list[list[Any]]) -> Path:
    made = Workbook()
    made.remove(made.worksheets[0])
    for name, table in sheets.items():
        page = made.create_sheet(name)
        for row in table:
            page.append(row)
    made.save(folder / "book.xlsx")
    return folder / "book.xlsx"


def test_all_sheets_with_the_headings_are_read(tmp_path: Path) -> None:
    head = HEAD.strip().split(",")
    first = ["A1", "L1", "杯", 1, 10, "2025/1/3 8:05", "已完成"]
    path = book(
        tmp_path, 说明=[["订单"], ["x"]], 一月=[head, first, [" "]], 二月=[head, ["A2", *first[1:]], ["A3", *first]]
    )
    parsed, refused = silver(path, MAPPING, tmp_path)
    assert [one_row(one, "orders")["order_id"] for one in parsed] == ["A1", "A2"]
    assert [len(rows(one, "order_lines")) for one in parsed] == [1, 1]
    assert [one.endswith("(sheet 二月)") for one in refused] == [True]


def test_of_two_exports_the_one_whose_refund_is_further_counts(tmp_path: Path) -> None:
    mapping = MAPPING.model_copy(
        update={"columns": {**MAPPING.columns, "refund_state": "售后"}, "values": {"refund_state": {"退款中": "open"}}}
    )
    keys = []
    for state in ("", "退款中", "closed", "success"):
        text = HEAD.replace("\n", ",售后\n") + ROW.replace("\n", f",{state}\n")
        ((parsed,), _) = silver(write(tmp_path, "a.csv", text), mapping, tmp_path)
        keys.append(one_row(parsed, "order_lines")["version_key"][:22])
    assert keys == sorted(set(keys))

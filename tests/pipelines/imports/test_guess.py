"""Mappings proposed for unknown files: right columns, no content, and a refusal where nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipelines.errors import ConfigurationError, ExitCode
from pipelines.imports.guess import Guess, guess
from pipelines.imports.mapping import load_mapping
from tests.pipelines.imports.reading import CONF, FIXTURES, sheet, silver, write
from tests.pipelines.sources.private_domain import one_row, rows

CHINESE = (
    "平台订单号,会员卡号,品名,单价(元),数量,实付金额（元）,付款时间,订单状态,收货人手机号\n"
    "6923456789012345678,M1,甲乙丙,12.50,2,25.00,2025/1/1 10:00,已完成,13912345670\n"
    "6923456789012345679,M2,丁戊,1.00,1,1.00,2025/1/2 10:00,已付款,13912345671\n"
)
ENGLISH = "Order No,Customer ID,SKU,Unit Price,Qty,Created At\nA1,17850,85123A,2.55,6,2025-01-01 08:26\n"


def proposed(folder: Path, text: str) -> Guess:
    return guess(write(folder, "Unknown table.csv", text), CONF)


def test_chinese_headings_are_understood(tmp_path: Path) -> None:
    columns = proposed(tmp_path, CHINESE).mapping.columns
    assert columns == {
        "order_id": "平台订单号",
        "customer": "会员卡号",
        "receiver_phone": "收货人手机号",
        "status": "订单状态",
        "paid_at": "付款时间",
        "name": "品名",
        "quantity": "数量",
        "price": "单价(元)",
        "amount": "实付金额（元）",
    }


def test_english_headings_are_understood_and_orders_without_any_payment_column_are_paid_when_made(
    tmp_path: Path,
) -> None:
    made = proposed(tmp_path, ENGLISH)
    assert made.mapping.columns["order_id"] == "Order No"
    assert made.mapping.columns["paid_at"] == made.mapping.columns["created_at"] == "Created At"
    assert "taken for paid when made" in made.as_yaml()


@pytest.mark.parametrize("text", [CHINESE, ENGLISH], ids=["chinese", "english"])
def test_what_is_proposed_reads_the_file(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "table.csv", text)
    mapping = load_mapping(write(tmp_path, "proposed.yaml", guess(path, CONF).as_yaml()))
    parsed, refused = silver(path, mapping, tmp_path)
    assert refused == []
    assert all(one_row(one, "orders")["is_paid"] for one in parsed)
    assert sum(one_row(one, "orders")["paid_fen"] for one in parsed) in (2600, 1530)


def test_nothing_of_the_content_is_repeated(tmp_path: Path) -> None:
    text = proposed(tmp_path, CHINESE).as_yaml()
    for secret in ("13912345670", "甲乙丙", "6923456789012345678", "M1", "12.50"):
        assert secret not in text
    assert "收货人手机号: phone, like 99999999999 -> receiver_phone" in text


def test_states_that_no_word_is_known_for_are_named(tmp_path: Path) -> None:
    text = CHINESE.replace("已付款", "神秘状态")
    made = proposed(tmp_path, text)
    assert made.unknown_values == {"status": ["神秘状态"]}
    assert made.mapping.values == {"status": {"已完成": "finished"}}


def test_a_heading_whose_cells_are_something_else_is_not_used(tmp_path: Path) -> None:
    made = proposed(tmp_path, CHINESE.replace("2025/1/1 10:00", "昨天").replace("2025/1/2 10:00", "今天"))
    assert "paid_at" not in made.mapping.columns
    assert "orders count nothing until a column is named" in made.as_yaml()


def test_merged_order_cells_are_filled_down(tmp_path: Path) -> None:
    made = proposed(tmp_path, "订单号,下单时间,品名,金额\nA,2025-01-01,x,1\n,,y,2\nB,2025-01-02,z,3\n")
    assert made.mapping.fill_down == ["order_id", "created_at", "paid_at"]


def test_a_member_list_is_told_from_orders(tmp_path: Path) -> None:
    made = proposed(tmp_path, "客户编号,手机,等级,积分,开卡日期\nM1,13912345670,金卡,12,2025-01-01\n")
    assert (made.mapping.feed, made.ready) == ("observations", None)
    assert set(made.mapping.columns) == {"member_id", "phone", "level", "points", "joined_at"}


@pytest.mark.parametrize("name", ["douyin_orders_export", "tmall_orders_export", "tmall_order_lines_export"])
def test_a_known_report_is_recognised(name: str) -> None:
    made = guess(FIXTURES / f"{name}.csv", CONF)
    assert made.ready == name
    assert f"--mapping {name}" in made.as_yaml()


def test_a_workbook_with_a_title_is_understood(tmp_path: Path) -> None:
    path = sheet(tmp_path, [["门店销售"], ["小票号", "销售日期", "品名", "金额"], ["T1", "2025-01-01", "x", 9.5]])
    assert set(guess(path, CONF).mapping.columns) == {"order_id", "created_at", "paid_at", "name", "amount"}


def test_the_proposal_is_yaml_with_a_note_on_every_column(tmp_path: Path) -> None:
    text = proposed(tmp_path, CHINESE).as_yaml()
    assert yaml.safe_load(text)["mapping"] == "unknown_table"
    assert sum(1 for line in text.splitlines() if line.startswith("# ") and "->" in line) == 9


@pytest.mark.parametrize("text", ["颜色,形状\n红,圆\n", "品名,金额\nx,1\n", "订单号\nA\n", "a,b\n", ""], ids=[*"12345"])
def test_a_file_that_says_neither_orders_nor_members_is_refused_with_the_next_command(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(ConfigurationError, match="cannot tell what the file holds") as refusal:
        proposed(tmp_path, text)
    assert refusal.value.code == ExitCode.USAGE
    assert "cdp ingest --feed orders_file --mapping" in refusal.value.hint


def test_an_order_number_without_anything_worth_counting_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        proposed(tmp_path, "order_no,amt,ordered\nJ1,12.5,2025-01-01\n")
    assert "order_no is an order number, but no other column (amt, ordered) is known for" in refusal.value.message


def test_refused_lines_do_not_disturb_a_guess(tmp_path: Path) -> None:
    made = proposed(tmp_path, CHINESE + "broken,line\n")
    assert len(rows(silver(tmp_path / "Unknown table.csv", made.mapping, tmp_path)[0][0], "order_lines")) == 1


def test_a_ready_mapping_that_needs_every_column_fits_too(tmp_path: Path) -> None:
    text = "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,InvoiceDate\n1,a,b,2,2.5,9,2010-12-01 08:26\n"
    assert proposed(tmp_path, text).ready == "online_retail"

"""Golden files of the public domain: composed answers and the rows they become (`make golden` rewrites them)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.sources import (
    douyin_messages,
    douyin_orders,
    douyin_refunds,
    shop_orders,
    tmall_members,
    tmall_messages,
    tmall_refunds,
    tmall_trades,
)
from pipelines.sources.base import FeedParser
from tests.pipelines.sources.private_domain import FIXTURES, as_text, fixture
from tests.pipelines.sources.public_domain import read

CASES: tuple[tuple[str, FeedParser, str], ...] = (
    ("douyin/order_page", douyin_orders.PARSERS[0], "order.searchList"),
    ("douyin/decrypt_answer", douyin_orders.PARSERS[0], "order.batchDecrypt"),
    ("douyin/aftersale_page", douyin_refunds.PARSERS[0], "afterSale.List"),
    ("douyin/messages", douyin_messages.PARSERS[0], ""),
    ("tmall/trade_page", tmall_trades.PARSERS[0], "taobao.trades.sold.increment.get"),
    ("tmall/refund_page", tmall_refunds.PARSERS[0], "taobao.refunds.receive.get"),
    ("tmall/bind_call", tmall_members.PARSERS[0], "tmall.mei.crm.bind"),
    ("tmall/unbind_call", tmall_members.PARSERS[0], "tmall.mei.crm.bind"),
    ("tmall/frame", tmall_messages.PARSERS[0], ""),
    ("shop/order", shop_orders.PARSERS[0], ""),
)


@pytest.mark.parametrize(("name", "parser", "method"), CASES, ids=[row[0] for row in CASES])
def test_an_answer_becomes_the_rows_of_its_golden_file(
    name: str, parser: FeedParser, method: str, golden: Callable[[str, Path], None]
) -> None:
    parsed = read(parser, fixture(f"{name}.json"), method=method)
    golden(as_text(parsed), FIXTURES / f"{name}.golden.json")


@pytest.mark.parametrize(("name", "parser", "method"), CASES, ids=[row[0] for row in CASES])
def test_every_row_fills_columns_its_table_declares_and_all_it_requires(
    name: str, parser: FeedParser, method: str
) -> None:
    from pipelines.tables import ALL

    lineage = {"feed", "interval", "record_hash", "rescued"}
    for parsed in read(parser, fixture(f"{name}.json"), method=method):
        for table, row in parsed.rows:
            declared = ALL[table]
            assert table in parser.tables
            assert set(row) - {"subject"} <= set(declared.column_names)
            required = {column.name for column in declared.columns if column.required} - lineage
            assert {column for column in required if row.get(column) is None} == set()

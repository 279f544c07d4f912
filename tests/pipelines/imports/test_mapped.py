"""Exports to records: merged cells, rounded ids, headings, formats."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import ConfigurationError, InputRefusedError
from pipelines.imports import convert
from pipelines.imports.mapping import find_mapping, load_mapping, parse_context, with_context
from tests.pipelines.imports.reading import CONF, landed, ready, sheet, silver, simple, write
from tests.pipelines.sources.private_domain import DAY, one_row, rows

MERGED = simple(
    {"order_id": "id", "name": "name", "price": "sum", "city": "city"}, fill_down=["order_id", "city"]
)  # fmt: skip


def test_cells_merged_over_the_lines_of_an_order_are_filled_down(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,name,sum,city\nA,x,1,杭州\n,y,2,\n,z,3,\nB,x,4,\n")
    first, second = landed(path, MERGED, tmp_path)
    assert [row["name"] for row in first["rows"]] == ["x", "y", "z"]
    assert {row["city"] for row in first["rows"]} == {"杭州"}
    assert "city" not in second["rows"][0], "an order's own empty cell stays empty"


def test_a_merged_line_below_a_broken_one_is_nobodys(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,name,sum,city\nA,x,1,杭州\nB,x\n,y,2,\nC,z,3,\n")
    payloads = landed(path, MERGED, tmp_path)
    assert [len(one["rows"]) for one in payloads if "rows" in one] == [1, 1]
    assert [(one["refused"], one["line"]) for one in payloads if "refused" in one] == [
        ("csv_fields", 3),
        ("orphan_line", 4),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_headings_are_read_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "a.csv", "编号,名称\n1,示例㐀𠮷\n", encoding)
    (order,) = landed(path, simple({"order_id": "编号", "name": "名称"}), tmp_path)
    assert order["rows"] == [{"order_id": "1", "name": "示例㐀𠮷"}]


def test_an_id_that_a_spreadsheet_rounded_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,name,sum\n6.92346E+18,x,1\n6923456789012345678,y,2\n")
    parsed, refused = silver(path, simple(), tmp_path)
    assert [one_row(one, "orders")["order_id"] for one in parsed] == ["6923456789012345678"]
    assert refused[0].startswith("rounded_id line 2")


def test_a_workbook_is_read_as_a_csv_is(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        [
            ["订单报表", None, None, None],
            ["id", "name", "sum", "at"],
            ["'6923456789012345678", "x", 12.5, datetime(2025, 1, 1, 11, 2)],  # noqa: DTZ001  # sheets have no zone
            [6923456789012345678, "y", 1, None],
            ["A", "z", 2],
            ["B", "z", 1, 45658.5, "one too many"],
        ],
    )
    mapping = simple({"order_id": "id", "name": "name", "price": "sum", "paid_at": "at"}, optional=["paid_at"])
    parsed, refused = silver(path, mapping, tmp_path)
    assert [(one_row(one, "orders")["order_id"], one_row(one, "orders")["paid_fen"]) for one in parsed] == [
        ("6923456789012345678", 1250),
        ("A", 0),
    ]
    assert one_row(parsed[0], "orders")["business_date"] == "2025-01-01"
    assert [one.split()[0] for one in refused] == ["rounded_id", "csv_fields"]


def test_a_long_id_of_a_parquet_file_is_exact(tmp_path: Path) -> None:
    pl.DataFrame({"id": [6923456789012345678], "name": ["x"], "sum": ["1,299.50"]}).write_parquet(
        tmp_path / "a.parquet"
    )
    ((parsed,), _) = silver(tmp_path / "a.parquet", simple(), tmp_path)
    assert one_row(parsed, "orders")["order_id"] == "6923456789012345678"
    assert one_row(parsed, "order_lines")["list_fen"] == 129950


def test_broken_json_lines_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"id":"1","name":"x","sum":"2"}\n{"id":\n[1]\n')
    parsed, refused = silver(path, simple(), tmp_path)
    assert (len(parsed), [one.split(" of")[0] for one in refused]) == (1, ["bad_json line 2", "bad_json line 3"])


def test_a_heading_may_have_one_of_several_names(tmp_path: Path) -> None:
    mapping = simple({"order_id": ["主订单编号", "订单编号"], "name": "标题"}, optional=["name"])
    assert landed(write(tmp_path, "a.csv", "订单编号,x\n1,2\n"), mapping, tmp_path)[0]["order_id"] == "1"


def test_missing_headings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="headings are missing: name, sum; the file has id, title"):
        convert([write(tmp_path, "a.csv", "id,title\n1,x\n")], simple(), tmp_path, day=DAY)


@pytest.mark.parametrize(("name", "content"), [("a.xlsx", "no zip"), ("a.parquet", "no"), ("a.xls", "old")])
def test_a_file_of_another_format_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(InputRefusedError, match=r"no workbook|no Parquet|cannot read \.xls"):
        convert([write(tmp_path, name, content)], simple(), tmp_path, day=DAY)


def test_bytes_of_no_known_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,name,sum\n1,\xff\xff\xff,2\n")
    with pytest.raises(InputRefusedError, match="neither UTF-8 nor GB18030"):
        convert([tmp_path / "a.csv"], simple(), tmp_path, day=DAY)


def test_the_same_export_becomes_the_same_landing_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,name,sum\n1,x,2\n")
    first = convert([path], simple(), tmp_path / "out", day=DAY)
    assert convert([path], simple(), tmp_path / "out", day=DAY) == first
    assert convert([path], simple(constants={"shop_id": "1"}), tmp_path / "out", day=DAY) != first


@pytest.mark.parametrize("platform", ["douyin", "tmall"])
def test_an_export_of_a_platform_that_names_no_shop_is_refused_as_a_whole(tmp_path: Path, platform: str) -> None:
    path = write(tmp_path, "a.csv", "id,name,sum\n1,x,2\n")
    mapping = simple(constants={"platform": platform})
    with pytest.raises(InputRefusedError, match=f"names no shop, and an order of {platform}") as refused:
        convert([path], mapping, tmp_path / "out", day=DAY)
    assert "--context shop_id=SHOP" in refused.value.hint
    for named in (
        with_context(mapping, {"shop_id": "4463798"}),
        with_context(mapping, {"seller_nick": "n"}),
        simple(constants={"platform": platform, "shop_id": "s"}),
        simple({"order_id": "id", "shop_id": "name", "price": "sum"}, constants={"platform": platform}),
        simple(constants={"platform": "till"}),
    ):
        assert len(landed(path, named, tmp_path)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mapping: a\ncolumns: {colour: x, order_id: id}", "unknown field 'colour'"),
        ("mapping: a\ncolumns: {name: x}", "no column for 'order_id'"),
        ("mapping: a\nfeed: nothing\ncolumns: {order_id: x}", "'feed'"),
        ("mapping: a\ncolumns: {order_id: x}\ncontext: {colour: red}", "unknown key 'colour' in context"),
        ("mapping: a\ncolumns: {order_id: x}\nholds: []", "holds is empty"),
        ("columns: [", "no valid YAML"),
    ],
)
def test_a_wrong_mapping_names_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_mapping(write(tmp_path, "m.yaml", text))


def test_a_ready_mapping_is_found_by_name() -> None:
    assert find_mapping(Path("douyin_orders_export"), CONF).name == "douyin_orders_export.yaml"
    with pytest.raises(ConfigurationError, match="no mapping 'mine'; ready ones: douyin_orders_export, member_list"):
        find_mapping(Path("mine"), CONF)


def test_context_pairs_of_unknown_keys_are_refused() -> None:
    assert parse_context(["shop_id=4463798", "brand=a=b"]) == {"shop_id": "4463798", "brand": "a=b"}
    with pytest.raises(ConfigurationError, match="'colour' is no KEY=VALUE"):
        parse_context(["colour=red"])


@pytest.mark.parametrize("path", sorted((CONF / "mappings").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_mapping_is_valid_and_says_where_its_headings_come_from(path: Path) -> None:
    assert load_mapping(path).mapping == path.stem
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_the_rows_of_a_title_less_table_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,name,sum\n" + "".join(f"{n},x,1\n" for n in range(1, 51)))
    assert sum(len(rows(one, "order_lines")) for one in silver(path, simple(), tmp_path)[0]) == 50
    assert ready("online_retail").key == "order_id"

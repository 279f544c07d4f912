"""CSV texts: whole rows are read, broken lines are told apart, nothing shifts."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.imports.csv_lines import read_csv

HEAD = "id,name,sum\n"


def cells(text: str) -> list[tuple[str, ...]]:
    return [tuple(row.cells) for row in read_csv(text) if not row.reason]


def refused(text: str) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in read_csv(text) if row.reason]


def test_a_line_with_too_many_cells_is_refused_alone() -> None:
    text = HEAD + "1,a,2\n2,b,c,3\n3,d,4\n"
    assert cells(text)[1:] == [("1", "a", "2"), ("3", "d", "4")]
    assert refused(text) == [(3, "csv_fields")]


def test_a_line_with_too_few_cells_is_refused_alone() -> None:
    assert refused(HEAD + "1,a\n2,b,3\n") == [(2, "csv_fields")]
    assert cells(HEAD + "1,a\n2,b,3\n")[1:] == [("2", "b", "3")]


@pytest.mark.parametrize(
    "below",
    [
        "3,c,4\n4,d,5\n",
        '3,"c",4\n4,d,5\n',
        '"3","c","4"\n4,d,5\n',
        '3,c,4\n4,d,"5"\n',
        '3,"c\n4,d,5\n',
    ],
)
def test_a_quote_that_never_closes_costs_its_own_line_only(below: str) -> None:
    text = HEAD + '1,a,2\n2,"b,3\n' + below
    assert ("4", "d", "5") in cells(text)
    assert ("1", "a", "2") in cells(text)
    assert refused(text)[0] == (3, "csv_quoting")
    assert all("\n" not in cell for row in cells(text) for cell in row)


def test_a_quote_that_another_broken_line_closes_swallows_no_whole_rows_between() -> None:
    text = HEAD + '1,"a,2\n2,b,3\n3,c,4\n4,d",5\n5,e,6\n'
    assert cells(text)[1:] == [("2", "b", "3"), ("3", "c", "4"), ("4", 'd"', "5"), ("5", "e", "6")]
    assert refused(text) == [(2, "csv_quoting")]


def test_a_quoted_cell_over_several_lines_is_one_cell() -> None:
    text = HEAD + '1,"first\nsecond, with a comma",2\n2,b,3\n'
    assert cells(text)[1:] == [("1", "first\nsecond, with a comma", "2"), ("2", "b", "3")]


def test_a_quote_inside_a_bare_cell_is_a_letter() -> None:
    assert cells(HEAD + '1,5" screen,2\n2,b,3\n')[1:] == [("1", '5" screen', "2"), ("2", "b", "3")]


def test_text_after_a_closing_quote_is_refused() -> None:
    assert refused(HEAD + '1,"a" b,2\n2,b,3\n') == [(2, "csv_quoting")]


def test_the_heading_may_stand_below_a_title() -> None:
    rows = list(read_csv("报表,2025\n导出人\n" + HEAD + "1,a,2\n", lambda names: "id" in names))
    assert [tuple(row.cells) for row in rows] == [("id", "name", "sum"), ("1", "a", "2")]
    assert [row.line for row in rows] == [3, 4]


def test_tabs_and_semicolons_part_cells_too() -> None:
    assert cells("id\tname\n1\ta,b\n")[1] == ("1", "a,b")
    assert cells("id;name\n1;a,b\n")[1] == ("1", "a,b")


def test_lines_end_in_whatever_way() -> None:
    assert cells("id,name\r\n1,a\r\n\r\n2,b") == [("id", "name"), ("1", "a"), ("2", "b")]


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00")), min_size=2, max_size=2)))
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["id", "name"], *rows])
    kept = [tuple(row) for row in rows if any(cell.strip() for cell in row)]
    assert cells(out.getvalue())[1:] == kept or any(cell.count("\n") > 50 for row in rows for cell in row)

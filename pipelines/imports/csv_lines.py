"""Rows of a CSV text, each with its line; what cannot be a row of this table is told apart, so that nothing shifts.

A quoted cell may run over several lines. A quote that never closes would swallow the lines below it: such a line is
refused alone and reading goes on with the next one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

DELIMITERS = (",", "\t", ";", "|")
LONGEST_CELL_LINES = 60
"""Lines that one row may run over; a quote still open then is taken for a broken one."""

LEAST_TO_TELL = 3
"""Columns from which a line inside a quoted cell that is itself a whole row gives the quote away as a broken one."""

LINE_ENDS = "\r\n"
TITLE_LINES = 15
"""Lines among which the heading is looked for: some reports begin with a title."""

HeadingRule = Callable[[Sequence[Any]], bool]
"""Whether the cells of a row are the table's headings."""


@dataclass(frozen=True)
class CsvRow:
    """One row: its first line, from 1, and its cells; or the reason (a rule's name) and detail of its refusal."""

    line: int
    cells: Sequence[Any]
    reason: str = ""
    detail: str = ""


def read_csv(content: str, is_heading: HeadingRule | None = None) -> Iterator[CsvRow]:
    """The rows of a CSV text, the heading first; blank lines and what stands above the heading are left out.

    The heading is the first of the uppermost rows that the rule accepts, else the first row there is.
    """
    lines = list(io.StringIO(content, newline=""))
    delimiter = find_delimiter(lines)
    width, at = 0, _heading_at(lines, delimiter, is_heading)
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        row, used = _row_at(lines, at, delimiter, width)
        at += used
        if not row.reason and not any(cell.strip() for cell in row.cells):
            continue
        if not width and not row.reason:
            width = len(row.cells)
        yield row


def _heading_at(lines: Sequence[str], delimiter: str, is_heading: HeadingRule | None) -> int:
    at = 0
    while is_heading is not None and at < min(len(lines), TITLE_LINES):
        row, used = _row_at(lines, at, delimiter, 0)
        if not row.reason and is_heading(row.cells):
            return at
        at += used
    return 0


def find_delimiter(lines: Sequence[str]) -> str:
    """What separates the cells of the first line that holds any of the known delimiters.

    >>> find_delimiter(["订单编号;标题\\n"]), find_delimiter(["id\\tname, first\\tsum\\n"])
    (';', '\\t')
    """
    for line in lines:
        counts = {delimiter: line.count(delimiter) for delimiter in DELIMITERS}
        most = max(counts.values())
        if most:
            return next(delimiter for delimiter in DELIMITERS if counts[delimiter] == most)
    return DELIMITERS[0]


def _row_at(lines: Sequence[str], at: int, delimiter: str, width: int) -> tuple[CsvRow, int]:
    """The row that begins at a line, and how many lines it takes; a refused one takes its first line only."""
    number = at + 1
    alone = _cells(lines[at], delimiter)
    if alone is not None:  # also where a quote stands inside a bare cell, as in 5" screen
        return _of_width(number, alone, width), 1
    used = _closed_after(lines, at)
    if not used:
        return CsvRow(number, (), "csv_quoting", "a quote of the line never closes"), 1
    span = lines[at : at + used]
    cells = _cells("".join(span), delimiter)
    if cells is None:
        return CsvRow(number, (), "csv_quoting", "text after a closing quote"), 1
    if used > 1 and width >= LEAST_TO_TELL and any(_is_row(line, delimiter, width) for line in span[1:-1]):
        return CsvRow(number, (), "csv_quoting", "a quote of the line closes rows further down"), 1
    return _of_width(number, cells, width), used


def _of_width(number: int, cells: Sequence[Any], width: int) -> CsvRow:
    if width and len(cells) != width:
        return CsvRow(number, (), "csv_fields", f"{len(cells)} cells where the heading has {width}")
    return CsvRow(number, cells)


def _closed_after(lines: Sequence[str], at: int) -> int:
    """How many lines from here until the quotes are paired; 0 when they never are."""
    quotes = 0
    for used, line in enumerate(lines[at : at + LONGEST_CELL_LINES], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            return used
    return 0


def _cells(raw: str, delimiter: str) -> list[str] | None:
    """The cells of one row; None when its quotes do not fit."""
    if '"' not in raw:
        return raw.rstrip(LINE_ENDS).split(delimiter)
    try:
        rows = list(csv.reader(io.StringIO(raw, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _is_row(line: str, delimiter: str, width: int) -> bool:
    cells = _cells(line, delimiter)
    return cells is not None and len(cells) == width

"""Rows of a CSV text, each with its line; what cannot be a row of this table is told apart, so that nothing shifts.

A quoted cell may run over several lines. A quote that never closes would swallow the lines below it: such a line is
refused alone and reading goes on with the next one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.imports.encodings import BROKEN_BYTES

DELIMITERS = (",", "\t", ";", "|")
LONGEST_CELL_LINES = 60
"""Lines that one row may run over; a quote still open then is taken for a broken one."""

LEAST_TO_TELL = 3
"""Columns from which a line inside a quoted cell that is itself a whole row gives the quote away as a broken one."""

LINE_ENDS = "\r\n"
ROWS_TO_TELL = 50
"""Rows by whose width it is told whether all of them are wider than the heading."""

TITLE_LINES = 15
"""Lines among which the heading is looked for: some reports begin with a title."""

HeadingRule = Callable[[Sequence[Any]], bool]
"""Whether the cells of a row are the table's headings."""


@dataclass(frozen=True)
class CsvRow:
    """One row: its first line, from 1, and its cells; or the reason (a rule's name) and detail of its refusal, with
    what the line holds."""

    line: int
    cells: Sequence[Any]
    reason: str = ""
    detail: str = ""
    raw: str = ""


def read_csv(content: str, is_heading: HeadingRule | None = None) -> Iterator[CsvRow]:
    """The rows of a CSV text, the heading first; blank lines and what stands above the heading are left out.

    The heading is the first of the uppermost rows that the rule accepts, else the first row there is.
    """
    lines = list(io.StringIO(content, newline=""))
    delimiter, at = _heading_place(lines, is_heading)
    heading, at = _next_row(lines, at, delimiter)
    if heading is None:
        return
    width = 0
    if not heading.reason:
        heading = _as_wide_as_rows(heading, lines, at, delimiter)
        width = len(heading.cells)
    yield heading
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
        yield replace(row, raw="".join(lines[at - used : at]).rstrip(LINE_ENDS)) if row.reason else row


def _heading_place(lines: Sequence[str], is_heading: HeadingRule | None) -> tuple[str, int]:
    """What separates the cells, and where the heading begins; a title may hold other signs than the table below it."""
    usual = find_delimiter(lines)
    for delimiter in (usual, *(one for one in DELIMITERS if one != usual)):
        at = 0
        while is_heading is not None and at < min(len(lines), TITLE_LINES):
            row, used = _row_at(lines, at, delimiter, 0)
            if not row.reason and is_heading(row.cells):
                return delimiter, at
            at += used
    return usual, 0


def _next_row(lines: Sequence[str], at: int, delimiter: str) -> tuple[CsvRow | None, int]:
    """The next row that says anything, and where the one below it begins."""
    while at < len(lines):
        row, used = _row_at(lines, at, delimiter, 0)
        at += used
        if row.reason or any(cell.strip() for cell in row.cells):
            return row, at
    return None, at


def _as_wide_as_rows(heading: CsvRow, lines: Sequence[str], at: int, delimiter: str) -> CsvRow:
    """The heading as wide as all rows below it: some exports end every row, but not the heading, with a delimiter.

    One row alone that is wider may have an unquoted delimiter in a cell, and is refused.
    """
    widths: set[int] = set()
    rows = 0
    blank_end = True
    while at < len(lines) and rows < ROWS_TO_TELL:
        row, at = _next_row(lines, at, delimiter)
        if row is not None and not row.reason:
            rows += 1
            widths.add(len(row.cells))
            blank_end = blank_end and not any(cell.strip() for cell in row.cells[len(heading.cells) :])
    (width,) = widths if len(widths) == 1 else (len(heading.cells),)
    if rows > 1 and width > len(heading.cells) and blank_end:
        return replace(heading, cells=[*heading.cells, *[""] * (width - len(heading.cells))])
    if rows > 0 and width < len(heading.cells) and not any(cell.strip() for cell in heading.cells[width:]):
        return replace(heading, cells=heading.cells[:width])
    return heading


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
    if BROKEN_BYTES.search(lines[at]):
        return CsvRow(number, (), "bad_encoding", "bytes of the line are no characters of the file's encoding"), 1
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
        return CsvRow(number, cells, "csv_fields", f"{len(cells)} cells where the heading has {width}")
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

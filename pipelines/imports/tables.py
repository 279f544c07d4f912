"""Rows of a table file by heading, each with the line it stands on: CSV, XLSX, Parquet, JSON Lines.

What is no row of the table is given as a refusal in its place, with the rule it broke and never with its content.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import InputRefusedError
from pipelines.imports.cells import EXACT_DIGITS, heading_of
from pipelines.imports.csv_lines import TITLE_LINES, CsvRow, HeadingRule, read_csv

ENCODINGS = ("utf-8-sig", "gb18030")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class TableRow:
    """A row by heading, or why the line is none; `line` counts from 1, in JSON Lines and CSV lines, else rows."""

    line: int
    cells: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""


def read_rows(path: Path, is_heading: HeadingRule | None = None, *, sheet: str | None = None) -> Iterator[TableRow]:
    """The rows of a table file; of a report with a title, the heading is the first row that the rule accepts."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt"):
        return _under_heading(read_csv(decode(path.read_bytes(), str(path)), is_heading))
    if suffix in (".xlsx", ".xlsm"):
        return _under_heading(_sheet_rows(path, sheet, is_heading))
    if suffix == ".parquet":
        return _parquet_rows(path)
    if suffix in (".jsonl", ".ndjson"):
        return _jsonl_rows(path)
    raise InputRefusedError(
        f"cannot read {suffix or 'a file without suffix'}; expected .csv, .tsv, .txt, .xlsx, .parquet or .jsonl",
        where=str(path),
        hint="save the table in one of these formats",
    )


def decode(raw: bytes, where: str) -> str:
    """The text of a CSV file: UTF-8, with or without mark, GB18030, or UTF-16 with its mark."""
    if raw.startswith(_WIDE_MARKS):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError:
            raise _undecodable(where) from None
    for encoding in ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _undecodable(where)


def _undecodable(where: str) -> InputRefusedError:
    return InputRefusedError(
        "the file is neither UTF-8 nor GB18030 nor UTF-16", where=where, hint="export it again as UTF-8"
    )


def _under_heading(rows: Iterable[CsvRow]) -> Iterator[TableRow]:
    """The rows below the first one that is whole, which is the heading."""
    headings: list[str] | None = None
    for row in rows:
        if row.reason:
            yield TableRow(row.line, {}, row.reason, row.detail)
        elif headings is None:
            headings = [heading_of(cell) for cell in row.cells]
        else:
            yield TableRow(row.line, {name: cell for name, cell in zip(headings, row.cells, strict=True) if name})


def _sheet_rows(path: Path, sheet: str | None, is_heading: HeadingRule | None) -> Iterator[CsvRow]:
    """The rows of a sheet from its heading on, each as wide as it: a sheet leaves out empty cells at a row's end."""
    above: list[CsvRow] = []
    width = 0
    for row in _all_sheet_rows(path, sheet):
        if width:
            yield _as_wide(row, width)
        elif is_heading is None or is_heading(row.cells):
            width = len(row.cells)
            yield row
        else:
            above.append(row)
            if len(above) >= TITLE_LINES:
                width = len(above[0].cells)
                yield from (_as_wide(one, width) for one in above)
    if not width and above:
        yield from (_as_wide(one, len(above[0].cells)) for one in above)


def _as_wide(row: CsvRow, width: int) -> CsvRow:
    if len(row.cells) > width:
        return CsvRow(row.line, (), "csv_fields", f"{len(row.cells)} cells where the heading has {width}")
    return CsvRow(row.line, [*row.cells, *[None] * (width - len(row.cells))])


def _all_sheet_rows(path: Path, sheet: str | None) -> Iterator[CsvRow]:
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        raise InputRefusedError("the file is no workbook", where=str(path), hint="save it again as .xlsx") from None
    if sheet is not None and sheet not in book.sheetnames:
        raise InputRefusedError(f"the workbook has no sheet {sheet!r}", where=str(path), hint="mend the mapping")
    table = book[sheet] if sheet is not None else book.worksheets[0]
    if hasattr(table, "reset_dimensions"):
        table.reset_dimensions()  # some exports state a size of one cell
    for number, cells in enumerate(table.iter_rows(values_only=True), start=1):
        kept = [_sheet_cell(cell) for cell in cells]
        while kept and kept[-1] in (None, ""):
            kept.pop()
        if kept:
            yield CsvRow(number, kept)
    book.close()


def _sheet_cell(value: Any) -> Any:
    """A number of more digits than a sheet keeps is given as what it is: a rounded one."""
    return float(value) if type(value) is int and abs(value) >= 10**EXACT_DIGITS else value


def _parquet_rows(path: Path) -> Iterator[TableRow]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError):
        raise InputRefusedError("the file is no Parquet", where=str(path), hint="write it again") from None
    number = 0
    for batch in file.iter_batches():
        names = [heading_of(name) for name in batch.schema.names]
        columns = [column.to_pylist() for column in batch.columns]
        for cells in zip(*columns, strict=True):
            number += 1
            yield TableRow(number, dict(zip(names, cells, strict=True)))


def _jsonl_rows(path: Path) -> Iterator[TableRow]:
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            raw = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not raw:
                continue
            try:
                row = orjson.loads(raw)
            except orjson.JSONDecodeError:
                row = None
            if isinstance(row, dict):
                yield TableRow(number, {heading_of(name): cell for name, cell in row.items()})
            else:
                yield TableRow(number, {}, "bad_json", "the line is no JSON object")

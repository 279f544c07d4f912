"""Rows of a table file by heading, each with the line it stands on: CSV, XLSX, Parquet, JSON Lines.

What is no row of the table is given as a refusal in its place, with the rule it broke and never with its content.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import InputRefusedError
from pipelines.imports.cells import clean, heading_of
from pipelines.imports.csv_lines import TITLE_LINES, CsvRow, HeadingRule, read_csv
from pipelines.imports.encodings import decode, told
from pipelines.sources.table_values import EXACT_DIGITS

_TOTAL = re.compile(
    r"^(?:本页|本月|当页|全部|所有|订单|总)?(?:合计|总计|小计|共计|汇总|总额)(?:$|[\s:：(（].*)"
    r"|^(?:sub|grand )?totals?:?$",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class TableRow:
    """A row by heading, or why the line is none, with what it holds; `line` counts from 1, in JSON Lines and CSV
    lines, else rows of the sheet."""

    line: int
    cells: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    raw: str = ""
    sheet: str = ""


def read_rows(path: Path, is_heading: HeadingRule | None = None, *, sheet: str | None = None) -> Iterator[TableRow]:
    """The rows of a table file; of a report with a title, the heading is the first row that the rule accepts."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt"):
        return _under_heading(read_csv(decode(path.read_bytes(), str(path)), is_heading))
    if suffix in (".xlsx", ".xlsm"):
        return _book_rows(path, sheet, is_heading)
    if suffix == ".parquet":
        return _parquet_rows(path)
    if suffix in (".jsonl", ".ndjson"):
        return _jsonl_rows(path)
    raise InputRefusedError(
        f"cannot read {suffix or 'a file without suffix'}; expected .csv, .tsv, .txt, .xlsx, .parquet or .jsonl",
        where=str(path),
        hint="save the table in one of these formats",
    )


def is_total(cells: Iterable[Any]) -> bool:
    """Whether a row sums up those above it: its first cell that says anything is a word for a sum.

    >>> is_total(["", "合计", "12"]), is_total(["总计：3单"]), is_total(["A1", "合计"]), is_total(["合计金额单"])
    (True, True, False, False)
    """
    first = next((cell for cell in cells if clean(cell) is not None), None)
    return isinstance(first, str) and bool(_TOTAL.match(str(clean(first))))


def column_names(headings: Sequence[Any]) -> list[str]:
    """The headings as columns are named: of one that stands more than once, each has its number.

    >>> column_names(["订单号", "备注", "备注 ", None])
    ['订单号', '备注#1', '备注#2', '']
    """
    names = [heading_of(cell) for cell in headings]
    counts = Counter(names)
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name] += 1
        if name and counts[name] > 1:
            names[place] = f"{name}#{seen[name]}"
    return names


def _under_heading(rows: Iterable[CsvRow], sheet: str = "") -> Iterator[TableRow]:
    """The rows below the first one that is whole, which is the heading; where it is repeated, and sums, are no rows."""
    names: list[str] | None = None
    headings: list[str] = []
    for row in rows:
        if names is not None and is_total(row.cells):
            continue
        if row.reason:
            yield TableRow(row.line, {}, row.reason, row.detail, told(row.raw), sheet)
        elif names is None:
            headings = [heading_of(cell) for cell in row.cells]
            names = column_names(row.cells)
        elif heading_of(row.cells[0]) != headings[0] or [heading_of(cell) for cell in row.cells] != headings:
            yield TableRow(
                row.line, {name: cell for name, cell in zip(names, row.cells, strict=True) if name}, sheet=sheet
            )


def _book_rows(path: Path, sheet: str | None, is_heading: HeadingRule | None) -> Iterator[TableRow]:
    """The rows of the sheet named, else of every sheet that has the heading; of the first one if none has."""
    book = _open(path)
    if sheet is not None and sheet not in book.sheetnames:
        raise InputRefusedError(f"the workbook has no sheet {sheet!r}", where=str(path), hint="mend the mapping")
    named = [sheet] if sheet is not None else [table.title for table in book.worksheets]
    fitting = [name for name in named if len(named) == 1 or _has_heading(book[name], is_heading)]
    for name in fitting or named[:1]:
        yield from _under_heading(_sheet_rows(book[name], is_heading), name if len(named) > 1 else "")
    book.close()


def _has_heading(table: Any, is_heading: HeadingRule | None) -> bool:
    top = islice(_all_sheet_rows(table), TITLE_LINES)
    return any(is_heading is None or is_heading(row.cells) for row in top)


def _sheet_rows(table: Any, is_heading: HeadingRule | None) -> Iterator[CsvRow]:
    """The rows of a sheet from its heading on, each as wide as it: a sheet leaves out empty cells at a row's end."""
    above: list[CsvRow] = []
    width = 0
    for row in _all_sheet_rows(table):
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
        raw = orjson.dumps(row.cells, default=str).decode()
        return CsvRow(row.line, row.cells, "csv_fields", f"{len(row.cells)} cells where the heading has {width}", raw)
    return CsvRow(row.line, [*row.cells, *[None] * (width - len(row.cells))])


def _open(path: Path) -> Any:
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        raise InputRefusedError("the file is no workbook", where=str(path), hint="save it again as .xlsx") from None


def _all_sheet_rows(table: Any) -> Iterator[CsvRow]:
    """The rows of a sheet in which any cell says anything."""
    if hasattr(table, "reset_dimensions"):
        table.reset_dimensions()  # some exports state a size of one cell
    for number, cells in enumerate(table.iter_rows(values_only=True), start=1):
        kept = [_sheet_cell(cell) for cell in cells]
        while kept and (kept[-1] is None or (isinstance(kept[-1], str) and not kept[-1].strip())):
            kept.pop()
        if kept:
            yield CsvRow(number, kept)


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
        names = column_names(batch.schema.names)
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
                held = raw.decode("utf-8", "backslashreplace")
                yield TableRow(number, {}, "bad_json", "the line is no JSON object", held)

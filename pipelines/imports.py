"""File exports as landing files: a mapping names the columns of a CSV, XLSX, Parquet or JSON Lines table.

Rows of one order are gathered into one record (`pipelines.sources.orders_file`). A CSV row with too many or too few
fields never shifts: it becomes a refused record with its line.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pyarrow.parquet as pq
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigurationError, InputRefusedError
from pipelines.sources.orders_file import ROW_FIELDS, group_rows

ENCODINGS = ("utf-8-sig", "gb18030")
Row = dict[str, Any]


class ImportMapping(BaseModel):
    """A mapping file: which heading of the export is which field of an order line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mapping: str = Field(description="Name of the mapping")
    columns: dict[str, str] = Field(description="Field of the order line -> heading of the export")
    constants: dict[str, str] = Field(default_factory=dict, description="Fields with one value for all rows")
    values: dict[str, dict[str, str]] = Field(default_factory=dict, description="Field -> value in the file -> value")
    fill_down: list[str] = Field(default_factory=list, description="Fields that merged cells leave empty below")
    context: dict[str, str] = Field(default_factory=dict, description="Landing context: brand, shop_id, ...")


def load_mapping(path: Path) -> ImportMapping:
    """The mapping of a file; a wrong or unknown field is named."""
    try:
        mapping = ImportMapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise ConfigurationError(
            f"the mapping cannot be read: {error.strerror}", where=str(path), hint="check the path"
        ) from None
    except yaml.YAMLError:
        raise ConfigurationError("the mapping is no valid YAML", where=str(path), hint="correct the file") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{key!r}: {first['msg']}", where=str(path), hint="correct the mapping") from None
    unknown = sorted({*mapping.columns, *mapping.constants, *mapping.values, *mapping.fill_down} - set(ROW_FIELDS))
    if unknown:
        raise ConfigurationError(
            f"unknown field {unknown[0]!r}; known fields: {', '.join(ROW_FIELDS)}", where=str(path), hint="correct it"
        )
    return mapping


def convert(paths: Iterable[Path], mapping_file: Path, out: Path) -> list[Path]:
    """A landing file per export, under `out`, named by the export's content and the mapping's."""
    mapping = load_mapping(mapping_file)
    written: list[Path] = []
    for path in paths:
        if not path.is_file():
            raise InputRefusedError("no such file", where=str(path), hint="check the path")
        digest = hashlib.sha256(path.read_bytes() + mapping_file.read_bytes()).hexdigest()[:16]
        target = out / digest / f"{path.stem}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as handle:
            for record in records(path, mapping):
                handle.write(orjson.dumps({"context": mapping.context, "payload": record}, default=str) + b"\n")
        written.append(target)
    return written


def records(path: Path, mapping: ImportMapping) -> Iterator[dict[str, Any]]:
    """The orders of an export, and after them the rows that could not be read, as refused records."""
    refused: list[Row] = []
    rows = _mapped(read_rows(path, refused), mapping, where=str(path))
    yield from group_rows(rows)
    yield from refused


def read_rows(path: Path, refused: list[Row]) -> Iterator[Row]:
    """The rows of a table file by heading; unreadable ones are added to `refused`."""
    readers: dict[str, Callable[[Path, list[Row]], Iterator[Row]]] = {
        ".csv": _csv_rows,
        ".xlsx": _xlsx_rows,
        ".parquet": _parquet_rows,
        ".jsonl": _jsonl_rows,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputRefusedError(
            f"cannot read {path.suffix or 'a file without suffix'}; expected {', '.join(readers)}",
            where=str(path),
            hint="export the table in one of these formats",
        )
    return reader(path, refused)


def clean(value: Any) -> Any:
    """A cell as the parsers expect it: no apostrophe or tab that kept a spreadsheet from rounding an id, no NaN.

    >>> clean("'6923456789012345678"), clean("123\\t"), clean(float("nan")), clean(17850.0)
    ('6923456789012345678', '123', None, 17850)
    """
    if isinstance(value, str):
        return value.strip().removeprefix("'").strip() or None
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value


def _mapped(rows: Iterable[Row], mapping: ImportMapping, *, where: str) -> Iterator[Row]:
    above: Row = {}
    for number, row in enumerate(rows):
        if number == 0:
            _require_headings(row, mapping, where)
        line = {field: clean(row.get(heading)) for field, heading in mapping.columns.items()}
        for field in mapping.fill_down:
            line[field] = above[field] = line[field] if line.get(field) is not None else above.get(field)
        for field, known in mapping.values.items():
            line[field] = known.get(str(line.get(field)), line.get(field))
        yield {**mapping.constants, **{field: value for field, value in line.items() if value is not None}}


def _require_headings(row: Mapping[str, Any], mapping: ImportMapping, where: str) -> None:
    lacking = sorted(heading for heading in mapping.columns.values() if heading not in row)
    if lacking:
        raise InputRefusedError(
            f"headings are missing: {', '.join(lacking)}; the file has {', '.join(str(name) for name in row)}",
            where=where,
            hint="mend the mapping or the export",
        )


def _csv_rows(path: Path, refused: list[Row]) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(_text_of(path), newline=""), strict=True)
    headings: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            refused.append(_refusal("csv_quoting", reader.line_num, "the quotes of the line do not close"))
            continue
        if not any(cells):
            continue
        if headings is None:
            headings = [cell.strip() for cell in cells]
        elif len(cells) != len(headings):
            detail = f"{len(cells)} fields where the heading has {len(headings)}"
            refused.append(_refusal("csv_fields", reader.line_num, detail))
        else:
            yield dict(zip(headings, cells, strict=True))


def _text_of(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputRefusedError(
        f"the file is neither {' nor '.join(ENCODINGS)}", where=str(path), hint="export it again as UTF-8"
    )


def _xlsx_rows(path: Path, refused: list[Row]) -> Iterator[Row]:
    del refused  # a sheet's rows always have all columns
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    rows = book.worksheets[0].iter_rows(values_only=True)
    headings = [str(cell).strip() for cell in next(rows, ())]
    for cells in rows:
        if any(cell is not None for cell in cells):
            yield dict(zip(headings, cells, strict=False))


def _parquet_rows(path: Path, refused: list[Row]) -> Iterator[Row]:
    del refused  # a typed file has no broken rows
    for batch in pq.ParquetFile(path).iter_batches():
        names = batch.schema.names
        columns = [column.to_pylist() for column in batch.columns]
        for cells in zip(*columns, strict=True):
            yield dict(zip(names, cells, strict=True))


def _jsonl_rows(path: Path, refused: list[Row]) -> Iterator[Row]:
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                row = None
            if isinstance(row, dict):
                yield row
            else:
                refused.append(_refusal("bad_json", number, "the line is no JSON object"))


def _refusal(reason: str, line: int, detail: str) -> Row:
    return {"refused": reason, "line": line, "detail": detail}

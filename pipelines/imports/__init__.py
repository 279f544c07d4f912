"""File exports as landing files: a mapping names the columns of a CSV, XLSX, Parquet or JSON Lines table.

Rows of one order are gathered into one record (`pipelines.sources.orders_file`), a row of a member list is one
registration. What is no row of the table never shifts: it becomes a refused record with its line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from pipelines.errors import InputRefusedError
from pipelines.imports.cells import as_id, clean, heading_of, is_rounded, place_of
from pipelines.imports.mapping import ImportMapping
from pipelines.imports.members import MEMBER_FIELDS, observation
from pipelines.imports.tables import TableRow, read_rows
from pipelines.sources.base import RecordRefusedError
from pipelines.sources.orders_file import ID_FIELDS, group_rows

Row = dict[str, Any]

_DIGEST = 16
_PLATFORM_IDS = (*ID_FIELDS, *(name for name in MEMBER_FIELDS if name.endswith("id")))


def convert(paths: Iterable[Path], mapping: ImportMapping, out: Path, *, day: str) -> list[Path]:
    """A landing file per export, under `out`, named by the export's content and the mapping's.

    `day` is the business day that a member list without dates holds for.
    """
    written: list[Path] = []
    said = orjson.dumps(mapping.model_dump(), option=orjson.OPT_SORT_KEYS)
    for path in paths:
        if not path.is_file():
            raise InputRefusedError("no such file", where=str(path), hint="check the path")
        content = hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGEST]
        target = out / hashlib.sha256(f"{content}{day}".encode() + said).hexdigest()[:_DIGEST] / f"{path.stem}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(".part")
        with draft.open("wb") as handle:
            for record in records(path, mapping, day=day, place=content):
                handle.write(orjson.dumps({"context": mapping.context, "payload": record}, default=str) + b"\n")
        draft.replace(target)
        written.append(target)
    return written


def records(path: Path, mapping: ImportMapping, *, day: str, place: str = "") -> Iterator[Row]:
    """The orders or members of an export, and after them the rows that could not be read, as refused records."""
    refused: list[Row] = []
    lines = mapped(read_rows(path, _heading_rule(mapping), sheet=mapping.sheet), mapping, refused, where=str(path))
    if mapping.feed == "observations":
        yield from _members(lines, mapping, refused, day=day, place=place)
    else:
        for record in group_rows(line for _, line in lines):
            yield record | ({"holds": mapping.holds} if len(mapping.holds) == 1 else {})
    yield from refused


def mapped(
    rows: Iterable[TableRow], mapping: ImportMapping, refused: list[Row], *, where: str
) -> Iterator[tuple[int, Row]]:
    """The rows by field, each with its line; what is none is added to `refused`.

    A row without the key is the next line of the row above, where the mapping fills down; below a refused row it could
    be anybody's, and is refused too.
    """
    above: Row | None = None
    chosen: Mapping[str, str] | None = None
    for row in rows:
        if row.reason:
            refused.append(_refusal(row.reason, row.line, row.detail))
            above = None
            continue
        if chosen is None:
            chosen = choose_headings(row.cells, mapping, where=where)
        line = _line(row.cells, mapping, chosen)
        lost = next((name for name in _PLATFORM_IDS if is_rounded(line.get(name))), None)
        if lost is not None:
            refused.append(_refusal("rounded_id", row.line, f"{lost} lost digits in a spreadsheet; export it as text"))
            above = None
            continue
        if line.get(mapping.key) is None and mapping.fill_down:
            if above is None:
                refused.append(_refusal("orphan_line", row.line, f"no {mapping.key}, and no whole row above it"))
                continue
            line = {**{name: above[name] for name in mapping.fill_down if name in above}, **line}
        above = line
        yield row.line, {**mapping.constants, **line}


def choose_headings(cells: Mapping[str, Any], mapping: ImportMapping, *, where: str) -> dict[str, str]:
    """Field -> the heading that this export has for it; an export that lacks one that must be there is refused."""
    chosen: dict[str, str] = {}
    lacking: list[str] = []
    for field in mapping.columns:
        found = next((name for name in mapping.headings(field) if heading_of(name) in cells), None)
        if found is not None:
            chosen[field] = heading_of(found)
        elif field not in mapping.optional:
            lacking.append(" or ".join(mapping.headings(field)))
    if lacking:
        raise InputRefusedError(
            f"headings are missing: {', '.join(lacking)}; the file has {', '.join(str(name) for name in cells)}",
            where=where,
            hint="mend the mapping or the export",
        )
    return chosen


def _line(cells: Mapping[str, Any], mapping: ImportMapping, chosen: Mapping[str, str]) -> Row:
    line: Row = {}
    for field, heading in chosen.items():
        value = clean(cells.get(heading), mapping.blank)
        if field in _PLATFORM_IDS:
            value = as_id(value)
        known = mapping.values.get(field)
        if known is not None and value is not None:
            value = known.get(str(value), value)
        if value is not None and value != "":
            line[field] = value
    if "address" in line:
        province, city = place_of(line.pop("address"))
        line = {"province": province, "city": city} | line if province else line
    return line


def _heading_rule(mapping: ImportMapping) -> Any:
    needed = [
        {heading_of(name) for name in mapping.headings(field)}
        for field in mapping.columns
        if field not in mapping.optional
    ]

    def is_heading(cells: Sequence[Any]) -> bool:
        names = {heading_of(cell) for cell in cells}
        return all(names & known for known in needed)

    return is_heading


def _members(
    lines: Iterable[tuple[int, Row]], mapping: ImportMapping, refused: list[Row], *, day: str, place: str
) -> Iterator[Row]:
    for number, line in lines:
        try:
            yield observation(line, mapping.context, day=day, place=f"{place}:{number}")
        except RecordRefusedError as refusal:
            refused.append(_refusal(refusal.reason, number, refusal.detail))


def _refusal(reason: str, line: int, detail: str) -> Row:
    return {"refused": reason, "line": line, "detail": detail}

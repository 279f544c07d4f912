"""File exports as landing files: a mapping names the columns of a CSV, XLSX, Parquet or JSON Lines table.

Rows of one order are gathered into one record (`pipelines.sources.orders_file`), a row of a member list is one
registration. What is no row of the table never shifts: it becomes a refused record with its line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from pipelines.errors import InputRefusedError
from pipelines.imports.cells import are_zeroed, as_id, clean, heading_of, is_rounded, is_zeroed, place_of
from pipelines.imports.mapping import ImportMapping
from pipelines.imports.members import MEMBER_FIELDS, observation
from pipelines.imports.tables import TableRow, read_rows
from pipelines.sources.base import RecordRefusedError
from pipelines.sources.orders_file import ADD_SHOP, ID_FIELDS, NEEDS_SHOP, REST, group_rows
from pipelines.sources.refunds import NUMBERED_BY_PLATFORM

Row = dict[str, Any]

_DIGEST = 16
_PLATFORM_IDS = (*ID_FIELDS, *(name for name in MEMBER_FIELDS if name.endswith("id")))
_BARE = frozenset({*_PLATFORM_IDS, "phone", "receiver_phone"})
_TELLING = ("line_id", "product_id", "sku_id", "brand_sku", "name")
"""Fields that say what a line is about: a row without an order number and without any of them is no line of one."""

_FIRST_ROWS = 500
"""Rows by which it is told whether a column of ids went through numbers."""


@dataclass(frozen=True)
class Table:
    """One table of an export: the heading of each field, headings nobody named, fields that are ids, and those whose
    ids lost digits to zeros."""

    sheet: str
    chosen: Mapping[str, str]
    rest: Sequence[str]
    ids: Sequence[str]
    zeroed: Sequence[str]


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
        if not draft.stat().st_size:
            draft.unlink()
            raise InputRefusedError(
                "the file has no row below its headings",
                where=str(path),
                hint=f"export it again; expected headings: {', '.join(mapping.needed)}",
            )
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
    table: Table | None = None
    waiting = iter(rows)
    first = list(islice(waiting, _FIRST_ROWS))
    for row in chain(first, waiting):
        if row.reason:
            refused.append(_refusal(row, row.reason, row.detail))
            above = None
            continue
        if table is None or table.sheet != row.sheet:
            above, table = None, _table(row, first, mapping, where=where)
        line = _line(row.cells, mapping, table)
        if not line:
            continue
        lost = _lost_id(line, table)
        if lost is not None:
            refused.append(_refusal(row, "rounded_id", f"{lost} lost digits in a spreadsheet; export it as text"))
            above = None
            continue
        if line.get(mapping.key) is None and mapping.fill_down:
            if above is None or not _tells(line, table):
                refused.append(_refusal(row, "orphan_line", f"no {mapping.key}, and no whole row above it"))
                continue
            line = {**{name: above[name] for name in mapping.fill_down if name in above}, **line}
        above = line
        yield row.line, {**mapping.constants, **line}


def _table(row: TableRow, first: Iterable[TableRow], mapping: ImportMapping, *, where: str) -> Table:
    """What holds for the rows of the table that begins with this one."""
    chosen = choose_headings(row.cells, mapping, where=where)
    _need_shop(chosen, mapping, where=where)
    used = set(chosen.values())
    rest = tuple(name for name in row.cells if name not in used and not mapping.ignores(name))
    ids = [name for name in chosen if name in _PLATFORM_IDS]
    own = [one for one in first if one.sheet == row.sheet and not one.reason]
    zeroed = [
        name for name in ids if are_zeroed(as_id(clean(one.cells.get(chosen[name]), mapping.blank)) for one in own)
    ]
    return Table(row.sheet, chosen, rest, tuple(ids), tuple(zeroed))


def _need_shop(chosen: Mapping[str, str], mapping: ImportMapping, *, where: str) -> None:
    """An export of a platform's orders that names no shop is refused, unless its context does."""
    platform = mapping.constants.get("platform") or mapping.context.get("platform", "")
    named = {*chosen, *mapping.constants, *(name for name, value in mapping.context.items() if value)}
    if platform in NUMBERED_BY_PLATFORM and not named & {"shop_id", "seller_nick"}:
        raise InputRefusedError(
            f"the export names no shop, and {NEEDS_SHOP.format(platform)}", where=where, hint=ADD_SHOP
        )


def _lost_id(line: Row, table: Table) -> str | None:
    """The field whose id lost digits."""
    rounded = next((name for name in table.ids if is_rounded(line.get(name))), None)
    return rounded or next((name for name in table.zeroed if is_zeroed(line.get(name))), None)


def _tells(line: Row, table: Table) -> bool:
    """Whether the row says what it is a line of, as far as the table says that of any."""
    known = [name for name in _TELLING if name in table.chosen]
    return not known or any(name in line for name in known)


def choose_headings(cells: Mapping[str, Any], mapping: ImportMapping, *, where: str) -> dict[str, str]:
    """Field -> the heading that this export has for it; an export that lacks one that must be there is refused."""
    chosen: dict[str, str] = {}
    lacking: list[str] = []
    for field in mapping.columns:
        names = [heading_of(name) for name in mapping.headings(field)]
        found = next((name for name in names if name in cells), None)
        twice = next((name for name in names if f"{name}#2" in cells), None)
        if found is not None:
            chosen[field] = found
        elif twice is not None:
            raise InputRefusedError(
                f"the heading {twice} stands more than once; the file has {', '.join(str(name) for name in cells)}",
                where=where,
                hint=f"name {twice}#1 or {twice}#2 in the mapping's columns, or mend the export",
            )
        elif field not in mapping.optional:
            lacking.append(" or ".join(mapping.headings(field)))
    if lacking:
        raise InputRefusedError(
            f"headings are missing: {', '.join(lacking)}; the file has {', '.join(str(name) for name in cells)}",
            where=where,
            hint="mend the mapping or the export",
        )
    return chosen


def _line(cells: Mapping[str, Any], mapping: ImportMapping, table: Table) -> Row:
    """The row by field, and under `rest` what stands in columns that nobody named; empty if it says nothing."""
    line: Row = {}
    for field, heading in table.chosen.items():
        value = clean(cells.get(heading), mapping.blank)
        if field in _BARE:
            value = as_id(value)
        known = mapping.values.get(field)
        if known is not None and value is not None:
            value = known.get(str(value), value)
        if value is not None and value != "":
            line[field] = value
    if "address" in line:
        province, city = place_of(line.pop("address"))
        line = {"province": province, "city": city} | line if province else line
    rest = {name: value for name in table.rest if (value := clean(cells.get(name), mapping.blank)) is not None}
    return line | ({REST: rest} if rest else {})


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
            refused.append({"refused": refusal.reason, "line": number, "detail": refusal.detail, "row": line})


def _refusal(row: TableRow, reason: str, detail: str) -> Row:
    """A record that ingest refuses with this reason; it holds the row, so that it can be mended from quarantine."""
    where = f"{detail} (sheet {row.sheet})" if row.sheet else detail
    return {"refused": reason, "line": row.line, "detail": where, "row": row.raw or dict(row.cells)}

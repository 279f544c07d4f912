"""Exports in tests: composed tables, written as a merchant back office writes them, read to silver rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
from openpyxl import Workbook

from pipelines.imports import convert
from pipelines.imports.mapping import ImportMapping, find_mapping, load_mapping, with_context
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import Context, Parsed, Record, RecordRefusedError
from tests.pipelines.sources.private_domain import DAY, ROOT, SETTINGS

CONF = ROOT / "conf"
FIXTURES = ROOT / "tests" / "fixtures" / "imports"


def ready(name: str, **context: str) -> ImportMapping:
    """A mapping that comes with the product."""
    return with_context(load_mapping(find_mapping(Path(name), CONF)), context)


def simple(columns: dict[str, Any] | None = None, **more: Any) -> ImportMapping:
    """A mapping of a small table."""
    return ImportMapping(mapping="small", columns=columns or {"order_id": "id", "name": "name", "price": "sum"}, **more)


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def sheet(folder: Path, rows: Iterable[Sequence[Any]], name: str = "table.xlsx") -> Path:
    book = Workbook()
    for row in rows:
        book.active.append(list(row))  # type: ignore[union-attr]
    book.save(folder / name)
    return folder / name


def landed(path: Path, mapping: ImportMapping, folder: Path) -> list[dict[str, Any]]:
    """The payloads of the landing file that an export becomes."""
    (written,) = convert([path], mapping, folder / "out", day=DAY)
    return [orjson.loads(line)["payload"] for line in written.read_bytes().splitlines()]


def silver(path: Path, mapping: ImportMapping, folder: Path) -> tuple[list[Parsed], list[str]]:
    """What an export says in silver, and the rules that its refused rows broke."""
    (written,) = convert([path], mapping, folder / "out", day=DAY)
    parser = FEED_PARSERS[mapping.feed]
    parsed: list[Parsed] = []
    refused: list[str] = []
    for line in written.read_bytes().splitlines():
        wrapped = orjson.loads(line)
        context = Context(feed=mapping.feed, interval=DAY, **wrapped["context"])
        try:
            parsed.append(parser.parse(Record(wrapped["payload"], context, SETTINGS[parser.source])))
        except RecordRefusedError as refusal:
            refused.append(f"{refusal.reason} {refusal.detail}")
    return parsed, refused

"""Exports through the task of ingest: staged rows of the declared tables, refused lines sealed, no phone in clear."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from pipelines.imports import convert
from pipelines.jobs.landing import chunks, find_files, make_batch
from pipelines.jobs.worker import Worker
from tests.pipelines.imports.reading import FIXTURES, ready
from tests.pipelines.jobs.composed import worker_setup

DAY = "2025-01-10"
MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
EXPORTS = {
    "douyin_orders_export": ({"shop_id": "4463798"}, {"silver.orders": 2, "silver.order_lines": 3}, 1),
    "tmall_orders_export": ({}, {"silver.orders": 3}, 0),
    "tmall_order_lines_export": ({"shop_id": "s"}, {"silver.order_lines": 3, "silver.refunds": 1}, 0),
    "member_list": ({"brand": "brandA"}, {"silver.members": 2, "silver.identity_observations": 2}, 1),
}


def staged(name: str, context: dict[str, str], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows that ingest stages for an export, by table."""
    mapping = ready(name, **context)
    files = convert([FIXTURES / f"{name}.csv"], mapping, folder / "imports", day=DAY)
    worker = Worker(worker_setup(folder / "staging"))
    for chunk in chunks(make_batch(mapping.feed, DAY, find_files(files)), 1 << 20):
        worker.read_chunk(chunk)
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, table, file, *_ in worker.stage.finish():
        if kind == "staged":
            found.setdefault(table, []).extend(pq.read_table(file).to_pylist())
    return found


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_becomes_rows_of_the_declared_tables(name: str, tmp_path: Path) -> None:
    context, expected, refused = EXPORTS[name]
    found = staged(name, context, tmp_path)
    assert {table: len(found.get(table, [])) for table in expected} == expected
    assert len(found.get("silver.quarantine", [])) == refused


def test_phones_of_a_member_list_are_tokens_outside_bronze(tmp_path: Path) -> None:
    found = staged("member_list", {"brand": "brandA"}, tmp_path)
    silver = {table: rows for table, rows in found.items() if not table.startswith(("bronze.", "silver.quarantine"))}
    assert not MOBILE.search(orjson.dumps(silver, default=str).decode())
    assert "138****1234" not in orjson.dumps(silver, default=str).decode()

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.contract import INDEXES, TABLES, contract_markdown, key_check, pointer_path, snapshot_path

MARK = "<!-- generated from serving/contract/format.py by make golden -->"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "api.md"


def test_the_documentation_describes_every_table_and_column(golden: Callable[[str, Path], None]) -> None:
    written = DOCS.read_text(encoding="utf-8").partition(MARK)[0]
    golden(f"{written}{MARK}\n\n{contract_markdown()}", DOCS)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_says_what_it_means(table: object) -> None:
    columns = table.columns  # type: ignore[attr-defined]  # parametrised with tables
    assert all(len(column.doc) > 5 for column in columns)
    assert len({column.name for column in columns}) == len(columns)


def test_the_statements_of_the_contract_are_good_sql() -> None:
    connection = sqlite3.connect(":memory:")
    for table in TABLES:
        connection.execute(table.ddl())
    for index in INDEXES:
        connection.execute(index)
    assert {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} == {
        table.name for table in TABLES
    }


def test_the_pointer_and_the_snapshot_lie_in_the_home() -> None:
    home = Path("home")
    assert pointer_path(home) == home / "CURRENT"
    assert snapshot_path(home, "s1") == home / "snapshots" / "s1" / "serving.sqlite"


def test_the_key_check_tells_keys_apart_without_showing_them() -> None:
    assert key_check("a" * 64) != key_check("b" * 64)
    assert "a" * 8 not in key_check("a" * 64)

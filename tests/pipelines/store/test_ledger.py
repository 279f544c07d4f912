"""Landing files are read once: the ledger knows feed, interval and content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.store.ledger import known_files
from tests.pipelines.published import write


def file(day: str, digest: str) -> dict[str, Any]:
    return {"feed": "staff", "interval": day, "batch_id": "b", "name": digest, "sha256": digest, "bytes": 1}


def test_the_ledger_of_an_empty_lake_knows_nothing(tmp_path: Path) -> None:
    assert known_files(tmp_path, "2025-03-01", "2025-03-31") == frozenset()


def batch(day: str) -> dict[str, Any]:
    return {"feed": "staff", "interval": day, "batch_id": "b"}


def test_the_ledger_knows_the_files_of_the_days_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "ops.batches", [batch(f"2025-03-{day:02d}") for day in (1, 2, 3, 4)])
    write(tmp_path, "ops.batch_files", [file(f"2025-03-{day:02d}", f"d{day}") for day in (1, 2, 3, 4)])
    assert known_files(tmp_path / "lake", "2025-03-02", "2025-03-03") == {
        ("staff", "2025-03-02", "d2"),
        ("staff", "2025-03-03", "d3"),
    }


def test_files_of_a_batch_that_was_cut_off_before_it_stood_in_the_ledger_are_not_known(tmp_path: Path) -> None:
    write(tmp_path, "ops.batches", [batch("2025-03-02"), batch("2025-03-01") | {"batch_id": "another"}])
    write(tmp_path, "ops.batch_files", [file("2025-03-01", "d1"), file("2025-03-02", "d2")])
    assert known_files(tmp_path / "lake", "2025-03-01", "2025-03-31") == {("staff", "2025-03-02", "d2")}

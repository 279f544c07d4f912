"""A table is read from its log once per state of the log, and never from a state that is gone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from pipelines.store import versions
from pipelines.store.versions import opened


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = str(tmp_path / "table")
    write_deltalake(path, pl.DataFrame({"n": [1]}).to_arrow())
    return path


def add(path: str, number: int) -> None:
    """A row, written by whoever knows nothing of what was opened here."""
    write_deltalake(path, pl.DataFrame({"n": [number]}).to_arrow(), mode="append")


def numbers(path: str, version: int | None = None) -> list[int]:
    return sorted(opened(path, version).to_pyarrow_table()["n"].to_pylist())


def test_an_unchanged_log_is_read_once(table: str) -> None:
    assert opened(table) is opened(table)
    assert opened(table, 0) is opened(table, 0)


def test_another_writers_commit_is_seen(table: str) -> None:
    assert numbers(table) == [1]
    add(table, 2)
    assert numbers(table) == [1, 2]
    assert numbers(table, 0) == [1]


def test_a_restored_and_a_shortened_log_is_read_anew(table: str, tmp_path: Path) -> None:
    add(table, 2)
    shutil.copytree(table, tmp_path / "copy")
    add(table, 3)
    assert numbers(table) == [1, 2, 3]
    (Path(table) / "_delta_log" / "00000000000000000002.json").unlink()
    assert numbers(table) == [1, 2]
    DeltaTable(table).delete("n = 2")
    assert numbers(table) == [1]
    shutil.rmtree(table)
    shutil.copytree(tmp_path / "copy", table)
    assert numbers(table) == [1, 2]


def test_a_commit_written_over_in_place_is_read_anew(table: str) -> None:
    assert numbers(table) == [1]
    commit = Path(table) / "_delta_log" / "00000000000000000000.json"
    commit.write_text("{")
    with pytest.raises(DeltaError):
        opened(table)


def test_what_is_only_being_written_or_just_removed_disturbs_nobody(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opened(table)
    log = Path(table) / "_delta_log"
    for name in (".stamp", ".00000000000000000001.draft", "00000000000000000001.json#1"):
        (log / name).write_text("{}")
    assert opened(table) is before

    class Listing:
        """The log as listed, an entry of which goes before it is looked at."""

        def __enter__(self) -> list[os.DirEntry[str]]:
            (log / "00000000000000000009.json").write_text("{}")
            with scandir(log) as entries:
                found = list(entries)
            (log / "00000000000000000009.json").unlink()
            return found

        def __exit__(self, *_: object) -> None:
            """Nothing is open any more."""

    scandir = os.scandir
    monkeypatch.setattr(versions.os, "scandir", lambda _: Listing())
    assert opened(table) is before

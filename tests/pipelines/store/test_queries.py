"""A query over a table reads the files of its newest version, and those alone, in the declared columns and types."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipelines.store import versions
from pipelines.store.arrow import arrow_table
from pipelines.store.local import LocalLake
from pipelines.store.versions import active_files, rows_of
from pipelines.tables import ALL
from tests.pipelines.published import complete

DAY = date(2025, 3, 1)
BATCHES = ALL["ops.batches"]
RAW = ALL["bronze.observations"]


def batches(lake: Path, **columns: Any) -> None:
    """One more row of ops.batches in a file of its own."""
    put(lake, "ops.batches", columns)


def put(lake: Path, name: str, row: dict[str, Any]) -> None:
    frame = pl.from_arrow(arrow_table(ALL[name], [complete(ALL[name], row)]))
    assert isinstance(frame, pl.DataFrame)
    LocalLake(lake).append(ALL[name], frame)


def names(lake: Path) -> list[str]:
    return [row["batch_id"] for row in rows_of(lake, "ops.batches", "SELECT batch_id FROM t ORDER BY 1")]


def test_a_table_that_is_not_there_and_one_without_files_have_no_rows(tmp_path: Path) -> None:
    assert names(tmp_path) == []
    LocalLake(tmp_path).create(BATCHES)
    assert names(tmp_path) == []
    assert rows_of(tmp_path, "ops.batches", "SELECT count(*) AS n FROM t") == [{"n": 0}]


def test_files_that_the_newest_version_dropped_are_not_read(tmp_path: Path) -> None:
    batches(tmp_path, batch_id="b1")
    batches(tmp_path, batch_id="b2")
    LocalLake(tmp_path).restore(BATCHES, 1)
    assert names(tmp_path) == ["b1"]


def test_a_column_that_no_file_has_is_null_and_one_nobody_declared_is_left_out(tmp_path: Path) -> None:
    batches(tmp_path, batch_id="b1")
    (file,) = active_files(tmp_path, "ops.batches")
    pq.write_table(pq.read_table(file).drop_columns(["good"]).append_column("extra", [["x"]]), file)
    (row,) = rows_of(tmp_path, "ops.batches", "SELECT * FROM t")
    assert tuple(row) == BATCHES.column_names
    assert (row["batch_id"], row["good"]) == ("b1", None)


@pytest.mark.parametrize("folder", ["a*", "a?", "中 文'"])
def test_a_folder_whose_name_could_be_a_pattern_is_itself_alone(tmp_path: Path, folder: str) -> None:
    batches(tmp_path / folder, batch_id="mine")
    for other in ("ab", "ac"):
        shutil.copytree(tmp_path / folder, tmp_path / other)
    assert names(tmp_path / folder) == ["mine"]


def test_a_partition_is_a_column_of_its_type_also_where_it_has_no_value(tmp_path: Path) -> None:
    for number, day in enumerate(("2025-03-01", "2025-03-02")):
        put(tmp_path, RAW.full_name, {"batch_id": f"b{number}", "interval": day})
    found = rows_of(tmp_path, RAW.full_name, "SELECT batch_id, interval FROM t WHERE interval > $day", {"day": DAY})
    assert found == [{"batch_id": "b1", "interval": date(2025, 3, 2)}]


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine of another zone, and a database that is opened there."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    versions._database.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    versions._database.cache_clear()


@pytest.mark.usefixtures("tokyo")
@pytest.mark.parametrize("other_writer", [False, True], ids=["own file", "instants without a zone"])
def test_instants_are_utc_whatever_the_machines_zone_and_the_writer(tmp_path: Path, *, other_writer: bool) -> None:
    moment = datetime(2025, 3, 1, 1, 0, tzinfo=UTC)
    put(tmp_path, "ops.audit", {"at": moment})
    (file,) = active_files(tmp_path, "ops.audit")
    if other_writer:
        pq.write_table(pq.read_table(file), file, use_deprecated_int96_timestamps=True)
    (row,) = rows_of(tmp_path, "ops.audit", 'SELECT "at", "at"::VARCHAR AS text FROM t')
    assert (row["at"], row["text"]) == (moment, "2025-03-01 01:00:00+00")


@pytest.mark.e2e
def test_looking_things_up_loads_none_of_the_libraries_that_it_does_not_use() -> None:
    heavy = "{'pandas', 'scipy', 'great_expectations', 'pyarrow.dataset'}"
    probe = f"import sys, pipelines.lookup, pipelines.catalog; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", probe], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

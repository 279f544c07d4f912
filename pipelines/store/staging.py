"""Rows on their way between the steps of the stitcher: parquet files that a task leaves and the same run reads.

Only names of files and counts travel back through Spark. A task that Spark repeats leaves other files, which nobody
names: only files of finished tasks are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql import DataFrame

from pipelines.store.arrow import dictionary_columns
from pipelines.store.lake import Lake

RESULT_SCHEMA = "name string, file string, rows bigint"
Task = Callable[[pa.Table], Mapping[str, pl.DataFrame]]
"""What a task makes of its partition: frames by the name under which they are staged."""

Work = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@dataclass
class Staged:
    """Staged files by name, with the rows they hold."""

    files: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def read(self, lake: Lake, name: str) -> DataFrame | None:
        """The rows staged under a name, None when there are none."""
        files = self.files.get(name)
        return lake.read_staged(sorted(files)) if files else None

    def frame(self, name: str) -> pl.DataFrame | None:
        """The same rows in memory, for results that are known to be small."""
        files = self.files.get(name)
        return pl.concat([pl.read_parquet(file) for file in sorted(files)]) if files else None

    def add(self, other: Staged) -> None:
        """The files of another step are known here too."""
        for name, files in other.files.items():
            self.files.setdefault(name, []).extend(files)
            self.rows[name] = self.rows.get(name, 0) + other.rows[name]


def run_staged(frame: DataFrame, task: Task, folder: Path) -> Staged:
    """The task ran once on every partition of the frame; what it made is staged in the folder."""
    return _collected(frame, _stager(task, str(folder)))


def _collected(frame: DataFrame, work: Work) -> Staged:
    staged = Staged()
    for row in sorted(frame.mapInArrow(work, RESULT_SCHEMA).collect()):
        staged.files.setdefault(row["name"], []).append(row["file"])
        staged.rows[row["name"]] = staged.rows.get(row["name"], 0) + row["rows"]
    return staged


def run_on_files(lake: Lake, files: Sequence[str], task: Task, folder: Path, *, tasks: int) -> Staged:
    """The task ran on the rows of Parquet files in so many parts; what it made is staged in the folder.

    The tasks read the files themselves: rows that pass through the JVM on their way to Python take longer than most of
    what is done with them.
    """
    groups = [(file, group) for file in files for group in range(pq.read_metadata(file).num_row_groups)]
    parts = [part for part in (groups[place::tasks] for place in range(tasks)) if part]
    if not parts:
        return Staged()
    places = lake.spark.range(0, len(parts), 1, len(parts))
    return _collected(places, _reader(parts, task, str(folder)))


def count_rows(files: Iterable[str]) -> int:
    """How many rows Parquet files have, as they say themselves."""
    return sum(int(pq.read_metadata(file).num_rows) for file in files)


def stage_rows(frame: DataFrame, name: str, folder: Path) -> Staged:
    """The rows of the frame are staged as they are: what reads them again has a plan of its own, not a nested one."""
    return run_staged(frame, Passing(name), folder)


class Passing:
    """The task that stages its partition under a name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, table: pa.Table) -> Mapping[str, pl.DataFrame]:
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return {self._name: frame}


def _stager(task: Task, folder: str) -> Work:
    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parts = list(batches)
        if parts:
            yield _written(task(pa.Table.from_batches(parts)), folder)

    return work


def _reader(parts: Sequence[Sequence[tuple[str, int]]], task: Task, folder: str) -> Work:
    """Each row of its input is the number of a part, whose row groups it reads."""

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for place in batch.column(0).to_pylist():
                rows = [pq.ParquetFile(file).read_row_group(group) for file, group in parts[place]]
                yield _written(task(pa.concat_tables(rows)), folder)

    return work


def _written(made: Mapping[str, pl.DataFrame], folder: str) -> pa.RecordBatch:
    results = [(name, write_part(frame, folder, name), frame.height) for name, frame in made.items() if frame.height]
    names, files, rows = zip(*results, strict=True) if results else ((), (), ())
    columns = [pa.array(names, pa.string()), pa.array(files, pa.string()), pa.array(rows, pa.int64())]
    return pa.RecordBatch.from_arrays(columns, names=["name", "file", "rows"])


def write_part(frame: pl.DataFrame, folder: str, name: str) -> str:
    """The frame is in a file of its own, whose path is returned; a repeated task writes another file."""
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    task = TaskContext.get()
    assert task is not None, "files are staged by tasks"
    path = place / f"{task.stageId()}-{task.partitionId()}-{task.taskAttemptId()}.parquet"
    # Spark cannot read Arrow's large strings and lists from polars' own writer as declared types.
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    repeated = dictionary_columns(table)
    # Keys are random numbers: to press them takes longer than to write them and saves little.
    packed = "NONE" if all(pa.types.is_integer(kind) for kind in table.schema.types) else "ZSTD"
    pq.write_table(table, path, compression=packed, use_dictionary=repeated, write_statistics=False)
    return str(path)

"""`run` without a JVM: ingest, stitch and publish with the jobs' own code, for tests that kill it many times.

A small day's records are parsed by Spark, then written by this process; here they are parsed by this process too.
Features, tags and gold, which Spark computes, are left out: `make sweep` kills whole runs.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines import publish as publishing
from pipelines import runner
from pipelines.cli.app import as_failure
from pipelines.cli.common import say, settings_of, writing
from pipelines.jobs import s2_silver
from pipelines.jobs.context import RunContext
from pipelines.jobs.s1_bronze import BatchKey, collect_results
from pipelines.jobs.s7_publish import publish_snapshot
from pipelines.jobs.worker import read_bronze_row, run_task
from pipelines.keys import load_keys
from pipelines.settings import Settings
from pipelines.spec import Table
from pipelines.store.lake import Lake
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from pipelines.verify import refuse_damage

JOBS = ("s1_bronze", "s2_silver", "s3_identity")
Task = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class Rows:
    """Rows of this process with the little of a Spark frame that the jobs ask for."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    def mapInArrow(self, task: Task, _schema: str) -> Rows:  # noqa: N802  # Spark's name
        return Rows(pa.Table.from_batches(task(self.rows.to_batches())))

    def __getattr__(self, _name: str) -> Callable[..., Rows]:
        """Any other operation: of what is noted for the features nothing is ever read."""
        return lambda *_: self

    def collect(self) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.rows.to_pylist()]


class Session:
    """Stands where a Spark session does."""

    class conf:  # noqa: N801  # Spark's name
        """Settings that nothing reads."""

        @staticmethod
        def set(_name: str, _value: str) -> None:
            """Nothing is kept."""

    def createDataFrame(self, rows: Any, schema: str = "") -> Rows:  # noqa: N802  # Spark's name
        """The rows in columns; `schema` is `name type, ...`."""
        if isinstance(rows, pa.Table):
            return Rows(rows)
        names = [part.split()[0] for part in schema.split(",")]
        return Rows(pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows]))


class DirectLake(Lake):
    """A lake whose tables are found without a JVM."""

    def exists(self, table: Table) -> bool:
        return self.local.exists(table)


def stage_from_bronze(context: RunContext, batches: frozenset[BatchKey]) -> None:
    """Batches that silver has not applied are parsed again from bronze."""
    for name in [name for name in context.state.staged if name.startswith("bronze.")]:
        del context.state.staged[name]
    task = run_task(context.setup, read_bronze_row)
    for feed in sorted({feed for feed, _, _ in batches}):
        rows = context.lake.local.scan(ALL[f"bronze.{feed}"]).with_columns(pl.col("interval").cast(pl.String))
        own = pl.DataFrame([key[1:] for key in batches if key[0] == feed], ["interval", "batch_id"], orient="row")
        found = rows.join(own.lazy(), on=["interval", "batch_id"], how="semi").with_columns(feed=pl.lit(feed))
        wanted = found.select(
            "feed", "interval", "batch_id", "source_file", "line", "element", "context", "payload"
        ).collect()
        staged = pa.Table.from_batches(task(wanted.to_arrow().to_batches()))
        collect_results(context, [tuple(row.values()) for row in staged.to_pylist()])


def run(settings: Settings, request: runner.RunRequest) -> str:
    """The days are ingested, stitched and published; gives the snapshot's id."""
    session: Any = Session()
    runner.Lake = DirectLake  # type: ignore[misc]  # the one place where the runner makes its lake
    s2_silver._stage_from_bronze = stage_from_bronze
    context = runner.make_context(session, settings, load_keys(settings.keys), request, say)
    runner.run_jobs(context, JOBS)
    return publish_snapshot(context)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the days of the command line; gives the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["run", "backfill"])
    parser.add_argument("--from", dest="first", required=True)
    parser.add_argument("--to", dest="last", required=True)
    parser.add_argument("--wait", type=float, default=0.0)
    parser.add_argument("--full-at", default="")
    options = parser.parse_args(words)
    settings = settings_of(None)
    fill_up(options.full_at)
    try:
        with writing(settings, options.wait):
            refuse_damage(settings.home)
            late = options.command == "backfill"
            run(settings, runner.RunRequest(options.first, options.last, keep_newest=late))
    except BaseException as error:  # noqa: BLE001  # as the command line does
        told = as_failure(error)
        with contextlib.suppress(OSError):
            say(f"{type(error).__name__}: {told.message}")
        return int(told.code)
    return 0


def fill_up(place: str) -> None:
    """The storage is full from that place of the run on: in bronze, amid the stitcher's tables, while publishing."""

    def full(*_: object, **__: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_for(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, table, *rest, **more: (full if table.name == name else real)(self, table, *rest, **more)

    if place == "bronze":
        LocalLake.append_once = full_for("shop_orders", LocalLake.append_once)  # type: ignore[method-assign]
    elif place == "stitch":
        LocalLake._apply = full_for("oneids", LocalLake._apply)  # type: ignore[method-assign]
    elif place == "manifest":
        publishing.sync_folder = full
    elif place == "pointer":
        publishing.stage_pointer = full


if __name__ == "__main__":
    sys.exit(main())

"""Raw landing files to silver columns by several engines; each gives the figures by which their answers are compared.

`product` is what a run does with a record: split, parse, shape (tokens, evidence, lineage), bronze and silver staged.
`columns` is the product's parsers for the compared columns alone. Polars and DuckDB read the same files to the same
columns with their own JSON readers, which know nothing of other forms, unknown fields, bad records or evidence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from identity.policy import Policy
from pipelines.clock import stopwatch
from pipelines.jobs.landing import Chunk, chunks, find_files, make_batch
from pipelines.jobs.records import make_record, read_lines, records_of_line
from pipelines.jobs.worker import Worker, WorkerSetup
from pipelines.keys import Keys
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import Settings
from pipelines.sources.config import load_sources

CORES = 2
CHUNK_BYTES = 16 * 1024 * 1024
LINE_BYTES = 64 * 1024 * 1024
WARMING_SECONDS = 0.2
ROOT = Path(__file__).resolve().parents[1]
KEYS = Keys("1d" * 32, "2e" * 32, "3f" * 32)

MONEY = ("list_fen", "paid_fen", "freight_fen")
ORDER = ("order_id", "shop_id", "created_at", "paid_at", "updated_at", *MONEY, "province", "business_date")
LINE = ("order_id", "line_id", "product_id", "sku_id", "quantity", "paid_fen", "room_id", "talent_id")
EVENT = ("event", "device_at", "url_path", "scene", "utm_source", "product_id")
TABLES = {
    "douyin_orders": (("silver.orders", ORDER), ("silver.order_lines", LINE)),
    "miniprogram_events": (("silver.events", EVENT),),
}
CHECKS = {
    "silver.orders": "SELECT count(*), sum(paid_fen), sum(freight_fen), count(DISTINCT business_date), count(province)",
    "silver.order_lines": "SELECT count(*), sum(paid_fen), sum(quantity), count(room_id), count(talent_id)",
    "silver.events": "SELECT count(*), count(url_path), count(scene), count(utm_source), count(product_id)",
}
"""What must be equal between the engines."""

Timed = tuple[float, int, dict[str, list[int]]]
Engine = Callable[[str, Path, Path], Timed]
"""Seconds, peak MiB of a process, and answers for a feed; from a folder of landing files, staging in another one."""


def product(feed: str, files: Path, out: Path) -> Timed:
    """Everything a task of ingest does, in two processes."""
    return _in_processes(_stage_chunks, feed, files, out)


def columns(feed: str, files: Path, out: Path) -> Timed:
    """The product's parsers, for the compared columns only, in two processes."""
    return _in_processes(_parse_chunks, feed, files, out)


def duckdb(feed: str, files: Path, out: Path) -> Timed:
    """DuckDB's JSON reader and SQL, on two threads."""
    import duckdb as engine

    from bench._ingest_sql import DUCKDB

    connection = engine.connect()
    connection.execute(f"SET threads = {CORES}")
    watch = stopwatch()
    source, selects = DUCKDB[feed]
    connection.execute(source.format(files=files))
    for name, select in selects.items():
        connection.execute(f"COPY ({select}) TO '{out / name}.parquet' (FORMAT parquet)")
    return watch(), peak_mib(), _checked(out, feed)


def polars(feed: str, files: Path, out: Path) -> Timed:
    """Polars' NDJSON reader and expressions; its threads are set by POLARS_MAX_THREADS."""
    from bench._ingest_sql import polars_frames

    watch = stopwatch()
    for name, frame in polars_frames(feed, files).items():
        frame.write_parquet(out / f"{name}.parquet")
    return watch(), peak_mib(), _checked(out, feed)


ENGINES: dict[str, Engine] = {"product": product, "columns": columns, "duckdb": duckdb, "polars": polars}


def _in_processes(work: Callable[[str, Sequence[Chunk], Path, int], int], feed: str, files: Path, out: Path) -> Timed:
    batch = make_batch(feed, files.name, find_files([files]))
    cut = list(chunks(batch, CHUNK_BYTES))
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(CORES * 4)))
        watch = stopwatch()
        done = [pool.submit(work, feed, cut[number::CORES], out, number) for number in range(CORES)]
        peaks = [one.result() for one in done]
        seconds = watch()
    return seconds, max(peaks), _checked(out, feed)


def peak_mib() -> int:
    """The most memory that this process held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def _warm(number: int) -> int:
    """The process has loaded what a task is sent once; it waits so that every process takes its turn."""
    _settings()
    _policy()
    time.sleep(WARMING_SECONDS)
    return number


@cache
def _settings() -> dict[str, Settings]:
    return load_sources(ROOT / "conf")


@cache
def _policy() -> Policy:
    return Policy.load(ROOT / "conf" / "identity.yaml")


def _stage_chunks(feed: str, cut: Sequence[Chunk], out: Path, number: int) -> int:
    worker = Worker(WorkerSetup(str(out / f"p{number}"), _policy(), KEYS, {}, _settings(), LINE_BYTES))
    for chunk in cut:
        worker.read_chunk(chunk)
    list(worker.stage.finish())
    return peak_mib()


def _parse_chunks(feed: str, cut: Sequence[Chunk], out: Path, number: int) -> int:
    parser = FEED_PARSERS[feed]
    settings = _settings()[parser.source]
    held: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in TABLES[feed]}
    for chunk in cut:
        for line, raw in read_lines(chunk, LINE_BYTES):
            for record in records_of_line(line, raw, parser=parser, settings=settings, interval=chunk.interval):
                for table, row in parser.parse(make_record(record, parser, settings)).rows:
                    held[table].append(row)
    for name, names in TABLES[feed]:
        folder = out / f"p{number}" / name
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(_table(held[name], names), folder / "rows.parquet")
    return peak_mib()


def _table(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> pa.Table:
    kept = list(rows)
    return pa.table({name: [row.get(name) for row in kept] for name in names})


def _checked(out: Path, feed: str) -> dict[str, list[int]]:
    """The compared figures of what was written."""
    import duckdb as engine

    found: dict[str, list[int]] = {}
    for name, _ in TABLES[feed]:
        own = out / f"{name}.parquet"
        source = own if own.exists() else out / "p*" / name / "*.parquet"
        row = engine.sql(f"{CHECKS[name]} FROM read_parquet('{source}')").fetchone()
        found[name] = [int(value or 0) for value in row or ()]
    return found

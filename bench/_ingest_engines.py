"""Raw landing files to silver columns by several engines; each gives the figures by which their answers are compared.

`lake` is the whole way: the jobs s1 and s2 in two runs, from landing files to Delta tables with every check and upsert.
`product` is what its tasks do with a record: split, parse, shape (tokens, evidence, lineage), bronze and silver staged.
`columns` is the product's parsers for the compared columns alone. Polars and DuckDB read the same files to the same
columns with their own JSON readers, which know nothing of other forms, unknown fields, bad records or evidence; where
the product makes keyed digests, they make hashes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import date, timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from bench._brand import settings_of
from identity.policy import Policy
from pipelines.cli.common import cluster_session
from pipelines.clock import stopwatch
from pipelines.demo import MIX_KEYS
from pipelines.jobs.landing import Chunk, chunks, find_files, make_batch
from pipelines.jobs.records import make_record, read_lines, records_of_line
from pipelines.jobs.worker import WorkerSetup, parse_rows, read_chunk_row
from pipelines.keys import Keys, create_demo_keys, load_keys
from pipelines.runner import RunRequest, run_pipeline
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import Settings
from pipelines.sources.config import load_sources

CORES = 2
JOBS = ("s1_bronze", "s2_silver")
CHUNK_BYTES = 16 * 1024 * 1024
LINE_BYTES = 64 * 1024 * 1024
WARMING_SECONDS = 0.2
ROOT = Path(__file__).resolve().parents[1]

ORDER = (
    *("platform", "order_id", "shop_id", "status", "status_raw", "order_type", "is_paid", "is_presale", "created_at"),
    *("paid_at", "shipped_at", "finished_at", "closed_at", "updated_at", "business_date", "list_fen", "paid_fen"),
    *("freight_fen", "discount_fen", "platform_subsidy_fen", "deposit_fen", "currency", "channel_origin", "province"),
    *("city", "phone_tail", "version_key"),
)
LINE = (
    *("platform", "shop_id", "order_id", "line_id", "product_id", "sku_id", "brand_sku", "product_name", "quantity"),
    *("unit_price_fen", "list_fen", "paid_fen", "is_gift", "is_paid", "status", "status_raw", "refund_state"),
    *("created_at", "paid_at", "updated_at", "business_date", "channel_origin", "room_id", "video_id", "talent_id"),
    *("ad_creative_id", "version_key"),
)
EVENT = (
    *("event_id", "app_id", "event", "event_at", "device_at", "business_date", "url_path", "scene", "utm_source"),
    *("utm_campaign", "product_id", "duration_ms", "properties", "version_key"),
)
TABLES = {
    "douyin_orders": (("silver.orders", ORDER), ("silver.order_lines", LINE)),
    "miniprogram_events": (("silver.events", EVENT),),
}
SUMS = {
    "silver.orders": (
        *("list_fen", "paid_fen", "freight_fen", "discount_fen", "platform_subsidy_fen", "deposit_fen"),
        *("is_paid::INT", "is_presale::INT", "(status = 'finished')::INT", "(status = 'deposit_paid')::INT"),
        "(channel_origin = 'live')::INT",
    ),
    "silver.order_lines": (
        *("paid_fen", "list_fen", "unit_price_fen", "quantity", "is_gift::INT", "(refund_state = 'success')::INT"),
        *("(status = 'closed')::INT", "(channel_origin = 'short_video')::INT"),
    ),
    "silver.events": ("duration_ms",),
}
COUNTS = {
    "silver.orders": ("shipped_at", "finished_at", "closed_at", "province", "city", "phone_tail"),
    "silver.order_lines": ("paid_at", "room_id", "video_id", "talent_id", "ad_creative_id", "brand_sku"),
    "silver.events": ("url_path", "scene", "utm_source", "utm_campaign", "product_id", "app_id"),
}
KINDS = {
    "silver.orders": ("order_id", "business_date", "status_raw", "channel_origin"),
    "silver.order_lines": ("line_id", "product_name", "business_date", "channel_origin"),
    "silver.events": ("event_id", "event", "business_date", "event_at"),
}
"""What must be equal between the engines: sums, numbers of values, and numbers of distinct values."""

KEYS_OF = {"silver.orders": "order_id", "silver.order_lines": "order_id, line_id", "silver.events": "event_id"}
"""What rows are versions of."""

Answers = dict[str, list[int]]
Timed = tuple[float, int, Answers]
Engine = Callable[[str, Path, Path], Timed]
"""Seconds, peak MiB of a process, and answers for a feed; from a folder of landing files, staging in another one."""


def product(feed: str, files: Path, out: Path) -> Timed:
    """Everything a task of ingest does, in two processes."""
    return _in_processes(_stage_chunks, feed, files, out)


def columns(feed: str, files: Path, out: Path) -> Timed:
    """The product's parsers, for the compared columns only, in two processes."""
    return _in_processes(_parse_chunks, feed, files, out)


def lake(feed: str, files: Path, out: Path) -> Timed:
    """The whole way into a lake by the jobs s1 and s2, in two runs: the second merges its rows into the first."""
    settings = settings_of(out / "home")
    create_demo_keys(settings.keys, MIX_KEYS)
    days = [date.fromisoformat(files.name) + timedelta(days=number) for number in range(2)]
    for place, path in enumerate(sorted(files.glob("*.jsonl"))):
        landed = settings.landing / feed / days[place % len(days)].isoformat()
        landed.mkdir(parents=True, exist_ok=True)
        (landed / path.name).hardlink_to(path)
    seconds = 0.0
    with cluster_session(settings) as cluster:
        for day in map(date.isoformat, days):
            report = run_pipeline(cluster, settings, RunRequest(day, day, only=JOBS), lambda line: None)
            seconds += sum(job["seconds"] for job in report["jobs"])  # type: ignore[attr-defined]  # a list of jobs
    return seconds, peak_mib(), _checked(out, feed)


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
    """Polars' NDJSON reader and expressions, file by file, as all at once would not fit into the memory of a machine of
    this size; its threads are set by POLARS_MAX_THREADS."""
    from bench._ingest_polars import polars_frames

    watch = stopwatch()
    for number, file in enumerate(sorted(files.glob("*.jsonl"))):
        for name, frame in polars_frames(feed, file).items():
            folder = out / f"p{number}" / name
            folder.mkdir(parents=True)
            frame.write_parquet(folder / "rows.parquet")
    return watch(), peak_mib(), _checked(out, feed)


ENGINES: dict[str, Engine] = {"lake": lake, "product": product, "columns": columns, "duckdb": duckdb, "polars": polars}


def _in_processes(work: Callable[[str, Sequence[Chunk], Path, int], int], feed: str, files: Path, out: Path) -> Timed:
    batch = make_batch(feed, files.name, find_files([files]))
    cut = list(chunks(batch, CHUNK_BYTES))
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(CORES * 4)))
        watch = stopwatch()
        done = [pool.submit(work, feed, cut[number::CORES], out, number) for number in range(CORES)]
        peaks = [one.result() for one in done]
        seconds = watch()
    return seconds, max(peaks), _checked(out, feed, keyed=work is _stage_chunks)


def peak_mib() -> int:
    """The most memory that this process held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def _warm(number: int) -> int:
    """The process has loaded what a task is sent once; it waits so that every process takes its turn."""
    _settings()
    _policy()
    _keys()
    time.sleep(WARMING_SECONDS)
    return number


@cache
def _settings() -> dict[str, Settings]:
    return load_sources(ROOT / "conf")


@cache
def _keys() -> Keys:
    """The keys of every demo, so that digests are those of the lake."""
    with tempfile.TemporaryDirectory() as folder:
        create_demo_keys(Path(folder), MIX_KEYS)
        return load_keys(Path(folder))


@cache
def _policy() -> Policy:
    return Policy.load(ROOT / "conf" / "identity.yaml")


def _stage_chunks(feed: str, cut: Sequence[Chunk], out: Path, number: int) -> int:
    setup = WorkerSetup(str(out / f"p{number}"), _policy(), _keys(), {}, _settings(), LINE_BYTES)
    parse_rows(setup, read_chunk_row, [asdict(chunk) for chunk in cut])
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


def _checked(out: Path, feed: str, *, keyed: bool = False) -> Answers:
    """The compared figures of what was written: of all versions of a row, and of the latest, which a lake keeps.

    `keyed`: equal versions are told apart by the same keyed digests as in a lake.
    """
    found: Answers = {}
    for name, _ in TABLES[feed]:
        own, stored = out / f"{name}.parquet", out / "home" / "lake" / name.replace(".", "/")
        if stored.exists():
            found[f"{name}, latest"] = _figures(name, DeltaTable(stored).file_uris())
        elif own.exists():
            found[name] = _figures(name, [str(own)])
        else:
            files = [str(out / "p*" / name / "*.parquet")]
            last = f"QUALIFY row_number() OVER (PARTITION BY {KEYS_OF[name]} ORDER BY version_key DESC) = 1"
            found[name] = _figures(name, files)
            if keyed:
                found[f"{name}, latest"] = _figures(name, files, last)
    return found


def _figures(name: str, files: list[str], rows: str = "") -> list[int]:
    import duckdb as engine

    asked = [f"sum({what})" for what in SUMS[name]] + [f"count({what})" for what in COUNTS[name]]
    asked += [f"count(DISTINCT {what})" for what in KINDS[name]]
    source = f"(SELECT * FROM read_parquet({files}) {rows})"
    row = engine.sql(f"SELECT count(*), {', '.join(asked)} FROM {source}").fetchone()
    return [int(value or 0) for value in row or ()]

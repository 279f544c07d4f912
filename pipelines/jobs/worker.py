"""What one Spark task does with raw input: parse, shape, and leave rows per table as staged parquet files.

Only counts and file names travel back through Spark; the rows themselves wait in files that the same run reads. A task
that Spark repeats leaves other files, which nobody names: only files of finished tasks are read.
"""

from __future__ import annotations

import gc
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from identity import Policy
from pipelines.jobs.landing import Chunk
from pipelines.jobs.plain_records import PlainRecord, PlainRecords
from pipelines.jobs.records import DamagedFileError, RawRecord, make_record, read_lines, records_of_line
from pipelines.jobs.shaping import Shaped, Shaper
from pipelines.jobs.wrapper import make_context
from pipelines.keys import Keys, seal
from pipelines.memory import reused_memory
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import FeedParser, Record, RecordRefusedError, Settings
from pipelines.store.arrow import arrow_columns, dictionary_columns
from pipelines.tables import ALL

BUILD_ROWS = 1_024
FLUSH_BUILT = 40
RESULT_SCHEMA = "kind string, name string, file string, feed string, interval string, batch_id string, rows bigint"
"""`kind`: staged (rows of table `name` in `file`), good, quarantined (records of a batch; `name` is the reason),
lines (lines of the landing file `name`), damaged (the landing file `name` cannot be read to its end), unknown_field,
unknown_value (signals; `name` is the path)."""

Result = tuple[str, str, str, str, str, str, int]

COLUMNS: Mapping[str, tuple[str, ...]] = {table.full_name: table.column_names for table in ALL.tables}
QUARANTINE = "silver.quarantine"
BATCH = "__batch"
TABLE = "__table"
PLACE = "__place"
"""Columns of staged rows only: their batch, table, and record (file, line and element)."""


@dataclass(frozen=True)
class WorkerSetup:
    """Everything a task needs, sent to it once."""

    staging: str
    policy: Policy
    keys: Keys
    mix_keys: dict[str, str]
    settings: dict[str, Settings]
    max_line_bytes: int


@dataclass(frozen=True)
class Place:
    """Where records come from: a file of a batch of a feed and interval."""

    feed: str
    interval: str
    batch_id: str
    name: str

    @cached_property
    def batch(self) -> str:
        """The batch's name among all feeds and intervals."""
        return batch_name(self.feed, self.interval, self.batch_id)


def batch_name(feed: str, interval: str, batch_id: str) -> str:
    """A batch as staged rows name it: one id may stand for a batch in several feeds and intervals.

    >>> batch_name("staff", "2025-03-01", "b1")
    'staff/2025-03-01/b1'
    """
    return f"{feed}/{interval}/{batch_id}"


@dataclass
class Stage:
    """Rows on their way to staged files, and the counts of what was read.

    `rows` hold their table's columns in order, then batch and place, which take far less memory than dicts. They become
    columns (`built`) a few at a time: turning a row that has left the processor's caches into columns takes seven times
    as long.
    """

    setup: WorkerSetup
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    built: dict[str, list[pa.Table]] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    counts: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)

    def count(self, kind: str, name: str, place: Place, rows: int = 1) -> None:
        """So many more of a kind of result."""
        self.counts[kind, name, place.feed, place.interval, place.batch_id] += rows

    def add(self, table: str, rows: Sequence[dict[str, Any]], batch: str, place: str) -> None:
        """The rows are kept with their batch and their record's place in it; a full table is written out."""
        names = COLUMNS[table]
        for row in rows:
            self.keep(table, (*map(row.get, names), batch, place))

    def keep(self, table: str, row: tuple[Any, ...]) -> None:
        """A row in the order of its table's columns, then batch and place, is kept."""
        kept = self.rows.get(table)
        if kept is None:
            kept = self.rows[table] = []
        kept.append(row)
        if len(kept) >= BUILD_ROWS:
            self.build(table)
            if len(self.built[table]) >= FLUSH_BUILT:
                self.flush(table)

    def build(self, table: str) -> None:
        """The table's rows are columns."""
        rows = self.rows.pop(table, [])
        if rows:
            *values, batches, places = zip(*rows, strict=True)
            columns = arrow_columns(ALL[table], values)
            columns += [pa.array(batches, pa.string()), pa.repeat(table, len(rows)), pa.array(places, pa.string())]
            names = [*COLUMNS[table], BATCH, TABLE, PLACE]
            self.built.setdefault(table, []).append(pa.table(columns, names=names))

    def flush(self, table: str) -> None:
        """The table's rows are in a staged file."""
        self.build(table)
        built = self.built.pop(table, [])
        if not built:
            return
        folder = Path(self.setup.staging) / table
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}.parquet"
        content = pa.concat_tables(built)
        repeated = dictionary_columns(content)
        pq.write_table(content, path, compression="zstd", use_dictionary=repeated, write_statistics=False)
        self.results.append(("staged", table, str(path), "", "", "", content.num_rows))

    def finish(self) -> Iterator[Result]:
        """Everything is written; the results of the task."""
        for table in sorted({*self.rows, *self.built}):
            self.flush(table)
        yield from self.results
        for (kind, name, feed, interval, batch_id), rows in sorted(self.counts.items()):
            yield kind, name, "", feed, interval, batch_id, rows


class Worker:
    """Reads landing chunks or bronze rows into a stage."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self.shaper = Shaper(setup.policy, setup.keys, setup.mix_keys)
        self.stage = Stage(setup)
        self._plain: dict[tuple[str, str], PlainRecords] = {}

    def read_chunk(self, chunk: Chunk) -> None:
        """The records of the chunk are staged for bronze and silver, refused ones for quarantine."""
        place = Place(chunk.feed, chunk.interval, chunk.batch_id, chunk.name)
        parser = FEED_PARSERS[chunk.feed]
        settings = self.setup.settings[parser.source]
        plain = self._plain_records(parser, settings, place)
        bronze, lines, plain_ones = f"bronze.{chunk.feed}", 0, 0
        try:
            for line, raw in read_lines(chunk, self.setup.max_line_bytes):
                lines += 1
                short = None if plain is None else plain.read(raw)
                if plain is not None and short is not None:
                    plain_ones += 1
                    at = f"{chunk.name}|{line}|0"
                    self.stage.keep(plain.table, (*short.row, place.batch, at))
                    self.stage.keep(bronze, _plain_bronze_row(short, line, at, place))
                    continue
                for record in records_of_line(line, raw, parser=parser, settings=settings, interval=chunk.interval):
                    accepted = self._accept(record, place)
                    if accepted is not None:
                        self.stage.keep(bronze, _bronze_row(record, accepted, place))
        except DamagedFileError:
            self.stage.count("damaged", chunk.name, place)
        if plain_ones:
            self.stage.count("good", "", place, plain_ones)
        if lines:
            self.stage.count("lines", chunk.name, place, lines)

    def _plain_records(self, parser: FeedParser, settings: Settings, place: Place) -> PlainRecords | None:
        """What reads the feed's plain records, kept with what it knows of their contexts."""
        if parser.plain is None:
            return None
        self.shaper.begin_batch(place.batch)
        kept = self._plain.get((place.feed, place.interval))
        if kept is None:
            made = PlainRecords(parser, parser.plain, settings, self.shaper, place.interval)
            kept = self._plain[place.feed, place.interval] = made
        return kept

    def read_bronze(self, row: Mapping[str, Any]) -> None:
        """A bronze record is parsed again and its silver rows staged; its page was split when it came."""
        place = Place(row["feed"], row["interval"], row["batch_id"], row["source_file"])
        parser = FEED_PARSERS[place.feed]
        given = orjson.loads(row["context"]) if row["context"] else {}
        context = make_context(given, place.feed, self.setup.settings[parser.source], place.interval)
        record = RawRecord(row["line"], row["element"], row["payload"].encode(), context, row["context"])
        self._accept(record, place)

    def _accept(self, raw: RawRecord, place: Place) -> Record | None:
        """The record, its silver rows staged; None when it was refused."""
        parser = FEED_PARSERS[place.feed]
        shaped = Shaped()
        self.shaper.begin_batch(place.batch)
        try:
            record = make_record(raw, parser, self.setup.settings[parser.source], self.setup.keys.pepper)
            self.shaper.shape(record, parser, shaped)
        except RecordRefusedError as refusal:
            self._refuse(raw, refusal, place)
            return None
        self.stage.count("good", "", place)
        at = record_place(raw, place)
        for table, rows in shaped.rows.items():
            self.stage.add(table, rows, place.batch, at)
        for path, count in shaped.unknown.items():
            self.stage.count("unknown_field", path, place, count)
        for (path, _), count in shaped.unknown_values.items():
            self.stage.count("unknown_value", path, place, count)
        return record

    def _refuse(self, raw: RawRecord, refusal: RecordRefusedError, place: Place) -> None:
        text = raw.payload.decode("utf-8", "replace")
        context = raw.context_json or "{}"
        identity = self.shaper.token("quarantine", f"{place.feed}\x1f{place.interval}\x1f{context}\x1f{text}")
        row = {
            "quarantine_id": identity,
            "feed": place.feed,
            "batch_id": place.batch_id,
            "interval": place.interval,
            "source_file": place.name,
            "line": raw.line,
            "element": raw.element,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "cipher": seal(self.setup.keys.vault, identity, f"{context}\n{text}"),
            "key_id": self.setup.keys.vault_id,
            "status": "open",
        }
        self.stage.count("quarantined", refusal.reason, place)
        self.stage.add(QUARANTINE, [row], place.batch, record_place(raw, place))


def record_place(raw: RawRecord, place: Place) -> str:
    """Where in its batch a record stands, as `find_duplicates` names it."""
    return f"{place.name}|{raw.line}|{raw.element}"


def _bronze_row(raw: RawRecord, record: Record, place: Place) -> tuple[Any, ...]:
    """The record in the order of BRONZE_COLUMNS, then batch and place."""
    return (
        place.interval,
        place.batch_id,
        place.name,
        raw.line,
        raw.element,
        record.digest,
        record.context.received_ms,
        raw.context_json,
        raw.payload,  # an accepted record is UTF-8; Arrow takes its bytes as they are
        place.batch,
        record_place(raw, place),
    )


def _plain_bronze_row(record: PlainRecord, line: int, at: str, place: Place) -> tuple[Any, ...]:
    """The same of a plain record, which is alone in its line."""
    where = (place.interval, place.batch_id, place.name, line, 0)
    return (
        *where,
        record.digest,
        record.context.received_ms,
        record.context_json,
        record.payload,
        place.batch,
        at,
    )


def run_task(
    setup: WorkerSetup, read: Callable[[Worker, dict[str, Any]], None]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow`: every input row goes through `read`, the results come out in RESULT_SCHEMA."""

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        results = parse_rows(setup, read, (row for batch in batches for row in batch.to_pylist()))
        names = [part.split(" ")[0] for part in RESULT_SCHEMA.split(", ")]
        columns: list[list[object]] = [[row[place] for row in results] for place in range(len(names))]
        types = [pa.string()] * 6 + [pa.int64()]
        yield pa.RecordBatch.from_arrays(
            [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)], names=names
        )

    return task


def parse_rows(
    setup: WorkerSetup, read: Callable[[Worker, dict[str, Any]], None], rows: Iterable[dict[str, Any]]
) -> list[Result]:
    """Every row went through `read`; what the stage says of it."""
    # Rows hold no cycles; looking for some among millions of live ones would take a seventh of the time. Arrow's own
    # pool gives memory back after every file and takes it anew, the system's keeps it: a tenth of the time.
    gc.disable()
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        with reused_memory():
            worker = Worker(setup)
            for row in rows:
                read(worker, row)
            return list(worker.stage.finish())
    finally:
        pa.set_memory_pool(pool)
        gc.enable()


def read_chunk_row(worker: Worker, row: dict[str, Any]) -> None:
    """A row that describes a chunk is read as one."""
    worker.read_chunk(Chunk(**row))


def read_bronze_row(worker: Worker, row: dict[str, Any]) -> None:
    """A bronze row is parsed again."""
    worker.read_bronze(row)

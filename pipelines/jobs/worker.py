"""What one Spark task does with raw input: parse, shape, and leave rows per table as staged parquet files.

Only counts and file names travel back through Spark; the rows themselves wait in files that the same run reads. A task
that Spark repeats leaves other files, which nobody names: only files of finished tasks are read.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from identity import Policy
from pipelines.jobs.landing import Chunk
from pipelines.jobs.records import RawRecord, make_record, read_lines, records_of_line
from pipelines.jobs.shaping import Shaped, Shaper
from pipelines.keys import Keys, seal
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import RecordRefusedError, Settings
from pipelines.store.arrow import arrow_table
from pipelines.tables import ALL

FLUSH_ROWS = 40_000
RESULT_SCHEMA = "kind string, name string, file string, feed string, interval string, batch_id string, rows bigint"
"""`kind`: staged (rows of table `name` in `file`), good, quarantined (records of a batch; `name` is the reason),
unknown_field, unknown_value (signals; `name` is the path)."""

QUARANTINE = "silver.quarantine"
BATCH = "__batch"
TABLE = "__table"


@dataclass(frozen=True)
class WorkerSetup:
    """Everything a task needs, sent to it once."""

    staging: str
    policy: Policy
    keys: Keys
    mix_keys: dict[str, str]
    settings: dict[str, Settings]
    max_line_bytes: int


@dataclass
class Stage:
    """Rows on their way to staged files, and the counts of what was read."""

    setup: WorkerSetup
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    results: list[tuple[str, str, str, str, str, str, int]] = field(default_factory=list)
    counts: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)

    def add(self, table: str, rows: Sequence[dict[str, Any]], batch_id: str) -> None:
        """The rows are kept with their batch; a full table is written out."""
        kept = self.rows.setdefault(table, [])
        for row in rows:
            row[BATCH] = batch_id
        kept.extend(rows)
        if len(kept) >= FLUSH_ROWS:
            self.flush(table)

    def flush(self, table: str) -> None:
        """The table's rows are in a staged file."""
        rows = self.rows.pop(table, [])
        if not rows:
            return
        folder = Path(self.setup.staging) / table
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}.parquet"
        content = arrow_table(ALL[table], rows)
        content = content.append_column(BATCH, pa.array([row[BATCH] for row in rows], pa.string()))
        content = content.append_column(TABLE, pa.array([table] * len(rows), pa.string()))
        pq.write_table(content, path, compression="zstd", use_dictionary=True, write_statistics=False)
        self.results.append(("staged", table, str(path), "", "", "", len(rows)))

    def finish(self) -> Iterator[tuple[str, str, str, str, str, str, int]]:
        """Everything is written; the results of the task."""
        for table in sorted(self.rows):
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

    def read_chunk(self, chunk: Chunk) -> None:
        """The records of the chunk are staged for bronze and silver, refused ones for quarantine."""
        parser = FEED_PARSERS[chunk.feed]
        settings = self.setup.settings[parser.source]
        for line, raw in read_lines(chunk, self.setup.max_line_bytes):
            for record in records_of_line(line, raw, parser=parser, settings=settings, interval=chunk.interval):
                if self._accept(record, chunk.feed, chunk.interval, batch_id=chunk.batch_id, name=chunk.name):
                    self.stage.add(f"bronze.{chunk.feed}", [self._bronze], chunk.batch_id)

    def read_bronze(self, row: dict[str, Any]) -> None:
        """A bronze record is parsed again and its silver rows staged."""
        parser = FEED_PARSERS[row["feed"]]
        settings = self.setup.settings[parser.source]
        given = orjson.loads(row["context"]) if row["context"] else {}
        wrapped = b'{"context":' + orjson.dumps(given) + b',"payload":' + _as_payload(row["payload"]) + b"}"
        for record in records_of_line(row["line"], wrapped, parser=parser, settings=settings, interval=row["interval"]):
            self._accept(record, row["feed"], row["interval"], batch_id=row["batch_id"], name=row["source_file"])

    def _accept(self, raw: RawRecord, feed: str, interval: str, *, batch_id: str, name: str) -> bool:
        parser = FEED_PARSERS[feed]
        shaped = Shaped()
        try:
            record = make_record(raw, parser, self.setup.settings[parser.source])
            self.shaper.shape(record, parser, shaped)
        except RecordRefusedError as refusal:
            self._refuse(raw, refusal, (feed, interval, batch_id, name))
            return False
        self.stage.counts["good", "", feed, interval, batch_id] += 1
        for table, rows in shaped.rows.items():
            self.stage.add(table, rows, batch_id)
        for path, count in shaped.unknown.items():
            self.stage.counts["unknown_field", path, feed, interval, batch_id] += count
        for (path, _), count in shaped.unknown_values.items():
            self.stage.counts["unknown_value", path, feed, interval, batch_id] += count
        self._bronze = {
            "interval": interval,
            "batch_id": batch_id,
            "source_file": name,
            "line": raw.line,
            "element": raw.element,
            "record_hash": record.digest,
            "received_at": record.context.received_ms,
            "context": raw.context_json,
            "payload": raw.payload.decode("utf-8", "replace"),
        }
        return True

    def _refuse(self, raw: RawRecord, refusal: RecordRefusedError, place: tuple[str, str, str, str]) -> None:
        feed, interval, batch_id, name = place
        text = raw.payload.decode("utf-8", "replace")
        context = raw.context_json or "{}"
        identity = self.shaper.token("quarantine", f"{feed}\x1f{interval}\x1f{context}\x1f{text}")
        row = {
            "quarantine_id": identity,
            "feed": feed,
            "batch_id": batch_id,
            "interval": interval,
            "source_file": name,
            "line": raw.line,
            "element": raw.element,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "cipher": seal(self.setup.keys.vault, identity, f"{context}\n{text}"),
            "key_id": self.setup.keys.vault_id,
            "status": "open",
        }
        self.stage.counts["quarantined", refusal.reason, feed, interval, batch_id] += 1
        self.stage.add(QUARANTINE, [row], batch_id)


def run_task(
    setup: WorkerSetup, read: Callable[[Worker, dict[str, Any]], None]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow`: every input row goes through `read`, the results come out in RESULT_SCHEMA."""

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        worker = Worker(setup)
        for batch in batches:
            for row in batch.to_pylist():
                read(worker, row)
        results = list(worker.stage.finish())
        names = [part.split(" ")[0] for part in RESULT_SCHEMA.split(", ")]
        columns: list[list[object]] = [[row[place] for row in results] for place in range(len(names))]
        types = [pa.string()] * 6 + [pa.int64()]
        yield pa.RecordBatch.from_arrays(
            [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)], names=names
        )

    return task


def read_chunk_row(worker: Worker, row: dict[str, Any]) -> None:
    """A row that describes a chunk is read as one."""
    worker.read_chunk(Chunk(**row))


def read_bronze_row(worker: Worker, row: dict[str, Any]) -> None:
    """A bronze row is parsed again."""
    worker.read_bronze(row)


def _as_payload(text: str) -> bytes:
    return text.encode() if text.lstrip()[:1] in ("{", "[") else orjson.dumps(text)

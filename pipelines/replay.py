"""Refused records once more: mended where they were wrong, and brought in exactly once.

A replay writes the records as one landing file of their feed and interval and ingests it as a batch of its own. The
file, its batch and every record have names that follow from their content, so a replay that broke off is taken up where
it stopped, and a record that came in by another way meanwhile counts as a duplicate.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.errors import InputRefusedError
from pipelines.jobs.landing import Batch, find_files, make_batch
from pipelines.jobs.records import make_record, records_of_line
from pipelines.jobs.shaping import Shaped, Shaper
from pipelines.jobs.worker import QUARANTINE
from pipelines.keys import Keys, seal, unseal
from pipelines.settings import Settings
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import RecordRefusedError
from pipelines.sources.base import Settings as SourceSettings
from pipelines.store.local import LocalLake
from pipelines.store.marks import sync_folder
from pipelines.store.versions import rows_of
from pipelines.tables import ALL

WAITING = ("open", "fixed")
Ingest = Callable[[tuple[Batch, ...]], object]
SELECT = """
SELECT * REPLACE (interval::VARCHAR AS interval) FROM t WHERE status IN ('open', 'fixed')
AND ($id IS NULL OR quarantine_id = $id) AND ($batch IS NULL OR batch_id = $batch)
AND ($reason IS NULL OR reason = $reason) AND ($feed IS NULL OR feed = $feed) ORDER BY quarantine_id
"""


@dataclass(frozen=True)
class Selection:
    """Which refused records are meant; None does not narrow."""

    id: str | None = None
    batch: str | None = None
    reason: str | None = None
    feed: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A refused record that was not replayed yet: its landing line, mended if somebody mended it."""

    quarantine_id: str
    feed: str
    interval: str
    line: bytes


@dataclass
class Replay:
    """What a replay did: records brought in by feed and interval, and those that would be refused again, by reason."""

    batches: dict[str, int] = field(default_factory=dict)
    replayed: int = 0
    still_refused: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The replay as plain data."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Reader:
    """Reads records as ingest would."""

    shaper: Shaper
    settings: dict[str, SourceSettings]
    pepper: str

    def refusal(self, record: Waiting) -> str:
        """Why ingest would refuse the record, nothing if it would accept it; never its text."""
        parser = FEED_PARSERS[record.feed]
        settings = self.settings[parser.source]
        self.shaper.begin_batch(record.quarantine_id)
        try:
            for raw in records_of_line(1, record.line, parser=parser, settings=settings, interval=record.interval):
                self.shaper.shape(make_record(raw, parser, settings, self.pepper), parser, Shaped())
        except RecordRefusedError as refusal:
            return f"{refusal.reason}: {refusal.detail}"
        return ""


def waiting_records(lake: Path, keys: Keys, selection: Selection) -> list[Waiting]:
    """The selected records that were not replayed yet, by id."""
    return [_waiting(row, keys) for row in rows_of(lake, QUARANTINE, SELECT, dict(selection.__dict__))]


def fix_record(lake: Path, keys: Keys, reader: Reader, quarantine_id: str, payload: bytes) -> None:
    """The record waits with this payload in place of its own, encrypted; its context stays unless the payload is a
    whole landing line.

    Raises InputRefusedError where the record is unknown or replayed, or would be refused again.
    """
    rows = rows_of(lake, QUARANTINE, SELECT, dict(Selection(id=quarantine_id).__dict__))
    if not rows:
        raise InputRefusedError(
            "no such record waits in quarantine", where=quarantine_id, hint="see `cdp quarantine list`"
        )
    text = payload.decode("utf-8", "replace").strip()
    fixed = {**rows[0], "fixed_cipher": seal(keys.vault, quarantine_id, text)}
    refusal = reader.refusal(_waiting(fixed, keys))
    if refusal:
        raise InputRefusedError(
            f"the payload would be refused again: {refusal}", where=quarantine_id, hint="correct it and try again"
        )
    _update(lake, [quarantine_id], {"fixed_cipher": fixed["fixed_cipher"], "status": "fixed"})


def replay(settings: Settings, records: Sequence[Waiting], *, reader: Reader, ingest: Ingest) -> Replay:
    """The records that ingest accepts are in bronze, each once, and are marked as replayed; the others wait on.

    `ingest` brings batches in and writes their balance. The caller holds the lake's lock.
    """
    done = Replay()
    accepted: dict[tuple[str, str], list[Waiting]] = {}
    for record in records:
        refusal = reader.refusal(record)
        if refusal:
            done.still_refused[record.quarantine_id] = refusal
        else:
            accepted.setdefault((record.feed, record.interval), []).append(record)
    batches = {_land(settings.landing, group): group for _, group in sorted(accepted.items())}
    if batches:
        ingest(tuple(batches))
    for batch, group in batches.items():
        if _is_known(settings.lake, batch):
            _update(settings.lake, [record.quarantine_id for record in group], {"status": "replayed"})
            done.batches[f"{batch.feed} {batch.interval} {batch.batch_id}"] = len(group)
            done.replayed += len(group)
    return done


def landing_line(context: str, text: str) -> bytes:
    """A record as a landing line: text that is JSON stays as it is, any other is a JSON string.

    >>> landing_line('{"brand": "a"}', '{"x": 1}'), landing_line("{}", "<xml/>")
    (b'{"context": {"brand": "a"}, "payload": {"x": 1}}', b'"<xml/>"')
    """
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = text
    raw = text if not isinstance(value, str) or text.startswith('"') else json.dumps(text, ensure_ascii=False)
    if context in ("", "{}") or (isinstance(value, dict) and {"context", "payload"} <= set(value)):
        return " ".join(raw.splitlines()).encode()
    return f'{{"context": {context}, "payload": {" ".join(raw.splitlines())}}}'.encode()


def _waiting(row: dict[str, Any], keys: Keys) -> Waiting:
    identity = row["quarantine_id"]
    context, _, text = unseal(keys.vault, identity, row["cipher"]).partition("\n")
    if row.get("fixed_cipher"):
        text = unseal(keys.vault, identity, row["fixed_cipher"])
    return Waiting(identity, row["feed"], row["interval"], landing_line(context, text))


def _land(landing: Path, records: Iterable[Waiting]) -> Batch:
    """The records lie in landing as one file, on disk before anybody reads it."""
    rows = list(records)
    feed, interval = rows[0].feed, rows[0].interval
    content = b"".join(record.line + b"\n" for record in rows)
    digest = hashlib.sha256(b"".join(record.quarantine_id.encode() for record in rows) + content).hexdigest()[:16]
    path = landing / feed / interval / f"replay-{digest}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(partial, path)
        sync_folder(path.parent)
    return make_batch(feed, interval, find_files([path]), f"replay-{digest}")


def _is_known(lake: Path, batch: Batch) -> bool:
    query = "SELECT 1 FROM t WHERE feed = $feed AND interval = $day::DATE AND batch_id = $batch"
    place: dict[str, object] = {"feed": batch.feed, "day": batch.interval, "batch": batch.batch_id}
    return bool(rows_of(lake, "ops.batches", query, place))


def _update(lake: Path, ids: Sequence[str], values: dict[str, str]) -> None:
    """These columns of these records hold these values."""
    table, local = ALL[QUARANTINE], LocalLake(lake)
    old = local.scan(table).filter(pl.col("quarantine_id").is_in(list(ids))).collect()
    local.replace(table, old, old.with_columns(**{name: pl.lit(value) for name, value in values.items()}))

"""Whatever a platform writes in one field, its record is read or refused with a reason: it never ends the run.

Every field of every composed record takes every odd value once; what is read becomes columns as on its way to a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.jobs.records import RawRecord, make_record
from pipelines.jobs.shaping import Shaped
from pipelines.jobs.worker import Worker
from pipelines.sources.base import Context, FeedParser, RecordRefusedError
from tests.pipelines.jobs.composed import worker_setup
from tests.pipelines.sources.test_used_fields import corpus

pytestmark = pytest.mark.e2e

Keys = tuple[str | int, ...]

ODD = [
    *(None, "", 0, -1, 1, 2**63, 2**64 - 1, 1.5, 1e308, True, "x", "你好", "0", "-1", "1.50", "3.0", "9" * 30),
    *([], {}, [None], [""], ["x"], [{}], {"a": 1}, "[]", "{}", "null", "\u0000", "1e400"),
    *("2025-13-45 99:99:99", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z"),
]


def places(value: Any, at: Keys = ()) -> Iterator[Keys]:
    """The way to every part of a record; of a list's elements, to the first two."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*at, key)
        yield from places(part, (*at, key))


def replaced(value: Any, keys: Keys, new: Any) -> bytes:
    copied = orjson.loads(orjson.dumps(value))
    holder = copied
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = new
    return orjson.dumps(copied)


def odd_records() -> Iterator[tuple[FeedParser, Context, str, bytes]]:
    seen: set[tuple[str, str, Keys]] = set()
    for parser, value, context in corpus():
        for keys in places(value):
            kind = (parser.feed, context.method, tuple(0 if isinstance(key, int) else key for key in keys))
            if kind not in seen:
                seen.add(kind)
                yield from ((parser, context, f"{kind} = {new!r}", replaced(value, keys, new)) for new in ODD)


def test_an_odd_value_in_any_field_is_read_or_refused(tmp_path: Path) -> None:
    worker = Worker(worker_setup(tmp_path))
    worker.shaper.begin_batch("b")
    read, unreadable = 0, []
    for parser, context, place, payload in odd_records():
        shaped = Shaped()
        try:
            raw = RawRecord(1, 0, payload, context, "{}")
            record = make_record(raw, parser, worker.setup.settings[parser.source], worker.setup.keys.pepper)
            worker.shaper.shape(record, parser, shaped)
        except RecordRefusedError as refusal:
            if refusal.reason == "unreadable":
                unreadable.append(place)
            continue
        read += 1
        for table, rows in shaped.rows.items():
            worker.stage.add(table, rows, "b", place)
            worker.stage.build(table)
        worker.stage.built.clear()
    assert unreadable == []
    assert read > 10_000

"""Writes the landing files: single answers and pages, in their wrapper, with the transport's own faults.

`landing/<feed>/<interval>/part-NNNN.jsonl`; the interval is the business day (Asia/Shanghai) of arrival. Lines that
do not fit one record are pages: elements wait per feed, day and channel until a page is full.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from pipelines.simulate.chance import stream
from pipelines.simulate.clock import DAY, Clock
from pipelines.simulate.config import Dirt, SimulationConfig
from pipelines.simulate.faults import NEEDED_PATHS, broken_element, broken_payload, truncated
from pipelines.simulate.files import Appender

Json = dict[str, Any]
Renew = Callable[[Json, Random], None]
Fault = tuple[str, str, int, str, str]


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of paged answer under one set of credentials: its context and its envelope."""

    feed: str
    key: str
    context: Json
    envelope: Callable[[list[Any], int], Json]
    error: Callable[[int], Json]
    size: int


@dataclass(slots=True)
class Counts:
    """What reached the landing folder, by feed; `records` contains duplicates and broken copies."""

    records: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        """Adds another writer's counts."""
        self.records.update(other.records)
        self.duplicates.update(other.duplicates)
        self.broken.update(other.broken)
        self.errors.update(other.errors)


@dataclass(slots=True)
class _Page:
    """Elements waiting for company, end to end in one buffer to keep thousands of them small."""

    channel: Channel
    buffer: bytearray = field(default_factory=bytearray)
    ends: list[int] = field(default_factory=list)

    def put(self, data: bytes) -> None:
        """The element follows the others."""
        self.buffer += data
        self.ends.append(len(self.buffer))

    def elements(self) -> list[Any]:
        """The elements, ready to be put into an envelope."""
        starts = [0, *self.ends[:-1]]
        return [orjson.Fragment(bytes(self.buffer[a:b])) for a, b in zip(starts, self.ends, strict=True)]


class Landing:
    """The landing folder of one writer. `at` is the moment of arrival in epoch seconds, `day` its business day."""

    def __init__(self, config: SimulationConfig, clock: Clock, files: Appender, part: str) -> None:
        self._clock = clock
        self._dirt: Dirt = config.dirt
        self._files = files
        self._part = part
        self._pages: dict[tuple[int, str, str], _Page] = {}
        self._seed = config.seed
        self._rng = stream(config.seed, "dirt", part)
        self.counts = Counts()

    def begin_cell(self, cell: int) -> None:
        """The faults of a cell depend on the cell alone."""
        self._rng = stream(self._seed, "dirt", cell)

    def fault(self, fault: Fault, /) -> None:
        """Lists an injected fault: kind, feed, day, record id, detail."""
        kind, feed, day, record_id, detail = fault
        row = {"kind": kind, "feed": feed, "interval": self._clock.dates[day], "record": record_id}
        self._files.append_json(f"truth/{self._part}/faults.jsonl", {**row, "detail": detail} if detail else row)

    def line(self, feed: str, record_id: str, at: int, context: Json, payload: Any, *, records: int = 1) -> None:
        """One answer of its own, mostly one record; arrivals outside the window are moved to its nearest day."""
        day = self._clock.landing_day(at)
        self._write_line(feed, day, at, context, payload)
        self.counts.records[feed] += records
        fate = self._rng.random()
        if fate < self._dirt.duplicates:
            self._write_line(feed, day, at + 60 if (at % DAY) < DAY - 60 else at, context, payload)
            self._count_duplicate(feed, day, record_id, records)
        elif fate < self._dirt.duplicates + self._dirt.broken:
            self._break_line(feed, day, at, record_id, context, payload)

    def whole(self, feed: str, at: int, context: Json, payload: Any, *, records: int) -> None:
        """An answer that comes as it was given: no copy of it, and nothing of it broken."""
        self._write_line(feed, self._clock.landing_day(at), at, context, payload)
        self.counts.records[feed] += records

    def _write_line(self, feed: str, day: int, at: int, context: Json, payload: Any) -> None:
        self._files.append(self._path(feed, day), self._wrapped(context, at, day, payload))

    def _wrapped(self, context: Json, at: int, day: int, payload: Any) -> bytes:
        # History pulled on the first day arrives on the first day, whatever it tells of.
        received = at if self._clock.day_of(at) == day else self._clock.midnight(day) + 6 * 3600
        wrapper = {"context": {**context, "received_at": self._clock.rfc3339(received)}, "payload": payload}
        return orjson.dumps(wrapper, option=orjson.OPT_APPEND_NEWLINE)

    def _break_line(self, feed: str, day: int, at: int, record_id: str, context: Json, payload: Any) -> None:
        if (
            isinstance(payload, dict)
            and feed in NEEDED_PATHS
            and _has(payload, NEEDED_PATHS[feed])
            and self._rng.random() < 0.6
        ):
            kind, copy = broken_payload(feed, payload, self._rng)
            line = self._wrapped(context, at, day, copy)
        else:
            kind, line = "truncated_line", truncated(self._wrapped(context, at, day, payload))
        self._files.append(self._path(feed, day), line)
        self._count_broken(feed, day, record_id, kind)

    def item(self, channel: Channel, record_id: str, day: int, record: Json, renew: Renew | None = None) -> None:
        """One element of a page that arrives on the day; `renew` changes what differs when it is pulled again."""
        feed = channel.feed
        self._put(channel, day, orjson.dumps(record))
        self.counts.records[feed] += 1
        fate = self._rng.random()
        if fate < self._dirt.duplicates:
            if renew is not None:
                renew(record, self._rng)
            self._put(channel, day, orjson.dumps(record))
            self._count_duplicate(feed, day, record_id)
        elif fate < self._dirt.duplicates + self._dirt.broken and _has(record, NEEDED_PATHS.get(feed, ("?",))):
            kind, copy = broken_element(feed, record, self._rng)
            self._put(channel, day, orjson.dumps(copy))
            self._count_broken(feed, day, record_id, kind)

    def _put(self, channel: Channel, day: int, data: bytes) -> None:
        key = (day, channel.feed, channel.key)
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = _Page(channel)
        page.put(data)
        if len(page.ends) >= channel.size:
            self._write_page(day, page)
            del self._pages[key]

    def _write_page(self, day: int, page: "_Page") -> None:
        channel, at = page.channel, self._clock.midnight(day) + DAY - 1
        path = self._path(channel.feed, day)
        if self._rng.random() < self._dirt.error_answers:
            self._files.append(path, self._wrapped(channel.context, at - 30, day, channel.error(at - 30)))
            self.counts.errors[channel.feed] += 1
            self.fault(("error_answer", channel.feed, day, channel.key, ""))
        self._files.append(path, self._wrapped(channel.context, at, day, channel.envelope(page.elements(), at)))

    def close(self) -> None:
        """Every waiting page is written, however short."""
        for day, feed, key in sorted(self._pages):
            self._write_page(day, self._pages[day, feed, key])
        self._pages.clear()
        self._files.flush()

    def _path(self, feed: str, day: int) -> str:
        return f"landing/{feed}/{self._clock.dates[day]}/{self._part}.jsonl"

    def _count_duplicate(self, feed: str, day: int, record_id: str, records: int = 1) -> None:
        self.counts.records[feed] += records
        self.counts.duplicates[feed] += records
        self.fault(("duplicate", feed, day, record_id, ""))

    def _count_broken(self, feed: str, day: int, record_id: str, detail: str) -> None:
        self.counts.records[feed] += 1
        self.counts.broken[feed] += 1
        self.fault(("broken", feed, day, record_id, detail))


def _has(record: Json, path: tuple[str, ...]) -> bool:
    holder: Any = record
    for key in path:
        if not isinstance(holder, dict) or key not in holder:
            return False
        holder = holder[key]
    return True

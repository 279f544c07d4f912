"""What platforms push is on disk before they are told so, in the wrapper of the landing, with hints of what to pull."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from identity.business_time import SHANGHAI, business_day
from serving.clock import Clock
from serving.contract.pull_queue import Hint, enqueue
from serving.contract.spool import append_line


@dataclass(frozen=True)
class Delivery:
    """One accepted push: `payload` is JSON as it came, `hints` is what it says is worth pulling."""

    feed: str
    context: Mapping[str, object]
    payload: bytes
    hints: Sequence[Hint] = ()


class Inbox:
    """The place on disk where pushes of all receivers wait for the next run."""

    def __init__(self, home: Path, wall: Clock) -> None:
        self._home = home
        self._wall = wall

    def store(self, delivery: Delivery) -> None:
        """The push and its hints are on disk when this returns; OSError or sqlite3.Error when they are not."""
        now = self._wall()
        interval = business_day(now)
        append_line(self._home, delivery.feed, interval=interval, line=wrapped(delivery, now))
        enqueue(self._home, delivery.hints)


def wrapped(delivery: Delivery, now_ms: int) -> bytes:
    """The landing line of a push, its payload byte for byte but for line breaks between tokens; arrival to the ms."""
    # To the millisecond: of a member call that states no time, this alone says which of two came last.
    moment = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(SHANGHAI)
    received = moment.replace(microsecond=now_ms % 1000 * 1000).isoformat(timespec="milliseconds")
    context = {key: value for key, value in delivery.context.items() if value}
    head = orjson.dumps({**context, "received_at": received})
    # Inside a JSON text a line break is always escaped, so those that are left stand between tokens.
    flat = delivery.payload.replace(b"\r", b" ").replace(b"\n", b" ")
    return b'{"context":' + head + b',"payload":' + flat + b"}\n"

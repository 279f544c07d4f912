"""Raw answers on their way to the landing: a file appears there whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from serving.contract.spool import make_folder, sync_folder

BEGUN = ".pull"
"""Files that are not whole yet; the one pull that runs owns them all."""

_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass
class Part:
    """A file being written: one line per answer, in the wrapper of the landing."""

    received_at: str
    handle: BinaryIO
    answers: int = 0
    records: int = 0

    def add(self, context: Mapping[str, object], raw: bytes, *, records: int) -> None:
        """An answer with so many records; an answer without any leaves no line."""
        if not records:
            return
        kept = {key: value for key, value in context.items() if value not in ("", None)}
        head = orjson.dumps({**kept, "received_at": self.received_at})
        # Inside a JSON text a line break is always escaped, so those that are left stand between tokens.
        flat = raw.replace(b"\r", b" ").replace(b"\n", b" ")
        self.handle.write(b'{"context":' + head + b',"payload":' + flat + b"}\n")
        self.answers += 1
        self.records += records


class Sink:
    """The landing of one pull: everything arrives on one business day, at one moment."""

    def __init__(self, landing: Path, *, interval: str, received_at: str) -> None:
        self._landing = landing
        # What a killed pull had begun: raw answers that no mark counts, and that no retention or erasure would find.
        shutil.rmtree(landing / BEGUN, ignore_errors=True)
        self._interval = interval
        self._received_at = received_at
        self.answers = 0
        self.records: dict[str, int] = {}

    @contextmanager
    def part(self, feed: str, name: str) -> Iterator[Part]:
        """A file of the feed, in the landing once the block ended well; after a failure nothing of it is there."""
        safe = f"pull-{_NO_NAME.sub('_', name)}"
        beside = self._landing / BEGUN / f"{feed}-{safe}.part"
        beside.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as handle:
            part = Part(self._received_at, handle)
            yield part
            if part.answers:
                handle.flush()
                os.fsync(handle.fileno())
        if not part.answers:
            beside.unlink()
            return
        target = self._landing / feed / self._interval / f"{safe}.jsonl"
        make_folder(target.parent)
        beside.replace(target)
        sync_folder(target.parent)
        self.answers += part.answers
        self.records[feed] = self.records.get(feed, 0) + part.records

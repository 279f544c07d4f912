"""Which batches a run began to write and has not finished: on disk before their first row, gone after their last.

A batch that was cut off keeps its id and its files, so that the next run finishes it as it was begun, whatever files
have come since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.store.marks import Marks

MARK = "bronze"


@dataclass(frozen=True)
class BegunBatch:
    """A batch as it was begun: where it belongs, its content, and the digests of its files."""

    feed: str
    interval: str
    batch_id: str
    content_hash: str
    files: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """What the ledger knows the batch by."""
        return self.feed, self.interval, self.batch_id


@dataclass(frozen=True)
class Begun:
    """The unfinished batches of a lake; `anything`: a mark without names, so any batch may be unfinished."""

    batches: tuple[BegunBatch, ...] = ()
    anything: bool = False


def begun(home: Path) -> Begun:
    """What was begun in the lake and not finished."""
    text = Marks(home).text(MARK)
    if text is None:
        return Begun()
    try:
        return Begun(tuple(BegunBatch(**(body | {"files": tuple(body["files"])})) for body in json.loads(text)))
    except (ValueError, TypeError, KeyError):
        return Begun(anything=True)


def begin(home: Path, batches: Iterable[BegunBatch]) -> Begun:
    """The batches are noted beside those noted before; gives what was begun before them."""
    before = begun(home)
    if not before.anything:
        _note(home, {batch.key: batch for batch in (*before.batches, *batches)}.values())
    return before


def finish(home: Path, keys: Iterable[tuple[str, str, str]]) -> None:
    """The batches are in the ledger: only the others are still unfinished."""
    done = set(keys)
    rest = [batch for batch in begun(home).batches if batch.key not in done]
    if rest:
        _note(home, rest)
    else:
        Marks(home).clear(MARK)


def _note(home: Path, batches: Iterable[BegunBatch]) -> None:
    Marks(home).set(MARK, json.dumps([asdict(batch) for batch in batches]))

"""Landing files as units of work: which files make which batch, and which byte ranges one task reads."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pipelines.errors import InputRefusedError
from pipelines.store.begun import BegunBatch
from pipelines.tables.bronze import FEEDS

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".xml")
_INTERVAL = re.compile(r"^\d{4}-\d\d-\d\d$")
_BLOCK = 4 * 1024 * 1024


@dataclass(frozen=True)
class LandingFile:
    """One file with its content digest; `name` is its path inside the batch."""

    path: Path
    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Batch:
    """Files of one feed and interval that are accepted or refused together.

    `batch_id` is given, else the first 16 hex characters of `content_hash`, the digest of the sorted file digests: it
    does not depend on file names or order.
    """

    feed: str
    interval: str
    batch_id: str
    content_hash: str
    files: tuple[LandingFile, ...]


@dataclass(frozen=True)
class Chunk:
    """The bytes [start, end) of one file, beginning at a line start; `first_line` counts from 1."""

    feed: str
    interval: str
    batch_id: str
    path: str
    name: str
    start: int
    end: int
    first_line: int


def check_feed(feed: str) -> str:
    """The feed itself; an unknown one is refused with the known names."""
    if feed not in FEEDS:
        raise InputRefusedError(
            f"unknown feed {feed!r}; known feeds: {', '.join(sorted(FEEDS))}",
            where="--feed",
            hint="use the name of a bronze table",
        )
    return feed


def check_interval(interval: str) -> str:
    """The interval itself if it is a business day `YYYY-MM-DD`."""
    try:
        known = bool(_INTERVAL.match(interval) and date.fromisoformat(interval))
    except ValueError:
        known = False
    if not known:
        raise InputRefusedError(
            f"interval {interval!r} is no day of the form YYYY-MM-DD", where="--interval", hint="give a business day"
        )
    return interval


def find_files(paths: Iterable[Path]) -> tuple[LandingFile, ...]:
    """The landing files at or below the paths, sorted by name; a missing path or a folder without files is refused.

    A file that several paths lead to counts once; files of one name are told apart by a number.
    """
    found: list[LandingFile] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p
                for p in path.rglob("*")
                if p.is_file() and p.name.endswith(SUFFIXES) and not p.name.startswith((".", "_"))
            )
            found += [_landing_file(p, p.relative_to(path).as_posix()) for p in inside]
            if not inside:
                raise InputRefusedError(
                    f"no landing file in the folder; expected {', '.join(SUFFIXES)}",
                    where=str(path),
                    hint="check the path",
                )
        elif path.is_file():
            found.append(_landing_file(path, path.name))
        else:
            raise InputRefusedError("no such file or folder", where=str(path), hint="check the path")
    return _told_apart({file.path.resolve(): file for file in found}.values())


def _told_apart(files: Iterable[LandingFile]) -> tuple[LandingFile, ...]:
    """Sorted by name and content; a place in a batch is name, line and element, so no two files may share a name."""
    seen: Counter[str] = Counter()
    named: list[LandingFile] = []
    for file in sorted(files, key=lambda file: (file.name, file.sha256)):
        seen[file.name] += 1
        name = f"{file.name}#{seen[file.name]}" if seen[file.name] > 1 else file.name
        named.append(replace(file, name=name))
    return tuple(named)


def interval_of(path: Path) -> str | None:
    """The interval a landing path names (`landing/<feed>/<interval>/...`), if it does."""
    for part in reversed(path.resolve().parts):
        if _INTERVAL.match(part):
            return part
    return None


def make_batch(feed: str, interval: str, files: tuple[LandingFile, ...], batch_id: str | None = None) -> Batch:
    """The files as one batch."""
    digest = hashlib.sha256("\n".join(sorted(file.sha256 for file in files)).encode()).hexdigest()
    return Batch(check_feed(feed), check_interval(interval), batch_id or digest[:16], digest, files)


def landing_batches(
    landing: Path,
    intervals: Iterable[str],
    known: frozenset[tuple[str, str, str]],
    begun: Sequence[BegunBatch] = (),
) -> tuple[Batch, ...]:
    """A batch per feed and interval of the files not ingested before; `known` holds (feed, interval, file digest).

    The files of a batch that was `begun` are that batch again, apart from the files that have come since.
    """
    batches: list[Batch] = []
    wanted = sorted(set(intervals))
    for feed in sorted(FEEDS):
        for interval in wanted:
            folder = landing / feed / interval
            if not folder.is_dir() or not any(folder.iterdir()):
                continue
            files = [file for file in find_files([folder]) if (feed, interval, file.sha256) not in known]
            for unfinished in (batch for batch in begun if (batch.feed, batch.interval) == (feed, interval)):
                own = _taken(files, unfinished.files)
                if own:
                    batches.append(make_batch(feed, interval, own, unfinished.batch_id))
            if files:
                batches.append(make_batch(feed, interval, tuple(files)))
    return tuple(batches)


def _taken(files: list[LandingFile], digests: Sequence[str]) -> tuple[LandingFile, ...]:
    """One file for each digest, taken out of `files`; none where one is missing."""
    left, own = list(files), []
    for digest in digests:
        file = next((file for file in left if file.sha256 == digest), None)
        if file is None:
            return ()
        left.remove(file)
        own.append(file)
    files[:] = left
    return tuple(sorted(own, key=lambda file: file.name))


def chunks(batch: Batch, chunk_bytes: int) -> Iterator[Chunk]:
    """The batch's files cut at line ends into ranges of about `chunk_bytes`; compressed files stay whole."""
    for file in batch.files:
        if not file.path.name.endswith(".jsonl"):
            yield Chunk(batch.feed, batch.interval, batch.batch_id, str(file.path), file.name, 0, file.size, 1)
            continue
        for start, end, line in _line_ranges(file.path, chunk_bytes):
            yield Chunk(batch.feed, batch.interval, batch.batch_id, str(file.path), file.name, start, end, line)


def _line_ranges(path: Path, chunk_bytes: int) -> Iterator[tuple[int, int, int]]:
    start, line = 0, 1
    with path.open("rb") as handle:
        while True:
            block = handle.read(chunk_bytes)
            if not block:
                return
            block += handle.readline()
            yield start, start + len(block), line
            start += len(block)
            line += block.count(b"\n")


def _landing_file(path: Path, name: str) -> LandingFile:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return LandingFile(path, name, digest.hexdigest(), size)

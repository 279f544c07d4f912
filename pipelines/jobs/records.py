"""Records out of landing lines: the wrapper off, the page split, each record with its digest, refusals told apart."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import orjson

from pipelines.jobs.landing import Chunk
from pipelines.jobs.wrapper import redact, unwrap, wrapped_context
from pipelines.sources.base import Context, FeedParser, Record, RecordRefusedError, Settings

_BOM = b"\xef\xbb\xbf"
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a malformed record may raise besides its refusal: one such record is refused, the run goes on."""


class RawRecord(msgspec.Struct, frozen=True):
    """One record of a landing line; `refusal` is set when it cannot be read, and `payload` then holds what there is."""

    line: int
    element: int
    payload: bytes
    context: Context | None
    context_json: str | None
    refusal: RecordRefusedError | None = None


class DamagedFileError(Exception):
    """A compressed file is cut or broken: what it holds cannot be known, so its batch is refused as a whole."""


def unreadable(error: Exception) -> RecordRefusedError:
    """The refusal of a record whose reading failed; only the kind of the failure is said, its text may hold data."""
    return RecordRefusedError("unreadable", f"the record has a form that cannot be read ({type(error).__name__})")


def read_lines(chunk: Chunk, max_line_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of a chunk without empty ones; a `.json` or `.xml` file is one line.

    A line beyond `max_line_bytes` is cut there, which makes it a broken line. A mark of the byte order is left out.
    Raises DamagedFileError for a compressed file that is cut or broken.
    """
    path = Path(chunk.path)
    if path.name.endswith((".json", ".xml")):
        document = path.read_bytes().removeprefix(_BOM).strip()
        if document:
            yield 1, document
        return
    try:
        for number, line in _numbered(path, chunk):
            clean = (line.removeprefix(_BOM) if number == 1 else line).strip()
            if clean:
                yield number, clean[:max_line_bytes]
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DamagedFileError(chunk.name) from None


def _numbered(path: Path, chunk: Chunk) -> Iterator[tuple[int, bytes]]:
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rb") as handle:
        handle.seek(chunk.start)
        left = None if path.name.endswith(".gz") else chunk.end - chunk.start
        number = chunk.first_line
        for line in handle:
            if left is not None:
                if left <= 0:
                    return
                left -= len(line)
            yield number, line
            number += 1


def records_of_line(
    line: int, raw: bytes, *, parser: FeedParser, settings: Settings, interval: str
) -> Iterator[RawRecord]:
    """The records of one landing line; a broken line or an error answer is one refused record."""
    raw = redact(raw)
    try:
        payload, given = unwrap(raw)
        context, text = wrapped_context(given, parser.feed, settings, interval)
        parts = parser.split(payload, context)
    except RecordRefusedError as refusal:
        yield RawRecord(line, 0, raw, None, None, refusal)
        return
    except UNREADABLE as error:
        yield RawRecord(line, 0, raw, None, None, unreadable(error))
        return
    for element, part in enumerate(parts):
        yield RawRecord(line, element, bytes(part), context, text)


def decode(payload: bytes) -> Any:
    """The record's value: JSON, or the text of an XML document.

    Raises RecordRefusedError("bad_json") with the position only, never the text.
    """
    if payload[:1] != b"{" and payload.lstrip()[:1] == b"<":
        return _utf8(payload)
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise RecordRefusedError("bad_json", f"no valid JSON at line {error.lineno}, column {error.colno}") from None


def record_digest(value: Any, volatile: tuple[str, ...], key: str = "") -> str:
    """The digest of a record's content, 32 hex characters, without its volatile keys, also those inside JSON texts; key
    order does not count.

    Keyed (BLAKE2b), because a record may hold little more than a phone number, which a plain digest gives away.
    """
    content = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if volatile:
        content = _volatile_keys(volatile).taken_off(content, value)
    digest = _keyed(key).copy()
    digest.update(content)
    return digest.hexdigest()


@lru_cache(maxsize=16)
def _keyed(key: str) -> hashlib.blake2b:
    """A digest under the key that has taken nothing in."""
    return hashlib.blake2b(digest_size=16, key=key.encode())


def make_record(raw: RawRecord, parser: FeedParser, settings: Settings, key: str = "") -> Record:
    """The decoded record with its digest under `key`; raises RecordRefusedError where it cannot be read."""
    if raw.refusal is not None:
        raise raw.refusal
    if raw.context is None:
        raise RecordRefusedError("no_context", "the line has no readable context")
    value = decode(raw.payload)
    try:
        digest = digest_of(value, raw.context, parser, key)
    except UNREADABLE as error:
        raise unreadable(error) from None
    return Record(value, raw.context, settings, digest)


def digest_of(value: Any, context: Context, parser: FeedParser, key: str) -> str:
    """The digest of a record's content, as its parser says what belongs to it; raises one of UNREADABLE."""
    content = with_context(value, context, _hash_names(parser, value)) if parser.hash_context else value
    return record_digest(content, parser.volatile, key)


def _hash_names(parser: FeedParser, value: Any) -> tuple[str, ...]:
    """What of the context belongs to the content: the arrival only of a record that does not say when it happened."""
    names = parser.hash_context
    if parser.states_time is None or not parser.states_time(value):
        return names
    return tuple(name for name in names if name != "received_ms")


def with_context(value: Any, context: Context, names: tuple[str, ...]) -> Any:
    """The record's content with what only its context says, where a parser names such keys; else the value itself."""
    return [value, [_context_value(context, name) for name in names]] if names else value


def _context_value(context: Context, name: str) -> Any:
    first, _, rest = name.partition(".")
    value = getattr(context, first)
    for key in rest.split(".") if rest else ():
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordRefusedError("bad_encoding", "not valid UTF-8") from None


class _VolatileKeys:
    """Takes the `"key":value` pairs of volatile keys off compact JSON, at any depth, also inside JSON texts.

    Names ending in `*` are prefixes. Values are texts, numbers or null.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._leads = tuple(b'"' + name.removesuffix("*").encode() for name in sorted(names))
        # Inside a JSON text, however deep, a key begins behind an escaped quote.
        self._leads_in_texts = tuple(b"\\" + lead for lead in self._leads)
        keys = "|".join(
            re.escape(name[:-1]) + r'[^"\\]*' if name.endswith("*") else re.escape(name) for name in sorted(names)
        )
        text = r'"[^"\\]*(?:\\.[^"\\]*)*"'
        self._pair = re.compile(rf'"(?:{keys})":(?:{text}|[^,\[\]{{}}"]+),?'.encode())

    def taken_off(self, content: bytes, value: Any) -> bytes:
        """The JSON `content` of the value without volatile pairs."""
        # A single byte is looked for many times as fast as two.
        if b"\\" in content and b'\\"' in content and any(lead in content for lead in self._leads_in_texts):
            content = orjson.dumps(self._texts_without(value), option=orjson.OPT_SORT_KEYS)
        return self._without(content)

    def _without(self, content: bytes) -> bytes:
        match = self._pair.match
        for lead in self._leads:  # to look for each key takes a fraction of trying them all at every quote
            at = content.find(lead)
            while at >= 0:
                found = match(content, at)
                if found is not None:
                    content = content[:at] + content[found.end() :]
                at = content.find(lead, at if found is not None else at + 1)
        # A pair taken off the end leaves its comma, which a record without the pair never had.
        return content.replace(b",}", b"}")

    def _texts_without(self, value: Any) -> Any:
        """The value with its JSON texts (a pushed answer, an address) without the pairs; any other text is itself."""
        if isinstance(value, dict):
            return {key: self._texts_without(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._texts_without(inner) for inner in value]
        if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
            return value
        try:
            inner = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
        whole = orjson.dumps(inner, option=orjson.OPT_SORT_KEYS)
        clean = orjson.dumps(self._texts_without(inner), option=orjson.OPT_SORT_KEYS)
        kept = self._without(clean)
        # What holds nothing volatile stays as it was written: its digests are in lakes.
        return value if kept == whole else kept.decode()


_volatile_keys = lru_cache(maxsize=256)(_VolatileKeys)

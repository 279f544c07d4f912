"""Records out of landing lines: the wrapper off, the page split, each record with its digest, refusals told apart."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec
import orjson

from pipelines.jobs.landing import Chunk
from pipelines.sources.amounts import any_time
from pipelines.sources.base import Context, FeedParser, Record, RecordRefusedError, Settings
from pipelines.sources.fields import rfc3339

_WRAPPER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONTEXT_KEYS = frozenset(Context.__struct_fields__) - {"feed", "interval", "params", "received_ms"}
_SECRETS = re.compile(rb'("session_key"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
_ENCODED_SECRETS = re.compile(rb'(\\+"session_key\\+"\s*:\s*(\\+"))[^"]*?(?:\2|\\?\Z)')
_WELCOME_CDATA = re.compile(rb"(<WelcomeCode>\s*<!\[CDATA\[).*?(\]\]>\s*<\\*/WelcomeCode>|\Z)", re.DOTALL)
_WELCOME_TEXT = re.compile(rb"(<WelcomeCode>)[^<]+(<\\*/WelcomeCode>|\Z)")
_ARRIVAL = re.compile(rb'"received_at":"([0-9TZ:+.-]{1,40})"')
_ARRIVAL_KEY = b'"received_at"'
_NO_CONTEXT = b"{}"
_CONTEXT_LIMIT = 4096
_TO_THE_SECOND = re.compile(r"([0-9-]{10}T[0-9]{2}:[0-9]{2}:)([0-5][0-9])((?:Z|[+-][0-9]{2}:[0-9]{2})\Z)")
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


def redact(raw: bytes) -> bytes:
    """The raw text with the values of `session_key` and `WelcomeCode` replaced: the only change ever made to it.

    Texts inside a JSON string and texts that were cut off are covered too.

    >>> redact(b'{"openid":"o1","session_key":"abc=="}')
    b'{"openid":"o1","session_key":"<redacted>"}'
    """
    if b"session_key" in raw:
        raw = _SECRETS.sub(rb'\1"<redacted>"', raw)
        raw = _ENCODED_SECRETS.sub(rb"\1<redacted>\2", raw)
    if b"WelcomeCode" in raw:
        raw = _WELCOME_CDATA.sub(rb"\1<redacted>\2", raw)
        raw = _WELCOME_TEXT.sub(rb"\1&lt;redacted&gt;\2", raw)
    return raw


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
        payload, given = _unwrap(raw)
        context, text = _CONTEXTS.read(given, parser.feed, settings, interval)
        parts = parser.split(payload, context)
    except RecordRefusedError as refusal:
        yield RawRecord(line, 0, raw, None, None, refusal)
        return
    except UNREADABLE as error:
        yield RawRecord(line, 0, raw, None, None, unreadable(error))
        return
    for element, part in enumerate(parts):
        yield RawRecord(line, element, bytes(part), context, text)


class _Contexts:
    """The contexts of lines, read once for those that differ in nothing but their time of arrival."""

    def __init__(self) -> None:
        self._read_as: tuple[str, Settings, str] | None = None
        self._known: dict[tuple[bytes, bytes], tuple[Context, str, str]] = {}

    def read(self, raw: bytes, feed: str, settings: Settings, interval: str) -> tuple[Context, str]:
        """The context that a wrapper states as `raw`, and its text with sorted keys."""
        read_as = self._read_as
        if read_as is None or read_as[0] != feed or read_as[1] is not settings or read_as[2] != interval:
            self._known.clear()
            self._read_as = (feed, settings, interval)
        arrival = _ARRIVAL.search(raw)
        if arrival is None:
            given = _stated_context(raw)
            return make_context(given, feed, settings, interval), _sorted_text(given)
        stamp = arrival[1].decode()
        around = raw[: arrival.start(1)], raw[arrival.end(1) :]
        known = self._known.get(around)
        if known is not None:
            return msgspec.structs.replace(known[0], received_ms=_received_ms(stamp)), f"{known[1]}{stamp}{known[2]}"
        given = _stated_context(raw)
        context, text = make_context(given, feed, settings, interval), _sorted_text(given)
        if given.get("received_at") == stamp and raw.count(_ARRIVAL_KEY) == 1:
            before, _, after = text.partition(f'"received_at":"{stamp}"')
            if len(self._known) >= _CONTEXT_LIMIT:
                self._known.clear()
            self._known[around] = context, f'{before}"received_at":"', f'"{after}'
        return context, text


_CONTEXTS = _Contexts()


def _sorted_text(given: Mapping[str, Any]) -> str:
    return orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()


def make_context(given: Mapping[str, Any], feed: str, settings: Settings, interval: str) -> Context:
    """The context of a line: its wrapper over the source's defaults; keys nobody knows are left to the raw wrapper."""
    values: dict[str, Any] = {}
    for key, value in (*settings.context_defaults.items(), *given.items()):
        if key in _CONTEXT_KEYS and value is not None:
            values[key] = str(value)
    params = given.get("params")
    received = given.get("received_at")
    return Context(
        feed=feed,
        interval=interval,
        params=params if isinstance(params, Mapping) else {},
        received_ms=_received_ms(received) if received else None,
        **values,
    )


def _received_ms(received: Any) -> int | None:
    """The time of arrival: RFC 3339 with its offset, or epoch seconds or milliseconds."""
    if type(received) is str:
        return _arrival_ms(received)
    read = any_time if str(received).strip().isdigit() else rfc3339
    return read(received, "context.received_at")


def _arrival_ms(received: str) -> int | None:
    """The time of arrival from text; records of a batch arrive in few minutes."""
    match = _TO_THE_SECOND.match(received)
    if match is None:
        return _read_arrival(received)
    minute = _read_arrival(f"{match[1]}00{match[3]}")
    return None if minute is None else minute + int(match[2]) * 1000


@lru_cache(maxsize=4096)
def _read_arrival(received: str) -> int | None:
    read = any_time if received.strip().isdigit() else rfc3339
    return read(received, "context.received_at")


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
        if b'\\"' in content and any(lead in content for lead in _leads_in_texts(volatile)):
            content = orjson.dumps(_texts_without_volatile(value, volatile), option=orjson.OPT_SORT_KEYS)
        content = _without_volatile(content, volatile)
    return hashlib.blake2b(content, digest_size=16, key=key.encode()).hexdigest()


def make_record(raw: RawRecord, parser: FeedParser, settings: Settings, key: str = "") -> Record:
    """The decoded record with its digest under `key`; raises RecordRefusedError where it cannot be read."""
    if raw.refusal is not None:
        raise raw.refusal
    if raw.context is None:
        raise RecordRefusedError("no_context", "the line has no readable context")
    value = decode(raw.payload)
    try:
        digest = record_digest(with_context(value, raw.context, _hash_names(parser, value)), parser.volatile, key)
    except UNREADABLE as error:
        raise unreadable(error) from None
    return Record(value, raw.context, settings, digest)


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


def _unwrap(raw: bytes) -> tuple[bytes, bytes]:
    """The payload and the JSON of its context, an empty object where there is none."""
    if raw[:1] == b'"':
        return _text_payload(raw), _NO_CONTEXT
    if raw[:1] != b"{":
        return raw, _NO_CONTEXT
    try:
        outer = _WRAPPER.decode(raw)
    except msgspec.DecodeError:
        raise RecordRefusedError("bad_json", "the line is no valid JSON object") from None
    stated = outer.get("context")
    if "payload" not in outer or (stated is None and len(outer) > 1):
        return raw, _NO_CONTEXT
    payload = bytes(outer["payload"]).strip()
    context = _NO_CONTEXT if stated is None else bytes(stated).strip()
    if context == b"null" and len(outer) == 2:
        context = _NO_CONTEXT
    return (_text_payload(payload) if payload[:1] == b'"' else payload), context


def _stated_context(raw: bytes) -> dict[str, Any]:
    try:
        context = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise RecordRefusedError("bad_context", "context is no valid JSON") from None
    if not isinstance(context, dict):
        raise RecordRefusedError("bad_context", "context is no object")
    return context


def _text_payload(raw: bytes) -> bytes:
    """A payload that is a JSON string (decrypted XML, an encoded body) as its text, redacted: an escaped name of a
    secret is found in the text only."""
    try:
        text = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise RecordRefusedError("bad_json", "the line is no valid JSON string") from None
    return redact(str(text).encode())


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordRefusedError("bad_encoding", "not valid UTF-8") from None


def _without_volatile(content: bytes, volatile: tuple[str, ...]) -> bytes:
    """Compact JSON without the `"key":value` pairs of volatile keys, at any depth."""
    pair = _volatile_pair(volatile)
    for lead in _leads(volatile):  # to look for each key takes a fraction of trying them all at every quote
        at = content.find(lead)
        while at >= 0:
            found = pair.match(content, at)
            if found is not None:
                content = content[:at] + content[found.end() :]
            at = content.find(lead, at if found is not None else at + 1)
    # A pair taken off the end leaves its comma, which a record without the pair never had.
    return content.replace(b",}", b"}")


def _texts_without_volatile(value: Any, volatile: tuple[str, ...]) -> Any:
    """The value with its JSON texts (a pushed answer, an address) without volatile pairs; any other text is itself."""
    if isinstance(value, dict):
        return {key: _texts_without_volatile(inner, volatile) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts_without_volatile(inner, volatile) for inner in value]
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        inner = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    whole = orjson.dumps(inner, option=orjson.OPT_SORT_KEYS)
    clean = orjson.dumps(_texts_without_volatile(inner, volatile), option=orjson.OPT_SORT_KEYS)
    kept = _without_volatile(clean, volatile)
    # What holds nothing volatile stays as it was written: its digests are in lakes.
    return value if kept == whole else kept.decode()


@cache
def _leads(volatile: tuple[str, ...]) -> tuple[bytes, ...]:
    """How volatile keys begin."""
    return tuple(b'"' + name.removesuffix("*").encode() for name in sorted(volatile))


@cache
def _leads_in_texts(volatile: tuple[str, ...]) -> tuple[bytes, ...]:
    """How volatile keys begin inside a JSON text, however deep: behind an escaped quote."""
    return tuple(b"\\" + lead for lead in _leads(volatile))


@cache
def _volatile_pair(volatile: tuple[str, ...]) -> re.Pattern[bytes]:
    """What matches a pair of a volatile key in compact JSON, whose values are texts, numbers or null."""
    names = "|".join(
        re.escape(name[:-1]) + r'[^"\\]*' if name.endswith("*") else re.escape(name) for name in sorted(volatile)
    )
    text = r'"[^"\\]*(?:\\.[^"\\]*)*"'
    return re.compile(rf'"(?:{names})":(?:{text}|[^,\[\]{{}}"]+),?'.encode())

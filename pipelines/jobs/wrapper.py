"""The wrapper of a landing line: secrets redacted, the payload told from its context, the context read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from pipelines.sources.amounts import any_time
from pipelines.sources.base import Context, RecordRefusedError, Settings
from pipelines.sources.fields import rfc3339

_WRAPPER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONTEXT_KEYS = frozenset(Context.__struct_fields__) - {"feed", "interval", "params", "received_ms"}
_SECRETS = re.compile(rb'("session_key"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
_ENCODED_SECRETS = re.compile(rb'(\\+"session_key\\+"\s*:\s*(\\+"))[^"]*?(?:\2|\\?\Z)')
_WELCOME_CDATA = re.compile(rb"(<WelcomeCode>\s*<!\[CDATA\[).*?(\]\]>\s*<\\*/WelcomeCode>|\Z)", re.DOTALL)
_WELCOME_TEXT = re.compile(rb"(<WelcomeCode>)[^<]+(<\\*/WelcomeCode>|\Z)")
_ARRIVAL_KEY = b'"received_at"'
_ARRIVAL_LEAD = b'"received_at":"'
_TO_TIME = len(_ARRIVAL_LEAD) + len("2025-01-01T")
_TIME_LENGTH = len("19:04:03")
_MINUTES_MS = {b"%02d:%02d" % divmod(minute, 60): minute * 60_000 for minute in range(24 * 60)}
_SECONDS_MS = {b":%02d" % second: second * 1000 for second in range(60)}
_NO_TIME = -(24 * 3_600_000)
_NO_CONTEXT = b"{}"
_CONTEXT_LIMIT = 4096
_TO_THE_SECOND = re.compile(r"([0-9-]{10}T[0-9]{2}:[0-9]{2}:)([0-5][0-9])((?:Z|[+-][0-9]{2}:[0-9]{2})\Z)")


def has_secret(raw: bytes) -> bool:
    """Whether the raw text may hold what is redacted.

    >>> has_secret(b'{"session_key":"abc=="}'), has_secret(b'{"openid":"o1"}')
    (True, False)
    """
    return b"session_key" in raw or b"WelcomeCode" in raw


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


def unwrap(raw: bytes) -> tuple[bytes, bytes]:
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


class _Contexts:
    """The contexts of lines, read once for those that differ in nothing but the time of day of their arrival."""

    def __init__(self) -> None:
        self._read_as: tuple[str, Settings, str] | None = None
        self._known: dict[tuple[bytes, bytes], tuple[Context, int, str, str]] = {}

    def read(self, raw: bytes, feed: str, settings: Settings, interval: str) -> tuple[Context, str]:
        """The context that a wrapper states as `raw`, and its text with sorted keys."""
        read_as = self._read_as
        if read_as is None or read_as[0] != feed or read_as[1] is not settings or read_as[2] != interval:
            self._known.clear()
            self._read_as = (feed, settings, interval)
        begin = raw.find(_ARRIVAL_LEAD) + _TO_TIME
        end = begin + _TIME_LENGTH
        time = raw[begin:end]
        past = _MINUTES_MS.get(time[:5], -1) + _SECONDS_MS.get(time[5:], _NO_TIME)
        known = self._known.get((raw[:begin], raw[end:])) if past >= 0 else None
        if known is not None:
            context, midnight_ms, before, after = known
            stated = f"{before}{time.decode()}{after}"
            return msgspec.structs.replace(context, received_ms=midnight_ms + past), stated
        given = _stated_context(raw)
        context, text = make_context(given, feed, settings, interval), _sorted_text(given)
        if past >= 0 and context.received_ms is not None and _says_once(raw, given, begin):
            if len(self._known) >= _CONTEXT_LIMIT:
                self._known.clear()
            place = text.index(_ARRIVAL_LEAD.decode()) + _TO_TIME
            around = text[:place], text[place + _TIME_LENGTH :]
            self._known[raw[:begin], raw[end:]] = context, context.received_ms - past, *around
        return context, text


def _says_once(raw: bytes, given: Mapping[str, Any], time_at: int) -> bool:
    """Whether the arrival, a time to the second with its offset, stands as text at its place and nowhere else."""
    stamp = given.get("received_at")
    begin = time_at - _TO_TIME + len(_ARRIVAL_LEAD)
    return (
        type(stamp) is str
        and _TO_THE_SECOND.match(stamp) is not None
        and raw.startswith(stamp.encode() + b'"', begin)
        and raw.count(_ARRIVAL_KEY) == 1
    )


_CONTEXTS = _Contexts()


def wrapped_context(raw: bytes, feed: str, settings: Settings, interval: str) -> tuple[Context, str]:
    """The context that a wrapper states as `raw`, a JSON object, and its text with sorted keys.

    Raises RecordRefusedError("bad_context") for what is no JSON object.
    """
    return _CONTEXTS.read(raw, feed, settings, interval)


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

"""Mini-program behaviour: SensorsData and Tencent 有数 events, single, in lists, or in the encoded bodies of SDKs."""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

from pipelines.sources.base import (
    Context,
    FeedParser,
    Parsed,
    PlainReading,
    PlainRow,
    Record,
    RecordRefusedError,
    Settings,
)
from pipelines.sources.categories import as_object
from pipelines.sources.miniprogram_sensors import ROW, parse_sensors, plain_sensors
from pipelines.sources.miniprogram_youshu import is_youshu, parse_youshu
from pipelines.sources.pages import split_pages

FEED = "miniprogram_events"
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Longest decoded body; a longer one is no batch of events but an attack."""


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """The events of a line: one event, a list of them, or a body `data=` / `data_list=` of base64, plain or gzipped.

    JSON is never such a body, whatever its texts hold (an address with `&data=` in it).
    """
    plain = payload[:1] == b"{" or not _is_body(payload.lstrip()[:200])
    return split_pages(payload if plain else _decode_body(payload.lstrip()), [])


def _is_body(head: bytes) -> bool:
    if head.startswith((b"{", b"[", b'"')):
        return False
    starts = head.startswith((b"data=", b"data_list="))
    return starts or b"&data_list=" in head or b"&data=" in head


def _decode_body(body: bytes) -> bytes:
    fields = parse_qs(body.lstrip().decode("utf-8", errors="replace"), max_num_fields=16)
    encoded = fields.get("data_list") or fields.get("data")
    if not encoded:
        raise RecordRefusedError("bad_body", "the body has neither data nor data_list")
    compact = encoded[0].replace(" ", "+").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except binascii.Error:
        raise RecordRefusedError("bad_body", "data is no base64") from None
    return _unzip(decoded) if decoded[:2] == b"\x1f\x8b" else decoded


def _unzip(packed: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=BytesIO(packed)) as stream:
            plain = stream.read(MAX_BODY_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise RecordRefusedError("bad_body", "data is no valid gzip") from None
    if len(plain) > MAX_BODY_BYTES:
        raise RecordRefusedError("bad_body", f"data is longer than {MAX_BODY_BYTES} bytes unpacked")
    return plain


def parse(record: Record) -> Parsed:
    """The event's behaviour row and its sightings, by the dialect it is written in."""
    value = as_object(record.value, "event")
    return parse_youshu(record) if is_youshu(value) else parse_sensors(record)


def read_plain(value: dict[str, Any], context: Context, settings: Settings, digest: str) -> PlainRow | None:
    """The row of a visit that says nothing else; None for any other event."""
    return None if is_youshu(value) else plain_sensors(value, context, settings, digest)


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="miniprogram",
        split=split,
        parse=parse,
        tables=("silver.events",),
        volatile=("_flush_time",),
        plain=PlainReading("silver.events", ROW, read_plain),
    ),
)

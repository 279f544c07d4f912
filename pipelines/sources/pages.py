"""Raw records inside a platform's answers, byte for byte, and the platform's own errors told apart from data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from pipelines.sources.base import RecordRefusedError

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])

ErrorRule = Callable[[Mapping[str, Any]], str | None]
EnvelopeRule = Callable[[Collection[str]], bool]


def split_pages(
    payload: bytes,
    paths: Sequence[Sequence[str]],
    error: ErrorRule | None = None,
    *,
    envelope: EnvelopeRule | None = None,
) -> Sequence[bytes]:
    """The raw records of an answer: the elements of the first list found at one of `paths`, else the payload itself.

    `paths`: keys from the top to a list or to a single object; an empty list gives no records. `error` receives the
    envelope's scalar fields and gives the platform's message when the answer is an error. `envelope` tells by the
    top-level keys that this is an answer: without any of the lists it is an empty page and not itself a record.
    Raises RecordRefusedError("platform_error") for such an answer and ("bad_json") for what is no JSON.
    """
    first = payload[:1] if payload[:1] == b"{" else payload.lstrip()[:1]
    if first != b"{":
        return _elements(payload) if first == b"[" else [payload]
    if not paths and error is None and envelope is None:
        return [payload]  # whoever decodes it will see whether it is JSON
    answer = _object(payload)
    if error is not None:
        message = error(_scalars(answer))
        if message is not None:
            raise RecordRefusedError("platform_error", message)
    for path in paths:
        found = _descend(answer, path)
        if found is not None:
            return found
    return [] if envelope is not None and envelope(answer.keys()) else [payload]


def _elements(raw: bytes) -> list[bytes]:
    try:
        return [bytes(element) for element in _LIST.decode(raw)]
    except msgspec.DecodeError as error:
        raise RecordRefusedError("bad_json", f"no valid JSON list: {_place(error)}") from None


def _object(raw: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _OBJECT.decode(raw)
    except msgspec.DecodeError as error:
        raise RecordRefusedError("bad_json", f"no valid JSON object: {_place(error)}") from None


def _place(error: msgspec.DecodeError) -> str:
    """Only the position is repeated: a decoder's message may quote the text around it."""
    message = str(error)
    return message[message.rfind("(") :] if "(byte" in message else "malformed or truncated"


def _scalars(envelope: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """The fields that can tell of an error: all that are no object or list, and the objects named for it."""
    return {
        key: msgspec.json.decode(raw)
        for key, raw in envelope.items()
        if key in ("error_response", "extra") or bytes(memoryview(raw)[:1]) not in (b"{", b"[")
    }


def _descend(envelope: dict[str, msgspec.Raw], path: Sequence[str]) -> list[bytes] | None:
    current: dict[str, msgspec.Raw] = envelope
    for position, key in enumerate(path):
        raw = current.get(key)
        if raw is None:
            return None
        part = _out_of_text(bytes(raw).strip())
        head = part[:1]
        last = position == len(path) - 1
        if last:
            if head == b"[":
                return _elements(part)
            return [part] if head == b"{" else ([] if part == b"null" else None)
        if head != b"{":
            return None
        current = _object(part)
    return None


def _out_of_text(raw: bytes) -> bytes:
    """The JSON inside a JSON text, which some platforms send for an object; anything else is itself."""
    if raw[:1] != b'"' or raw[1:2] not in (b"{", b"["):
        return raw
    try:
        inner: str = msgspec.json.decode(raw)
        return inner.encode()
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise RecordRefusedError("bad_json", f"no valid JSON text: {type(error).__name__}") from None

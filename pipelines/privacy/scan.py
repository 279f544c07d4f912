"""Looks for personal values in every file of a lake, in every form in which they could hide there.

Files are searched as they lie on disk and, where their content is compressed, as it reads: each text column of a
parquet file, the text of a compressed file. A finding names file, column and form, never the value.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

HASHES = ("md5", "sha1", "sha256")
PAYLOADS = "payload"
MAY_HOLD = ("landing", "imports", "spool")
"""Folders of a home that hold raw answers as they came."""


@dataclass(frozen=True)
class Finding:
    """A value was found: its number among those looked for, the file, the column (of a parquet file), the form."""

    value: int
    path: str
    column: str
    form: str


def forms_of(value: str) -> Mapping[str, tuple[bytes, ...]]:
    """The byte patterns by which a value could be read back or looked up: plain texts, encodings, plain digests.

    >>> sorted(forms_of("13912345678"))
    ['base64', 'hex', 'md5', 'plain', 'sha1', 'sha256']
    """
    raw = value.encode()
    forms: dict[str, tuple[bytes, ...]] = {
        "plain": _distinct(raw, value.encode("gb18030"), json.dumps(value)[1:-1].encode(), quote(value).encode()),
        "hex": _cases(raw.hex()),
        "base64": _base64(raw),
    }
    for name in HASHES:
        digest = hashlib.new(name, raw, usedforsecurity=False).digest()
        encoded = base64.b64encode(digest).rstrip(b"=")
        forms[name] = (*_cases(digest.hex()), digest, encoded)
    return forms


def scan(root: Path, values: Sequence[str]) -> list[Finding]:
    """Where the values lie in the files below a folder, by path; each value once per file, column and form."""
    patterns = [
        (number, form, pattern)
        for number, value in enumerate(values)
        for form, some in forms_of(value).items()
        for pattern in some
    ]
    found: set[Finding] = set()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        place = path.relative_to(root).as_posix()
        for column, content in contents(path):
            found |= {Finding(n, place, column, form) for n, form, pattern in patterns if pattern in content}
    return sorted(found, key=lambda item: (item.path, item.column, item.value, item.form))


def leaks(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in places that may not hold clear values; paths are relative to a home.

    Allowed are bronze payloads, the bytes of bronze data files (they hold the payloads), and what landing brings.
    """
    return [item for item in findings if not _is_allowed(item)]


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """What a file holds, as bytes on disk (column ``) and decompressed (a parquet file's text columns by name)."""
    raw = path.read_bytes()
    yield "", raw
    if path.suffix == ".gz":
        yield "", _unzipped(raw)
    if path.suffix == ".parquet":
        table = pq.read_table(path, partitioning=None)
        for name in table.column_names:
            yield name, b"\n".join(_texts(table.column(name)))


def _is_allowed(item: Finding) -> bool:
    parts = Path(item.path).parts
    if parts[0] in MAY_HOLD:
        return True
    is_bronze_data = parts[:2] == ("lake", "bronze") and "_delta_log" not in parts and item.path.endswith(".parquet")
    return is_bronze_data and item.column in ("", PAYLOADS)


def _texts(column: pa.ChunkedArray) -> Iterator[bytes]:
    """Every text and byte string of a column, those inside lists and structs too."""
    kind = column.type
    if pa.types.is_struct(kind):
        for place in range(kind.num_fields):
            for chunk in column.chunks:
                yield from _texts(pa.chunked_array([chunk.field(place)]))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        for chunk in column.chunks:
            yield from _texts(pa.chunked_array([chunk.flatten()]))
    elif pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from (str(value).encode() for value in column.to_pylist() if value is not None)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        yield from (bytes(value) for value in column.to_pylist() if value is not None)


def _unzipped(raw: bytes) -> bytes:
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        return b""


def _base64(raw: bytes) -> tuple[bytes, ...]:
    """The characters that every base64 text holding these bytes has in it, whatever stands before and after them."""
    found = []
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw + b"\0" * (-(len(raw) + lead) % 3))
        first, last = -(-lead * 8 // 6), (lead + len(raw)) * 8 // 6
        found.append(text[first:last])
    return _distinct(*found, *(part.replace(b"+", b"-").replace(b"/", b"_") for part in found))


def _cases(text: str) -> tuple[bytes, ...]:
    return _distinct(text.lower().encode(), text.upper().encode())


def _distinct(*patterns: bytes) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(patterns))

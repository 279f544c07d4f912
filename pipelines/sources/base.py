"""The contract between a source's parser and the ingest layer.

A parser is a pure function from one raw record with its context to silver rows and identity observations. It never
sees a table, a key or a token: personal values are handed over as `Clear`, identifiers as `Subject`, and the ingest
layer normalises, tokenises and adds the lineage. What is made for every record is a msgspec structure: a frozen
dataclass of as many fields takes ten times as long to make. Adding a feed means one parser and one YAML (see
CONTRIBUTING.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import msgspec
import orjson


class Context(msgspec.Struct, frozen=True):
    """What the raw text of an answer does not say: whose key, shop, corp, app and request it was."""

    feed: str
    interval: str
    platform: str = ""
    client_key: str = ""
    app_key: str = ""
    shop_id: str = ""
    seller_nick: str = ""
    brand: str = ""
    corp_id: str = ""
    suite_id: str = ""
    app_id: str = ""
    open_platform_id: str = ""
    openid: str = ""
    code: str = ""
    method: str = ""
    params: Mapping[str, Any] = msgspec.field(default_factory=dict)
    received_ms: int | None = None


class Clear(msgspec.Struct, frozen=True):
    """A personal value on its way to the vault: the column receives its token. `kind`: phone, name or text."""

    kind: Literal["phone", "name", "text"]
    value: str


class Subject(msgspec.Struct, frozen=True):
    """The identifier a fact belongs to, as the source writes it; normalised and tokenised by the ingest layer."""

    namespace: str
    scope: str
    value: str


@dataclass(frozen=True)
class Settings:
    """A source's settings, `conf/sources/<source>.yaml`, as the parsers see them."""

    source: str
    context_defaults: Mapping[str, str] = field(default_factory=dict)
    value_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class Record(msgspec.Struct, frozen=True):
    """One raw record: its decoded value, where it came from, and the digest of its content (32 hex characters)."""

    value: Any
    context: Context
    settings: Settings
    digest: str = "0" * 32


class Sighting(dict[str, Any]):
    """An observation that many records state, one object for all of them: it is compared by a digest made once."""

    @cached_property
    def digest(self) -> bytes:
        """The digest of its content."""
        return content_digest(self)


def content_digest(value: Any) -> bytes:
    """16 bytes over a value's JSON, by which equal values of one process are known."""
    return hashlib.blake2b(orjson.dumps(value), digest_size=16).digest()


class Parsed(msgspec.Struct):
    """What a record says: rows by silver table, identity observations, and what nobody expected.

    `rows`: (full table name, row) pairs; a row is a dict of declared columns where times are UTC epoch ms, dates ISO
    strings, money fen; `subject` holds a `Subject`, personal columns a `Clear`; lineage columns are added later, except
    `version_key`, which the parser sets with `version_key()`.
    `observations`: dicts in the shape of identity.md (`observation_id`, `source`, `kind`, `event_time` in epoch ms,
    `ids`).
    `unknown`: full paths of fields that are neither used nor ignored with a reason, with their values.
    `unknown_values`: (path, value) of categories outside their value map, kept raw in the row and counted.
    """

    rows: list[tuple[str, dict[str, Any]]] = msgspec.field(default_factory=list)
    observations: list[dict[str, Any]] = msgspec.field(default_factory=list)
    unknown: dict[str, Any] = msgspec.field(default_factory=dict)
    unknown_values: list[tuple[str, str]] = msgspec.field(default_factory=list)

    def row(self, table: str, **columns: Any) -> None:
        """A row for a silver table is added."""
        self.rows.append((table, columns))

    def observe(self, **observation: Any) -> None:
        """An identity observation is added."""
        self.observations.append(observation)


PlainRow = tuple[tuple[Any, ...], Subject | None, list[dict[str, Any]]]
"""A row, whose it is, and the observations that the record states."""


@dataclass(frozen=True)
class PlainReading:
    """How records of the usual form, which say little more than their row, are read without what others need.

    For feeds that split an object into nothing but itself. `read(value, context, settings, digest)` gives what `parse`
    gives where that is one row of `table`, its values in the order of `columns`, and observations without signals; it
    gives None, or raises, for any other record, which is then parsed.
    """

    table: str
    columns: tuple[str, ...]
    read: Callable[[dict[str, Any], Context, Settings, str], PlainRow | None]


class RecordRefusedError(Exception):
    """One record cannot become facts: it goes to quarantine with `reason` (a rule's name) and `detail`.

    `detail` says what was found and what was expected, never a personal value.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class FeedParser:
    """How one feed is read: which records its payloads hold and what each record says.

    `split(payload, context)` gives the raw records of one answer, byte for byte, as (raw text) slices; it raises
    RecordRefusedError("platform_error", ...) for an error answer. `volatile` names keys (at any depth) that do
    not count for duplicates; names ending in `*` are prefixes. `hash_context` names what of the context belongs to a
    record's content (dotted for parameters: `params.userid`): two guides with equal figures are no duplicates.
    `states_time` tells whether a record's content says itself when it happened: its arrival (`received_ms`) is then
    left out, and the same line that is sent again is a duplicate. `plain` is a shorter way for a feed of very many
    records.
    """

    feed: str
    source: str
    split: Callable[[bytes, Context], Sequence[bytes]]
    parse: Callable[[Record], Parsed]
    tables: tuple[str, ...]
    volatile: tuple[str, ...] = ()
    hash_context: tuple[str, ...] = ()
    states_time: Callable[[Any], bool] | None = None
    plain: PlainReading | None = None


def version_key(updated_ms: int | None, digest: str, *, rank: int = 0, refund_rank: int = 0) -> str:
    """Versions of one key sort by (source update time, status rank, refund rank, payload digest), greatest is current.

    >>> version_key(1735700731000, "ab" * 16, rank=2)
    '0001735700731000|02|00|abababababababababababababababab'
    """
    stamp = str(max(updated_ms or 0, 0)).zfill(16)
    if rank == 0 and refund_rank == 0:
        return f"{stamp}|00|00|{digest}"
    return f"{stamp}|{rank:02d}|{refund_rank:02d}|{digest}"

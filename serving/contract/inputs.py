"""What a publish job hands to the snapshot writer: named streams of Arrow batches with declared columns.

Timestamps may be Arrow timestamps (UTC) or integers of epoch ms, dates Arrow dates or `YYYY-MM-DD` strings. Columns
that are not named here are ignored, except in `features`, where every column is a feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from serving.errors import InputRefusedError

Batches = Iterable[pa.RecordBatch | pa.Table]
Kind = Literal["text", "int", "flag", "time", "date", "texts"]


@dataclass(frozen=True)
class InputColumn:
    """A column an input must or may have; an absent optional column reads as nulls."""

    name: str
    kind: Kind
    required: bool = True


def _columns(required: str, optional: str = "") -> tuple[InputColumn, ...]:
    """Columns from `name:kind` words."""

    def parse(text: str, *, needed: bool) -> list[InputColumn]:
        pairs = (word.split(":") for word in text.split())
        return [InputColumn(name, kind, required=needed) for name, kind in pairs]  # type: ignore[arg-type]  # words above

    return (*parse(required, needed=True), *parse(optional, needed=False))


INPUTS: dict[str, tuple[InputColumn, ...]] = {
    "oneids": _columns("one_id:text status:text", "minted_at:date merged_into:text"),
    "oneid_map": _columns(
        "identifier_key:int namespace:text scope:text value:text one_id:text status:text",
        "valid_from:time valid_to:time first_seen:time last_seen:time candidates:texts display:text personal:flag",
    ),
    "aliases": _columns("key:int target_key:int"),
    "features": _columns("one_id:text"),
    "tags": _columns("one_id:text tag:text value:text as_of:date reason:text"),
    "timeline": _columns("one_id:text at_ms:time kind:text ref:text", "source:text amount_fen:int detail:text"),
    "orders": _columns(
        "platform:text shop_id:text order_id:text one_id:text status:text is_paid:flag",
        "is_internal:flag paid_fen:int refunded_fen:int at_ms:time",
    ),
    "consents": _columns("one_id:text purpose:text status:text", "stated_at:time source:text conflict:flag"),
    "access": _columns("one_id:text dimension:text value:text"),
}
"""Columns of each input, by the name of its field in `SnapshotInputs`."""


@dataclass(frozen=True)
class SnapshotInputs:
    """Everything a snapshot is built from.

    `oneids` and `oneid_map` are the registry and the identifier map (with `display`, a masked text, where the
    identifier is personal data; `personal` defaults to the phone namespaces); `features` holds one row per person,
    every other column being a feature (`layer_column` among them is the relation layer); `timeline` rows without OneID
    are left out; `aliases` are keys of hashed forms of phones; `access` rows name brands and guides whose restricted
    API keys may see a person; `key_check` is `serving.contract.key_check` of the identity key and
    `identity_policy` the plain data of `conf/identity.yaml`, so that readers normalise as the lake did. For an update
    the streams hold every row of the touched people, and every identifier and order that nobody owns and that changed.
    """

    snapshot_id: str
    as_of: str
    built_at_ms: int
    manifest: Mapping[str, object]
    oneids: Batches
    oneid_map: Batches
    features: Batches = ()
    tags: Batches = ()
    timeline: Batches = ()
    orders: Batches = ()
    consents: Batches = ()
    aliases: Batches = ()
    access: Batches = ()
    feature_groups: Mapping[str, str] = field(default_factory=dict)
    layer_column: str = "relation_layer"
    key_check: str | None = None
    identity_policy: Mapping[str, object] = field(default_factory=dict)


def read_columns(inputs: SnapshotInputs, table: str) -> Iterator[dict[str, pa.Array]]:
    """The batches of one input as declared columns, cast to text, int64, bool, epoch ms or `YYYY-MM-DD`."""
    for batch in batches_of(inputs, table):
        yield {column.name: _cast(table, column, batch) for column in INPUTS[table]}


def batches_of(inputs: SnapshotInputs, table: str) -> Iterator[pa.RecordBatch]:
    """The non-empty record batches of one input as they came, after the check that no required column lacks."""
    source: Batches = getattr(inputs, table)
    if isinstance(source, pa.RecordBatch | pa.Table):
        source = (source,)
    for item in source:
        _require(table, item.schema.names)
        parts = item.to_batches() if isinstance(item, pa.Table) else [item]
        yield from (part for part in parts if part.num_rows)


def _require(table: str, names: list[str]) -> None:
    lacking = [column.name for column in INPUTS[table] if column.required and column.name not in names]
    if lacking:
        raise InputRefusedError(
            table,
            problem=f"column {', '.join(lacking)} is missing; received {', '.join(names)}",
            allowed=[f"{column.name} ({column.kind})" for column in INPUTS[table]],
        )


def _cast(table: str, column: InputColumn, batch: pa.RecordBatch) -> pa.Array:
    if column.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, _ARROW[column.kind])
    array = batch.column(column.name)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        return _to_kind(array, column.kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputRefusedError(
            table,
            problem=f"column {column.name} of type {array.type} does not read as {column.kind}",
            allowed=[f"{wanted.name} ({wanted.kind})" for wanted in INPUTS[table]],
        ) from error


_ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "int": pa.int64(),
    "flag": pa.bool_(),
    "time": pa.int64(),
    "date": pa.string(),
    "texts": pa.list_(pa.string()),
}


def _to_kind(array: pa.Array, kind: Kind) -> pa.Array:
    if kind == "time" and pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("ms", tz=array.type.tz), safe=False).cast(pa.int64())
    if kind == "date" and (pa.types.is_date(array.type) or pa.types.is_timestamp(array.type)):
        return pc.strftime(array.cast(pa.date32()), format="%Y-%m-%d")
    return array.cast(_ARROW[kind])

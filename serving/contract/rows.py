"""Rows of the snapshot's tables made from the columns of the inputs, one generator per table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from serving.contract.columns import BitmapBuilder, FeatureArrays
from serving.contract.format import PERSONAL_NAMESPACES, TYPED_NAMESPACES
from serving.contract.inputs import INPUTS, SnapshotInputs, batches_of, read_columns
from serving.contract.people import Numbering, Registry
from serving.errors import InputRefusedError, InputsDisagreeError

Row = tuple[object, ...]
OTHER_GROUP = "other"
_TOKEN = re.compile(r"[0-9a-f]{32}")


def group_of(inputs: SnapshotInputs, feature: str) -> str:
    """The group a feature is shown in; `other` when none is declared."""
    return inputs.feature_groups.get(feature, OTHER_GROUP)


def feature_documents(
    inputs: SnapshotInputs, numbering: Numbering, arrays: FeatureArrays, bitmaps: BitmapBuilder
) -> dict[int, tuple[str | None, str]]:
    """(relation layer, features as JSON by group) of each person; arrays and layer bitmaps are filled on the way."""
    documents: dict[int, tuple[str | None, str]] = {}
    for batch in batches_of(inputs, "features"):
        owners = _known(numbering.owners_of("features", batch.column("one_id")), "features")
        names = sorted(name for name in batch.schema.names if name != "one_id")
        for name in names:
            arrays.put(name, batch.column(name), people=owners)
        layers = _layers(inputs, batch)
        groups = {name: group_of(inputs, name) for name in names if name != inputs.layer_column}
        texts = _feature_texts(batch, groups)
        for owner, layer, text in zip(owners, layers, texts, strict=True):
            documents[owner] = (layer, text)
            if layer is not None:
                bitmaps.add(("layer", "relation", layer), (owner,))
    return documents


def _layers(inputs: SnapshotInputs, batch: pa.RecordBatch) -> list[str | None]:
    if inputs.layer_column not in batch.schema.names:
        return [None] * batch.num_rows
    layers: list[str | None] = batch.column(inputs.layer_column).cast(pa.string()).to_pylist()
    return layers


def _feature_texts(batch: pa.RecordBatch, groups: Mapping[str, str]) -> Iterator[str]:
    """Each row's features as JSON by group; nulls are left out, times become epoch ms."""
    named = [(group, [name for name in groups if groups[name] == group]) for group in sorted(set(groups.values()))]
    per_group = [
        (group, names, zip(*(_json_ready(batch.column(name)).to_pylist() for name in names), strict=True))
        for group, names in named
    ]
    for _ in range(batch.num_rows):
        document = {}
        for group, names, rows in per_group:
            found = {name: value for name, value in zip(names, next(rows), strict=True) if value is not None}
            if found:
                document[group] = found
        yield orjson.dumps(document).decode()


def _json_ready(array: pa.Array) -> pa.Array:
    dtype = array.type
    if pa.types.is_timestamp(dtype):
        return array.cast(pa.timestamp("ms", tz=dtype.tz), safe=False).cast(pa.int64())
    if pa.types.is_decimal(dtype):
        return array.cast(pa.float64())
    return array


def profile_rows(
    registry: Registry,
    numbering: Numbering,
    documents: Mapping[int, tuple[str | None, str]],
    bitmaps: BitmapBuilder,
) -> Iterator[Row]:
    """One row of `profiles` per living OneID, those without features included."""
    for person in registry.living:
        number = numbering[person.one_id]
        layer, features = documents.get(number, (None, "{}"))
        bitmaps.add(("status", "oneid", person.status), (number,))
        yield (number, person.one_id, person.status, layer, person.minted_on, features)


def identifier_rows(inputs: SnapshotInputs, numbering: Numbering) -> Iterator[tuple[Row, str | None]]:
    """Rows of `identifiers` without their id, each with the mask it may be shown as."""
    names = [column.name for column in INPUTS["oneid_map"] if column.name != "one_id"]
    for columns in read_columns(inputs, "oneid_map"):
        owners = numbering.numbers_of(columns["one_id"]).to_pylist()
        _refuse_retired_owners(columns, owners)
        plain = zip(*(columns[name].to_pylist() for name in names), strict=True)
        for owner, one_id, row in zip(owners, columns["one_id"].to_pylist(), plain, strict=True):
            yield _identifier_row(dict(zip(names, row, strict=True)), owner, one_id)


def _refuse_retired_owners(columns: Mapping[str, pa.Array], owners: list[int | None]) -> None:
    """The last period of an identifier belongs to a living OneID or to nobody; anything else is another run's map."""
    last = pc.and_(pc.is_null(columns["valid_to"]), pc.is_valid(columns["one_id"])).to_pylist()
    strangers = sum(owner is None and is_last for owner, is_last in zip(owners, last, strict=True))
    if strangers:
        raise InputsDisagreeError("oneid_map", strangers=strangers)


def _identifier_row(row: Mapping[str, object], owner: int | None, one_id: str | None) -> tuple[Row, str | None]:
    personal = row["personal"] if row["personal"] is not None else _is_personal(row)
    candidates = row["candidates"]
    display = row["display"]
    identifier = (
        row["identifier_key"],
        row["namespace"],
        row["scope"],
        row["value"],
        int(bool(personal)),
        owner,
        one_id if owner is None else None,
        row["status"],
        orjson.dumps(candidates).decode() if candidates else None,
        row["valid_from"],
        row["valid_to"],
        row["first_seen"],
        row["last_seen"],
    )
    return identifier, str(display) if display and personal else None


def _is_personal(row: Mapping[str, object]) -> bool:
    """Whether the value is a token, where the input does not say: a phone, or an id that was itself a number."""
    namespace, value = row["namespace"], str(row["value"])
    return namespace in PERSONAL_NAMESPACES or (namespace in TYPED_NAMESPACES and _TOKEN.fullmatch(value) is not None)


def tag_rows(inputs: SnapshotInputs, numbering: Numbering, bitmaps: BitmapBuilder) -> Iterator[Row]:
    """Rows of `tags`; the bitmaps of tags are filled on the way."""
    for columns in read_columns(inputs, "tags"):
        owners = _known(numbering.owners_of("tags", columns["one_id"]), "tags")
        bitmaps.add_column("tag", names=columns["tag"], values=columns["value"], people=owners)
        yield from zip(
            owners, *(columns[name].to_pylist() for name in ("tag", "value", "as_of", "reason")), strict=True
        )


def timeline_rows(inputs: SnapshotInputs, numbering: Numbering) -> Iterator[Row]:
    """Rows of `timeline`; entries without OneID are left out."""
    names = ("at_ms", "kind", "ref", "source", "amount_fen", "detail")
    for columns in read_columns(inputs, "timeline"):
        owned = pc.is_valid(columns["one_id"])
        kept = {name: column.filter(owned) for name, column in columns.items()}
        owners = numbering.owners_of("timeline", kept["one_id"])
        yield from zip(owners, *(kept[name].to_pylist() for name in names), strict=True)


def order_rows(inputs: SnapshotInputs, numbering: Numbering) -> Iterator[Row]:
    """Rows of `orders`; an order without OneID stays findable by its number."""
    for columns in read_columns(inputs, "orders"):
        owners = numbering.owners_of("orders", columns["one_id"])
        texts = (columns[name].to_pylist() for name in ("platform", "shop_id", "order_id"))
        numbers = (_zero_for_null(columns[name]) for name in ("is_paid", "is_internal", "paid_fen", "refunded_fen"))
        yield from zip(
            *texts, owners, columns["status"].to_pylist(), *numbers, columns["at_ms"].to_pylist(), strict=True
        )


def consent_rows(inputs: SnapshotInputs, numbering: Numbering) -> Iterator[Row]:
    """Rows of `consents`."""
    for columns in read_columns(inputs, "consents"):
        owners = _known(numbering.owners_of("consents", columns["one_id"]), "consents")
        texts = (columns[name].to_pylist() for name in ("purpose", "status", "stated_at", "source"))
        yield from zip(owners, *texts, _zero_for_null(columns["conflict"]), strict=True)


def alias_rows(inputs: SnapshotInputs) -> Iterator[Row]:
    """Rows of `aliases`."""
    for columns in read_columns(inputs, "aliases"):
        yield from zip(columns["key"].to_pylist(), columns["target_key"].to_pylist(), strict=True)


def fill_access(inputs: SnapshotInputs, numbering: Numbering, bitmaps: BitmapBuilder) -> None:
    """The access bitmaps hold who may be seen by keys restricted to a brand or guide."""
    for columns in read_columns(inputs, "access"):
        owners = _known(numbering.owners_of("access", columns["one_id"]), "access")
        bitmaps.add_column("access", names=columns["dimension"], values=columns["value"], people=owners)


def _known(owners: list[int | None], table: str) -> list[int]:
    known = [owner for owner in owners if owner is not None]
    if len(known) != len(owners):
        raise InputRefusedError(table, problem="one_id is null in some rows", allowed=("one_id of a living OneID",))
    return known


def _zero_for_null(column: pa.Array) -> list[int]:
    numbers: list[int] = pc.fill_null(column.cast(pa.int64()), 0).to_pylist()
    return numbers

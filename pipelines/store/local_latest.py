"""Which version of a row a table keeps, on frames in this process: the rules of `pipelines/store/latest.py`.

Both say the same, and a test holds them together; here the held rows come complete, so the answer does too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import polars as pl

from pipelines.spec import Table
from pipelines.store.versioning import ARRIVAL, FILLED, tie_columns, version_column

HELD = "__held_"
KNOWN = "__known"


def first_rows(rows: pl.DataFrame, key: Sequence[str], order: Sequence[str]) -> pl.DataFrame:
    """One row per key, the least by `order`."""
    ordered = rows.sort(list(order), maintain_order=True) if order else rows
    return ordered.unique(list(key), keep="first", maintain_order=True)


def latest_rows(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """One row per key of these rows, the rules applied among them."""
    key, version = list(table.key), version_column(table)
    arrival = [ARRIVAL] if ARRIVAL in table.column_names else []
    ties = tie_columns(table)
    order = [pl.col(version), *(pl.col(name) for name in (*arrival, *ties))]
    ordered = rows.sort(order, descending=[True] + [False] * (len(order) - 1), maintain_order=True)
    kept = ordered.unique(key, keep="first", maintain_order=True)
    if table.keep_min:
        least = rows.group_by(key).agg(pl.col(name).min() for name in table.keep_min)
        kept = kept.drop(table.keep_min).join(least, on=key, how="left", nulls_equal=True)
    for name in table.fill:
        spoken = rows.drop_nulls(name).sort(version, _comparable(rows, name), maintain_order=True)
        said = spoken.unique(key, keep="last", maintain_order=True).select(
            *key, pl.col(version).alias(_version(name)), pl.col(name).alias(_value(name))
        )
        kept = kept.join(said, on=key, how="left", nulls_equal=True)
    return _settled(table, kept, pl.col(version)).select(table.column_names)


def changed_rows(table: Table, rows: pl.DataFrame, held: pl.DataFrame, *, op: str) -> pl.DataFrame:
    """The complete rows that change or add to what the table holds; `op` says U where it holds the key, else I."""
    key = list(table.key)
    others = [name for name in table.column_names if name not in key]
    old = held.select(*key, *(pl.col(name).alias(HELD + name) for name in others), pl.lit(value=True).alias(KNOWN))
    joined = rows.join(old, on=key, how="left", nulls_equal=True)
    joined = joined.with_columns(pl.col(KNOWN).fill_null(value=False))
    version, held_version = pl.col(version_column(table)), pl.col(HELD + version_column(table))
    newer = version > held_version
    if ARRIVAL in table.column_names:
        newer |= (version == held_version) & (pl.col(ARRIVAL) < pl.col(HELD + ARRIVAL))
    joined = joined.with_columns(__newer=newer.fill_null(value=False))
    differs = ~pl.col(KNOWN) | pl.col("__newer")
    for name in table.keep_min:
        joined = joined.with_columns(pl.min_horizontal(name, HELD + name).alias(name))
        differs |= pl.col(name).ne_missing(pl.col(HELD + name))
    for name in table.fill:
        joined = _filled(table, joined, name)
        differs |= pl.col(_version(name)).ne_missing(pl.col(_version(name) + HELD))
        differs |= pl.col(_value(name)).ne_missing(pl.col(_value(name) + HELD))
    settled = {*table.keep_min, *table.fill, FILLED}
    takes = ~pl.col(KNOWN) | pl.col("__newer")
    changed = joined.filter(differs)
    latest = pl.max_horizontal(version_column(table), HELD + version_column(table)).alias("__latest")
    changed = changed.with_columns(latest).with_columns(
        pl.when(takes).then(pl.col(name)).otherwise(pl.col(HELD + name)).alias(name)
        for name in others
        if name not in settled
    )
    final = _settled(table, changed, pl.col("__latest"))
    kind = pl.when(pl.col(KNOWN)).then(pl.lit("U")).otherwise(pl.lit("I")).alias(op)
    return final.select(*table.column_names, kind)


def _filled(table: Table, joined: pl.DataFrame, name: str) -> pl.DataFrame:
    """What a `fill` column says in the greatest version that speaks of it, of the given row's and the held one's."""
    given = _origins(table, joined, name, "")
    kept = _origins(table, joined, name, HELD)
    comparable = _comparable(joined, name), _comparable(joined, HELD + name)
    held = kept.is_not_null() & (
        given.is_null() | (kept > given) | ((kept == given) & (comparable[1] > comparable[0]))
    ).fill_null(value=False)
    frame = joined.with_columns(
        pl.when(held).then(kept).otherwise(given).alias(_version(name)),
        pl.when(held).then(pl.col(HELD + name)).otherwise(pl.col(name)).alias(_value(name)),
        kept.alias(_version(name) + HELD),
        pl.when(kept.is_not_null()).then(pl.col(HELD + name)).alias(_value(name) + HELD),
    )
    return frame


def _origins(table: Table, frame: pl.DataFrame, name: str, prefix: str) -> pl.Expr:
    """The version that says a `fill` column: the one remembered, else the row's own; null where it says nothing."""
    own = pl.col(prefix + version_column(table))
    origin = own
    if FILLED in table.column_names:
        remembered = [_versions_of(text).get(name) for text in frame[prefix + FILLED].to_list()]
        origin = pl.coalesce(pl.lit(pl.Series(remembered, dtype=pl.String)), own)
    return pl.when(pl.col(prefix + name).is_not_null()).then(origin)


def _versions_of(text: str | None) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(text) if text else {}
    return found


def _settled(table: Table, rows: pl.DataFrame, version: pl.Expr) -> pl.DataFrame:
    """The `fill` columns out of their pairs, and where they come from when that is not `version`."""
    if not table.fill:
        return rows
    frame = rows.with_columns(pl.col(_value(name)).alias(name) for name in table.fill)
    if FILLED not in table.column_names:
        return frame
    older = frame.select(
        pl.when(pl.col(_version(name)) != version).then(pl.col(_version(name))).alias(name) for name in table.fill
    )
    texts = [_text(row) for row in older.iter_rows(named=True)]
    return frame.with_columns(pl.Series(FILLED, texts, dtype=pl.String))


def _text(row: Mapping[str, str | None]) -> str | None:
    said = {name: value for name, value in row.items() if value is not None}
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False) if said else None


def _comparable(frame: pl.DataFrame, name: str) -> pl.Expr:
    """The column in a form that has an order: lists as their joined texts."""
    if isinstance(frame.schema[name], pl.List):
        return pl.col(name).list.join("\x1f")
    return pl.col(name)


def _version(name: str) -> str:
    return f"__version_{name}"


def _value(name: str) -> str:
    return f"__value_{name}"

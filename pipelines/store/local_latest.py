"""Which version of a row a table keeps, on frames in this process: the rules of `pipelines/store/latest.py`.

Both say the same, and a test holds them together; here the held rows come complete, so the answer does too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

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
    kept = kept.with_columns(
        pair
        for name in table.fill
        for pair in (
            pl.when(pl.col(name).is_not_null()).then(pl.col(version)).alias(_version(name)),
            pl.col(name).alias(_value(name)),
        )
    )
    if kept.height < rows.height:
        kept = _said(table, rows, kept)
    return _settled(table, kept, pl.col(version)).select(table.column_names)


def _said(table: Table, rows: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """The kept rows with what the greatest version that speaks of a `fill` column says, where a key came repeatedly.

    Keys that came once say all they know themselves, and are most of a day's.
    """
    key, version = list(table.key), version_column(table)
    repeated = rows.filter(pl.struct(key).is_duplicated())
    for name in table.fill:
        names = (_version(name), _value(name))
        spoken = repeated.drop_nulls(name).sort(version, _comparable(rows, name), maintain_order=True)
        said = spoken.unique(key, keep="last", maintain_order=True).select(
            *key, *(pl.col(one).alias(f"{new}_said") for one, new in zip((version, name), names, strict=True))
        )
        joined = kept.join(said, on=key, how="left", nulls_equal=True)
        spoke = pl.col(f"{names[1]}_said").is_not_null()
        kept = joined.with_columns(
            pl.when(spoke).then(pl.col(f"{one}_said")).otherwise(pl.col(one)).alias(one) for one in names
        ).drop(f"{one}_said" for one in names)
    return kept


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
    joined = joined.with_columns(
        *(pl.min_horizontal(name, HELD + name).alias(name) for name in table.keep_min), *_filled(table, joined)
    )
    for name in table.keep_min:
        differs |= pl.col(name).ne_missing(pl.col(HELD + name))
    for name in table.fill:
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


def _filled(table: Table, joined: pl.DataFrame) -> Iterator[pl.Expr]:
    """What each `fill` column says in the greatest version that speaks of it, of the given row's and the held one's."""
    given, kept = (_origins(table, joined, prefix) for prefix in ("", HELD))
    for name in table.fill:
        comparable = _comparable(joined, name), _comparable(joined, HELD + name)
        held = kept[name].is_not_null() & (
            given[name].is_null()
            | (kept[name] > given[name])
            | ((kept[name] == given[name]) & (comparable[1] > comparable[0]))
        ).fill_null(value=False)
        yield pl.when(held).then(kept[name]).otherwise(given[name]).alias(_version(name))
        yield pl.when(held).then(pl.col(HELD + name)).otherwise(pl.col(name)).alias(_value(name))
        yield kept[name].alias(_version(name) + HELD)
        yield pl.when(kept[name].is_not_null()).then(pl.col(HELD + name)).alias(_value(name) + HELD)


def _origins(table: Table, frame: pl.DataFrame, prefix: str) -> Mapping[str, pl.Expr]:
    """The version that says each `fill` column: the one remembered, else the row's own; null where it says nothing."""
    own = pl.col(prefix + version_column(table))
    remembered: Sequence[Mapping[str, str]] = []
    if table.fill and FILLED in table.column_names and frame[prefix + FILLED].null_count() < frame.height:
        remembered = [_versions_of(text) for text in frame[prefix + FILLED].to_list()]
    origins = {}
    for name in table.fill:
        other = [row.get(name) for row in remembered]
        origin = pl.coalesce(pl.lit(pl.Series(other, dtype=pl.String)), own) if any(other) else own
        origins[name] = pl.when(pl.col(prefix + name).is_not_null()).then(origin)
    return origins


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
    if all(column.null_count() == older.height for column in older):  # usual: most rows say what they know themselves
        return frame.with_columns(pl.lit(None, pl.String).alias(FILLED))
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

"""Which refunds are told twice: by an export, under a number made of order and line, and by the platform under its own.

Both rows stay in silver, and one counts. Which one is worked out from the rows themselves, whatever came first, so that
every order of arrival ends in the same table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from pipelines.sources.refunds import FILE_FEED, PART, SUPERSEDED
from pipelines.store.local import LocalLake, empty
from pipelines.tables import ALL

REFUNDS = ALL["silver.refunds"]
KEY = list(REFUNDS.key)
ORDER = ["platform", "refund_scope", "order_id"]
LINES = pl.List(pl.String)
SUCCESS = "success"
LEAST_DIGITS = 10
"""Platforms' child orders have at least so many digits; shorter is a row's position in an export without them."""

_OF_FILE = pl.col("feed") == FILE_FEED
MADE = _OF_FILE & pl.col("refund_id").str.contains(PART, literal=True)
_OWN = ~_OF_FILE | ((pl.col("refund_scope") == "") & ~MADE)
"""Refunds with a number that the platform, or the shop's own feed, gave them."""

_NO_LINE = pl.col("line_id").is_null() | (
    (pl.col("refund_scope") == "") & (pl.col("line_id").str.len_chars() < LEAST_DIGITS)
)


def restated(refunds: pl.DataFrame) -> pl.DataFrame:
    """The refunds with made numbers whose status has to change, as they have to be.

    One is superseded while a successful refund of an amount with a number of its own is of its line, of several with
    it, or of the whole order; one whose line has no number of the platform's by any refund of the order. A refund that
    was closed or has no amount supersedes nothing. `refunds`: all those of the orders they name.
    """
    made = refunds.filter(MADE & pl.col("status").is_in([SUCCESS, SUPERSEDED]))
    own = refunds.filter(_OWN & (pl.col("status") == SUCCESS) & (pl.col("amount_fen") > 0))
    named = own.select(*ORDER, line_id=pl.Series([_lines(row) for row in own.iter_rows(named=True)], dtype=LINES))
    named = named.explode("line_id")
    whole = named.filter(pl.col("line_id").is_null())
    told = pl.concat(
        [
            made.join(named, on=[*ORDER, "line_id"], how="semi").select(KEY),
            made.join(whole, on=ORDER, how="semi").select(KEY),
            made.filter(_NO_LINE).join(named, on=ORDER, how="semi").select(KEY),
        ]
    ).unique()
    right = made.join(told.with_columns(right=pl.lit(SUPERSEDED)), on=KEY, how="left").with_columns(
        pl.col("right").fill_null(SUCCESS)
    )
    return right.filter(pl.col("right") != pl.col("status")).with_columns(status="right").select(REFUNDS.column_names)


def told_twice(lake: LocalLake, numbers: pl.LazyFrame) -> pl.DataFrame:
    """`restated` of the refunds of these orders (`platform`, `order_id`).

    Few lakes hold made numbers, so these are looked for first, in the columns that tell.
    """
    made = lake.scan(REFUNDS).filter(MADE).select(ORDER).unique().collect()
    if made.height:
        made = made.lazy().join(numbers, on=["platform", "order_id"], how="semi").collect()
    if not made.height:
        return empty(REFUNDS)
    return restated(lake.scan(REFUNDS).join(made.lazy(), on=ORDER, how="semi").collect())


def _lines(refund: Mapping[str, Any]) -> list[str | None]:
    """The lines that a refund is of; none where it is of the whole order."""
    amounts = refund["line_amounts"]
    return sorted(json.loads(amounts)) if amounts else [refund["line_id"]]

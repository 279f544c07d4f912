"""Rows of an older lake as they are written now: what `cdp migrate` does to a table beside adding columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from pipelines import rescoping
from pipelines.jobs.superseded import restated
from pipelines.rescoping import Defaults, Older
from pipelines.sources.refunds import NUMBERED_BY_PLATFORM
from pipelines.store.local import LocalLake
from pipelines.store.local_latest import changed_rows
from pipelines.tables import ALL

NO_DEFAULTS: Defaults = MappingProxyType({})
EVERY = pl.lit(value=True)
OP, TURN = "__op", "__turn"
SILVER, GOLD = ALL["silver.refunds"], ALL["gold.fact_refund"]
_BY_PLATFORM = pl.col("platform").is_in(sorted(NUMBERED_BY_PLATFORM))


@dataclass(frozen=True)
class Rewriting:
    """How the rows of a table look since a schema version: `rows` makes them of those of the version before; `what` is
    other about them, in words. `only`: those that it may change, so that the others need not be read."""

    since: int
    what: str
    rows: Callable[[pl.DataFrame, Older], pl.DataFrame]
    only: pl.Expr = EVERY


def refunds(held: pl.DataFrame, _: Older) -> pl.DataFrame:
    """Rows of silver.refunds, one for each refund: of several what they would be, had they come in one after another.

    A platform's empty shop is one that nobody named.
    """
    key = list(SILVER.key)
    rows = _scoped(held).sort(*key, "version_key", "shop_id", descending=True, nulls_last=True)
    rows = rows.with_columns(pl.int_range(pl.len()).over(key).alias(TURN))
    turns = rows[TURN].unique().sort().to_list()
    done = rows.filter(pl.col(TURN) == 0).drop(TURN)
    for turn in turns[1:]:
        changed = changed_rows(SILVER, rows.filter(pl.col(TURN) == turn).drop(TURN), done, op=OP).drop(OP)
        done = pl.concat([done.join(changed, on=key, how="anti"), changed])
    return done


def standing(held: pl.DataFrame, _: Older) -> pl.DataFrame:
    """Rows of silver.refunds, those superseded that an export and the platform both told of."""
    changed = restated(held)
    return pl.concat([held.join(changed, on=list(SILVER.key), how="anti").select(changed.columns), changed])


def refund_facts(held: pl.DataFrame, _: Older) -> pl.DataFrame:
    """Rows of gold.fact_refund, one for each refund: of several the one whose order, then whose shop is known.

    The next run works all of them out anew.
    """
    best = _scoped(held).with_columns(shop_key=pl.when(pl.col("shop_id").is_not_null()).then("shop_key"))
    order = ["order_known", pl.col("shop_id").is_not_null(), "refunded_fen", "shop_id"]
    ordered = best.sort(order, descending=True, nulls_last=True)
    return ordered.unique(list(GOLD.key), keep="first", maintain_order=True)


def _scoped(held: pl.DataFrame) -> pl.DataFrame:
    known = pl.when(~_BY_PLATFORM | (pl.col("shop_id") != "")).then("shop_id").alias("shop_id")
    scope = pl.when(_BY_PLATFORM).then(pl.lit("")).otherwise("shop_id").alias("refund_scope")
    stated = pl.col("refund_scope").is_not_null()
    return held.with_columns(
        pl.when(stated).then("shop_id").otherwise(known).alias("shop_id"),
        pl.when(stated).then("refund_scope").otherwise(scope).alias("refund_scope"),
    )


KEY = "with another key"
REWRITTEN: Mapping[str, tuple[Rewriting, ...]] = {
    SILVER.full_name: (Rewriting(3, KEY, refunds), Rewriting(4, "with refunds told twice marked", standing)),
    GOLD.full_name: (Rewriting(2, KEY, refund_facts),),
    rescoping.LEDGER.full_name: (Rewriting(2, KEY, rescoping.movements),),
    rescoping.CONSENTS.full_name: (Rewriting(2, KEY, rescoping.consents),),
    rescoping.CLAIMS.full_name: (Rewriting(2, KEY, rescoping.claims),),
    rescoping.LINES.full_name: (Rewriting(2, "with the brand of products", rescoping.lines, rescoping.OWN_CHANNEL),),
    rescoping.PRODUCTS.full_name: (Rewriting(2, KEY, rescoping.products),),
    rescoping.DIM_PRODUCT.full_name: (Rewriting(2, "with the brand of products", rescoping.product_dimension),),
    rescoping.EVIDENCE.full_name: (Rewriting(2, "with the brand in names of own records", rescoping.evidence),),
    rescoping.VERDICTS.full_name: (Rewriting(2, KEY, rescoping.verdicts),),
    rescoping.FACTS.full_name: (Rewriting(2, KEY, rescoping.movement_facts),),
}
"""Tables whose rows changed, by full name, in the order of the versions."""


def rewritings(full_name: str, before: int) -> tuple[Rewriting, ...]:
    """What a table of this schema version has to undergo."""
    return tuple(step for step in REWRITTEN.get(full_name, ()) if step.since > before)


def rewrite(lake: Path, full_name: str, before: int, defaults: Defaults = NO_DEFAULTS) -> None:
    """The table, which has all declared columns, holds its rows as they are written now; again it changes nothing.

    `defaults`: what the configuration says of lines without a wrapper, by feed.
    """
    local, table = LocalLake(lake), ALL[full_name]
    steps = rewritings(full_name, before)
    rows = held = local.scan(table).filter(pl.any_horizontal([step.only for step in steps])).collect()
    for step in steps:
        rows = step.rows(rows, Older(local, defaults))
    local.replace(table, held, rows)

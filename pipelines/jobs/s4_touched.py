"""Whose features have to follow: the people touched by new facts or by a change of identity.

Worked out in this process: keys and OneIDs alone are a small part of any lake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.store.local import LocalLake
from pipelines.tables import ALL

ORDER = ["platform", "shop_id", "order_id"]
FEATURES = ALL["features.customer_features"]
ORDERS = ALL["silver.orders"]
LINES = ALL["gold.fact_order_line"]
OBSERVATIONS = ALL["silver.identity_observations"]
MAP = ALL["identity.oneid_map"]
CHANGES = ALL["identity.oneid_changes"]


@dataclass(frozen=True)
class Arrival:
    """A run and the intervals it brought: dates as `YYYY-MM-DD`."""

    run_id: str
    as_of: str
    first: str
    last: str

    @property
    def inside(self) -> pl.Expr:
        """Whether a row arrived in the intervals."""
        return pl.col("interval").cast(pl.String).is_between(pl.lit(self.first), pl.lit(self.last))


def touched_people(
    lake: LocalLake, arrival: Arrival, keys: Sequence[pl.DataFrame], former: Sequence[pl.DataFrame] = ()
) -> pl.DataFrame:
    """`one_id` of everyone whose facts or identity changed in the run, retired OneIDs included, each once and in order.

    `keys`: frames of `identifier_key` with new facts; `former`: frames of `one_id` that lost a fact. Added are all who
    were observed or named in a change of identity, and the former owners of corrected orders.
    """
    parts = [named_in_changes(lake, arrival), _former_owners(lake, arrival), *former]
    seen = lake.scan(OBSERVATIONS).filter(arrival.inside).select(pl.col("ids").explode())
    observed = seen.select(pl.col("ids").struct.field("key").alias("identifier_key")).collect()
    changed = pl.concat([observed, *keys]).drop_nulls().unique().lazy()
    current = lake.scan(MAP).filter(pl.col("valid_to").is_null() & pl.col("one_id").is_not_null())
    owners = current.select("identifier_key", "one_id").join(changed, on="identifier_key", how="semi")
    return pl.concat([*parts, owners.select("one_id").collect()]).drop_nulls().unique().sort("one_id")


def named_in_changes(lake: LocalLake, arrival: Arrival) -> pl.DataFrame:
    """`one_id` of everyone on either side of a change that this run made, or a run for the same business day that may
    have been cut off."""
    own = (pl.col("run_id") == arrival.run_id) | (pl.col("as_of").cast(pl.String) == arrival.as_of)
    rows = lake.scan(CHANGES).filter(own).select("one_id", "others").collect()
    others = rows.select(one_id=pl.col("others").explode())
    return pl.concat([rows.select("one_id"), others.cast(pl.String)])


def _former_owners(lake: LocalLake, arrival: Arrival) -> pl.DataFrame:
    """Under whom gold still holds the orders that arrived: a corrected buyer takes an order from the former one."""
    arrived = lake.scan(ORDERS).filter(arrival.inside).select(ORDER).unique().collect()
    if not arrived.height:
        return pl.DataFrame(schema={"one_id": pl.String})
    held = lake.scan(LINES).filter(pl.col("one_id").is_not_null()).select(*ORDER, "one_id")
    return held.join(arrived.lazy(), on=ORDER, how="semi").select("one_id").unique().collect()


def defined_otherwise(lake: LocalLake, expected: str) -> bool:
    """Whether the standing features were computed with other declarations or thresholds than the present ones."""
    first = lake.scan(FEATURES).select("definition").head(1).collect()
    return bool(first.height) and first.item() != expected


def moved_keys(lake: LocalLake, arrival: Arrival, moved: pl.DataFrame) -> pl.DataFrame:
    """`subject_key`, `was` of the identifiers whose owner changed in the run, with the former owner where known: those
    that `moved`, and all that people named in a change of identity hold or held."""
    named = named_in_changes(lake, arrival).lazy()
    held = lake.scan(MAP).join(named, on="one_id", how="semi").select(subject_key="identifier_key").collect()
    told = moved.select(subject_key="identifier_key", was="was")
    return pl.concat([told, held.with_columns(was=pl.lit(None, pl.String))]).unique()

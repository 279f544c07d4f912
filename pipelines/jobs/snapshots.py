"""Facts that a full snapshot states by silence: group members who are no longer in the list have left.

Every full listing is remembered, so that a member left at the first listing without them, whether the days came one by
one, all at once or out of order.
"""

from __future__ import annotations

import polars as pl

from pipelines.store.local import LocalLake
from pipelines.tables import ALL

LISTINGS = ALL["silver.group_listings"]
MEMBERS = ALL["silver.group_members"]
MISSING = "01"
"""Refund rank of a version that says "and then a listing was without them": it sorts right behind the sighting."""


def listings(groups: pl.DataFrame) -> pl.DataFrame:
    """When which group was listed in full, out of new rows of silver.groups."""
    return groups.drop_nulls("snapshot_at").select("corp_id", "chat_id", listed_at="snapshot_at").unique()


def members_who_left(lake: LocalLake, groups: pl.DataFrame) -> pl.DataFrame:
    """Members of these groups whom a listing leaves out, as rows that they left, where the lake does not say so yet.

    `left_at` is the time of the first listing after they were last seen in the group.
    """
    key = list(MEMBERS.key)
    parts = pl.col("version_key").str.split("|").list
    inferred = (pl.col("status") == "left") & (parts.get(2, null_on_oob=True) == MISSING)
    of_groups = groups.lazy().select("corp_id", "chat_id").unique()
    members = lake.scan(MEMBERS).join(of_groups, on=["corp_id", "chat_id"], how="semi")
    moment = parts.get(0).cast(pl.Int64).cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime("us", "UTC"))
    seen = members.filter((pl.col("status") == "in") | inferred).with_columns(__seen=moment)
    later = seen.select(*key, "__seen").join(lake.scan(LISTINGS), on=["corp_id", "chat_id"])
    first = later.filter(pl.col("listed_at") > pl.col("__seen")).group_by(key).agg(__left=pl.col("listed_at").min())
    stands = (pl.col("status") == "left") & pl.col("left_at").eq_missing(pl.col("__left"))
    left = seen.join(first, on=key).filter(~stands)
    version = pl.concat_str(parts.get(0), parts.get(1), pl.lit(MISSING), parts.get(3), separator="|")
    return (
        left.with_columns(status=pl.lit("left"), left_at="__left", updated_at="__left", version_key=version)
        .select(MEMBERS.column_names)
        .collect()
    )

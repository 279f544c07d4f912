"""Facts that a full snapshot states by silence: group members who are no longer in the list have left.

Every full listing is remembered, so that a member left at the first listing without them, whether the days came one by
one, all at once or out of order.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.store.lake import Lake
from pipelines.tables import ALL

LISTINGS = ALL["silver.group_listings"]
MEMBERS = ALL["silver.group_members"]
MISSING = "01"
"""Refund rank of a version that says "and then a listing was without them": it sorts right behind the sighting."""


def listings(groups: DataFrame) -> DataFrame:
    """When which group was listed in full, out of new rows of silver.groups."""
    return groups.where("snapshot_at IS NOT NULL").select("corp_id", "chat_id", F.col("snapshot_at").alias("listed_at"))


def members_who_left(lake: Lake, groups: DataFrame) -> DataFrame:
    """Members of these groups whom a listing leaves out, as rows that they left, where the lake does not say so yet.

    `left_at` is the time of the first listing after they were last seen in the group.
    """
    parts = F.split("version_key", r"\|")
    inferred = (F.col("status") == "left") & (parts[2] == MISSING)
    members = lake.read(MEMBERS).join(groups, ["corp_id", "chat_id"], "left_semi")
    seen = members.where((F.col("status") == "in") | inferred).withColumn(
        "__seen", F.timestamp_millis(parts[0].cast("bigint"))
    )
    later = (
        seen.join(lake.read(LISTINGS), ["corp_id", "chat_id"])
        .where("listed_at > __seen")
        .groupBy(*MEMBERS.key)
        .agg(F.min("listed_at").alias("__left"))
    )
    version = F.concat_ws("|", parts[0], parts[1], F.lit(MISSING), parts[3])
    left = seen.join(later, list(MEMBERS.key)).where("NOT (status = 'left' AND left_at <=> __left)")
    return left.withColumns(
        {"status": F.lit("left"), "left_at": F.col("__left"), "updated_at": F.col("__left"), "version_key": version}
    ).select(*MEMBERS.column_names)

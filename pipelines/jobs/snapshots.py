"""Facts that a full snapshot states by silence: group members who are no longer in the list have left."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.store.lake import Lake
from pipelines.tables import ALL

GROUPS = ALL["silver.groups"]
MEMBERS = ALL["silver.group_members"]


def members_who_left(lake: Lake) -> DataFrame | None:
    """Members still marked `in` whose group was listed in full after they were last seen, as rows that they left.

    `left_at` is the time of the listing; the row's version sorts at that listing's time. None without group tables.
    """
    if not (lake.exists(GROUPS) and lake.exists(MEMBERS)):
        return None
    listed = (
        lake.read(GROUPS)
        .where("snapshot_at IS NOT NULL")
        .select("corp_id", "chat_id", "snapshot_at", F.col("interval").alias("listed_in"))
    )
    members = (
        lake.read(MEMBERS).where("status = 'in'").join(listed, ["corp_id", "chat_id"]).where("updated_at < snapshot_at")
    )
    millis = F.lpad(F.unix_millis("snapshot_at").cast("string"), 16, "0")
    return (
        members.withColumn("status", F.lit("left"))
        .withColumn("left_at", F.col("snapshot_at"))
        .withColumn("version_key", F.concat_ws("|", millis, F.lit("00"), F.lit("00"), F.col("record_hash")))
        .withColumn("updated_at", F.col("snapshot_at"))
        .withColumn("interval", F.col("listed_in"))
        .select(*MEMBERS.column_names)
    )

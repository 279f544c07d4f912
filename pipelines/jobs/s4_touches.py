"""Touchpoints: when and where a person was met, one row per day, channel, kind and detail."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from features.channels import sales_channel_sql
from features.days import business_day_sql
from pipelines.jobs.s4_relations import friendships, group_stays

KIND = r"""CASE
  WHEN scene = '1154' AND source IN ('sensors', 'youshu') THEN 'preview'
  WHEN event IN ('$MPLaunch', '$MPShow', '$MPViewScreen', '$MPHide', '$MPPageLeave') THEN 'visit'
  WHEN event LIKE 'browse%' THEN 'visit'
  WHEN lower(event) LIKE '%share%' THEN 'share'
  WHEN lower(event) LIKE '%click%' THEN 'click'
  WHEN event = '$MPAddFavorites' THEN 'favourite'
  WHEN lower(event) LIKE '%cart%' THEN 'cart'
  WHEN event = '$SignUp' THEN 'sign_up'
  WHEN event LIKE 'profile%' OR event IN ('$BindID', '$UnbindID') THEN 'profile'
  ELSE 'other' END"""
"""Kinds of mini-program events; names of the SensorsData and 有数 dialects. A page Moments shows alone (1154) is looked
at without the program being opened: no visit."""

CHANNELS = {"sensors": "miniprogram", "youshu": "miniprogram", "wechat_mall": "mall"}
"""Sources of events that are touches, with their channel: messages of the other sources announce orders and relations,
which are touches themselves."""


def touchpoints(
    orders: DataFrame,
    events: DataFrame,
    follows: tuple[DataFrame, DataFrame],
    groups: tuple[DataFrame, DataFrame],
    owners: DataFrame,
) -> DataFrame:
    """Rows of `features.touchpoints` of the people in `owners`; `follows`, `groups`: as `friendships` and `group_stays`
    take them.

    Messages are not counted beside the orders and relations they announce; a touch without a time is none.
    """
    touches = (
        _order_touches(orders)
        .unionByName(_event_touches(events))
        .unionByName(_follow_touches(*follows, owners))
        .unionByName(_group_touches(*groups, owners))
        .where("at IS NOT NULL")
    )
    return (
        touches.join(owners, "subject_key")
        .groupBy("one_id", "business_date", "channel", "kind", "detail")
        .agg(fn.count(fn.lit(1)).alias("touches"), fn.min("at").alias("first_at"), fn.max("at").alias("last_at"))
    )


def _touch(frame: DataFrame, *, at: str, day: str, channel: str, kind: str, detail: str) -> DataFrame:
    expressions = {
        "at": at,
        "business_date": day,
        "channel": channel,
        "kind": kind,
        "detail": f"coalesce({detail}, '')",
    }
    known = frame.where("subject_key IS NOT NULL")
    return known.select("subject_key", *(fn.expr(sql).alias(name) for name, sql in expressions.items()))


def _order_touches(orders: DataFrame) -> DataFrame:
    at = "coalesce(paid_at, created_at)"
    kind = "CASE WHEN is_paid THEN 'order' ELSE 'unpaid_order' END"
    return _touch(
        orders,
        at=at,
        day=f"coalesce(business_date, {business_day_sql(at)})",
        channel=sales_channel_sql("platform"),
        kind=kind,
        detail="channel_origin",
    )


def _event_touches(events: DataFrame) -> DataFrame:
    met = events.where(fn.col("source").isin(list(CHANNELS)))
    day = f"coalesce(business_date, {business_day_sql('event_at')})"
    channel = " ".join(f"WHEN '{source}' THEN '{name}'" for source, name in CHANNELS.items())
    detail = "coalesce(utm_source, scene)"
    return _touch(met, at="event_at", day=day, channel=f"CASE source {channel} END", kind=KIND, detail=detail)


def _follow_touches(follows: DataFrame, changes: DataFrame, owners: DataFrame) -> DataFrame:
    begun = friendships(follows.where("added_at IS NOT NULL"), changes, owners)
    return _touch(begun, at="at", day=business_day_sql("at"), channel="'wecom'", kind="'friend_add'", detail="detail")


def _group_touches(members: DataFrame, changes: DataFrame, owners: DataFrame) -> DataFrame:
    joined = group_stays(members, changes, owners)
    return _touch(joined, at="at", day=business_day_sql("at"), channel="'wecom'", kind="'group_join'", detail="detail")

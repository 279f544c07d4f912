"""Relation layers over time: when a person reached or left the public, private and friend relation, and through what.

Spans come from facts and their own times, not from the day of a run, so running day by day, in one pass or again gives
the same history, and a merge or split moves it with the facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn

from features.channels import PRIVATE_CHANNELS, PUBLIC_CHANNELS, identity_channel_sql, quoted
from features.days import business_day_sql

SPAN = ["layer", "from_date", "to_date", "via", "staff_key"]


def relation_spans(
    oneid_map: DataFrame, orders: DataFrame, members: DataFrame, follows: tuple[DataFrame, DataFrame], owners: DataFrame
) -> DataFrame:
    """`one_id`, `layer`, `from_date`, `to_date` (null while it lasts), `via`, `staff_key`: relations of the `owners`.

    Public: an identifier of a platform, or an order. Private: an identifier of the mini-program or a member id, a mall
    order, a membership while it lasts. Friend: a guide's relation each time it lasts; `follows`: how relations stand,
    and when they began and ended. Of open spans only the earliest per layer is kept, closed ones are all kept; a
    relation that began and ended on one day is none.
    """
    spans = (
        _identity_spans(oneid_map)
        .unionByName(_order_spans(orders))
        .unionByName(_member_spans(members))
        .unionByName(_friend_spans(*follows, owners))
        .where("from_date IS NOT NULL AND (to_date IS NULL OR from_date < to_date)")
    )
    first = fn.struct("from_date", "via", "staff_key")
    merged = spans.join(owners, "subject_key").groupBy("one_id", "layer", "to_date").agg(fn.min(first).alias("first"))
    return merged.select("one_id", "layer", "first.from_date", "to_date", "first.via", "first.staff_key")


def _span(
    frame: DataFrame, *, layer: str, begin: str, end: str, via: str, staff: str = "CAST(NULL AS STRING)"
) -> DataFrame:
    parts = dict(zip(SPAN, (layer, begin, f"CAST({end} AS DATE)", via, staff), strict=True))
    return frame.select("subject_key", *(fn.expr(sql).alias(name) for name, sql in parts.items()))


def _identity_spans(oneid_map: DataFrame) -> DataFrame:
    known = oneid_map.where("valid_to IS NULL AND one_id IS NOT NULL").select(
        fn.col("identifier_key").alias("subject_key"),
        fn.expr(identity_channel_sql("namespace")).alias("channel"),
        "first_seen",
    )
    telling = known.where(f"channel IN ({quoted((*PUBLIC_CHANNELS, *PRIVATE_CHANNELS))})")
    layer = f"CASE WHEN channel IN ({quoted(PUBLIC_CHANNELS)}) THEN 'public' ELSE 'private' END"
    return _span(telling, layer=layer, begin=business_day_sql("first_seen"), end="NULL", via="channel")


def _order_spans(orders: DataFrame) -> DataFrame:
    owned = orders.where("subject_key IS NOT NULL")
    layer = "CASE WHEN platform = 'mall' THEN 'private' ELSE 'public' END"
    begin = f"coalesce({business_day_sql('created_at')}, business_date)"
    return _span(owned, layer=layer, begin=begin, end="NULL", via="concat('order:', platform)")


def _member_spans(members: DataFrame) -> DataFrame:
    known = members.where("status <> 'seen' AND subject_key IS NOT NULL")
    begin = f"coalesce({business_day_sql('joined_at')}, {business_day_sql('updated_at')}, `interval`)"
    end = f"CASE WHEN status = 'left' THEN coalesce({business_day_sql('updated_at')}, `interval`) END"
    return _span(known, layer="'private'", begin=begin, end=end, via="concat('member:', programme)")


def _friend_spans(follows: DataFrame, changes: DataFrame, owners: DataFrame) -> DataFrame:
    days = {"begin": business_day_sql("at"), "end": business_day_sql("ended_at")}
    via = "concat('friend:', coalesce(detail, 'unknown'))"
    return _span(friendships(follows, changes, owners), layer="'friend'", via=via, staff="staff", **days)


def friendships(follows: DataFrame, changes: DataFrame, owners: DataFrame) -> DataFrame:
    """`subject_key`, `staff`, `at`, `ended_at` (null while it lasts), `detail` (how it came about): each time a
    relation lasted, from a beginning that follows an end, or nothing, to the next end; a beginning told twice is one.

    `follows`: rows of silver.contact_follows; `changes`: of silver.contact_follow_changes; both of the `owners`.
    """
    seen = "updated_at, CAST(`interval` AS TIMESTAMP)"
    now = (
        (f"coalesce(added_at, {seen})", "true", "false"),
        (f"coalesce(ended_at, {seen})", "status <> 'active'", "true"),
    )
    words = {"place": "concat_ws('|', corp_id, userid)", "detail": "coalesce(state, add_way)"}
    moments = _moments(follows, changes, now, told="change <> 'began'", **words)
    return _stays(moments, owners).withColumnRenamed("place", "staff")


def group_stays(members: DataFrame, changes: DataFrame, owners: DataFrame) -> DataFrame:
    """`subject_key`, `place` (the group), `at`, `ended_at`, `detail`: each time a customer was in a group, likewise.

    `members`: rows of silver.group_members; `changes`: of silver.group_member_changes; both of the `owners`.
    """
    now = (("joined_at", "true", "false"), ("coalesce(left_at, updated_at)", "status = 'left'", "true"))
    words = {"place": "concat_ws('|', corp_id, chat_id)", "detail": "coalesce(state, join_scene)"}
    return _stays(_moments(members, changes, now, told="change = 'left'", **words), owners)


def _stays(every: DataFrame, owners: DataFrame) -> DataFrame:
    moments = every.join(owners.select("subject_key"), "subject_key", "left_semi")
    relation = Window.partitionBy("subject_key", "place").orderBy("at", "is_end")
    later = relation.rowsBetween(1, Window.unboundedFollowing)
    ended = fn.min(fn.when(fn.col("is_end"), fn.col("at"))).over(later)
    marked = moments.select("*", fn.lag("is_end").over(relation).alias("was_over"), ended.alias("ended_at"))
    return marked.where("NOT is_end AND coalesce(was_over, true)").drop("is_end", "was_over")


def _moments(
    now: DataFrame, changes: DataFrame, times: Sequence[tuple[str, str, str]], *, told: str, place: str, detail: str
) -> DataFrame:
    """When stays at a place began and ended: as the changes tell (`told`: whether one is an end), and as they stand by
    now (`times`: when, which rows, whether it is an end)."""
    frames = [
        frame.where(f"subject_key IS NOT NULL AND {rows}").selectExpr(
            "subject_key",
            f"{place} AS place",
            f"{at} AS at",
            f"{is_end} AS is_end",
            f"CASE WHEN NOT ({is_end}) THEN {detail} END AS detail",
        )
        for frame, (at, rows, is_end) in ((changes, ("changed_at", "true", told)), *((now, one) for one in times))
    ]
    every = reduce(lambda one, other: one.unionByName(other), frames).where("at IS NOT NULL")
    return every.groupBy("subject_key", "place", "at", "is_end").agg(fn.min("detail").alias("detail"))


def layer_changes(spans: DataFrame) -> DataFrame:
    """One row per person and business day on which the relation layer changed.

    `one_id`, `business_date`, `previous_layer`, `layer`, `via` and `staff_key` (what made the new relation begin; null
    for a step down), `valid_to` (day of the next change, null for the present layer).
    """
    person = Window.partitionBy("one_id").orderBy("business_date")
    counts = [fn.sum(f"d_{layer}").over(person).alias(f"n_{layer}") for layer in _RISING]
    standing = _steps(spans).select("*", *counts).withColumn("layer", _highest())
    previous = fn.coalesce(fn.lag("layer").over(person), fn.lit("none"))
    changed = standing.withColumn("previous_layer", previous).where("layer <> previous_layer")
    begun = _of_layer("b")
    return changed.select(
        "one_id",
        "business_date",
        "previous_layer",
        "layer",
        begun["via"].alias("via"),
        begun["staff_key"].alias("staff_key"),
        fn.lead("business_date").over(person).alias("valid_to"),
    )


_RISING = ("public", "private", "friend")


def _steps(spans: DataFrame) -> DataFrame:
    """Per person and day: how many spans of each layer begin less how many end, and what began first by name."""
    begins = spans.select(
        "one_id", fn.col("from_date").alias("business_date"), "layer", fn.lit(1).alias("delta"), "via", "staff_key"
    )
    none = fn.lit(None).cast("string")
    ends = spans.where("to_date IS NOT NULL").select(
        "one_id",
        fn.col("to_date").alias("business_date"),
        "layer",
        fn.lit(-1).alias("delta"),
        none.alias("via"),
        none.alias("staff_key"),
    )
    deltas = [
        fn.expr(f"coalesce(sum(delta) FILTER (WHERE layer = '{layer}'), 0)").alias(f"d_{layer}") for layer in _RISING
    ]
    begun = [
        fn.expr(f"min(struct(via, staff_key)) FILTER (WHERE layer = '{layer}' AND delta = 1)").alias(f"b_{layer}")
        for layer in _RISING
    ]
    return begins.unionByName(ends).groupBy("one_id", "business_date").agg(*deltas, *begun)


def _highest() -> Column:
    steps = " ".join(f"WHEN n_{layer} > 0 THEN '{layer}'" for layer in reversed(_RISING))
    return fn.expr(f"CASE {steps} ELSE 'none' END")


def _of_layer(prefix: str) -> Column:
    steps = " ".join(f"WHEN '{layer}' THEN {prefix}_{layer}" for layer in _RISING)
    return fn.expr(f"CASE layer {steps} END")

"""Sessions: what a person did in one mini-program without a long pause, on one business day in Asia/Shanghai.

A session follows from the set of events and owners alone: events that come late, twice or in another order, and people
who are joined or parted, give the sessions that a rebuild gives. It is named after its first event, so an event that
comes late changes the sessions it stands in or beside, and no others.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as fn

from features.days import business_day_sql
from pipelines.jobs.s4_touches import KIND

SOURCES = ("sensors", "youshu")
"""Sources whose events are somebody's use of a mini-program; two of them in one app tell of the same use twice, so each
has sessions of its own."""

NO_USE = ("profile", "preview")
VIEWED = "event = '$MPViewScreen' OR event LIKE 'browse%'"
MINUTE_MS = 60_000
_PLACE = ("visitor", "source", "app_id", "business_date", "in_use")


def with_sessions(events: DataFrame, owners: DataFrame, *, idle_minutes: int) -> DataFrame:
    """The events with `one_id`, `kind`, their business day, and the `session_id` of those that are use of a
    mini-program; profiles, pages previewed in Moments, messages of platforms and events of nobody are no use.

    `events` holds all events of everybody it holds one of.
    """
    known = events.join(owners, "subject_key", "left").withColumns(
        {
            "business_date": fn.expr(f"coalesce(business_date, {business_day_sql('event_at')})"),
            "kind": fn.expr(KIND),
            "visitor": fn.expr("coalesce(one_id, concat('key:', subject_key), event_id)"),
        }
    )
    used = (
        fn.col("source").isin(*SOURCES) & ~fn.col("kind").isin("profile", "preview") & fn.col("subject_key").isNotNull()
    )
    in_time = Window.partitionBy(*_PLACE).orderBy("event_at", "event_id")
    idle_ms = idle_minutes * MINUTE_MS
    pause = fn.expr("unix_millis(event_at)") - fn.lag(fn.expr("unix_millis(event_at)")).over(in_time)
    marked = known.withColumn("in_use", used).withColumn(
        "begins", fn.when(fn.coalesce(pause > idle_ms, fn.lit(True)), fn.col("event_id"))
    )
    begun = fn.last("begins", ignorenulls=True).over(in_time)
    return marked.withColumn("session_id", fn.when(fn.col("in_use"), begun)).drop("visitor", "in_use", "begins")


def sessions(events: DataFrame) -> DataFrame:
    """Rows of gold.fact_session from events `with_sessions`."""
    at = "struct(event_at, event_id)"
    first = {
        name: f"min_by({column}, {at}) FILTER (WHERE {column} IS NOT NULL)"
        for name, column in (
            ("entry_path", "url_path"),
            ("scene", "scene"),
            ("utm_source", "utm_source"),
            ("utm_campaign", "utm_campaign"),
        )
    }
    figures = {
        "one_id": "first(one_id)",
        "business_date": "first(business_date)",
        "source": "first(source)",
        "app_id": "first(app_id)",
        "started_at": "min(event_at)",
        "ended_at": "max(event_at)",
        "duration_ms": "unix_millis(max(event_at)) - unix_millis(min(event_at))",
        "events": "count(*)",
        "views": f"count_if({VIEWED})",
        "products": "count(DISTINCT product_id)",
        **first,
        "exit_path": f"max_by(url_path, {at}) FILTER (WHERE url_path IS NOT NULL)",
        "clock_flag": "CASE WHEN bool_or(clock_flag = 'suspect') THEN 'suspect'"
        " WHEN bool_or(clock_flag = 'corrected') THEN 'corrected' ELSE 'ok' END",
    }
    grouped = events.where("session_id IS NOT NULL").groupBy("session_id")
    return grouped.agg(*(fn.expr(sql).alias(name) for name, sql in figures.items()))

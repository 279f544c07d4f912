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
VIEWED = "x.event = '$MPViewScreen' OR x.event LIKE 'browse%'"
MINUTE_MS = 60_000
_PLACE = ("visitor", "source", "app_id", "business_date", "in_use")
_TOLD = (
    *("event_at", "event_id", "event", "url_path", "scene", "utm_source", "utm_campaign", "product_id"),
    *("staff_userid", "duration_ms", "clock_flag"),
)
_STEP = (*_TOLD[:8], "clock_flag")
"""What a session is told by, step by step; the first two put the steps in order."""

_VISITOR = "coalesce(one_id, concat('key:', subject_key), event_id)"
_BUSINESS_DAY = f"coalesce(business_date, {business_day_sql('event_at')})"
_FIRST = {"entry_path": "url_path", "scene": "scene", "utm_source": "utm_source", "utm_campaign": "utm_campaign"}
_READ = ("subject_key", "source", "app_id", "business_date", *_TOLD)
_KEPT = ("one_id", "kind", *_TOLD)


DAY = ("visitor", "day")
"""Whose day it is: a session lies within one."""


def with_visitor(events: DataFrame, owners: DataFrame) -> DataFrame:
    """The events with who they are of: their person, else their identifier, else nobody but themselves; and the day."""
    said = {"visitor": fn.expr(_VISITOR), "day": fn.expr(_BUSINESS_DAY)}
    return events.join(owners, "subject_key", "left").withColumns(said)


def with_sessions(events: DataFrame, owners: DataFrame, *, idle_minutes: int) -> DataFrame:
    """The events with `one_id`, `kind`, their business day, and the `session_id` of those that are use of a
    mini-program; profiles, pages previewed in Moments, messages of platforms and events of nobody are no use.

    `events` holds all events of everybody it holds one of.
    """
    needed = events.select(*_READ)
    known = needed.join(owners, "subject_key", "left").withColumns(
        {
            "business_date": fn.expr(_BUSINESS_DAY),
            "kind": fn.expr(KIND),
            "visitor": fn.expr(_VISITOR),
        }
    )
    used = fn.col("source").isin(*SOURCES) & ~fn.col("kind").isin(*NO_USE) & fn.col("subject_key").isNotNull()
    in_time = Window.partitionBy(*_PLACE).orderBy("event_at", "event_id")
    idle_ms = idle_minutes * MINUTE_MS
    pause = fn.expr("unix_millis(event_at)") - fn.lag(fn.expr("unix_millis(event_at)")).over(in_time)
    marked = known.withColumn("in_use", used).withColumn(
        "begins", fn.when(fn.coalesce(pause > idle_ms, fn.lit(True)), fn.col("event_id"))
    )
    begun = fn.when(fn.col("in_use"), fn.last("begins", ignorenulls=True).over(in_time))
    return marked.select(*_KEPT, *_PLACE, begun.alias("session_id"))


def sessions(events: DataFrame) -> DataFrame:
    """Rows of gold.fact_session from events `with_sessions`."""
    step = f"struct({', '.join(_STEP)})"
    # Grouped by the place too, as the events are laid out: they need not be moved again.
    grouped = events.where("session_id IS NOT NULL").groupBy(*_PLACE, "session_id")
    in_order = grouped.agg(fn.expr("first(one_id)").alias("one_id"), fn.expr(f"collect_list({step})").alias("told"))
    steps = in_order.withColumn("steps", fn.sort_array("told"))
    figures = {
        "started_at": "steps[0].event_at",
        "ended_at": "element_at(steps, -1).event_at",
        "duration_ms": "unix_millis(element_at(steps, -1).event_at) - unix_millis(steps[0].event_at)",
        "events": "CAST(size(steps) AS BIGINT)",
        "views": f"CAST(size(filter(steps, x -> {VIEWED})) AS BIGINT)",
        "products": "CAST(size(array_distinct(filter(steps.product_id, x -> x IS NOT NULL))) AS BIGINT)",
        **{name: _told(column, first=True) for name, column in _FIRST.items()},
        "exit_path": _told("url_path", first=False),
        "clock_flag": "CASE WHEN array_contains(steps.clock_flag, 'suspect') THEN 'suspect'"
        " WHEN array_contains(steps.clock_flag, 'corrected') THEN 'corrected' ELSE 'ok' END",
    }
    names = ("session_id", "one_id", "source", "app_id", "business_date")
    return steps.select(*names, *(fn.expr(sql).alias(name) for name, sql in figures.items()))


def _told(column: str, *, first: bool) -> str:
    """The first or last that the steps of a session say of something."""
    return f"try_element_at(filter(steps.{column}, x -> x IS NOT NULL), {1 if first else -1})"

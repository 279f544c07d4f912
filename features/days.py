"""Business days in Asia/Shanghai as SQL that does not depend on the session's time zone."""

from __future__ import annotations

OFFSET_MS = 28_800_000
"""China has had one zone, UTC+8, without daylight saving since 1991 (IANA tz database)."""


def business_day_sql(moment: str) -> str:
    """The SQL of the business day of a timestamp.

    >>> business_day_sql("paid_at")
    "date_add(DATE'1970-01-01', CAST(floor((unix_millis(paid_at) + 28800000) / 86400000) AS INT))"
    """
    return f"date_add(DATE'1970-01-01', CAST(floor((unix_millis({moment}) + {OFFSET_MS}) / 86400000) AS INT))"

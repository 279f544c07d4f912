"""The only place that asks the machine for the time; everything else receives it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from pipelines.errors import ConfigurationError
from pipelines.sources.base import RecordRefusedError
from pipelines.sources.fields import business_date, rfc3339

Clock = Callable[[], int]
"""Gives the present time as UTC epoch ms."""


def system_clock() -> int:
    """The machine's time as UTC epoch ms."""
    return int(time.time() * 1000)


def fixed_clock(moment: str) -> Clock:
    """A clock that always shows `moment` (RFC 3339 with offset)."""
    millis = rfc3339(moment, "clock")
    return lambda: millis or 0


def clock_of(setting: str | None) -> Clock:
    """The fixed clock of the setting, or the machine's; a setting that is no time is refused."""
    try:
        return fixed_clock(setting) if setting else system_clock
    except RecordRefusedError as refusal:
        raise ConfigurationError(
            f"setting 'clock': {refusal.detail}", where="clock", hint="write it as 2025-03-01T00:00:00+08:00"
        ) from None


def today(clock: Clock) -> str:
    """The business day in Asia/Shanghai that the clock shows."""
    return business_date(clock()) or ""


def utc(clock: Clock) -> datetime:
    """The clock's time as an aware UTC datetime."""
    return datetime.fromtimestamp(clock() / 1000, UTC)


def stopwatch() -> Callable[[], float]:
    """A function that gives the seconds since it was made; for durations only, never for results."""
    begun = time.monotonic()
    return lambda: time.monotonic() - begun

"""The only place of the serving package that reads the machine's clocks; everything else gets a clock passed in."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Milliseconds: since the epoch (UTC) for a wall clock, since an arbitrary start for a monotonic one."""


def wall_clock_ms() -> int:
    """Now, as UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds that never run backwards: for durations and cache ages only."""
    return time.monotonic_ns() // 1_000_000


def monotonic_us() -> int:
    """Microseconds that never run backwards: for the durations of requests."""
    return time.monotonic_ns() // 1_000

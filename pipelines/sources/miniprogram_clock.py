"""Device clocks against the receiver's: when an event happened, and whether its stated time can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipelines.sources.base import Context
from pipelines.sources.sightings import DAY_MS, day_end_ms, day_start_ms

ClockFlag = Literal["ok", "corrected", "suspect"]


@dataclass(frozen=True)
class ClockLimits:
    """How far a device may stray, in ms: ahead of the receiver, behind it when sending, how old an event may be, and
    the first time it can have: there was no mini-program before 2017, so such a clock was reset."""

    ahead_ms: int = 300_000
    behind_ms: int = DAY_MS
    stale_ms: int = 60 * DAY_MS
    earliest_ms: int = 1_483_200_000_000


class Moment(NamedTuple):
    """When something happened (UTC epoch ms) and how far the device's clock can be trusted."""

    at_ms: int
    flag: ClockFlag


def device_moment(device_ms: int | None, flush_ms: int | None, context: Context, limits: ClockLimits) -> Moment:
    """The device's time, unless it cannot be true: after its receipt, or before there were mini-programs. Such an event
    happened at the receiving time less the time it waited.

    The time between event and sending comes from one clock, so it holds even where that clock is wrong; a clock that
    was set right in between says nothing of it. Without a receiving time the end of the arrival day is the latest
    possible time. An event may lie long before its arrival: one much older, or sent by a clock far behind, keeps its
    time and is `suspect`. A clock is only held to be behind where the receiving time is that of the arrival day: a file
    that is loaded again years later is no proof.
    """
    bound, live = _receipt(context)
    reset = device_ms is not None and device_ms < limits.earliest_ms
    if device_ms is None or (reset and flush_ms is not None and flush_ms >= limits.earliest_ms):
        return Moment(bound if flush_ms is None else min(bound, flush_ms), "corrected")
    waited = flush_ms - device_ms if flush_ms is not None and flush_ms > device_ms else 0
    sent_ms = device_ms + waited
    if reset or sent_ms > bound + limits.ahead_ms:
        return Moment(bound - waited, "corrected")
    behind = live and flush_ms is not None and bound - sent_ms > limits.behind_ms
    return Moment(device_ms, "suspect" if behind or bound - device_ms > limits.stale_ms else "ok")


def _receipt(context: Context) -> tuple[int, bool]:
    """The latest time an event can have, and whether it is the receiver's clock on the arrival day."""
    received = context.received_ms
    if received is None:
        return day_end_ms(context.interval), False
    start = day_start_ms(context.interval)
    return received, start <= received < start + 2 * DAY_MS

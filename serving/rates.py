"""Request rates: a bucket per name that empties with each request and fills again evenly over a minute.

Kept here in place of a library whose in-memory store starts a thread for every expiry: at thousands of requests a
second those threads cost more than the requests.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

from serving.clock import Clock

MINUTE_MS = 60_000
_REMEMBERED = 100_000


class RateExceeded(Exception):  # noqa: N818 - an answer, not a failure
    """The key or address asks too often; `retry_after_s` is when it may ask again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many requests; retry after {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Buckets:
    """Buckets by name; each holds at most a minute's worth of requests. Least recently used names are forgotten."""

    def __init__(self, monotonic: Clock) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, name: str, per_minute: int) -> None:
        """One request is taken from the bucket; RateExceeded when it holds less than one."""
        with self._lock:
            level, now = self._level(name, per_minute)
            if level < 1:
                raise RateExceeded(self._wait_s(level, per_minute))
            self._levels[name] = (level - 1, now)
            self._levels.move_to_end(name)
            if len(self._levels) > _REMEMBERED:
                self._levels.popitem(last=False)

    def require(self, name: str, per_minute: int) -> None:
        """RateExceeded when the bucket holds less than one request; nothing is taken."""
        with self._lock:
            level, _ = self._level(name, per_minute)
        if level < 1:
            raise RateExceeded(self._wait_s(level, per_minute))

    def _level(self, name: str, per_minute: int) -> tuple[float, int]:
        now = self._monotonic()
        level, at = self._levels.get(name, (float(per_minute), now))
        return min(float(per_minute), level + (now - at) * per_minute / MINUTE_MS), now

    def _wait_s(self, level: float, per_minute: int) -> int:
        return max(1, math.ceil((1 - level) * 60 / per_minute))

"""Calls to one platform: spaced as it allows, tried again where that can help, their answers kept byte for byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from pipelines.connectors.errors import (
    AwayError,
    PlatformError,
    RateLimitedError,
    RetryableError,
    TerminalError,
    TokenRefusedError,
)

Sleep = Callable[[float], None]
_PASSING = (408, 425)
"""Statuses below 500 of requests that were not worked on: too late, too early."""

BRIEFLY = 3
"""Attempts at a platform that did not answer however long it was asked."""

UNREACHED = "see that this machine reaches the platform, then run `cdp pull` again: it continues where it stopped"
CHANGED = (
    "the mark stays and nothing is lost: run `cdp pull` again later; if it lasts, the platform changed the form of "
    "this answer: look it up in the platform's documentation, and update this program"
)

Judge = Callable[[str, Mapping[str, Any]], None]
"""Raises the typed error that an answer to a method stands for; says nothing about a good one."""


@dataclass(frozen=True)
class Answer:
    """One good answer: the bytes as they came, and the same decoded."""

    raw: bytes
    value: Mapping[str, Any]


@dataclass(frozen=True)
class Pace:
    """How fast and how patiently a platform is asked; seconds."""

    calls_per_second: float = 8.0
    attempts: int = 7
    first_wait: float = 0.5
    longest_wait: float = 60.0


class Caller:
    """Asks one platform; the next call waits until the pace allows it."""

    def __init__(self, platform: str, client: httpx.Client, *, pace: Pace, judge: Judge, sleep: Sleep) -> None:
        self.platform = platform
        self.calls = 0
        self.retries = 0
        self._client = client
        self._pace = pace
        self._judge = judge
        self._sleep = sleep
        self._next_at = 0.0
        self._away = False

    def ask(
        self, method: str, build: Callable[[], httpx.Request], *, renew: Callable[[], None] = lambda: None
    ) -> Answer:
        """The answer to a request, which is built anew for every attempt: signatures and tokens age.

        `renew` is called when the token was refused, before the next attempt. Raises the last RetryableError when
        patience ends, any other PlatformError at once. A platform for which patience ended is asked `BRIEFLY` until it
        answers again: an outage is waited for once, and not by every source anew.
        """
        wait = self._pace.first_wait
        for attempt in range(1, self._pace.attempts + 1):
            # Building may ask for a token, which has patience of its own: not to be multiplied with this one.
            request = build()
            try:
                return self._once(method, request)
            except RetryableError as error:
                if attempt >= self._patience(error):
                    self._away = isinstance(error, AwayError)
                    raise
                self.retries += 1
                if isinstance(error, TokenRefusedError):
                    renew()
                self._sleep(max(wait, error.wait))
                wait = min(wait * 2, self._pace.longest_wait)
        raise AssertionError("an attempt answers or raises")

    def _patience(self, error: RetryableError) -> int:
        """How often to ask in all, after such an error."""
        most = BRIEFLY if self._away else self._pace.attempts
        return min(self._pace.attempts, most, error.most_attempts or most)

    def _once(self, method: str, request: httpx.Request) -> Answer:
        self._throttle()
        self.calls += 1
        try:
            response = self._client.send(request)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise AwayError(self.platform, method, type(error).__name__, hint=UNREACHED) from None
        if response.status_code != 200:
            raise self._status_error(method, response)
        try:
            value = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise AwayError(self.platform, method, "the answer is cut or no JSON") from None
        if not isinstance(value, dict):
            raise TerminalError(self.platform, method, "the answer is no object", hint=CHANGED)
        self._away = False
        self._judge(method, value)
        return Answer(response.content, value)

    def _status_error(self, method: str, response: httpx.Response) -> PlatformError:
        reason = f"status {response.status_code}"
        if response.status_code == 429:
            limited = RateLimitedError(self.platform, method, reason)
            told = seconds_of(response.headers.get("retry-after", ""), response.headers.get("date", ""))
            limited.wait = limited.wait if told is None else min(told, self._pace.longest_wait)
            return limited
        if response.status_code >= 500 or response.status_code in _PASSING:
            return AwayError(self.platform, method, reason)
        return TerminalError(self.platform, method, reason)

    def _throttle(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            self._sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / self._pace.calls_per_second


CallerOf = Callable[[str, Judge, float | None], Caller]
"""A caller of a platform, with the calls per second that the account's entry grants, if it says so."""


def count_of(platform: str, method: str, total: object, rows: Sequence[object]) -> int:
    """The stated number of rows of a window; a page with rows that states none is refused, not taken for the last.

    >>> count_of("p", "m", '"12"', []), count_of("p", "m", None, [])
    (12, 0)
    """
    text = unquoted(total)
    if text.isascii() and text.isdigit():
        return int(text)
    if rows or text:
        raise TerminalError(platform, method, "the answer states no total", hint=CHANGED)
    return 0


def rows_of(platform: str, method: str, rows: object) -> Sequence[Any]:
    """The list of a page, empty when absent; anything else is refused, since it cannot be counted.

    >>> rows_of("p", "m", None), rows_of("p", "m", [{}])
    ([], [{}])
    """
    if rows in (None, ""):
        return []
    if not isinstance(rows, list):
        raise TerminalError(platform, method, "the answer holds no list", hint=CHANGED)
    return rows


def unquoted(value: object) -> str:
    """A code or number as text, without the quotes that some platforms put around it twice; absent is empty.

    >>> unquoted('"10000"'), unquoted(0), unquoted(None)
    ('10000', '0', '')
    """
    return "" if value is None else str(value).strip().strip('"')


def seconds_of(retry_after: str, date: str) -> float | None:
    """How long a `Retry-After` asks to wait, told in seconds or as a time, which the answer's own `Date` is taken from.

    >>> seconds_of("2", ""), seconds_of("Wed, 21 Oct 2015 07:28:09 GMT", "Wed, 21 Oct 2015 07:28:00 GMT")
    (2.0, 9.0)
    >>> seconds_of("soon", "") is None
    True
    """
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds())
    except (ValueError, TypeError):
        return None

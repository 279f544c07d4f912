"""Calls to one platform: spaced as it allows, tried again where that can help, their answers kept byte for byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from pipelines.connectors.errors import (
    PlatformError,
    RateLimitedError,
    RetryableError,
    TerminalError,
    TokenRefusedError,
)

Sleep = Callable[[float], None]
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

    def ask(
        self, method: str, build: Callable[[], httpx.Request], *, renew: Callable[[], None] = lambda: None
    ) -> Answer:
        """The answer to a request, which is built anew for every attempt: signatures and tokens age.

        `renew` is called when the token was refused, before the next attempt. Raises the last RetryableError when
        patience ends, any other PlatformError at once.
        """
        wait = self._pace.first_wait
        for attempt in range(1, self._pace.attempts + 1):
            # Building may ask for a token, which has patience of its own: not to be multiplied with this one.
            request = build()
            try:
                return self._once(method, request)
            except RetryableError as error:
                if attempt == self._pace.attempts:
                    raise
                self.retries += 1
                if isinstance(error, TokenRefusedError):
                    renew()
                self._sleep(max(wait, error.wait))
                wait = min(wait * 2, self._pace.longest_wait)
        raise AssertionError("an attempt answers or raises")

    def _once(self, method: str, request: httpx.Request) -> Answer:
        self._throttle()
        self.calls += 1
        try:
            response = self._client.send(request)
        except httpx.TransportError as error:
            raise RetryableError(self.platform, method, type(error).__name__) from None
        if response.status_code != 200:
            raise self._status_error(method, response)
        try:
            value = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise RetryableError(self.platform, method, "the answer is cut or no JSON") from None
        if not isinstance(value, dict):
            raise TerminalError(self.platform, method, "the answer is no object")
        self._judge(method, value)
        return Answer(response.content, value)

    def _status_error(self, method: str, response: httpx.Response) -> PlatformError:
        reason = f"status {response.status_code}"
        if response.status_code == 429:
            limited = RateLimitedError(self.platform, method, reason)
            told = response.headers.get("retry-after", "")
            limited.wait = min(float(told), self._pace.longest_wait) if told.isdigit() else limited.wait
            return limited
        if response.status_code >= 500:
            return RetryableError(self.platform, method, reason)
        return TerminalError(self.platform, method, reason)

    def _throttle(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            self._sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / self._pace.calls_per_second


def count_of(platform: str, method: str, total: object, rows: Sequence[object]) -> int:
    """The stated number of rows of a window; a page with rows that states none is refused, not taken for the last.

    >>> count_of("p", "m", "12", []), count_of("p", "m", None, [])
    (12, 0)
    """
    text = str(total if total is not None else "")
    if text.isascii() and text.isdigit():
        return int(text)
    if rows or text:
        raise TerminalError(platform, method, "the answer states no total", hint="the platform changed its answers")
    return 0

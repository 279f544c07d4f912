"""Calls: patient with what passes, quick to give up on what does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from pipelines.connectors.calls import BRIEFLY, Caller, Pace, count_of, rows_of
from pipelines.connectors.errors import (
    AwayError,
    BriefError,
    PlatformError,
    RateLimitedError,
    RetryableError,
    TerminalError,
    TokenRefusedError,
)

PACE = Pace(calls_per_second=1e9, attempts=4, first_wait=1.0, longest_wait=3.0)
Answer = httpx.Response | Exception


class Line:
    """A caller against scripted answers; `waits` is how long it would have slept."""

    def __init__(self, *answers: Answer, judge: Callable[[str, Mapping[str, Any]], None] | None = None) -> None:
        self.waits: list[float] = []
        self.built = 0
        left = list(answers)

        def answer(_: httpx.Request) -> httpx.Response:
            given = left.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        client = httpx.Client(transport=httpx.MockTransport(answer))
        self.caller = Caller("p", client, pace=PACE, judge=judge or (lambda *_: None), sleep=self.waits.append)

    def ask(self, renew: Callable[[], None] = lambda: None) -> Mapping[str, Any]:
        def build() -> httpx.Request:
            self.built += 1
            return httpx.Request("GET", "http://p.test")

        return self.caller.ask("m", build, renew=renew).value


def good() -> httpx.Response:
    return httpx.Response(200, content=b'{"a":1}')


@pytest.mark.parametrize(
    "passing",
    [
        httpx.ConnectError("x"),
        httpx.ReadTimeout("x"),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, content=b'{"a":'),
        httpx.DecodingError("x"),
        httpx.Response(408),
    ],
)
def test_what_passes_is_asked_again(passing: Answer) -> None:
    line = Line(passing, good())
    assert line.ask() == {"a": 1}
    assert (line.built, line.waits, line.caller.retries) == (2, [1.0], 1)


def test_waits_grow_up_to_a_limit_and_patience_ends() -> None:
    line = Line(*[httpx.ConnectError("x")] * 4)
    with pytest.raises(RetryableError, match="p m: ConnectError"):
        line.ask()
    assert line.waits == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("told", "waited"),
    [
        ("2", 2.0),
        ("Wed, 21 Oct 2015 07:28:02 GMT", 2.0),
        ("Wed, 21 Oct 2015 09:00:00 GMT", 3.0),
        ("\u00b2", 1.0),
        ("soon", 1.0),
    ],
)
def test_a_limit_that_says_how_long_is_waited_for(told: str, waited: float) -> None:
    headers = {"Retry-After": told.encode("latin-1"), "Date": b"Wed, 21 Oct 2015 07:28:00 GMT"}
    line = Line(httpx.Response(429, headers=headers), good())
    line.ask()
    assert line.waits == [waited]


def test_a_failure_to_be_asked_about_briefly_is_asked_about_five_times_within_half_a_minute() -> None:
    def judge(method: str, _: Mapping[str, Any]) -> None:
        raise BriefError("p", method, "20004")

    line = Line(*[good() for _ in range(9)], judge=judge)
    line.caller._pace = Pace()
    with pytest.raises(BriefError):
        line.ask()
    assert (line.built, sum(line.waits) < 30) == (6, True)


def test_a_limit_without_end_is_a_limit_error() -> None:
    with pytest.raises(RateLimitedError):
        Line(*[httpx.Response(429)] * 4).ask()


@pytest.mark.parametrize("final", [httpx.Response(404), httpx.Response(302), httpx.Response(200, content=b"[]")])
def test_what_does_not_pass_ends_at_once(final: httpx.Response) -> None:
    line = Line(final)
    with pytest.raises(TerminalError):
        line.ask()
    assert line.waits == []


def test_a_refused_token_is_renewed_before_the_next_attempt() -> None:
    verdicts: list[type[PlatformError] | None] = [TokenRefusedError, None]

    def judge(method: str, _: Mapping[str, Any]) -> None:
        verdict = verdicts.pop(0)
        if verdict is not None:
            raise verdict("p", method, "ended")

    renewed: list[int] = []
    line = Line(good(), good(), judge=judge)
    assert line.ask(lambda: renewed.append(line.built)) == {"a": 1}
    assert renewed == [1]


def test_calls_are_spaced_by_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(good(), good())
    line.caller._pace = Pace(calls_per_second=2.0)
    monkeypatch.setattr("pipelines.connectors.calls.time.monotonic", lambda: 100.0)
    line.ask()
    line.ask()
    assert line.waits == [0.5]


@pytest.mark.parametrize("total", [None, "", "many", -1])
def test_rows_without_a_total_are_refused_and_not_taken_for_the_last_page(total: object) -> None:
    with pytest.raises(TerminalError, match="states no total"):
        count_of("p", "m", total, [{}])


@pytest.mark.parametrize("rows", [{}, "x", 3, {"0": {}}])
def test_rows_that_are_no_list_are_refused(rows: object) -> None:
    with pytest.raises(TerminalError, match="holds no list"):
        rows_of("p", "m", rows)


def test_an_outage_is_waited_for_once_and_not_by_every_source_anew() -> None:
    line = Line(*[httpx.Response(502) for _ in range(7)], good(), *[httpx.Response(502) for _ in range(4)])
    with pytest.raises(RetryableError):
        line.ask()
    assert line.built == 4
    with pytest.raises(RetryableError):
        line.ask()
    assert line.built == 4 + BRIEFLY
    line.ask()
    with pytest.raises(RetryableError):
        line.ask()
    assert line.built == 4 + BRIEFLY + 1 + 4


def test_a_token_that_no_renewal_helps_is_no_outage() -> None:
    def refuse(method: str, value: Mapping[str, Any]) -> None:
        raise TokenRefusedError("p", method, "ended")

    line = Line(*[good() for _ in range(8)], judge=refuse)
    for _ in range(2):
        with pytest.raises(TokenRefusedError):
            line.ask()
    assert line.built == 8


def test_a_platform_out_of_reach_is_told_with_what_to_look_at() -> None:
    line = Line(*[httpx.ConnectError("x") for _ in range(4)])
    with pytest.raises(AwayError) as told:
        line.ask()
    assert "reaches the platform" in told.value.hint


def test_an_answer_of_another_form_is_told_with_what_to_do() -> None:
    with pytest.raises(TerminalError) as told:
        Line(httpx.Response(200, content=b"[1]")).ask()
    assert "`cdp pull`" in told.value.hint
    assert "documentation" in told.value.hint

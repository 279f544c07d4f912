from __future__ import annotations

import pytest

from serving import rates
from serving.rates import Buckets, RateExceeded
from tests.serving.client import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(0)


@pytest.fixture
def buckets(clock: FakeClock) -> Buckets:
    return Buckets(clock)


def taken(buckets: Buckets, name: str, per_minute: int) -> int:
    """How many requests go through at this moment."""
    for count in range(1_000):
        try:
            buckets.take(name, per_minute)
        except RateExceeded:
            return count
    return 1_000


def test_a_minute_worth_of_requests_goes_through_at_once(buckets: Buckets) -> None:
    assert taken(buckets, "a", 60) == 60


def test_the_bucket_fills_evenly(buckets: Buckets, clock: FakeClock) -> None:
    taken(buckets, "a", 60)
    clock.forward(3_000)
    assert taken(buckets, "a", 60) == 3


def test_the_bucket_never_holds_more_than_a_minute(buckets: Buckets, clock: FakeClock) -> None:
    taken(buckets, "a", 60)
    clock.forward(3_600_000)
    assert taken(buckets, "a", 60) == 60


def test_names_do_not_share_a_bucket(buckets: Buckets) -> None:
    taken(buckets, "a", 5)
    assert taken(buckets, "b", 5) == 5


@pytest.mark.parametrize(("per_minute", "wait"), [(60, 1), (1, 60), (7, 9)])
def test_a_refusal_says_when_to_come_back(buckets: Buckets, clock: FakeClock, per_minute: int, wait: int) -> None:
    taken(buckets, "a", per_minute)
    with pytest.raises(RateExceeded) as refused:
        buckets.take("a", per_minute)
    assert refused.value.retry_after_s == wait
    clock.forward(wait * 1_000)
    buckets.take("a", per_minute)


def test_requiring_takes_nothing(buckets: Buckets) -> None:
    for _ in range(5):
        buckets.require("a", 1)
    buckets.take("a", 1)
    with pytest.raises(RateExceeded):
        buckets.require("a", 1)


def test_the_names_longest_unused_are_forgotten(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_REMEMBERED", 2)
    for name in ("a", "b", "a", "c"):
        buckets.take(name, 2)
    assert [taken(buckets, name, 2) for name in ("a", "c", "b")] == [0, 1, 2]

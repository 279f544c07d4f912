"""Business days are those of Shanghai; every platform's notation tells the same moment."""

from __future__ import annotations

from pipelines.simulate.clock import DAY, Clock

CLOCK = Clock("2025-01-01", 40)
NOON = 1735700520  # 2025-01-01 11:02:00 in Shanghai


def test_a_day_begins_at_midnight_in_shanghai() -> None:
    assert CLOCK.start == 1735660800
    assert CLOCK.day_of(CLOCK.start) == 0
    assert CLOCK.day_of(CLOCK.start - 1) == -1


def test_dates_cross_months() -> None:
    assert CLOCK.date_of(CLOCK.midnight(31)) == "2025-02-01"
    assert CLOCK.dates[-1] == "2025-02-09"


def test_moments_before_and_after_the_window_have_dates() -> None:
    assert CLOCK.text(NOON - 366 * DAY) == "2024-01-01 11:02:00"
    assert CLOCK.date_of(CLOCK.end) == "2025-02-10"


def test_history_lands_on_the_first_day_and_the_future_on_the_last() -> None:
    assert CLOCK.landing_day(CLOCK.start - 5 * DAY) == 0
    assert CLOCK.landing_day(CLOCK.end + DAY) == 39


def test_notations_agree() -> None:
    assert CLOCK.text(NOON) == "2025-01-01 11:02:00"
    assert CLOCK.rfc3339(NOON) == "2025-01-01T11:02:00+08:00"

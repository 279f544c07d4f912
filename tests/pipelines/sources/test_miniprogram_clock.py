"""Device clocks against the receiver's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.miniprogram_clock import ClockLimits, device_moment
from pipelines.sources.sightings import DAY_MS, day_end_ms
from tests.pipelines.sources.private_domain import DAY, RECEIVED_MS, make_context

LIMITS = ClockLimits()
CONTEXT = make_context("miniprogram_events")
UNRECEIVED = make_context("miniprogram_events", received_ms=None)
YEAR = 365 * DAY_MS


def test_a_clock_that_agrees_is_believed() -> None:
    assert device_moment(RECEIVED_MS - 2_000, RECEIVED_MS - 1_000, CONTEXT, LIMITS) == (RECEIVED_MS - 2_000, "ok")


def test_a_clock_ahead_is_corrected_by_the_time_the_event_waited() -> None:
    moment = device_moment(RECEIVED_MS + YEAR - 60_000, RECEIVED_MS + YEAR, CONTEXT, LIMITS)
    assert moment == (RECEIVED_MS - 60_000, "corrected")


@pytest.mark.parametrize("behind", [2 * DAY_MS, YEAR])
def test_an_event_sent_by_a_clock_behind_may_lie_long_before_its_arrival_and_is_suspect(behind: int) -> None:
    moment = device_moment(RECEIVED_MS - behind - 60_000, RECEIVED_MS - behind, CONTEXT, LIMITS)
    assert moment == (RECEIVED_MS - behind - 60_000, "suspect")


@pytest.mark.parametrize("reset", [60_001, LIMITS.earliest_ms - 1])
def test_a_time_before_there_were_mini_programs_is_corrected_by_the_time_the_event_waited(reset: int) -> None:
    assert device_moment(reset - 60_000, reset, CONTEXT, LIMITS) == (RECEIVED_MS - 60_000, "corrected")
    assert device_moment(reset, None, CONTEXT, LIMITS) == (RECEIVED_MS, "corrected")


def test_an_event_whose_clock_was_set_right_before_it_was_sent_is_of_its_sending() -> None:
    moment = device_moment(946_684_800_000, RECEIVED_MS - 900, CONTEXT, LIMITS)
    assert moment == (RECEIVED_MS - 900, "corrected")


def test_an_event_that_waited_offline_keeps_its_time() -> None:
    moment = device_moment(RECEIVED_MS - 3 * DAY_MS, RECEIVED_MS - 500, CONTEXT, LIMITS)
    assert moment == (RECEIVED_MS - 3 * DAY_MS, "ok")


def test_a_file_loaded_again_later_proves_no_clock_wrong() -> None:
    reloaded = make_context("miniprogram_events", received_ms=RECEIVED_MS + 30 * DAY_MS)
    assert device_moment(RECEIVED_MS - 2_000, RECEIVED_MS - 1_000, reloaded, LIMITS) == (RECEIVED_MS - 2_000, "ok")


def test_an_event_much_older_than_its_arrival_is_suspect() -> None:
    moment = device_moment(RECEIVED_MS - 90 * DAY_MS, RECEIVED_MS, CONTEXT, LIMITS)
    assert moment == (RECEIVED_MS - 90 * DAY_MS, "suspect")


def test_without_a_receiving_time_the_arrival_day_is_the_limit() -> None:
    moment = device_moment(day_end_ms(DAY) + YEAR, None, UNRECEIVED, LIMITS)
    assert moment == (day_end_ms(DAY), "corrected")


def test_an_event_without_time_is_of_its_sending_at_the_latest_of_its_receipt() -> None:
    assert device_moment(None, RECEIVED_MS - 5, CONTEXT, LIMITS) == (RECEIVED_MS - 5, "corrected")
    assert device_moment(None, RECEIVED_MS + YEAR, CONTEXT, LIMITS) == (RECEIVED_MS, "corrected")
    assert device_moment(None, None, CONTEXT, LIMITS) == (RECEIVED_MS, "corrected")


@given(st.integers(1, 4_000_000_000_000), st.one_of(st.none(), st.integers(1, 4_000_000_000_000)))
def test_no_event_happens_after_it_was_received(device_ms: int, flush_ms: int | None) -> None:
    assert device_moment(device_ms, flush_ms, CONTEXT, LIMITS).at_ms <= RECEIVED_MS + LIMITS.ahead_ms

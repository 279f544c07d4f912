"""Time is handed in: a fixed clock shows one moment, and business days are those of Shanghai."""

from __future__ import annotations

import pytest

from pipelines.clock import clock_of, fixed_clock, system_clock, today, utc
from pipelines.errors import ConfigurationError


def test_a_fixed_clock_always_shows_its_moment() -> None:
    clock = clock_of("2025-03-01T00:30:00+08:00")
    assert (clock(), clock()) == (1740760200000, 1740760200000)
    assert utc(clock).isoformat() == "2025-02-28T16:30:00+00:00"


def test_the_business_day_begins_at_midnight_in_shanghai() -> None:
    assert today(fixed_clock("2025-02-28T15:59:59+00:00")) == "2025-02-28"
    assert today(fixed_clock("2025-02-28T16:00:00+00:00")) == "2025-03-01"


def test_without_a_setting_the_machine_is_asked() -> None:
    assert clock_of(None) is system_clock
    assert system_clock() > 1_700_000_000_000


@pytest.mark.parametrize("setting", ["2025-03-01T00:30:00", "yesterday"])
def test_a_setting_that_is_no_time_is_refused_by_its_key(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="setting 'clock'"):
        clock_of(setting)

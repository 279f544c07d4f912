from __future__ import annotations

import pytest

from identity.business_time import business_day, day_end_ms, day_start_ms, parse_instant
from identity.errors import BusinessDateError, ObservationError

TEN = 1740794400000


@pytest.mark.parametrize(
    "raw",
    [
        "2025-03-01T10:00:00+08:00",
        "2025-03-01T02:00:00Z",
        "2025-03-01t02:00:00.0009z",
        "2025-03-01 02:00:00.000000999+00:00",
        TEN,
        float(TEN),
        str(TEN),
    ],
)
def test_rfc_3339_and_epoch_milliseconds_name_the_same_instant(raw: object) -> None:
    assert parse_instant(raw, "event_time") == TEN


@pytest.mark.parametrize(
    "raw",
    [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "2025-03-01",
        "2025-03-01T10:00:00",
        "2025-02-30T10:00:00Z",
        "1960-01-01T00:00:00Z",
        10**16,
    ],
)
def test_anything_else_is_refused_and_names_the_field(raw: object) -> None:
    with pytest.raises(ObservationError, match=r"observation: valid_to: received .* allowed: RFC 3339"):
        parse_instant(raw, "valid_to")


def test_a_business_day_is_a_day_of_shanghai() -> None:
    assert business_day(day_start_ms("2025-03-01")) == "2025-03-01"
    assert business_day(day_end_ms("2025-03-01")) == "2025-03-01"
    assert business_day(day_end_ms("2025-03-01") + 1) == "2025-03-02"
    assert day_start_ms("2025-03-01") == TEN - 10 * 3_600_000


@pytest.mark.parametrize("day", ["2025-3-1", "20250301", "2025-02-30", "2025-W09-6", "", None, 20250301])
def test_another_form_of_business_date_is_refused(day: object) -> None:
    with pytest.raises(BusinessDateError, match="YYYY-MM-DD"):
        day_end_ms(day)  # type: ignore[arg-type]

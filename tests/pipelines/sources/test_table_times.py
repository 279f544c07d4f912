"""Times of tables that are not set, days without a time, and halves of a day."""

from __future__ import annotations

import pytest

from pipelines.sources.table_values import table_time

MORNING = 1735862700000


@pytest.mark.parametrize(
    "cell", ["0000-00-00 00:00:00", "1970-01-01 08:00:00", "1900-01-00", "1900/1/1", "0001-01-01 00:00:00", "0", ""]
)
def test_the_first_day_of_a_calendar_is_no_time(cell: str) -> None:
    assert table_time(cell, "paid_at") is None


@pytest.mark.parametrize(
    "cell",
    [
        *("2025/1/3 8:05", "2025/1/3 上午8:05", "2025-01-03 8:05 AM", "2025年1月3日8:05:00", "2025年1月3日 8时5分"),
        *("２０２５/1/3 8：05", "202501030805", "20250103080500", "45660.3368055556"),
    ],
)
def test_a_morning_in_any_form_is_the_same(cell: str) -> None:
    assert table_time(cell, "paid_at") == MORNING


def test_afternoons_and_days_of_eight_digits() -> None:
    assert table_time("2025/1/3 下午8:05", "paid_at") == MORNING + 12 * 3_600_000
    assert table_time("20250103", "paid_at") == table_time("2025-01-03", "paid_at")

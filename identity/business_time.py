"""Times as the rules see them: UTC epoch milliseconds, and business days of Asia/Shanghai (no daylight saving)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

from identity.errors import BusinessDateError, ObservationError

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_ALLOWED = "RFC 3339 with an offset, or epoch milliseconds above 0"
_MAX_MS = 253_402_300_799_999  # the last millisecond of year 9999
_EPOCH_MS = re.compile(r"[1-9]\d{9,14}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def parse_instant(raw: object, field: str) -> int:
    """The instant in UTC epoch ms; fractions below a millisecond are cut. Raises ObservationError naming `field`.

    >>> parse_instant("2025-03-01T10:00:00+08:00", "event_time")
    1740794400000
    >>> parse_instant(1740794400000, "event_time")
    1740794400000
    """
    if isinstance(raw, str):
        return _parse_text(raw.strip(), field)
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw <= _MAX_MS:
        raise ObservationError(field, type(raw).__name__, _ALLOWED)
    return raw


def _parse_text(text: str, field: str) -> int:
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    if not _RFC3339.fullmatch(text):
        raise ObservationError(field, "a text of another form", _ALLOWED)
    fraction = re.sub(r"\.(\d{1,6})\d*", lambda m: "." + m.group(1).ljust(6, "0"), text)
    try:
        moment = datetime.fromisoformat(fraction.upper())
        millis = (moment - _EPOCH) // _MS
    except (ValueError, OverflowError):
        raise ObservationError(field, "a time that does not exist", _ALLOWED) from None
    if millis <= 0:
        raise ObservationError(field, "a time before 1970", _ALLOWED)
    return millis


def parse_day(day: object) -> date:
    """The calendar day of a business date; raises BusinessDateError."""
    try:
        parsed = date.fromisoformat(day) if isinstance(day, str) else None
        if parsed is None or parsed.isoformat() != day:  # days are compared as texts: no other way to write one
            raise ValueError
        return parsed
    except ValueError:
        raise BusinessDateError(day) from None


def day_start_ms(day: str) -> int:
    """The first instant of a business day, UTC epoch ms.

    >>> day_start_ms("2025-03-01")
    1740758400000
    """
    parsed = parse_day(day)
    return (datetime(parsed.year, parsed.month, parsed.day, tzinfo=SHANGHAI) - _EPOCH) // _MS


@lru_cache(maxsize=4096)
def day_end_ms(day: str) -> int:
    """The last millisecond of a business day, UTC epoch ms.

    >>> day_end_ms("2025-03-01") - day_start_ms("2025-03-01")
    86399999
    """
    return day_start_ms(day) + DAY_MS - 1


def business_day(millis: int) -> str:
    """The business day an instant falls on.

    >>> business_day(1740758399999)
    '2025-02-28'
    """
    return (_EPOCH + timedelta(milliseconds=millis)).astimezone(SHANGHAI).date().isoformat()

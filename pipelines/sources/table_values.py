"""Amounts, quantities and times as tables write them: thousands separators, currency signs, local times of any form."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pipelines.sources.amounts import MOST, any_time
from pipelines.sources.base import RecordRefusedError
from pipelines.sources.fields import SHANGHAI, text

EXACT_DIGITS = 15
"""Digits that a spreadsheet keeps of a number."""

_CURRENCY = re.compile(r"^([+-]?)(?:CNY|RMB|人民币|[¥￥$£€])\s*|\s*(?:元|CNY|RMB)$")
_GROUPED = re.compile(r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$", re.ASCII)
_LOCAL = re.compile(
    r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[ T]*(?P<half>上午|下午|[AP]M)?[ T]*(\d{1,2})[:时点](\d{1,2})分?(?::?(\d{1,2})(?:\.\d{1,9})?秒?)?"
    r" ?(?P<after>[AP]M)?)?$",
    re.ASCII | re.IGNORECASE,
)
_COMPACT = re.compile(r"^((?:19|20)\d\d)([01]\d)([0-3]\d)(?:(\d\d)(\d\d)(\d\d)?)?$", re.ASCII)
_NEVER = re.compile(
    r"^(?:0000-0?0-0?0|(?:0001|1900)-0?1-0?[01]|1970-0?1-0?1)(?:[ T]0?[08]:00(?::00(?:\.0+)?)?)?$", re.ASCII
)
"""Times that databases and spreadsheets write where there is none."""

_SERIAL = re.compile(r"^\d{5}(?:\.\d+)?$", re.ASCII)
_SERIAL_BEGIN_MS = -2_209_190_400_000
"""The day before 1899-12-31, from which spreadsheets count days, in Asia/Shanghai at its offset of today."""

_SERIALS = (20_000, 80_000)
"""Day numbers of spreadsheets from 1954 to 2119: a cell without a date format holds nothing else."""


def amount_of(value: Any, name: str) -> Decimal | None:
    """An amount exactly as it is written, without the signs around it; None when not set.

    >>> amount_of("1,299.50", "a"), amount_of("¥ 88", "a"), amount_of("0元", "a"), amount_of("", "a")
    (Decimal('1299.50'), Decimal('88'), Decimal('0'), None)
    >>> amount_of("１，２９９．００", "a"), amount_of("-￥12.00", "a")
    (Decimal('1299.00'), Decimal('-12.00'))
    """
    raw = text(without_noise(value) if isinstance(value, float) else value)
    if raw is None:
        return None
    bare = _CURRENCY.sub(r"\1", unicodedata.normalize("NFKC", raw)).strip()
    if _GROUPED.match(bare):
        bare = bare.replace(",", "")
    try:
        amount = Decimal(bare)
    except InvalidOperation:
        raise RecordRefusedError("bad_value", f"{name}: not a decimal amount") from None
    if not amount.is_finite():
        raise RecordRefusedError("bad_value", f"{name}: not a decimal amount")
    return amount


def without_noise(value: float) -> str:
    """A fraction as a spreadsheet shows it: what its sums leave behind the fifteenth digit was never written.

    >>> without_noise(3 * 19.9), without_noise(0.1 + 0.2), without_noise(0.125)
    ('59.7', '0.3', '0.125')
    """
    return f"{value:.{EXACT_DIGITS}g}"


def signed_fen(value: Any, name: str) -> int | None:
    """An amount of whole fen, None when not set; one between two fen is refused, never rounded.

    >>> signed_fen("12.500", "a"), signed_fen("-3", "a"), signed_fen(59.699999999999996, "a"), signed_fen("", "a")
    (1250, -300, 5970, None)
    """
    amount = amount_of(value, name)
    if amount is None:
        return None
    fen = amount * 100
    if fen != fen.to_integral_value():
        raise RecordRefusedError("bad_value", f"{name}: not an amount with at most two decimals")
    return in_bounds(int(fen), name, least=-MOST)


def table_fen(value: Any, name: str) -> int | None:
    """An amount of whole fen that cannot be negative, None when not set."""
    fen = signed_fen(value, name)
    return None if fen is None else in_bounds(fen, name)


def in_bounds(fen: int, name: str, *, least: int = 0) -> int:
    """The amount itself; one below the least or beyond all reason is refused."""
    if not least <= fen <= MOST:
        raise RecordRefusedError("amount_out_of_bounds", f"{name}: outside {least} to {MOST}")
    return fen


def table_number(value: Any, name: str) -> int | None:
    """A whole number as tables write it; None when not set.

    >>> table_number("1,200", "n"), table_number("3.0", "n"), table_number(None, "n")
    (1200, 3, None)
    """
    raw = text(value)
    if raw is None:
        return None
    try:
        number = amount_of(raw, name)
    except RecordRefusedError:
        number = None
    if number is None or number != number.to_integral_value() or abs(number) > MOST:
        raise RecordRefusedError("bad_value", f"{name}: not a whole number")
    return int(number)


def quantity_of(value: Any) -> int:
    """The pieces of a row; a row that does not say is one piece.

    >>> quantity_of("2"), quantity_of(None), quantity_of("-1")
    (2, 1, -1)
    """
    stated = table_number(value, "quantity")
    return 1 if stated is None else stated


def table_time(value: Any, name: str) -> int | None:
    """A time in the forms tables use, as UTC ms; what has no offset is local time of Asia/Shanghai.

    Beside the platforms' own forms: slashes, no seconds, Chinese units, halves of the day, eight to fourteen digits,
    day numbers of spreadsheets. The first day of a calendar stands for a time that is not set.

    >>> table_time("2025/1/1 11:02", "t") == table_time("2025年1月1日 11:02:00", "t") == 1735700520000
    True
    >>> table_time("20250101110200", "t") == table_time("2025-01-01T11:02:00+08:00", "t") == 1735700520000
    True
    >>> table_time("45658.5", "t")  # noon of 2025-01-01
    1735704000000
    >>> table_time("20250101", "t"), table_time("2025/1/1 下午1:05", "t"), table_time("0000-00-00 00:00:00", "t")
    (1735660800000, 1735707900000, None)
    """
    raw = text(value)
    if raw is None:
        return None
    if not raw.isascii():
        raw = unicodedata.normalize("NFKC", raw)
    if _NEVER.match(raw.replace("/", "-")):
        return None
    match = _LOCAL.match(raw)
    if match is not None:
        year, month, day, half, hour, *rest, after = match.groups()
        hours = _of_day(int(hour or 0), (half or after or "").upper())
        return _local_ms([int(part or 0) for part in (year, month, day, hours, *rest)], name)
    match = _COMPACT.match(raw)
    if match is not None:
        return _local_ms([int(part or 0) for part in match.groups()], name)
    if _SERIAL.match(raw) and _SERIALS[0] <= float(raw) < _SERIALS[1]:
        return _SERIAL_BEGIN_MS + round(float(raw) * 86_400) * 1000
    try:
        return any_time(raw, name)
    except RecordRefusedError:
        raise RecordRefusedError("bad_value", f"{name}: not a time, expected for example 2025-01-01 11:02:00") from None


def _of_day(hour: int, half: str) -> int:
    """The hour of the day of an hour in its half."""
    if half in ("下午", "PM") and hour < 12:
        return hour + 12
    return 0 if half in ("上午", "AM") and hour == 12 else hour


def _local_ms(parts: list[int], name: str) -> int:
    year, month, day, hour, minute, second = parts
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI)
    except ValueError:
        raise RecordRefusedError("bad_value", f"{name}: no such time") from None
    return round(moment.timestamp()) * 1000

"""Platform values read tolerantly and exactly: numbers or strings, absent or zero, fen or yuan, seconds or ms.

Every function gives None for "not set" (absent, empty, and for times and ids also zero) and raises
RecordRefusedError("bad_value", ...) with the field's name for what cannot be read. The refused value is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson

from pipelines.sources.base import RecordRefusedError

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has had one zone without daylight saving since 1991 (IANA tz database), so a fixed offset is exact."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_QUOTED = re.compile(r'^"(.*)"$', re.DOTALL)
_TOP_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?$", re.ASCII)
_NO_CENTS = re.compile(r"(?<=\d)\.0+$", re.ASCII)
_NO_TIME = re.compile(r"^(0+|0000-00-00([ T]00:00:00(\.0+)?)?|0001-01-01[ T]00:00:00(Z|[+-]00:00)?)$", re.ASCII)
"""How databases and languages write a time that was never set: MySQL's zero date, Go's and .NET's first instant."""
MAX_MS = 253_402_300_799_000
"""Last millisecond of the year 9999."""


def text(value: Any) -> str | None:
    """The value as text, or None when it is not set; quotes that a platform left around it are taken off.

    >>> text('"6986"'), text(12), text(""), text(None)
    ('6986', '12', None, None)
    """
    if type(value) is str and '"' not in value:  # the usual case first: this runs for every field of every record
        return value.strip() or None
    if type(value) is int:
        return str(value)
    if value is None or isinstance(value, (dict, list)):
        return None
    raw = str(value).lower() if isinstance(value, bool) else str(value)
    match = _QUOTED.match(raw)
    raw = (match.group(1) if match else raw).strip()
    return raw or None


def identifier(value: Any) -> str | None:
    """A platform id as text; `0` and empty mean that there is none.

    >>> identifier(6923456789012345678), identifier("0"), identifier(0)
    ('6923456789012345678', None, None)
    """
    if type(value) is int:
        return str(value) if value else None
    if isinstance(value, float):
        raise RecordRefusedError(
            "rounded_id", "an id arrived as a fraction, digits may be lost; expected text or integer"
        )
    raw = text(value)
    return None if raw in (None, "0") else raw


def integer(value: Any, name: str) -> int | None:
    """A whole number given as number or text; None when not set.

    >>> integer("20", "n"), integer(20, "n"), integer("", "n"), integer("20.0", "n")
    (20, 20, None, 20)
    """
    if type(value) is int:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        if value.is_integer():
            return int(value)
        raise RecordRefusedError("bad_value", f"{name}: a fraction where a whole number is expected")
    if isinstance(value, (dict, list)):
        raise RecordRefusedError("bad_value", f"{name}: an object or list where a whole number is expected")
    raw = text(value)
    if raw is None:
        return None
    try:
        return int(_NO_CENTS.sub("", raw))
    except ValueError:
        raise RecordRefusedError("bad_value", f"{name}: not a whole number") from None


def flag(value: Any, name: str) -> bool | None:
    """A yes or no given as boolean, number or text; None when not set.

    >>> flag("true", "f"), flag(0, "f"), flag(None, "f")
    (True, False, None)
    """
    if isinstance(value, bool):
        return value
    raw = text(value)
    if raw is None:
        return None
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if raw.lower() not in known:
        raise RecordRefusedError("bad_value", f"{name}: not true or false")
    return known[raw.lower()]


def fen_of_yuan(value: Any, name: str) -> int | None:
    """A yuan amount as exact integer fen; more than two decimals are refused, never rounded.

    >>> fen_of_yuan("199.00", "p"), fen_of_yuan("-0.10", "p"), fen_of_yuan("1,299.5", "p")
    (19900, -10, 129950)
    """
    raw = text(value)
    if raw is None:
        return None
    whole, _, cents = raw.partition(".")
    if (
        len(cents) == 2 and raw.isascii() and whole.isdigit() and cents.isdigit()
    ):  # the usual form, exact without Decimal
        return int(whole) * 100 + int(cents)
    try:
        fen = Decimal(raw.replace(",", "")) * 100
    except InvalidOperation:
        raise RecordRefusedError("bad_value", f"{name}: not an amount in yuan") from None
    if not fen.is_finite() or fen != fen.to_integral_value():
        raise RecordRefusedError("bad_value", f"{name}: not an amount with at most two decimals")
    return int(fen)


def stated_time(value: Any) -> str | None:
    """The text of a time, None where it is not set or is the zero of a database or language.

    >>> stated_time("2025-01-01 11:02:00"), stated_time("0000-00-00 00:00:00"), stated_time("0001-01-01T00:00:00Z")
    ('2025-01-01 11:02:00', None, None)
    """
    raw = text(value)
    return None if raw is None or (raw[0] == "0" and _NO_TIME.match(raw)) else raw


def epoch_s(value: Any, name: str) -> int | None:
    """Epoch seconds as UTC epoch ms; zero means not happened.

    >>> epoch_s(1735700500, "t"), epoch_s("0", "t")
    (1735700500000, None)
    """
    seconds = value if type(value) is int else integer(value, name)
    return _checked_ms(seconds * 1000, name) if seconds else None


def epoch_ms(value: Any, name: str) -> int | None:
    """Epoch milliseconds as they are; zero means not happened."""
    millis = integer(value, name)
    return _checked_ms(millis, name) if millis else None


def top_time(value: Any, name: str) -> int | None:
    """A local time `yyyy-MM-dd HH:mm:ss` of Asia/Shanghai as UTC epoch ms; a zero date means not happened.

    Copies that passed through a database may add fractions of a second.

    >>> top_time("2025-01-01 11:02:00", "created"), top_time("0000-00-00 00:00:00", "pay_time")
    (1735700520000, None)
    """
    raw = stated_time(value)
    if raw is None:
        return None
    match = _TOP_TIME.match(raw)
    try:
        if match is None:
            raise ValueError
        day, hour, minute, second, fraction = match.groups()
        clock = time(int(hour), int(minute), int(second))
        midnight = _local_midnight_ms(day)
    except ValueError:
        raise RecordRefusedError("bad_value", f"{name}: not a time of the form yyyy-MM-dd HH:mm:ss") from None
    millis = int(fraction[:3].ljust(3, "0")) if fraction else 0
    return midnight + ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1000 + millis


@lru_cache(maxsize=4096)
def _local_midnight_ms(day: str) -> int:
    """The start of a day in Asia/Shanghai; records of a batch share few days."""
    return (date.fromisoformat(day).toordinal() - _EPOCH_DAY) * 86_400_000 - 28_800_000


def rfc3339(value: Any, name: str) -> int | None:
    """An RFC 3339 time with offset as UTC epoch ms; a zero time means not happened.

    >>> rfc3339("2022-09-02T10:27:50+08:00", "t")
    1662085670000
    """
    raw = stated_time(value)
    if raw is None:
        return None
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise RecordRefusedError("bad_value", f"{name}: not an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise RecordRefusedError("bad_value", f"{name}: a time without offset")
    return round(moment.timestamp() * 1000)


def business_date(moment_ms: int | None) -> str | None:
    """The business day in Asia/Shanghai of a UTC epoch ms, as `YYYY-MM-DD`.

    >>> business_date(1735660800000)
    '2025-01-01'
    """
    if moment_ms is None:
        return None
    return _day((moment_ms + 28_800_000) // 86_400_000)


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    """The date of a day counted from 1970-01-01; records of a batch share few days."""
    return date.fromordinal(_EPOCH_DAY + number).isoformat()


def iso_utc(moment_ms: int) -> str:
    """A UTC epoch ms as RFC 3339 text."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def required(value: str | None, name: str) -> str:
    """The value itself; a record without it is refused, naming the field."""
    if not value:
        raise RecordRefusedError("missing_field", f"{name} is required and was absent or empty")
    return value


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """The value as an object, also where the platform sends it as JSON text; an absent one is empty.

    >>> mapping('{"name":"浙江省"}', "province"), mapping("", "province")
    ({'name': '浙江省'}, {})
    """
    if type(value) is dict:
        return value
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        value = _decoded(value, name)
    if not isinstance(value, (dict, Mapping)):  # a plain object first: to ask for the abstract one takes longer
        raise RecordRefusedError("bad_shape", f"{name}: expected an object")
    return value


def _decoded(value: str, name: str) -> Any:
    """What JSON text holds; other text is itself and refused by its reader."""
    if value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise RecordRefusedError("bad_json", f"{name} is no valid JSON") from None


def items(value: Any, name: str) -> Iterator[Any]:
    """The elements of a list, also of one in JSON text; absent means none, a single object or scalar is a list of one.

    >>> list(items("13912345678", "remark_mobiles")), list(items('["a", "b"]', "s_ids")), list(items("", "s_ids"))
    (['13912345678'], ['a', 'b'], [])
    """
    if value is None or value == "":
        return iter(())
    if isinstance(value, str):
        value = _decoded(value, name)
    if isinstance(value, list):
        return iter(value)
    if isinstance(value, bool):
        raise RecordRefusedError("bad_shape", f"{name}: expected a list")
    return iter((value,))


def objects(value: Any, name: str) -> list[dict[str, Any]]:
    """The elements of a list, each an object; absent means none, a single object counts as a list of one."""
    found = list(items(value, name))
    for element in found:
        if not isinstance(element, dict):
            raise RecordRefusedError("bad_shape", f"{name}: expected a list of objects")
    return found


def _checked_ms(millis: int, name: str) -> int:
    if not 0 < millis <= MAX_MS:
        raise RecordRefusedError("bad_value", f"{name}: a time outside 1970 to 9999")
    return millis

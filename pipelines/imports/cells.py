"""Cells of a table as the parsers expect them: what a spreadsheet or a merchant back office put around a value is gone.

What cannot be put right is told: a long number that a spreadsheet has rounded is no id any more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

from pipelines.sources.table_values import EXACT_DIGITS, without_noise

BLANK = ("", "-", "--", "—", "null", "NULL", "None", "nan", "NaN", "N/A", "#N/A", "\\N")
"""Cells that say that there is nothing."""

_BREAKS = re.compile(r"\s*[\r\n\v\f]+\s*")
_EDGES = " \t\r\n\v\f\u00a0\u3000\ufeff\u200b\u200e\u200f\x00"
_FORMULA = re.compile(r'^="?(.*?)"?$', re.DOTALL)
_SCIENTIFIC = re.compile(r"^(?:\d+\.\d+[eE]\+?|\d+[eE]\+)\d{1,3}$", re.ASCII)
_WHOLE = re.compile(r"^(\d+|\d{1,3}(?:,\d{3})+)(?:\.0+)?$", re.ASCII)
_MARKS = "'’‘`＇"
_UNSEEN = dict.fromkeys(map(ord, "\x00\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202d\ufeff"))
"""Characters without a width, which copying leaves inside ids."""

_ZEROED = re.compile(rf"^\d{{{EXACT_DIGITS}}}0{{2,5}}$", re.ASCII)
_LEAST_ZEROED = 2


def clean(value: Any, blank: Collection[str] = BLANK) -> Any:
    """A cell without what kept a spreadsheet from rounding it; None when it says nothing.

    An apostrophe, a tab or the formula around an id go; so do blanks of any width and byte order marks.

    >>> clean("'6923456789012345678"), clean("123\\t"), clean('="4123456789012345678"'), clean("　-　")
    ('6923456789012345678', '123', '4123456789012345678', None)
    >>> clean(float("nan")), clean(17850.0), clean(0.29)
    (None, 17850, '0.29')
    """
    if isinstance(value, str):
        return _clean_text(value, blank)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        if value != value:
            return None
        if abs(value) >= 10**EXACT_DIGITS:
            return f"{value:.15e}"
        return int(value) if value.is_integer() else without_noise(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds" if value.tzinfo is None else "milliseconds")
    return value.isoformat() if isinstance(value, date) else value


def is_rounded(value: Any) -> bool:
    """Whether a cleaned id went through a number and lost digits: it must be refused, never joined on.

    >>> is_rounded("6.92346E+18"), is_rounded(clean(6.923456789012345e18)), is_rounded("6923456789012345678")
    (True, True, False)
    >>> is_rounded("5E12")  # a code of a product
    False
    """
    return isinstance(value, str) and bool(_SCIENTIFIC.match(value))


def are_zeroed(values: Iterable[Any]) -> bool:
    """Whether the ids of a column went through a sheet that shows numbers in full: each ends in zeros from the digit on
    that a number does not keep. One alone may be so by chance.

    >>> are_zeroed(["6923456789012340000", "6923456789012350000"]), are_zeroed(["6923456789012340000"])
    (True, False)
    >>> are_zeroed(["6923456789012340000", "6923456789012345678"])
    False
    """
    long = {value for value in values if isinstance(value, str) and value.isdigit() and len(value) > EXACT_DIGITS + 1}
    return len(long) >= _LEAST_ZEROED and all(map(is_zeroed, long))


def is_zeroed(value: Any) -> bool:
    """Whether an id has zeros where a number keeps no digits.

    >>> is_zeroed("6923456789012340000"), is_zeroed("6923456789012345678"), is_zeroed("100")
    (True, False, False)
    """
    return isinstance(value, str) and bool(_ZEROED.match(value))


def as_id(value: Any) -> Any:
    """An id in plain digits and letters, without the decimals and separators that a number format gave it.

    >>> as_id("17850.0"), as_id("85123A"), as_id(17850), as_id("1,234"), as_id("＇６９２３")
    ('17850', '85123A', 17850, '1234', '6923')
    """
    if not isinstance(value, str):
        return value
    if not value.isascii():
        value = unicodedata.normalize("NFKC", value).lstrip(_MARKS)
    match = _WHOLE.match(value)
    return match.group(1).replace(",", "") if match else value


def heading_of(value: Any) -> str:
    """A heading without the blanks, marks and quotes around it, and without the line breaks in it.

    >>> heading_of("\\ufeff 收货地址 "), heading_of("付款\\n时间"), heading_of(None)
    ('收货地址', '付款时间', '')
    """
    return "" if value is None else _BREAKS.sub("", str(value)).translate(_UNSEEN).strip(_EDGES + _MARKS + '"')


def _clean_text(value: str, blank: Collection[str]) -> str | None:
    cleaned = value.translate(_UNSEEN).strip(_EDGES)
    if cleaned.startswith("="):
        match = _FORMULA.match(cleaned)
        cleaned = match.group(1).strip(_EDGES) if match else cleaned
    if cleaned[:1] in _MARKS and cleaned:
        cleaned = cleaned[1:].strip(_EDGES)
    return None if cleaned in blank else cleaned


def place_of(address: Any) -> tuple[str | None, str | None]:
    """Province and city of an address whose parts are parted by blanks; the rest of it is not kept.

    >>> place_of("浙江省 杭州市 余杭区 文一西路"), place_of("文一西路"), place_of(None)
    (('浙江省', '杭州市'), (None, None), (None, None))
    """
    parts = str(address).split() if address is not None else []
    return (parts[0], parts[1]) if len(parts) > 1 else (None, None)

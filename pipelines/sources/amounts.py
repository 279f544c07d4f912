"""Amounts that cannot be negative, what masks and decrypted texts give away, times in whatever form they come."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.fields import epoch_ms, epoch_s, fen_of_yuan, integer, rfc3339, stated_time, text, top_time

_TAIL = re.compile(r"^[^-,转]*\*(\d+)$")
_VIRTUAL = re.compile(r"^\+?\d{8,15}\s*[-,转]\s*\d{1,6}$")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
_LOCAL_LENGTH = len("2025-01-01 00:00:00")
_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$", re.IGNORECASE)
_CIPHER = re.compile(r"[A-Za-z$#=/~]")
_PLAIN = re.compile(r"^\+?[\d\s()-]{7,24}$")

_MS_DIGITS = 12
"""Epoch numbers of so many digits are milliseconds: as seconds they would lie beyond the year 5100."""

MOST = 10**15
"""Ten thousand billion yuan in fen: more is a broken value, and would not fit the sums built on it."""


def fen(value: Any, name: str) -> int | None:
    """Whole fen or pieces, None when not set; below zero or beyond all reason is refused: sums would be wrong.

    >>> fen("20", "pay_amount"), fen(None, "pay_amount")
    (20, None)
    """
    if type(value) is int and 0 <= value <= MOST:
        return value
    return _in_bounds(integer(value, name), name)


def say_unstated(parsed: Parsed, stated: Any, path: str) -> None:
    """What was paid without saying how much counts nothing, and is a signal."""
    if text(stated) is None:
        parsed.unknown_values.append((path, "paid, without an amount"))


def yuan(value: Any, name: str) -> int | None:
    """A yuan text as whole fen, None when not set; bounded like `fen`.

    >>> yuan("188.00", "payment")
    18800
    """
    return _in_bounds(fen_of_yuan(value, name), name)


def stated_phone(value: Any) -> str | None:
    """A phone as somebody stated it; None for a ciphertext. What is no usable number is refused where ids are read.

    >>> stated_phone(" 139****5670 "), stated_phone("MTM5MTIz=="), stated_phone("$$x$1$$")
    ('139****5670', None, None)
    """
    raw = text(value)
    return None if raw is None or _CIPHER.search(raw) else raw


def any_time(value: Any, name: str) -> int | None:
    """A time as a source writes it in one place or another, UTC ms: epoch s, epoch ms, RFC 3339, local time or day.

    Local times and days are those of Asia/Shanghai.

    >>> any_time(1735700530, "t"), any_time("1735700530000", "t"), any_time("2025-01-01 11:02:10", "t")
    (1735700530000, 1735700530000, 1735700530000)
    """
    raw = stated_time(value)
    if raw is None:
        return None
    if "-" in raw[1:]:
        if _DAY.match(raw):
            raw += " 00:00:00"
        return rfc3339(raw, name) if _OFFSET.search(raw, _LOCAL_LENGTH) else top_time(raw, name)
    return epoch_s(raw, name) if len(raw) < _MS_DIGITS else epoch_ms(raw, name)


def _in_bounds(amount: int | None, name: str) -> int | None:
    if amount is not None and not 0 <= amount <= MOST:
        raise RecordRefusedError("amount_out_of_bounds", f"{name}: outside 0 to {MOST}")
    return amount


def mask_tail(mask: Any) -> str | None:
    """The visible digits at the end of a masked phone; None for a plain, virtual or absent number.

    >>> mask_tail("1********35"), mask_tail("*******5552"), mask_tail("13912345678"), mask_tail("184****3965-7576")
    ('35', '5552', None, None)
    """
    raw = text(mask)
    match = _TAIL.match(raw) if raw else None
    return match.group(1) if match else None


def plain_phone(value: Any) -> str | None:
    """A phone number in clear; None for a mask, a ciphertext or a virtual number with extension, which identify nobody.

    >>> plain_phone("13912345670"), plain_phone("18400913965-7576"), plain_phone("139****5670"), plain_phone("$$x$1$$")
    ('13912345670', None, None, None)
    """
    raw = text(value)
    if raw is None:
        return None
    raw = unicodedata.normalize("NFKC", raw)
    return None if _VIRTUAL.match(raw) or not _PLAIN.match(raw) else raw

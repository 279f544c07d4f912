"""Phone numbers as people and platforms write them, and the one form in which they are compared."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple

_INVISIBLE = re.compile("[\\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_FILLING = re.compile("[-()./\u00b7]")
_EXTENSION = re.compile(r"(?:\+?86|0086)?-?1[0-9]{10}(?:[-,;#x转]|ext\.?|分机|转分机)[0-9]{3,6}", re.IGNORECASE)
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_FOREIGN = re.compile(r"\+[1-9][0-9]{6,14}")
_LANDLINE = re.compile(
    r"(?:0?(?:10|[2-9][0-9]{1,2})[2-8][0-9]{6,7}|0[1-9][0-9]{8,10}|[2-8][0-9]{6,7}|[48]00[0-9]{7}|9[56][0-9]{3,6}|1[0-2][0-9]{1,4})"
)
_RUN_LENGTH = 7
_LEAST_DIGITS = 7


class PhoneReading(NamedTuple):
    """A number in its one form, or the rule that refuses it; exactly one of the two is empty."""

    number: str
    refusal: str


def normalise_phone(raw: str) -> PhoneReading:
    """The one form of a phone: 11 digits for the mainland, E.164 for other countries, or why it is none.

    Full-width digits, blanks, dashes and brackets do not matter; +86, 0086 and 86 are dropped only when a mainland
    mobile number is left. Refusals: `masked`, `virtual_number`, `landline`, `malformed`.

    >>> normalise_phone("+86 139-1234-5670").number
    '13912345670'
    >>> normalise_phone("＋１ (300) 555 1234").number
    '+13005551234'
    >>> normalise_phone("18400913965-7576").refusal
    'virtual_number'
    >>> normalise_phone("139****1234").refusal
    'masked'
    """
    text = _DASHES.sub("-", _INVISIBLE.sub("", unicodedata.normalize("NFKC", raw)))
    if "*" in text:
        return PhoneReading("", "masked")
    if _EXTENSION.fullmatch(text):
        return PhoneReading("", "virtual_number")
    return _read_digits(_FILLING.sub("", text))


def _read_digits(text: str) -> PhoneReading:
    national = _strip_country(text)
    if _MOBILE.fullmatch(national):
        return PhoneReading(national, "")
    if text.startswith("00") and not text.startswith("0086"):
        text = f"+{text[2:]}"
    if text.startswith("+") and not text.startswith("+86"):
        return PhoneReading(text, "") if _FOREIGN.fullmatch(text) else PhoneReading("", "malformed")
    return PhoneReading("", "landline" if _LANDLINE.fullmatch(national) else "malformed")


def _strip_country(text: str) -> str:
    for prefix in ("+86", "0086", "86"):
        if text.startswith(prefix) and (len(text) - len(prefix) == 11 or prefix != "86"):
            return text[len(prefix) :]
    return text


def is_mobile(value: str) -> bool:
    """Whether any text is itself a mainland mobile number, or a number written with its country code.

    >>> is_mobile("K1"), is_mobile("86 13912345670")
    (False, True)
    """
    return sum(map(str.isdigit, value)) >= _LEAST_DIGITS and bool(normalise_phone(value).number)


def is_digit_run(value: str) -> bool:
    """Whether a whole number is one digit repeated or digits in a row: typed to get past a form.

    >>> is_digit_run("11111111111"), is_digit_run("12345678901"), is_digit_run("13912345678")
    (True, True, False)
    """
    digits = _FILLING.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", value)))
    forms = {digits, _strip_country(digits)}
    return any(_is_run(form) for form in forms)


def _is_run(digits: str) -> bool:
    if len(digits) < _RUN_LENGTH or not digits.isascii() or not digits.isdigit():
        return False
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(digits)}
    return steps in ({0}, {1}, {9})


def digit_runs() -> list[str]:
    """All 11-digit runs, so that their hashes can be refused as well."""
    return [
        "".join(str((start + step * place) % 10) for place in range(11)) for start in range(10) for step in (0, 1, -1)
    ]

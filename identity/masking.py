"""What may be somebody's number or address does not stand in free text that is kept, shown or logged."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<![0-9０-９])(?:(?:\+|00)?86[-. ]?)?[1１][3-9３-９]\d[-. ]?\d{4}[-. ]?\d{4}(?![0-9０-９])")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LONG = re.compile(r"\d{7,}")


def hide_contacts(text: str) -> str:
    """A text without mobile numbers and mail addresses; numbers of orders and decisions stay.

    Nothing of a number is kept: beside its token even a few digits would give it away.

    >>> hide_contacts("called +86 139-1234-5670 about order 6917341234567890123, wrote to li@example.com")
    'called <phone> about order 6917341234567890123, wrote to <mail>'
    """
    return _ADDRESS.sub("<mail>", _NUMBER.sub("<phone>", text))


def hide_numbers(text: str) -> str:
    """A text without anything that could be somebody's number: for messages, which reach logs.

    >>> hide_numbers("received '2025-13-99', then 13800138000 and 1234567")
    "received '2025-13-99', then <phone> and <number>"
    """
    return _LONG.sub("<number>", hide_contacts(text))

"""The text of a CSV file, whatever it is encoded in; bytes that are no characters stay marked where they stand.

Merchant back offices cut texts by bytes, so that one name of a whole export may end in half a character: that costs its
line, not the file.
"""

from __future__ import annotations

import re

from pipelines.errors import InputRefusedError

UTF8_MARK = b"\xef\xbb\xbf"
BROKEN_BYTES = re.compile("[\udc80-\udcff]")
"""Bytes that decoding left as they were."""

_OUTSIDE = re.compile("[^\x00-\x7f]")

_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1", b"\x1f\x8b")
"""How workbooks, Parquet and compressed files begin."""

_MOST_BROKEN = 0.1
"""Share of the characters outside ASCII that may be broken; above it the text is in another encoding: of a text in
GB18030 hardly a character is one of UTF-8."""


def decode(raw: bytes, where: str) -> str:
    """The text of a CSV file: UTF-8, with or without mark, GB18030, or UTF-16 with its mark.

    A byte that is no character is kept as a lone surrogate (`BROKEN_BYTES`). A file that is no text is refused.

    >>> decode("订单".encode("gb18030"), "a.csv"), decode("\\ufeff订单".encode("utf-16-le"), "a.csv")
    ('订单', '订单')
    """
    if raw.startswith(_NO_TEXT):
        raise InputRefusedError(
            "the file is no text, whatever its name says",
            where=where,
            hint="give a workbook the suffix .xlsx, Parquet .parquet; unpack a compressed file",
        )
    if raw.startswith(_WIDE_MARKS):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError:
            raise _undecodable(where) from None
    for encoding in ("utf-8-sig",) if raw.startswith(UTF8_MARK) else ("utf-8", "gb18030"):
        text = raw.decode(encoding, "surrogateescape")
        if _broken_share(text) <= _MOST_BROKEN:
            return text
    raise _undecodable(where)


def told(text: str) -> str:
    """The text with broken bytes written out, so that it can be stored.

    >>> told("a\\udcd5")
    'a\\\\udcd5'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _broken_share(text: str) -> float:
    """Broken bytes among the characters outside ASCII."""
    if BROKEN_BYTES.search(text) is None:
        return 0.0
    return len(BROKEN_BYTES.findall(text)) / len(_OUTSIDE.findall(text))


def _undecodable(where: str) -> InputRefusedError:
    return InputRefusedError(
        "the file is neither UTF-8 nor GB18030 nor UTF-16", where=where, hint="export it again as UTF-8"
    )

"""A change of points at Tmall (TMC PointChange): one movement of the ledger and the member it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.sources.amounts import fen
from pipelines.sources.base import Parsed, Record, RecordRefusedError, version_key
from pipelines.sources.evidence import observe, subject_of
from pipelines.sources.fields import business_date, identifier, required, text
from pipelines.sources.tmall import PLATFORM, buyer_ids, phone_ids, seller_of

LEDGER = "silver.points_ledger"
FIELDS = (
    "biz_type",
    "mix_mobile",
    "mobile",
    "ouid",
    "omid",
    "point",
    "type",
    "record_id",
    "seller_name",
    "seller_nick",
)
"""The fields of a change that are used."""

_SIGNS = {"1": -1, "2": 1}


def point_change(parsed: Parsed, record: Record, content: Mapping[str, Any], *, at: int) -> None:
    """The movement is added as a ledger row, signed by its type (1 minus, 2 plus), with its member's ids.

    `at`: UTC ms of the message. A movement is known by its `record_id`, however often it is sent.
    """
    sign = _SIGNS.get(text(content.get("type")) or "")
    if sign is None:
        raise RecordRefusedError("bad_value", "type: neither 1 (minus) nor 2 (plus), so the sign is not known")
    points = fen(content.get("point"), "point")
    if points is None:
        raise RecordRefusedError("missing_field", "point is required and was absent or empty")
    record_id = required(identifier(content.get("record_id")), "record_id")
    ids = buyer_ids(content, record.context, seller_of(content, record.context)) + phone_ids(content)
    row: dict[str, Any] = {
        "source": PLATFORM,
        "record_scope": "",
        "record_id": record_id,
        "points": sign * points,
        "reason": text(content.get("biz_type")),
        "moved_at": at,
        "business_date": business_date(at),
        "version_key": version_key(at, record.digest),
    }
    if ids:
        row["subject"] = subject_of(ids)
    parsed.rows.append((LEDGER, row))
    observe(parsed, record.context, f"points:{record_id}", ids=ids, at=at)

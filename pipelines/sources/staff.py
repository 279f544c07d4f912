"""Guides with store and region: `{"corp_id", "userid", "name", "store_id", "store_name", "region",
"status": "active|left", "hired_at", "left_at"}`; times are epoch milliseconds, RFC 3339 or days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, RecordRefusedError, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.fields import identifier, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import moment, seen_ms
from pipelines.sources.wecom_scope import scope_of

FEED = "staff"
SHAPE = Shape(
    "staff",
    ["corp_id", "userid", "name", "store_id", "store_name", "region", "status", "hired_at", "left_at", "updated_at"],
)


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """A guide is one record."""
    return split_pages(payload, [])


def parse(record: Record) -> Parsed:
    """The guide as the brand lists them."""
    value = as_object(record.value, "staff")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    left_ms = moment(value.get("left_at"), "left_at")
    updated_ms = moment(value.get("updated_at"), "updated_at") or seen_ms(record.context)
    name = text(value.get("name"))
    parsed.row(
        "silver.staff",
        corp_id=scope_of(record.context, corp_id=text(value.get("corp_id")) or "").tenant,
        userid=required(identifier(value.get("userid")), "userid"),
        name_token=Clear("name", name) if name else None,
        store_id=identifier(value.get("store_id")),
        store_name=text(value.get("store_name")),
        region=text(value.get("region")),
        status=_status(parsed, record, value, left_ms),
        hired_at=moment(value.get("hired_at"), "hired_at"),
        left_at=left_ms,
        version_key=version_key(updated_ms, record.digest, rank=1 if left_ms else 0),
    )
    return parsed


def _status(parsed: Parsed, record: Record, value: dict[str, Any], left_ms: int | None) -> str:
    """`active` or `left`; without a status the leaving time decides."""
    status = category(parsed, record.settings, "staff_status", value.get("status"), path="status")
    if status == UNKNOWN:
        raise RecordRefusedError("bad_value", "status: expected one of the value map staff_status")
    return status or ("left" if left_ms else "active")


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="staff",
        split=split,
        parse=parse,
        tables=("silver.staff",),
        hash_context=("corp_id", "suite_id"),
    ),
)

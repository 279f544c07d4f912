"""WeCom corporate tags (`get_corp_tag_list`): what the tag ids on relations mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.base import Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import as_object
from pipelines.sources.fields import epoch_s, flag, identifier, items, mapping, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import seen_ms
from pipelines.sources.wecom_scope import scope_of, wecom_error

FEED = "wecom_tags"
SHAPE = Shape(
    "tag_group",
    ["group_id", "group_name", "deleted", *(f"tag[].{name}" for name in ("id", "name", "create_time", "deleted"))],
)


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """The tag groups of the list."""
    return split_pages(payload, [("tag_group",)], wecom_error)


def parse(record: Record) -> Parsed:
    """One row for each tag of the group; a group that was deleted takes its tags with it."""
    value = as_object(record.value, "tag_group")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    group_id = required(identifier(value.get("group_id")), "group_id")
    gone = bool(flag(value.get("deleted"), "deleted"))
    for tag in items(value.get("tag"), "tag"):
        row = _tag_row(record, mapping(tag, "tag[]"), group_gone=gone)
        parsed.row("silver.tags", group_id=group_id, group_name=text(value.get("group_name")), **row)
    return parsed


def _tag_row(record: Record, tag: Mapping[str, Any], *, group_gone: bool) -> dict[str, Any]:
    seen = seen_ms(record.context)
    deleted = group_gone or bool(flag(tag.get("deleted"), "tag[].deleted"))
    return {
        "corp_id": scope_of(record.context).tenant,
        "tag_id": required(identifier(tag.get("id")), "tag[].id"),
        "name": text(tag.get("name")),
        "status": "deleted" if deleted else "active",
        "created_at": epoch_s(tag.get("create_time"), "tag[].create_time"),
        "updated_at": seen,
        "version_key": version_key(seen, record.digest),
    }


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="wecom",
        split=split,
        parse=parse,
        tables=("silver.tags",),
        hash_context=("corp_id", "suite_id"),
    ),
)

"""WeCom customer groups: `groupchat/get` (one group with its members) and `groupchat/list` (ids with their state)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.fields import epoch_s, identifier, items, mapping, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import IdKey, observe_day, seen_ms
from pipelines.sources.wecom_relations import JOINED, STAYS, add_stay
from pipelines.sources.wecom_scope import WecomScope, scope_of, wecom_error

FEED = "wecom_group_chats"
_MEMBER = ("userid", "type", "unionid", "join_time", "join_scene", "state", "invitor.userid")
SHAPE = Shape(
    "group",
    [
        *("chat_id", "name", "owner", "create_time", "status"),
        *(f"member_list[].{name}" for name in _MEMBER),
    ],
)


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """The group of a get, or the elements of a list."""
    return split_pages(payload, [("group_chat",), ("group_chat_list",)], wecom_error)


def parse(record: Record) -> Parsed:
    """The group's state and, from a full listing, its members; who is missing there is found when tables are built."""
    value = as_object(record.value, "group_chat")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    chat_id = required(identifier(value.get("chat_id")), "group_chat.chat_id")
    scope = scope_of(record.context)
    parsed.row("silver.groups", **_group_row(parsed, record, value, tenant=scope.tenant, chat_id=chat_id))
    for member in items(value.get("member_list"), "member_list"):
        _add_member(parsed, record, mapping(member, "member_list[]"), scope, chat_id)
    return parsed


def _group_row(
    parsed: Parsed, record: Record, value: Mapping[str, Any], *, tenant: str, chat_id: str
) -> dict[str, Any]:
    """What this answer says of the group; a column it does not speak of is left out and keeps its older value."""
    seen = seen_ms(record.context)
    row: dict[str, Any] = {
        "corp_id": tenant,
        "chat_id": chat_id,
        "updated_at": seen,
        "version_key": version_key(seen, record.digest),
    }
    status = category(parsed, record.settings, "group_status", value.get("status"), path="status")
    if status is not None:
        row["status"] = status
    if value.get("member_list") not in (None, ""):
        row["snapshot_at"] = seen
    name = text(value.get("name"))
    if name:
        row["name_token"] = Clear("text", name)
    owner, created = identifier(value.get("owner")), epoch_s(value.get("create_time"), "create_time")
    if owner:
        row["owner_userid"] = owner
    if created:
        row["created_at"] = created
    return row


def _add_member(parsed: Parsed, record: Record, member: Mapping[str, Any], scope: WecomScope, chat_id: str) -> None:
    settings, context = record.settings, record.context
    member_id = required(identifier(member.get("userid")), "member_list[].userid")
    kind = category(parsed, settings, "member_type", member.get("type"), path="member_list[].type") or UNKNOWN
    seen = seen_ms(context)
    row: dict[str, Any] = {
        "corp_id": scope.tenant,
        "chat_id": chat_id,
        "member_id": member_id,
        "member_type": kind,
        "status": "in",
        "joined_at": epoch_s(member.get("join_time"), "member_list[].join_time"),
        "left_at": None,
        "join_scene": category(
            parsed, settings, "join_scene", member.get("join_scene"), path="member_list[].join_scene"
        ),
        "invitor_userid": identifier(mapping(member.get("invitor"), "member_list[].invitor").get("userid")),
        "state": text(member.get("state")),
        "updated_at": seen,
        "version_key": version_key(seen, record.digest),
    }
    if kind == "customer":
        row["subject"] = scope.subject(member_id)
        observe_day(parsed, context.feed, _member_keys(context, member, scope, member_id), context.interval)
    parsed.row("silver.group_members", **row)
    if row["joined_at"] is not None:
        told = {name: row[name] for name in ("subject", "join_scene", "invitor_userid", "state") if name in row}
        add_stay(parsed, record, row, change=JOINED, at_ms=row["joined_at"], **told)


def _member_keys(context: Context, member: Mapping[str, Any], scope: WecomScope, member_id: str) -> list[IdKey]:
    keys = [scope.contact_key(member_id)]
    unionid = identifier(member.get("unionid"))
    if unionid:
        keys.append(("wx_unionid", context.open_platform_id, unionid))
    return keys


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="wecom",
        split=split,
        parse=parse,
        tables=("silver.groups", "silver.group_members", STAYS),
        hash_context=("corp_id", "suite_id"),
    ),
)

"""What guides and customers do in WeCom beside relations, as events: moments, customers served, messages under audit.

What people write is never read: of a message only who wrote to whom, when, and in which form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipelines.sources.base import Parsed, Record, RecordRefusedError, version_key
from pipelines.sources.categories import category, known_code
from pipelines.sources.fields import epoch_ms, epoch_s, flag, identifier, items, required, text
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import day_of, day_start_ms, observe_day, sighting_day, stable_id
from pipelines.sources.wecom_scope import WecomScope, scope_of

EVENTS = "silver.events"
MOMENT = Shape("moment", ["moment_id", "creator", "create_time", "create_type", "visible_type"])
SERVED = Shape("served", ["is_customer", "external_userid", "follow_userid", "chat_id", "add_time"])
MESSAGE = Shape("message", ["msgid", "action", "from", "tolist", "roomid", "msgtime", "msgtype", "time", "user"])


@dataclass(frozen=True)
class _Deed:
    """What somebody did: what tells it apart, its name, when, the guide, the customer, and what else is known."""

    key: tuple[str, ...]
    event: str
    at: int
    staff: str | None
    external: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


def is_moment(value: Mapping[str, Any]) -> bool:
    """Whether this is a post of `get_moment_list`."""
    return "moment_id" in value


def is_served(value: Mapping[str, Any]) -> bool:
    """Whether this is somebody whom `contact_list` lists as served."""
    return "is_customer" in value or "follow_userid" in value


def parse_moment(value: Mapping[str, Any], record: Record) -> Parsed:
    """That a guide, or the corp, posted a moment."""
    parsed = Parsed(unknown=MOMENT.unknown(value, record.settings.ignored))
    moment_id = required(identifier(value.get("moment_id")), "moment_id")
    at = epoch_s(value.get("create_time"), "create_time") or day_start_ms(record.context.interval)
    kind = category(parsed, record.settings, "moment_type", value.get("create_type"), path="create_type") or "unknown"
    seen_by = category(parsed, record.settings, "moment_visible", value.get("visible_type"), path="visible_type")
    kept = {"moment_id": moment_id, "visible": seen_by}
    creator = identifier(value.get("creator"))
    return _told(parsed, record, _Deed(("wecom_moment", moment_id), f"moment.{kind}", at, creator, kept=kept))


def parse_served(value: Mapping[str, Any], record: Record) -> Parsed:
    """That a guide, or a group, served somebody; who is no customer has no lasting id and is nobody's event.

    The guide is who added them, or owns the group; of somebody in a group the platform may leave that out.
    """
    parsed = Parsed(unknown=SERVED.unknown(value, record.settings.ignored))
    external, chat = identifier(value.get("external_userid")), identifier(value.get("chat_id"))
    staff = identifier(value.get("follow_userid"))
    if chat is None and text(value.get("chat_name")) is None:
        required(staff, "follow_userid")
    at = epoch_s(value.get("add_time"), "add_time") or day_start_ms(record.context.interval)
    kind = "customer" if flag(value.get("is_customer"), "is_customer") or external else "stranger"
    key = ("wecom_served", staff or "", external or "", chat or "", str(at))
    return _told(parsed, record, _Deed(key, f"served.{kind}", at, staff, external, {"chat_id": chat}))


def parse_message(value: Mapping[str, Any], record: Record) -> Parsed:
    """That somebody wrote to somebody: the customer's event where one is in a conversation of two or writes in a group.

    An encrypted message is refused: only the corp has the key it is to be decrypted with before it is landed.
    """
    if "encrypt_chat_msg" in value:
        raise RecordRefusedError("encrypted_message", "chatdata has to be decrypted with the corp's key first")
    parsed = Parsed(unknown=MESSAGE.unknown(value, record.settings.ignored))
    action = required(text(value.get("action")), "action")
    known_code(parsed, record.settings, "message_action", action, path="action")
    message_id = required(identifier(value.get("msgid")), "msgid")
    at = epoch_ms(value.get("msgtime") or value.get("time"), "msgtime")
    if at is None:
        raise RecordRefusedError("missing_field", "msgtime or time is required and was absent or empty")
    sender = identifier(value.get("from")) or required(identifier(value.get("user")), "from")
    to = sorted({found for one in items(value.get("tolist"), "tolist") if (found := identifier(one))})
    room, form = identifier(value.get("roomid")), text(value.get("msgtype"))
    scope = scope_of(record.context)
    external, staff = _parties(scope, sender, to, alone=room is None)
    way = "in" if scope.is_customer(sender) else "out" if external or room else "inner"
    kept = {"chat_id": room, "form": form, "way": way, "receivers": len(to)}
    return _told(parsed, record, _Deed(("wecom_message", message_id), f"message.{action}", at, staff, external, kept))


def _parties(scope: WecomScope, sender: str, to: list[str], *, alone: bool) -> tuple[str | None, str | None]:
    """The customer and the guide of a message; of many receivers none is the one who was meant."""
    receiver = to[0] if alone and len(to) == 1 else ""
    if scope.is_customer(sender):
        return sender, receiver if receiver and not scope.is_customer(receiver) else None
    return (receiver if scope.is_customer(receiver) else None), sender


def _told(parsed: Parsed, record: Record, deed: _Deed) -> Parsed:
    """The deed is an event, and whoever did it was seen."""
    scope, kept = scope_of(record.context), {name: value for name, value in deed.kept.items() if value is not None}
    row: dict[str, Any] = {
        "event_id": stable_id(deed.key[0], scope.tenant, *deed.key[1:]),
        "source": "wecom",
        "app_id": scope.tenant,
        "event": deed.event,
        "event_at": deed.at,
        "clock_flag": "ok",
        "business_date": day_of(deed.at),
        "staff_userid": deed.staff,
        "properties": orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode() if kept else None,
        "version_key": version_key(deed.at, record.digest),
    }
    if deed.external:
        row["subject"] = scope.subject(deed.external)
        day = sighting_day(deed.at, record.context)
        observe_day(parsed, record.context.feed, [scope.contact_key(deed.external)], day)
    parsed.rows.append((EVENTS, row))
    return parsed

"""WeCom callbacks, decrypted: relation, group and tag events, as JSON string or `.xml`; objects are audited messages.

Self-built apps name the corp in `ToUserName` and the event in `Event`; service providers get `SuiteId`, `AuthCorpId`,
`InfoType` and `TimeStamp` instead. Changes made through the API and edits of remarks alone cause no callback, and
callbacks get lost: the daily pull stays the truth, events only make it timely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, version_key
from pipelines.sources.categories import category, known_code
from pipelines.sources.fields import epoch_s, identifier, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.sightings import day_of, observe_day, sighting_day, stable_id
from pipelines.sources.wecom_activity import parse_message
from pipelines.sources.wecom_relations import BEGAN, CHANGES, JOINED, STAYS, add_change, add_stay
from pipelines.sources.wecom_scope import RANK_BEGUN, RANK_ENDED, WecomScope, scope_of, wecom_error
from pipelines.sources.wecom_xml import Fields, read_xml

FEED = "wecom_events"
CONTACT, CHAT, TAG = "change_external_contact", "change_external_chat", "change_external_tag"
USED = frozenset(
    {
        *("ToUserName", "CreateTime", "Event", "ChangeType", "UserID", "ExternalUserID", "State", "Source"),
        *("FailReason", "SuiteId", "AuthCorpId", "InfoType", "TimeStamp", "ChatId", "UpdateDetail", "JoinScene"),
        *("QuitScene", "MemChangeCnt", "MemChangeList", "Id", "TagType", "StrategyId"),
    }
)
KEPT = (
    *("AuthCorpId", "Source", "FailReason", "ChatId", "UpdateDetail", "QuitScene", "MemChangeCnt"),
    *("Id", "TagType", "StrategyId"),
)
"""What has no column of its own and stays with the event."""

BEGINNINGS = frozenset({"add_external_contact", "add_half_external_contact"})
ENDINGS = {"del_external_contact": "deleted_by_staff", "del_follow_user": "deleted_by_customer"}
BY_TRANSFER = "DELETE_BY_TRANSFER"


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """A callback is one record; messages come alone or in a list."""
    if payload.lstrip()[:1] in (b"{", b"["):
        return split_pages(payload, [("chatdata",)], wecom_error)
    return [payload]


@dataclass(frozen=True)
class _Callback:
    """One decrypted callback with what all kinds have in common."""

    record: Record
    parsed: Parsed
    fields: Fields
    scope: WecomScope
    event: str
    change: str
    at_ms: int


def parse(record: Record) -> Parsed:
    """The event, and the state of the relation, group, member or tag that it tells of."""
    if isinstance(record.value, dict) and "msgid" in record.value:
        return parse_message(record.value, record)
    if not isinstance(record.value, str):
        raise RecordRefusedError("bad_shape", "expected the decrypted XML as a text")
    fields = read_xml(record.value)
    callback = _callback(record, fields)
    _add_event(callback)
    if callback.event == CONTACT:
        _add_relation(callback)
    elif callback.event == CHAT:
        _add_chat(callback)
    elif callback.event == TAG:
        _add_tag(callback)
    return callback.parsed


def _callback(record: Record, fields: Fields) -> _Callback:
    parsed = Parsed()
    ignored = record.settings.ignored
    for name, value in fields.items():
        if name not in USED and f"callback:{name}" not in ignored:
            parsed.unknown[name] = value
    suite = text(fields.get("SuiteId")) or ""
    corp = text(fields.get("AuthCorpId")) if suite else text(fields.get("ToUserName"))
    event = required(text(fields.get("InfoType")) or text(fields.get("Event")), "Event")
    known_code(parsed, record.settings, "callback_event", event, path="Event")
    change = text(fields.get("ChangeType")) or ""
    if event in (CONTACT, CHAT, TAG):
        required(change, "ChangeType")
        known_code(parsed, record.settings, event, change, path="ChangeType")
    stated = fields.get("TimeStamp") if "TimeStamp" in fields else fields.get("CreateTime")
    at_ms = epoch_s(stated, "CreateTime")
    if at_ms is None:
        raise RecordRefusedError("missing_field", "CreateTime or TimeStamp is required and was absent or empty")
    own_suite = record.context.suite_id if not suite else ""
    scope = scope_of(record.context, suite_id=suite or own_suite, corp_id=corp or "")
    return _Callback(record, parsed, fields, scope, event, change, at_ms)


def _add_event(callback: _Callback) -> None:
    """Events of one second share everything but their text, so the text's digest is the key."""
    fields = callback.fields
    external = identifier(fields.get("ExternalUserID"))
    kept = {name: fields[name] for name in KEPT if fields.get(name)}
    row: dict[str, Any] = {
        "event_id": stable_id("wecom", callback.record.digest),
        "source": "wecom",
        "app_id": callback.scope.tenant,
        "event": f"{callback.event}.{callback.change}" if callback.change else callback.event,
        "event_at": callback.at_ms,
        "clock_flag": "ok",
        "business_date": day_of(callback.at_ms),
        "scene": text(fields.get("State")) or text(fields.get("JoinScene")),
        "staff_userid": identifier(fields.get("UserID")),
        "properties": orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode() if kept else None,
        "version_key": version_key(callback.at_ms, callback.record.digest),
    }
    if external:
        row["subject"] = callback.scope.subject(external)
        _observe(callback, external)
    callback.parsed.rows.append(("silver.events", row))


def _observe(callback: _Callback, external: str) -> None:
    context = callback.record.context
    keys = [callback.scope.contact_key(external)]
    observe_day(callback.parsed, context.feed, keys, sighting_day(callback.at_ms, context))


def _add_relation(callback: _Callback) -> None:
    """A relation begins or ends; edits, failed hand-overs and consents leave it as it is."""
    change, fields = callback.change, callback.fields
    external = required(identifier(fields.get("ExternalUserID")), "ExternalUserID")
    if change not in BEGINNINGS and change not in ENDINGS:
        return
    subject, at_ms = callback.scope.subject(external), callback.at_ms
    row: dict[str, Any] = {
        "corp_id": callback.scope.tenant,
        "external_userid": external,
        "userid": required(identifier(fields.get("UserID")), "UserID"),
        "subject": subject,
        "updated_at": at_ms,
    }
    told: dict[str, Any] = {}
    if change in BEGINNINGS:
        told, kind, rank = {"state": text(fields.get("State"))}, BEGAN, RANK_BEGUN
        row |= {"status": "active", "added_at": at_ms, **told}
    else:
        kind = "transferred" if text(fields.get("Source")) == BY_TRANSFER else ENDINGS[change]
        row |= {"status": kind, "ended_at": at_ms}
        rank = RANK_ENDED
    row["version_key"] = version_key(at_ms, callback.record.digest, rank=rank)
    callback.parsed.rows.append(("silver.contact_follows", row))
    add_change(callback.parsed, callback.record, subject, row["userid"], change=kind, at_ms=at_ms, **told)


def _add_chat(callback: _Callback) -> None:
    """The group's state, and who joined or left where the callback lists them."""
    fields, record = callback.fields, callback.record
    chat_id = required(identifier(fields.get("ChatId")), "ChatId")
    group: dict[str, Any] = {"corp_id": callback.scope.tenant, "chat_id": chat_id, "updated_at": callback.at_ms}
    rank = RANK_BEGUN
    if callback.change == "create":
        group |= {"status": "ok", "created_at": callback.at_ms}
    elif callback.change == "dismiss":
        # With the group everybody is out of it, as if it had been listed with nobody in it.
        group |= {"status": "dismissed", "snapshot_at": callback.at_ms}
        rank = RANK_ENDED
    group["version_key"] = version_key(callback.at_ms, record.digest, rank=rank)
    callback.parsed.rows.append(("silver.groups", group))
    stated = fields.get("UpdateDetail")
    detail = known_code(callback.parsed, record.settings, "update_detail", stated, path="UpdateDetail")
    if detail in ("add_member", "del_member"):
        for member_id in _changed_members(fields):
            _add_member(callback, chat_id, member_id, joined=detail == "add_member")


def _changed_members(fields: Fields) -> list[str]:
    listed = fields.get("MemChangeList")
    found = [listed] if isinstance(listed, str) else list(listed or ())
    return sorted({member for one in found if (member := identifier(one))})


def _add_member(callback: _Callback, chat_id: str, member_id: str, *, joined: bool) -> None:
    """Of somebody whose id does not say whether it is a customer's, the next listing tells, who they are and since
    when: taken for a customer, a guide would become a person."""
    record, at_ms = callback.record, callback.at_ms
    external = callback.scope.is_customer(member_id)
    if external is None:
        return
    row: dict[str, Any] = {
        "corp_id": callback.scope.tenant,
        "chat_id": chat_id,
        "member_id": member_id,
        "member_type": "customer" if external else "staff",
        "status": "in" if joined else "left",
        "updated_at": at_ms,
        "version_key": version_key(at_ms, record.digest, rank=RANK_BEGUN if joined else RANK_ENDED),
    }
    told: dict[str, Any] = {}
    if joined:
        scene = callback.fields.get("JoinScene")
        row["joined_at"] = at_ms
        row["join_scene"] = category(callback.parsed, record.settings, "event_join_scene", scene, path="JoinScene")
        told["join_scene"] = row["join_scene"]
    else:
        scene = callback.fields.get("QuitScene")
        row["left_at"] = at_ms
        told["leave_scene"] = category(callback.parsed, record.settings, "event_quit_scene", scene, path="QuitScene")
    if external:
        row["subject"] = told["subject"] = callback.scope.subject(member_id)
        _observe(callback, member_id)
    callback.parsed.rows.append(("silver.group_members", row))
    add_stay(callback.parsed, record, row, change=JOINED if joined else "left", at_ms=at_ms, **told)


def _add_tag(callback: _Callback) -> None:
    """A deleted tag is known as such at once; names and orders come with the next pull."""
    fields = callback.fields
    tag_id = identifier(fields.get("Id"))
    if callback.change == "delete" and text(fields.get("TagType")) == "tag" and tag_id:
        row = {"corp_id": callback.scope.tenant, "tag_id": tag_id, "status": "deleted", "updated_at": callback.at_ms}
        row["version_key"] = version_key(callback.at_ms, callback.record.digest, rank=RANK_ENDED)
        callback.parsed.rows.append(("silver.tags", row))


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="wecom",
        split=split,
        parse=parse,
        tables=(
            *("silver.events", "silver.contact_follows", CHANGES),
            *("silver.groups", "silver.group_members", STAYS, "silver.tags"),
        ),
    ),
)

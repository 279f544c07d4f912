"""Douyin shop members: `member/searchList` (whose order is whose) and `member/batchUpdate` (what the brand told).

The open_id is comparable inside one app key. A phone that the brand reported for a member is verified by the brand's
own registration; `unbind` ends its link to the open_id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.amounts import fen, stated_phone
from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, Subject, version_key
from pipelines.sources.categories import as_object
from pipelines.sources.douyin import MP_OPEN_ID, OPEN_ID, PLATFORM, split_answer
from pipelines.sources.evidence import first_known, listed, member_rank, named, observe
from pipelines.sources.fields import flag, identifier, text
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import observe_day, sighting_day

MEMBERS = "silver.members"
SHAPE = Shape("member", ["open_id", "mobile", "level", "unbind", "integral"])

_PATHS = (("data", "order_list"), ("data", "member_list"), ("member_info_list",))
_TOLD = ("mobile", "level", "unbind", "integral")


def split_members(payload: bytes, context: Context) -> Sequence[bytes]:
    """The members of a search answer, or of an update that the brand sent."""
    return split_answer(payload, _PATHS)


def parse_members(record: Record) -> Parsed:
    """A member as one row; an update with a phone links it, on unbind ends the link. An empty item says nothing."""
    value = as_object(record.value, "member")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    if "open_id" not in value:
        raise RecordRefusedError("missing_field", "open_id is required and was absent")
    open_id = identifier(value["open_id"])
    if open_id is None:
        return parsed
    subject = _subject(open_id, record)
    if any(name in value for name in _TOLD):
        _updated(value, subject, record, parsed)
    else:
        at = first_known(record.context)
        _row(parsed, record, subject, status="member", version=listed(at))
        key = (subject.namespace, subject.scope, open_id)
        observe_day(parsed, record.context.feed, [key], sighting_day(at, record.context))
    return parsed


def _subject(open_id: str, record: Record) -> Subject:
    namespace = str(record.settings.options.get("member_namespace", OPEN_ID))
    scope = record.context.app_id if namespace == MP_OPEN_ID else record.context.app_key
    return Subject(namespace, scope, open_id)


def _updated(value: Mapping[str, Any], subject: Subject, record: Record, parsed: Parsed) -> None:
    left = flag(value.get("unbind"), "unbind") or False
    at = first_known(record.context)
    told = {"level": text(value.get("level")), "points": fen(value.get("integral"), "integral")}
    _row(parsed, record, subject, status="left" if left else "member", version=at, **told)
    account = named(subject.namespace, subject.scope, subject.value)
    phone = named("phone", "", stated_phone(value.get("mobile")), "verified")
    if not left:
        kind = "bind" if phone else "link"
        observe(parsed, record.context, f"member:{subject.value}", ids=account + phone, at=at, kind=kind)
    elif phone:
        observe(parsed, record.context, f"member:{subject.value}", ids=account + phone, at=at, kind="unbind")


def _row(parsed: Parsed, record: Record, subject: Subject, *, status: str, version: int, **told: Any) -> None:
    parsed.row(
        MEMBERS,
        programme=PLATFORM,
        programme_scope=subject.scope,
        member_value=subject.value,
        subject=subject,
        status=status,
        updated_at=first_known(record.context),
        version_key=version_key(version, record.digest, rank=member_rank(status)),
        **told,
    )


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="douyin_members",
        source="douyin",
        split=split_members,
        parse=parse_members,
        tables=(MEMBERS,),
    ),
)

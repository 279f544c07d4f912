"""Tmall members: the platform's calls (bind query, bind, register), the brand's own syncs, the shop's customer list.

A call names the member's ouid (per shop), omid (per brand) and the phone's hash under the merchant's key, and happened
at `extend.flightJoinTime`, else on receipt. Queries are evidence like binds; an unbind (type 2) ends the membership and
the phone's link, not the link of ouid and omid. A call that was answered otherwise than `SUC` (`params.answer`), or
whose type nobody knows, only asked. The customer list shows buyers, members or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sources.amounts import any_time, fen, yuan
from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.evidence import first_known, listed, member_rank, named, observe, subject_of
from pipelines.sources.fields import identifier, required, text
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import Id, observe_day, sighting_day
from pipelines.sources.tmall import OUID, PLATFORM, as_mapping, buyer_ids, phone_ids, seller_of, split_answer
from serving.contract.decoding import object_of

MEMBERS = "silver.members"
CALL_SHAPE = Shape(
    "member", ("seller_name", "seller_nick", "mix_mobile", "mobile", "ouid", "omid", "type", "extend.flightJoinTime")
)
SYNC_SHAPE = Shape("sync", ("seller_name", "mobile", "mix_mobile", "ouid", "omid", "point", "level", "version"))
LISTED_SHAPE = Shape("crm_member", ("ouid", "omid", "buyer_open_uid", "grade", "trade_count", "trade_amount"))

_LISTINGS = ("crm_members_get_response", "crm_members_increment_get_response", "crm_members_search_response")
_PATHS = (
    *((answer, "members", kind) for answer in _LISTINGS for kind in ("basic_member", "crm_member")),
    ("members", "basic_member"),
    ("members", "crm_member"),
    ("members",),
)
_CHANGES = ("crm.bind", "member.register", "member.activate")
"""Endings of the calls that change a membership; any other one only asks."""


def split_members(payload: bytes, context: Context) -> Sequence[bytes]:
    """The customers of a list, or the single call."""
    return split_answer(payload, _PATHS)


def parse_members(record: Record) -> Parsed:
    """A member's state as one row with the ids that belong together, whichever of the calls it was."""
    value = as_object(record.value, "member")
    method = record.context.method
    if "crm.members" in method or "trade_count" in value or "relation_source" in value:
        return _parse_listed(value, record)
    if "member.sync" in method or "level_type" in value or "point" in value:
        return _parse_sync(value, record)
    return _parse_call(value, record, method)


def _parse_call(value: Mapping[str, Any], record: Record, method: str) -> Parsed:
    extend = as_mapping(value.get("extend"), "extend")
    parsed = Parsed(unknown=CALL_SHAPE.unknown({**value, "extend": extend}, record.settings.ignored))
    ouid = required(identifier(value.get("ouid")), "ouid")
    shop = seller_of(value, record.context)
    at = first_known(record.context, any_time(extend.get("flightJoinTime"), "extend.flightJoinTime"))
    change = category(parsed, record.settings, "member_change", value.get("type"), path="type")
    refused = text(record.context.params.get("answer")) not in (None, "SUC")
    unclear = change == UNKNOWN or (change is None and not method.endswith(_CHANGES))
    asked = refused or unclear or "query" in method
    left = change == "unbind" and not asked
    status = "seen" if asked else "left" if left else "member"
    joined = {} if asked or left else {"joined_at": at}
    accounts, phones = buyer_ids(value, record.context, shop), phone_ids(value)
    version = listed(at) if asked else at
    member = named(OUID, shop, ouid) + accounts + phones
    _row(parsed, record, member, status=status, version=version, at=at, **joined)
    _observe_call(parsed, record.context, ouid, (accounts, phones), at=at, kind="unbind" if left else "link")
    return parsed


def _observe_call(
    parsed: Parsed, context: Context, ouid: str, ids: tuple[list[Id], list[Id]], *, at: int, kind: str
) -> None:
    """An unbind ends each pair of account and phone by itself, so that the accounts stay together."""
    accounts, phones = ids
    about = f"member:{ouid}"
    if kind == "link":
        observe(parsed, context, about, ids=accounts + phones, at=at)
        return
    observe(parsed, context, about, ids=accounts, at=at)
    for account in accounts:
        for phone in phones:
            observe(parsed, context, about, ids=[account, phone], at=at, kind=kind)


def _parse_sync(value: Mapping[str, Any], record: Record) -> Parsed:
    """What the brand told the platform of a member: points and level at the time of its version."""
    parsed = Parsed(unknown=SYNC_SHAPE.unknown(value, record.settings.ignored))
    shop = seller_of(value, record.context)
    at = any_time(value.get("version"), "version") or first_known(record.context)
    accounts, phones = buyer_ids(value, record.context, shop), phone_ids(value)
    ouid = identifier(value.get("ouid"))
    mobile = next((one["value"] for one in phones if one["namespace"] == "phone"), None)
    told = {"level": text(value.get("level")), "points": fen(value.get("point"), "point")}
    if ouid is not None:
        member = named(OUID, shop, ouid) + accounts + phones
        _row(parsed, record, member, status="member", version=at, at=at, **told)
        observe(parsed, record.context, f"sync:{ouid}", ids=accounts + phones, at=at)
        return parsed
    required(mobile, "ouid or mobile")
    member = named("phone", "", mobile, "verified")
    _row(parsed, record, member, status="member", version=at, at=at, member_value=Clear("phone", mobile or ""), **told)
    observe(parsed, record.context, f"sync:{record.digest}", ids=accounts + phones, at=at)
    return parsed


def _parse_listed(value: Mapping[str, Any], record: Record) -> Parsed:
    """A customer as the shop's list shows them on the day it was pulled."""
    parsed = Parsed(unknown=LISTED_SHAPE.unknown(value, record.settings.ignored))
    context = record.context
    ouid = required(identifier(value.get("ouid")), "ouid")
    shop = seller_of(value, context)
    at = first_known(context)
    accounts = buyer_ids(value, context, shop)
    _row(
        parsed,
        record,
        named(OUID, shop, ouid) + accounts,
        status="seen",
        version=listed(at),
        at=at,
        level=text(value.get("grade")),
        trade_count=fen(value.get("trade_count"), "trade_count"),
        trade_fen=yuan(value.get("trade_amount"), "trade_amount"),
    )
    keys = [(one["namespace"], one["scope"], one["value"]) for one in accounts]
    observe_day(parsed, context.feed, keys, sighting_day(at, context))
    return parsed


def _states_time(value: Any) -> bool:
    """Whether a call states when its member joined, or a sync its version."""
    if not isinstance(value, dict):
        return False
    joined = object_of(value.get("extend")).get("flightJoinTime")
    return any(text(stated) not in (None, "0") for stated in (joined, value.get("version")))


def _row(parsed: Parsed, record: Record, ids: list[Id], *, status: str, version: int, at: int, **told: Any) -> None:
    """The membership of the first id; it belongs to the first that names somebody, also where the shop is unknown."""
    row = {
        "programme": PLATFORM,
        "programme_scope": ids[0]["scope"],
        "member_value": ids[0]["value"],
        "subject": subject_of(ids),
        "status": status,
        "updated_at": at,
        "version_key": version_key(version, record.digest, rank=member_rank(status)),
    }
    parsed.rows.append((MEMBERS, row | told))


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed="tmall_members",
        source="tmall",
        split=split_members,
        parse=parse_members,
        tables=(MEMBERS,),
        # A call says by its method what happened: asking and joining may send the same fields. When it happened it says
        # by its arrival, unless it states its own time.
        hash_context=("method", "params.answer", "received_ms"),
        states_time=_states_time,
    ),
)

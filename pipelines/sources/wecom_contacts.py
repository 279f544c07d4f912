"""WeCom customers: `externalcontact/get` (one customer, all followers), `batch/get_by_user` (one follower each), and as
events who came by a link (`customer_acquisition/customer`) and who was served (`contact_list`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category, known_code
from pipelines.sources.evidence import observe
from pipelines.sources.fields import epoch_s, identifier, items, mapping, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import day_of, day_start_ms, make_id, observe_day, seen_ms, stable_id
from pipelines.sources.wecom_activity import is_served, parse_served
from pipelines.sources.wecom_relations import BEGAN, CHANGES, add_change
from pipelines.sources.wecom_scope import WecomScope, scope_of, wecom_error

FEED = "wecom_contacts"
COMPLETE = "complete"
"""Parameter of a guide list that was landed in one file with all customers of its guides."""

CORP_TAG_TYPES = frozenset({"1", "3"})
"""Tag types that carry an id: 1 corp, 3 rule group; 2 is a guide's personal tag, free text without an id."""

_PERSON = ("external_userid", "name", "type", "gender", "unionid")
_RELATION = ("userid", "createtime", "add_way", "state", "oper_userid", "remark_mobiles")
SHAPE = Shape(
    "contact",
    [
        *(f"external_contact.{name}" for name in _PERSON),
        *(f"follow_info.{name}" for name in (*_RELATION, "tag_id")),
        *(f"follow_user[].{name}" for name in _RELATION),
        *(f"follow_user[].tags[].{name}" for name in ("tag_id", "type")),
    ],
)

ACQUIRED = Shape("acquired", ["external_userid", "userid", "chat_status", "state", "create_time"])

_LISTS = (("external_contact_list",), ("customer_list",), ("info_list",))


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """The customers of a batch or of a link, those served, or the single one of a get."""
    return split_pages(payload, _LISTS, wecom_error)


def parse(record: Record) -> Parsed:
    """A customer's state, one relation for each follower named, and the ids that belong together.

    A list of the guides who may have customers (`get_follow_user_list`) says nothing about people, only, where a pull
    lands it with all their customers, that these were all.
    """
    value = as_object(record.value, "contact")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    if "external_contact" not in value and _is_guide_list(value):
        if record.context.params.get(COMPLETE) is True:
            _add_listings(parsed, record, value["follow_user"])
        return parsed
    if is_served(value):
        return parse_served(value, record)
    if "external_userid" in value:
        return _parse_acquired(value, record)
    contact = mapping(value.get("external_contact"), "external_contact")
    external = required(identifier(contact.get("external_userid")), "external_contact.external_userid")
    scope = scope_of(record.context)
    parsed.row("silver.contacts", **_contact_row(parsed, record, contact, scope.subject(external)))
    _observe_contact(parsed, record, contact, scope, external)
    for path, relation in _relations(value):
        row = _relation_row(parsed, record, relation, path)
        parsed.row(
            "silver.contact_follows",
            subject=scope.subject(external),
            corp_id=scope.tenant,
            external_userid=external,
            **row,
        )
        if row["added_at"] is not None:
            told = {name: row[name] for name in ("add_way", "state", "oper_userid")}
            subject, userid = scope.subject(external), row["userid"]
            add_change(parsed, record, subject, userid, change=BEGAN, at_ms=row["added_at"], **told)
        _observe_remark(parsed, record, relation, scope, external)
    return parsed


def _parse_acquired(value: Mapping[str, Any], record: Record) -> Parsed:
    """That somebody came by an acquisition link, and whether they wrote since; the relation itself is pulled."""
    parsed = Parsed(unknown=ACQUIRED.unknown(value, record.settings.ignored))
    external, scope = required(identifier(value.get("external_userid")), "external_userid"), scope_of(record.context)
    userid, state = identifier(value.get("userid")), text(value.get("state"))
    chat = category(parsed, record.settings, "chat_status", value.get("chat_status"), path="chat_status")
    added = epoch_s(value.get("create_time"), "create_time")
    at = added or day_start_ms(record.context.interval)
    parsed.row(
        "silver.events",
        event_id=stable_id("wecom_acquired", scope.tenant, external, userid or "", state or "", chat or ""),
        source="wecom",
        app_id=scope.tenant,
        subject=scope.subject(external),
        event=f"customer_acquisition.{chat or UNKNOWN}",
        event_at=at,
        clock_flag="ok",
        business_date=day_of(at),
        scene=state,
        staff_userid=userid,
        version_key=version_key(added, record.digest),  # pulled again unchanged it is the event of the first day
    )
    observe_day(parsed, record.context.feed, [scope.contact_key(external)], record.context.interval)
    return parsed


def _add_listings(parsed: Parsed, record: Record, guides: Sequence[str]) -> None:
    """The customers of these guides were listed in full, together with this answer."""
    listed = record.context.received_ms
    if listed is None:
        return
    tenant = scope_of(record.context).tenant
    for userid in sorted({known for guide in guides if (known := identifier(guide))}):
        version = version_key(listed, record.digest)
        parsed.row("silver.contact_listings", corp_id=tenant, userid=userid, listed_at=listed, version_key=version)


def _is_guide_list(value: Mapping[str, Any]) -> bool:
    listed = value.get("follow_user")
    return isinstance(listed, list) and all(isinstance(userid, str) for userid in listed)


def _relations(value: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for relation in items(value.get("follow_user"), "follow_user"):
        yield "follow_user[]", mapping(relation, "follow_user[]")
    if value.get("follow_info"):
        yield "follow_info", mapping(value["follow_info"], "follow_info")


def _contact_row(parsed: Parsed, record: Record, contact: Mapping[str, Any], subject: Any) -> dict[str, Any]:
    name = text(contact.get("name"))
    seen = seen_ms(record.context)
    settings = record.settings
    return {
        "corp_id": subject.scope,
        "external_userid": subject.value,
        "subject": subject,
        "contact_type": category(parsed, settings, "contact_type", contact.get("type"), path="external_contact.type")
        or UNKNOWN,
        "gender": category(parsed, settings, "gender", contact.get("gender"), path="external_contact.gender")
        or UNKNOWN,
        "unionid": identifier(contact.get("unionid")),
        "name_token": Clear("name", name) if name else None,
        "updated_at": seen,
        "version_key": version_key(seen, record.digest),
    }


def _relation_row(parsed: Parsed, record: Record, relation: Mapping[str, Any], path: str) -> dict[str, Any]:
    seen = seen_ms(record.context)
    return {
        "userid": required(identifier(relation.get("userid")), f"{path}.userid"),
        "status": "active",
        "added_at": epoch_s(relation.get("createtime"), f"{path}.createtime"),
        "ended_at": None,
        "add_way": known_code(parsed, record.settings, "add_way", relation.get("add_way"), path=f"{path}.add_way"),
        "state": text(relation.get("state")),
        "oper_userid": identifier(relation.get("oper_userid")),
        "tag_ids": _tag_ids(parsed, record, relation, path),
        "updated_at": seen,
        "version_key": version_key(seen, record.digest),
    }


def _tag_ids(parsed: Parsed, record: Record, relation: Mapping[str, Any], path: str) -> list[str]:
    """The corp's and rule groups' tags: with names in one answer, bare ids in the other."""
    found = {identifier(tag_id) for tag_id in items(relation.get("tag_id"), f"{path}.tag_id")}
    for tag in items(relation.get("tags"), f"{path}.tags"):
        tag = mapping(tag, f"{path}.tags[]")
        kind = known_code(parsed, record.settings, "tag_type", tag.get("type"), path=f"{path}.tags[].type")
        if kind is None or kind in CORP_TAG_TYPES:
            found.add(identifier(tag.get("tag_id")))
    return sorted(tag_id for tag_id in found if tag_id)


def _observe_contact(
    parsed: Parsed, record: Record, contact: Mapping[str, Any], scope: WecomScope, external: str
) -> None:
    """A pull shows a state of its business day; shown again on another day, it is a new sighting."""
    ids = [scope.contact_key(external)]
    unionid = identifier(contact.get("unionid"))
    if unionid:
        ids.append(("wx_unionid", record.context.open_platform_id, unionid))
    observe_day(parsed, record.context.feed, ids, record.context.interval)


def _observe_remark(
    parsed: Parsed, record: Record, relation: Mapping[str, Any], scope: WecomScope, external: str
) -> None:
    """Each phone that a guide typed is a candidate for review: one sighting per relation, however often pulled."""
    typed = {text(mobile): None for mobile in items(relation.get("remark_mobiles"), "remark_mobiles")}
    added_ms = epoch_s(relation.get("createtime"), "createtime") or day_start_ms(record.context.interval)
    about = f"remark:{stable_id(scope.namespace, scope.tenant, external, str(relation.get('userid')))}"
    for mobile in typed:
        if mobile:
            ids = [make_id(*scope.contact_key(external)), make_id("phone", "", mobile, "staff")]
            observe(parsed, record.context, about, ids=ids, at=added_ms)


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="wecom",
        split=split,
        parse=parse,
        tables=("silver.contacts", "silver.contact_follows", CHANGES, "silver.contact_listings", "silver.events"),
        volatile=("next_cursor", "tmp_openid"),
        hash_context=("corp_id", "suite_id"),
    ),
)

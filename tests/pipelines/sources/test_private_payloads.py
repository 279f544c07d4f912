"""Real sample payloads of the private domain: each is read without loss, and each field is used or left out for a
reason that the source's YAML states."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pipelines.sources import (
    id_conversions,
    miniprogram_users,
    wecom_contacts,
    wecom_events,
    wecom_group_chats,
    wecom_staff_stats,
    wecom_transfers,
)
from pipelines.sources.base import Context, FeedParser
from pipelines.sources.wecom_xml import read_xml
from tests.pipelines.sources.private_domain import (
    FIXTURES,
    SUITE,
    ignored_reason,
    make_context,
    one_row,
    read,
    read_one,
    records,
    rows,
    said,
    usage,
)

pytestmark = pytest.mark.reference

CONTACTS, GROUPS = wecom_contacts.PARSERS[0], wecom_group_chats.PARSERS[0]
STATS, TRANSFERS = wecom_staff_stats.PARSERS[0], wecom_transfers.PARSERS[0]
USERS, CONVERSIONS, EVENTS = miniprogram_users.PARSERS[0], id_conversions.PARSERS[0], wecom_events.PARSERS[0]

ANSWERS: tuple[tuple[str, FeedParser, str, int, Mapping[str, Any]], ...] = (
    ("wecom/CgibinExternalContactGetResponse.json", CONTACTS, "contact", 1, {}),
    ("wecom/CgibinExternalContactBatchGetByUserResponse.json", CONTACTS, "contact", 2, {}),
    ("wecom/CgibinExternalContactGroupChatGetResponse.json", GROUPS, "group", 1, {}),
    ("wecom/CgibinExternalContactGroupChatListResponse.json", GROUPS, "group", 2, {}),
    ("wecom/CgibinExternalContactGetUserBehaviorDataResponse.json", STATS, "behaviour", 2, {"userid": "zhangsan"}),
    ("wecom/CgibinExternalContactGetUnassignedListResponse.json", TRANSFERS, "unassigned", 2, {}),
    (
        "wecom/CgibinExternalContactUnionIdToExternalUserIdResponse.json",
        CONVERSIONS,
        "wecom",
        1,
        {"unionid": "oAAAAAAA"},
    ),
    ("wechat_miniprogram/SnsJsCode2SessionResponse.json", USERS, "session", 1, {}),
    ("wechat_miniprogram/WxaBusinessGetUserPhoneNumberResponse.json", USERS, "phone", 1, {}),
)
"""File, parser, kind of record, records inside, parameters of the request."""

CALLBACKS = ("AddExternalContact", "DeleteFollowUser")
XML = (*(f"ChangeExternalContactEvent.{name}.xml" for name in CALLBACKS), "ChangeExternalChatEvent.Dismiss.xml")


def answer(shared_data: Path, name: str) -> bytes:
    return (shared_data / "payloads" / name).read_bytes()


@pytest.mark.parametrize(("name", "parser", "kind", "count", "params"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_every_record_of_an_answer_is_read_and_no_field_is_unknown(
    shared_data: Path, name: str, parser: FeedParser, kind: str, count: int, params: Mapping[str, Any]
) -> None:
    parsed = read(parser, answer(shared_data, name), params=params)
    assert len(parsed) == count
    assert [one.unknown for one in parsed] == [{}] * count
    assert all(one.rows or one.observations for one in parsed)


@pytest.mark.parametrize(("name", "parser", "kind", "count", "params"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_every_field_changes_what_the_record_says_or_is_left_out_for_a_stated_reason(
    shared_data: Path,
    name: str,
    parser: FeedParser,
    kind: str,
    count: int,
    params: Mapping[str, Any],
    golden: Callable[[str, Path], None],
) -> None:
    context = make_context(parser.feed, params=params)
    found: dict[str, str] = {}
    for record in records(parser, answer(shared_data, name), params=params):
        for path, verdict in told(parser, record.value, context).items():
            reason = ignored_reason(parser, kind, path)
            assert verdict == ("unused" if reason else "used"), f"{path} is {verdict}; reason to ignore it: {reason}"
            found[path] = f"ignored: {reason}" if reason else "used"
    golden(report(found), FIXTURES / name.replace("wechat_", "").replace(".json", ".fields.txt"))


def told(parser: FeedParser, value: Any, context: Context) -> dict[str, str]:
    """Whether each field changes a cell of silver: in the record as it is, or where it stands in for another one."""
    found = usage(parser, value, context)
    if "phone_info" in value:
        bare = {name: inner for name, inner in value["phone_info"].items() if name != "purePhoneNumber"}
        elsewhere = replace(context, openid="oExampleOpenid000000000001", app_id="")
        for other in (usage(parser, {"phone_info": bare}, context), usage(parser, value, elsewhere)):
            found |= {path: verdict for path, verdict in other.items() if verdict == "used"}
    return found


def report(found: Mapping[str, str]) -> str:
    return "".join(f"{path}: {verdict}\n" for path, verdict in sorted(found.items()))


@pytest.mark.parametrize("name", XML)
def test_every_field_of_a_callback_is_used_or_left_out_for_a_stated_reason(
    shared_data: Path, name: str, golden: Callable[[str, Path], None]
) -> None:
    document = answer(shared_data, f"wecom/{name}").decode()
    context = make_context("wecom_events")
    before = said(EVENTS, document, context)
    found: dict[str, str] = {}
    for field, value in read_xml(document).items():
        other = re.sub(f"(<{field}>(?:<!\\[CDATA\\[)?){value}", r"\g<1>77", document)
        reason = ignored_reason(EVENTS, "callback", field)
        assert other != document
        assert (said(EVENTS, other, context) != before) is (reason is None), field
        found[field] = f"ignored: {reason}" if reason else "used"
    golden(report(found), FIXTURES / "wecom" / name.replace(".xml", ".fields.txt"))


def test_a_list_of_guides_with_contacts_is_read_and_says_nothing_about_people(shared_data: Path) -> None:
    parsed = read_one(CONTACTS, answer(shared_data, "wecom/CgibinExternalContactGetFollowUserListResponse.json"))
    assert (parsed.rows, parsed.observations, parsed.unknown) == ([], [], {})


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_providers_relation_callback_is_an_event_and_a_relation_in_the_suites_scope(
    shared_data: Path, name: str
) -> None:
    parsed = read_one(EVENTS, answer(shared_data, f"wecom/ChangeExternalContactEvent.{name}.xml"))
    (relation,) = rows(parsed, "contact_follows")
    assert relation["corp_id"] == "ww4asffe99e54c0f4c"
    assert relation["subject"].namespace == "wecom_isv_external_userid"
    assert len(rows(parsed, "events")) == 1
    assert parsed.unknown == {}
    assert parsed.unknown_values == []


def test_a_providers_group_callback_dismisses_the_group(shared_data: Path) -> None:
    parsed = read_one(EVENTS, answer(shared_data, "wecom/ChangeExternalChatEvent.Dismiss.xml"), suite_id=SUITE)
    assert one_row(parsed, "groups")["status"] == "dismissed"
    assert one_row(parsed, "events")["event"] == "change_external_chat.dismiss"


def test_a_type_2_contact_links_the_unionid_that_the_answer_gives(shared_data: Path) -> None:
    parsed = read_one(CONTACTS, answer(shared_data, "wecom/CgibinExternalContactGetResponse.json"))
    (sighting,) = [seen for seen in parsed.observations if len(seen["ids"]) == 2 and "role" not in seen["ids"][1]]
    assert {one["namespace"] for one in sighting["ids"]} == {"wecom_external_userid", "wx_unionid"}

"""WeCom callbacks: events, and the state of relations, groups, members and tags that they tell of."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.jobs.records import RawRecord, make_record
from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.wecom_events import PARSERS
from tests.pipelines.sources.private_domain import CORP, SETTINGS, SUITE, ids_of, make_context, one_row, read_one, rows

PARSER = PARSERS[0]
EXTERNAL = "wmExampleAAAA0001"
AT_S, AT_MS = 1735700530, 1735700530000


def callback(event: str, change: str, body: str = "", *, corp: str = "WW0000000000000001", at: int = AT_S) -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{event}]]></Event>"
        f"<ChangeType><![CDATA[{change}]]></ChangeType>{body}</xml>"
    ).encode()


def relation(change: str, body: str = "", **known: Any) -> Parsed:
    named = f"<UserID><![CDATA[lisi]]></UserID><ExternalUserID><![CDATA[{EXTERNAL}]]></ExternalUserID>{body}"
    return read_one(PARSER, callback("change_external_contact", change, named), **known)


def chat(change: str, body: str = "") -> Parsed:
    return read_one(PARSER, callback("change_external_chat", change, f"<ChatId>wrExample01</ChatId>{body}"))


def provider(change: str) -> bytes:
    return (
        f"<xml><SuiteId>{SUITE}</SuiteId><AuthCorpId>wpExample01</AuthCorpId><InfoType>change_external_contact</InfoType>"
        f"<TimeStamp>{AT_S}</TimeStamp><ChangeType>{change}</ChangeType><UserID>lisi</UserID>"
        f"<ExternalUserID>{EXTERNAL}</ExternalUserID></xml>"
    ).encode()


@pytest.mark.parametrize("change", ["add_external_contact", "add_half_external_contact"])
def test_an_added_customer_begins_a_relation(change: str) -> None:
    parsed = relation(change, "<State>store_hz_01</State><WelcomeCode>x</WelcomeCode>")
    row = one_row(parsed, "contact_follows")
    assert (row["corp_id"], row["external_userid"], row["userid"]) == (CORP, EXTERNAL, "lisi")
    assert (row["status"], row["added_at"], row["state"]) == ("active", AT_MS, "store_hz_01")
    assert "ended_at" not in row
    assert parsed.unknown == {}


@pytest.mark.parametrize(
    ("change", "body", "status"),
    [
        ("del_external_contact", "", "deleted_by_staff"),
        ("del_follow_user", "", "deleted_by_customer"),
        ("del_external_contact", "<Source>DELETE_BY_TRANSFER</Source>", "transferred"),
    ],
)
def test_an_ended_relation_says_who_ended_it(change: str, body: str, status: str) -> None:
    row = one_row(relation(change, body), "contact_follows")
    assert (row["status"], row["ended_at"]) == (status, AT_MS)
    assert "added_at" not in row


@pytest.mark.parametrize("change", ["edit_external_contact", "transfer_fail", "msg_audit_approved"])
def test_other_changes_leave_the_relation_as_it_is(change: str) -> None:
    parsed = relation(change, "<FailReason>customer_refused</FailReason>")
    assert rows(parsed, "contact_follows") == []
    assert one_row(parsed, "events")["event"] == f"change_external_contact.{change}"


def test_an_end_outranks_a_beginning_of_the_same_second() -> None:
    begun = one_row(relation("add_external_contact"), "contact_follows")["version_key"]
    ended = one_row(relation("del_follow_user"), "contact_follows")["version_key"]
    assert ended > begun


def test_every_callback_is_an_event_of_its_guide_and_customer() -> None:
    row = one_row(relation("transfer_fail", "<FailReason>customer_refused</FailReason>"), "events")
    assert (row["source"], row["app_id"], row["staff_userid"]) == ("wecom", CORP, "lisi")
    assert (row["event_at"], row["business_date"]) == (AT_MS, "2025-01-01")
    assert row["subject"].value == EXTERNAL
    assert orjson.loads(row["properties"]) == {"FailReason": "customer_refused"}


def test_events_of_one_second_that_differ_are_two_and_a_repeated_one_is_one() -> None:
    first, again = (one_row(relation("add_external_contact"), "events")["event_id"] for _ in range(2))
    other = one_row(relation("del_external_contact"), "events")["event_id"]
    assert first == again
    assert other != first


def test_the_customer_of_a_callback_counts_as_seen_on_its_day() -> None:
    (seen,) = relation("add_external_contact").observations
    assert ids_of(seen) == [("wecom_external_userid", CORP, EXTERNAL)]


def test_towards_a_provider_a_member_who_may_be_a_guide_waits_for_the_listing() -> None:
    members = "<MemChangeList><Item>woExampleGuide0001</Item><Item>wmExampleAAAA0001</Item></MemChangeList>"
    body = (
        f"<xml><SuiteId>{SUITE}</SuiteId><InfoType>change_external_chat</InfoType><TimeStamp>{AT_S}</TimeStamp>"
        f"<ChangeType>update</ChangeType><ChatId>wrExample01</ChatId><UpdateDetail>add_member</UpdateDetail>{members}</xml>"
    )
    parsed = read_one(PARSER, body.encode())
    assert [row["member_id"] for row in rows(parsed, "group_members")] == [EXTERNAL]
    assert [row["member_id"] for row in rows(parsed, "group_member_changes")] == [EXTERNAL]
    assert [ids_of(seen) for seen in parsed.observations] == [[("wecom_isv_external_userid", SUITE, EXTERNAL)]]


def test_a_providers_callback_lies_in_the_suites_scope() -> None:
    parsed = read_one(PARSER, provider("add_external_contact"))
    assert one_row(parsed, "contact_follows")["corp_id"] == SUITE
    assert ids_of(parsed.observations[0]) == [("wecom_isv_external_userid", SUITE, EXTERNAL)]
    assert one_row(parsed, "events")["event"] == "change_external_contact.add_external_contact"
    assert parsed.unknown == {}


def test_a_new_group_is_known_with_its_time() -> None:
    row = one_row(chat("create"), "groups")
    assert (row["chat_id"], row["status"], row["created_at"]) == ("wrExample01", "ok", AT_MS)


def test_a_dismissed_group_is_dismissed_whatever_else_is_known() -> None:
    row = one_row(chat("dismiss"), "groups")
    assert row["status"] == "dismissed"
    assert "created_at" not in row


def members(detail: str, *ids: str, scene: str = "") -> Parsed:
    listed = "".join(f"<Item><![CDATA[{one}]]></Item>" for one in ids)
    body = f"<UpdateDetail>{detail}</UpdateDetail>{scene}<MemChangeCnt>{len(ids)}</MemChangeCnt>"
    return chat("update", f"{body}<MemChangeList>{listed}</MemChangeList>")


def test_members_who_join_are_in_with_their_scene() -> None:
    customer, guide = rows(members("add_member", EXTERNAL, "zhang", scene="<JoinScene>3</JoinScene>"), "group_members")
    assert (customer["member_id"], customer["member_type"]) == (EXTERNAL, "customer")
    assert (customer["status"], customer["joined_at"], customer["join_scene"]) == ("in", AT_MS, "qr")
    assert (guide["member_id"], guide["member_type"]) == ("zhang", "staff")


def test_members_who_leave_have_left() -> None:
    (row,) = rows(members("del_member", EXTERNAL, scene="<QuitScene>0</QuitScene>"), "group_members")
    assert (row["status"], row["left_at"]) == ("left", AT_MS)
    assert "joined_at" not in row


@pytest.mark.parametrize(
    ("scene", "told"),
    [("<QuitScene>0</QuitScene>", "quit"), ("<QuitScene>1</QuitScene>", "removed"), ("", None)],
)
def test_a_leaving_says_whether_somebody_removed_the_member(scene: str, told: str | None) -> None:
    change = one_row(members("del_member", EXTERNAL, scene=scene), "group_member_changes")
    assert (change["change"], change["leave_scene"], "join_scene" in change) == ("left", told, False)


def test_an_unknown_way_of_leaving_is_counted() -> None:
    parsed = members("del_member", EXTERNAL, scene="<QuitScene>7</QuitScene>")
    assert one_row(parsed, "group_member_changes")["leave_scene"] == "unknown"
    assert parsed.unknown_values == [("QuitScene", "7")]


@pytest.mark.parametrize("detail", ["change_owner", "change_name", "change_notice"])
def test_other_changes_of_a_group_move_no_members(detail: str) -> None:
    assert rows(members(detail, EXTERNAL), "group_members") == []


def test_a_change_of_members_without_a_list_is_left_to_the_next_pull() -> None:
    parsed = chat("update", "<UpdateDetail>add_member</UpdateDetail><MemChangeCnt>2</MemChangeCnt>")
    assert rows(parsed, "group_members") == []


def tag(change: str, kind: str) -> Parsed:
    return read_one(PARSER, callback("change_external_tag", change, f"<Id>et1</Id><TagType>{kind}</TagType>"))


def test_a_deleted_tag_is_deleted_at_once() -> None:
    row = one_row(tag("delete", "tag"), "tags")
    assert (row["tag_id"], row["status"]) == ("et1", "deleted")


@pytest.mark.parametrize(("change", "kind"), [("create", "tag"), ("delete", "tag_group"), ("shuffle", "tag_group")])
def test_other_changes_of_tags_are_events_only(change: str, kind: str) -> None:
    parsed = tag(change, kind)
    assert rows(parsed, "tags") == []
    assert one_row(parsed, "events")["event"] == f"change_external_tag.{change}"


def test_an_unknown_event_is_kept_and_is_a_signal() -> None:
    parsed = read_one(PARSER, callback("customer_acquisition", "quota"))
    assert one_row(parsed, "events")["event"] == "customer_acquisition.quota"
    assert parsed.unknown_values == [("Event", "customer_acquisition")]


def test_an_unknown_change_is_kept_and_is_a_signal() -> None:
    parsed = relation("sneeze")
    assert parsed.unknown_values == [("ChangeType", "sneeze")]
    assert len(rows(parsed, "events")) == 1


def test_an_unknown_field_is_reported() -> None:
    assert relation("edit_external_contact", "<Mood>good</Mood>").unknown == {"Mood": "good"}


def test_a_document_type_is_quarantined() -> None:
    with pytest.raises(RecordRefusedError, match="doctype_refused"):
        read_one(PARSER, b"<!DOCTYPE xml>" + callback("change_external_chat", "create"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (callback("change_external_contact", "add_external_contact"), "ExternalUserID"),
        (callback("change_external_chat", "create"), "ChatId"),
        (callback("change_external_chat", "", "<ChatId>w</ChatId>"), "ChangeType"),
        (callback("change_external_chat", "create", "<ChatId>w</ChatId>", at=0), "CreateTime"),
        (b"<xml><ToUserName>ww1</ToUserName><Encrypt>abc</Encrypt></xml>", "Event"),
    ],
)
def test_a_callback_without_its_mandatory_fields_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(RecordRefusedError, match=f"missing_field: {field}"):
        read_one(PARSER, body)


def test_what_is_no_xml_text_is_refused() -> None:
    raw = RawRecord(1, 0, b"{}", make_context("wecom_events"), "{}")
    with pytest.raises(RecordRefusedError, match="bad_shape"):
        PARSER.parse(make_record(raw, PARSER, SETTINGS["wecom"]))

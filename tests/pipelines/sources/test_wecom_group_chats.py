"""WeCom customer groups and their members."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Clear, Parsed, RecordRefusedError, Subject
from pipelines.sources.wecom_group_chats import PARSERS
from tests.pipelines.sources.private_domain import (
    BRAND_PLATFORM,
    CORP,
    RECEIVED_MS,
    ids_of,
    one_row,
    read,
    read_one,
    rows,
)

PARSER = PARSERS[0]
CUSTOMER = {
    "userid": "wmExampleAAAA0001",
    "type": 2,
    "unionid": "oExampleUnion0000000000000001",
    "join_time": 1735700600,
    "join_scene": 3,
    "state": "group_hz",
    "name": "小李",
}
OWNER = {"userid": "lisi", "type": 1, "join_time": 1735700500, "join_scene": 1, "invitor": {"userid": "lisi"}}


def parse(*members: dict[str, Any], **known: Any) -> Parsed:
    group = {
        "chat_id": "wrExample01",
        "name": "杭州店福利群",
        "owner": "lisi",
        "create_time": 1735700500,
        "member_list": list(members),
    }
    return read_one(PARSER, {"errcode": 0, "group_chat": group | known})


def test_a_listing_states_the_group_its_owner_and_when_it_was_listed() -> None:
    row = one_row(parse(), "groups")
    assert (row["corp_id"], row["chat_id"], row["owner_userid"]) == (CORP, "wrExample01", "lisi")
    assert (row["created_at"], row["snapshot_at"], row["updated_at"]) == (1735700500000, RECEIVED_MS, RECEIVED_MS)
    assert row["name_token"] == Clear("text", "杭州店福利群")


def test_a_listing_says_nothing_about_the_state_of_the_group() -> None:
    assert "status" not in one_row(parse(), "groups")


@pytest.mark.parametrize(
    ("code", "word"), [(0, "ok"), (1, "owner_left"), (2, "inheriting"), (3, "inherited"), (8, "unknown")]
)
def test_a_list_of_groups_states_only_their_state(code: int, word: str) -> None:
    parsed = read_one(PARSER, {"errcode": 0, "group_chat_list": [{"chat_id": "wrExample01", "status": code}]})
    row = one_row(parsed, "groups")
    assert row["status"] == word
    assert {"snapshot_at", "name_token", "owner_userid", "created_at"}.isdisjoint(row)
    assert rows(parsed, "group_members") == []


def test_a_customer_in_the_group_is_a_member_and_a_sighting_with_unionid() -> None:
    parsed = parse(CUSTOMER)
    row = one_row(parsed, "group_members")
    assert (row["member_type"], row["status"], row["join_scene"], row["state"]) == ("customer", "in", "qr", "group_hz")
    assert row["subject"] == Subject("wecom_external_userid", CORP, "wmExampleAAAA0001")
    assert ids_of(parsed.observations[0]) == [
        ("wecom_external_userid", CORP, "wmExampleAAAA0001"),
        ("wx_unionid", BRAND_PLATFORM, "oExampleUnion0000000000000001"),
    ]


def test_a_guide_in_the_group_is_nobodys_identity() -> None:
    parsed = parse(OWNER)
    row = one_row(parsed, "group_members")
    assert (row["member_type"], row["invitor_userid"], row["join_scene"]) == ("staff", "lisi", "invited")
    assert "subject" not in row
    assert parsed.observations == []


def test_a_member_of_an_unknown_type_is_kept_and_is_a_signal() -> None:
    parsed = parse(CUSTOMER | {"type": 7})
    assert one_row(parsed, "group_members")["member_type"] == "unknown"
    assert parsed.unknown_values == [("member_list[].type", "7")]


def test_names_of_members_appear_in_no_row() -> None:
    assert "小李" not in str(parse(CUSTOMER).rows)


def test_a_group_without_id_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: group_chat.chat_id"):
        parse(chat_id=None)


def test_an_error_answer_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="platform_error"):
        read(PARSER, {"errcode": 40003})

"""Moments, customers served and messages under audit become events; what people write is never read."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.jobs.records import record_digest
from pipelines.sources import wecom_contacts, wecom_events, wecom_staff_stats
from pipelines.sources.base import Parsed, RecordRefusedError
from tests.pipelines.sources.private_domain import CORP, ids_of, one_row, read, read_one, rows

STATS, CONTACTS, EVENTS = wecom_staff_stats.PARSERS[0], wecom_contacts.PARSERS[0], wecom_events.PARSERS[0]
WM = "wmExampleAAAA0001"
SECOND = 1735700530
MOMENT = {
    "moment_id": "momAAA",
    "creator": "lisi",
    "create_time": SECOND,
    "create_type": 1,
    "visible_type": 0,
    "text": {"content": "新品上市"},
    "image": [{"media_id": "M"}],
}
SERVED = {"is_customer": True, "tmp_openid": "t", "external_userid": WM, "follow_userid": "lisi", "add_time": SECOND}
MESSAGE = {
    "msgid": "m1_external",
    "action": "send",
    "from": "lisi",
    "tolist": [WM],
    "roomid": "",
    "msgtime": SECOND * 1000 + 7,
    "msgtype": "text",
    "text": {"content": "给我打 13912345678"},
}


def message(**changes: Any) -> Parsed:
    return read_one(EVENTS, MESSAGE | changes)


def test_a_moment_is_the_guides_event_and_its_content_stays_out() -> None:
    (parsed,) = read(STATS, {"errcode": 0, "errmsg": "ok", "next_cursor": "", "moment_list": [MOMENT]})
    row = one_row(parsed, "events")
    assert (row["event"], row["staff_userid"], row["event_at"]) == ("moment.personal", "lisi", SECOND * 1000)
    assert row["properties"] == '{"moment_id":"momAAA","visible":"chosen"}'
    assert (parsed.unknown, parsed.observations) == ({}, [])


def test_a_customer_served_is_seen_and_the_guide_is_named() -> None:
    (parsed,) = read(CONTACTS, {"errcode": 0, "errmsg": "ok", "info_list": [SERVED]})
    row = one_row(parsed, "events")
    assert (row["event"], row["staff_userid"], row["subject"].value) == ("served.customer", "lisi", WM)
    assert [ids_of(one) for one in parsed.observations] == [[("wecom_external_userid", CORP, WM)]]
    assert parsed.unknown == {}


def test_a_stranger_who_was_served_is_nobody_and_counted_once_under_any_temporary_id() -> None:
    told = [{**SERVED, "is_customer": False, "external_userid": "", "tmp_openid": name} for name in ("t1", "t2")]
    first, second = read(CONTACTS, {"errcode": 0, "info_list": told})
    assert one_row(first, "events")["event"] == "served.stranger"
    assert one_row(first, "events")["event_id"] == one_row(second, "events")["event_id"]
    assert "subject" not in one_row(first, "events")
    assert first.observations == []


def test_who_was_served_in_a_group_may_come_without_a_guide_and_is_no_customer_of_a_link() -> None:
    told = {name: value for name, value in SERVED.items() if name != "follow_userid"}
    row = one_row(read_one(CONTACTS, {**told, "chat_id": "wrA"}), "events")
    assert (row["event"], row["staff_userid"], row["subject"].value) == ("served.customer", None, WM)
    assert row["properties"] == '{"chat_id":"wrA"}'


def test_who_was_served_by_nobody_and_nowhere_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="follow_userid"):
        read_one(CONTACTS, {**SERVED, "follow_userid": ""})


def test_the_list_of_who_was_served_pulled_again_is_the_same_records() -> None:
    first, again, later = (
        record_digest({**SERVED, "tmp_openid": name, "add_time": at}, CONTACTS.volatile)
        for name, at in (("t1", SECOND), ("t2", SECOND), ("t2", SECOND + 1))
    )
    assert first == again != later


@pytest.mark.parametrize(
    ("changes", "subject", "staff", "way"),
    [
        ({}, WM, "lisi", "out"),
        ({"from": WM, "tolist": ["lisi"]}, WM, "lisi", "in"),
        ({"from": WM, "tolist": ["lisi", "wang"], "roomid": "wrA"}, WM, None, "in"),
        ({"tolist": [WM, "wang"], "roomid": "wrA"}, None, "lisi", "out"),
        ({"tolist": ["wang"]}, None, "lisi", "inner"),
    ],
)
def test_a_message_is_the_event_of_the_customer_who_takes_part(
    changes: dict[str, Any], subject: str | None, staff: str | None, way: str
) -> None:
    row = one_row(message(**changes), "events")
    assert (row["subject"].value if "subject" in row else None, row["staff_userid"]) == (subject, staff)
    assert f'"way":"{way}"' in row["properties"]


def test_nothing_that_was_written_is_kept() -> None:
    parsed = message()
    assert "13912345678" not in repr(parsed.rows)
    assert parsed.unknown == {}


def test_a_message_is_known_by_its_id_and_the_millisecond_it_was_sent() -> None:
    row = one_row(message(), "events")
    assert (row["event"], row["event_at"]) == ("message.send", SECOND * 1000 + 7)
    assert row["event_id"] == one_row(message(action="send", text={"content": "x"}), "events")["event_id"]
    assert row["event_id"] != one_row(message(msgid="m2"), "events")["event_id"]


def test_a_change_of_company_names_its_user_and_time() -> None:
    switch = {"msgid": "m3", "action": "switch", "time": SECOND * 1000, "user": "lisi"}
    row = one_row(read_one(EVENTS, switch), "events")
    assert (row["event"], row["staff_userid"], row["event_at"]) == ("message.switch", "lisi", SECOND * 1000)


def test_an_unknown_action_is_kept_and_counted() -> None:
    parsed = message(action="whisper")
    assert one_row(parsed, "events")["event"] == "message.whisper"
    assert parsed.unknown_values == [("action", "whisper")]


def test_encrypted_messages_are_refused_one_by_one() -> None:
    sealed = {"seq": 1, "msgid": "m", "publickey_ver": 1, "encrypt_random_key": "k", "encrypt_chat_msg": "c"}
    with pytest.raises(RecordRefusedError, match="encrypted_message"):
        read(EVENTS, {"errcode": 0, "chatdata": [sealed]})


def test_a_message_without_a_time_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="msgtime"):
        message(msgtime=0)


def test_a_callback_is_still_read_as_xml() -> None:
    xml = (
        "<xml><ToUserName>ww0000000000000001</ToUserName><CreateTime>1735700530</CreateTime><Event>change_external_tag"
        "</Event><ChangeType>shuffle</ChangeType></xml>"
    )
    assert [row["event"] for row in rows(read_one(EVENTS, xml), "events")] == ["change_external_tag.shuffle"]

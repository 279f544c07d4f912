"""WeCom customers: contacts, relations, and what they say about identities."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Clear, Parsed, RecordRefusedError, Subject
from pipelines.sources.wecom_contacts import PARSERS
from tests.pipelines.sources.private_domain import (
    BRAND_PLATFORM,
    CORP,
    DAY,
    RECEIVED_MS,
    SUITE,
    ids_of,
    one_row,
    read,
    read_one,
    rows,
)

PARSER = PARSERS[0]
EXTERNAL = "wmExampleAAAA0001"
UNIONID = "oExampleUnion0000000000000001"


def relation(**known: Any) -> dict[str, Any]:
    return {"userid": "lisi", "createtime": 1735700530, "add_way": 1, "state": "store_hz_01"} | known


def get_answer(*relations: dict[str, Any], **contact: Any) -> dict[str, Any]:
    known = {"external_userid": EXTERNAL, "name": "小李", "type": 1, "gender": 0, "unionid": UNIONID}
    return {"errcode": 0, "errmsg": "ok", "external_contact": known | contact, "follow_user": list(relations)}


def parse(*relations: dict[str, Any], context: dict[str, Any] | None = None, **contact: Any) -> Parsed:
    return read_one(PARSER, get_answer(*relations, **contact), **(context or {}))


def contact_sighting(parsed: Parsed) -> dict[str, Any]:
    (found,) = [seen for seen in parsed.observations if all("role" not in one for one in seen["ids"])]
    return found


def test_a_contact_has_a_row_with_its_nickname_on_the_way_to_the_vault() -> None:
    row = one_row(parse(), "contacts")
    assert (row["corp_id"], row["external_userid"], row["contact_type"], row["gender"]) == (
        CORP,
        EXTERNAL,
        "wechat",
        "unknown",
    )
    assert row["name_token"] == Clear("name", "小李")
    assert row["subject"] == Subject("wecom_external_userid", CORP, EXTERNAL)


def test_each_follower_is_a_relation_of_its_own() -> None:
    parsed = parse(relation(), relation(userid="wang", createtime=1735700600))
    assert [row["userid"] for row in rows(parsed, "contact_follows")] == ["lisi", "wang"]


def test_a_relation_keeps_when_how_and_where_it_began() -> None:
    row = one_row(parse(relation(oper_userid=EXTERNAL)), "contact_follows")
    assert (row["status"], row["added_at"], row["ended_at"]) == ("active", 1735700530000, None)
    assert (row["add_way"], row["state"], row["oper_userid"]) == ("1", "store_hz_01", EXTERNAL)


def test_whole_tags_and_bare_tag_ids_give_the_same_sorted_ids() -> None:
    tags = [{"tag_id": "et2", "type": 1}, {"tag_id": "et1", "type": 3}, {"tag_name": "熟客", "type": 2}]
    whole = one_row(parse(relation(tags=tags)), "contact_follows")["tag_ids"]
    bare = read(PARSER, {"external_contact_list": [batch_element(tag_id=["et2", "et1"])]})[0]
    assert whole == one_row(bare, "contact_follows")["tag_ids"] == ["et1", "et2"]


def test_a_single_tag_id_or_typed_phone_is_a_list_of_one() -> None:
    bare = read(PARSER, {"external_contact_list": [batch_element(tag_id="et2", remark_mobiles="13912345678")]})[0]
    assert one_row(bare, "contact_follows")["tag_ids"] == ["et2"]
    assert ids_of(bare.observations[1])[1] == ("phone", "", "13912345678")


def batch_element(**follow: Any) -> dict[str, Any]:
    return {"external_contact": get_answer()["external_contact"], "follow_info": relation(**follow)}


def test_a_batch_holds_one_record_for_each_element() -> None:
    parsed = read(PARSER, {"errcode": 0, "external_contact_list": [batch_element(), batch_element(userid="wang")]})
    assert [one_row(one, "contact_follows")["userid"] for one in parsed] == ["lisi", "wang"]


def test_an_unionid_is_linked_in_the_scope_of_the_open_platform_account() -> None:
    assert ids_of(contact_sighting(parse())) == [
        ("wecom_external_userid", CORP, EXTERNAL),
        ("wx_unionid", BRAND_PLATFORM, UNIONID),
    ]


def test_a_contact_without_unionid_is_seen_alone() -> None:
    assert ids_of(contact_sighting(parse(unionid=None))) == [("wecom_external_userid", CORP, EXTERNAL)]


def test_an_unknown_open_platform_account_leaves_the_scope_empty_and_keeps_the_rows() -> None:
    parsed = parse(relation(), context={"open_platform_id": ""})
    assert ("wx_unionid", "", UNIONID) in ids_of(contact_sighting(parsed))
    assert one_row(parsed, "contacts")["unionid"] == UNIONID


def test_a_pull_again_on_the_same_day_is_the_same_sighting_and_on_another_day_another() -> None:
    first = contact_sighting(parse())
    again = contact_sighting(parse(context={"received_ms": RECEIVED_MS + 3_600_000}))
    later = contact_sighting(parse(context={"interval": "2025-01-02", "received_ms": RECEIVED_MS + 86_400_000}))
    assert first == again
    assert later["observation_id"] != first["observation_id"]
    assert later["event_time"] - first["event_time"] == 86_400_000


def test_a_phone_typed_by_staff_is_a_candidate_in_a_row_of_its_own() -> None:
    parsed = parse(relation(remark_mobiles=["13912345678", ""]))
    (typed,) = [seen for seen in parsed.observations if any(one.get("role") == "staff" for one in seen["ids"])]
    assert ids_of(typed) == [("wecom_external_userid", CORP, EXTERNAL), ("phone", "", "13912345678")]
    assert typed["event_time"] == 1735700530000


def test_a_phone_typed_by_staff_is_one_sighting_however_often_it_is_pulled() -> None:
    first = parse(relation(remark_mobiles=["13912345678"]))
    again = parse(relation(remark_mobiles=["13912345678"]), context={"interval": "2025-01-02"})
    assert first.observations[1] == again.observations[1]


def test_ids_of_observations_hold_no_phone_and_tell_changed_remarks_apart() -> None:
    one, other = (parse(relation(remark_mobiles=[number])).observations[1] for number in ("13912345678", "13912345670"))
    assert one["observation_id"] != other["observation_id"]
    assert "1391234567" not in one["observation_id"] + other["observation_id"]


def test_free_text_typed_by_staff_appears_in_no_row() -> None:
    parsed = parse(relation(remark="李-杭州店", description="爱喝茶", remark_corp_name="某公司"))
    assert "李-杭州店" not in str(parsed.rows)
    assert "爱喝茶" not in str(parsed.rows)
    assert parsed.unknown == {}


def test_a_providers_contact_lies_in_the_suites_scope() -> None:
    parsed = parse(relation(), context={"suite_id": SUITE})
    assert one_row(parsed, "contacts")["corp_id"] == SUITE
    assert ids_of(contact_sighting(parsed))[0] == ("wecom_isv_external_userid", SUITE, EXTERNAL)


@pytest.mark.parametrize(("code", "word"), [(1, "wechat"), ("2", "wecom"), (9, "unknown"), (None, "unknown")])
def test_the_type_of_a_contact_is_a_word_and_an_unknown_one_a_signal(code: Any, word: str) -> None:
    parsed = parse(type=code)
    assert one_row(parsed, "contacts")["contact_type"] == word
    assert parsed.unknown_values == ([("external_contact.type", "9")] if code == 9 else [])


def test_an_unknown_way_of_adding_stays_raw_and_is_a_signal() -> None:
    parsed = parse(relation(add_way=77))
    assert one_row(parsed, "contact_follows")["add_way"] == "77"
    assert parsed.unknown_values == [("follow_user[].add_way", "77")]


def test_an_unknown_field_is_reported_with_its_full_path() -> None:
    parsed = parse(relation(mood="good"), shoe_size=42)
    assert parsed.unknown == {"external_contact.shoe_size": 42, "follow_user[].mood": "good"}


def test_an_odd_state_of_a_customer_added_again_is_kept_as_it_came() -> None:
    assert one_row(parse(relation(state="wb:1:4285486")), "contact_follows")["state"] == "wb:1:4285486"


def test_the_later_pull_is_the_later_version() -> None:
    early = one_row(parse(), "contacts")["version_key"]
    late = one_row(parse(context={"received_ms": RECEIVED_MS + 1}), "contacts")["version_key"]
    assert late > early


def test_a_pull_without_receiving_time_counts_as_of_the_end_of_its_day() -> None:
    row = one_row(parse(context={"received_ms": None}), "contacts")
    assert row["updated_at"] == 1735747199999


def test_a_contact_without_id_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: external_contact.external_userid"):
        parse(external_userid="")


def test_a_relation_without_guide_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: follow_user\[\].userid"):
        parse(relation(userid=None))


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_shape"):
        read(PARSER, {"external_contact_list": ["[object Object]"]})


def test_an_error_answer_is_no_empty_page() -> None:
    with pytest.raises(RecordRefusedError, match="platform_error: errcode 45009") as refusal:
        read(PARSER, {"errcode": 45009, "errmsg": "reach max api daily quota limit"})
    assert refusal.value.reason == "platform_error"


def test_an_empty_page_holds_no_records() -> None:
    assert read(PARSER, {"errcode": 0, "external_contact_list": [], "next_cursor": ""}) == []


def test_two_corps_equal_contacts_are_no_duplicates_of_each_other() -> None:
    assert PARSER.hash_context == ("corp_id", "suite_id")


def test_rows_of_a_day_carry_the_day_of_their_pull() -> None:
    assert contact_sighting(parse())["observation_id"].endswith(DAY)


def acquired(**known: Any) -> dict[str, Any]:
    one = {"external_userid": EXTERNAL, "userid": "lisi", "chat_status": 1, "state": "link_01"} | known
    return {"errcode": 0, "errmsg": "ok", "customer_list": [one], "next_cursor": ""}


def test_who_came_by_a_link_is_an_event_with_the_links_state_and_no_relation() -> None:
    parsed = read_one(PARSER, acquired())
    row = one_row(parsed, "events")
    assert (row["event"], row["scene"], row["staff_userid"]) == ("customer_acquisition.wrote", "link_01", "lisi")
    assert row["subject"] == Subject("wecom_external_userid", CORP, EXTERNAL)
    assert (rows(parsed, "contact_follows"), parsed.unknown) == ([], {})


def test_the_same_customer_of_a_link_seen_on_another_day_is_the_same_event() -> None:
    first, second = (one_row(read_one(PARSER, acquired(), interval=day), "events") for day in (DAY, "2025-01-02"))
    assert (first["event_id"], first["version_key"]) == (second["event_id"], second["version_key"])
    assert one_row(read_one(PARSER, acquired(chat_status="0")), "events")["event_id"] != first["event_id"]


def test_an_unknown_chat_status_is_counted() -> None:
    parsed = read_one(PARSER, acquired(chat_status=9))
    assert one_row(parsed, "events")["event"] == "customer_acquisition.unknown"
    assert parsed.unknown_values == [("chat_status", "9")]

"""Douyin members: who is one, which phone the brand reported, and how a membership ends."""

from __future__ import annotations

import pytest

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.douyin_members import PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row
from tests.pipelines.sources.public_domain import APP_KEY, RECEIVED_MS, parse, read

(MEMBERS,) = PARSERS
FOUND = {"order_id": "6923456789012345678", "open_id": "1@#bWVtYmVy"}
TOLD = {"open_id": "1@#bWVtYmVy", "mobile": "13912345670", "level": 2, "integral": 150}


def test_the_members_of_a_search_are_records() -> None:
    page = {"err_no": 0, "message": "success", "data": {"order_list": [FOUND], "total": 1}}
    (parsed,) = read(MEMBERS, page)
    row = one_row(parsed, "members")
    assert (row["programme"], row["programme_scope"], row["member_value"]) == ("douyin", APP_KEY, "1@#bWVtYmVy")
    assert row["status"] == "member"


def test_an_update_that_the_brand_sent_names_its_members() -> None:
    (parsed,) = read(MEMBERS, {"app_id": "1", "member_info_list": [TOLD]})
    row = one_row(parsed, "members")
    assert (row["level"], row["points"], row["status"]) == ("2", 150, "member")


def test_a_found_member_is_one_observation_a_day() -> None:
    early, late = parse(MEMBERS, FOUND), parse(MEMBERS, FOUND, received_ms=RECEIVED_MS + 60_000)
    assert early.observations == late.observations
    assert ids_of(early.observations[0]) == [("doudian_open_id", APP_KEY, "1@#bWVtYmVy")]


def test_a_reported_phone_is_verified() -> None:
    (seen,) = parse(MEMBERS, TOLD).observations
    assert seen["kind"] == "bind"
    assert seen["ids"][1] == {"namespace": "phone", "scope": "", "value": "13912345670", "role": "verified"}


def test_an_unbind_ends_the_phones_link_and_the_membership() -> None:
    parsed = parse(MEMBERS, {**TOLD, "unbind": True})
    assert one_row(parsed, "members")["status"] == "left"
    assert [seen["kind"] for seen in parsed.observations] == ["unbind"]


def test_a_later_search_does_not_undo_an_unbind() -> None:
    left = one_row(parse(MEMBERS, {**TOLD, "unbind": "true"}), "members")
    found = one_row(parse(MEMBERS, FOUND, received_ms=RECEIVED_MS + 86_400_000), "members")
    assert found["version_key"] < left["version_key"]


def test_of_two_searches_the_later_is_the_greater_version() -> None:
    first = one_row(parse(MEMBERS, FOUND), "members")
    second = one_row(parse(MEMBERS, FOUND, received_ms=RECEIVED_MS + 60_000), "members")
    assert first["version_key"] < second["version_key"]


@pytest.mark.parametrize("mobile", ["MTM5MTIz==", "$$Y29tcG9zZWQ$1$$", ""])
def test_a_ciphertext_is_no_phone(mobile: str) -> None:
    (seen,) = parse(MEMBERS, {**TOLD, "mobile": mobile}).observations
    assert [one["namespace"] for one in seen["ids"]] == ["doudian_open_id"]


def test_the_id_of_an_observation_does_not_give_the_phone_away() -> None:
    numbers = [f"139{i:08d}" for i in range(2000)]
    ids = {parse(MEMBERS, {**TOLD, "mobile": number}).observations[0]["observation_id"] for number in numbers}
    assert 1900 < len(ids) < len(numbers)


def test_an_empty_item_says_nothing() -> None:
    parsed = parse(MEMBERS, {"open_id": "", "order_id": ""})
    assert (parsed.rows, parsed.observations) == ([], [])


def test_an_item_without_the_field_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: open_id"):
        parse(MEMBERS, {"order_id": "1"})


def test_of_an_update_and_an_unbind_of_one_time_the_unbind_counts() -> None:
    told = one_row(parse(MEMBERS, TOLD, digest="f" * 32), "members")
    ended = one_row(parse(MEMBERS, {**TOLD, "unbind": True}, digest="0" * 32), "members")
    assert ended["version_key"] > told["version_key"]

"""WeCom statistics: whose figures of which day they are."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.jobs.records import record_digest, with_context
from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.wecom_staff_stats import PARSERS, rate, sole_userid
from tests.pipelines.sources.private_domain import CORP, RECEIVED_MS, make_context, one_row, read, read_one, rows

PARSER = PARSERS[0]
MIDNIGHT = 1735660800
FIGURES = {"chat_cnt": 10, "message_cnt": 40, "negative_feedback_cnt": 1, "new_apply_cnt": 6, "new_contact_cnt": 5}
GROUP = {"new_chat_cnt": 1, "chat_total": 3, "chat_has_msg": 2, "new_member_cnt": 9, "member_total": 80, "msg_total": 5}


def behaviour(params: dict[str, Any], **known: Any) -> Parsed:
    day = {"stat_time": MIDNIGHT, **FIGURES, "reply_percentage": 60.25, "avg_reply_time": 3} | known
    return read_one(PARSER, {"errcode": 0, "behavior_data": [day]}, params=params)


def groups(params: dict[str, Any], **known: Any) -> Parsed:
    return read_one(PARSER, {"errcode": 0, "items": [{"owner": "lisi", "data": GROUP} | known]}, params=params)


def test_figures_belong_to_the_guide_of_the_request() -> None:
    row = one_row(behaviour({"userid": ["lisi"]}), "staff_daily")
    assert (row["corp_id"], row["userid"], row["stat_date"]) == (CORP, "lisi", "2025-01-01")
    assert (row["chat_cnt"], row["reply_percentage"], row["avg_reply_time"]) == (10, 60.25, 3.0)


@pytest.mark.parametrize(
    "params", [{}, {"userid": []}, {"userid": ["lisi", "wang"]}, {"userid": ["lisi"], "partyid": [1001]}]
)
def test_figures_of_nobody_or_of_several_make_no_row(params: dict[str, Any]) -> None:
    assert rows(behaviour(params), "staff_daily") == []


def test_rates_are_null_on_a_day_without_chats_and_zeros_are_figures() -> None:
    day = {"stat_time": MIDNIGHT, **dict.fromkeys(FIGURES, 0)}
    row = one_row(read_one(PARSER, {"behavior_data": [day]}, params={"userid": "lisi"}), "staff_daily")
    assert (row["chat_cnt"], row["reply_percentage"], row["avg_reply_time"]) == (0, None, None)


def test_the_later_pull_of_a_day_is_the_later_version_zeros_included() -> None:
    early = one_row(behaviour({"userid": "lisi"}), "staff_daily")
    answer = {"behavior_data": [{"stat_time": MIDNIGHT, **dict.fromkeys(FIGURES, 0)}]}
    late = one_row(read_one(PARSER, answer, params={"userid": "lisi"}, received_ms=RECEIVED_MS + 1), "staff_daily")
    assert late["version_key"] > early["version_key"]


def test_equal_figures_of_two_guides_are_no_duplicates() -> None:
    value = {"stat_time": MIDNIGHT, **dict.fromkeys(FIGURES, 0)}
    digests = {
        record_digest(
            with_context(value, make_context("wecom_staff_stats", params={"userid": [guide]}), PARSER.hash_context), ()
        )
        for guide in ("lisi", "wang")
    }
    assert len(digests) == 2


def test_group_figures_by_owner_belong_to_the_day_of_the_request() -> None:
    row = one_row(groups({"day_begin_time": MIDNIGHT, "day_end_time": MIDNIGHT}), "group_daily")
    assert (row["owner_userid"], row["stat_date"], row["chat_total"]) == ("lisi", "2025-01-01", 3)
    assert row["member_has_msg"] is None


@pytest.mark.parametrize("params", [{}, {"day_begin_time": MIDNIGHT, "day_end_time": MIDNIGHT + 86_400}])
def test_group_figures_of_several_days_in_one_make_no_row(params: dict[str, Any]) -> None:
    assert rows(groups(params), "group_daily") == []


@pytest.mark.parametrize(
    ("params", "owner"),
    [
        ({}, "*"),
        ({"owner_filter": {"userid_list": ["lisi"]}}, "lisi"),
        ({"owner_filter": {"userid_list": ["lisi", "wang"]}}, None),
        ({"owner_filter": {"partyid_list": [7]}}, None),
    ],
)
def test_group_figures_by_day_are_everybodys_or_the_only_owners(params: dict[str, Any], owner: str | None) -> None:
    answer = {"items": [{"stat_time": MIDNIGHT, "data": GROUP}]}
    found = [row["owner_userid"] for row in rows(read_one(PARSER, answer, params=params), "group_daily")]
    assert found == ([owner] if owner else [])


def test_a_day_without_date_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: stat_time"):
        behaviour({"userid": "lisi"}, stat_time=0)


def test_a_rate_that_is_no_number_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: reply_percentage"):
        rate("viel", "reply_percentage")


def test_the_same_guide_named_twice_is_one() -> None:
    assert sole_userid({"userid": ["lisi", "lisi"]}) == "lisi"


def test_an_answer_without_days_has_no_records() -> None:
    assert read(PARSER, {"errcode": 0, "behavior_data": []}) == []

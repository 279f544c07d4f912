"""Sightings: days, times, and observations that stay the same when they are seen again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.base import Parsed, RecordRefusedError, Subject
from pipelines.sources.sightings import (
    DAY_MS,
    day_end_ms,
    day_of,
    day_start_ms,
    moment,
    observe_day,
    observe_once,
    observe_subject,
    read_subject,
    seen_ms,
    sighting_day,
)
from tests.pipelines.sources.private_domain import DAY, ids_of, make_context

OPENID = ("wx_openid", "wx1", "o1")
UNIONID = ("wx_unionid", "op1", "u1")


@given(st.integers(min_value=1, max_value=4_102_444_800_000))
def test_a_day_begins_before_all_its_instants_and_ends_after_them(at_ms: int) -> None:
    day = day_of(at_ms)
    assert day_start_ms(day) <= at_ms <= day_end_ms(day)


@given(st.integers(min_value=1, max_value=4_102_444_800_000))
def test_a_sighting_never_counts_for_a_day_after_its_own_or_its_arrival(at_ms: int) -> None:
    day = sighting_day(at_ms, make_context("miniprogram_events"))
    assert day <= day_of(at_ms)
    assert day <= DAY


@given(st.permutations([OPENID, UNIONID, ("mp_anonymous_id", "wx1", "a1"), OPENID]))
def test_the_same_ids_on_one_day_are_one_observation_in_any_order(keys: list[tuple[str, str, str]]) -> None:
    parsed, sorted_first = Parsed(), Parsed()
    observe_day(parsed, "miniprogram_events", keys, DAY)
    observe_day(sorted_first, "miniprogram_events", sorted(set(keys)), DAY)
    assert parsed.observations == sorted_first.observations


def test_other_ids_or_another_day_are_another_observation() -> None:
    parsed = Parsed()
    observe_day(parsed, "miniprogram_events", [OPENID], DAY)
    observe_day(parsed, "miniprogram_events", [OPENID, UNIONID], DAY)
    observe_day(parsed, "miniprogram_events", [OPENID], "2025-01-02")
    assert len({seen["observation_id"] for seen in parsed.observations}) == 3


def test_nobody_makes_no_observation() -> None:
    parsed = Parsed()
    observe_day(parsed, "miniprogram_events", [], DAY)
    observe_once(parsed, "miniprogram_events", "x", at_ms=1, ids=[])
    assert parsed.observations == []


def test_a_login_id_that_is_a_phone_takes_no_part_in_ids_of_observations() -> None:
    one, other = Parsed(), Parsed()
    observe_day(one, "miniprogram_events", [("login_id", "b", "13912345678")], DAY)
    observe_day(other, "miniprogram_events", [("login_id", "b", "13912345670")], DAY)
    assert one.observations[0]["observation_id"] == other.observations[0]["observation_id"]


def test_a_state_without_receiving_time_is_of_the_end_of_the_day() -> None:
    assert seen_ms(make_context("wecom_contacts", received_ms=None)) == day_start_ms(DAY) + DAY_MS - 1


@pytest.mark.parametrize("value", ["yesterday", "2025-13-01", -5, "9" * 20, "2025-01-01T10:00:00"])
def test_what_is_no_time_is_refused_with_the_fields_name(value: object) -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: at"):
        moment(value, "at")


@pytest.mark.parametrize("value", [None, "", 0, "0"])
def test_a_time_that_is_not_set_is_none(value: object) -> None:
    assert moment(value, "at") is None


def test_a_subject_is_read_with_its_scope() -> None:
    value = {"namespace": "member_id", "scope": "brandA", "value": "K1"}
    assert read_subject(value, "subject") == Subject("member_id", "brandA", "K1")


@pytest.mark.parametrize("value", [None, "K1", {}, {"namespace": "member_id"}, {"value": "K1"}])
def test_a_subject_without_namespace_or_value_is_refused(value: object) -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: subject"):
        read_subject(value, "subject")


def test_the_subject_of_a_fact_is_seen_on_its_day() -> None:
    parsed = Parsed()
    observe_subject(parsed, make_context("consents"), "consent:1", Subject(*OPENID), 1735700530000)
    assert ids_of(parsed.observations[0]) == [OPENID]
    assert parsed.observations[0]["event_time"] == day_start_ms(DAY)


def test_a_phone_as_subject_is_the_persons_own_at_its_exact_time() -> None:
    parsed = Parsed()
    observe_subject(parsed, make_context("consents"), "consent:1", Subject("phone", "", "13912345678"), 1735700530000)
    (seen,) = parsed.observations
    assert seen["ids"] == [{"namespace": "phone", "scope": "", "value": "13912345678", "role": "verified"}]
    assert (seen["observation_id"], seen["event_time"]) == ("consent:1", 1735700530000)


def test_an_interval_that_is_no_day_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="interval"):
        day_start_ms("first of may")

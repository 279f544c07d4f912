"""Identity observations of other systems."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Clear, Parsed, RecordRefusedError, Subject
from pipelines.sources.observations import PARSERS
from tests.pipelines.sources.private_domain import one_row, read_one, rows

PARSER = PARSERS[0]
MEMBER = {"namespace": "member_id", "scope": "brandA", "value": "K1"}
PHONE = {"namespace": "phone", "value": "+86 139-1234-5670", "role": "verified"}
AT_MS = 1740794400000


def parse(**known: Any) -> Parsed:
    stated = {
        "observation_id": "pos-2025-03-01-0001",
        "source": "pos",
        "kind": "link",
        "event_time": "2025-03-01T10:00:00+08:00",
        "ids": [MEMBER, PHONE],
        "attributes": {"name": "李四"},
    }
    return read_one(PARSER, {key: value for key, value in (stated | known).items() if value is not None})


def test_an_observation_passes_as_it_was_stated() -> None:
    (seen,) = parse().observations
    assert seen == {
        "observation_id": "pos-2025-03-01-0001",
        "source": "pos",
        "kind": "link",
        "event_time": AT_MS,
        "ids": [MEMBER, {"namespace": "phone", "scope": "", "value": "+86 139-1234-5670", "role": "verified"}],
        "attributes": {"name": "李四"},
    }


def test_a_time_in_milliseconds_is_the_same_time() -> None:
    assert parse(event_time=AT_MS).observations == parse().observations


def test_an_end_of_validity_is_kept() -> None:
    assert parse(valid_to="2025-03-02T10:00:00+08:00").observations[0]["valid_to"] == AT_MS + 86_400_000


def test_an_unlink_names_what_it_withdraws_and_may_have_no_ids() -> None:
    (seen,) = parse(kind="unlink", retracts="pos-0001", ids=None).observations
    assert (seen["kind"], seen["retracts"], seen["ids"]) == ("unlink", "pos-0001", [])


@pytest.mark.parametrize("field", ["observation_id", "source", "kind", "event_time", "ids"])
def test_an_observation_without_a_mandatory_field_is_refused(field: str) -> None:
    with pytest.raises(RecordRefusedError, match=f"missing_field: {field}"):
        parse(**{field: None})


def test_an_unlink_of_nothing_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: retracts"):
        parse(kind="unlink")


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecordRefusedError, match="expected one of link, unlink, bind, unbind, replace"):
        parse(kind="merge")


@pytest.mark.parametrize("kind", ["bind", "unbind", "replace"])
def test_kinds_about_two_ids_need_two(kind: str) -> None:
    with pytest.raises(RecordRefusedError, match="ids: 2 identifiers are required, 1 were given"):
        parse(kind=kind, ids=[MEMBER])


@pytest.mark.parametrize("ids", ["K1", ["K1"], {"member_id": "K1"}])
def test_ids_of_another_form_are_refused(ids: Any) -> None:
    with pytest.raises(RecordRefusedError, match="bad_shape: ids"):
        parse(ids=ids)


def test_an_id_without_namespace_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: ids\[\].namespace"):
        parse(ids=[{"value": "K1"}])


def test_an_id_without_value_is_left_to_the_lists_that_refuse_and_count_it() -> None:
    assert parse(ids=[MEMBER | {"value": ""}]).observations[0]["ids"][0]["value"] == ""


def test_an_unknown_field_is_reported() -> None:
    assert parse(mood="good", ids=[MEMBER | {"hue": 3}]).unknown == {"mood": "good", "ids[].hue": 3}


def test_a_registration_of_the_crm_is_a_member_as_well() -> None:
    row = one_row(parse(source="crm", attributes={"level": "金卡", "points": "120"}), "members")
    assert (row["programme"], row["programme_scope"], row["member_value"]) == ("crm", "brandA", "K1")
    assert row["subject"] == Subject("member_id", "brandA", "K1")
    assert (row["status"], row["level"], row["points"], row["joined_at"]) == ("member", "金卡", 120, AT_MS)


def test_a_registration_may_state_when_the_member_joined() -> None:
    row = one_row(parse(source="crm", attributes={"joined_at": "2024-01-01T00:00:00+08:00"}), "members")
    assert row["joined_at"] == 1704038400000


def test_a_member_number_that_is_a_phone_is_personal() -> None:
    row = one_row(parse(source="crm", ids=[MEMBER | {"value": "13912345670"}]), "members")
    assert row["member_value"] == Clear("phone", "13912345670")


@pytest.mark.parametrize(
    "known", [{"source": "pos"}, {"source": "crm", "kind": "bind"}, {"source": "crm", "ids": [PHONE]}]
)
def test_other_observations_make_no_members(known: dict[str, Any]) -> None:
    assert rows(parse(**known), "members") == []

"""Guides with store and region."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Clear, Parsed, RecordRefusedError
from pipelines.sources.staff import PARSERS
from tests.pipelines.sources.private_domain import CORP, one_row, read_one

PARSER = PARSERS[0]


def parse(**known: Any) -> Parsed:
    guide = {
        "corp_id": "WW0000000000000001",
        "userid": "lisi",
        "name": "李思",
        "store_id": "S01",
        "store_name": "杭州一店",
        "region": "华东",
        "status": "active",
        "hired_at": 1700000000000,
        "left_at": None,
    }
    return read_one(PARSER, guide | known)


def test_a_guide_is_a_row_with_store_and_region() -> None:
    row = one_row(parse(), "staff")
    assert (row["corp_id"], row["userid"], row["store_id"], row["region"]) == (CORP, "lisi", "S01", "华东")
    assert (row["status"], row["hired_at"], row["left_at"]) == ("active", 1700000000000, None)
    assert row["name_token"] == Clear("name", "李思")


def test_a_guide_without_corp_belongs_to_the_corp_of_the_context() -> None:
    assert one_row(parse(corp_id=None), "staff")["corp_id"] == CORP


@pytest.mark.parametrize(("status", "word"), [("离职", "left"), ("在职", "active"), (None, "active")])
def test_states_are_read_in_either_language(status: str | None, word: str) -> None:
    assert one_row(parse(status=status), "staff")["status"] == word


def test_a_leaving_time_without_status_means_that_the_guide_left() -> None:
    row = one_row(parse(status="", left_at="2025-01-01"), "staff")
    assert (row["status"], row["left_at"]) == ("left", 1735660800000)


def test_leaving_outranks_being_there_at_one_instant() -> None:
    left, active = (one_row(parse(left_at=moment), "staff")["version_key"] for moment in (1735700000000, None))
    assert left > active


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: status"):
        parse(status="on leave")


def test_a_guide_without_id_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: userid"):
        parse(userid="")

"""WeCom hand-overs: who gave a customer to whom, and who waits."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError
from pipelines.sources.wecom_transfers import PARSERS
from tests.pipelines.sources.private_domain import CORP, RECEIVED_MS, ids_of, one_row, read_one, rows

PARSER = PARSERS[0]
EXTERNAL = "wmExampleAAAA0001"
PAIR = {"handover_userid": "lisi", "takeover_userid": "wang"}
TAKEN_MS = 1735700530000


def result(params: dict[str, Any] | None = None, **known: Any) -> Parsed:
    customer = {"external_userid": EXTERNAL, "status": 1, "takeover_time": 1735700530} | known
    return read_one(PARSER, {"errcode": 0, "customer": [customer]}, params=PAIR if params is None else params)


def unassigned(**known: Any) -> Parsed:
    info = {"handover_userid": "lisi", "external_userid": EXTERNAL, "dimission_time": 1735700530} | known
    return read_one(PARSER, {"errcode": 0, "info": [info], "is_last": True})


def test_a_finished_hand_over_ends_one_relation_and_begins_another() -> None:
    old, new = rows(result(), "contact_follows")
    assert (old["userid"], old["status"], old["ended_at"]) == ("lisi", "transferred", TAKEN_MS)
    assert (new["userid"], new["status"], new["added_at"], new["add_way"]) == ("wang", "active", TAKEN_MS, "202")


@pytest.mark.parametrize(("code", "word"), [(2, "waiting"), (3, "refused"), (4, "limit"), (5, "no_record")])
def test_an_unfinished_hand_over_changes_no_relation_and_is_an_event(code: int, word: str) -> None:
    parsed = result(status=code, takeover_time=0)
    assert rows(parsed, "contact_follows") == []
    assert one_row(parsed, "events")["event"] == f"transfer_result.{word}"


def test_an_unknown_result_is_an_event_and_a_signal() -> None:
    parsed = result(status=9)
    assert one_row(parsed, "events")["event"] == "transfer_result.unknown"
    assert parsed.unknown_values == [("status", "9")]


def test_a_result_pulled_again_is_the_same_event_at_its_first_time() -> None:
    first = one_row(result(status=2), "events")
    assert first["version_key"].startswith("0000000000000000|")
    assert first["event_at"] == RECEIVED_MS


@pytest.mark.parametrize(("code", "word"), [(0, "accepted"), (40096, "refused")])
def test_a_request_is_an_event_and_changes_no_relation(code: int, word: str) -> None:
    customer = {"external_userid": EXTERNAL, "errcode": code}
    parsed = read_one(PARSER, {"errcode": 0, "customer": [customer]}, params=PAIR)
    assert one_row(parsed, "events")["event"] == f"transfer_customer.{word}"
    assert rows(parsed, "contact_follows") == []


def test_a_customer_who_waits_keeps_the_relation_to_the_guide_who_left() -> None:
    parsed = unassigned()
    relation = one_row(parsed, "contact_follows")
    assert (relation["userid"], relation["status"]) == ("lisi", "active")
    assert "added_at" not in relation
    staff = one_row(parsed, "staff")
    assert (staff["corp_id"], staff["userid"], staff["status"], staff["left_at"]) == (CORP, "lisi", "left", TAKEN_MS)
    assert one_row(parsed, "events")["event_at"] == TAKEN_MS


def test_the_customer_counts_as_seen() -> None:
    assert ids_of(result().observations[0]) == [("wecom_external_userid", CORP, EXTERNAL)]


@pytest.mark.parametrize("params", [{}, {"takeover_userid": "wang"}])
def test_a_finished_hand_over_of_which_nobody_says_from_whom_is_an_event_and_changes_no_relation(
    params: dict[str, Any],
) -> None:
    parsed = result(params)
    assert rows(parsed, "contact_follows") == []
    event = one_row(parsed, "events")
    assert (event["event"], event["event_at"], event["staff_userid"]) == ("transfer_result.done", TAKEN_MS, None)


def test_a_hand_over_to_an_unnamed_guide_still_ends_the_old_relation() -> None:
    (old,) = rows(result({"handover_userid": "lisi"}), "contact_follows")
    assert old["status"] == "transferred"


def test_a_customer_without_id_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: external_userid"):
        unassigned(external_userid="")

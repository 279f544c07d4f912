"""Relation layers over time, from facts and their own days."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.jobs.s4_relations import layer_changes, relation_spans

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Rows = Callable[..., "DataFrame"]
History = dict[str, list[tuple[Any, ...]]]
pytestmark = pytest.mark.spark


def follow(person: int, userid: str, added: str, ended: str | None = None) -> dict[str, Any]:
    status = "active" if ended is None else "deleted_by_customer"
    times = {"added_at": f"{added}T01:00", "ended_at": ended and f"{ended}T01:00"}
    return {"subject_key": person, "corp_id": "c", "userid": userid, "status": status, "state": "qr", **times}


def moment(person: int, day: str, change: str, **known: Any) -> dict[str, Any]:
    return {
        "subject_key": person,
        "corp_id": "c",
        "userid": "a",
        "change": change,
        "changed_at": f"{day}T01:00",
    } | known


@pytest.fixture(scope="module")
def histories(rows: Rows) -> History:
    """The layer changes of person `1`, `2`, ..., each holding the phone of that number."""
    phones = [{"one_id": str(n), "identifier_key": n, "namespace": "phone", "value": str(n)} for n in range(1, 7)]
    openid = {"one_id": "1", "identifier_key": 1, "namespace": "wx_openid", "first_seen": "2025-01-05T01:00"}
    orders = [{"subject_key": 1, "platform": "douyin", "created_at": "2025-01-01T17:00"}]
    left = {"subject_key": 4, "programme": "tmall", "status": "left"}
    seen = {"subject_key": 5, "programme": "tmall", "status": "seen", "joined_at": "2025-01-01T01:00"}
    follows = [
        follow(1, "g", "2025-01-03", "2025-01-09"),
        follow(2, "a", "2025-01-01", "2025-01-04"),
        follow(2, "b", "2025-01-02", "2025-01-06"),
        follow(3, "a", "2025-01-01", "2025-01-01"),
        follow(6, "a", "2025-01-11"),
    ]
    changes = [
        moment(6, "2025-01-01", "began", state="first"),
        moment(6, "2025-01-02", "began", state="told twice"),
        moment(6, "2025-01-05", "deleted_by_customer"),
        moment(6, "2025-01-06", "transferred"),
        moment(6, "2025-01-11", "began", state="qr"),
    ]
    spans = relation_spans(
        rows("identity.oneid_map", *phones, openid),
        rows("silver.orders", *orders),
        rows("silver.members", {**left, "joined_at": "2025-01-01T01:00", "updated_at": "2025-02-01T01:00"}, seen),
        (rows("silver.contact_follows", *follows), rows("silver.contact_follow_changes", *changes)),
        rows("identity.oneid_map", *phones).selectExpr("identifier_key AS subject_key", "one_id"),
    )
    found: History = {}
    for row in layer_changes(spans).orderBy("one_id", "business_date").collect():
        valid_to = row["valid_to"] and str(row["valid_to"])
        change = (
            str(row["business_date"]),
            row["previous_layer"],
            row["layer"],
            row["via"],
            row["staff_key"],
            valid_to,
        )
        found.setdefault(row["one_id"], []).append(change)
    return found


def test_a_person_climbs_and_falls_back(histories: History) -> None:
    assert histories["1"] == [
        ("2025-01-02", "none", "public", "order:douyin", None, "2025-01-03"),
        ("2025-01-03", "public", "friend", "friend:qr", "c|g", "2025-01-09"),
        ("2025-01-09", "friend", "private", None, None, None),
    ]


def test_the_last_guide_who_leaves_ends_the_friendship(histories: History) -> None:
    assert [(day, layer) for day, _, layer, *_ in histories["2"]] == [("2025-01-01", "friend"), ("2025-01-06", "none")]


def test_a_relation_of_a_single_day_is_none(histories: History) -> None:
    assert "3" not in histories


def test_a_membership_is_private_while_it_lasts(histories: History) -> None:
    assert [(day, layer) for day, _, layer, *_ in histories["4"]] == [("2025-01-01", "private"), ("2025-02-01", "none")]


def test_a_member_who_was_only_seen_has_no_relation(histories: History) -> None:
    assert "5" not in histories


def test_a_friend_who_left_and_came_back_was_a_friend_before(histories: History) -> None:
    assert [(day, layer, via) for day, _, layer, via, *_ in histories["6"]] == [
        ("2025-01-01", "friend", "friend:first"),
        ("2025-01-05", "none", None),
        ("2025-01-11", "friend", "friend:qr"),
    ]

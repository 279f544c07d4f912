"""Why tags changed, and what one day tells of several changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from features.spec import Tag
from pipelines.jobs.s5_tags import change_causes, tag_difference, tag_history

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Rows = Callable[..., "DataFrame"]
pytestmark = pytest.mark.spark

TIMED = Tag("stage", "阶段", "Stage", "CASE WHEN as_of > last THEN 'late' END", "最近 {last}", timed=True)
PLAIN = Tag("buyer", "买家", "Buyer", "CASE WHEN orders > 0 THEN 'yes' END", "共 {orders} 单")
DIFFERENCE = "one_id string, tag string, old_value string, new_value string, reason string, same_reason boolean"


def test_a_merge_outranks_a_split_and_a_split_a_move(rows: Rows) -> None:
    changes = rows(
        "identity.oneid_changes",
        {"change": "mint", "one_id": "N"},
        {"change": "merge", "one_id": "A", "others": ["B"]},
        {"change": "split", "one_id": "A", "others": ["C"]},
        {"change": "move", "one_id": "C", "others": ["D"]},
    )
    causes = {row["one_id"]: row["identity_cause"] for row in change_causes(changes).collect()}
    assert causes == {"A": "merge", "B": "merge", "C": "split", "D": "move"}


def test_the_day_is_told_from_the_value_it_began_with(spark: SparkSession, rows: Rows) -> None:
    difference = spark.createDataFrame(
        [
            ("A", "stage", "second", "third", "why", True),
            ("B", "stage", "second", "first", "why", True),
            ("C", "stage", "first", "second", "why", True),
            ("D", "buyer", None, "yes", "why", False),
            ("E", "buyer", "yes", "yes", "why", False),
        ],
        DIFFERENCE,
    )
    day = {"tag": "stage", "as_of": "2025-03-01", "old_value": "first", "new_value": "second"}
    known = rows("features.tag_changes", {**day, "one_id": "A"}, {**day, "one_id": "B"})
    causes = spark.createDataFrame([("C", "split")], "one_id string, identity_cause string")
    found = tag_history(difference, causes, known, (TIMED, PLAIN), as_of="2025-03-01").collect()
    told = {row["one_id"]: (row["old_value"], row["new_value"], row["cause"]) for row in found}
    assert told == {
        "A": ("first", "third", "time"),
        "B": ("first", "first", "time"),
        "C": ("first", "second", "split"),
        "D": (None, "yes", "facts"),
    }


def test_untouched_people_are_looked_at_for_timed_tags_only(spark: SparkSession, rows: Rows) -> None:
    features = spark.sql(
        "SELECT *, false AS is_visitor, CAST(NULL AS STRING) AS consent_profiling "
        "FROM VALUES ('A', 1, DATE'2025-01-01'), ('B', 1, DATE'2025-01-01') AS people(one_id, orders, last)"
    )
    people = spark.createDataFrame([("A",), ("gone",)], "one_id string")
    standing = rows("features.customer_tags", {"one_id": "gone", "tag": "buyer", "value": "yes"})
    found = tag_difference(features, standing, (TIMED, PLAIN), as_of="2025-03-01", people=people).collect()
    assert {(row["one_id"], row["tag"], row["new_value"]) for row in found} == {
        ("A", "stage", "late"),
        ("A", "buyer", "yes"),
        ("B", "stage", "late"),
        ("gone", "buyer", None),
    }

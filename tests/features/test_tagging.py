"""Tags over features: values, reasons, refusal of profiling, and the difference to the tags that stand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from features.spec import Tag
from features.tagging import build_tags, diff_tags, reason_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

BUYER = Tag("buyer", "买家", "Has bought", "CASE WHEN orders > 0 THEN 'yes' END", "共 {orders} 单")
DORMANT = Tag(
    "dormant", "沉睡", "No purchase", "CASE WHEN datediff(as_of, last) > 90 THEN 'yes' END", "最近 {last}", timed=True
)
KNOWN = Tag("known", "已知", "Is known", "'yes'", "共 {orders} 单", profiling=False)


def people(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [
            ("A", False, 2, date(2025, 1, 1), None),
            ("B", False, 0, None, None),
            ("C", False, 3, date(2025, 1, 1), "withdrawn"),
            ("V", True, 0, None, None),
        ],
        "one_id string, is_visitor boolean, orders int, last date, consent_profiling string",
    )


def test_tags_hold_for_the_day_with_their_reasons(spark: SparkSession) -> None:
    found = {(r["one_id"], r["tag"]): (r["value"], r["reason"]) for r in _tags(spark, "2025-04-02").collect()}
    assert found == {
        ("A", "buyer"): ("yes", "共 2 单"),
        ("A", "dormant"): ("yes", "最近 2025-01-01"),
        ("A", "known"): ("yes", "共 2 单"),
        ("B", "known"): ("yes", "共 0 单"),
        ("C", "known"): ("yes", "共 3 单"),
    }


def _tags(spark: SparkSession, as_of: str) -> DataFrame:
    return build_tags(people(spark), (BUYER, DORMANT, KNOWN), as_of=as_of)


def test_a_timed_tag_waits_for_its_day(spark: SparkSession) -> None:
    assert "dormant" not in {row["tag"] for row in _tags(spark, "2025-04-01").collect()}


def test_amounts_and_moments_are_written_for_people(spark: SparkSession) -> None:
    frame = spark.sql(
        "SELECT -5L AS fen, 123456L AS more, TIMESTAMP'2025-01-01 16:30:00Z' AS at, CAST(NULL AS DATE) AS none"
    )
    (row,) = frame.selectExpr(f"{reason_sql('{fen:yuan} {more:yuan} {at:day} {none}')} AS reason").collect()
    assert row["reason"] == "-0.05 1234.56 2025-01-02 无"


def test_the_difference_sets_changes_and_removes(spark: SparkSession) -> None:
    day = date(2025, 1, 1)
    standing = spark.createDataFrame(
        [
            ("A", "same", "x", day, "why"),
            ("A", "value", "old", day, "why"),
            ("A", "reason", "x", day, "before"),
            ("A", "gone", "x", day, "why"),
        ],
        "one_id string, tag string, value string, as_of date, reason string",
    )
    wanted = spark.createDataFrame(
        [
            ("A", "same", "x", "why"),
            ("A", "value", "new", "why"),
            ("A", "reason", "x", "after"),
            ("A", "set", "x", "why"),
        ],
        "one_id string, tag string, value string, reason string",
    )
    found = {
        r["tag"]: (r["old_value"], r["new_value"], r["same_reason"], str(r["as_of"]))
        for r in diff_tags(standing, wanted, as_of="2025-02-01").collect()
    }
    assert found == {
        "value": ("old", "new", True, "2025-02-01"),
        "reason": ("x", "x", False, "2025-01-01"),
        "gone": ("x", None, False, "2025-02-01"),
        "set": (None, "x", False, "2025-02-01"),
    }

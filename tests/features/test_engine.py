"""Declared features become columns: sums, defaults, favourites and derived figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from features.engine import build_features
from features.spec import Catalog, DeclarationError, Derived, Fact, Favourite, Feature, Theme

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

SALES = Fact("sales", "Sales", {"fen": "Amount", "kind": "Kind"})
CATALOG = Catalog(
    (
        Theme(
            "sales",
            (SALES,),
            (
                Feature("total", "bigint", "Sum of all", "sales", "sum(fen)", "0"),
                Feature("best", "bigint", "Greatest", "sales", "max(fen)"),
                Favourite("kind", "string", "Heaviest kind", "sales", "kind", "sum(fen)"),
            ),
            (
                Derived("half", "bigint", "Half of it", "total div 2"),
                Derived("quarter", "bigint", "Half of that", "half div 2"),
            ),
        ),
    )
)


def test_people_with_and_without_facts_get_their_row(spark: SparkSession) -> None:
    people = spark.createDataFrame([("A", False), ("B", False)], "one_id string, is_visitor boolean")
    facts = spark.createDataFrame(
        [("A", 100, "tea"), ("A", 60, "cup"), ("A", 40, "cup"), ("A", 9, None), ("X", 1, "tea")],
        "one_id string, fen bigint, kind string",
    )
    found = {
        row["one_id"]: row.asDict()
        for row in build_features(people, {"sales": facts}, CATALOG, definition="d").collect()
    }
    base = {"is_visitor": False, "definition": "d"}
    assert found == {
        "A": {"one_id": "A", "total": 209, "best": 100, "kind": "cup", "half": 104, "quarter": 52, **base},
        "B": {"one_id": "B", "total": 0, "best": None, "kind": None, "half": 0, "quarter": 0, **base},
    }


def test_a_missing_fact_frame_is_named(spark: SparkSession) -> None:
    people = spark.createDataFrame([("A", False)], "one_id string, is_visitor boolean")
    with pytest.raises(DeclarationError, match="need the fact frames sales; handed over were nothing"):
        build_features(people, {"nothing": people}, CATALOG, definition="d")

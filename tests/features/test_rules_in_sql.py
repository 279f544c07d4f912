"""The SQL of each rule gives what the plain function gives, at every bound and beside it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from features import rules
from features.parameters import SHIPPED

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

DAYS = (0, 30, 31, 90, 91, 180, 181, 365, 366)
ORDERS = (0, 1, 2, 3, 4, 5, 8)
FEN = (-1, 0, 9_999, 10_000, 29_999, 30_000, 79_999, 80_000, 200_000, 2_000_000)


def test_scores_groups_and_bands_agree(spark: SparkSession) -> None:
    frame = spark.createDataFrame(list(product(DAYS, ORDERS, FEN)), "days int, orders int, fen bigint")
    scores = rules.rfm_score_sql(SHIPPED.rfm, "days", "orders", "fen")
    sql = {
        "group": rules.rfm_group_sql(SHIPPED.rfm, "days", "orders", "fen"),
        "scores": f"concat_ws('-', {', '.join(scores)})",
        "band": rules.band_sql(SHIPPED.orders.price_band, "fen"),
    }
    wrong = []
    for row in frame.selectExpr("*", *(f"{text} AS `{name}`" for name, text in sql.items())).collect():
        days, orders, fen = row["days"], row["orders"], row["fen"]
        expected = (
            rules.rfm_group(SHIPPED.rfm, days, orders, fen),
            "-".join(str(score) for score in rules.rfm_scores(SHIPPED.rfm, days, orders, fen)),
            rules.band_of(SHIPPED.orders.price_band, fen),
        )
        if (row["group"], row["scores"], row["band"]) != expected:
            wrong.append((days, orders, fen))
    assert wrong == []


def test_stages_agree(spark: SparkSession) -> None:
    frame = spark.createDataFrame(list(product(ORDERS, DAYS, DAYS)), "orders int, first int, last int")
    sql = rules.lifecycle_sql(SHIPPED.lifecycle, "orders", "first", "last")
    wrong = [
        (row["orders"], row["first"], row["last"])
        for row in frame.selectExpr("*", f"{sql} AS stage").collect()
        if row["stage"] != rules.lifecycle_stage(SHIPPED.lifecycle, row["orders"], row["first"], row["last"])
    ]
    assert wrong == []

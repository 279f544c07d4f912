"""Rules of tags as plain functions, and their SQL held to the same answers."""

from __future__ import annotations

import pytest

from features import rules
from features.parameters import SHIPPED

BANDS = SHIPPED.orders.price_band


@pytest.mark.parametrize(("value", "band"), [(0, "low"), (9_999, "low"), (10_000, "middle"), (80_000, "top")])
def test_a_band_begins_at_the_bound_of_the_one_before(value: int, band: str) -> None:
    assert rules.band_of(BANDS, value) == band


@pytest.mark.parametrize(("days", "score"), [(0, 5), (30, 5), (31, 4), (180, 2), (181, 1)])
def test_a_shorter_time_since_the_purchase_scores_higher(days: int, score: int) -> None:
    assert rules.rfm_scores(SHIPPED.rfm, days, 1, 0)[0] == score


@pytest.mark.parametrize(("orders", "score"), [(1, 1), (2, 2), (7, 4), (8, 5)])
def test_more_orders_score_higher(orders: int, score: int) -> None:
    assert rules.rfm_scores(SHIPPED.rfm, 0, orders, 0)[1] == score


def test_the_eight_groups_cover_every_combination() -> None:
    found = {
        rules.rfm_group(SHIPPED.rfm, days, orders, fen)
        for days in (1, 400)
        for orders in (1, 9)
        for fen in (0, 900_000)
    }
    assert found == {name for name, _ in rules.RFM_GROUPS.values()}


@pytest.mark.parametrize(
    ("orders", "since_first", "since_last", "stage"),
    [
        (0, 0, 0, "prospect"),
        (1, 30, 30, "new"),
        (1, 31, 31, "growing"),
        (4, 31, 90, "mature"),
        (4, 400, 91, "dormant"),
        (9, 400, 365, "dormant"),
        (9, 400, 366, "lost"),
    ],
)
def test_the_stage_follows_orders_and_days(orders: int, since_first: int, since_last: int, stage: str) -> None:
    assert rules.lifecycle_stage(SHIPPED.lifecycle, orders, since_first, since_last) == stage

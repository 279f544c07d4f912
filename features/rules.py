"""Rules of tags, twice from one definition: as plain functions and as the SQL that Spark runs.

Tests hold both together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from features.parameters import Band, Lifecycle, Rfm

RFM_GROUPS: Mapping[tuple[bool, bool, bool], tuple[str, str]] = {
    (True, True, True): ("important_value", "重要价值客户"),
    (True, False, True): ("important_develop", "重要发展客户"),
    (False, True, True): ("important_keep", "重要保持客户"),
    (False, False, True): ("important_winback", "重要挽留客户"),
    (True, True, False): ("general_value", "一般价值客户"),
    (True, False, False): ("general_develop", "一般发展客户"),
    (False, True, False): ("general_keep", "一般保持客户"),
    (False, False, False): ("general_winback", "一般挽留客户"),
}
"""(recent, frequent, high spending) -> name and label of the group: the eight groups of the RFM cube."""

LIFECYCLE_LABELS: Mapping[str, str] = {
    "prospect": "潜客",
    "new": "新客",
    "growing": "成长期",
    "mature": "成熟期",
    "dormant": "沉睡",
    "lost": "流失",
}
"""Stages of the lifecycle with their labels."""


def band_of(bands: Sequence[Band], value: int) -> str:
    """The name of the band a value falls into.

    >>> band_of((Band("low", "低", 100), Band("high", "高")), 100)
    'high'
    """
    return next(band.name for band in bands if band.below is None or value < band.below)


def band_sql(bands: Sequence[Band], value: str) -> str:
    """The SQL of `band_of`: null for a null value.

    >>> band_sql((Band("low", "低", 100), Band("high", "高")), "x")
    "CASE WHEN x IS NULL THEN NULL WHEN x < 100 THEN 'low' ELSE 'high' END"
    """
    steps = " ".join(f"WHEN {value} < {band.below} THEN '{band.name}'" for band in bands[:-1])
    return f"CASE WHEN {value} IS NULL THEN NULL {steps} ELSE '{bands[-1].name}' END".replace("  ", " ")


def band_labels(bands: Sequence[Band]) -> dict[str, str]:
    """Band names with their labels."""
    return {band.name: band.label for band in bands}


def rising_score(bounds: Sequence[int], value: int) -> int:
    """One point, and one more for each bound the value reaches.

    >>> rising_score((2, 3, 5, 8), 3)
    3
    """
    return 1 + sum(value >= bound for bound in bounds)


def rising_score_sql(bounds: Sequence[int], value: str) -> str:
    """The SQL of `rising_score`."""
    return " + ".join(["1", *(f"CASE WHEN {value} >= {bound} THEN 1 ELSE 0 END" for bound in bounds)])


def falling_score(bounds: Sequence[int], value: int) -> int:
    """Five points, and one less for each bound the value exceeds: the shorter ago the better.

    >>> falling_score((30, 60, 90, 180), 30), falling_score((30, 60, 90, 180), 400)
    (5, 1)
    """
    return 1 + len(bounds) - sum(value > bound for bound in bounds)


def falling_score_sql(bounds: Sequence[int], value: str) -> str:
    """The SQL of `falling_score`."""
    return " - ".join([str(1 + len(bounds)), *(f"CASE WHEN {value} > {bound} THEN 1 ELSE 0 END" for bound in bounds)])


def rfm_scores(rfm: Rfm, days: int, orders: int, net_fen: int) -> tuple[int, int, int]:
    """Recency, frequency and monetary score, 1 to 5 each."""
    return (
        falling_score(rfm.recency_days, days),
        rising_score(rfm.frequency, orders),
        rising_score(rfm.monetary_fen, net_fen),
    )


def rfm_group(rfm: Rfm, days: int, orders: int, net_fen: int) -> str:
    """The named RFM group: each score is high from `high_from` on.

    >>> rfm_group(Rfm(), 5, 6, 120_000), rfm_group(Rfm(), 500, 1, 9_900)
    ('important_value', 'general_winback')
    """
    recency, frequency, monetary = (score >= rfm.high_from for score in rfm_scores(rfm, days, orders, net_fen))
    return RFM_GROUPS[(recency, frequency, monetary)][0]


def rfm_score_sql(rfm: Rfm, days: str, orders: str, net_fen: str) -> tuple[str, str, str]:
    """The SQL of the three scores."""
    return (
        falling_score_sql(rfm.recency_days, days),
        rising_score_sql(rfm.frequency, orders),
        rising_score_sql(rfm.monetary_fen, net_fen),
    )


def rfm_group_sql(rfm: Rfm, days: str, orders: str, net_fen: str) -> str:
    """The SQL of `rfm_group`."""
    highs = [f"({score}) >= {rfm.high_from}" for score in rfm_score_sql(rfm, days, orders, net_fen)]
    steps = []
    for flags, (name, _) in RFM_GROUPS.items():
        condition = " AND ".join(high if flag else f"NOT {high}" for flag, high in zip(flags, highs, strict=True))
        steps.append(f"WHEN {condition} THEN '{name}'")
    return f"CASE {' '.join(steps)} END"


def lifecycle_stage(rule: Lifecycle, orders: int, since_first: int, since_last: int) -> str:
    """The stage of a person with so many kept orders, so many days since the first and the last purchase.

    >>> lifecycle_stage(Lifecycle(), 1, 10, 10), lifecycle_stage(Lifecycle(), 5, 400, 120)
    ('new', 'dormant')
    """
    if orders == 0:
        return "prospect"
    if since_last > rule.lost_days:
        return "lost"
    if since_last > rule.dormant_days:
        return "dormant"
    if orders >= rule.mature_orders:
        return "mature"
    return "new" if since_first <= rule.new_days else "growing"


def lifecycle_sql(rule: Lifecycle, orders: str, since_first: str, since_last: str) -> str:
    """The SQL of `lifecycle_stage`."""
    return (
        f"CASE WHEN {orders} = 0 THEN 'prospect' WHEN {since_last} > {rule.lost_days} THEN 'lost' "
        f"WHEN {since_last} > {rule.dormant_days} THEN 'dormant' WHEN {orders} >= {rule.mature_orders} THEN 'mature' "
        f"WHEN {since_first} <= {rule.new_days} THEN 'new' ELSE 'growing' END"
    )

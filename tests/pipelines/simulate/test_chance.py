"""Chance is seeded, named, and has the means it promises."""

from __future__ import annotations

from collections import Counter
from statistics import fmean

import pytest

from pipelines.simulate.chance import Weighted, between, pick, poisson, stream, whole


def test_a_stream_depends_on_its_names_only() -> None:
    first = stream(7, "a", 1)
    stream(7, "b", 1).random()
    assert first.random() == stream(7, "a", 1).random()


@pytest.mark.parametrize("mean", [0.5, 4.0, 60.0])
def test_counts_have_their_mean(mean: float) -> None:
    rng = stream(1, "poisson")
    assert fmean(poisson(rng, mean) for _ in range(4_000)) == pytest.approx(mean, rel=0.06)


def test_nothing_expected_gives_nothing() -> None:
    assert poisson(stream(1, "none"), 0.0) == 0


def test_whole_numbers_keep_the_mean() -> None:
    rng = stream(1, "whole")
    drawn = [whole(rng, 2.3) for _ in range(4_000)]
    assert set(drawn) == {2, 3}
    assert fmean(drawn) == pytest.approx(2.3, rel=0.02)


def test_weights_are_proportions() -> None:
    rng, weighted = stream(1, "weighted"), Weighted([("a", 3.0), ("b", 1.0)])
    counts = Counter(weighted.draw(rng) for _ in range(4_000))
    assert counts["a"] / counts["b"] == pytest.approx(3, rel=0.15)


def test_draws_stay_in_their_bounds() -> None:
    rng = stream(1, "bounds")
    assert {between(rng, 3, 6) for _ in range(200)} == {3, 4, 5}
    assert {pick(rng, "xy") for _ in range(50)} == {"x", "y"}

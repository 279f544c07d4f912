"""A bad week of pushes and pulls, as the program plays it; a fact that is missing, double or another is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.pulled import Compared, _compared, _of, play


@pytest.mark.e2e
def test_a_bad_week_leaves_every_fact_in_silver_once(tmp_path: Path) -> None:
    week, compared = play(tmp_path, people=60, days=4)
    assert [row for row in compared if row.wrong or not row.world] == []
    assert min(week.injected.values()) > 0, week.injected
    assert week.injected["pull killed"] == 1


def test_a_fact_that_is_missing_double_or_another_is_wrong() -> None:
    world = {"same": 1, "missing": 2, "another": 3, "double": 4}
    silver = _of(iter([("same", 1), ("another", 4), ("double", 4), ("double", 4), ("more", 5)]))
    assert _compared("facts", world, silver) == Compared("facts", 4, 4, 4)

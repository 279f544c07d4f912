"""Windows: they overlap what was asked for, stay inside what the platform knows, and say what is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipelines.connectors.windows import MARGIN, Plan, Window, WindowRule, plan

RULE = WindowRule(longest=1_000, history=100_000, overlap=50)
NOW = 1_000_000
OLDEST = NOW - 100_000 + MARGIN


def test_windows_follow_each_other_without_a_hole() -> None:
    windows = plan(RULE, NOW - 3_500, now=NOW).windows
    assert windows[0].start == NOW - 3_550
    assert windows[-1].end == NOW
    assert all(first.end == second.start for first, second in pairwise(windows))
    assert max(window.seconds for window in windows) <= RULE.longest


def test_the_first_pull_takes_all_that_is_known_and_loses_nothing() -> None:
    planned = plan(RULE, None, now=NOW)
    assert (planned.windows[0].start, planned.gap) == (OLDEST, None)


def test_a_first_pull_from_a_day_begins_there() -> None:
    assert plan(RULE, None, now=NOW, since=NOW - 500).windows == (Window(NOW - 550, NOW),)


@pytest.mark.parametrize("given", [{"mark": NOW - 150_000}, {"mark": None, "since": NOW - 150_000}])
def test_what_is_older_than_the_history_is_a_gap(given: dict[str, int]) -> None:
    planned = plan(RULE, given["mark"], now=NOW, since=given.get("since"))
    assert planned.gap == Window(NOW - 150_000, OLDEST)
    assert planned.windows[0].start == OLDEST


def test_a_mark_inside_the_history_is_no_gap_even_if_its_overlap_is_outside() -> None:
    assert plan(RULE, OLDEST + 1, now=NOW).gap is None


def test_a_mark_ahead_of_the_clock_asks_for_nothing() -> None:
    assert plan(RULE, NOW + 51, now=NOW) == Plan(())

"""A property is tried on as many cases as are said, on its examples too, and fails with the first that breaks it."""

from __future__ import annotations

import pytest
from hypothesis import example
from hypothesis import strategies as st

from tests.properties import property_of

SEEN: list[int] = []


@property_of(st.integers(0, 10_000), few=4, many=9)
@example(number=77)
def seen(held: str, number: int) -> None:
    assert held == "fixture"
    SEEN.append(number)


@pytest.mark.parametrize(("size", "marks"), [(0, []), (1, ["e2e"])], ids=["few", "many"])
def test_few_cases_are_for_the_fast_run_and_many_for_the_whole(size: int, marks: list[str]) -> None:
    (sizes,) = (mark for mark in getattr(seen, "pytestmark", []) if mark.name == "parametrize")
    chosen = sizes.args[1][size]
    assert [mark.name for mark in chosen.marks] == marks
    SEEN.clear()
    seen(held="fixture", examples=chosen.values[0])
    assert (len(SEEN), SEEN[0]) == (1 + chosen.values[0], 77)


def test_a_case_that_breaks_it_fails_the_test() -> None:
    @property_of(st.integers(0, 10), few=20, many=20)
    def small(number: int) -> None:
        assert number < 5

    with pytest.raises(AssertionError):
        small(examples=20)

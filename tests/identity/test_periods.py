from __future__ import annotations

import pytest

from identity.identifier import Identifier
from identity.periods import Seen, reissue_starts, validity_starts

K, L, U = Identifier("k", "", "1"), Identifier("k", "", "2"), Identifier("u", "", "1")


def seen(*sightings: tuple[int, Identifier | None]) -> list[Seen]:
    return [Seen(at, () if anchor is None else ((anchor[:2], anchor),)) for at, anchor in sightings]


@pytest.mark.parametrize(
    ("sightings", "starts"),
    [
        ([], []),
        ([(0, K), (5, L)], []),
        ([(0, K), (10, L)], []),
        ([(0, K), (11, L)], [11]),
        ([(0, K), (11, K)], []),
        ([(0, K), (11, U)], []),
        ([(0, K), (11, None)], []),
        ([(0, None), (11, L)], []),
        ([(0, K), (11, None), (12, L)], [11]),
        ([(0, K), (11, None), (30, L)], [11]),
        ([(0, K), (11, None), (30, K), (45, L)], [45]),
        ([(0, K), (11, U), (30, L)], [30]),
        ([(0, K), (11, L), (12, K)], []),
        ([(0, K), (11, L), (30, K)], [11, 30]),
        ([(0, K), (5, U), (20, U), (40, L)], [40]),
    ],
)
def test_a_number_changes_hands_at_a_long_gap_with_a_known_and_other_anchor(
    sightings: list[tuple[int, Identifier | None]], starts: list[int]
) -> None:
    assert reissue_starts(seen(*sightings), 10) == starts


def test_one_namespace_that_differs_is_enough() -> None:
    both = [Seen(0, ((K[:2], K), (U[:2], U))), Seen(20, ((L[:2], L), (U[:2], U)))]
    assert reissue_starts(both, 10) == [20]


@pytest.mark.parametrize(
    ("spans", "starts"),
    [
        ([], []),
        ([(0, None), (90, 95)], []),
        ([(0, 10), (9, 20)], []),
        ([(0, 10), (10, 20)], [10]),
        ([(0, 30), (5, 10), (20, 40)], []),
        ([(0, 10), (20, None), (90, None)], [20]),
        ([(0, 10), (20, 30), (40, 50)], [20, 40]),
    ],
)
def test_sightings_meet_only_while_an_earlier_one_is_valid(
    spans: list[tuple[int, int | None]], starts: list[int]
) -> None:
    assert validity_starts(spans) == starts

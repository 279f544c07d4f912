from __future__ import annotations

from identity.fusion import GuardedUnion, Limit
from identity.identifier import Identifier
from identity.limits import Bond, settle

LIMIT = Limit(("namespace", "k", ""), (1, 1, 0, "k", ""), 1, "hold", "limit:k")
NEXT = Limit(("namespace", "u", ""), (1, 2, 0, "u", ""), 1, "hold", "limit:u")
LAST = Limit(("namespace", "k", ""), (1, 1, 0, "k", ""), 1, "last", "limit:k")
LAST_NEXT = Limit(("namespace", "u", ""), (1, 2, 0, "u", ""), 1, "last", "limit:u")


def bonds(*pairs: tuple[int, int]) -> list[Bond]:
    """Bonds whose rank is their place: the first is the one to keep."""
    return [Bond(a, b, (place,), place) for place, (a, b) in enumerate(pairs)]


def holding(limit: Limit, *units: int) -> dict[int, dict[Limit, set[Identifier]]]:
    """Each unit holds a value of its own."""
    return {unit: {limit: {Identifier("k", "", str(unit))}} for unit in units}


def test_a_component_that_breaks_nothing_stays_whole() -> None:
    found = settle([0, 1, 2], bonds((0, 1), (1, 2)), holding(LIMIT, 0))
    assert (found.groups, found.contested, found.cuts) == ([[0, 1, 2]], {}, [])


def test_distances_are_counted_once_over_all_live_bonds() -> None:
    """0 and 5 hold values; 4 is two from 5 and three from 0, even though cutting 2 would lengthen nothing of it."""
    found = settle(range(6), bonds((0, 1), (1, 2), (2, 4), (4, 3), (3, 5)), holding(LIMIT, 0, 5))
    assert found.groups == [[0, 1, 2], [3, 4, 5]]
    assert [(cut.link, cut.rule) for cut in found.cuts] == [(2, "limit:k")]


def test_a_tie_next_to_owned_units_is_contested_and_a_tie_behind_it_is_not() -> None:
    found = settle(range(5), bonds((0, 2), (2, 1), (2, 3), (3, 4)), holding(LIMIT, 0, 1))
    assert found.groups == [[0], [1], [2], [3, 4]]
    assert found.contested == {2: (0, 1)}
    assert {cut.rule for cut in found.cuts} == {"contested:k"}


def test_what_is_contested_never_joins_what_hangs_behind_it() -> None:
    found = settle(range(5), bonds((1, 2), (1, 3), (0, 1), (0, 4)), holding(LIMIT, 2, 3))
    assert found.groups == [[0, 4], [1], [2], [3]]
    assert found.contested == {1: (2, 3)}


def test_three_seeds_around_one_unit_contest_it_together() -> None:
    found = settle(range(4), bonds((0, 3), (1, 3), (2, 3)), holding(LIMIT, 0, 1, 2))
    assert found.contested == {3: (0, 1, 2)}


def test_two_units_with_the_same_value_are_one_seed() -> None:
    """2 holds the value of 0: 3 lies between 1 and both of them, 4 behind 2 is theirs."""
    values = holding(LIMIT, 0, 1)
    values[2] = values[0]
    found = settle(range(5), bonds((0, 3), (1, 3), (3, 2), (2, 4)), values)
    assert found.groups == [[0], [1], [2, 4], [3]]
    assert found.contested == {3: (0, 1)}


def test_limits_are_settled_in_rank_each_inside_the_parts_so_far() -> None:
    values = holding(LIMIT, 0, 1)
    for unit in (2, 3):
        values[unit] = {NEXT: {Identifier("u", "", str(unit))}}
    found = settle(range(5), bonds((0, 2), (0, 3), (3, 4), (4, 1)), values)
    assert found.groups == [[0], [2], [3], [1, 4]]
    assert found.contested == {0: (2, 3)}
    assert [(cut.link, cut.rule) for cut in found.cuts] == [(2, "limit:k"), (0, "contested:u"), (1, "contested:u")]


def test_last_makes_bonds_in_rank_and_drops_what_would_break_the_limit() -> None:
    found = settle(range(3), bonds((1, 2), (0, 2)), holding(LAST, 0, 1))
    assert found.groups == [[0], [1, 2]]
    assert [(cut.link, cut.rule) for cut in found.cuts] == [(1, "limit:k")]


def test_last_keeps_a_bond_between_units_that_are_one_already() -> None:
    found = settle(range(4), bonds((0, 1), (1, 2), (0, 2), (2, 3)), holding(LAST, 0, 3))
    assert found.groups == [[0, 1, 2], [3]]
    assert [cut.link for cut in found.cuts] == [3]


def test_last_counts_all_its_limits_at_once_so_that_a_dropped_bond_stands_in_nobodys_way() -> None:
    values = holding(LAST, 0, 2)
    for unit in (1, 3):
        values[unit] = {LAST_NEXT: {Identifier("u", "", str(unit))}}
    found = settle(range(4), bonds((2, 3), (2, 1), (0, 1)), values)
    assert found.groups == [[0, 1], [2, 3]]
    assert [(cut.link, cut.rule) for cut in found.cuts] == [(1, "limit:u")]


def test_a_union_knows_which_limit_two_sets_would_break_first() -> None:
    union = GuardedUnion(
        {
            0: [(NEXT, Identifier("u", "", "a")), (LIMIT, Identifier("k", "", "a"))],
            1: [(NEXT, Identifier("u", "", "b")), (LIMIT, Identifier("k", "", "b"))],
            2: [],
        }
    )
    assert union.broken_by(0, 1) == LIMIT
    assert union.broken_by(0, 2) is None
    union.unite(2, 0)
    assert union.broken_by(1, 2) == LIMIT
    assert union.broken_by(0, 2) is None
    assert union.sets() == {0: [0, 2], 1: [1]}


def test_a_part_that_holds_just_as_many_values_as_it_may_stays_whole() -> None:
    two = Limit(("namespace", "u", ""), (1, 2, 0, "u", ""), 2, "hold", "limit:u")
    values = holding(LIMIT, 0, 1)
    for unit in (2, 3, 4):
        values[unit] = {two: {Identifier("u", "", str(unit))}}
    found = settle(range(5), bonds((0, 2), (0, 3), (0, 1), (1, 4)), values)
    assert found.groups == [[0, 2, 3], [1, 4]]

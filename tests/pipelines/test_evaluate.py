"""Accuracy is counted from cluster sizes and equals counting every pair."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluate import accuracy

NAMES = [f"i{n}" for n in range(12)]
ASSIGNED = st.fixed_dictionaries({name: st.sampled_from("abcd") for name in NAMES})


def test_a_perfect_map_scores_one() -> None:
    person = {"i1": "p", "i2": "p", "i3": "q"}
    measured = accuracy({"i1": "A", "i2": "A", "i3": "B"}, person, [["i1", "i2"], ["i3"]])
    assert (measured.precision, measured.recall, measured.f1) == (1.0, 1.0, 1.0)


def test_joining_two_people_costs_precision() -> None:
    measured = accuracy({"i1": "A", "i2": "A"}, {"i1": "p", "i2": "q"}, [])
    assert measured.precision == 0.0


def test_a_missed_pair_costs_recall() -> None:
    measured = accuracy({"i1": "A", "i2": "B"}, {"i1": "p", "i2": "p"}, [["i1", "i2"]])
    assert measured.recall == 0.0


def test_identifiers_without_a_single_person_do_not_count() -> None:
    measured = accuracy({"i1": "A", "shared": "A"}, {"i1": "p"}, [["i1", "shared"]])
    assert (measured.found, measured.reachable) == (0, 0)


@given(owner=ASSIGNED, person=ASSIGNED)
def test_sizes_count_the_same_as_listing_pairs(owner: dict[str, str], person: dict[str, str]) -> None:
    groups: dict[str, list[str]] = {}
    for name in NAMES:
        groups.setdefault(person[name], []).append(name)
    measured = accuracy(owner, person, groups.values())
    listed = [(a, b) for a, b in combinations(NAMES, 2) if owner[a] == owner[b]]
    assert measured.found == len(listed)
    assert measured.found_true == sum(person[a] == person[b] for a, b in listed)
    assert measured.reachable_found == measured.found_true

"""Every missed pair has a cause that edges and rejections tell; what they do not tell is a fault."""

from __future__ import annotations

from collections import Counter

from pipelines.missed import LATE, OTHER, REFUSED, Edges, missed_causes

NONE = Edges({}, {}, frozenset())


def causes(edges: Edges, owner: dict[str, str] | None = None) -> Counter[str]:
    return missed_causes([["a", "b"]], {"a": "A", "b": "B"} if owner is None else owner, edges)


def test_pairs_under_one_id_are_not_missed() -> None:
    assert causes(NONE, {"a": "A", "b": "A"}) == Counter()


def test_a_suspended_edge_is_the_cause() -> None:
    edges = Edges({"a": {"b": "suspended: hub"}, "b": {"a": "suspended: hub"}}, {}, frozenset())
    assert causes(edges) == Counter({"suspended: hub": 1})


def test_a_refused_value_is_the_cause() -> None:
    assert causes(Edges({}, {}, frozenset({"b"}))) == Counter({REFUSED: 1})


def test_evidence_that_is_not_there_is_late() -> None:
    assert causes(NONE) == Counter({LATE: 1})


def test_identifiers_that_nobody_owns_count_as_missed() -> None:
    assert causes(NONE, {}) == Counter({LATE: 1})


def test_a_live_edge_between_two_people_is_a_fault() -> None:
    edges = Edges({}, {"a": frozenset({"b"}), "b": frozenset({"a"})}, frozenset())
    assert causes(edges) == Counter({OTHER: 1})

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.accuracy import Scores, evaluate
from tests.identity.conftest import Build, World

TRUTH = {"a": "p", "b": "p", "c": "p", "d": "q", "e": "q"}
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
O3 = "wx_openid:a:o3"
K1, K2 = "member_id:b:K1", "member_id:b:K2"
P = "phone::13912345670"
Worlds = Callable[..., World]


def test_a_perfect_partition_scores_one_everywhere() -> None:
    scores = evaluate({"1": ["a", "b", "c"], "2": ["d", "e"]}, TRUTH)
    assert {value for scope in scores.values() for kind in scope.values() for value in kind.values()} == {1.0}


def test_the_figures_of_a_known_case() -> None:
    scores = evaluate({"1": ["a", "b"], "2": ["c", "d"], "3": ["e"]}, TRUTH)["all"]
    assert scores["pairwise"] == pytest.approx({"precision": 1 / 2, "recall": 1 / 4, "f1": 1 / 3})
    assert scores["b_cubed"]["precision"] == pytest.approx((1 + 1 + 0.5 + 0.5 + 1) / 5)
    assert scores["b_cubed"]["recall"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2) / 5)


def test_recall_over_reachable_pairs_asks_only_for_what_evidence_can_join() -> None:
    scores = evaluate({"1": ["a", "b"]}, TRUTH, {"a": "g", "b": "g"})
    assert scores["all"]["pairwise"]["recall"] == pytest.approx(1 / 4)
    assert scores["reachable"]["pairwise"]["recall"] == 1.0
    assert scores["reachable"]["b_cubed"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_what_is_outside_the_truth_does_not_count() -> None:
    assert evaluate({"1": ["a", "x", "y"]}, {"a": "p"})["all"]["pairwise"]["precision"] == 1.0


def test_f1_of_nothing_right_is_zero() -> None:
    assert Scores(0.0, 0.0).f1 == 0.0


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_pairwise_scores_agree_with_counting_every_pair(labels: dict[str, tuple[int, int]]) -> None:
    items = sorted(labels)
    pairs = [(a, b) for n, a in enumerate(items) for b in items[n + 1 :]]
    joined = {p for p in pairs if labels[p[0]][0] == labels[p[1]][0]}
    true = {p for p in pairs if labels[p[0]][1] == labels[p[1]][1]}
    clusters: dict[str, list[str]] = {}
    for item in items:
        clusters.setdefault(str(labels[item][0]), []).append(item)
    scores = evaluate(clusters, {item: str(labels[item][1]) for item in items})["all"]["pairwise"]
    assert scores["precision"] == pytest.approx(len(joined & true) / len(joined) if joined else 1.0)
    assert scores["recall"] == pytest.approx(len(joined & true) / len(true) if true else 1.0)


def test_accuracy_is_measured_against_a_truth(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2), build.link("2", O3))
    scores = w.resolver.evaluate({O1: "p", O2: "p", O3: "p"}, reachable={O1: "g", O2: "g", O3: "h"})
    assert scores["all"]["pairwise"] == {"precision": 1.0, "recall": 1 / 3, "f1": 0.5}
    assert scores["reachable"]["pairwise"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_without_a_list_the_reachable_pairs_are_those_that_the_evidence_may_join(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified"),
        build.link("2", K2, f"{P}@verified"),
        build.link("3", O1, f"{P}@recipient"),
        build.link("4", O2, O3),
    )
    w.feed(build.unlink("5", "4"))
    scores = w.resolver.evaluate({K1: "p", P: "p", K2: "q", O1: "p", O2: "q", O3: "q"})
    assert scores["all"]["pairwise"]["recall"] == 0
    # Only K1 and P: their link is suspended; that of O1 is a candidate, and row 4 is withdrawn.
    assert scores["reachable"]["b_cubed"]["recall"] == pytest.approx(5 / 6)
    assert scores["reachable"]["pairwise"]["recall"] == 0

"""What is left for a person to decide."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.identity.conftest import Build, World

P = "phone::13912345670"
Q = "phone::13912345671"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def test_a_contested_identifier_is_queued_with_its_candidates_and_evidence(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@verified"), build.link("2", K2, f"{P}@verified"))
    assert w.resolver.review_queue() == [
        {"kind": "contested", "identifier": P, "candidates": sorted(w.resolver.clusters()), "evidence": ["1", "2"]}
    ]


@pytest.mark.parametrize(("role", "kind", "least"), [("recipient", "recipient", 3), ("staff", "staff_phone", 2)])
def test_a_candidate_number_is_queued_from_its_count_on(
    role: str, kind: str, least: int, world: Worlds, build: Build
) -> None:
    w = world()
    rows = [build.link(str(n), O1, f"{P}@{role}") for n in range(least)]
    w.feed(*rows[:-1])
    assert w.resolver.review_queue() == []
    w.feed(rows[-1])
    (item,) = w.resolver.review_queue()
    assert (item["kind"], item["identifier"], item["candidates"]) == (kind, P, [w.resolver.one_id(O1)])
    assert item["evidence"] == [str(n) for n in range(least)]


def test_sightings_count_for_the_person_whatever_account_was_used(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("j", O1, O2), build.link("1", O1, f"{P}@staff"), build.link("2", O2, f"{P}@staff"))
    assert [q["kind"] for q in w.resolver.review_queue()] == ["staff_phone"]


def test_a_number_of_the_same_person_and_an_ended_one_need_no_review(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("v", O1, f"{P}@verified"),
        *(build.link(f"a{n}", O1, f"{P}@recipient") for n in range(3)),
        *(build.link(f"b{n}", O2, f"{Q}@recipient") for n in range(3)),
        build.unbind("u", O2, Q),
    )
    assert w.resolver.review_queue() == []


@pytest.mark.parametrize(("a", "b"), [(P, O1), (O2, P)])
def test_a_question_that_a_decision_answered_is_not_asked_again(a: str, b: str, world: Worlds, build: Build) -> None:
    """Also for the person's other accounts; who else had the number delivered to is still asked about."""
    w = world()
    rows = [build.link(str(n), O1, f"{P}@recipient") for n in range(3)]
    others = [build.link(f"k{n}", K1, f"{P}@recipient") for n in range(3)]
    w.feed(build.link("j", O1, O2), *rows, *others)
    both = sorted(w.resolver.one_id(x) or "" for x in (O1, K1))
    assert [q["candidates"] for q in w.resolver.review_queue()] == [both]
    decision = w.decide("cannot_link", a, b)
    assert [q["candidates"] for q in w.resolver.review_queue()] == [[w.resolver.one_id(K1)]]
    w.decide("revoke", decision)
    assert [q["candidates"] for q in w.resolver.review_queue()] == [both]

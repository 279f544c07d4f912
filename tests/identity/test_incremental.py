"""Run by run equals everything at once; a planted bug shows that these tests can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from identity import incremental, registry
from identity.evidence import Evidence, gather_evidence
from identity.observation import NormalisedObservation
from tests.identity.conftest import Build, Row, World

P = "phone::13912345670"
K1, K2 = "member_id:b:K1", "member_id:b:K2"
O1, O2, O3 = (f"wx_openid:a:o{n}" for n in range(1, 4))
Worlds = Callable[..., World]


def rows(build: Build) -> list[Row]:
    return [
        build.link("1", K1, O1),
        build.link("2", O2, f"{P}@verified"),
        build.link("3", O3, "wecom_pending_id:s:p"),
    ]


def resolved(w: World) -> int:
    return w.resolver._engine.cache.resolved


def test_only_touched_groups_are_resolved_again(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(*rows(build))
    assert resolved(w) == 3
    w.feed(build.link("4", O1, day="2025-03-01"))
    assert resolved(w) == 1
    w.feed(build.link("5", O1, O2))
    assert resolved(w) == 1
    w.feed()
    assert resolved(w) == 0


def test_a_withdrawal_a_decision_and_a_policy_touch_what_they_concern(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(*rows(build))
    w.feed(build.unlink("u", "2"))
    assert resolved(w) == 1
    w.decide("cannot_link", K1, O1)
    assert resolved(w) == 1
    w.resolver.adopt(world(size_cap=9).resolver.policy, as_of="2025-03-01")
    assert resolved(w) == 3


def test_what_expires_is_resolved_again_on_another_day_and_nothing_else(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(*rows(build))
    w.feed(day="2025-09-01")
    assert resolved(w) == 1
    assert w.resolver.lookup("wecom_pending_id:s:p")["status"] == "expired"


def test_a_number_seen_after_its_hash_ties_their_groups(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, "phone_md5::535381ec9d5ab7a390db0a30860600f2@verified"))
    w.feed(build.link("2", O2, "phone::13912345678@verified"))
    assert resolved(w) == 1
    assert w.same(O1, O2)


def test_a_planted_bug_that_drops_one_edge_is_found_by_a_rebuild(
    world: Worlds, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_the_last(observations: Iterable[NormalisedObservation]) -> list[Evidence]:
        return gather_evidence(list(observations)[:-1])

    w = world()
    w.feed(build.link("1", O1), build.link("2", O2))
    monkeypatch.setattr(incremental, "gather_evidence", without_the_last)
    w.feed(build.link("3", O1, O2))
    assert not w.same(O1, O2)
    assert [change["change"] for change in w.resolver.rebuild()] == ["merge"]


def test_a_planted_bug_that_turns_a_tie_is_found_by_a_second_lake(
    world: Worlds, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = registry._claim

    def turned(at_home: Any) -> Any:
        return (*straight(at_home)[:-1], tuple(-ord(char) for char in straight(at_home)[-1][-1]))

    def live(w: World) -> dict[str, set[str]]:
        w.feed(build.link("1", O1, O2))
        w.decide("cannot_link", O1, O2)
        return w.resolver.clusters()

    assert live(world()) == live(world())
    right = live(world())
    monkeypatch.setattr(registry, "_claim", turned)
    assert live(world()) != right

"""Which rows stand: withdrawn ones do not, and rows that contradict themselves link nothing."""

from __future__ import annotations

from collections.abc import Callable

from tests.identity.conftest import Build, World

P = "phone::13912345670"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def test_a_row_with_two_values_of_one_anchor_links_nothing_and_its_identifiers_stay(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", K1, K2, O1))
    assert w.groups() == [[K1], [K2], [O1]]
    assert [(r["observation_id"], r["rule"]) for r in w.resolver.rejections()] == [("1", "two_anchor_values")]
    assert w.refused(K1, O1) == [("two_anchor_values", ["1"])]


def test_two_values_of_one_anchor_in_different_scopes_are_no_contradiction(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, "member_id:other:K9"))
    assert w.groups() == [[K1, "member_id:other:K9"]]


def test_an_unlink_withdraws_the_observation_it_names_also_one_that_arrives_later(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, f"{P}@verified"), build.unlink("u2", "2"))
    w.feed(build.link("2", O2, f"{P}@verified"), build.link("3", O2))
    assert not w.same(O1, O2)
    w.feed(build.unlink("u1", "1"), day="2025-03-02")
    assert w.groups() == [[O2]]


def test_an_unlink_withdraws_its_own_sources_observation_only(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.unlink("u", "1", source="crm"))
    assert w.groups() == [[K1, O1]]


def test_a_withdrawn_unlink_withdraws_nothing(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.unlink("u", "1"))
    one_id = w.resolver.one_id(K1)
    assert one_id is None
    w.feed(build.unlink("uu", "u"))
    assert w.groups() == [[K1, O1]]


def test_one_unlink_that_stands_is_enough(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.unlink("u", "1"), build.unlink("v", "1"), build.unlink("vv", "v"))
    assert w.groups() == []


def test_withdrawals_of_withdrawals_are_followed_to_their_end(world: Worlds, build: Build) -> None:
    chain = [build.unlink("u1", "1"), build.unlink("u2", "u1"), build.unlink("u3", "u2"), build.unlink("u4", "u3")]
    for length, stands in ((1, False), (2, True), (3, False), (4, True)):
        w = world()
        w.feed(build.link("1", K1, O1), *chain[:length])
        assert (w.groups() == [[K1, O1]]) is stands


def test_a_contradicting_row_is_shown_at_its_weaker_value(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K2, K1))
    assert [r["identifier"] for r in w.resolver.rejections()] == [K2]

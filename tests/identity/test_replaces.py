"""The same account under a new id."""

from __future__ import annotations

from collections.abc import Callable

from tests.identity.conftest import Build, World

P = "phone::13912345670"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
K3 = "member_id:b:K3"
U1 = "wx_unionid:w:u1"
O1 = "wx_openid:a:o1"
Worlds = Callable[..., World]


def test_a_row_with_an_old_and_a_new_value_of_one_account_is_no_contradiction(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, K2, O1), build.replace("2", K1, K2))
    assert w.groups() == [[K1, K2, O1]]
    assert w.resolver.rejections() == []


def test_a_replaced_identifier_stays_under_the_same_oneid(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1))
    one_id = w.resolver.one_id(K1)
    w.feed(build.replace("2", K1, K2, day="2025-03-02"), day="2025-03-02")
    w.feed(build.replace("3", K2, "member_id:b:K3", day="2025-03-03"), day="2025-03-03")
    assert {w.resolver.one_id(x) for x in (K1, K2, "member_id:b:K3", O1)} == {one_id}
    assert w.resolver.explain(K1, "member_id:b:K3")["path"][0]["rule"] == "replace"


def test_a_cycle_of_replaces_is_refused_whatever_arrives_first(world: Worlds, build: Build) -> None:
    rows = [build.replace("1", K1, K2), build.replace("2", K2, K1, day="2025-03-02")]
    for feed in (rows, rows[::-1]):
        w = world()
        for row in feed:
            w.feed(row, day="2025-03-02")
        assert [r["rule"] for r in w.resolver.rejections()] == ["replace_cycle"]
        assert w.resolver.rejections()[0]["observation_id"] == "2"
        assert w.same(K1, K2)


def test_an_app_transfer_is_a_replace_between_two_scopes(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", "wx_openid:old:x", U1), build.replace("2", "wx_openid:old:x", "wx_openid:new:y"))
    assert w.same("wx_openid:old:x", "wx_openid:new:y", U1)


def test_replaced_values_do_not_count_for_a_limit(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@verified"), build.link("2", K2, f"{P}@verified"))
    assert not w.same(K1, K2)
    w.feed(build.replace("3", K1, K2))
    assert w.groups() == [[K1, K2, P]]


def test_a_replace_that_would_give_an_account_two_present_values_is_refused(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.replace("1", K1, K2), build.replace("2", K1, K3, day="2025-03-02"), day="2025-03-02")
    assert w.groups() == [[K1, K2], [K3]]
    assert [r["rule"] for r in w.resolver.rejections()] == ["limit:member_id"]


def test_on_a_day_before_a_replace_the_new_id_was_nobodys_and_the_old_one_counted_already_as_replaced(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.replace("2", K1, K2, day="2025-03-05"), day="2025-03-05")
    assert w.resolver.one_id(K2, at="2025-03-02") is None
    assert w.resolver.one_id(K1, at="2025-03-02") == w.resolver.one_id(K2)


def test_to_unbind_the_new_id_ends_what_the_old_one_was_bound_to(world: Worlds, build: Build) -> None:
    w = world()
    old, new, other = "wx_openid:app1:o", "wx_openid:app2:o", "member_id:b:K"
    w.feed(build.bind("1", old, other), build.replace("2", old, new, day="2025-03-02"), day="2025-03-02")
    assert w.same(old, new, other)
    w.feed(build.unbind("3", new, other, day="2025-03-03"), day="2025-03-03")
    assert w.same(old, new)
    assert not w.same(new, other)
    w.feed(build.bind("4", new, other, day="2025-03-04"), day="2025-03-04")
    assert w.same(old, new, other)

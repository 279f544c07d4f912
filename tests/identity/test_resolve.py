"""The guards in their order, and what the declared policies make of ambiguity."""

from __future__ import annotations

from collections.abc import Callable

from tests.identity.conftest import Build, World

P = "phone::13912345670"
Q = "phone::13912345671"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
U1 = "wx_unionid:w:u1"
U2 = "wx_unionid:w:u2"
A1 = "mp_anonymous_id:a:a1"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
O3 = "wx_openid:a:o3"
O4 = "wx_openid:a:o4"
Worlds = Callable[..., World]


def test_hold_gives_what_is_nearer_to_one_and_suspends_what_is_between(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, O1),
        build.link("2", O1, f"{P}@verified"),
        build.link("3", K2, f"{P}@verified"),
        build.link("4", K1, f"{Q}@verified"),
        build.link("5", K2, f"{Q}@verified"),
    )
    assert w.groups() == [[K1, O1], [K2, P]]
    assert w.resolver.one_id(Q) is None
    assert w.resolver.lookup(Q)["candidates"] == sorted(w.resolver.one_id(k) or "" for k in (K1, K2))
    assert w.refused(K1, Q) == [("contested:member_id", ["4"])]
    assert w.refused(O1, P) == [("limit:member_id", ["2"])]


def test_a_contested_account_stands_alone_and_what_hangs_behind_it_stays_together(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, O1),
        build.link("2", K2, O1),
        build.link("3", O1, O2),
        build.link("4", O2, f"{P}@verified"),
    )
    assert w.groups() == [[K1], [K2], [P, O2], [O1]]
    assert w.resolver.lookup(O1)["status"] == "contested"
    assert w.resolver.lookup(O2)["status"] == "active"


def test_of_those_between_only_the_ones_next_to_somebodys_are_contested(world: Worlds, build: Build) -> None:
    """K1 - O1 - A - O2 - K2 with a tail behind A: A touches owned identifiers, its tail does not."""
    w = world()
    w.feed(
        build.link("1", K1, O1),
        build.link("2", O1, A1),
        build.link("3", A1, O2),
        build.link("4", O2, K2),
        build.link("5", A1, O3),
        build.link("6", O3, O4),
    )
    assert w.groups() == [[K1, O1], [K2, O2], [A1], [O3, O4]]


def test_a_third_value_of_a_namespace_that_allows_two_makes_all_three_seeds(world: Worlds, build: Build) -> None:
    w = world(namespaces={"card": {"strength": "anchor", "max_per_person": 2}, "wx_openid": {}})
    w.feed(build.link("1", "card::1", O1), build.link("2", "card::2", O1))
    assert w.groups() == [["card::1", "card::2", O1]]
    w.feed(build.link("3", "card::3", O2), build.link("4", O2, "card::1"))
    assert len(w.groups()) == 5


def test_a_guard_holds_per_scope_and_namespaces_are_settled_in_order_of_priority(world: Worlds, build: Build) -> None:
    """Members come first: U2 goes with K2, and inside each part the union ids no longer conflict."""
    w = world()
    w.feed(
        build.link("1", K1, U1),
        build.link("2", K2, U2),
        build.link("3", U1, f"{P}@verified"),
        build.link("4", U2, f"{P}@verified"),
        build.link("5", "member_id:other:K9", U1),
    )
    assert w.groups() == [[K1, "member_id:other:K9", U1], [K2, U2]]
    assert w.refused(U1, P) == [("contested:member_id", ["3"])]


def test_inside_a_part_the_next_namespace_is_settled_again(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.link("2", O1, U1), build.link("3", K1, U2), build.link("4", K2, U2))
    assert w.groups() == [[K1, O1, U1], [K2], [U2]]


def test_last_keeps_the_newest_link_of_equal_strength(world: Worlds, build: Build) -> None:
    w = world(policy="last")
    w.feed(
        build.link("1", K1, f"{P}@verified"), build.link("2", K2, f"{P}@verified", day="2025-03-02"), day="2025-03-02"
    )
    assert w.groups() == [[K1], [K2, P]]
    assert w.refused(K1, P) == [("limit:member_id", ["1"])]
    w.feed(build.link("3", K1, f"{P}@verified", day="2025-03-03"), day="2025-03-03")
    assert w.groups() == [[K1, P], [K2]]


def test_last_makes_links_of_stronger_ends_first_however_old(world: Worlds, build: Build) -> None:
    w = world(policy="last")
    w.feed(
        build.link("1", K1, O1),
        build.link("2", O1, f"{P}@verified", day="2025-03-05"),
        build.link("3", K2, f"{P}@verified", day="2025-03-06"),
        day="2025-03-06",
    )
    assert w.groups() == [[K1, O1], [K2, P]]


def test_last_falls_back_on_the_order_key_at_equal_times(world: Worlds, build: Build) -> None:
    w = world(policy="last")
    w.feed(build.link("1", K2, A1), build.link("2", K1, A1))
    assert w.groups() == [[K1, A1], [K2]]


def test_a_namespaces_own_policy_is_that_of_the_limit_that_would_break(world: Worlds, build: Build) -> None:
    namespaces = {"member_id": {}, "wx_unionid": {"policy": "last"}, "wx_openid": {}, "mp_anonymous_id": {}}
    w = world(namespaces=namespaces)
    w.feed(
        build.link("1", K1, O1),
        build.link("2", K2, O1, day="2025-03-02"),
        build.link("3", U1, A1),
        build.link("4", U2, A1, day="2025-03-02"),
        day="2025-03-02",
    )
    assert w.groups() == [[K1], [K2], [A1, U2], [O1], [U1]]


def test_a_cluster_over_the_cap_is_held_whole_and_its_accounts_stand_alone(world: Worlds, build: Build) -> None:
    w = world(size_cap=3)
    rows = [build.link(str(n), f"wx_openid:a:c{n}", f"wx_openid:a:c{n + 1}") for n in range(3)]
    w.feed(*rows[:2])
    assert len(w.groups()) == 1
    w.feed(rows[2], build.link("p", "wx_openid:a:c0", f"{P}@verified"))
    assert w.groups() == [[f"wx_openid:a:c{n}"] for n in range(4)]
    assert {w.resolver.lookup(f"wx_openid:a:c{n}")["status"] for n in range(4)} == {"held"}
    assert w.resolver.lookup(P) == {"one_id": None, "status": "held", "candidates": []}
    assert w.resolver.report()["oversize"] == 1
    assert [q["evidence"] for q in w.resolver.review_queue()] == [{"identifiers": 5}]
    assert w.refused("wx_openid:a:c0", "wx_openid:a:c1") == [("size_cap", ["0"])]


def test_no_cap_means_no_cap(world: Worlds, build: Build) -> None:
    w = world(size_cap=0)
    w.feed(*(build.link(str(n), f"wx_openid:a:c{n}", f"wx_openid:a:c{n + 1}") for n in range(300)))
    assert len(w.groups()) == 1


def test_guards_act_in_their_order_a_hub_is_seen_before_limits(world: Worlds, build: Build) -> None:
    """As a hub the number suspends all; were limits first, it would be contested among the members."""
    w = world(hub={"max_accounts": 3})
    w.feed(*(build.link(str(n), f"member_id:b:M{n}", f"{P}@verified") for n in range(4)))
    assert w.resolver.lookup(P)["status"] == "hub"
    assert w.refused("member_id:b:M0", P) == [("hub", ["0"])]

"""What another policy would merge and split, and whose owner it would find or take."""

from __future__ import annotations

from collections.abc import Callable

from identity.policy import Policy
from tests.identity.conftest import Build, World

P = "phone::13912345670"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
U1 = "wx_unionid:op:u1"
U2 = "wx_unionid:op:u2"
Worlds = Callable[..., World]


def test_a_difference_names_merges_by_the_id_that_would_stay(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 1})
    w.feed(build.link("1", O1, f"{P}@verified"))
    w.feed(build.link("2", O2, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    ids = [w.resolver.one_id(x) or "" for x in (O1, O2)]
    shipped = Policy.from_dict({})
    assert w.resolver.diff(shipped) == {"merges": [{"one_id": ids[0], "others": [ids[1]]}], "splits": []}
    assert w.resolver.diff_owners(shipped) == [{"identifier": P, "before": None, "after": ids[0]}]
    assert w.resolver.diff(w.resolver.policy) == {"merges": [], "splits": []}


def contested(world: Worlds, build: Build, **keys: object) -> World:
    """Two people who verified one number; `last` gives it to the second."""
    w = world(**keys)
    w.feed(build.link("1", U1, O1), build.link("2", O1, f"{P}@verified"))
    w.feed(build.link("3", U2, O2), build.link("4", O2, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    return w


def test_a_number_that_would_find_an_owner_is_named_with_them(world: Worlds, build: Build) -> None:
    w = contested(world, build)
    last = Policy.from_dict({"policy": "last"})
    assert w.resolver.one_id(P) is None
    assert w.resolver.diff(last) == {"merges": [], "splits": []}
    found = w.resolver.diff_owners(last)
    assert found == [{"identifier": P, "before": None, "after": w.resolver.one_id(U2)}]
    w.resolver.adopt(last, as_of="2025-03-03")
    assert w.resolver.one_id(P) == found[0]["after"]


def test_a_number_that_would_lose_its_owner_is_named_with_who_holds_it_now(world: Worlds, build: Build) -> None:
    w = contested(world, build, policy="last")
    holder = w.resolver.one_id(P)
    assert holder == w.resolver.one_id(U2)
    shipped = Policy.from_dict({})
    assert w.resolver.diff_owners(shipped) == [{"identifier": P, "before": holder, "after": None}]
    assert w.resolver.diff(shipped)["splits"][0]["parts"] == [[P], [O2, U2]]


def test_a_number_that_stays_with_nobody_or_with_somebody_is_not_named(world: Worlds, build: Build) -> None:
    w = contested(world, build)
    w.feed(build.link("5", O1, "phone::13712345679@verified", day="2025-03-03"), day="2025-03-03")
    other = Policy.from_dict({"size_cap": 1000})
    assert w.resolver.diff(other) == {"merges": [], "splits": []}
    assert w.resolver.diff_owners(other) == []


def test_a_split_that_leaves_everybody_an_owner_names_none(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2))
    found = w.resolver.diff(Policy.from_dict({"size_cap": 1}))
    assert (found.keys(), len(found["splits"])) == ({"merges", "splits"}, 1)


def test_a_value_that_is_read_only_under_the_other_policy_is_no_question_of_today(world: Worlds, build: Build) -> None:
    w = world(reject={"by_namespace": {"phone": {"values": ["13912345670"]}}})
    w.feed(build.link("1", O1, f"{P}@verified"))
    assert w.resolver.diff(Policy.from_dict({})) == {"merges": [], "splits": []}


def test_a_decision_shows_whose_number_it_settles(world: Worlds, build: Build) -> None:
    w = contested(world, build)
    shown = w.resolver.preview("cannot_link", O1, P, as_of="2025-03-02")
    assert shown["owners"] == [{"identifier": P, "before": None, "after": w.resolver.one_id(O2)}]

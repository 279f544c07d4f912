from __future__ import annotations

from collections.abc import Callable

import pytest

from identity.business_time import DAY_MS
from identity.hubs import partner_count
from identity.identifier import Identifier
from identity.policy import HubLimits
from tests.identity.conftest import Build, World

P = "phone::13912345670"
Q = "phone::13912345671"
K1 = "member_id:b:K1"
Worlds = Callable[..., World]


def met(*contacts: tuple[int, str]) -> list[tuple[int, Identifier]]:
    """(day, namespace and value in one letter each)."""
    return [(at * DAY_MS, Identifier(name[0], "", name[1:])) for at, name in contacts]


@pytest.mark.parametrize(
    ("contacts", "count"),
    [
        ([(0, "a1"), (0, "a2")], 0),
        ([(0, "a1"), (1, "a2"), (2, "a3")], 3),
        ([(0, "a1"), (1, "a1"), (2, "a1")], 0),
        ([(0, "a1"), (1, "a2"), (11, "a3")], 0),
        ([(0, "a1"), (1, "a2"), (10, "a3")], 3),
        ([(0, "a1"), (9, "a2"), (18, "a1"), (19, "a3")], 3),
        ([(0, "a1"), (11, "a2"), (12, "a3"), (13, "a4")], 3),
        ([(0, "a1"), (0, "b1"), (11, "b2"), (12, "c1"), (13, "d1"), (14, "e1")], 4),
        ([(0, "a1"), (0, "b1"), (0, "c1")], 0),
        ([(0, "a1"), (0, "b1"), (0, "c1"), (0, "d1")], 4),
    ],
)
def test_partners_are_counted_per_namespace_and_in_all_inside_a_window(
    contacts: list[tuple[int, str]], count: int
) -> None:
    assert partner_count(met(*contacts), HubLimits(max_accounts=2, max_total=3, window_days=10)) == count
    assert partner_count(met(*contacts[::-1]), HubLimits(max_accounts=2, max_total=3, window_days=10)) == count


def hub_rows(build: Build, count: int, target: str = f"{P}@verified", **more: object) -> list[dict[str, object]]:
    return [build.link(f"h{n}", f"wx_openid:a:h{n}", target, **more) for n in range(count)]


def test_an_identifier_at_the_limit_is_no_hub_and_one_more_makes_it_one(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 3})
    rows = hub_rows(build, 4)
    w.feed(*rows[:3])
    assert w.resolver.hubs() == []
    joined = w.resolver.one_id("wx_openid:a:h0")
    changes = w.feed(rows[3], day="2025-03-02")
    assert w.resolver.hubs() == [{"identifier": P, "count": 4}]
    assert w.groups() == [[f"wx_openid:a:h{n}"] for n in range(4)]
    assert w.resolver.one_id(P) is None
    assert w.resolver.one_id("wx_openid:a:h0") == joined
    split = next(change for change in changes if change["change"] == "split")
    assert "hub" in split["cause"]
    assert w.refused("wx_openid:a:h0", "wx_openid:a:h1") == [("hub", ["h0"]), ("hub", ["h1"])]


def test_the_total_limit_counts_partners_of_all_kinds(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 3, "max_total": 4})
    rows = [build.link(f"{s}{n}", f"wx_openid:{s}:t{n}", f"{P}@verified") for s in "ab" for n in range(2)]
    w.feed(*rows)
    assert w.resolver.hubs() == []
    w.feed(build.link("k", K1, f"{P}@verified"))
    assert w.resolver.hubs() == [{"identifier": P, "count": 5}]


def test_only_partners_inside_one_window_count(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 2, "window_days": 10})
    days = ["2025-01-01", "2025-01-02", "2025-01-13"]
    w.feed(*(build.link(str(n), f"wx_openid:a:h{n}", f"{P}@verified", day=d) for n, d in enumerate(days)))
    assert w.resolver.hubs() == []
    w.feed(build.link("late", "wx_openid:a:h9", f"{P}@verified", day="2025-01-11"))
    assert w.resolver.hubs() == [{"identifier": P, "count": 3}]


def test_candidates_and_replaced_partners_do_not_make_a_hub(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 2})
    w.feed(*hub_rows(build, 3, f"{P}@recipient"))
    assert w.resolver.hubs() == []
    w.feed(*(build.link(f"v{n}", f"wx_openid:a:v{n}", f"{Q}@verified") for n in range(3)))
    w.feed(build.replace("r", "wx_openid:a:v0", "wx_openid:a:v1"))
    assert w.resolver.hubs() == []


def test_an_anchor_is_never_a_hub_and_a_shared_login_is(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 3})
    w.feed(*(build.link(f"k{n}", K1, f"wx_openid:a:k{n}") for n in range(5)))
    assert w.resolver.hubs() == []
    w.feed(*(build.link(f"l{n}", "login_id:b:shop", f"wx_openid:a:l{n}") for n in range(4)))
    assert w.resolver.hubs() == [{"identifier": "login_id:b:shop", "count": 4}]
    assert w.groups() == [[K1, *(f"wx_openid:a:k{n}" for n in range(5))], *([f"wx_openid:a:l{n}"] for n in range(4))]


def test_a_hub_comes_back_when_evidence_is_withdrawn(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 3})
    w.feed(*hub_rows(build, 3))
    before = w.resolver.one_id(P)
    w.feed(build.link("h3", "wx_openid:a:h3", f"{P}@verified"))
    w.feed(build.unlink("u", "h3"), day="2025-03-02")
    assert w.resolver.hubs() == []
    assert w.same(P, *(f"wx_openid:a:h{n}" for n in range(3)))
    assert w.resolver.one_id(P) == before


def test_a_decision_gives_a_hub_to_somebody_and_leaves_its_links_suspended(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 3})
    w.feed(*hub_rows(build, 4))
    w.decide("must_link", P, "wx_openid:a:h2")
    assert w.same(P, "wx_openid:a:h2")
    assert len(w.groups()) == 4


def test_a_hubs_own_partners_are_no_question_about_a_recipient(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 2}, review={"recipient_min_orders": 1})
    w.feed(*hub_rows(build, 3))
    assert w.resolver.review_queue() == []


def test_a_hub_stays_one_when_a_new_holder_appears_long_after(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 3})
    w.feed(*(build.link(f"u{n}", f"wx_unionid:w:U{n}", f"{P}@verified") for n in range(4)))
    w.feed(build.link("new", "wx_unionid:w:NEW", f"{P}@verified", day="2025-11-01"), day="2025-11-01")
    assert w.resolver.hubs() == [{"identifier": P, "count": 4}]
    assert w.resolver.one_id(P) is None
    assert w.groups() == [["wx_unionid:w:NEW"], *([f"wx_unionid:w:U{n}"] for n in range(4))]
    w.feed(build.unlink("gone", "u0"), day="2025-11-02")
    assert w.resolver.hubs() == []
    assert w.same(P, "wx_unionid:w:NEW")


def test_partners_of_two_periods_inside_one_window_count_together(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 3, "window_days": 90}, reissue_days=20)
    rows = [build.link(f"a{n}", f"wx_unionid:w:A{n}", f"{P}@verified") for n in range(2)]
    rows += [build.link(f"b{n}", f"wx_unionid:w:B{n}", f"{P}@verified", day="2025-04-01") for n in range(2)]
    w.feed(*rows, day="2025-04-01")
    assert w.resolver.hubs() == [{"identifier": P, "count": 4}]

"""Over-merge guards and ambiguity: identity.md, "Over-merge guards" and "Ambiguity"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from identity.errors import DecisionRefused
from tests.identity.conftest import Build, World

P, Q = "phone::13912345670", "phone::13912345671"
K1, K2, K3 = "member_id:b:K1", "member_id:b:K2", "member_id:b:K3"
O1, O2, O3, O4 = (f"wx_openid:a:o{n}" for n in range(1, 5))
U1, U2 = "wx_unionid:w:u1", "wx_unionid:w:u2"
A1 = "mp_anonymous_id:a:a1"
Worlds = Callable[..., World]


# Limits


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


def test_a_must_link_that_would_break_a_limit_is_refused_with_the_hint_to_record_a_replace(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.link("2", K2, O2))
    for a, b in ((K1, K2), (O1, O2), (K1, O2)):
        with pytest.raises(DecisionRefused, match=r"more than 1 value.* of member_id.*record a `replace`") as caught:
            w.decide("must_link", a, b)
        assert caught.value.code == 7
    w.feed(build.replace("3", K1, K2))
    assert w.same(K1, K2, O1, O2)


# Hubs


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


# Re-issued numbers


def test_a_number_changes_hands_after_a_long_gap_with_another_anchor(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", K2, f"{P}@verified", day="2024-06-01"),
        day="2024-06-01",
    )
    assert w.groups() == [[K1], [K2, P]]
    assert w.resolver.one_id(P, at="2024-02-01") == w.resolver.one_id(K1)
    assert w.resolver.one_id(P, at="2024-05-31") == w.resolver.one_id(K1)
    assert w.resolver.one_id(P, at="2024-06-01") == w.resolver.one_id(K2)
    assert w.resolver.one_id(P, at="2023-12-31") is None
    assert w.refused(K1, P) == [("reissued", ["1"])]


def test_a_gap_of_exactly_the_limit_is_no_break(world: Worlds, build: Build) -> None:
    w = world(reissue_days=90)
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2025-01-01"),
        build.link("2", K2, f"{P}@verified", day="2025-04-01"),
        day="2025-04-01",
    )
    assert w.resolver.one_id(P) is None


def test_an_anchor_the_holder_did_not_have_before_continues_the_period(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", U1, f"{P}@verified", day="2024-06-01"),
        day="2024-06-01",
    )
    assert w.groups() == [[K1, P, U1]]


def test_sightings_between_the_gap_and_the_first_new_anchor_belong_to_the_new_holder(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", O2, f"{P}@verified", day="2024-06-01"),
        build.link("3", K2, f"{P}@verified", day="2024-06-20"),
        day="2024-06-20",
    )
    assert w.groups() == [[K1], [K2, P, O2]]


def test_a_new_id_of_the_same_account_is_no_new_holder(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", K2, f"{P}@verified", day="2024-06-01"),
        build.replace("3", K1, K2, day="2024-05-01"),
        day="2024-06-01",
    )
    assert w.groups() == [[K1, K2, P]]


# Size cap


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


def test_links_with_a_decision_stay_inside_a_held_cluster(world: Worlds, build: Build) -> None:
    w = world(size_cap=3)
    w.feed(build.link("x", O1), build.link("y", O2))
    w.decide("must_link", O1, O2)
    w.feed(build.link("1", O2, O3), build.link("2", O3, O4))
    assert w.groups() == [[O1, O2], [O3], [O4]]


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


# Validity


def test_sightings_that_never_overlap_do_not_meet(world: Worlds, build: Build) -> None:
    pending = "wecom_pending_id:s:p"
    w = world()
    w.feed(
        build.link("1", pending, "wecom_external_userid:c:e1", day="2025-01-01"),
        build.link("2", pending, "wecom_external_userid:c:e2", day="2025-04-02"),
        day="2025-04-02",
    )
    assert not w.same("wecom_external_userid:c:e1", "wecom_external_userid:c:e2")
    assert w.same(pending, "wecom_external_userid:c:e2")
    assert w.resolver.one_id(pending, at="2025-02-01") == w.resolver.one_id("wecom_external_userid:c:e1")
    assert ("expired", ["1"]) in w.refused("wecom_external_userid:c:e1", "wecom_external_userid:c:e2")


def test_joins_made_while_valid_stay(world: Worlds, build: Build) -> None:
    pending = "wecom_pending_id:s:p"
    w = world()
    w.feed(
        build.link("1", pending, "wecom_external_userid:c:e1", day="2025-01-01"),
        build.link("2", pending, "wecom_external_userid:c:e2", day="2025-03-31"),
        day="2025-03-31",
    )
    assert w.feed(day="2026-01-01") == []
    assert w.same(pending, "wecom_external_userid:c:e1", "wecom_external_userid:c:e2")
    assert w.resolver.lookup(pending)["status"] == "expired"


def test_valid_to_frees_the_weaker_end_and_leaves_the_stronger_what_it_is(world: Worlds, build: Build) -> None:
    w = world()
    until = "2025-03-05T00:00:00+08:00"
    w.feed(
        build.link("1", K1, f"{P}@verified", valid_to=until),
        build.link("2", K2, f"{P}@verified", day="2025-03-10"),
        build.link("3", K1, O1, day="2025-03-10"),
        build.link("4", K1, f"{Q}@verified", valid_to=until),
        day="2025-03-10",
    )
    assert w.groups() == [[K1, Q, O1], [K2, P]]
    assert w.resolver.one_id(P, at="2025-03-03") == w.resolver.one_id(K1)


def test_a_link_that_ended_before_it_began_joins_nobody(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1, valid_to="2025-02-01T00:00:00+08:00"))
    assert w.groups() == [[K1], [O1]]
    assert w.refused(K1, O1) == [("expired", ["1"])]


# Steward decisions


def test_a_must_link_joins_what_no_evidence_joins_until_it_is_revoked(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1), build.link("2", O1, day="2025-03-01"))
    ids = w.resolver.one_id(K1), w.resolver.one_id(O1)
    decision = w.decide("must_link", K1, O1)
    assert w.same(K1, O1)
    assert w.resolver.explain(K1, O1)["path"][0]["rule"] == "must_link"
    w.feed(build.link("3", O2), day="2025-03-02")
    assert w.same(K1, O1)
    assert w.resolver.rebuild() == []
    w.decide("revoke", decision)
    assert (w.resolver.one_id(K1), w.resolver.one_id(O1)) == ids


def test_a_must_link_outranks_the_evidence_that_contests_it(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@verified"), build.link("2", K2, f"{P}@verified"))
    w.decide("must_link", K2, P)
    assert w.groups() == [[K1], [K2, P]]
    w.feed(build.link("3", K1, f"{P}@verified", day="2025-03-09"), day="2025-03-09")
    assert w.groups() == [[K1], [K2, P]]


def test_a_must_link_takes_in_a_candidate_number(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, f"{P}@recipient"))
    w.decide("must_link", O1, P)
    assert w.same(O1, P)


def test_a_cannot_link_parts_two_and_the_policy_decides_what_goes_with_whom(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2), build.link("2", O2, O3), build.link("3", O3, O4))
    decision = w.decide("cannot_link", O1, O4)
    assert w.groups() == [[O1, O2], [O3, O4]]
    refused = w.resolver.explain(O1, O4)["refused"]
    assert refused == [
        {
            "link": [O2, O3],
            "rule": "cannot_link",
            "observations": ["2"],
            "decision": {"id": decision, "actor": "jo", "reason": "looked at it"},
        }
    ]


def test_a_cannot_link_holds_for_evidence_that_comes_later(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2))
    w.decide("cannot_link", O1, O2)
    w.feed(build.link("3", O1, O2), day="2025-03-02")
    assert not w.same(O1, O2)
    w.feed(build.link("4", O1, f"{P}@verified"), build.link("5", O2, f"{P}@verified"), day="2025-03-03")
    assert not w.same(O1, O2)
    assert w.resolver.one_id(P) is None


def test_a_cannot_link_under_last_drops_the_older_link(world: Worlds, build: Build) -> None:
    w = world(policy="last")
    w.feed(build.link("1", O1, A1), build.link("2", A1, O2, day="2025-03-02"), day="2025-03-02")
    w.decide("cannot_link", O1, O2)
    assert w.groups() == [[A1, O2], [O1]]


def test_a_cannot_link_undoes_a_wrong_replace(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.replace("1", K1, K2))
    w.decide("cannot_link", K1, K2)
    assert w.groups() == [[K1], [K2]]


def test_detach_takes_all_pairs_with_the_cluster_off_also_when_observed_again(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2, f"{P}@verified"))
    decision = w.decide("detach", O1)
    assert w.groups() == [[P, O2], [O1]]
    w.feed(build.link("2", O1, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    assert w.groups() == [[P, O2], [O1]]
    assert w.resolver.explain(O1, P)["refused"][0]["decision"]["id"] == decision
    w.feed(build.link("3", O1, O3, day="2025-03-03"), day="2025-03-03")
    assert w.same(O1, O3)
    w.decide("revoke", decision)
    assert w.same(O1, O2, P)


def test_detaching_what_stands_alone_is_refused(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", K1, f"{P}@verified"), build.link("3", K2, f"{P}@verified"))
    for alone in (O1, P, "wx_openid:a:unseen"):
        with pytest.raises(DecisionRefused, match="stands alone"):
            w.decide("detach", alone)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("must_link", O1, O3), ("cannot_link", O1, O3)),
        (("must_link", O1, O3), ("detach", O1)),
        (("cannot_link", O1, O3), ("must_link", O3, O1)),
        (("cannot_link", O2, O4), ("must_link", O1, O3)),
        (("detach", O1), ("must_link", O1, O2)),
    ],
)
def test_a_contradictory_decision_is_refused(
    first: tuple[str, ...], second: tuple[str, ...], world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", O1, O2), build.link("2", O3, O4))
    standing = w.decide(*first)
    before = w.groups()
    with pytest.raises(DecisionRefused, match=f"contradicts {standing}.*revoke that decision first"):
        w.decide(*second)
    assert w.groups() == before
    w.decide("revoke", standing)
    if first[0] != "detach":  # what was detached is one person again, and a must-link would change nothing
        w.decide(*second)


def test_a_contradiction_through_a_chain_of_must_links_is_refused(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(*(build.link(x, x) for x in (O1, O2, O3)))
    w.decide("must_link", O1, O2)
    w.decide("must_link", O2, O3)
    with pytest.raises(DecisionRefused, match="contradicts"):
        w.decide("cannot_link", O1, O3)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (("must_link", O1, O1), "one identifier"),
        (("must_link", O1, O2), "one person already"),
        (("must_link", O1, "wx_openid:a:unseen"), "never seen"),
        (("must_link", O1, None), "cannot be read"),
        (("must_link", O1, "wx_openid"), "cannot be read"),
        (("must_link", O1, "wx_openid::x"), "cannot be read"),
        (("revoke", "dec-999999"), "no decision of that id is in force"),
        (("merge", O1, O2), "unknown kind of decision"),
    ],
)
def test_a_decision_that_changes_nothing_or_names_nothing_is_refused(
    decision: tuple[str, ...], message: str, world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", O1, O2))
    with pytest.raises(DecisionRefused, match=message):
        w.decide(*decision)


def test_the_same_decision_twice_and_a_second_revocation_are_refused(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2))
    decision = w.decide("cannot_link", O1, O2)
    with pytest.raises(DecisionRefused, match=f"{decision} says so already"):
        w.decide("cannot_link", O2, O1)
    w.decide("revoke", decision)
    with pytest.raises(DecisionRefused, match="in force"):
        w.decide("revoke", decision)


def test_a_decision_names_its_actor_and_reason(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2))
    with pytest.raises(DecisionRefused, match="actor and its reason"):
        w.resolver.steward("detach", O1, actor="", reason="x", as_of="2025-03-01")


def test_a_must_link_gives_way_to_a_limit_that_later_evidence_shows(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2))
    w.decide("must_link", O1, O2)
    w.feed(build.link("3", O1, K1), build.link("4", O2, K2), day="2025-03-02")
    assert w.same(O1, O2)
    assert not w.same(K1, K2)


def test_a_preview_shows_what_a_decision_would_do_and_changes_nothing(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2), build.link("2", O3))
    before = w.groups()
    split = w.resolver.preview("detach", O1, as_of="2025-03-01")
    assert split == {"merges": [], "splits": [{"one_id": w.resolver.one_id(O1), "parts": [[O1], [O2]]}]}
    assert len(w.resolver.preview("must_link", O1, O3, as_of="2025-03-01")["merges"]) == 1
    assert w.groups() == before
    assert w.resolver.decisions() == []

"""Decisions outrank evidence, not limits, until they are revoked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from identity.errors import DecisionRefused
from tests.identity.conftest import Build, World

P = "phone::13912345670"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
A1 = "mp_anonymous_id:a:a1"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
O3 = "wx_openid:a:o3"
O4 = "wx_openid:a:o4"
Worlds = Callable[..., World]


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


def test_links_with_a_decision_stay_inside_a_held_cluster(world: Worlds, build: Build) -> None:
    w = world(size_cap=3)
    w.feed(build.link("x", O1), build.link("y", O2))
    w.decide("must_link", O1, O2)
    w.feed(build.link("1", O2, O3), build.link("2", O3, O4))
    assert w.groups() == [[O1, O2], [O3], [O4]]


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
        (("must_link", O1, None), "it needs two identifiers"),
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
    apart = {"one_id": w.resolver.one_id(O1), "parts": [[O1], [O2]]}
    assert split == {"merges": [], "splits": [apart], "owners": []}
    assert len(w.resolver.preview("must_link", O1, O3, as_of="2025-03-01")["merges"]) == 1
    assert w.groups() == before
    assert w.resolver.decisions() == []


def test_a_candidate_number_is_taken_in_only_while_the_other_end_is_there(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2, f"{P}@recipient"))
    w.decide("must_link", O1, P)
    w.feed(build.unlink("3", "1"), day="2025-03-02")
    assert w.groups() == [[O2]]
    w.feed(build.link("4", O1, day="2025-03-03"), day="2025-03-03")
    assert w.groups() == [[P, O1], [O2]]


def test_a_decision_on_two_forms_of_a_number_says_nothing_once_the_number_is_known(world: Worlds, build: Build) -> None:
    first, second = (f"phone_sha256::{hashlib.sha256(n.encode()).hexdigest()}" for n in (P[7:], f"+86{P[7:]}"))
    w = world()
    w.feed(build.link("1", O1, f"{first}@verified"), build.link("2", O2, f"{second}@verified"))
    w.decide("cannot_link", first, second)
    assert not w.same(O1, O2)
    w.feed(build.link("3", O3, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    assert w.same(O1, O2, O3, P)
    w.feed(build.replace("4", P, "phone::13912345671", day="2025-03-03"), day="2025-03-03")
    assert w.same(P, "phone::13912345671")


def test_a_cannot_link_of_two_of_a_namespace_follows_its_policy_and_another_that_of_the_lake(
    world: Worlds, build: Build
) -> None:
    namespaces = {"wx_openid": {"policy": "last"}, "mp_anonymous_id": {}, "login_id": {}}
    for other, groups in ((O2, [[A1, O2], [O1]]), ("login_id:b:l", [["login_id:b:l"], [A1], [O1]])):
        w = world(namespaces=namespaces)
        w.feed(build.link("1", O1, A1), build.link("2", A1, other, day="2025-03-02"), day="2025-03-02")
        w.decide("cannot_link", O1, other)
        assert w.groups() == groups


def test_a_must_link_rests_while_nothing_is_left_of_one_end(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2))
    assert w.decide("must_link", O1, O2) == "dec-000002"
    w.feed(build.unlink("3", "1"), day="2025-03-02")
    assert w.groups() == [[O2]]
    w.feed(build.link("4", O1, day="2025-03-03"), day="2025-03-03")
    assert w.groups() == [[O1, O2]]


def test_a_must_link_of_two_hubs_is_refused_because_hubs_belong_to_nobody(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 2})
    for hub in ("wx_openid:a:left", "wx_openid:a:right"):
        w.feed(*(build.link(f"{hub}{n}", hub, f"login_id:b:{hub[-4:]}{n}") for n in range(3)))
    with pytest.raises(DecisionRefused, match="both are hubs"):
        w.decide("must_link", "wx_openid:a:left", "wx_openid:a:right")
    w.decide("must_link", "wx_openid:a:left", "login_id:b:left0")
    assert w.same("wx_openid:a:left", "login_id:b:left0")


def test_reasons_are_kept_without_numbers_and_addresses_those_of_revocations_too(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2))
    told = "called +86 139-1234-5671 and jo@example.com about order 6917341234567890123"
    made = w.resolver.steward("must_link", O1, O2, actor="jo", reason=told, as_of="2025-03-01")
    shown = w.resolver.explain(O1, O2)["path"][0]["decision"]["reason"]
    assert shown == "called <phone> and <mail> about order 6917341234567890123"
    w.resolver.steward("revoke", made, actor="li", reason="13912345671 said no", as_of="2025-03-02")
    (decision,) = w.resolver.decisions()
    assert (decision.reason, decision.revoked_reason) == (shown, "<phone> said no")
    assert (decision.revoked_by, decision.revoked_as_of) == ("li", "2025-03-02")


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (("must_link", O1), "it needs two identifiers"),
        (("must_link", O1, "phone::11111111111"), "refused by the rule digit_run .*reject"),
        (("cannot_link", O1, "oaid_x::13912345671"), "refused by the rule undeclared_namespace"),
        (("detach", "13912345671"), "write namespace:scope:value"),
        (("revoke", "13912345671"), "in force: <phone> .*steward list"),
    ],
)
def test_a_name_that_cannot_be_decided_on_says_why_without_repeating_it(
    decision: tuple[str, ...], message: str, world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", O1))
    with pytest.raises(DecisionRefused, match=message) as refused:
        w.decide(*decision)
    assert "13912345671" not in str(refused.value)

"""Why two identifiers are one person, or why not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from identity.business_time import day_start_ms
from tests.identity.conftest import Build, World

P = "phone::13912345670"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
K3 = "member_id:b:K3"
TEN = 10 * 3_600_000
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
O3 = "wx_openid:a:o3"
Worlds = Callable[..., World]


def test_the_explanation_is_the_shortest_chain_with_its_evidence(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified"),
        build.link("2", O1, f"{P}@buyer", source="douyin_orders"),
        build.link("3", K1, f"{P}@verified", day="2025-03-02"),
        build.link("4", K1, O2),
        build.link("5", O2, O3),
        build.link("6", O3, O1),
        day="2025-03-02",
    )
    first = day_start_ms("2025-03-01") + TEN
    assert w.resolver.explain(K1, O1) == {
        "linked": True,
        "path": [
            {
                "from": K1,
                "to": P,
                "rule": "phone_verified",
                "observations": ["1", "3"],
                "sources": ["pos"],
                "first_seen": first,
                "last_seen": day_start_ms("2025-03-02") + TEN,
            },
            {
                "from": P,
                "to": O1,
                "rule": "phone_buyer",
                "observations": ["2"],
                "sources": ["douyin_orders"],
                "first_seen": first,
                "last_seen": first,
            },
        ],
        "refused": [],
    }


def test_an_explanation_on_a_past_day_sees_what_was_valid_then(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.bind("1", O1, f"{P}@verified"), build.unbind("2", O1, P, day="2025-03-05"), day="2025-03-05")
    assert w.resolver.explain(O1, P, at="2025-03-02")["linked"]
    assert w.resolver.explain(O1, P, at="2025-03-05")["refused"][0]["rule"] == "unbind"
    assert w.resolver.explain(O1, P, at="2025-02-01") == {"linked": False, "path": [], "refused": []}


def test_the_reason_for_no_link_is_the_refused_one_among_live_ones(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2), build.link("2", O2, f"{P}@recipient"), build.link("3", O3, f"{P}@verified"))
    assert w.refused(O1, O3) == [("candidate:recipient", ["2"])]


def test_a_suspended_link_explains_better_than_a_withdrawn_or_candidate_one(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 2})
    w.feed(*(build.link(str(n), f"wx_openid:a:h{n}", f"{P}@verified") for n in range(3)))
    w.feed(build.link("c", "wx_openid:a:h0", f"{P}@recipient"), build.link("x", "wx_openid:a:h0", f"{P}@verified"))
    w.feed(build.unlink("u", "x"))
    assert w.refused("wx_openid:a:h0", P) == [("hub", ["0"])]


def test_what_nothing_ever_joined_has_no_reason(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2))
    assert w.resolver.explain(O1, O2) == {"linked": False, "path": [], "refused": []}
    assert w.resolver.explain(O1, "wx_openid:a:unseen")["refused"] == []
    assert w.resolver.explain(O1, "no identifier")["refused"] == []


def test_a_decision_without_any_evidence_explains_itself(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2))
    decision = w.decide("cannot_link", O1, O2)
    refused = w.resolver.explain(O1, O2)["refused"]
    assert [(one["rule"], one["decision"]["id"]) for one in refused] == [("cannot_link", decision)]
    w.decide("revoke", decision)
    assert w.resolver.explain(O1, O2)["refused"] == []


def test_a_refused_value_explains_itself_by_its_rule(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, "phone::13800138000@verified"))
    assert w.resolver.explain(O1, "phone::13800138000") == {
        "linked": False,
        "path": [],
        "refused": [
            {"link": [O1, "phone::13800138000"], "rule": "reject_value", "observations": ["1"], "decision": None}
        ],
    }


def test_a_refused_cycle_and_a_broken_limit_are_shown_at_their_replace(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.replace("1", K1, K2), build.replace("2", K1, "member_id:b:K3", day="2025-03-02"), day="2025-03-02")
    assert w.refused(K1, "member_id:b:K3") == [("limit:member_id", ["2"])]


def test_a_must_link_that_gave_way_names_limit_and_decision(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1), build.link("2", K2))
    w.resolver.adopt(world(namespaces={"member_id": {"max_per_person": 2}}).resolver.policy, as_of="2025-03-02")
    decision = w.decide("must_link", K1, K2)
    assert w.same(K1, K2)
    w.resolver.rollback(as_of="2025-03-03")
    refused = w.resolver.explain(K1, K2)["refused"]
    assert [(one["rule"], one["decision"]["id"]) for one in refused] == [("limit:member_id", decision)]


def test_two_that_share_only_a_refused_value_are_told_its_rule_without_the_value(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", O1, "phone::13800138000@verified"),
        build.link("2", O2, "phone::13800138000@verified", "phone::11111111111@verified"),
        build.link("3", O3, "phone::11111111111@verified"),
    )
    assert w.refused(O1, O2) == [("reject_value", ["1"]), ("reject_value", ["2"])]
    assert w.refused(O2, O3) == [("digit_run", ["2"]), ("digit_run", ["3"])]
    assert w.refused(O1, O3) == []
    assert "1380013" not in str(w.resolver.explain(O1, O2))


def test_the_rule_of_a_link_names_a_number_in_any_form_and_another_contact_by_its_namespace(
    world: Worlds, build: Build
) -> None:
    hashed = "phone_sha256::" + hashlib.sha256(b"13912345670").hexdigest()
    mail = {"strength": "contact", "roles": {"owner": "link"}}
    w = world(namespaces={"wx_openid": {}, "phone": {}, "mail": mail})
    w.feed(build.link("1", O1, f"{hashed}@verified"), build.link("2", O1, "mail::a/b@owner"), build.link("3", O1, O2))
    found = [w.resolver.explain(O1, end)["path"][0]["rule"] for end in (hashed, "mail::a/b", O2)]
    assert found == ["phone_verified", "mail_owner", "link"]


def test_a_step_that_a_steward_made_names_the_decision(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2, K1))
    made = w.decide("must_link", O1, O2)
    first, second = w.resolver.explain(O1, K1)["path"]
    assert first["decision"] == {"id": made, "actor": "jo", "reason": "looked at it"}
    assert "decision" not in second

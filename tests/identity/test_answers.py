"""Explanations, differences, reports and the review queue: identity.md, "Explain" and the fixed answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from identity.business_time import day_start_ms
from identity.policy import Policy
from identity.report import broken_gates
from tests.identity.conftest import Build, World

P, Q = "phone::13912345670", "phone::13912345671"
K1, K2 = "member_id:b:K1", "member_id:b:K2"
O1, O2, O3 = (f"wx_openid:a:o{n}" for n in range(1, 4))
A1 = "mp_anonymous_id:a:a1"
TEN = 10 * 3_600_000
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
    w.resolver.adopt(world(namespaces={"member_id": {"max_per_person": 2}}).resolver._policy, as_of="2025-03-02")
    decision = w.decide("must_link", K1, K2)
    assert w.same(K1, K2)
    w.resolver.rollback(as_of="2025-03-03")
    refused = w.resolver.explain(K1, K2)["refused"]
    assert [(one["rule"], one["decision"]["id"]) for one in refused] == [("limit:member_id", decision)]


def test_identifiers_are_read_like_rows_in_every_question(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", "wecom_external_userid:ww01:wmA", f"{P}@verified"))
    assert w.resolver.one_id("wecom_external_userid:WW01: wmA ") == w.resolver.one_id("phone:any:+86 139-1234-5670")
    assert w.resolver.one_id("phone::13800138000") is None
    assert w.resolver.one_id("phone") is None
    assert w.resolver.explain("phone::+86 139 1234 5670", "wecom_external_userid:WW01:wmA")["linked"]


def test_a_look_up_says_status_and_candidates(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@verified"), build.link("2", K2, f"{P}@verified"))
    ids = sorted(w.resolver.clusters())
    assert w.resolver.lookup(P) == {"one_id": None, "status": "contested", "candidates": ids}
    assert w.resolver.lookup(K1) == {"one_id": w.resolver.one_id(K1), "status": "active", "candidates": []}
    assert w.resolver.lookup("member_id:b:K9") == {"one_id": None, "status": "unknown", "candidates": []}


# Review queue


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


# Report and gates


def test_the_report_counts_people_apart_from_visitors(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", O1),
        build.link("2", A1),
        build.link("3", "wecom_external_userid:c:e", f"{Q}@verified"),
        build.link("4", "member_id:b:null", O2),
    )
    report = w.resolver.report()
    assert (report["identifiers"], report["one_ids"], report["persons"], report["visitors"]) == (7, 4, 3, 1)
    assert report["identifiers_per_one_id"] == {1: 2, 2: 1, 3: 1}
    assert report["largest_clusters"][0] == {"one_id": w.resolver.one_id(K1), "identifiers": 3}
    assert report["refusals"] == {"reject_value": 1}
    assert report["reach"]["member+mini_program"] == {"persons": 1, "share_of_first": 1.0, "share_of_second": 0.5}
    assert report["reach"]["member+wecom"]["persons"] == 0
    assert (report["hubs"], report["contested"], report["held"], report["churn"]) == (0, 0, 0, 0.0)


def test_churn_is_the_share_of_known_identifiers_whose_oneid_changed(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2), build.link("3", O3, f"{P}@verified"))
    w.feed(build.link("4", O1, O2), day="2025-03-02")
    assert w.resolver.report()["churn"] == 0.25
    w.feed(day="2025-03-03")
    assert w.resolver.report()["churn"] == 0.0


def test_one_oversize_cluster_closes_the_gate_by_default(world: Worlds, build: Build) -> None:
    w = world(size_cap=2)
    w.feed(build.link("1", O1, O2, O3))
    report = w.resolver.report()
    assert broken_gates(report, Policy.from_dict({})) == ["max_oversize: 1 is above 0"]
    assert broken_gates(report, Policy.from_dict({"max_oversize": 1})) == []
    tight = Policy.from_dict({"max_oversize": 1, "gates": {"max_held": 2, "max_churn": 0, "max_largest_cluster": 1}})
    assert broken_gates(report, tight) == ["max_held: 3 is above 2"]


# Difference


def test_a_difference_names_merges_by_the_id_that_would_stay(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 1})
    w.feed(build.link("1", O1, f"{P}@verified"))
    w.feed(build.link("2", O2, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    ids = [w.resolver.one_id(x) or "" for x in (O1, O2)]
    assert w.resolver.diff(Policy.from_dict({})) == {
        "merges": [{"one_id": ids[0], "others": [ids[1]]}],
        "splits": [],
    }
    assert w.resolver.diff(w.resolver._policy) == {"merges": [], "splits": []}


# Graph and accuracy


def test_the_graph_of_an_identifier_holds_its_cluster_and_what_is_refused_around_it(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.link("2", O1, f"{P}@verified"), build.link("3", K2, f"{P}@verified"))
    graph = w.resolver.export_graph(K1)
    assert {name: data["inside"] for name, data in graph.nodes(data=True)} == {K1: True, O1: True, P: False}
    edges = {(min(a, b), max(a, b)): data["refusal"] for a, b, data in graph.edges(data=True)}
    assert edges == {(K1, O1): "", (P, O1): "limit:member_id"}
    assert [data["observations"] for _, _, data in graph.edges(data=True)] == [["pos/1"], ["pos/2"]]
    assert list(w.resolver.export_graph("wx_openid:a:unseen").nodes) == ["wx_openid:a:unseen"]
    assert list(w.resolver.export_graph("nonsense").nodes) == []


def test_accuracy_is_measured_against_a_truth(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2), build.link("2", O3))
    scores = w.resolver.evaluate({O1: "p", O2: "p", O3: "p"}, reachable={O1: "g", O2: "g", O3: "h"})
    assert scores["all"]["pairwise"] == {"precision": 1.0, "recall": 1 / 3, "f1": 0.5}
    assert scores["reachable"]["pairwise"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}

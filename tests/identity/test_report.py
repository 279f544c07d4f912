"""The report of a run, and the bounds it may close."""

from __future__ import annotations

from collections.abc import Callable

from identity.policy import Policy
from identity.report import broken_gates
from tests.identity.conftest import Build, World

P = "phone::13912345670"
Q = "phone::13912345671"
K1 = "member_id:b:K1"
A1 = "mp_anonymous_id:a:a1"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
O3 = "wx_openid:a:o3"
Worlds = Callable[..., World]


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


def test_before_the_first_run_there_is_nobody(world: Callable[..., World]) -> None:
    report = world().resolver.report()
    assert (report["run"], report["as_of"], report["one_ids"]) == (0, "1970-01-01", 0)
